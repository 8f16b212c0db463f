"""The schedules that the protocol's rules are for, one by one: each ends well, and badly once its rule is broken.

They are told in steps of `version_model.World`; whatever a schedule leaves under way lands after the last worker has
finished. Each begins with a first copy that is complete, and with no session. Sequence numbers below are the order of
the records: r1, r2, …
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from dynalens.partition import Partition
from tests.contract.memory_store import Held
from tests.property.model_lead import COLLECTION
from tests.property.model_rules import Decision, Request, Rules, Session
from tests.property.version_model import World

Schedule = Callable[[World], None]
STEPS = 20
"""More than any session needs from one step to another."""


@dataclass(frozen=True)
class Case:
    """A schedule, and the rules that are broken to see it end badly."""

    schedule: Schedule
    broken: tuple[str, ...]
    alone: bool = False


def approach(world: World, partition: str = "s0", worker: str = "w0") -> Session:
    """Let a worker go for a partition."""
    return world.approach(find(world, partition, worker), world.workers[worker])


def take(world: World, partition: str = "s0", worker: str = "w0") -> Session:
    """Let a worker acquire a partition."""
    return up_to(world, approach(world, partition, worker), "read")


def up_to(world: World, session: Session, step: str) -> Session:
    """Let a session go on until this is its next step, or until it is dropped."""
    for _ in range(STEPS):
        if session in world.sessions and session.step != step:
            world.work(session)
    return session


def find(world: World, partition: str, worker: str) -> Partition:
    known = [*world.workers[worker].listed, *world.segments(world.workers[worker])]
    return next(each for each in known if each.id.startswith(partition))


def send(world: World, session: Session, records: int = 100) -> Request:
    """Let a worker read a page of at most so many records and send its writes; there may be none for it."""
    world.source.page_size = records
    for step in ("read", "send"):
        if session in world.sessions and session.step == step:
            world.advance(session)
    own = [request for request in world.in_flight if request.session is session]
    return own[-1] if own else Request()


def apply(world: World, session: Session, records: int = 100) -> None:
    """Let a worker read, send and hear that it is confirmed."""
    world.deliver(send(world, session, records))


def mark(world: World, session: Session) -> None:
    """Let a worker that heard of its batch mark it."""
    up_to(world, session, "commit")


def commit(world: World, session: Session) -> None:
    """Let a worker that heard of its batch mark and commit; whoever lost the shard is dropped."""
    up_to(world, session, "read")


def complete(world: World, session: Session, records: int = 100) -> None:
    """Let a worker read, apply and commit one page."""
    apply(world, session, records)
    commit(world, session)


def decide_until(world: World, worker: str, step: str) -> Decision:
    """Let a worker that believes to lead decide, up to a step."""
    decision = world.decide(world.workers[worker])
    while decision in world.decisions and decision.step != step:
        world.advance_decision(decision)
    return decision


def rebuild(world: World, worker: str = "w0") -> None:
    """Ask for a new generation, and let it be recorded with its barrier."""
    world.ask("rebuild")
    world.decide_undisturbed(world.workers[worker])


def serve(world: World, worker: str = "w0") -> None:
    """Let a worker finish the generation that is being built."""
    world.read_all(world.workers[worker])
    [copy] = world.finishable()
    world.finish(copy)


# Versions.


def restarted_counter(world: World) -> None:
    """The next holder counts from the first ordinal again, under the epoch of the one before."""
    world.put("a")
    world.put("a")
    crash_after_commit = take(world)
    complete(world, crash_after_commit)
    world.drop(crash_after_commit)
    world.put("a")
    complete(world, take(world, worker="w1"))


def restored_store(world: World) -> None:
    """A backup, an epoch under way, a restore; lower ones are drawn again and commit; the first one's write lands."""
    world.put("b")
    complete(world, take(world))
    world.back_up()
    for _ in range(20):
        world.drop(take(world))
    world.put("a")
    send(world, take(world, worker="w1"))
    world.restore(world.backups[0])
    world.delete("a")
    complete(world, take(world, worker="w2"))


def child_before_parent(world: World) -> None:
    """The parent still holds an old state of an item when its child is started."""
    world.put("a")
    world.roll_over("s0", 1)
    world.put("a")
    world.notice_all()
    early = find(world, "s1", "w0") in world.approachable(world.workers["w0"])
    child = take(world, "s1") if early else None
    complete(world, take(world))
    complete(world, child or take(world, "s1"))


def late_put_after_a_delete(world: World) -> None:
    """W0's put is still under way when W1 has applied and committed the delete after it."""
    world.put("b")
    w0 = take(world)
    send(world, w0)
    world.drop(w0)
    world.delete("b")
    complete(world, take(world, worker="w1"))


# Positions.


def position_before_acknowledgement(world: World) -> None:
    """A batch is committed while it is under way, and never arrives."""
    world.put("a")
    session = take(world)
    batch = send(world, session)
    world.in_flight.remove(batch)
    commit(world, session)
    world.drop(session)


def unfenced_commit(world: World) -> None:
    """W1 takes over and replays half-way; W0's writes land and W0 commits past it; then W1's write lands."""
    world.put("a")
    world.delete("a")
    w0 = take(world)
    both = send(world, w0)
    w1 = take(world, worker="w1")
    send(world, w1, records=1)
    world.drop(w1)
    world.deliver(both)
    commit(world, w0)


def position_before_lease(world: World) -> None:
    """W1 asks about the parent; W0 drains it and its child moves on; W1 acquires the parent and replays its tail."""
    world.put("a")
    late = up_to(world, approach(world, worker="w1"), "draw")
    world.roll_over("s0", 1)
    world.notice_all()
    complete(world, take(world))
    child = take(world, "s1")
    world.put("a")
    complete(world, child)
    up_to(world, late, "read")
    apply(world, late)
    world.put("a")
    complete(world, child)


def target_that_forgets(world: World) -> None:
    """A confirmed and committed write is gone with the volume that held it."""
    world.put("b")
    complete(world, take(world))
    world.snapshot()
    world.put("a")
    complete(world, take(world))
    world.go_back(world.snapshots[0])


def store_restored_in_mid_session(world: World) -> None:
    """One session confirms two batches; the store goes back to between them; the next session replays nothing."""
    world.put("a")
    session = take(world)
    complete(world, session)
    world.back_up()
    world.put("a")
    world.put("a")
    complete(world, session)
    world.drop(session)
    world.restore(world.backups[0])
    w1 = take(world, worker="w1")
    apply(world, w1, records=1)


def asked_before_the_draw(world: World) -> None:
    """W1 asks the target; W0 goes on; W1 draws: a mark that it has not heard of is a batch that is committed."""
    world.put("b")
    w0 = take(world)
    complete(world, w0)
    world.put("a")
    world.put("a")
    late = up_to(world, approach(world, worker="w1"), "draw")
    complete(world, w0)
    up_to(world, late, "read")
    apply(world, late, records=1)


def marked_by_a_zombie(world: World) -> None:
    """W1 replays r1; W0, which lost the shard, marks r2; the target goes back to just then."""
    world.put("a")
    world.put("a")
    w0 = take(world)
    apply(world, w0)
    w1 = take(world, worker="w1")
    apply(world, w1, records=1)
    mark(world, w0)
    world.snapshot()
    commit(world, w1)
    complete(world, w1)
    world.go_back(world.snapshots[0])


def succeeded_before_it_began(world: World) -> None:
    """W1 asks for the mark; W0 ends its batch and begins anew behind it; W1 marks an earlier place, and replays r1."""
    world.put("a")
    world.put("a")
    w0 = take(world)
    late = up_to(world, approach(world, worker="w1"), "begin")
    apply(world, w0)
    commit(world, w0)
    take(world)
    up_to(world, late, "read")
    apply(world, late, records=1)
    commit(world, late)


# Generations.


def late_row_of_a_scan(world: World) -> None:
    """A row was scanned before the change that a holder of the shard applies, and lands after it."""
    rebuild(world)
    session = take(world)
    segment = take(world, "scan", "w1")
    row = send(world, segment)
    world.put("a")
    complete(world, session)
    world.deliver(row)
    up_to(world, segment, "done")


def stale_scan(world: World) -> None:
    """A write is applied and committed; then a scan reads a replica that has not heard of it."""
    world.put("a")
    complete(world, take(world))
    rebuild(world)
    serve(world)


def second_generation_without_a_barrier(world: World) -> None:
    """A holder that knows only the first generation goes on committing while the second one is scanned."""
    session = take(world)
    rebuild(world, "w1")
    if world.segments(world.workers["w1"]):
        complete(world, take(world, "scan", "w1"))
    world.put("a")
    complete(world, session)


def shard_that_is_not_listed_yet(world: World) -> None:
    """W1 found a child shard and reads it for the first generation; W0 does not list it when it begins to scan."""
    world.roll_over("s0", 1)
    world.notice(world.workers["w1"])
    complete(world, take(world, worker="w1"))
    child = take(world, "s1", "w1")
    rebuild(world)
    if world.segments(world.workers["w0"]):
        complete(world, take(world, "scan"))
    world.put("a")
    complete(world, child)


def switched_back(world: World) -> None:
    """A change arrives after a rebuild; then readers are switched back to the generation before it."""
    rebuild(world)
    serve(world)
    world.put("a")
    complete(world, take(world))
    world.ask("back")
    world.answer()


def switched_too_early(world: World) -> None:
    """A row was scanned in its newest state; the stream still holds older ones when readers are switched."""
    rebuild(world)
    session = take(world)
    world.put("a")
    world.put("a")
    up_to(world, take(world, "scan", "w1"), "done")
    for copy in world.finishable():
        world.finish(copy)
    complete(world, session, records=1)
    complete(world, session, records=1)


# Losses and repairs.


def trimmed(world: World) -> None:
    """A day without workers: a put and a delete are gone from the stream."""
    world.put("b")
    complete(world, take(world))
    world.delete("b")
    world.put("a")
    world.trim("s0")
    world.put("a")


def notice_the_loss(world: World, worker: str = "w0") -> Session:
    """Let a worker meet trimmed records, record the gap, and stand behind it."""
    session = take(world, worker=worker)
    world.advance(session)
    return up_to(world, session, "read")


def lost_marks(world: World) -> None:
    """The target has forgotten how far it was, and nothing else: old states are not replayed into what is served."""
    for _ in range(3):
        world.put("a")
    complete(world, take(world))
    world.target.lose_marks()
    world.sessions.clear()
    session = take(world, worker="w1")
    apply(world, session, records=1)


def revert(world: World) -> None:
    """The repair's scan read A; a change to B is applied under an old epoch; then A is written."""
    trimmed(world)
    old = notice_the_loss(world)
    decide(world)
    row = send(world, take(world, "scan", "w1")) if world.segments(world.workers["w1"]) else Request()
    world.put("a")
    complete(world, old)
    world.deliver(row)


def decide(world: World, worker: str = "w1") -> None:
    world.decide_undisturbed(world.workers[worker])


def deletion(world: World) -> None:
    """An item is born behind the scan's cursor, and applied by a holder that drew before the repair."""
    trimmed(world)
    world.delete("a")
    old = notice_the_loss(world)
    decide(world)
    if world.segments(world.workers["w1"]):
        up_to(world, take(world, "scan", "w1"), "done")
    world.put("a")
    complete(world, old)


def old_stream(world: World) -> None:
    """The disabled stream still holds B, C was written while it was off, the repair wrote C; then it is drained.

    W0 has not noticed. It drew in the middle of the repair, so that it knows of the new generation.
    """
    world.put("a")
    world.switch_stream("a")
    world.notice(world.workers["w1"])
    decide(world)
    serve(world, "w1")
    late = up_to(world, approach(world), "draw")
    decide(world)
    up_to(world, late, "read")
    if world.copies()[-1].state == "building":
        serve(world, "w1")
    complete(world, late)


def counted_already(world: World) -> None:
    """A change is captured and not applied when the scan reads the item as it has changed already."""
    trimmed(world)
    session = notice_the_loss(world)
    page = send(world, session)
    decide(world)
    if not world.segments(world.workers["w1"]):
        complete(world, take(world, worker="w1"))
    up_to(world, take(world, "scan", "w1"), "done")
    world.put("a")
    world.deliver(page)
    commit(world, session)
    complete(world, session)


def late_put_after_a_repair(world: World) -> None:
    """W0's put is unsent, its delete is lost in the gap; the repair finds no item; then the put lands."""
    w0 = take(world)
    world.put("b")
    put = send(world, w0)
    world.delete("b")
    world.trim("s0")
    world.in_flight.remove(put)
    world.drop(w0)
    world.settle()
    world.in_flight.append(put)


def late_row_after_a_repair(world: World) -> None:
    """The same with a row of a scan: it is unsent when the delete of its item is lost."""
    world.put("b")
    complete(world, take(world))
    rebuild(world)
    session = take(world)
    segment = take(world, "scan", "w1")
    complete(world, segment)
    row = send(world, segment)
    world.drop(segment)
    world.in_flight.remove(row)
    world.put("a")
    complete(world, session)
    world.delete("b")
    world.trim("s0")
    world.drop(session)
    world.settle()
    world.in_flight.append(row)


def page_read_before_the_gap(world: World) -> None:
    """A page was read before a gap, and is sent after the shard has been drawn for under the repair."""
    world.put("a")
    w0 = take(world)
    page = send(world, w0)
    world.in_flight.remove(page)
    world.put("a")
    world.trim("s0")
    world.settle()
    world.deliver(page)
    commit(world, w0)


# What the store forgets.


def store_from_before_a_rebuild(world: World) -> None:
    """The store forgets the generation that is served; a worker that feeds it goes on, and records it again."""
    world.back_up()
    rebuild(world)
    serve(world)
    world.restore(world.backups[0])
    world.put("a")
    decide(world, "w0")
    assert [copy.number for copy in world.copies()][-1] == 2, "it is built anew"


def store_from_before_a_switch(world: World) -> None:
    """The store knows the generation that is served as one being built, and the one that the target dropped as live."""
    rebuild(world)
    world.back_up()
    serve(world)
    world.ask("release")
    world.answer()
    world.restore(world.backups[0])
    decide(world)
    assert world.target.documents(COLLECTION), "readers see the one that was dropped"


def lost_store(world: World) -> None:
    """The store is deleted while a worker runs: nothing that was applied is replayed, nothing is built anew."""
    for _ in range(3):
        world.put("a")
    complete(world, take(world))
    world.restore(Held())
    decide(world, "w0")
    apply(world, take(world), records=1)
    assert [copy.number for copy in world.copies()] == [1], "it is built anew"


def target_from_the_middle_of_a_scan(world: World) -> None:
    """The target goes back to the middle of a scan whose generation is served by now."""
    world.put("b")
    complete(world, take(world))
    rebuild(world)
    take(world)
    complete(world, take(world, "scan", "w1"))
    world.snapshot()
    serve(world)
    world.go_back(world.snapshots[0])


CASES = {
    "restarted counter": Case(restarted_counter, ("draws_on_acquire",)),
    "restored store, draw below the target": Case(restored_store, ("draws_over_remembered",)),
    "restored store, target never told": Case(restored_store, ("raises_epoch",)),
    "child before parent": Case(child_before_parent, ("parents_first",)),
    "late put after a delete": Case(late_put_after_a_delete, ("keeps_tombstones",)),
    "position before acknowledgement": Case(position_before_acknowledgement, ("commits_after_acknowledgement",)),
    "unfenced commit": Case(unfenced_commit, ("fences_commits", "fences_marks")),
    "position before lease": Case(position_before_lease, ("refuses_the_drained", "asks_after_drawing")),
    "target that forgets": Case(target_that_forgets, ("replays_from_lower_marks",)),
    "store restored in mid-session": Case(store_restored_in_mid_session, ("reads_on_from_higher_marks",)),
    "asked before the draw": Case(asked_before_the_draw, ("asks_after_drawing",)),
    "forgotten in the middle of a replay": Case(marked_by_a_zombie, ("marks_the_beginning",)),
    "succeeded before it began": Case(succeeded_before_it_began, ("begins_in_one_step",)),
    "marked by a zombie": Case(marked_by_a_zombie, ("fences_marks",)),
    "late row of a scan": Case(late_row_of_a_scan, ("scans_at_version_zero",)),
    "stale scan": Case(stale_scan, ("scans_consistently",)),
    "second generation without a barrier": Case(second_generation_without_a_barrier, ("draws_before_scanning",)),
    "shard that is not listed yet": Case(shard_that_is_not_listed_yet, ("waits_for_unlisted_shards",)),
    "switched back": Case(switched_back, ("feeds_kept_generations",)),
    "switched too early": Case(switched_too_early, ("switches_when_caught_up",)),
    "trimmed": Case(trimmed, ("records_gaps",)),
    "gap closed by nothing": Case(trimmed, ("closes_gaps_by_number",)),
    "lost marks": Case(lost_marks, ("passes_over_what_was_lost",)),
    "revert": Case(revert, ("draws_before_scanning",)),
    "deletion": Case(deletion, ("draws_before_scanning",)),
    "old stream": Case(old_stream, ("leaves_old_streams",)),
    "counted already": Case(counted_already, ("draws_before_scanning",)),
    "late put after a repair": Case(late_put_after_a_repair, ("closes_gaps_by_number",)),
    "late row after a repair": Case(late_row_after_a_repair, ("closes_gaps_by_number",)),
    "page read before the gap": Case(page_read_before_the_gap, ("closes_gaps_by_number",)),
    "store from before a rebuild": Case(store_from_before_a_rebuild, ("reminds_the_store",)),
    "lost store": Case(lost_store, ("reads_on_from_higher_marks",)),
    "store from before a switch": Case(store_from_before_a_switch, ("drops_what_the_target_dropped",)),
    "target from the middle of a scan": Case(target_from_the_middle_of_a_scan, ("judges_scans",), alone=True),
}


def run(case: Case, rules: Rules) -> None:
    world = World(rules, alone=case.alone)
    world.settle()
    world.sessions.clear()
    case.schedule(world)
    world.source.page_size = 100
    world.assert_ends_well()


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_ends_well_under_the_protocol(case: str) -> None:
    run(CASES[case], Rules())


@pytest.mark.parametrize("case", CASES)
def test_a_schedule_ends_badly_when_its_rule_is_broken(case: str) -> None:
    with pytest.raises(AssertionError):
        run(CASES[case], replace(Rules(), **dict.fromkeys(CASES[case].broken, False)))


def test_every_rule_has_its_schedule() -> None:
    assert {rule for case in CASES.values() for rule in case.broken} == set(Rules.__dataclass_fields__)
