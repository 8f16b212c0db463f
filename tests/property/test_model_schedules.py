"""The schedules that the protocol's rules are for, one by one: each ends well, and badly once its rule is broken.

They are told in steps of `version_model.World`; whatever a schedule leaves under way lands after the last worker has
finished. Sequence numbers below are the order of the records: r1, r2, …
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from dynalens.partition import Partition
from tests.property.version_model import Request, Rules, Session, World

Schedule = Callable[[World], None]


def take(world: World, shard: str = "s0", owner: str = "w0") -> Session:
    """Let a worker acquire a shard."""
    session = world.approach(find(world, shard), owner)
    world.advance(session)
    return session


def find(world: World, shard: str) -> Partition:
    return next(each for each in world.shards if each.id == shard)


def send(world: World, session: Session, records: int = 100) -> Request:
    """Let a worker read a page of at most so many records and send its writes."""
    world.source.page_size = records
    while session.step in {"read", "send"}:
        world.advance(session)
    return next(request for request in reversed(world.in_flight) if request.session is session)


def apply(world: World, session: Session, records: int = 100) -> None:
    """Let a worker read, send and hear that it is confirmed."""
    world.deliver(send(world, session, records))


def commit(world: World, session: Session) -> None:
    """Let a worker that heard mark and commit; whoever lost the shard is dropped."""
    while session in world.sessions and session.step in {"mark", "commit"}:
        world.advance(session)


def complete(world: World, session: Session, records: int = 100) -> None:
    """Let a worker read, apply and commit one page."""
    apply(world, session, records)
    commit(world, session)


def crash(world: World, session: Session) -> None:
    world.sessions.remove(session)


def restarted_counter(world: World) -> None:
    """The next holder counts from the first ordinal again, under the epoch of the one before."""
    world.put("a")
    world.put("a")
    crash_after_commit = take(world)
    complete(world, crash_after_commit)
    crash(world, crash_after_commit)
    world.put("a")
    complete(world, take(world, owner="w1"))


def position_before_lease(world: World) -> None:
    """W1 asks about the parent; W0 drains it and its child moves on; W1 acquires the parent and replays its tail."""
    world.put("a")
    late = world.approach(find(world, "s0"), "w1")
    world.roll_over("s0", 1)
    complete(world, take(world))
    child = take(world, "s1")
    world.put("a")
    complete(world, child)
    world.advance(late)
    if late in world.sessions:
        apply(world, late)
    world.put("a")
    complete(world, child)


def restored_store(world: World) -> None:
    """A backup at counter 0, epoch 2 in flight, restored; epoch 1 is drawn again and commits; (2, 0) lands."""
    world.back_up()
    crash(world, take(world))
    world.put("a")
    send(world, take(world, owner="w1"))
    world.restore(world.backups[0])
    world.delete("a")
    complete(world, take(world, owner="w2"))


def unfenced_commit(world: World) -> None:
    """W1 takes over and replays half-way; W0's writes land and W0 commits past it; then W1's write lands."""
    world.put("a")
    world.delete("a")
    w0 = take(world)
    both = send(world, w0)
    w1 = take(world, owner="w1")
    send(world, w1, records=1)
    crash(world, w1)
    world.deliver(both)
    commit(world, w0)


def position_before_acknowledgement(world: World) -> None:
    """A batch is committed while it is under way, and never arrives."""
    world.put("a")
    session = take(world)
    send(world, session)
    commit(world, session)
    crash(world, session)
    world.in_flight.clear()


def child_before_parent(world: World) -> None:
    """The parent still holds an old state of an item when its child is started."""
    world.put("a")
    world.roll_over("s0", 1)
    world.put("a")
    early = find(world, "s1") in world.approachable()
    child = take(world, "s1") if early else None
    complete(world, take(world))
    child = child or take(world, "s1")
    complete(world, child)


def target_that_forgets(world: World) -> None:
    """A confirmed and committed write is gone with the volume that held it."""
    world.snapshot()
    world.put("a")
    complete(world, take(world))
    world.go_back(world.snapshots[0])


def forgotten_in_the_middle_of_a_replay(world: World) -> None:
    """W0 marks r2 and crashes before its commit; W1 replays r1; the target goes back to just then."""
    world.put("a")
    world.put("a")
    w0 = take(world)
    apply(world, w0)
    world.advance(w0)
    crash(world, w0)
    w1 = take(world, owner="w1")
    apply(world, w1, records=1)
    world.snapshot()
    commit(world, w1)
    complete(world, w1)
    world.go_back(world.snapshots[0])


def marked_by_a_zombie(world: World) -> None:
    """W1 replays r1; W0, which lost the shard, marks r2; the target goes back to just then."""
    world.put("a")
    world.put("a")
    w0 = take(world)
    apply(world, w0)
    w1 = take(world, owner="w1")
    apply(world, w1, records=1)
    world.advance(w0)
    world.snapshot()
    commit(world, w1)
    complete(world, w1)
    world.go_back(world.snapshots[0])


def late_put_after_a_delete(world: World) -> None:
    """W0's put is still under way when W1 has applied and committed the delete after it."""
    world.put("b")
    w0 = take(world)
    send(world, w0)
    crash(world, w0)
    world.delete("b")
    complete(world, take(world, owner="w1"))


def late_row_of_a_scan(world: World) -> None:
    """A row was scanned before the change that a holder of an older epoch applies, and lands after it."""
    world.roll_over("s0", 2)
    complete(world, take(world))
    session = take(world, world._shard_of("a"))
    take(world, world._shard_of("b"))
    row = world.scan("a")
    world.put("a")
    complete(world, session)
    world.deliver(row)


def second_generation_without_a_barrier(world: World) -> None:
    """A holder that knows only the first generation goes on committing while the second one is scanned."""
    session = take(world)
    world.begin_generation()
    if world.may_scan():
        world.deliver(world.scan("a"))
    world.put("a")
    complete(world, session)


CASES: dict[str, tuple[Schedule, tuple[str, ...]]] = {
    "restarted counter": (restarted_counter, ("draws_on_acquire",)),
    "position before lease": (position_before_lease, ("acquires_atomically",)),
    "restored store, draw below the target": (restored_store, ("draws_over_remembered",)),
    "restored store, target never told": (restored_store, ("raises_epoch",)),
    "unfenced commit": (unfenced_commit, ("fences_commits", "fences_marks")),
    "position before acknowledgement": (position_before_acknowledgement, ("commits_after_acknowledgement",)),
    "child before parent": (child_before_parent, ("parents_first",)),
    "target that forgets": (target_that_forgets, ("lower_of_two",)),
    "forgotten in the middle of a replay": (forgotten_in_the_middle_of_a_replay, ("lowers_marks",)),
    "marked by a zombie": (marked_by_a_zombie, ("fences_marks",)),
    "late put after a delete": (late_put_after_a_delete, ("keeps_tombstones",)),
    "late row of a scan": (late_row_of_a_scan, ("scans_at_version_zero",)),
    "second generation without a barrier": (second_generation_without_a_barrier, ("draws_before_scanning",)),
}


def run(schedule: Schedule, rules: Rules) -> None:
    world = World(rules)
    if schedule is not late_row_of_a_scan:
        world.complete_scan()
    schedule(world)
    world.source.page_size = 100
    world.assert_ends_well()


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_ends_well_under_the_protocol(case: str) -> None:
    schedule, _ = CASES[case]
    run(schedule, Rules())


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_ends_badly_when_its_rule_is_broken(case: str) -> None:
    schedule, broken = CASES[case]
    with pytest.raises(AssertionError):
        run(schedule, replace(Rules(), **dict.fromkeys(broken, False)))


def test_every_rule_has_its_schedule() -> None:
    assert {rule for _, broken in CASES.values() for rule in broken} == set(Rules.__dataclass_fields__)
