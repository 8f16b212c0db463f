"""Pipelines of several workers over one target and one store: each change arrives, whoever reads its shard."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

import pytest

from dynalens.backfill import Scan, Wanted
from dynalens.config import dump_settings
from dynalens.pipeline import Table, TablePipeline
from dynalens.position import Copy
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report
from dynalens.request import Request
from dynalens.runtime import fleet
from dynalens.runtime.fleet import Membership, SharedLeases
from dynalens.source import Source
from dynalens.testing.memory import MemorySource, MemoryTarget
from tests.contract.memory_store import MemoryPositionStore
from tests.pipelines import DONATIONS, IMPATIENT, MemoryTable
from tests.waiting import observed

SHARDS = ["s1", "s2", "s3", "s4"]


@dataclass
class Shared:
    """One table, one target and one store, and the workers that come and go."""

    source: MemorySource
    target: MemoryTarget
    store: MemoryPositionStore
    dead_letters: SqliteStore
    written: int = 0
    fingerprint: str = "1"
    workers: list[Worker] = field(default_factory=list)

    def write(self, times: int = 20) -> None:
        """Put and delete over all shards."""
        for _ in range(times):
            self.written += 1
            number = self.written % 40
            shard = SHARDS[number % len(SHARDS)]
            key = {"id": {"S": f"item-{number}"}}
            if self.written % 7 == 0:
                self.source.delete(shard, key)
            else:
                self.source.put(shard, {**key, "n": {"N": str(self.written)}})

    def is_equal(self) -> bool:
        return self.target.documents("donations") == self.source.documents()

    def copies(self) -> list[Copy]:
        return self.store.copies("Donations", "sql")

    @contextmanager
    def worker(self, name: str) -> Iterator[Worker]:
        """Run one more worker; leaving ends it gracefully."""
        worker = Worker(self, name)
        self.workers.append(worker)
        worker.start()
        try:
            yield worker
        finally:
            self.workers.remove(worker)
            worker.end()

    @contextmanager
    def running(self, count: int) -> Iterator[list[Worker]]:
        """Run workers side by side."""
        with ExitStack() as stack:
            yield [stack.enter_context(self.worker(f"w{number}")) for number in range(count)]


class Worker:
    """One worker's pipeline and leases."""

    def __init__(self, shared: Shared, name: str) -> None:
        self._shared = shared
        self.membership = Membership(shared.store, name)
        self.leases = SharedLeases("Donations", shared.store, shared.store, self.membership, ["sql"])
        settings = dump_settings(DONATIONS["donations"])
        self.pipeline = TablePipeline(
            table=Table(
                name="Donations",
                stream="stream-1",
                keys=shared.source.keys,
                items=0,
                wanted={"sql": [Wanted("donations", shared.fingerprint, settings)]},
                read_at={"sql": time.time()},
            ),
            stream=shared.source,
            scans=self._scan(shared.source),
            targets=[shared.target],
            store=shared.store,
            requests=shared.store,
            leases=self.leases,
            other_reports=lambda _target: self._others(),
            reader=lambda _stop: MemoryTable(shared.source),
            dead_letters=shared.dead_letters,
            fetch=shared.source.item,
            segments=2,
            retries=IMPATIENT,
        )
        self.leases.serve(is_read=self.pipeline.is_read, notify=self.pipeline.wake)

    def _scan(self, source: MemorySource) -> Callable[[Scan], Source]:
        return lambda scan: source.scan(scan.id, scan.segments)

    def _others(self) -> list[Report]:
        others = [worker for worker in self._shared.workers if worker is not self]
        return [report for worker in others for report in worker.pipeline.reports()]

    def start(self) -> None:
        self.membership.start()
        self.pipeline.start()

    def held(self) -> list[str]:
        return [shard for shard in SHARDS if self.leases.holds(shard)]

    def die(self) -> None:
        """End without a word: its leases stay."""
        self.membership._stop.set()
        self.pipeline.stop(0.0)
        assert self.pipeline.join(10.0)

    def end(self) -> None:
        self.pipeline.stop(5.0)
        assert self.pipeline.join(10.0)
        self.membership.stop()


@pytest.fixture
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    source = MemorySource(page_size=10)
    for shard in SHARDS:
        source.add_shard(shard)
    for number in range(30):
        source.preload({"id": {"S": f"old-{number}"}})
    letters = SqliteStore(tmp_path_factory.mktemp("letters") / "letters.db")
    yield Shared(source, MemoryTarget("sql"), MemoryPositionStore(), letters)
    letters.close()


def test_workers_share_the_shards_and_every_change_arrives(shared: Shared) -> None:
    with shared.running(2) as workers:
        shared.write()
        observed(shared.is_equal)
        observed(lambda: [len(worker.held()) for worker in workers] == [2, 2])
        shared.write()
        observed(shared.is_equal)
        observed(lambda: [copy.state for copy in shared.copies()] == ["live"])


def test_a_worker_that_leaves_hands_its_shards_over(shared: Shared) -> None:
    with shared.worker("w0") as stays:
        with shared.worker("w1") as leaves:
            observed(lambda: len(leaves.held()) == 2)
            shared.write()
        shared.write()
        observed(lambda: len(stays.held()) == len(SHARDS))
        observed(shared.is_equal)


def test_a_worker_that_dies_is_replaced_when_its_leases_expire(shared: Shared, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet, "LEASE_SECONDS", 1.0)
    monkeypatch.setattr(fleet, "BEAT_SECONDS", 0.2)
    with shared.worker("w0") as stays, shared.worker("w1") as dies:
        observed(lambda: len(dies.held()) == 2)
        shared.write()
        dies.die()
        shared.write()
        observed(lambda: len(stays.held()) == len(SHARDS))
        observed(shared.is_equal)


def test_a_child_on_another_worker_follows_its_parent(shared: Shared) -> None:
    with shared.running(2):
        observed(lambda: [copy.state for copy in shared.copies()] == ["live"])
        for shard in SHARDS:
            shared.source.end(shard)
            shared.source.add_shard(f"{shard}-child", parents=[shard])
        shared.source.put("s1-child", {"id": {"S": "item-4"}, "n": {"N": "1"}})
        shared.source.put("s2-child", {"id": {"S": "item-1"}, "n": {"N": "2"}})
        observed(shared.is_equal)


def test_a_rebuild_reaches_every_worker_before_its_scan_begins(shared: Shared) -> None:
    with shared.running(3):
        shared.write()
        observed(shared.is_equal)
        observed(lambda: [copy.state for copy in shared.copies()] == ["live"])
        shared.store.ask(Request(table="Donations", collection="donations", target="sql", kind="rebuild"))
        for _ in range(10):
            shared.write(5)
        observed(lambda: [(copy.number, copy.state) for copy in shared.copies()] == [(1, "kept"), (2, "live")])
        shared.write()
        observed(shared.is_equal)


def test_a_store_that_was_emptied_is_filled_again_by_those_who_work(shared: Shared) -> None:
    """Nothing is refused in silence, and nothing old comes back: marks say how far the target is."""
    with shared.running(2):
        shared.write()
        observed(shared.is_equal)
        observed(lambda: [copy.state for copy in shared.copies()] == ["live"])
        shared.store.restore(MemoryPositionStore().backup())
        shared.write(40)
        observed(shared.is_equal)
        observed(lambda: [copy.state for copy in shared.copies()] == ["live"])
        assert shared.store.gaps("Donations") == []


def test_every_worker_says_that_it_has_caught_up_when_the_others_have_drained_a_shard(shared: Shared) -> None:
    with shared.running(2) as workers:
        observed(lambda: [len(worker.held()) for worker in workers] == [2, 2])
        for shard in SHARDS:
            shared.source.end(shard)
            shared.source.add_shard(f"{shard}-child", parents=[shard])
        observed(lambda: all(report.caught_up for worker in workers for report in worker.pipeline.reports()))
