from __future__ import annotations

import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Position
from dynalens.position.sqlite import SqliteStore


def test_a_store_may_be_opened_by_several_at_once_while_it_is_made(tmp_path: Path) -> None:
    for attempt in range(40):
        together = threading.Barrier(4)

        def open_one(path: Path = tmp_path / f"{attempt}.db", together: threading.Barrier = together) -> list[object]:
            together.wait()
            with closing(SqliteStore(path)) as store:
                return list(store.reports())

        with ThreadPoolExecutor(4) as pool:
            assert [made.result() for made in [pool.submit(open_one) for _ in range(4)]] == [[]] * 4


def test_a_file_of_the_version_before_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with closing(sqlite3.connect(path)) as db:
        db.executescript(_BEFORE)
    for _ in range(2):
        with closing(SqliteStore(path)) as store:
            assert [(report.worker, report.confirmed) for report in store.reports()] == [("", 7)]
            [copy] = store.copies("T", "sql")
            assert (copy.state, copy.settings, copy.barrier) == ("live", "", 0)
            assert store.revision("T") == 0
            # The child of p was being read: its end is kept, that of the shard without children is not.
            with pytest.raises(StaleLeaseError):
                store.rewind("T", "p", "sql", START, epoch=5)
            store.rewind("T", "p", "metrics", Position(ended=True, rank=9), epoch=6)
    with closing(SqliteStore(path)) as store:
        store.rewind("T", "p", "metrics", START, epoch=6)


_BEFORE = """
CREATE TABLE leases (
    table_name TEXT, partition TEXT, kind TEXT NOT NULL, parents TEXT NOT NULL, owner TEXT NOT NULL,
    PRIMARY KEY (table_name, partition));
INSERT INTO leases VALUES ('T', 'p', 'shard', '[]', 'w'), ('T', 'c', 'shard', '["p"]', 'w');
CREATE TABLE positions (
    table_name TEXT, partition TEXT, target TEXT, epoch INTEGER NOT NULL,
    ended INTEGER NOT NULL, rank TEXT NOT NULL, token TEXT NOT NULL,
    PRIMARY KEY (table_name, partition, target));
INSERT INTO positions VALUES
    ('T', 'p', 'sql', 5, 1, '9', '9'), ('T', 'p', 'metrics', 6, 1, '9', '9'), ('T', 'c', 'sql', 7, 0, '-1', '');
CREATE TABLE copies (
    table_name TEXT, collection TEXT, target TEXT, number INTEGER, state TEXT NOT NULL, body TEXT NOT NULL,
    PRIMARY KEY (table_name, collection, target, number));
INSERT INTO copies VALUES ('T', 'c', 'sql', 1, 'live', '{"collection": "c", "target": "sql", "number": 1,
    "state": "live", "fingerprint": "f", "stream": "s", "scan": "s1", "segments": 1, "consistent": false,
    "started_at": 1.5, "finished_at": 2.5}');
CREATE TABLE reports (table_name TEXT, target TEXT, body TEXT NOT NULL, PRIMARY KEY (table_name, target));
INSERT INTO reports VALUES ('T', 'sql', '{"table": "T", "target": "sql", "written_at": 1.5, "confirmed": 7}');
"""
