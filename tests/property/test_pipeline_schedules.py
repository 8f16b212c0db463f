"""Schedules that the model of the protocol found, through the real pipeline.

A target is taken back to the worst moment that it can be taken back to; afterwards the pipeline must lead it to what
the table holds, and readers with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dynalens import failpoint
from dynalens.errors import TargetError
from dynalens.pipeline import queue
from dynalens.position.sqlite import SqliteStore
from dynalens.target import Generation
from dynalens.testing.failpoints import armed
from dynalens.testing.memory import Contents, MemorySource, MemoryTarget
from tests.pipelines import Bench
from tests.waiting import observed

FIRST, SECOND = Generation("donations", 1), Generation("donations", 2)


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """A table with one item and one open shard, one target and a store."""
    source = MemorySource()
    source.preload(item("old", 0))
    source.add_shard("s1")
    store = SqliteStore(tmp_path / "state.db")
    yield Bench(source, [MemoryTarget("sql")], store, segments=1)
    store.close()


def item(key: str, n: int) -> dict[str, dict[str, str]]:
    return {"id": {"S": key}, "n": {"N": str(n)}}


def target_of(bench: Bench) -> MemoryTarget:
    [target] = bench.targets
    assert isinstance(target, MemoryTarget)
    return target


def state_of_a(target: MemoryTarget) -> bytes:
    row = target.rows(FIRST).get("a")
    return row.document.fragments["n"] if row is not None and row.document is not None else b""


def is_equal(bench: Bench) -> Callable[[], bool]:
    return lambda: target_of(bench).documents("donations") == bench.source.documents()


def is_live(bench: Bench, number: int) -> Callable[[], bool]:
    return lambda: any(
        (copy.number, copy.state) == (number, "live") for copy in bench.store.copies(bench.source.table, "sql")
    )


def break_here() -> None:
    raise TargetError("the connection broke here")


def run_until(bench: Bench, *conditions: Callable[[], bool]) -> None:
    """Run a pipeline until all this is seen."""
    with bench.running():
        for condition in conditions:
            observed(condition)


def test_a_target_that_goes_back_into_the_middle_of_a_replay(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch is applied and not marked; while it is replayed, one change at a time, the target is backed up.

    The backup holds an old state under a new epoch, below a mark from before the replay: whoever believes that mark
    never applies what the backup lacks.
    """
    target, source = target_of(bench), bench.source
    run_until(bench, is_live(bench, 1))
    source.put("s1", item("a", 1))
    source.put("s1", item("a", 2))
    with armed(failpoint.AFTER_APPLY, break_here):
        run_until(bench, lambda: state_of_a(target) == b"2")
    backups: list[Contents] = []

    def back_up() -> None:
        if state_of_a(target) == b"1":
            backups.append(target.snapshot())

    source.page_size = 1
    monkeypatch.setattr(queue, "BATCH_CHANGES", 1)
    with armed(failpoint.AFTER_APPLY, back_up):
        run_until(bench, lambda: bool(backups), is_equal(bench))
    target.go_back(backups[0])
    run_until(bench, is_equal(bench))


def test_a_target_that_goes_back_to_before_a_switch(bench: Bench) -> None:
    """The store knows the second generation as live, and the target serves the first one again."""
    target = target_of(bench)
    run_until(bench, is_live(bench, 1), is_equal(bench))
    changed = replace(bench, fingerprints={"donations": "2"})
    backups: list[Contents] = []
    with armed(failpoint.BEFORE_SERVE, lambda: backups.append(target.snapshot())):
        run_until(changed, is_live(bench, 2))
    target.go_back(backups[0])
    bench.source.put("s1", item("new", 1))
    run_until(changed, is_equal(changed))


def test_a_generation_that_could_not_be_dropped_at_once_is_dropped_later(bench: Bench) -> None:
    target = target_of(bench)
    run_until(bench, is_live(bench, 1), is_equal(bench))
    changed = replace(bench, fingerprints={"donations": "2"})
    target.fail_next(on="drop")
    run_until(changed, is_live(bench, 2))
    run_until(changed, is_equal(changed), lambda: target.recall("Donations").generations == {SECOND})
