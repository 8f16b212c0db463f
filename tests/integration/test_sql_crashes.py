"""The sql target over full disks, broken files and kills: what was confirmed is there, or its loss is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from dynalens.errors import TargetError
from dynalens.partition import Position
from dynalens.target import Mark, version
from dynalens.target.sql import SqlTarget, open_sql
from dynalens.target.sql import inserts as inserts_module
from dynalens.target.sql.engine import quoted
from tests.contract.implementations import COLLECTIONS, TABLE
from tests.contract.writing import FIRST, SECOND, put
from tests.integration.sql_reading import open_served, rows
from tests.integration.sql_writer import BATCH, attributes

ROOT = Path(__file__).parents[2]


@pytest.fixture
def target(tmp_path: Path) -> Iterator[SqlTarget]:
    opened = open_served(tmp_path)
    yield opened
    opened.close()


# Disks.


def test_a_nearly_full_disk_is_not_written_to(target: SqlTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inserts_module, "FREE_BYTES", 1 << 60)
    for write in (
        lambda: target.apply([put("a", 1)]),
        lambda: target.mark(TABLE, {"p": Mark(1, Position(rank=1))}),
        lambda: target.raise_epoch(TABLE, 1),
        lambda: target.create(SECOND, COLLECTIONS["donations"]),
    ):
        with pytest.raises(TargetError, match="bytes free") as full:
            write()
        assert full.value.hint == "Free space on that disk."
    assert target.count("donations") == 0


def test_an_insert_that_the_disk_cut_off_does_not_count(tmp_path: Path) -> None:
    said = run_writer(tmp_path, "fill_the_disk")
    assert "could not write" in said
    assert "to its end" in said
    target = open_served(tmp_path)
    assert rows(target, "SELECT id FROM donations") == [["small"]]
    target.apply([put("next", version(2, 1))])
    assert target.count("donations") == 2
    target.close()


@pytest.mark.parametrize("lost", ["donations%401.sql", "applied.sql", "_dynalens.sql"])
def test_a_definition_that_the_disk_cut_off_is_a_loss_and_no_end(tmp_path: Path, lost: str) -> None:
    """The engine says nothing of a definition that it could not write, and does not start over it."""
    target = open_served(tmp_path)
    target.apply([put("a", version(1, 1))])
    target.mark(TABLE, {"p": Mark(1, Position(rank=1))})
    target.close()
    [definition] = tmp_path.rglob(lost)
    definition.write_bytes(b"")
    target = open_sql("chdb://./sql", folder=tmp_path)
    remembered = target.recall(TABLE)
    target.close()
    assert not remembered.marks or not remembered.generations


def test_a_definition_that_the_disk_cut_off_under_a_running_engine_is_a_loss(target: SqlTarget, tmp_path: Path) -> None:
    target.apply([put("a", version(1, 1))])
    [definition] = tmp_path.rglob("donations%401.sql")
    definition.write_bytes(b"")
    asks_for_a_column = put("b", version(1, 2), attributes={"city": {"S": "Wien"}})
    with pytest.raises(TargetError, match="Empty query"):
        target.apply([asks_for_a_column])
    assert not target.recall(TABLE).generations
    target.create(FIRST, COLLECTIONS["donations"])
    target.serve(FIRST)
    target.apply([asks_for_a_column])
    assert rows(target, "SELECT id FROM donations") == [["b"]]


def test_documents_that_are_lost_are_owned_up_to(tmp_path: Path) -> None:
    """A part that is found broken makes the target forget its positions, so that the pipeline sees a gap."""
    target = open_served(tmp_path)
    marks = {"p": Mark(1, Position(rank=5, token="5"))}
    for number in range(3):
        target.apply([put(f"k{number}", version(1, number), attributes={"text": {"S": "x" * 5_000}})])
    target.mark(TABLE, marks)
    target.mark("Another", marks)
    path = target._client.command(
        "SELECT path FROM system.parts WHERE database = '_dynalens' AND table = 'donations@1' AND active LIMIT 1"
    )
    target.close()
    os.truncate(Path(str(path)) / "data.bin", 10)
    target = open_served(tmp_path)
    assert target.recall(TABLE).marks == {}
    assert target.recall("Another").marks == marks
    target.mark(TABLE, marks)
    target.close()
    target = open_served(tmp_path)
    assert target.recall(TABLE).marks == marks, "said once"
    target.close()


# Crashes.


def run_writer(folder: Path, mode: str) -> str:
    command = [sys.executable, "-m", "tests.integration.sql_writer", str(folder), mode]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False).stdout


@pytest.mark.parametrize("steps", [1, 4, 9, 15])
def test_what_was_confirmed_outlives_a_kill(tmp_path: Path, steps: int) -> None:
    confirmed = killed_after(steps, tmp_path)
    target = open_served(tmp_path)
    try:
        found = {row[0] for row in rows(target, "SELECT _id FROM donations")}
        assert found >= {f"{step}-{n}" for step in range(confirmed + 1) for n in range(BATCH)}
        assert_columns_are_right(target, confirmed)
        target.apply([put("next", version(9, 1), attributes={"amount": {"N": "0." + "3" * 38}, "x": {"S": "y"}})])
        assert rows(target, "SELECT x, amount FROM donations WHERE _id = 'next'") == [["y", Decimal("0." + "3" * 38)]]
    finally:
        target.close()


def killed_after(steps: int, folder: Path) -> int:
    """Run the writer until it has confirmed some steps, kill it, and give the last step that it confirmed."""
    command = [sys.executable, "-m", "tests.integration.sql_writer", str(folder), "write_on"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            lines = [writer.stdout.readline() for _ in range(steps)]
        finally:
            writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    return int([line for line in lines if line.endswith("\n")][-1])


def assert_columns_are_right(target: SqlTarget, confirmed: int) -> None:
    for step in range(confirmed + 1):
        [(name, text), (_, amount)] = attributes(step).items()
        query = f"SELECT DISTINCT {quoted(name)}, amount FROM donations WHERE _id LIKE {{ids:String}}"  # noqa: S608
        assert rows(target, query, ids=f"{step}-%") == [[text["S"], Decimal(amount["N"])]]
    assert [found.name for found in target.fields("donations") if found.drift] == []


@pytest.mark.parametrize("mode", ["die_before_the_view", "die_before_dropping"])
def test_a_kill_between_two_steps_of_a_widening_leaves_no_trace(tmp_path: Path, mode: str) -> None:
    run_writer(tmp_path, mode)
    target = open_sql("chdb://./sql", folder=tmp_path)
    try:
        described = dict(rows(target, "DESCRIBE donations"))
        assert described["amount"] == "Nullable(Decimal(49, 20))"
        assert described["new"] == "Nullable(String)"
        target.apply([put("after", version(2, 1), attributes={"amount": {"N": "0.25"}, "new": {"S": "x"}})])
        assert rows(target, "SELECT _id, amount, new FROM donations ORDER BY _id") == [
            ["after", Decimal("0.25"), "x"],
            ["before", 1, None],
        ]
        physical = "SELECT count() FROM system.columns WHERE table = 'donations@1' AND name LIKE 'c%'"
        assert target._client.command(physical) == 4
    finally:
        target.close()


def test_what_a_killed_process_left_among_the_views_is_gone(tmp_path: Path) -> None:
    target = open_served(tmp_path)
    target._client.command("CREATE VIEW dynalens.`_tmp_replace_1` AS SELECT 1 COMMENT 'donations@1'")
    target._client.command("CREATE VIEW dynalens.orphan AS SELECT 1 COMMENT 'orphan@7'")
    target.close()
    target = open_served(tmp_path)
    assert target._client.command("SELECT groupArray(name) FROM system.tables WHERE database = 'dynalens'") == (
        "['donations']"
    )
    target.close()


def test_a_change_of_columns_that_failed_is_done_again(target: SqlTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the engine altered the table before it failed or not."""
    command = target._client.command
    for number, when in enumerate(("before", "after")):

        def fail(statement: str, when: str = when) -> object:
            if statement.startswith("ALTER") and when == "after":
                command(statement)
            if statement.startswith(("ALTER", "CREATE OR REPLACE")):
                raise DatabaseError("Code: 999. DB::Exception: Connection lost", code=999)
            return command(statement)

        write = put(
            f"k{number}", version(1, number), number, attributes={f"new {when}": {"S": "x"}, "both": {"S": "y"}}
        )
        monkeypatch.setattr(target._client, "command", fail)
        with pytest.raises(TargetError):
            target.apply([write])
        monkeypatch.undo()
        target.apply([write])
        query = f"SELECT `new {when}`, both FROM donations WHERE n = {number}"  # noqa: S608 - own names
        assert rows(target, query) == [["x", "y"]]


def test_a_killed_process_leaves_nothing_outside_of_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "tmp"
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(elsewhere))
    killed_after(5, tmp_path / "data")
    assert list(elsewhere.iterdir()) == []
    target = open_served(tmp_path / "data")
    target.apply([put("a", version(9, 1))])
    assert not (tmp_path / "data" / "sql" / "insert.bin").exists()
    target.close()
