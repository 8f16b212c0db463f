"""Cells over calls that fail: faults 12, 13, 22 and 33."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from functools import partial
from typing import get_args

from dynalens.testing import Fault, Operation
from tests.faults import child
from tests.faults.rig import Rig

OPERATIONS: tuple[Operation, ...] = get_args(Operation)
THROTTLES = (Fault.THROTTLED, Fault.TOO_MANY_READERS, Fault.THROUGHPUT)
BREAKS = (
    Fault.INTERNAL,
    Fault.HTML,
    Fault.CUT_BODY,
    Fault.CUT_JSON,
    Fault.INVALID_JSON,
    Fault.WRONG_CHECKSUM,
    Fault.RESET,
)
EXPIRED = (Fault.EXPIRED_TOKEN, Fault.DENIED)
DAY = 24 * 3600.0


def throttling_storms(rig: Rig) -> None:
    """Every call is throttled again and again, from the first one on."""
    _storms(rig, THROTTLES, most=4)


def broken_answers(rig: Rig) -> None:
    """Every call fails inside the service or is answered with something broken."""
    _storms(rig, BREAKS, most=3)


def credentials_expire(rig: Rig) -> None:
    """Credentials expire in mid-run, and are renewed."""
    _storms(rig, EXPIRED, most=2)


def _storms(rig: Rig, faults: Sequence[Fault], most: int) -> None:
    rig.load(1, 20)
    rig.write(1, 20)
    started = False
    for _ in rig.rounds(2, 4):
        for operation in OPERATIONS:
            rig.streams.fail(operation, rig.random.choice(faults), times=rig.random.randint(0, most))
        if not started:
            rig.start()
            started = True
        rig.write(1, 30)
        rig.table.split(rig.some_shard())
        rig.spend(0.5)
        rig.write(1, 30)
    rig.streams.heal()
    rig.settle()
    assert rig.generations() == {1}


def position_store_is_throttled(rig: Rig) -> None:
    """The position store takes no writes for a while, over and over."""
    rig.write(1, 20)
    rig.start()
    rig.process.ask(child.lose_patience)
    with closing(sqlite3.connect(rig.folder / "data" / "state.db", isolation_level=None)) as another:
        for _ in rig.rounds(2, 6):
            rig.write(1, 20)
            another.execute("BEGIN IMMEDIATE")
            rig.write(1, 20)
            rig.spend(0.3)
            another.execute("ROLLBACK")
            rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def conditional_write_fails(rig: Rig) -> None:
    """Another worker draws over every epoch: what was read before is dropped and read again."""
    rig.write(1, 20)
    rig.start()
    for _ in rig.rounds(2, 6):
        rig.write(1, 30)
        drawn = draw_over(rig)
        rig.write(5, 30)
        rig.catch_up()
        assert lowest_epoch(rig) > drawn, "a commit under an epoch that was drawn over was not refused"
    rig.settle()
    assert rig.generations() == {1}


def draw_over(rig: Rig) -> int:
    """Take every lease and draw every epoch, as a worker that believes this one to be dead; give the highest."""
    store = rig.store()
    drawn = 0
    for held in store.partitions(rig.streams.table):
        if not held.position.ended:
            store.acquire(rig.streams.table, held.partition, "twin")
            draw = store.draw(rig.streams.table, held.partition.id, held.target, owner="twin", remembered=held.epoch)
            drawn = max(drawn, draw.epoch)
    return drawn


def lowest_epoch(rig: Rig) -> int:
    """Give the lowest epoch under which a partition is read now."""
    held = rig.store().partitions(rig.streams.table)
    return min(state.epoch for state in held if not state.position.ended)


def clock_jumps(rig: Rig) -> None:
    """The machine's clock jumps back and forth by hours while it runs."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(2, 6):
        rig.write(1, 30)
        rig.process.ask(partial(child.shift_clock, seconds=rig.random.uniform(-DAY, DAY) / 2))
        rig.write(1, 30)
        if rig.random.random() < 0.5:
            rig.kill()
            rig.start()
    rig.settle()
    assert rig.generations() == {1}
