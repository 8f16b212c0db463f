"""Which generations a target needs, in every situation that it can be found in."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynalens.backfill import (
    TARGET_LOST,
    UNREAD,
    Loss,
    Plan,
    Scan,
    Situation,
    Wanted,
    dropped,
    finished,
    forgettable,
    is_above,
    losses,
    plan,
)
from dynalens.partition import START, Partition, Position
from dynalens.position import Copy, Gap, PartitionState
from dynalens.target import Generation, Mark, Memory

READ = Position(rank=7, token="7")
DRAINED = Position(ended=True, rank=9, token="9")
SCANNED = {f"scan-scan-{segment}": Mark(4, DRAINED) for segment in range(2)}


def copy(number: int = 1, *, collection: str = "donations", fingerprint: str = "f", stream: str = "s") -> Copy:
    return Copy(
        collection=collection,
        target="sql",
        number=number,
        state="live",
        fingerprint=fingerprint,
        stream=stream,
        scan="scan",
        segments=2,
        consistent=False,
        started_at=1.0,
        finished_at=2.0,
        settings="{}",
    )


def stored(partition: str, position: Position, *parents: str) -> dict[str, PartitionState]:
    return {partition: PartitionState(Partition(partition, parents=parents), "sql", 5, position)}


STEADY = Situation(
    table="Donations",
    stream="s",
    target="sql",
    wanted=[Wanted("donations", "f")],
    copies=[copy()],
    memory=Memory(5, {**SCANNED, "shard": Mark(5, READ)}, frozenset({Generation("donations", 1)})),
    stored=stored("shard", READ),
    shards=[Partition("shard")],
    lost=[],
    read_at=99_000.0,
    now=100_000.0,
)
BLANK = replace(STEADY, copies=[], memory=Memory(), stored={})
GAP = Gap("Donations", "sql", "shard", since=1, until=2, reason="trimmed", found_at=2, generation=1)
DAY = 24 * 3600.0


def planned(situation: Situation) -> Plan:
    return plan(situation, losses(situation), lambda consistent: Scan("new", 4, consistent))


def numbers(situation: Situation) -> list[tuple[str, int]]:
    return [(new.collection, new.number) for new in planned(situation).new]


def reasons(situation: Situation) -> list[tuple[str, str]]:
    return [(gap.partition, gap.reason) for gap in losses(situation).gaps]


def holding(number: int) -> Memory:
    return replace(STEADY.memory, generations=frozenset({Generation("donations", number)}))


def marked(position: Position | None, *, epoch: int = 5) -> Memory:
    return replace(STEADY.memory, marks=SCANNED if position is None else {**SCANNED, "shard": Mark(epoch, position)})


# Generations.


def test_the_first_start_begins_a_first_generation_that_needs_no_consistent_scan() -> None:
    (new,) = planned(BLANK).new
    assert (new.collection, new.number, new.state) == ("donations", 1, "building")
    assert (new.scan, new.segments, new.consistent) == ("new", 4, False)
    assert losses(BLANK) == Loss()


def test_a_first_scan_beside_other_workers_is_consistent() -> None:
    (new,) = planned(replace(BLANK, alone=False)).new
    assert new.consistent, "what another worker reads before it knows of the generation is left to the scan"


def test_what_is_there_goes_on() -> None:
    assert losses(STEADY) == Loss()
    assert planned(STEADY) == Plan(new=(), retired=())


def test_a_wiped_target_is_built_anew_even_when_nothing_was_read_yet() -> None:
    assert numbers(replace(STEADY, memory=Memory(), stored={}, repairs=False)) == [("donations", 2)]


def test_a_collection_added_later_is_scanned_consistently_beside_the_others() -> None:
    situation = replace(STEADY, wanted=[Wanted("donations", "f"), Wanted("big", "g")])
    assert numbers(situation) == [("big", 1)]
    assert planned(situation).new[0].consistent


def test_a_collection_that_is_not_fed_for_a_while_begins_anew() -> None:
    others = [copy(), copy(collection="others")]
    assert planned(replace(STEADY, copies=others)).retired == (others[1],)
    again = replace(STEADY, copies=[others[0], dropped(others[1])], wanted=[*STEADY.wanted, Wanted("others", "f")])
    assert numbers(again) == [("others", 2)]
    assert not planned(again).retired


def test_changed_settings_begin_a_new_generation() -> None:
    situation = replace(STEADY, wanted=[Wanted("donations", "other", '{"table": "Donations"}')])
    assert numbers(situation) == [("donations", 2)]
    assert planned(situation).new[0].settings == '{"table": "Donations"}'
    assert losses(situation) == Loss()


def test_a_generation_whose_settings_nobody_kept_cannot_be_fed_on() -> None:
    assert numbers(replace(STEADY, copies=[replace(copy(), settings="")])) == [("donations", 2)]


def test_a_generation_being_built_goes_on() -> None:
    building = replace(copy(), state="building", finished_at=0.0, scan="not begun")
    not_made = replace(STEADY.memory, generations=frozenset())
    assert planned(replace(STEADY, copies=[building], memory=not_made)).new == ()
    lost = replace(building, scan=copy().scan)
    assert [new.number for new in planned(replace(STEADY, copies=[lost], memory=not_made)).new] == [2]


def test_one_scan_fills_all_that_begins_together() -> None:
    assert {new.scan for new in planned(replace(BLANK, wanted=[Wanted("a", "f"), Wanted("b", "f")])).new} == {"new"}


def test_what_somebody_asked_for_is_built_anew_and_the_one_before_it_kept() -> None:
    asked = replace(STEADY, rebuild=frozenset({"donations"}))
    (new,) = planned(asked).new
    assert (new.number, new.keeps_previous, new.consistent) == (2, True, True)
    assert not planned(BLANK).new[0].keeps_previous


def test_a_finished_generation_is_live() -> None:
    assert finished(replace(copy(), state="building"), 9.0) == replace(copy(), finished_at=9.0)


# Losses.


def test_a_mark_below_the_store_is_no_loss() -> None:
    assert losses(replace(STEADY, memory=marked(Position(rank=3, token="3")))) == Loss()


@pytest.mark.parametrize("mark", [None, START])
def test_a_target_that_lost_what_it_confirmed_is_built_anew_and_old_states_are_not_replayed(
    mark: Position | None,
) -> None:
    """Reading from TRIM_HORIZON again would skip what was trimmed since, without a word."""
    situation = replace(STEADY, memory=marked(mark))
    loss = losses(situation)
    assert [(gap.partition, gap.generation) for gap in loss.gaps] == [("shard", 1)]
    assert "no longer holds" in loss.gaps[0].reason
    assert loss.passed == {"shard": Mark(5, READ)}
    assert loss.forgotten == ()
    assert numbers(situation) == [("donations", 2)]
    assert planned(situation).new[0].consistent


def test_a_drained_parent_that_the_target_took_back_under_its_children_is_a_loss() -> None:
    shards = stored("parent", DRAINED) | stored("child", READ, "parent")
    marks = {"parent": Mark(5, READ), "child": Mark(5, READ)}
    situation = replace(
        STEADY,
        stored=shards,
        memory=replace(STEADY.memory, marks={**SCANNED, **marks}),
        shards=[Partition("parent"), Partition("child", parents=("parent",))],
    )
    assert [gap.partition for gap in losses(situation).gaps] == ["parent"]
    childless = replace(situation, stored=stored("parent", DRAINED))
    assert losses(childless) == Loss(), "without children its tail is simply read again"
    assert losses(replace(childless, alone=False)).gaps, "another worker may begin a child at any time"


def test_trimmed_records_are_a_loss_and_their_shard_is_read_from_what_is_left() -> None:
    situation = replace(STEADY, lost=[GAP])
    loss = losses(situation)
    assert [(gap.reason, gap.generation) for gap in loss.gaps] == [("trimmed", 1)]
    assert [state.partition.id for state in loss.forgotten] == ["shard"]
    assert numbers(situation) == [("donations", 2)]


def test_a_shard_that_is_gone_before_its_end_is_a_loss() -> None:
    situation = replace(STEADY, shards=[])
    assert [partition for partition, _ in reasons(situation)] == ["shard"]
    assert [state.partition.id for state in losses(situation).forgotten] == ["shard"]
    assert losses(replace(situation, stored=stored("shard", DRAINED), memory=marked(DRAINED))) == Loss()


def test_a_shard_that_another_worker_has_just_found_is_not_gone() -> None:
    """Its parent is listed, and so are, for a day, all that it came from."""
    shards = stored("parent", DRAINED) | stored("child", DRAINED, "parent") | stored("grandchild", READ, "child")
    marks = {"parent": Mark(5, DRAINED), "child": Mark(5, DRAINED), "grandchild": Mark(5, READ)}
    situation = replace(
        STEADY, stored=shards, memory=replace(STEADY.memory, marks={**SCANNED, **marks}), shards=[Partition("parent")]
    )
    assert losses(situation) == Loss()
    assert losses(replace(situation, shards=[Partition("another")])).gaps


def test_a_shard_that_is_listed_after_its_children_were_begun_is_a_loss_and_is_not_read() -> None:
    """What it holds is older than what its children said, and would have higher versions."""
    shards = [Partition("parent"), Partition("shard", parents=("parent",))]
    loss = losses(replace(STEADY, shards=shards))
    assert [gap.partition for gap in loss.gaps] == ["parent"]
    assert loss.abandoned == (shards[0],)
    child_alone = replace(STEADY, shards=[*shards, Partition("new", parents=("shard",))])
    assert [shard.id for shard in losses(child_alone).abandoned] == ["parent"]
    drained = {**stored("parent", DRAINED), **STEADY.stored}
    held = replace(STEADY.memory, marks={**STEADY.memory.marks, "parent": Mark(4, DRAINED)})
    assert losses(replace(STEADY, shards=shards, stored=drained, memory=held)) == Loss()
    assert losses(replace(STEADY, shards=shards, memory=held)) == Loss(), "the store forgot it, the target did not"


def test_another_stream_is_one_loss_however_many_shards_went_with_it() -> None:
    situation = replace(STEADY, stream="t", shards=[Partition("of t")])
    ((partition, reason),) = reasons(situation)
    assert (partition, "another one" in reason) == ("s", True)
    assert [state.partition.id for state in losses(situation).forgotten] == ["shard"]
    assert numbers(situation) == [("donations", 2)]
    assert planned(situation).new[0].consistent, "what was written while it was off is in no stream"


def test_generations_that_were_dropped_say_nothing_of_the_stream() -> None:
    old = dropped(copy(stream="t"))
    assert losses(replace(STEADY, copies=[old, copy(2)], memory=holding(2))) == Loss()


def test_a_rebuild_under_way_goes_on_beside_the_generation_that_it_replaces() -> None:
    """The old one keeps its old stream until the switch; that is no second loss."""
    old, building = copy(stream="t"), replace(copy(2), state="building", started_at=STEADY.now - 60)
    situation = replace(STEADY, copies=[old, building], memory=holding(2), read_at=0.0)
    assert losses(situation) == Loss()
    assert planned(situation).new == ()


def test_a_lost_store_numbers_above_what_the_target_holds_and_says_so() -> None:
    situation = replace(STEADY, copies=[], stored={}, memory=holding(3))
    assert "position store" in reasons(situation)[0][1]
    assert numbers(situation) == [("donations", 4)]
    assert planned(situation).new[0].consistent, "marks are read on from"


def test_a_worker_that_was_off_for_more_than_a_day_has_a_gap() -> None:
    assert losses(replace(STEADY, read_at=STEADY.now - DAY)) == Loss()
    (gap,) = losses(replace(STEADY, read_at=STEADY.now - DAY - 60)).gaps
    assert (gap.since, gap.until) == (STEADY.now - DAY - 60, STEADY.now - DAY)
    assert losses(replace(BLANK, read_at=0.0)) == Loss(), "a first start has nothing to lose"


def test_a_store_that_was_lost_meanwhile_does_not_hide_that_nobody_read() -> None:
    """A worker that feeds a generation has recorded it again; only the target says that something was captured."""
    situation = replace(STEADY, stored={}, read_at=STEADY.now - DAY - 60)
    assert [gap.reason for gap in losses(situation).gaps] == [UNREAD]


def test_a_worker_that_was_killed_before_its_first_report_has_no_gap() -> None:
    young = replace(copy(), started_at=STEADY.now - 60)
    assert losses(replace(STEADY, copies=[young], read_at=0.0)) == Loss()
    old = replace(copy(), started_at=STEADY.now - DAY - 3600)
    assert losses(replace(STEADY, copies=[old], read_at=0.0)).gaps


def test_a_partition_of_another_worker_is_that_workers_to_judge() -> None:
    situation = replace(STEADY, memory=marked(None))
    assert losses(situation, leads=False, holds=lambda partition: partition != "shard") == Loss()


# What is forgotten.


def test_a_mark_that_was_forgotten_is_no_loss() -> None:
    """A store that was taken back speaks of a shard that nobody asks for any more."""
    situation = replace(STEADY, stored={**STEADY.stored, **stored("gone", DRAINED)})
    assert losses(situation) == Loss()
    assert reasons(replace(situation, shards=[*STEADY.shards, Partition("gone")])) == [("gone", TARGET_LOST)]
    taken_back = replace(situation.memory, epoch=4)
    assert reasons(replace(situation, memory=taken_back)) == [("gone", TARGET_LOST)]
    begun = replace(situation.memory, marks={**situation.memory.marks, "gone": Mark(5, START)})
    assert reasons(replace(situation, memory=begun)) == [("gone", TARGET_LOST)]


def test_generations_dropped_long_ago_are_forgotten_but_for_the_newest_of_each_collection() -> None:
    long_ago, lately = 1_000.0, 1_000.0 + 3 * DAY
    old = [replace(copy(number), state="dropped", started_at=long_ago) for number in (1, 2)]
    young = replace(copy(3), state="dropped", started_at=lately)
    kept = replace(copy(4), state="kept", started_at=long_ago)
    gone = [replace(each, collection="gone") for each in old]
    copies = [*old, young, kept, copy(5), *gone]
    assert forgettable(copies, long_ago + 8 * DAY) == [*old, gone[0]]
    assert forgettable(copies, long_ago + 6 * DAY) == []


# Repair.


def test_a_recorded_gap_is_answered_by_a_generation_above_it_once() -> None:
    recorded = replace(STEADY, recorded=[GAP])
    assert numbers(recorded) == [("donations", 2)]
    building = replace(copy(2), state="building", scan="not begun")
    assert numbers(replace(recorded, copies=[copy(), building])) == []
    again = replace(GAP, partition="another", generation=2)
    assert numbers(replace(recorded, copies=[copy(), building], recorded=[GAP, again])) == [("donations", 3)]


def test_a_generation_is_numbered_above_the_gaps_of_other_collections() -> None:
    wanted = [Wanted("donations", "f"), Wanted("others", "f")]
    situation = replace(STEADY, copies=[copy(7), copy(collection="others")], wanted=wanted)
    held = frozenset({Generation("donations", 7), Generation("others", 1)})
    situation = replace(situation, memory=replace(STEADY.memory, generations=held), lost=[GAP])
    assert numbers(situation) == [("donations", 8), ("others", 8)]


def test_where_repairs_are_asked_for_a_gap_waits() -> None:
    situation = replace(STEADY, lost=[GAP], repairs=False)
    assert losses(situation).gaps
    assert numbers(situation) == []
    asked = replace(STEADY, recorded=[GAP], repairs=False, rebuild=frozenset({"donations"}))
    assert numbers(asked) == [("donations", 2)]


def test_a_generation_is_above_the_gaps_that_it_makes_up_for() -> None:
    assert not is_above(copy(1), [GAP])
    assert is_above(copy(2), [GAP])
    assert is_above(copy(1), [])
