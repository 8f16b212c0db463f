"""Cells over two processes that share a table's shards: faults 3 and 4."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from dynalens import failpoint
from dynalens.partition import Position
from tests.faults import child
from tests.faults.calls import lowest_epoch
from tests.faults.process import Process
from tests.faults.rig import Rig


def zombie_writes(rig: Rig) -> None:
    """Stopped in mid-batch past its lease while another worker goes on with its shards, then continued: refused."""
    other = _two_workers(rig)
    name = other.ask(child.owner)
    for _ in rig.rounds(1, 2):
        rig.catch_up()
        rig.observe(lambda _: _shares(rig))
        # What it has read and is about to write: below all that the other worker writes from then on.
        _arm(other, f"{failpoint.BEFORE_APPLY}=pause,{failpoint.AFTER_APPLY}=pause")
        rig.await_pause(other)
        rig.observe(lambda _: rig.owners() and name not in rig.owners().values())
        rig.write(5, 40)
        rig.observe(lambda state: rig.table.is_confirmed(state.positions))
        before = rig.stored()
        other.go_on()
        rig.observe(lambda _: other.is_paused())
        rig.write(1, 20)
        other.go_on()
        rig.observe(lambda _: _never_below(before, rig.stored()) and name in rig.owners().values())  # noqa: B023
    rig.settle()
    assert rig.generations() == {1}


def twins(rig: Rig) -> None:
    """Two workers believe that they hold every shard, and draw over each other with every batch."""
    other = _two_workers(rig)
    for _ in rig.rounds(1, 3):
        rig.observe(lambda _: _shares(rig))
        drawn = lowest_epoch(rig)
        for process in (rig.process, other):
            process.ask(partial(child.believe, believes=True))
        rig.write(5, 40)
        rig.observe(lambda _: lowest_epoch(rig) > drawn)  # noqa: B023 - waited for here
        rig.write(5, 40)
        rig.spend(1.0)
        for process in (rig.process, other):
            process.ask(partial(child.believe, believes=False))
        rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def _two_workers(rig: Rig) -> Process:
    """Let two processes share four shards; give the one that is not asked for its state."""
    rig.share()
    rig.table.spread(4)
    rig.write(5, 30)
    # Before there is a generation, the one that does not lead moves on over changes that the first copy brings.
    rig.watched = False
    rig.start()
    other = rig.another_process()
    rig.observe(lambda _: rig.has_copied() and _shares(rig))
    rig.watched = True
    return other


def _shares(rig: Rig) -> bool:
    owners = rig.owners()
    return len(owners) == len(rig.table.shards) and len(set(owners.values())) == 2


def _arm(process: Process, failpoints: str) -> None:
    process.ask(partial(child.arm, failpoints=failpoints))


def _never_below(before: Mapping[str, Position], now: Mapping[str, Position]) -> bool:
    below = [shard for shard, position in before.items() if shard in now and now[shard] < position]
    assert not below, f"a commit of a batch from before was not refused: {below}"
    return True
