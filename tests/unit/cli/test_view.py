"""What `dynalens up` shows while it runs."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynalens.cli.view import Copies, View, rows_of, summary
from dynalens.config import CollectionConfig, Config
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report
from dynalens.runtime.up import STORE_NAME
from tests.unit.cli.conftest import ERROR, ROW, STATUS, FakeServer, status_of
from tests.waiting import observed


def report(*, scanned: int = 0, scan_total: int = 0) -> Report:
    return Report(table="Donations", target="sql", written_at=1.0, scanned=scanned, scan_total=scan_total)


def test_a_copy_is_shown_with_what_is_done_and_of_how_much() -> None:
    copies = Copies()
    row = {**ROW, "phase": "backfilling"}
    copies.update([row], {("Donations", "sql"): report(scanned=400, scan_total=1000)})
    task = copies.task(row)
    assert task is not None
    assert rows_of(task) == "400 of about 1,000 rows"
    copies.update([ROW], {("Donations", "sql"): report()})
    assert copies.task(row) is None


def test_an_estimate_that_was_too_low_is_not_passed() -> None:
    copies = Copies()
    row = {**ROW, "phase": "rebuilding"}
    copies.update([row], {("Donations", "sql"): report(scanned=400, scan_total=300)})
    task = copies.task(row)
    assert task is not None
    assert task.percentage == 100


@pytest.fixture
def view(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[View]:
    """The view of a process that has its store in a folder of the test's own."""
    monkeypatch.setattr("dynalens.cli.view.LOOK_SECONDS", 0.01)
    monkeypatch.setattr("dynalens.cli.view.LINE_SECONDS", 0.01)
    (tmp_path / "data").mkdir()
    config = Config(collections={"donations": CollectionConfig(table="Donations")}, path=tmp_path / "dynalens.yaml")
    with View(config) as shown:
        yield shown


def save(folder: Path, *, written_at: float, scanned: int = 0, scan_total: int = 0) -> None:
    with closing(SqliteStore(folder / "data" / STORE_NAME)) as store:
        store.save_report(replace(report(scanned=scanned, scan_total=scan_total), written_at=written_at))


def test_up_prints_its_address_on_stdout_and_the_rest_on_stderr(
    view: View, server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = ""

    def hears(text: str) -> bool:
        nonlocal said
        said += capsys.readouterr().err
        return text in said

    server.answer("GET /api/v1/status", status_of({"phase": "backfilling"}))
    view.ready(server.url)
    assert capsys.readouterr().out == f"Dynalens answers at {server.url}\n"
    later = time.time() + 60
    save(tmp_path, written_at=later, scanned=400, scan_total=1000)
    observed(lambda: hears("donations in sql: backfilling\n"))
    observed(lambda: hears("donations in sql: 400 of about 1,000 rows\n"))
    save(tmp_path, written_at=later, scanned=700, scan_total=1000)
    observed(lambda: hears("donations in sql: 700 of about 1,000 rows, "))
    server.answer("GET /api/v1/status", STATUS)
    observed(lambda: hears("donations in sql: streaming, 12,345 documents\n"))
    server.answer("GET /api/v1/status", status_of({"phase": "stalled", "error": ERROR}))
    observed(lambda: hears("donations in sql: stalled: The metrics server does not answer. Check that it runs.\n"))


def test_what_an_earlier_process_reported_is_not_shown(
    view: View, server: FakeServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save(tmp_path, written_at=1.0)
    server.answer("GET /api/v1/status", status_of({"phase": "stalled"}))
    view.ready(server.url)
    observed(lambda: len(server.asked) > 3)
    assert capsys.readouterr().err == ""


def test_a_warning_is_one_line_and_an_error_in_it_another(view: View, capsys: pytest.CaptureFixture[str]) -> None:
    del view  # shows warnings while it is there
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logging.getLogger("dynalens.test").exception("reading %s failed", "\x1b[2J")
    time_and_level, *rest = capsys.readouterr().err.split(" ERROR ")
    assert re.fullmatch(r"[-0-9]{10} [0-9:,]{12}", time_and_level)
    assert rest == ["reading \\x1b[2J failed\n  ZeroDivisionError: division by zero\n"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{}], "● streaming · 12,345 documents · lag 250 ms"),
        ([{}, {"phase": "backfilling"}], "● backfilling · 24,690 documents · lag 250 ms"),
        ([{"phase": "stalled", "lag_seconds": 75}, {}], "● stalled · 24,690 documents · lag 1 min"),
        ([{"phase": "stalled"}, {"phase": "gap", "documents": None}], "● gap · 12,345 documents · lag 250 ms"),
        ([{"dead_letters": 3}], "● streaming · 12,345 documents · lag 250 ms · 3 dead letters: dynalens dlq list"),
    ],
)
def test_the_quiet_line_says_the_worst(rows: list[dict[str, Any]], said: str) -> None:
    assert summary([{**ROW, **row} for row in rows]).plain == said
