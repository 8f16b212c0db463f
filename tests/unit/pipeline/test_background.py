"""Verifications that nobody asked for: when they are asked for, and that they mend what differs by themselves."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from dynalens import clock
from dynalens.change import Change
from dynalens.pipeline import Background, background
from dynalens.pipeline.background import Schedule
from dynalens.position.sqlite import SqliteStore
from dynalens.request import Request, RequestState
from dynalens.target import Generation, Write, version
from dynalens.testing.clock import shifted
from dynalens.testing.memory import MemorySource, MemoryTarget
from tests.pipelines import Bench, MemoryTable
from tests.waiting import observed

HOW = Background(
    every_seconds=86_400.0, rate=5.0, repair=True, collections={"sql": ["donations", "users"], "metrics": ["users"]}
)
HOUR = 3600.0


class Scheduled:
    """A schedule that looks as often as it is asked, and what it asked for."""

    def __init__(self, store: SqliteStore, target: str = "sql", how: Background | None = HOW) -> None:
        self.store = store
        self.served = {"donations", "users"}
        self._schedule = Schedule(
            how, table="T", target=target, requests=store, is_served=lambda name: name in self.served
        )

    def asked(self) -> list[str]:
        """Let it look; give the collections that it asked for."""
        before = {request.number for request in self.store.requests("T")}
        self._schedule.ask()
        return [request.collection for request in self.store.requests("T") if request.number not in before]

    def end(self, state: RequestState = "done") -> None:
        """End all that was asked for."""
        for request in self.store.requests("T"):
            if not request.has_ended:
                self.store.save_request(replace(request, state=state, changed_at=clock.now()))


@pytest.fixture
def scheduled(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> Scheduled:
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.0)
    return Scheduled(store)


def test_each_collection_is_compared_whole_one_after_the_other(scheduled: Scheduled) -> None:
    assert scheduled.asked() == ["donations"]
    [request] = scheduled.store.requests("T")
    assert (request.kind, request.target, request.state) == ("verify", "sql", "waiting")
    assert json.loads(request.options) == {"sample": 1.0, "rate": 5.0, "repair": True, "background": True}
    assert scheduled.asked() == [], "one waits"
    scheduled.store.save_request(replace(request, state="running"))
    assert scheduled.asked() == [], "one runs"
    scheduled.end()
    assert scheduled.asked() == ["users"]
    scheduled.end()
    assert scheduled.asked() == []


def test_a_collection_is_compared_again_some_time_after_it_was(scheduled: Scheduled) -> None:
    scheduled.served = {"donations"}
    assert scheduled.asked() == ["donations"]
    with shifted(HOUR):
        scheduled.end()
    with shifted(24 * HOUR):
        assert scheduled.asked() == []
    with shifted(26 * HOUR):
        assert scheduled.asked() == ["donations"]


def test_the_one_that_has_been_due_for_longest_comes_first(scheduled: Scheduled) -> None:
    for name, hours in (("users", 0.0), ("donations", 1.0)):
        scheduled.served = {name}
        with shifted(hours * HOUR):
            assert scheduled.asked() == [name]
            scheduled.end()
    scheduled.served = {"donations", "users"}
    with shifted(30 * HOUR):
        assert scheduled.asked() == ["users"]


def test_one_that_failed_is_tried_again_after_an_hour_and_no_earlier(scheduled: Scheduled) -> None:
    scheduled.served = {"donations"}
    assert scheduled.asked() == ["donations"]
    scheduled.end("failed")
    with shifted(0.9 * HOUR):
        assert scheduled.asked() == []
    with shifted(1.1 * HOUR):
        assert scheduled.asked() == ["donations"]


def test_one_that_failed_is_not_tried_later_than_it_is_due(store: SqliteStore, scheduled: Scheduled) -> None:
    often = Scheduled(store, how=replace(HOW, every_seconds=60.0))
    often.served = scheduled.served = {"donations"}
    assert often.asked() == ["donations"]
    often.end("failed")
    assert often.asked() == []
    with shifted(70.0):
        assert often.asked() == ["donations"]


def test_what_somebody_asked_for_counts_once_it_compares_everything(scheduled: Scheduled) -> None:
    scheduled.served = {"donations"}
    request = Request(table="T", collection="donations", target="sql", kind="verify", options='{"sample": 0.1}')
    scheduled.store.ask(request)
    assert scheduled.asked() == [], "it waits"
    scheduled.end()
    assert scheduled.asked() == ["donations"]
    scheduled.store.ask(replace(request, options="{}"))
    scheduled.end()
    with shifted(23 * HOUR):
        assert scheduled.asked() == []


def test_what_was_asked_of_another_target_or_was_no_verification_does_not_count(scheduled: Scheduled) -> None:
    scheduled.served = {"donations"}
    request = Request(table="T", collection="donations", target="sql", kind="rebuild")
    scheduled.store.ask(request)
    scheduled.store.ask(replace(request, target="search", kind="verify"))
    assert scheduled.asked() == ["donations"]


def test_what_is_not_served_or_not_to_be_compared_is_left_alone(store: SqliteStore, scheduled: Scheduled) -> None:
    scheduled.served = set()
    assert scheduled.asked() == []
    assert Scheduled(store, target="search").asked() == []
    assert Scheduled(store, how=None).asked() == []
    assert Scheduled(store, target="metrics").asked() == ["users"]


def test_the_store_is_asked_once_a_minute(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    requests = store.requests

    def counted(table: str) -> list[Request]:
        asked.append(table)
        return requests(table)

    monkeypatch.setattr(store, "requests", counted)
    schedule = Schedule(HOW, table="T", target="sql", requests=store, is_served=lambda _name: True)
    for _ in range(3):
        schedule.ask()
    assert asked == ["T"]


# In a running pipeline.

FIRST = Generation("donations", 1)


@pytest.fixture
def source(source: MemorySource) -> MemorySource:
    """Thirty items beside the shard."""
    for number in range(30):
        source.preload({"id": {"S": f"item-{number}"}, "n": {"N": str(number)}})
    return source


def lose_a_document(target: MemoryTarget, source: MemorySource) -> None:
    change = Change(table=source.table, id="item-1", key={"id": {"S": "item-1"}}, kind="remove", new=None, size=0)
    target.apply([Write(FIRST, "item-1", version(5, 0), None, change)])


def test_what_differs_is_mended_though_nobody_asks(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.0)
    often = Background(every_seconds=1.0, rate=1e6, repair=True, collections={"sql": ["donations"]})
    with replace(bench, background=often).running():
        observed(lambda: any(request.state == "done" for request in store.requests("Donations")))
        lose_a_document(target, source)
        assert target.documents("donations") != source.documents()
        observed(lambda: target.documents("donations") == source.documents())

        def repaired() -> list[Request]:
            done = [request for request in store.requests("Donations") if request.state == "done"]
            return [request for request in done if json.loads(request.outcome)["repaired"] == 1]

        [request] = observed(repaired)
    assert json.loads(request.outcome)["lost"] == {"count": 1, "examples": ["item-1"]}
    assert json.loads(request.outcome)["generation"] == 1


def test_one_that_runs_gives_way_to_what_somebody_waits_for_and_is_begun_again(
    bench: Bench, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, pages = threading.Event(), MemoryTable.pages

    def endless(self: MemoryTable) -> Iterator[Sequence[Change]]:
        begun.set()
        while True:
            yield from pages(self)

    monkeypatch.setattr(background, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(MemoryTable, "pages", endless)
    once = Background(every_seconds=86_400.0, rate=1e6, repair=False, collections={"sql": ["donations"]})
    with replace(bench, background=once).running():
        observed(begun.is_set)
        monkeypatch.setattr(MemoryTable, "pages", pages)
        asked = store.ask(Request(table="Donations", collection="donations", target="sql", kind="verify"))

        def both_ended() -> list[Request]:
            done = [request for request in store.requests("Donations") if request.state == "done"]
            return done if len(done) == 2 else []

        both = observed(both_ended)
    assert min(both, key=lambda request: request.changed_at).number == asked.number
