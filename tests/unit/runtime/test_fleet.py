"""Workers that share a table's shards: fair shares, a dead worker's shards, and leaving without a gap."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import pytest

from dynalens.errors import StaleLeaseError
from dynalens.partition import Partition, Position
from dynalens.position import Commit
from dynalens.runtime.fleet import BEAT_SECONDS, LEASE_SECONDS, PULSE_SECONDS, Membership, SharedLeases
from dynalens.testing.memory import ManualClock
from tests.contract.memory_store import MemoryPositionStore

TABLE = "Donations"
SHARDS = [Partition(f"shardId-{number:03}") for number in range(12)]


class Worker:
    """One worker with the leases of one table, stepped by hand."""

    def __init__(self, store: MemoryPositionStore, name: str, clock: ManualClock, shards: Sequence[Partition]) -> None:
        self.name = name
        self.membership = Membership(store, name, clock=clock)
        self.leases = SharedLeases(TABLE, store, store, self.membership, ["metrics"])
        self.reading: set[str] = set()
        self.notified = 0
        self.leases.serve(is_read=lambda partition: partition in self.reading, notify=self.notify)
        self.leases.want(shards)

    def notify(self) -> None:
        self.notified += 1
        self.reading = {shard.id for shard in SHARDS if self.leases.holds(shard.id)}

    def held(self) -> list[str]:
        return [shard.id for shard in SHARDS if self.leases.holds(shard.id)]


class Workers:
    """Workers over one store, and the clock that they share."""

    def __init__(self, count: int, shards: Sequence[Partition] = SHARDS) -> None:
        self.store = MemoryPositionStore()
        self.clock = ManualClock()
        self.shards = shards
        self.living: list[Worker] = []
        for _ in range(count):
            self.join()

    def join(self) -> Worker:
        worker = Worker(self.store, f"w{len(self.living)}", self.clock, self.shards)
        self.living.append(worker)
        return worker

    def step(self, times: int = 1) -> None:
        for _ in range(times):
            self.clock.advance(PULSE_SECONDS)
            for worker in self.living:
                worker.membership.step()

    def shares(self) -> list[int]:
        return sorted(len(worker.held()) for worker in self.living)

    def owners(self) -> Counter[str]:
        """Count the workers that believe to hold each shard."""
        return Counter(partition for worker in self.living for partition in worker.held())


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12, 20])
def test_shards_are_shared_evenly(count: int) -> None:
    workers = Workers(count)
    workers.step(60)
    least, most = divmod(len(SHARDS), count)
    assert workers.shares() == [least] * (count - most) + [least + 1] * most
    assert set(workers.owners().values()) == {1}


def test_one_worker_leads() -> None:
    workers = Workers(3)
    workers.step(3)
    assert sum(worker.leases.leads() for worker in workers.living) == 1


def test_a_worker_that_joins_is_given_its_share() -> None:
    workers = Workers(2)
    workers.step(20)
    workers.join()
    workers.step(40)
    assert workers.shares() == [4, 4, 4]
    assert set(workers.owners().values()) == {1}
    assert len(workers.owners()) == len(SHARDS)


def test_a_shard_is_given_back_only_once_nobody_reads_it_here() -> None:
    workers = Workers(1)
    workers.step(20)
    first, second = workers.living[0], workers.join()
    first.notify = lambda: None  # type: ignore[method-assign] # its lanes are busy
    first.leases.serve(is_read=lambda partition: partition in first.reading, notify=lambda: None)
    workers.step(8)
    assert len(first.held()) == 6
    assert second.held() == []
    first.reading.clear()
    workers.step(8)
    assert len(second.held()) == 6


def test_shards_of_a_worker_that_died_are_taken_when_its_leases_expire() -> None:
    workers = Workers(3)
    workers.step(40)
    workers.living.pop()
    workers.step(int((LEASE_SECONDS - BEAT_SECONDS) / PULSE_SECONDS) - 1)
    assert len(workers.owners()) == 8, "not before"
    workers.step(int(2 * BEAT_SECONDS / PULSE_SECONDS) + 20)
    assert workers.shares() == [6, 6]


def test_a_worker_that_leaves_is_followed_at_the_next_pulse() -> None:
    workers = Workers(2)
    workers.step(20)
    leaving = workers.living.pop()
    leaving.leases.give_back()
    workers.store.leave(leaving.name)
    workers.step(3)
    assert workers.shares() == [12]


def test_whoever_slept_past_its_lease_knows_and_holds_nothing() -> None:
    workers = Workers(2)
    workers.step(20)
    sleeper = workers.living.pop()
    workers.clock.advance(LEASE_SECONDS + 1)
    assert sleeper.held() == []
    assert not sleeper.leases.leads()
    with pytest.raises(StaleLeaseError):
        sleeper.leases.take(SHARDS[0])
    workers.step(int(LEASE_SECONDS / PULSE_SECONDS) + 20)
    assert workers.shares() == [12]
    sleeper.membership.step()
    assert sleeper.held() == [], "awake again, it sees that others hold them"


def test_drained_shards_are_nobodys() -> None:
    workers = Workers(2)
    workers.step(20)
    worker = workers.living[0]
    drained = worker.held()[0]
    draw = workers.store.draw(TABLE, drained, "metrics", owner=worker.name, remembered=0)
    workers.store.commit(TABLE, "metrics", [Commit(drained, draw.epoch, Position(ended=True, rank=1, token="1"))])
    worker.leases.want(SHARDS[1:])
    worker.leases.want(SHARDS)
    workers.step(4)
    worker.reading.discard(drained)
    workers.step(8)
    assert drained not in workers.owners()
    assert workers.store.leases(TABLE)[drained] == ""


@pytest.mark.parametrize("extra", [4, 8])
def test_workers_that_see_different_lists_leave_nothing_free_for_long(extra: int) -> None:
    """Each counts over its own list and believes that the other has fewer."""
    workers = Workers(2)
    workers.living[0].leases.want([*SHARDS, *(Partition(f"scan-old-{number}", "segment") for number in range(extra))])
    workers.step(int(2 * LEASE_SECONDS / PULSE_SECONDS) + 40)
    assert len(workers.owners()) == len(SHARDS)


def test_after_an_outage_of_the_store_nobody_is_taken_for_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers(3)
    workers.step(40)
    with monkeypatch.context() as away:
        away.setattr(workers.store, "pulse", _away)
        for worker in workers.living:
            with pytest.raises(StaleLeaseError):
                worker.membership.step()
        workers.clock.advance(LEASE_SECONDS + 5)
    first = workers.living[0]
    first.membership.step()
    assert len(first.held()) == 4


def test_quiet_shards_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers(3)
    workers.step(40)

    def unexpected(table: str) -> None:
        raise AssertionError(f"{table} was read though nothing had changed")

    monkeypatch.setattr(workers.store, "leases", unexpected)
    monkeypatch.setattr(workers.store, "partitions", unexpected)
    workers.step(40)


def test_a_store_that_was_made_anew_counts_its_revisions_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was known before would never be reached, and all generations be read again four times a second."""
    workers = Workers(1)
    [worker] = workers.living
    pulse = workers.store.pulse
    monkeypatch.setattr(workers.store, "pulse", lambda: replace(pulse(), revisions={TABLE: 7}))
    workers.step()
    assert worker.leases.revision() == 7
    monkeypatch.undo()
    workers.step()
    assert worker.leases.revision() == 0


def test_a_step_that_fails_is_done_again(monkeypatch: pytest.MonkeyPatch) -> None:
    workers = Workers(1)
    leases = workers.store.leases
    monkeypatch.setattr(workers.store, "leases", failing := _Failing(leases))
    with pytest.raises(StaleLeaseError):
        workers.step()
    assert failing.failed
    workers.step(20)
    assert workers.shares() == [12]


def _away() -> None:
    raise StaleLeaseError("the store is away")


class _Failing:
    """Fails once."""

    def __init__(self, leases: object) -> None:
        self.failed = False
        self._leases = leases

    def __call__(self, table: str) -> dict[str, str]:
        if not self.failed:
            self.failed = True
            raise StaleLeaseError("not now")
        assert callable(self._leases)
        found: dict[str, str] = self._leases(table)
        return found
