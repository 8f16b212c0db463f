"""What workers that share a table record, feed and read on from, one step at a time."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynalens import failpoint
from dynalens.errors import TargetError
from dynalens.pipeline import progress
from dynalens.pipeline.attachment import DetachedError
from dynalens.testing.failpoints import armed
from tests.contract.memory_store import Held
from tests.stepped import HandedOut, Shared, Stepped, settle


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
    """Two shards with a change each, beside an item from before."""
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    made = Shared(tmp_path)
    made.source.preload({"id": {"S": "old"}})
    for shard in ("s1", "s2"):
        made.source.add_shard(shard)
        made.put(shard, f"of-{shard}")
    return made


def begun(shared: Shared, **leases: object) -> Stepped:
    """Make a worker whose first copy is complete."""
    worker = shared.worker(**leases).attach()
    settle(worker)
    assert shared.is_equal()
    assert shared.copies() == {1: "live"}
    return worker


def loses(shared: Shared, *shards: str) -> None:
    """Lose changes of shards, and leave one behind them."""
    for shard in shards:
        shared.put(shard, f"lost-{shard}")
        shared.source.trim(shard)
        shared.put(shard, f"after-{shard}")


# What is read on from.


def test_nothing_is_replayed_when_the_store_is_lost_while_a_worker_runs(shared: Shared) -> None:
    worker = begun(shared)
    written = sum(shared.target.written.values())
    shared.store.restore(Held())
    shared.put("s1", "new")
    settle(worker)
    assert shared.is_equal()
    assert sum(shared.target.written.values()) == written + 1
    assert (shared.copies(), shared.gaps()) == ({1: "live"}, [])


def test_nothing_is_replayed_when_the_store_goes_back_to_earlier_in_the_same_session(shared: Shared) -> None:
    worker = begun(shared)
    shared.put("s1", "a", 1)
    worker.work()
    backup = shared.store.backup()
    for n in (2, 3):
        shared.put("s1", "a", n)
        worker.work()
    shared.store.restore(backup)
    settle(worker.attach())
    assert shared.is_equal()
    assert shared.target.written["a"] == 3


def test_a_batch_that_was_marked_and_not_committed_is_not_replayed(shared: Shared) -> None:
    worker = begun(shared)
    shared.put("s1", "a", 1)
    with armed(failpoint.AFTER_MARK, break_here), pytest.raises(TargetError):
        worker.work()
    settle(worker.attach())
    assert shared.target.written["a"] == 1


def test_a_batch_that_was_applied_and_not_marked_is_replayed(shared: Shared) -> None:
    worker = begun(shared)
    shared.put("s1", "a", 1)
    with armed(failpoint.AFTER_APPLY, break_here), pytest.raises(TargetError):
        worker.work()
    settle(worker.attach())
    assert shared.target.written["a"] == 2


def test_a_store_from_before_a_rebuild_does_not_bring_the_dropped_generation_back(shared: Shared) -> None:
    worker = begun(shared)
    backup = shared.store.backup()
    shared.ask("rebuild")
    settle(worker)
    shared.ask("release")
    settle(worker)
    assert shared.copies() == {1: "dropped", 2: "live"}
    shared.store.restore(backup)
    worker.attach()
    assert shared.is_equal()
    assert shared.copies() == {1: "dropped", 2: "live"}


def test_a_store_that_knows_less_than_the_target_is_a_gap_to_a_new_worker(shared: Shared) -> None:
    """Nobody knows any more what was recorded about the generation that is served."""
    worker = begun(shared)
    backup = shared.store.backup()
    shared.ask("rebuild")
    settle(worker)
    shared.store.restore(backup)
    anew = shared.worker("w1").attach()
    assert shared.gaps() == ["stream-1"]
    settle(anew)
    assert shared.is_equal()
    assert (shared.copies()[3], shared.gaps()) == ("live", [])


# Losses.


def test_a_gap_recorded_by_a_worker_that_does_not_lead_is_answered_by_the_one_that_does(shared: Shared) -> None:
    leader = begun(shared)
    leader.leases.held = {"s1"} | {state.partition.id for state in shared.store.partitions("Donations")} - {"s2"}
    leader.attach()
    other = shared.worker("w1", held={"s2"}, leading=False).attach()
    loses(shared, "s2")
    other.step()
    assert shared.gaps() == ["s2"]
    assert shared.copies() == {1: "live"}
    leader.leases.held = None
    other.leases.held = set()
    settle(leader)
    assert shared.is_equal()
    assert (shared.copies(), shared.gaps()) == ({1: "dropped", 2: "live"}, [])


def test_several_losses_at_once_are_answered_by_one_generation(shared: Shared) -> None:
    worker = begun(shared)
    loses(shared, "s1", "s2")
    shared.target.lose_marks()
    settle(worker.attach())
    assert shared.is_equal()
    assert shared.gaps() == []
    assert [number for number, state in shared.copies().items() if state != "dropped"] == [max(shared.copies())]


def test_old_states_are_not_replayed_into_a_target_that_lost_its_marks(shared: Shared) -> None:
    worker = begun(shared)
    shared.put("s1", "a", 1)
    worker.work()
    shared.target.lose_marks()
    settle(worker.attach())
    assert shared.target.written["of-s1"] == 3, "the first change, the scan before it, and the scan of the repair"


def test_a_loss_cancels_a_backfill_that_is_under_way(shared: Shared) -> None:
    worker = begun(shared)
    shared.ask("rebuild")
    settle(worker, rounds=1)
    assert shared.copies() == {1: "live", 2: "building"}
    loses(shared, "s1")
    settle(worker)
    assert shared.is_equal()
    assert (shared.copies(), shared.gaps()) == ({1: "dropped", 2: "dropped", 3: "live"}, [])


def test_where_repairs_are_asked_for_a_gap_stays_until_somebody_asks(shared: Shared) -> None:
    begun(shared)
    loses(shared, "s1")
    worker = Stepped(shared, HandedOut("w1", shared.store), repairs=False).attach()
    settle(worker)
    assert (shared.copies(), shared.gaps()) == ({1: "live"}, ["s1"])
    shared.ask("rebuild")
    settle(worker)
    assert shared.is_equal()
    assert shared.gaps() == []
    assert shared.copies() == {1: "dropped", 2: "live"}, "one with a gap is nothing to switch back to"


def test_a_part_of_a_complete_scan_that_the_target_lost_is_a_gap(shared: Shared) -> None:
    shared.source.page_size = 1
    worker = shared.worker(alone=True).attach()
    worker.work()
    early = shared.target.snapshot()
    settle(worker)
    shared.target.go_back(early)
    settle(worker.attach())
    assert shared.is_equal()
    assert max(shared.copies()) > 1


# Generations.


def test_a_kept_generation_is_fed_and_readers_can_be_switched_back(shared: Shared) -> None:
    worker = begun(shared)
    shared.ask("rebuild")
    settle(worker)
    assert shared.copies() == {1: "kept", 2: "live"}
    shared.put("s1", "new")
    settle(worker)
    shared.ask("back")
    settle(worker)
    assert shared.copies() == {1: "live", 2: "kept"}
    assert shared.is_equal()
    shared.ask("release")
    settle(worker)
    assert shared.copies() == {1: "live", 2: "dropped"}
    assert [generation.number for generation in shared.target.recall("Donations").generations] == [1]


def test_a_scan_waits_until_every_worker_has_drawn_under_the_new_list(shared: Shared) -> None:
    leader = begun(shared)
    leader.leases.held = {"s1"}
    other = shared.worker("w1", held={"s2"}, leading=False).attach()
    shared.ask("rebuild")
    leader.leases.held = {"s1"} | {f"scan-{shared.copy(1).scan}-0"}
    settle(leader)
    assert not leader.attachment.segments, "the other one knows only the first generation"
    shared.put("s2", "between")
    other.work()
    settle(other)
    leader.leases.held = None
    other.leases.held = set()
    settle(leader)
    assert shared.is_equal()
    assert shared.copies() == {1: "kept", 2: "live"}


def test_a_scan_waits_for_a_shard_that_only_another_worker_lists(shared: Shared) -> None:
    leader = begun(shared)
    shared.source.end("s2")
    child = shared.source.add_shard("s3", parents=["s2"])
    other = shared.worker("w1", held={"s2", "s3"}, leading=False).attach()
    settle(other, rounds=3)
    leader.leases.held = {"s1"}
    shared.ask("rebuild")
    settle(leader, rounds=3)
    assert not leader.attachment.segments
    assert shared.gaps() == []
    assert child.id in {state.partition.id for state in shared.store.partitions("Donations")}


def test_whoever_captures_an_older_stream_feeds_nothing(shared: Shared) -> None:
    begun(shared)
    settle(Stepped(shared, HandedOut("w1", shared.store), stream="stream-2").attach())
    assert shared.copy(2).stream == "stream-2"
    with pytest.raises(DetachedError, match="another stream"):
        shared.worker("w0", leading=False).attach()


def break_here() -> None:
    raise TargetError("the connection broke here")
