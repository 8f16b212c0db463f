"""Verifications asked of a running pipeline: what differs is found, and written anew where somebody asked for it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from dynalens.change import Change
from dynalens.partition import START
from dynalens.position.sqlite import SqliteStore
from dynalens.request import Request
from dynalens.target import Generation, Write, version
from dynalens.testing.memory import MemorySource, MemoryTarget
from tests.pipelines import Bench, MemoryTable
from tests.waiting import observed

FIRST = Generation("donations", 1)


@pytest.fixture
def source(source: MemorySource) -> MemorySource:
    """Thirty items beside the shard."""
    for number in range(30):
        source.preload({"id": {"S": f"item-{number}"}, "n": {"N": str(number)}})
    return source


def asked(store: SqliteStore, kind: str = "verify", **options: object) -> Callable[[], Request | None]:
    """Ask, and give what tells how it ended."""
    request = store.ask(
        Request(table="Donations", collection="donations", target="sql", kind=kind, options=json.dumps(options))  # type: ignore[arg-type] # of the kinds that there are
    )

    def ended() -> Request | None:
        found = store.request(request.number)
        return found if found is not None and found.state in {"done", "failed"} else None

    return ended


def outcome(request: Request | None) -> dict[str, Any]:
    assert request is not None
    assert request.state == "done", request.error
    found: dict[str, Any] = json.loads(request.outcome)
    return found


def is_live(store: SqliteStore) -> bool:
    return [copy.state for copy in store.copies("Donations", "sql")] == ["live"]


def spoil(target: MemoryTarget, source: MemorySource) -> None:
    """Let the target lose a document, keep an old one, and hold one that never was; no version tells."""
    rows = target.rows(FIRST)
    change = next(batch.changes for batch in [source.scan("x").open(source.scan("x").discover()[0], START).read()])[0]
    other = rows["item-2"].document
    target.apply(
        [
            Write(FIRST, "item-1", version(5, 0), None, change),
            Write(FIRST, "item-3", version(5, 1), other, change),
            Write(FIRST, "never", version(5, 2), other, change),
        ]
    )


def test_what_differs_is_found_with_examples_and_left_as_it_is(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    with bench.running():
        observed(lambda: is_live(store))
        spoil(target, source)
        found = outcome(observed(asked(store)))
    assert (found["lost"], found["stale"], found["extra"]) == (
        {"count": 1, "examples": ["item-1"]},
        {"count": 1, "examples": ["item-3"]},
        {"count": 1, "examples": ["never"]},
    )
    assert (found["complete"], found["repaired"]) == (True, 0)
    assert target.documents("donations") != source.documents()


def test_what_differs_is_repaired_above_what_was_under_way_and_below_what_comes(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    with bench.running():
        observed(lambda: is_live(store))
        spoil(target, source)
        before = store.counter("Donations")
        found = outcome(observed(asked(store, repair=True)))
        assert found["repaired"] == 3
        assert target.documents("donations") == source.documents()
        repaired = {target.rows(FIRST)[id_].version >> 32 for id_ in ("item-1", "item-3", "never")}
        assert len(repaired) == 1
        assert (
            before
            < repaired.pop()
            < min(state.epoch for state in store.partitions("Donations") if state.partition.kind == "shard")
        )
        source.put("s1", {"id": {"S": "item-1"}, "n": {"N": "-1"}})
        source.put("s1", {"id": {"S": "never"}, "n": {"N": "-1"}})
        observed(lambda: target.documents("donations") == source.documents())


def test_a_copy_that_is_right_is_found_to_be_right_while_it_changes(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    with bench.running():
        observed(lambda: is_live(store))
        ended = asked(store)
        for number in range(200):
            source.put("s1", {"id": {"S": f"item-{number % 40}"}, "n": {"N": str(1000 + number)}})
        found = outcome(observed(ended))
        observed(lambda: target.documents("donations") == source.documents())
    assert [found[kind]["count"] for kind in ("lost", "stale", "extra")] == [0, 0, 0]


def test_what_was_asked_while_another_one_ran_is_begun_after_it(
    bench: Bench, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate, pages = threading.Event(), MemoryTable.pages

    def held(self: MemoryTable) -> Iterator[Sequence[Change]]:
        gate.wait(30)
        return pages(self)

    monkeypatch.setattr(MemoryTable, "pages", held)
    with bench.running() as pipeline:
        observed(lambda: is_live(store))
        first, second = asked(store), asked(store)
        revision = store.revision("Donations")
        duties = pipeline._lanes["sql"]._duties
        # It has looked at both requests, and only one of them was begun.
        observed(lambda: duties._answered is not None and duties._answered[1] == revision)
        gate.set()
        observed(first)
        observed(second)
    assert store.revision("Donations") == revision


def test_nothing_can_be_compared_before_the_first_copy_is_complete(bench: Bench, store: SqliteStore) -> None:
    request = Request(table="Donations", collection="others", target="sql", kind="verify")
    number = store.ask(request).number

    def failed() -> str:
        found = store.request(number)
        return found.error if found is not None and found.state == "failed" else ""

    with bench.running():
        assert "no complete copy" in observed(failed)
