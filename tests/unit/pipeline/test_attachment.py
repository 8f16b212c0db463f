"""What workers that share a table record, feed and read on from, one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from dynalens import failpoint
from dynalens.errors import StaleLeaseError, StoreError, TargetError
from dynalens.partition import START
from dynalens.pipeline import attachment, progress
from dynalens.pipeline.generations import DetachedError
from dynalens.pipeline.lead import Lead
from dynalens.position import Copy
from dynalens.position.sqlite import SqliteStore
from dynalens.target import Generation, Mark
from dynalens.testing.failpoints import armed, at_hit
from dynalens.testing.memory import MemoryTarget
from tests.contract.memory_store import Held
from tests.stepped import TABLE, HandedOut, Shared, Stepped, begun, settle


def scanned(worker: Stepped, *, rows: int) -> None:
    """Let a worker go on until the scan of a new generation has begun, and so many of its rows are applied."""
    for _ in range(9):
        fills = worker.attachment.generations.building() and worker.attachment.has_begun()
        if not fills or worker.attachment.scans.rows() < rows:
            worker.step()


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


def times_written(shared: Shared, *, broken_at: str) -> int:
    """Break the work on a change at a named moment; say how often it has been written when all is well again."""
    worker = begun(shared)
    shared.put("s1", "a", 1)
    with armed(broken_at, break_here), pytest.raises(TargetError):
        worker.work()
    settle(worker.attach())
    return shared.target.written["a"]


def test_a_generation_in_a_store_that_counts_its_revisions_anew_is_heard_of(shared: Shared) -> None:
    leader = begun(shared)
    leader.leases.held = {"s1"}
    other = shared.worker("w1", held={"s2"}, leading=False).attach()
    for _ in range(20):
        shared.store.save_copy("Donations", shared.copy(1), was=shared.copy(1))
    other.step()
    shared.store.restore(Held())
    leader.attach()
    shared.ask("rebuild")
    settle(leader, rounds=3)
    other.step()
    assert {fed.copy.number for fed in other.attachment.generations.fed.values()} == {1, 2}


def test_whoever_reads_an_emptied_store_goes_on_feeding_what_it_fed(shared: Shared) -> None:
    """Its revision is another one, which is heard of: no change may be read without a generation to go to."""
    worker = begun(shared)
    shared.store.restore(Held())
    with pytest.raises(DetachedError, match="has forgotten a generation"):
        worker.lane._tend()
    assert [copy.number for copy in worker.attachment.generations.copies()] == [1]
    worker.attach()
    shared.put("s1", "new")
    settle(worker)
    assert shared.is_equal()
    assert (shared.copies(), shared.gaps()) == ({1: "live"}, [])


def test_whoever_attaches_while_the_store_is_emptied_begins_again(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has reminded the store already: what it reads now would go to no generation."""
    worker = begun(shared)
    worker.leases.leading = False
    empty = at_hit(1, lambda: shared.store.restore(Held()))
    with monkeypatch.context() as patched:
        patched.setattr(shared.target, "recall", partial(_call, empty, shared.target.recall))
        with pytest.raises(DetachedError, match="emptied"):
            worker.attach()
    worker.leases.leading = True
    shared.put("s1", "new")
    settle(worker.attach())
    assert shared.is_equal()
    assert (shared.copies(), shared.gaps()) == ({1: "live"}, [])


def test_a_batch_that_was_marked_and_not_committed_is_not_replayed(shared: Shared) -> None:
    assert times_written(shared, broken_at=failpoint.AFTER_MARK) == 1


def test_a_batch_that_was_applied_and_not_marked_is_replayed(shared: Shared) -> None:
    assert times_written(shared, broken_at=failpoint.AFTER_APPLY) == 2


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


def test_what_was_marked_before_the_draw_is_not_replayed(shared: Shared) -> None:
    """The holder before goes on until the next one draws, and dies between its mark and its commit."""
    first = begun(shared)
    second = shared.worker("w1")
    shared.put("s1", "a", 1)

    def mark_and_die() -> None:
        if not shared.target.written["a"]:
            with armed(failpoint.AFTER_MARK, break_here), pytest.raises(TargetError):
                first.work()

    with armed(failpoint.BEFORE_DRAW, mark_and_die):
        second.attach()
    settle(second)
    assert shared.is_equal()
    assert shared.target.written["a"] == 1


def test_whoever_lost_a_partition_cannot_mark_it_in_the_middle_of_a_replay(shared: Shared) -> None:
    first, second = begun(shared), shared.worker("w1")
    shared.put("s1", "a", 1)

    def take_over() -> None:
        second.attach()

    with armed(failpoint.AFTER_APPLY, take_over), pytest.raises(StaleLeaseError):
        first.work()
    cursor = second.attachment.reading.cursors["s1"]
    assert shared.target.recall("Donations").marks["s1"] == Mark(cursor.epoch, cursor.position)


@pytest.mark.parametrize("turn", range(8))
def test_whoever_was_succeeded_while_it_attached_brings_no_older_state_back(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, turn: int
) -> None:
    """Between two calls of its target, the holder before ends a batch, and the next one after it takes over."""
    first, second, third = begun(shared), shared.worker("w1"), shared.worker("w2")
    shared.source.page_size = 1
    shared.put("s1", "a", 1)
    shared.put("s1", "a", 2)

    def succeed() -> None:
        for _ in range(2):
            with suppress(StaleLeaseError):
                first.work()
        third.attach()

    with monkeypatch.context() as watching:
        watch_calls(shared.target, watching, at_hit(turn + 1, succeed))
        with suppress(StaleLeaseError):
            second.attach()
    with suppress(StaleLeaseError):
        second.work()
    settle(third)
    assert shared.is_equal()


def watch_calls(target: MemoryTarget, monkeypatch: pytest.MonkeyPatch, before: Callable[[], None]) -> None:
    """Do something before every call that a lane makes of its target."""
    for name in ("recall", "raise_epoch", "begin", "mark", "create", "serve", "apply"):
        called = getattr(target, name, None)
        if called is not None:
            monkeypatch.setattr(target, name, partial(_call, before, called))


def _call(before: Callable[[], None], called: Callable[..., object], *arguments: object) -> object:
    before()
    return called(*arguments)


def test_an_epoch_that_the_target_remembers_is_never_drawn_again(shared: Shared) -> None:
    begun(shared)
    remembered = shared.target.recall("Donations").epoch
    assert remembered == shared.store.counter("Donations")
    shared.store.restore(Held())
    shared.worker("w1").attach()
    assert min(state.epoch for state in shared.store.partitions("Donations")) > remembered


def test_nothing_is_committed_before_the_target_confirmed(shared: Shared) -> None:
    worker = begun(shared)
    shared.put("s1", "a", 1)
    before = (shared.store.partitions("Donations"), shared.target.recall("Donations").marks)
    shared.target.fail_next(on="apply")
    with pytest.raises(TargetError):
        worker.work()
    assert (shared.store.partitions("Donations"), shared.target.recall("Donations").marks) == before
    settle(worker.attach())
    assert shared.is_equal()


def test_a_child_waits_for_a_parent_that_another_worker_reads(shared: Shared) -> None:
    begun(shared)
    shared.put("s2", "a", 1)
    shared.source.end("s2")
    shared.source.add_shard("s3", parents=["s2"])
    shared.put("s3", "a", 2)
    parents = shared.worker("w1", held={"s2"}, leading=False).attach()
    children = shared.worker("w2", held={"s3"}, leading=False).attach()
    settle(children, rounds=2)
    assert "s3" not in children.attachment.reading.cursors
    settle(parents, children)
    assert shared.is_equal()


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


def begin_below_a_late_shard(shared: Shared) -> None:
    """Let a worker read a child while the list of shards does not show its parent; the next one's shows it."""
    shared.source.add_shard("late")
    shared.put("late", "a", 1)
    shared.source.end("late")
    shared.source.add_shard("child", parents=["late"])
    shared.put("child", "a", 2)
    worker = shared.worker()
    worker.pipeline._shards = [shard for shard in worker.pipeline.shards() if shard.id != "late"]
    settle(worker.attach())
    assert shared.is_equal()


def test_a_shard_listed_late_is_left_out_by_whoever_comes_after_the_one_that_died_over_it(shared: Shared) -> None:
    begin_below_a_late_shard(shared)
    shared.target.fail_next(on="mark")
    with pytest.raises(TargetError):
        shared.worker("w1").attach()
    settle(shared.worker("w1").attach())
    assert shared.is_equal()
    assert max(shared.copies()) > 1


def test_a_shard_listed_late_is_left_out_though_the_one_before_it_is_not_drained(shared: Shared) -> None:
    """Left out with it is the one before it: read now, it would bring back states that were replaced since."""
    worker = begun(shared)
    shared.put("s1", "a", 1)
    shared.source.end("s1")
    shared.source.add_shard("late", parents=["s1"])
    shared.put("late", "a", 2)
    shared.source.end("late")
    shared.source.add_shard("child", parents=["late"])
    worker.discover()
    worker.pipeline._shards = [shard for shard in worker.pipeline.shards() if shard.id != "late"]
    worker.attach()
    assert "child" in worker.attachment.reading.cursors
    shared.put("child", "a", 3)
    settle(shared.worker("w1").attach())
    assert shared.is_equal()
    assert (shared.copies(), shared.gaps()) == ({1: "dropped", 2: "live"}, [])


def test_a_shard_listed_late_is_left_out_though_the_store_has_forgotten_its_child(shared: Shared) -> None:
    begin_below_a_late_shard(shared)
    shared.store.restore(Held())
    settle(shared.worker("w1").attach())
    assert shared.is_equal()
    assert shared.gaps() == []


def test_a_shard_listed_late_is_left_out_though_the_store_has_forgotten_the_end_of_its_parent(shared: Shared) -> None:
    """Whoever was to say it again died over it: only the target knows that the parent is drained."""
    shared.source.end("s1")
    shared.source.add_shard("late", parents=["s1"])
    shared.put("late", "a", 1)
    shared.source.end("late")
    shared.source.add_shard("child", parents=["late"])
    shared.put("child", "a", 2)
    worker, second = shared.worker(), shared.worker("w1")
    for unaware in (worker, second):
        unaware.pipeline._shards = [shard for shard in unaware.pipeline.shards() if shard.id != "late"]
    settle(worker.attach())
    assert shared.is_equal()
    shared.store.restore(Held())
    with armed(failpoint.AFTER_DRAW, break_here), pytest.raises(TargetError):
        second.attach()
    settle(shared.worker("w2").attach())
    assert shared.is_equal()
    assert shared.gaps() == []


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


def test_a_target_that_lost_its_marks_and_takes_no_writes_is_told_once(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it lost is found at every attempt until it has been told: that must not begin a generation each time."""
    worker = begun(shared)
    shared.target.lose_marks()
    with monkeypatch.context() as refusing:
        for method in ("raise_epoch", "mark", "create", "serve", "drop", "apply"):
            refusing.setattr(shared.target, method, lambda *_: break_here())
        for _ in range(3):
            with pytest.raises(TargetError):
                worker.attach()
    settle(worker.attach())
    assert shared.is_equal()
    assert (shared.copies(), shared.gaps()) == ({1: "dropped", 2: "live"}, [])


def test_a_loss_cancels_a_backfill_that_is_under_way(shared: Shared) -> None:
    worker = begun(shared)
    shared.source.page_size = 1
    shared.ask("rebuild")
    scanned(worker, rows=1)
    assert shared.copies() == {1: "live", 2: "building"}
    loses(shared, "s1")
    settle(worker, rounds=30)
    assert shared.is_equal()
    assert (shared.copies(), shared.gaps()) == ({1: "dropped", 2: "dropped", 3: "live"}, [])


def test_a_generation_that_is_lost_while_its_scan_is_under_way_is_built_anew(shared: Shared) -> None:
    worker = begun(shared)
    shared.source.page_size = 1
    shared.ask("rebuild")
    scanned(worker, rows=1)
    assert shared.copies() == {1: "live", 2: "building"}
    shared.target.drop(Generation("donations", 2))
    settle(worker.attach(), rounds=30)
    assert shared.is_equal()
    assert shared.copies()[3] == "live"


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


def test_the_scan_of_a_generation_that_readers_were_switched_back_to_is_judged_too(shared: Shared) -> None:
    worker = begun(shared)
    shared.ask("rebuild")
    settle(worker)
    shared.ask("back")
    settle(worker)
    assert shared.copies() == {1: "live", 2: "kept"}
    segment = f"scan-{shared.copy(1).scan}-0"
    epoch, _ = shared.target.recall("Donations").marks[segment]
    shared.target.mark("Donations", {segment: Mark(epoch, START)})
    settle(worker.attach())
    assert shared.copies() == {1: "dropped", 2: "dropped", 3: "live"}


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


def test_a_switch_that_was_begun_is_ended_by_whoever_leads_next(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both generations are live to the store, and the gap that the newer one makes up for is not closed."""
    worker = begun(shared)
    loses(shared, "s1")
    save = shared.store.save_copy

    def die_after_the_switch(table: str, copy: Copy, *, was: Copy) -> None:
        if (copy.number, copy.state) == (1, "dropped"):
            raise StoreError("the process was killed here")
        save(table, copy, was=was)

    with monkeypatch.context() as patched:
        patched.setattr(shared.store, "save_copy", die_after_the_switch)
        with pytest.raises(StoreError):
            settle(worker)
    assert shared.copies() == {1: "live", 2: "live"}
    settle(shared.worker("w1").attach())
    assert (shared.copies(), shared.gaps()) == ({1: "dropped", 2: "live"}, [])
    assert shared.is_equal()


def test_whoever_led_before_does_not_switch_readers_to_a_generation_that_was_given_up(shared: Shared) -> None:
    first, second = begun(shared), shared.worker("w1")
    served = []

    def give_up() -> None:
        loses(shared, "s1")
        settle(second.attach(), rounds=20)
        assert shared.copies() == {1: "dropped", 2: "dropped", 3: "live"}
        served.append(shared.target.documents("donations"))

    shared.ask("rebuild")
    settle(first, rounds=1)
    with armed(failpoint.BEFORE_SERVE, at_hit(1, give_up)), pytest.raises(StaleLeaseError):
        lead(first)
    assert served == [shared.target.documents("donations")]
    assert shared.copies() == {1: "dropped", 2: "dropped", 3: "live"}
    settle(first.attach(), second)
    assert shared.is_equal()


def lead(worker: Stepped) -> None:
    """Let a worker go on; whatever ends its attachment is raised."""
    for _ in range(12):
        worker.work()
        worker.lane._tend()


def test_a_way_back_that_was_cut_off_is_not_gone_twice(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = begun(shared)
    shared.ask("rebuild")
    settle(worker)
    shared.ask("back")
    with monkeypatch.context() as cut:
        cut.setattr(Lead, "settle", cut_off)
        with pytest.raises(StaleLeaseError):
            worker.attachment.lead.answer_requests()
    settle(worker)
    assert shared.copies() == {1: "live", 2: "kept"}


def cut_off(_: Lead) -> None:
    raise StaleLeaseError("the store is away")


def test_a_row_of_a_scan_loses_to_a_change_that_came_first(shared: Shared) -> None:
    worker = begun(shared)
    shared.ask("rebuild")
    scanned(worker, rows=0)
    [segment] = [cursor for cursor in worker.attachment.reading.cursors.values() if cursor.partition.kind == "segment"]
    page = shared.source.scan(shared.copy(2).scan, 1).open(segment.partition, segment.position).read()
    shared.source.delete("s1", {"id": {"S": "old"}})
    worker.attachment.reading.cursors.pop(segment.partition.id)
    worker.work()
    worker.apply_page(segment, page)
    settle(worker.attach())
    assert shared.copies() == {1: "kept", 2: "live"}
    assert shared.is_equal()


def test_readers_are_not_switched_before_the_stream_has_caught_up(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "RECENT_SECONDS", -1.0)
    worker = begun(shared)
    shared.ask("rebuild")
    scanned(worker, rows=0)
    shared.source.page_size = 1  # of the stream; the scan has begun with larger pages
    for number in range(20):
        shared.put("s1", f"another-{number}")
    for n in (1, 2):
        shared.put("s1", "a", n)
    seen: list[bytes] = []
    for _ in range(40):
        worker.step()
        seen.append(shared.target.documents("donations").get("a", b""))
    assert shared.copies() == {1: "kept", 2: "live"}
    assert seen == sorted(seen), "readers saw an older state after a newer one"


def test_a_scan_waits_until_every_worker_has_drawn_under_the_new_list(shared: Shared) -> None:
    leader = begun(shared)
    leader.leases.held = {"s1"}
    other = shared.worker("w1", held={"s2"}, leading=False).attach()
    shared.ask("rebuild")
    leader.leases.held = {"s1"} | {f"scan-{shared.copy(1).scan}-0"}
    settle(leader)
    assert not leader.attachment.scans.segments, "the other one knows only the first generation"
    shared.put("s2", "between")
    other.work()
    settle(other)
    leader.leases.held = None
    other.leases.held = set()
    settle(leader)
    assert shared.is_equal()
    assert shared.copies() == {1: "kept", 2: "live"}


def test_whoever_drew_before_a_generation_and_read_of_it_after_draws_again(shared: Shared) -> None:
    """Its epoch says that it may not know of the generation: the scan would wait for it for ever."""
    other = shared.worker("w1", held={"s2"}, leading=False)
    leader = shared.worker(held={"s1"})

    def lead() -> None:
        if not shared.copies():
            leader.attach()

    with armed(failpoint.AFTER_DRAW, lead), pytest.raises(DetachedError, match="a generation was begun"):
        other.attach()
    other.attach()
    leader.leases.held = {"s1", f"scan-{shared.copy(1).scan}-0"}
    settle(leader, other)
    assert shared.is_equal()
    assert shared.copies() == {1: "live"}


def test_a_scan_waits_for_a_shard_that_only_another_worker_lists(shared: Shared) -> None:
    leader = begun(shared)
    shared.source.end("s2")
    child = shared.source.add_shard("s3", parents=["s2"])
    other = shared.worker("w1", held={"s2", "s3"}, leading=False).attach()
    settle(other, rounds=3)
    leader.leases.held = {"s1"}
    shared.ask("rebuild")
    settle(leader, rounds=3)
    assert not leader.attachment.scans.segments
    assert shared.gaps() == []
    assert child.id in {state.partition.id for state in shared.store.partitions("Donations")}


def test_a_quiet_table_costs_the_worker_that_leads_nothing(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = begun(shared)
    settle(worker)

    def unexpected(*_: object, **__: object) -> None:
        raise AssertionError("the store was read though nothing had changed")

    with monkeypatch.context() as quiet:
        for name in ("requests", "partitions", "copies", "gaps", "counter"):
            quiet.setattr(shared.store, name, unexpected)
        quiet.setattr(SqliteStore, "letters", unexpected)
        settle(worker)
    shared.ask("release")
    settle(worker, rounds=1)
    [asked] = shared.store.requests(TABLE)
    assert (asked.state, asked.error) == ("failed", "No generation of donations is kept in sql.")


def test_whoever_leads_again_answers_what_was_asked_meanwhile(shared: Shared) -> None:
    worker = begun(shared)
    worker.leases.leading = False
    shared.ask("release")
    settle(worker, rounds=2)
    [asked] = shared.store.requests(TABLE)
    assert asked.state == "waiting"
    worker.leases.leading = True
    settle(worker, rounds=1)
    [asked] = shared.store.requests(TABLE)
    assert asked.state == "failed"


def test_a_child_waits_for_a_parent_elsewhere_without_asking_and_begins_once_it_is_drained(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = begun(shared)
    leader.leases.held = {"s1", "s2"}
    shared.source.add_shard("s3", parents=["s2"])
    other = shared.worker("w1", held={"s3"}, leading=False).attach()
    settle(other)

    def unexpected(_table: str) -> None:
        raise AssertionError("it was asked though nothing had changed")

    with monkeypatch.context() as quiet:
        quiet.setattr(shared.store, "partitions", unexpected)
        quiet.setattr(shared.target, "recall", unexpected)
        other.step()
        other.step()
    assert "s3" not in other.attachment.reading.cursors
    shared.source.end("s2")
    leader.work()
    other.step()
    assert "s3" in other.attachment.reading.cursors


def test_a_child_finds_its_parent_drained_though_nothing_says_so(
    shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    leader = begun(shared)
    leader.leases.held = {"s1", "s2"}
    shared.source.add_shard("s3", parents=["s2"])
    other = shared.worker("w1", held={"s3"}, leading=False).attach()
    known = shared.store.revision(TABLE)
    monkeypatch.setattr(other.leases, "revision", lambda: known)
    monkeypatch.setattr(attachment, "LOOK_SECONDS", 0.0)
    shared.source.end("s2")
    leader.work()
    other.step()
    assert "s3" in other.attachment.reading.cursors


def test_whoever_captures_a_newer_stream_waits_for_the_worker_that_leads(shared: Shared) -> None:
    """The one that leads does not list the new shards yet: it would take them for gone."""
    leader = begun(shared)
    other = Stepped(shared, HandedOut("w1", shared.store, leading=False), stream="stream-2")
    with pytest.raises(DetachedError, match="another stream"):
        other.attach()
    settle(leader.attach(), rounds=2)
    assert (shared.copies(), shared.gaps()) == ({1: "live"}, [])


def test_whoever_captures_an_older_stream_feeds_nothing(shared: Shared) -> None:
    begun(shared)
    settle(Stepped(shared, HandedOut("w1", shared.store), stream="stream-2").attach())
    assert shared.copy(2).stream == "stream-2"
    with pytest.raises(DetachedError, match="another stream"):
        shared.worker("w0", leading=False).attach()


def break_here() -> None:
    raise TargetError("the connection broke here")
