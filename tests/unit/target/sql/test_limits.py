"""What stops a query that asks too much, and what a full house says."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dynalens.errors import BusyError, QueryLimitError, QueryRefusedError
from dynalens.target import version
from dynalens.target.sql import Limits, SqlTarget, open_sql
from dynalens.target.sql import engine as engine_module
from tests.contract.implementations import COLLECTIONS
from tests.contract.writing import FIRST, put
from tests.unit.target.sql.test_queries import rows
from tests.waiting import observed

CROSS_JOIN = "SELECT count() FROM system.numbers AS a CROSS JOIN system.numbers AS b"


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlTarget]:
    """The same with limits that a test reaches quickly; not the time, which a busy machine would reach first."""
    limits = Limits(
        seconds=120.0,
        memory_bytes=100_000_000,
        result_rows=100,
        result_bytes=100_000,
        read_rows=100_000_000,
        query_bytes=10_000,
    )
    target = open_sql("chdb://./sql", folder=tmp_path_factory.mktemp("limited"), limits=limits)
    target.create(FIRST, COLLECTIONS["donations"])
    target.serve(FIRST)
    target.apply([put(f"k{n}", version(1, n), n) for n in range(200)])
    yield target
    target.close()


RUNAWAYS = {
    "SELECT groupArray(number) FROM (SELECT number FROM system.numbers LIMIT 90000000)": "100000000 bytes of memory",
    "SELECT repeat('x', 1000000000)": "100000000 bytes of memory",
    "SELECT arrayMap(x -> range(100000), range(100000))": "100000000 bytes of memory",
    "SELECT length(groupArray(a.id)) FROM donations a, donations b, donations c, donations d": "100000000 bytes",
    "SELECT count() FROM system.numbers": "100000000 rows",
    "SELECT * FROM donations": "100 rows",
    "SELECT number FROM system.numbers LIMIT 101": "100 rows",
    "SELECT repeat('x', 200000)": "the limit is 100000",
    "SELECT repeat(toString(number), 2000) FROM system.numbers LIMIT 100": "100000 bytes in the answer",
    "WITH RECURSIVE r AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM r) SELECT count() FROM r": "nesting",
    "SELECT " + "(" * 3_000 + "1" + ")" * 3_000: "nesting",
    "SELECT " + "+".join("1" * 4_000): "nest",
    "SELECT 1 AS a0, " + ", ".join(f"a{n - 1} + a{n - 1} AS a{n}" for n in range(1, 60)): "nesting",
    "SELECT '" + "x" * 10_000 + "'": "the limit is 10000",
}


@pytest.mark.parametrize("query", RUNAWAYS, ids=[query[:40] for query in RUNAWAYS])
def test_a_runaway_is_stopped_and_told_which_limit(limited: SqlTarget, query: str) -> None:
    with pytest.raises(QueryLimitError) as stopped:
        limited.query(query, {})
    assert RUNAWAYS[query] in stopped.value.message
    assert stopped.value.hint
    assert rows(limited, "SELECT count() FROM donations") == [[200]]


def test_nothing_of_a_stopped_query_stands_in_the_next_answer(limited: SqlTarget) -> None:
    """chDB 26.9 puts what a failed query had rendered before the next answer of the same handle."""
    for _ in range(8):
        with pytest.raises(QueryLimitError):
            limited.query("SELECT number, sleepless FROM (SELECT number, 1 AS sleepless FROM system.numbers)", {})
        assert rows(limited, "SELECT 7") == [[7]]


@pytest.mark.parametrize("setting", ["max_execution_time", "max_memory_usage", "readonly"])
def test_a_query_cannot_lift_its_limits(limited: SqlTarget, setting: str) -> None:
    for query in (f"SELECT 1 SETTINGS {setting} = 0", f"SET {setting} = 0"):
        with pytest.raises(QueryRefusedError):
            limited.query(query, {})


def test_more_queries_than_handles_are_told_to_wait(limited: SqlTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "WAIT_SECONDS", 0.05)
    with ExitStack() as lent:
        for _ in range(4):
            lent.enter_context(limited._queries._handles.lend())
        with pytest.raises(BusyError) as busy:
            limited.query("SELECT 1", {})
        assert busy.value.hint
        assert limited.count("donations") == 200, "documents are read beside the queries"
    assert rows(limited, "SELECT 1") == [[1]]


def test_closing_ends_the_queries_that_run(tmp_path: Path, limited: SqlTarget) -> None:
    limited.close()  # a process holds one engine
    target = open_sql("chdb://./sql", folder=tmp_path)
    met: list[Exception] = []

    def run_away() -> None:
        try:
            target.query(CROSS_JOIN, {})
        except Exception as error:  # noqa: BLE001 - the test judges it
            met.append(error)

    runaway = threading.Thread(target=run_away)
    runaway.start()
    running = "SELECT count() FROM system.processes WHERE query LIKE '%CROSS JOIN%' AND query_id != queryID()"
    observed(lambda: target._client.command(running))
    target.close()
    runaway.join()
    assert [type(error) for error in met] == [BusyError]
    target.close()
