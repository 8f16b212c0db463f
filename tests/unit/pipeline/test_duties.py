"""What the worker that leads clears away between batches, and what it must not."""

from __future__ import annotations

import math
from dataclasses import replace

from dynalens.target import TOMBSTONE_RETENTION_SECONDS
from tests.contract.memory_store import Held
from tests.stepped import TABLE, Shared, Stepped, begun, settle


def clear_away(worker: Stepped) -> None:
    """Let a worker do what it does once an hour."""
    worker.lane._duties._swept_at = -math.inf
    worker.step()


def test_dropped_generations_are_forgotten_and_their_numbers_not_given_again(shared: Shared) -> None:
    worker = begun(shared)
    for _ in range(3):
        shared.ask("rebuild")
        settle(worker)
    assert shared.copies() == {1: "dropped", 2: "dropped", 3: "kept", 4: "live"}
    clear_away(worker)
    assert len(shared.copies()) == 4
    for copy in shared.store.copies(TABLE, "sql"):
        shared.store.save_copy(TABLE, replace(copy, started_at=copy.started_at - TOMBSTONE_RETENTION_SECONDS), was=copy)
    clear_away(worker)
    assert shared.copies() == {3: "kept", 4: "live"}
    shared.ask("rebuild")
    settle(worker)
    assert shared.copies() == {3: "dropped", 4: "kept", 5: "live"}
    assert shared.is_equal()


def test_marks_of_shards_that_are_gone_and_of_scans_from_before_are_forgotten(shared: Shared) -> None:
    worker = begun(shared)
    shared.source.end("s1")
    shared.source.add_shard("s3", parents=["s1"])
    shared.ask("rebuild")
    worker.discover()
    settle(worker)
    shared.ask("rebuild")
    settle(worker)
    assert shared.copies() == {1: "dropped", 2: "kept", 3: "live"}
    shared.source.remove_shard("s1")
    worker.discover()
    needed = {"s2", "s3", *(f"scan-{shared.copy(number).scan}-0" for number in (2, 3))}
    clear_away(worker)
    assert marked(shared) == needed | {"s1", f"scan-{shared.copy(1).scan}-0"}
    clear_away(worker)
    assert marked(shared) == needed
    settle(worker.attach())
    shared.put("s3", "a")
    settle(worker)
    assert shared.gaps() == []
    assert shared.copies() == {1: "dropped", 2: "kept", 3: "live"}
    assert shared.is_equal()


def test_the_mark_of_a_shard_that_was_not_listed_for_a_while_is_kept(shared: Shared) -> None:
    worker = begun(shared)
    shared.source.end("s1")
    shared.source.add_shard("s3", parents=["s1"])
    worker.discover()
    settle(worker)
    listed = shared.source.discover()
    for seen in ([shard for shard in listed if shard.id != "s1"], listed, listed):
        worker.pipeline._shards = seen
        clear_away(worker)
    assert "s1" in marked(shared)


def test_the_last_marks_are_kept(shared: Shared) -> None:
    """Without them, and with a store that was lost, nobody could tell that the table was not read for too long."""
    worker = begun(shared)
    for shard in ("s1", "s2"):
        shared.source.end(shard)
    settle(worker)
    worker.pipeline._shards = []
    for _ in range(3):
        clear_away(worker)
    assert {"s1", "s2"} <= marked(shared)


def test_marks_that_only_a_lost_store_spoke_of_are_kept(shared: Shared) -> None:
    """Its generations are recorded again when the worker attaches, and their scans have to be whole then."""
    worker = begun(shared)
    before = marked(shared)
    shared.store.restore(Held())
    for _ in range(3):
        clear_away(worker)
    assert marked(shared) == before
    settle(worker.attach())
    assert shared.gaps() == []
    assert shared.copies() == {1: "live"}


def test_a_store_from_before_marks_were_forgotten_finds_nothing_lost(shared: Shared) -> None:
    worker = begun(shared)
    shared.source.end("s1")
    shared.source.add_shard("s3", parents=["s1"])
    worker.discover()
    settle(worker)
    backup = shared.store.backup()
    shared.source.remove_shard("s1")
    worker.discover()
    for _ in range(2):
        clear_away(worker)
    assert "s1" not in marked(shared)
    shared.store.restore(backup)
    settle(worker.attach())
    assert shared.gaps() == []
    assert shared.copies() == {1: "live"}


def test_how_far_a_scan_was_that_was_given_up_is_forgotten(shared: Shared) -> None:
    worker = begun(shared)
    shared.source.page_size = 1
    shared.ask("rebuild")
    for _ in range(3):
        worker.step()
    scan = f"scan-{shared.copy(2).scan}-0"
    assert scan in stored(shared)
    shared.source.trim("s1")
    shared.target.lose_marks()
    settle(worker.attach(), rounds=30)
    assert shared.copy(2).state == "dropped"
    for _ in range(2):
        clear_away(worker)
    assert scan not in stored(shared) | marked(shared)
    assert shared.is_equal()


def marked(shared: Shared) -> set[str]:
    return set(shared.target.recall(TABLE).marks)


def stored(shared: Shared) -> set[str]:
    return {state.partition.id for state in shared.store.partitions(TABLE)}
