"""Cells over a process that is killed or stopped at its worst moments: faults 1, 2, 3, 20, 21 and 32."""

from __future__ import annotations

import time
from functools import partial

import pytest

from dynalens import failpoint
from dynalens.errors import FolderLockedError, StoreError
from dynalens.testing import Fault
from tests.faults import child
from tests.faults.calls import DAY, draw_over, lowest_epoch
from tests.faults.rig import Rig

APPLYING = (failpoint.BEFORE_APPLY, failpoint.AFTER_APPLY, failpoint.AFTER_MARK)
KILLS_PER_SECOND = 2
COPYING = (
    failpoint.BEFORE_DRAW,
    failpoint.AFTER_DRAW,
    failpoint.AFTER_RAISE_EPOCH,
    failpoint.COPY_RECORDED,
    failpoint.SEGMENT_PAGE,
    failpoint.BEFORE_SERVE,
    failpoint.AFTER_SERVE,
)


def killed_before_its_commit(rig: Rig) -> None:
    """Killed between the target's acknowledgement and the commit of the position, several times in a row."""
    rig.load(0, 10)
    rig.write(1, 30)
    for _ in rig.rounds(1, 4):
        moment = rig.random.choice([failpoint.AFTER_APPLY, failpoint.AFTER_MARK])
        rig.start(f"{moment}=kill:{rig.random.randint(1, 3)}")
        rig.write(1, 30)
        rig.bury()
        rig.write(0, 30)
    rig.settle()
    assert rig.generations() == {1}


def position_waits_for_acknowledgement(rig: Rig) -> None:
    """At no moment before the target's acknowledgement and mark is a position stored that covers the batch."""
    rig.write(1, 30)
    rig.start()
    for moment in rig.random.sample(APPLYING, len(APPLYING)):
        rig.catch_up()
        # What is served already may be committed a moment later.
        rig.observe(lambda state: state.is_settled and rig.table.is_confirmed(state.positions))
        before = rig.stored()
        rig.arm(f"{moment}=pause")
        rig.await_pause()
        assert rig.stored() == before
        rig.process.go_on()
        rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def stopped_past_its_lease(rig: Rig) -> None:
    """Stopped in mid-batch while another worker draws over it, then continued: its commit is refused."""
    rig.load(0, 10)
    rig.write(1, 20)
    rig.start()
    for _ in rig.rounds(1, 4):
        rig.catch_up()
        rig.arm(f"{rig.random.choice(APPLYING)}=pause")
        rig.await_pause()
        before = rig.stored()
        try:
            drawn = draw_over(rig)
        except StoreError:
            # It was stopped while another thread of it wrote its report: the local file is one process's at a time.
            rig.process.go_on()
            continue
        rig.write_unseen(1, 20)
        assert rig.stored() == before
        rig.process.go_on()
        rig.write(1, 20)
        rig.catch_up()
        assert lowest_epoch(rig) > drawn, "the commit of a batch from before was not refused"
    rig.settle()
    assert rig.generations() == {1}


def second_process(rig: Rig) -> None:
    """A second process over the folder is refused, also while the first is stopped."""
    rig.load(0, 10)
    rig.start()
    rig.write(1, 20)
    with pytest.raises(FolderLockedError):
        rig.another_process()
    rig.process.pause()
    with pytest.raises(FolderLockedError):
        rig.another_process()
    rig.write_unseen(1, 20)
    rig.process.go_on()
    rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def writes_during_the_first_copy(rig: Rig) -> None:
    """Items are put and deleted before and after their page is scanned, and before its rows are applied."""
    rig.load(10, 24)
    before_the_scan = rig.random.choice([failpoint.COPY_RECORDED, failpoint.AFTER_DRAW])
    rig.start(f"{before_the_scan}=pause,{failpoint.SEGMENT_PAGE}=pause")
    for _ in (before_the_scan, failpoint.SEGMENT_PAGE):
        rig.await_pause()
        for id_ in rig.writes.live():
            if rig.random.random() < 0.3:
                rig.perform(rig.writes.delete(id_))
        rig.write_unseen(5, 60)
        rig.process.go_on()
    rig.write(0, 30)
    rig.settle()
    assert rig.generations() == {1}


def first_copy_is_killed(rig: Rig) -> None:
    """The first copy is killed at any of its moments, over and over, while items are written."""
    rig.load(10, 24)
    for _ in rig.rounds(1, 4):
        rig.start(f"{rig.random.choice(COPYING)}=kill")
        rig.write(0, 30)
        # What is left of the copy may have no such moment any more.
        rig.bury(unless=rig.has_copied)
        rig.write(0, 30)
    rig.settle()
    assert rig.generations() == {1}


def first_copy_takes_days(rig: Rig) -> None:
    """The first copy takes longer than the stream keeps its records: they are applied meanwhile."""
    rig.load(10, 24)
    rig.streams.fail("Scan", Fault.THROUGHPUT, times=1_000_000)
    rig.start()
    for _ in rig.rounds(1, 3):
        rig.write(1, 30)
        rig.observe(lambda state: rig.table.is_confirmed(state.positions))
        for shard in rig.table.shards:
            rig.streams.trim(shard)
        rig.clock_shift += 1.1 * DAY
        rig.process.ask(partial(child.shift_clock, seconds=rig.clock_shift))
        rig.write(1, 30)
    rig.streams.heal()
    rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}


def disk_is_full(rig: Rig) -> None:
    """No file can grow for a while: nothing is confirmed that is not kept."""
    rig.load(1, 20)
    rig.write(1, 20)
    rig.start()
    for _ in rig.rounds(1, 4):
        rig.write(1, 30)
        rig.process.ask(partial(child.fill_disk, full=True))
        rig.write(1, 30)
        rig.spend(0.5)
        if rig.random.random() < 0.3:
            rig.kill()
            rig.start()
        else:
            rig.process.ask(partial(child.fill_disk, full=False))
        rig.write(1, 30)
    rig.settle()


def killed_while_it_applies(rig: Rig) -> None:
    """The process is killed in the middle of a write of its target."""
    rig.load(1, 20)
    for _ in rig.rounds(2, 6):
        rig.start(f"{failpoint.BEFORE_APPLY}=pause:{rig.random.randint(1, 3)}")
        rig.await_pause()
        rig.process.go_on()
        rig.spend(0.02)
        rig.kill()
        rig.write(0, 30)
    rig.settle()
    assert rig.generations() == {1}


def killed_twice_a_second(rig: Rig) -> None:
    """SIGKILL twice a second under load, whether it stands yet or not; some live for longer, and get somewhere."""
    rig.load(10, 24)
    rig.write(1, 30)
    began, kills, stood = time.monotonic(), 0, 0
    while (elapsed := time.monotonic() - began) < rig.seconds or not stood:
        rig.launch()
        early = kills < elapsed * KILLS_PER_SECOND
        rig.write_for(rig.random.uniform(0.0, 0.3) if early else rig.random.uniform(0.3, 3.0))
        stood += rig.process.stands()
        rig.kill()
        kills += 1
    assert kills >= 1.5 * rig.seconds, "the machine is too busy for a storm"
    rig.settle()
    assert rig.generations() == {1}
