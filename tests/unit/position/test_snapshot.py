"""A copy of a local store for whoever only looks."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dynalens.errors import StoreError
from dynalens.position.sqlite import SqliteStore
from dynalens.position.sqlite.snapshot import snapshot
from dynalens.report import Report

REPORT = Report(table="T", target="sql", written_at=1.0)


def test_it_shows_what_another_process_has_just_written_and_nothing_that_comes_later(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(SqliteStore(path)) as store:
        store.save_report(REPORT)
        with snapshot(path) as copied:
            store.save_report(Report(table="U", target="sql", written_at=2.0))
            assert copied.reports() == [REPORT]
            copied.next_epoch("T", remembered=0)
        with snapshot(path) as copied:
            assert copied.counter("T") == store.counter("T")
            assert len(copied.reports()) == 2


def test_a_file_of_an_earlier_release_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "CREATE TABLE reports (table_name TEXT, target TEXT, body TEXT NOT NULL, PRIMARY KEY (table_name, target));"
            """INSERT INTO reports VALUES ('T', 'sql', '{"table": "T", "target": "sql", "written_at": 1.0}')"""
        )
    before = path.read_bytes()
    with snapshot(path) as copied:
        assert copied.reports() == [REPORT]
    assert path.read_bytes() == before


def test_without_a_file_it_is_empty_and_none_is_made(tmp_path: Path) -> None:
    with snapshot(tmp_path / "data" / "state.db") as copied:
        assert copied.reports() == []
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_no_store_is_told(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    path.write_text("no store" * 1000)
    with pytest.raises(StoreError, match=r"state\.db cannot be read: file is not a database") as caught, snapshot(path):
        pass
    assert caught.value.hint
