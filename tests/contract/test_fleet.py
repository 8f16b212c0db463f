"""The contract of `Fleet`: who is there and what changed shows in one pulse, and leases go from hand to hand."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Protocol

import pytest

from dynalens.errors import StaleLeaseError
from dynalens.partition import Partition
from dynalens.position import Copy, Fleet, PositionStore, Pulse
from dynalens.position.sqlite import SqliteStore
from dynalens.request import Request, RequestStore
from tests.contract.stores import opener
from tests.contract.together import together

TABLE, OTHER_TABLE = "Donations", "People"
SHARDS = [Partition(f"shardId-{number}") for number in range(3)]
COPY = Copy("donations", "sql", 1, "building", "f00d", "stream-1", "s1", 4, consistent=True, started_at=1.5)


class Store(Fleet, PositionStore, RequestStore, Protocol):
    """Leases belong to both: workers take them, and positions rest on them."""


@pytest.fixture(params=["memory", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store."""
    opened = opener(request, request.param)()
    assert not isinstance(opened, SqliteStore), "one process alone works on a local file"
    yield opened
    opened.close()


def test_a_new_store_has_no_workers_and_nothing_changed(store: Store) -> None:
    assert store.pulse() == Pulse({}, {}, {})
    assert store.leases(TABLE) == {}


def test_each_beat_of_a_worker_shows(store: Store) -> None:
    seen = []
    for _ in range(3):
        store.beat("w1")
        seen.append(store.pulse().beats["w1"])
    store.beat("w2")
    assert len(set(seen)) == 3
    assert store.pulse().beats["w1"] == seen[-1]
    assert set(store.pulse().beats) == {"w1", "w2"}


def test_a_worker_that_left_is_gone(store: Store) -> None:
    store.beat("w1")
    store.beat("w2")
    store.leave("w1")
    store.leave("w3")
    assert set(store.pulse().beats) == {"w2"}


def test_leases_are_listed_with_their_owners(store: Store) -> None:
    for shard, owner in zip(SHARDS, ("w1", "w2", "w1"), strict=True):
        store.acquire(TABLE, shard, owner)
    assert store.leases(TABLE) == {"shardId-0": "w1", "shardId-1": "w2", "shardId-2": "w1"}
    assert store.leases(OTHER_TABLE) == {}


def test_leases_are_given_back_as_far_as_they_are_held(store: Store) -> None:
    for shard, owner in zip(SHARDS, ("w1", "w2", "w1"), strict=True):
        store.acquire(TABLE, shard, owner)
    store.release(TABLE, ["shardId-0", "shardId-1", "shardId-9"], "w1")
    assert store.leases(TABLE) == {"shardId-0": "", "shardId-1": "w2", "shardId-2": "w1"}
    with pytest.raises(StaleLeaseError):
        store.draw(TABLE, "shardId-0", "sql", owner="w1", remembered=0)
    store.acquire(TABLE, SHARDS[0], "w2", over="")
    store.draw(TABLE, "shardId-0", "sql", owner="w2", remembered=0)


def test_many_leases_are_given_back(store: Store) -> None:
    shards = [Partition(f"shardId-{number:03}") for number in range(120)]
    for shard in shards:
        store.acquire(TABLE, shard, "w1")
    store.release(TABLE, [shard.id for shard in shards], "w1")
    assert set(store.leases(TABLE).values()) == {""}


def test_a_lease_that_changes_hands_shows_in_the_pulse_of_its_table(store: Store) -> None:
    seen = [0]

    def rose() -> bool:
        seen.append(store.pulse().lease_changes.get(TABLE, 0))
        return seen[-1] > seen[-2]

    store.acquire(TABLE, SHARDS[0], "w1")
    assert rose()
    store.acquire(TABLE, SHARDS[0], "w2", over="w1")
    assert rose()
    store.release(TABLE, ["shardId-0"], "w2")
    assert rose()
    store.acquire(OTHER_TABLE, SHARDS[0], "w1")
    with pytest.raises(StaleLeaseError):
        store.acquire(TABLE, SHARDS[0], "w1", over="w2")
    store.release(TABLE, ["shardId-0"], "w2")
    store.release(TABLE, [], "w2")
    assert not rose()


def test_the_pulse_tells_revisions(store: Store) -> None:
    store.record(TABLE, "sql", [COPY])
    store.ask(Request(table=OTHER_TABLE, collection="people", target="sql", kind="verify"))
    assert store.pulse().revisions == {TABLE: store.revision(TABLE), OTHER_TABLE: store.revision(OTHER_TABLE)}


def test_a_lease_is_taken_or_given_back_and_never_both(store: Store) -> None:
    for _ in range(10):
        store.acquire(TABLE, SHARDS[0], "w1")
        taken: list[str] = []

        def take(taken: list[str] = taken) -> None:
            try:
                store.acquire(TABLE, SHARDS[0], "w2", over="w1")
                taken.append("w2")
            except StaleLeaseError:
                taken.append("")

        together(take, partial(store.release, TABLE, [SHARDS[0].id], "w1"))
        assert [store.leases(TABLE)["shardId-0"]] == taken


def test_leases_of_partitions_that_every_target_forgot_are_gone(store: Store) -> None:
    for target in ("sql", "search"):
        store.acquire(TABLE, SHARDS[0], "w1")
        store.draw(TABLE, SHARDS[0].id, target, owner="w1", remembered=0)
    store.acquire(TABLE, SHARDS[1], "w1")
    store.forget(TABLE, "sql", [SHARDS[0].id])
    assert store.leases(TABLE) == {"shardId-0": "w1", "shardId-1": "w1"}
    store.forget(TABLE, "search", [SHARDS[0].id])
    assert store.leases(TABLE) == {"shardId-1": "w1"}
