"""What a verification costs, when it stops, and what it tells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from functools import partial

import pytest

from dynalens.source.scan import ReadBudget
from dynalens.verification import Difference, Finding, Outcome, Sample, comparison, verify
from dynalens.verification.sample import Balance
from tests.unit.source.virtual_time import Clock, Stop
from tests.verified import World, item


def filled(number: int = 30) -> World:
    world = World()
    for n in range(number):
        world.put(f"key-{n:03}")
    return world


def test_equal_sides_cost_a_scan_and_no_single_read() -> None:
    world = filled()
    outcome = verify(world.comparison())
    assert (outcome.scanned, outcome.walked, outcome.looked_up) == (30, 30, 0)
    assert (outcome.differences, outcome.in_flight, outcome.unchecked) == (0, 0, 0)
    assert (world.read, world.barriers) == ([], 0)
    assert outcome.complete
    assert outcome.bytes_read == 30 * 100
    assert outcome.read_units == 30.0


def test_nothing_compared_with_nothing() -> None:
    assert verify(World().comparison()) == Outcome(complete=True)


def test_an_item_beyond_the_scan_costs_the_reads_of_its_bucket_alone() -> None:
    world = filled(1000)
    world.hold("beyond", item("beyond", 1))
    outcome = verify(world.comparison())
    assert outcome.extra == Finding(1, ("beyond",))
    assert outcome.looked_up < 5
    assert outcome.walked == 1001


def test_items_of_other_collections_and_lost_ones_cost_no_look_ups() -> None:
    world = filled()
    world.table |= {f"other-{n}": item(f"other-{n}", 1, kind="refund") for n in range(30)}
    world.table["lost"] = item("lost", 1)
    outcome = verify(world.comparison())
    assert (outcome.scanned, outcome.walked, outcome.looked_up) == (61, 30, 0)
    assert world.walks == 1
    assert outcome.lost == Finding(1, ("lost",))


def test_lists_that_differ_are_not_even_though_they_are_as_long() -> None:
    """An id that one list lacks, and another in its bucket that the other list lacks."""
    balance = Balance()
    for n in range(1000):
        balance.add(f"one-{n}")
    beside = next(id_ for n in range(1 << 20) if balance.may_differ(id_ := f"other-{n}"))
    balance.take_away(beside)
    assert balance.may_differ(beside)
    for n in range(1000):
        balance.take_away(f"one-{n}")
    assert not balance.is_even()
    balance.add(beside)
    assert balance.is_even()


def test_a_late_change_is_no_difference_whenever_it_is_made() -> None:
    """One change makes the item suspect, and while it is judged another one comes, at every moment that there is."""
    for first in range(16):
        for second in range(16):
            world = filled(10)
            change = partial(world.write, "key-003", passes=2)
            world.steps = iter(
                [lambda: None] * first
                + [partial(change, item("key-003", 8))]
                + [lambda: None] * second
                + [partial(change, item("key-003", 9))]
            )
            outcome = verify(world.comparison())
            assert (outcome.differences, outcome.in_flight) == (0, 0), (first, second)


def test_nothing_is_called_a_difference_while_a_change_of_it_is_under_way() -> None:
    """What differs is written again, at every moment that there is: that change may mend it."""
    handed = 0
    for moment in range(40):
        world = filled(10)
        world.hold("key-003", item("key-003", 8))
        world.steps = iter([lambda: None] * moment + [partial(world.write, "key-003", item("key-003", 9), passes=2)])

        def differing(_found: Sequence[Difference], world: World = world) -> None:
            nonlocal handed
            handed += 1
            assert not world.under_way

        verify(world.comparison(differing=differing))
    assert 0 < handed < 40


def test_a_change_under_way_is_no_difference() -> None:
    world = filled()
    world.write("key-003", item("key-003", 9))
    world.write("key-004", None)
    world.write("new", item("new", 1))
    outcome = verify(world.comparison())
    assert (outcome.differences, outcome.in_flight, outcome.complete) == (0, 0, True)
    assert world.barriers == 1


def test_an_item_that_never_rests_is_left_alone() -> None:
    world = filled()
    world.steps = iter(lambda: lambda: world.write("key-003", item("key-003", world.ordinal), passes=9), None)
    outcome = verify(world.comparison())
    assert (outcome.differences, outcome.in_flight) == (0, 1)
    assert world.barriers == comparison.MOST_ROUNDS


def test_as_many_examples_as_asked_for_are_given_and_all_are_counted() -> None:
    world = World(table={f"lost-{n}": item(f"lost-{n}", 1) for n in range(9)})
    assert verify(world.comparison(examples=2)).lost == Finding(9, ("lost-0", "lost-1"))


def test_differences_are_handed_out_with_their_keys_to_be_mended() -> None:
    world = filled()
    world.table["lost"] = item("lost", 1)
    world.hold("key-003", item("key-003", 8))
    world.hold("beyond", item("beyond", 1))
    handed: list[Difference] = []
    verify(world.comparison(differing=handed.extend))
    assert sorted(handed) == [
        ("extra", "beyond", {"id": {"S": "beyond"}}),
        ("lost", "lost", {"id": {"S": "lost"}}),
        ("stale", "key-003", {"id": {"S": "key-003"}}),
    ]
    for _, key, _ in handed:
        world.hold(key, world.table.get(key))
    assert verify(world.comparison()).differences == 0


def test_so_many_differences_that_a_rebuild_is_due_end_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "MOST_DIFFERENCES", 10)
    monkeypatch.setattr(comparison, "JUDGED_AT_ONCE", 10)
    world = World(table={f"lost-{n:03}": item(f"lost-{n:03}", 1) for n in range(200)})
    outcome = verify(world.comparison())
    assert 10 <= outcome.lost.count < 30
    assert not outcome.complete


@pytest.mark.parametrize("calls", range(0, 36, 2))
def test_told_to_stop_it_says_nothing_that_it_did_not_see(calls: int) -> None:
    """At whatever moment: reads that were not made are no differences."""
    world, stop = filled(), threading.Event()
    world.hold("key-003", item("key-003", 8))
    world.hold("beyond", item("beyond", 1))
    steps: list[Callable[[], None]] = [lambda: None] * calls + [stop.set]
    world.steps = iter(steps)
    outcome = verify(world.comparison(stop=stop))
    assert outcome.complete is not stop.is_set()
    assert outcome.lost == Finding()
    assert outcome.stale in {Finding(), Finding(1, ("key-003",))}
    assert outcome.extra in {Finding(), Finding(1, ("beyond",))}


def test_it_keeps_to_its_pace() -> None:
    clock = Clock()
    stop = Stop(clock)
    world = filled(100)
    verify(world.comparison(pace=ReadBudget(10.0, clock=clock), stop=stop))
    # Scanned and walked, after a first second that the bucket holds already.
    assert sum(stop.waits) == pytest.approx((100 + 100) / 10 - 1)


def test_progress_is_told_after_each_step() -> None:
    told: list[Outcome] = []
    outcome = verify(filled().comparison(progress=told.append))
    assert [one.scanned for one in told[:5]] == [7, 14, 21, 28, 30]
    assert told[-1] == outcome
    assert [one.complete for one in told] == [False] * (len(told) - 1) + [True]


def test_samples_of_another_salt_hold_other_documents() -> None:
    ids = [f"key-{n}" for n in range(10_000)]
    one, other = ([id_ for id_ in ids if Sample(0.05, salt).holds(id_)] for salt in ("1", "2"))
    assert 400 < len(one) < 600
    assert len(set(one) & set(other)) < 60
    assert [id_ for id_ in ids if Sample(0.0, "1").holds(id_)] == []
