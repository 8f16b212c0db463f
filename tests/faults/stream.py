"""Cells over a stream that splits, trims, repeats and lies: faults 5 to 11, 14, 15 and 19."""

from __future__ import annotations

from dynalens.source.streams import SECOND_LOOKS
from dynalens.testing import Fault
from tests.faults.child import State
from tests.faults.rig import Rig


def shard_is_split(rig: Rig) -> None:
    """Shards split and roll over while they are written and read; keys go on in the children."""
    rig.load(0, 10)
    rig.start()
    for _ in rig.rounds(2, 5):
        rig.write(1, 40)
        rig.table.split(rig.some_shard())
        rig.write(1, 20)
        if rig.random.random() < 0.5:
            rig.table.roll_over(rig.some_shard())
    rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def child_before_its_parent(rig: Rig) -> None:
    """Children are listed and full while their parents lag and are slow to end, also when the process dies then."""
    rig.write(20, 120)
    for _ in rig.rounds(1, 3):
        parent = rig.some_shard()
        rig.table.split(parent)
        rig.streams.empty_pages(parent, rig.random.randint(1, 60))
        rig.write(1, 30)
    rig.start()
    for _ in rig.rounds(1, 4):
        rig.write(1, 30)
        parent = rig.some_shard()
        rig.streams.empty_pages(parent, rig.random.randint(1, 300))
        rig.write(1, 10)
        rig.table.roll_over(parent)
        rig.write(1, 10)
        if rig.random.random() < 0.5:
            # What was read of the child by then has lower versions than what its parent still has to give.
            rig.spend(0.4)
            rig.kill()
            rig.start()
    rig.settle()
    assert rig.generations() == {1}


def hundreds_of_shards(rig: Rig) -> None:
    """The list of shards has several pages, and keys are in shards of the last one."""
    rig.table.add_shards(rig.random.randint(101, 120))
    for _ in rig.rounds(1, 3):
        rig.write(1, 20)
        rig.table.split(rig.some_written_shard())
    rig.write(1, 20)
    rig.start()
    rig.write(1, 20)
    rig.table.split(rig.some_written_shard())
    rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def incomplete_list_of_shards(rig: Rig) -> None:
    """Shards are left out of lists, parents are shown open beside their children, in small pages."""
    rig.streams.shards_per_page = rig.random.randint(1, 3)
    rig.write(1, 30)
    rig.table.split(rig.some_shard())
    rig.start()
    longest = 0
    for _ in rig.rounds(2, 5):
        rig.write(1, 20)
        parent = rig.some_shard()
        listings = rig.random.randint(1, 4)
        longest = max(longest, listings)
        if longest >= SECOND_LOOKS.attempts:
            # Believed to be gone, it no longer tells what comes before its children: keys may go back until it is back.
            rig.watched = False
        children = rig.table.split(parent) if rig.random.random() < 0.7 else [rig.table.roll_over(parent)]
        rig.streams.hide_shard(rig.random.choice([parent, *children]), listings=listings)
        rig.streams.show_open(parent, listings=listings)
        rig.write(1, 20)
    rig.settle()
    # A parent that was believed to be gone is a gap when it is back.
    assert rig.generations() == {1} or longest >= SECOND_LOOKS.attempts


def parent_is_listed_late(rig: Rig) -> None:
    """A parent that no list has shown before its child was read is a gap: it is never read above its child."""
    rig.load(1, 20)
    rig.write(1, 20)
    rig.start()
    rig.catch_up()
    rig.kill()
    parent = rig.random.choice(rig.table.split(rig.some_shard()))
    rig.write(5, 40)
    children = rig.table.split(parent)
    rig.write(1, 20)
    rig.streams.hide_shard(parent, listings=1_000_000)
    rig.start()
    rig.observe(lambda state: not state.positions.keys().isdisjoint(children))
    rig.write(0, 20)
    rig.streams.hide_shard(parent, listings=0)
    rig.observe(has_gap)
    rig.write(0, 20)
    rig.settle()
    assert min(rig.generations()) > 1


def iterators_expire(rig: Rig) -> None:
    """Iterators expire in use, and before they are used for the first time."""
    rig.write(1, 20)
    rig.streams.fail("GetRecords", Fault.EXPIRED_ITERATOR, times=rig.random.randint(1, 3))
    rig.start()
    for _ in rig.rounds(2, 8):
        rig.write(1, 20)
        rig.streams.expire_iterators()
        if rig.random.random() < 0.3:
            rig.table.split(rig.some_shard())
            rig.streams.expire_iterators()
    rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def records_are_trimmed(rig: Rig) -> None:
    """The worker is off for more than a day, and the stream keeps nothing of it: a gap that a new generation closes."""
    rig.load(1, 20)
    rig.write(1, 40)
    rig.start()
    rig.catch_up()
    rig.write(0, 10)
    rig.kill()
    rig.write(5, 40)
    if rig.random.random() < 0.5:
        rig.table.split(rig.some_shard())
        rig.write(1, 20)
    rig.clock_shift += 25 * 3600
    for shard in [*rig.table.closed_shards, *rig.table.shards]:
        rig.streams.trim(shard)
    rig.write(0, 20)
    rig.start()
    rig.observe(has_gap)
    rig.write(0, 20)
    rig.settle()
    assert min(rig.generations()) > 1


def trimmed_while_reading(rig: Rig) -> None:
    """Records are trimmed before a lagging reader gets to them."""
    rig.write(1, 20)
    rig.start()
    rig.catch_up()
    rig.process.pause()
    rig.write_unseen(1, 20)
    for shard in [*rig.table.closed_shards, *rig.table.shards]:
        rig.streams.trim(shard)
    rig.process.go_on()
    rig.observe(has_gap)
    rig.write(0, 20)
    rig.settle()
    assert min(rig.generations()) > 1


def shard_is_not_found(rig: Rig) -> None:
    """A shard that is still listed cannot be found for a while, or its id is called invalid: nothing is lost."""
    rig.write(1, 20)
    rig.start()
    for _ in rig.rounds(2, 5):
        rig.write(1, 20)
        fault = rig.random.choice([Fault.NOT_FOUND, Fault.INVALID])
        rig.streams.fail(rig.random.choice(["GetShardIterator", "GetRecords"]), fault, times=rig.random.randint(1, 3))
        rig.streams.expire_iterators()
        rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def shard_vanishes(rig: Rig) -> None:
    """A shard vanishes with what was not read of it, also while its drained parent stays: a gap."""
    rig.load(1, 10)
    rig.write(1, 20)
    rig.start()
    rig.catch_up()
    rig.table.split(rig.some_shard())
    rig.write(1, 20)
    rig.catch_up()
    rig.process.pause()
    rig.write_unseen(1, 20)
    rig.table.lose_shard(rig.some_shard(), alone=rig.random.random() < 0.5)
    rig.write_unseen(1, 20)
    rig.process.go_on()
    rig.observe(has_gap)
    rig.settle()
    assert min(rig.generations()) > 1


def a_thousand_empty_pages(rig: Rig) -> None:
    """Pages without records, and with a live iterator, are no end: there are records behind them."""
    rig.write(5, 40)
    parent = rig.some_shard()
    rig.streams.empty_pages(parent, 1000)
    rig.table.split(parent)
    rig.write(1, 20)
    rig.streams.empty_pages(rig.some_shard(), rig.random.randint(1, 20))
    rig.start()
    rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def records_are_repeated(rig: Rig) -> None:
    """Records come again, one by one and in whole pages."""
    rig.write(1, 40)
    rig.start()
    for _ in rig.rounds(2, 8):
        rig.write(1, 20)
        rig.streams.repeat(rig.some_shard(), rig.random.randint(1, 30), before=rig.random.choice([0, 5, 10]))
        if rig.random.random() < 0.2:
            rig.table.split(rig.some_shard())
    rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}


def items_expire(rig: Rig) -> None:
    """Time-to-live deletes items, and some are put again."""
    rig.load(5, 20)
    rig.start()
    for _ in rig.rounds(2, 5):
        rig.write(1, 20)
        for id_ in rig.writes.live():
            if rig.random.random() < 0.4:
                rig.table.write(rig.writes.delete(id_), expired=True)
    rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}


def has_gap(state: State) -> bool:
    """Whether status shows a gap."""
    return any(status.phase == "gap" and status.gaps for status in state.status.values())
