"""Which generations a target needs, in every situation that it can be found in."""

from __future__ import annotations

from dataclasses import replace

from dynalens.backfill import Plan, Scan, Situation, Wanted, dropped, finished, plan
from dynalens.partition import START, Partition, Position
from dynalens.position import Copy, Gap, PartitionState
from dynalens.target import Generation, Memory

READ = Position(rank=7, token="7")
DRAINED = Position(ended=True, rank=9, token="9")


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
    )


def stored(partition: str, position: Position, *parents: str) -> dict[str, PartitionState]:
    return {partition: PartitionState(Partition(partition, parents=parents), "sql", 5, position)}


STEADY = Situation(
    table="Donations",
    stream="s",
    target="sql",
    wanted=[Wanted("donations", "f")],
    copies=[copy()],
    memory=Memory(5, {"shard": READ}, frozenset({Generation("donations", 1)})),
    stored=stored("shard", READ),
    lost=[],
    read_at=99_000.0,
    now=100_000.0,
)
BLANK = replace(STEADY, copies=[], memory=Memory(), stored={})


def planned(situation: Situation) -> Plan:
    return plan(situation, lambda consistent: Scan("new", 4, consistent))


def numbers(found: Plan) -> list[tuple[str, int]]:
    return [(new.collection, new.number) for new in found.new]


def test_the_first_start_begins_a_first_generation_that_needs_no_consistent_scan() -> None:
    found = planned(BLANK)
    assert numbers(found) == [("donations", 1)]
    assert (found.new[0].scan, found.new[0].segments, found.new[0].consistent) == ("new", 4, False)
    assert found.new[0].state == "building"
    assert not found.restart
    assert not found.gaps


def test_what_is_there_goes_on() -> None:
    found = planned(STEADY)
    assert found == Plan(current=(copy(),), new=(), retired=(), restart=False, gaps=())


def test_a_mark_below_the_store_is_no_loss() -> None:
    behind = Memory(5, {"shard": Position(rank=3, token="3")}, frozenset({Generation("donations", 1)}))
    assert planned(replace(STEADY, memory=behind)).new == ()


def test_a_missing_mark_is_a_loss() -> None:
    found = planned(replace(STEADY, memory=Memory(5, {}, frozenset({Generation("donations", 1)}))))
    assert numbers(found) == [("donations", 2)]
    assert found.restart
    assert [gap.partition for gap in found.gaps] == ["shard"]
    assert "no longer holds" in found.gaps[0].reason


def test_a_mark_back_at_the_start_is_a_loss_too() -> None:
    """Reading from TRIM_HORIZON again would skip what was trimmed since, without a word."""
    back = Memory(5, {"shard": START}, frozenset({Generation("donations", 1)}))
    assert planned(replace(STEADY, memory=back)).restart


def test_a_wiped_target_is_a_loss_even_when_nothing_was_read_yet() -> None:
    found = planned(replace(STEADY, memory=Memory(), stored={}))
    assert numbers(found) == [("donations", 2)]


def test_a_drained_parent_that_the_target_took_back_under_its_children_is_a_loss() -> None:
    shards = stored("parent", DRAINED) | stored("child", READ, "parent")
    marks = {"parent": READ, "child": READ}
    situation = replace(STEADY, stored=shards, memory=replace(STEADY.memory, marks=marks))
    assert planned(situation).restart
    childless = replace(situation, stored=stored("parent", DRAINED))
    assert not planned(childless).restart, "without children its tail is simply read again"


def test_a_collection_added_later_is_scanned_consistently_beside_the_others() -> None:
    found = planned(replace(STEADY, wanted=[Wanted("donations", "f"), Wanted("big", "g")]))
    assert numbers(found) == [("big", 1)]
    assert found.new[0].consistent
    assert not found.restart


def test_a_collection_that_is_not_fed_for_a_while_begins_anew() -> None:
    others = [copy(), copy(collection="others")]
    found = planned(replace(STEADY, copies=others))
    assert found.retired == (others[1],)
    again = replace(STEADY, copies=[others[0], dropped(others[1])], wanted=[*STEADY.wanted, Wanted("others", "f")])
    assert numbers(planned(again)) == [("others", 2)]
    assert not planned(again).retired


def test_changed_settings_begin_a_new_generation() -> None:
    found = planned(replace(STEADY, wanted=[Wanted("donations", "other")]))
    assert numbers(found) == [("donations", 2)]
    assert not found.restart


def test_another_stream_begins_everything_anew() -> None:
    found = planned(replace(STEADY, stream="t"))
    assert numbers(found) == [("donations", 2)]
    assert found.restart
    assert "another one" in found.gaps[0].reason
    assert not found.new[0].consistent, "capture from TRIM_HORIZON of a new stream sees every write"


def test_generations_that_were_dropped_say_nothing_of_the_stream() -> None:
    old = dropped(copy(stream="t"))
    assert planned(replace(STEADY, copies=[old, copy(2)], memory=_holding(2))).gaps == ()


def test_a_rebuild_under_way_goes_on_beside_the_generation_that_it_replaces() -> None:
    """The old one keeps its old stream until the switch; that is no second loss."""
    old, building = copy(stream="t"), replace(copy(2), state="building", started_at=STEADY.now - 60)
    found = planned(replace(STEADY, copies=[old, building], memory=_holding(2), read_at=0.0))
    assert (found.gaps, found.current) == ((), (building,))


def test_a_lost_store_numbers_above_what_the_target_holds() -> None:
    found = planned(replace(STEADY, copies=[], stored={}, memory=_holding(3)))
    assert numbers(found) == [("donations", 4)]


def test_a_generation_being_built_goes_on() -> None:
    building = replace(copy(), state="building", finished_at=0.0)
    assert planned(replace(STEADY, copies=[building])).current == (building,)


def test_one_scan_fills_all_that_begins_together() -> None:
    found = planned(replace(BLANK, wanted=[Wanted("a", "f"), Wanted("b", "f")]))
    assert {new.scan for new in found.new} == {"new"}


def test_a_gap_found_while_reading_begins_everything_anew() -> None:
    gap = Gap(table="Donations", target="sql", partition="shard", since=1, until=2, reason="trimmed", found_at=2)
    found = planned(replace(STEADY, lost=[gap]))
    assert found.restart
    assert found.gaps == (gap,)


def test_a_worker_that_was_off_for_more_than_a_day_has_a_gap() -> None:
    day = 24 * 3600.0
    assert planned(replace(STEADY, read_at=STEADY.now - day)).gaps == ()
    (gap,) = planned(replace(STEADY, read_at=STEADY.now - day - 60)).gaps
    assert (gap.since, gap.until) == (STEADY.now - day - 60, STEADY.now - day)
    assert planned(replace(BLANK, read_at=0.0)).gaps == (), "a first start has nothing to lose"


def test_a_worker_that_was_killed_before_its_first_report_has_no_gap() -> None:
    young = replace(copy(), started_at=STEADY.now - 60)
    assert planned(replace(STEADY, copies=[young], read_at=0.0)).gaps == ()
    old = replace(copy(), started_at=STEADY.now - 25 * 3600)
    assert planned(replace(STEADY, copies=[old], read_at=0.0)).gaps != ()


def test_a_finished_generation_is_live() -> None:
    assert finished(replace(copy(), state="building"), 9.0) == replace(copy(), finished_at=9.0)


def _holding(number: int) -> Memory:
    return replace(STEADY.memory, generations=frozenset({Generation("donations", number)}))
