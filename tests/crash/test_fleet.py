"""Workers that share a store, under load: killed, paused past their leases, and their store deleted or taken back.

The table is scripted, since emulators have one shard; the store is a table of DynamoDB Local, the target a Valkey.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

from dynalens.config import Config, load
from dynalens.position.dynamodb import DynamoStore
from dynalens.runtime.fleet import LEADER, LEASE_SECONDS
from dynalens.target.metrics import MetricsTarget, open_metrics
from dynalens.testing.streams import ScriptedStreams
from tests.contract.stores import StoreTable
from tests.fleet import WorkerProcess
from tests.services.dynamodb_local import DynamoDBLocal
from tests.services.valkey import ValkeyServer
from tests.waiting import NotObservedError, observed

pytestmark = pytest.mark.soak

TABLE = "Donations"
ITEMS = 60
SHARDS = 6
PLATFORMS = ("Phone", "Web", "Cash")
METRICS = {
    "by_item": {"group_by": "id", "sum": {"written": {}}},
    "by_platform": {"group_by": "platform", "count": True, "sum": {"amount": {"decimals": 2}}, "total": True},
}


class Writer:
    """Writes to a table with several shards without a pause, in a thread; each state of an item tells its turn."""

    def __init__(self, streams: ScriptedStreams, seed: int) -> None:
        self._streams = streams
        self._random = random.Random(seed)  # noqa: S311 - a test that can be repeated
        self._shards = [streams.add_shard() for _ in range(SHARDS)]
        self._live: set[str] = set()
        self._turn = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def written(self) -> int:
        return self._turn

    def _run(self) -> None:
        while not self._stop.wait(0.005):
            self._turn += 1
            self._write(f"item-{self._random.randrange(ITEMS)}")

    def _write(self, id_: str) -> None:
        shard = self._shards[hash(id_) % len(self._shards)]
        if id_ in self._live and self._random.random() < 0.1:
            self._live.discard(id_)
            self._streams.delete(shard, {"id": {"S": id_}})
            return
        self._live.add(id_)
        amount = self._random.randrange(10_000)
        self._streams.put(
            shard,
            {
                "id": {"S": id_},
                "platform": {"S": self._random.choice(PLATFORMS)},
                "amount": {"N": f"{amount // 100}.{amount % 100:02}"},
                "written": {"N": str(self._turn)},
            },
        )


@dataclass
class Watch:
    """Reads the metrics all the time: an item that is seen in an older state than before is written down."""

    target: MetricsTarget
    newest: dict[str, int] = field(default_factory=dict)
    went_back: list[str] = field(default_factory=list)
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.02):
            for id_, written in by_item(self.target).items():
                if written < self.newest.get(id_, 0):
                    self.went_back.append(f"{id_} from {self.newest[id_]} to {written}")
                self.newest[id_] = max(written, self.newest.get(id_, 0))


def by_item(target: MetricsTarget) -> dict[str, int]:
    groups = target.metric("donations", "by_item").groups
    return {group.group["id"].decode().strip('"'): int(group.values["written_sum"]) for group in groups}


class Fleet:
    """The workers, and all that they work with."""

    def __init__(self, folder: Path, streams: ScriptedStreams, store: StoreTable, valkey: ValkeyServer) -> None:
        self._folder = folder
        self.streams = streams
        self.table = store
        self.file = folder / "dynalens.yaml"
        self.file.write_text(yaml.safe_dump(_settings(streams, store, valkey)))
        config: Config = load(self.file)
        self.store = DynamoStore(store.location)
        self.target = open_metrics(valkey.tcp_url, folder=folder, collections=config.collections)
        self.workers: list[WorkerProcess] = []

    def start(self, count: int) -> list[WorkerProcess]:
        """Start so many workers, and wait until they share the shards."""
        for _ in range(count):
            log = self._folder / f"worker-{len(self.workers)}.log"
            self.workers.append(WorkerProcess(self.file, log))
        names = {worker.name for worker in self.workers}
        self.await_seen(lambda: set(self.owners().values()) == names)
        self.await_seen(self.is_live)
        return self.workers

    def await_seen(self, seen: Callable[[], bool]) -> float:
        """Wait until this is seen, and give the seconds; else say how things stand."""
        began = time.monotonic()
        try:
            observed(seen, timeout=120)
        except NotObservedError as error:
            error.add_note(self._said())
            raise
        return time.monotonic() - began

    def is_live(self) -> bool:
        """Whether the first copy is complete."""
        return [copy.state for copy in self.store.copies(TABLE, "metrics")] == ["live"]

    def owners(self) -> dict[str, str]:
        """Give the holder of each shard."""
        leases = self.store.leases(TABLE)
        return {partition: owner for partition, owner in leases.items() if partition.startswith("shardId") and owner}

    def are_held_by(self, *workers: WorkerProcess) -> Callable[[], bool]:
        """Whether these hold all open shards, each some."""
        names = {worker.name for worker in workers}
        return lambda: set(self.owners().values()) == names and len(self.owners()) == SHARDS

    def is_equal(self) -> bool:
        """Whether the metrics are those of the table's items."""
        return not self._differences()

    def _differences(self) -> dict[str, tuple[int | None, int | None]]:
        items = self.streams.items()
        written = {item["id"]["S"]: int(item["written"]["N"]) for item in items}
        shown = by_item(self.target)
        found = {id_: (written.get(id_), shown.get(id_)) for id_ in written.keys() | shown.keys()}
        total = self.target.metric("donations", "by_platform").total
        found["count"] = (len(items), int(total.values["count"]) if total else None)
        return {id_: (there, here) for id_, (there, here) in found.items() if there != here}

    def _said(self) -> str:
        memory = self.target.recall(TABLE)
        held = [(one.partition.id, one.epoch, one.position) for one in self.store.partitions(TABLE)]
        lines = [
            f"differs (table, target): {self._differences() if memory.generations else 'not begun'}",
            f"positions: {held}",
            f"marks: {dict(memory.marks)}, epoch {memory.epoch}, generations {memory.generations}",
            f"leases: {self.store.leases(TABLE)}, beats {self.store.pulse()}",
            f"copies: {self.store.copies(TABLE, 'metrics')}, gaps: {self.store.gaps(TABLE)}",
            *(log.read_text() for log in sorted(self._folder.glob("worker-*.log"))),
        ]
        return "\n".join(lines)

    def close(self) -> None:
        for worker in self.workers:
            worker.stop()
        self.target.close()
        self.store.close()


def _settings(streams: ScriptedStreams, store: StoreTable, valkey: ValkeyServer) -> Mapping[str, Any]:
    return {
        "source": {"endpoint_url": streams.endpoint_url, "region": "eu-west-1"},
        "targets": {"metrics": valkey.tcp_url},
        "store": store.url,
        "collections": {"donations": {"table": TABLE, "metrics": METRICS}},
    }


@pytest.fixture
def fleet(emulator: DynamoDBLocal, tmp_path: Path) -> Iterator[Fleet]:
    folder = tmp_path / "fleet"
    folder.mkdir()
    with ExitStack() as stack:
        streams = stack.enter_context(ScriptedStreams(TABLE, keys=("id",)))
        valkey = stack.enter_context(ValkeyServer(folder, listens=True))
        made = Fleet(folder, streams, StoreTable(emulator), valkey)
        stack.enter_context(closing(made))
        yield made


@pytest.fixture
def writer(fleet: Fleet) -> Iterator[Writer]:
    made = Writer(fleet.streams, seed=11)
    made.start()
    yield made
    made.stop()


def test_three_workers_of_whom_one_is_killed_and_one_paused_past_its_lease(
    fleet: Fleet, writer: Writer, record_property: Callable[[str, object], None]
) -> None:
    stays, killed, paused = fleet.start(3)
    killed.kill()
    taken_over = fleet.await_seen(fleet.are_held_by(stays, paused))
    paused.pause()
    left_alone = fleet.await_seen(fleet.are_held_by(stays))
    paused.resume()
    shared = fleet.await_seen(fleet.are_held_by(stays, paused))
    writer.stop()
    equal = fleet.await_seen(fleet.is_equal)
    record_property(
        "measured",
        f"fleet, leases of {LEASE_SECONDS:g} s: taken over {taken_over:.1f} s after SIGKILL, {left_alone:.1f} s after "
        f"SIGSTOP, shared {shared:.1f} s after SIGCONT, equal after {equal:.1f} s, {writer.written()} writes",
    )
    assert max(taken_over, left_alone) < 2 * LEASE_SECONDS + 10


def test_a_worker_that_leaves_hands_its_shards_over(
    fleet: Fleet, writer: Writer, record_property: Callable[[str, object], None]
) -> None:
    stays, leaves = fleet.start(2)
    with Watch(fleet.target) as watch:
        began = time.monotonic()
        assert leaves.end() == 0
        ended = time.monotonic() - began
        handed_over = fleet.await_seen(fleet.are_held_by(stays))
        writer.stop()
        fleet.await_seen(fleet.is_equal)
    record_property("measured", f"SIGTERM to exit {ended:.1f} s, then hand-over {handed_over:.2f} s")
    assert watch.went_back == []


def test_a_store_that_is_deleted_while_workers_run(fleet: Fleet, writer: Writer) -> None:
    """They say so, wait for `dynalens store create`, and go on from what the target remembers."""
    fleet.start(2)
    with Watch(fleet.target) as watch:
        fleet.table.delete_and_create()
        written = writer.written()
        fleet.await_seen(lambda: len(set(fleet.owners().values())) == 2)
        observed(lambda: writer.written() > written + 100)
        writer.stop()
        fleet.await_seen(fleet.is_equal)
    assert watch.went_back == []
    # Whoever had not heard yet that the first copy was complete may have said so to the new store.
    observed(lambda: [(copy.number, copy.state) for copy in fleet.store.copies(TABLE, "metrics")] == [(1, "live")])
    assert fleet.store.gaps(TABLE) == []


def test_a_store_that_is_restored_from_earlier_while_workers_run(fleet: Fleet, writer: Writer) -> None:
    fleet.start(2)
    backup = fleet.table.items_held()
    written = writer.written()
    observed(lambda: writer.written() > written + 300)
    # Drawn anew since the backup: what is restored is fenced off.
    joins = fleet.start(1)[-1]
    with Watch(fleet.target) as watch:
        fleet.table.restore(backup)
        written = writer.written()
        observed(lambda: writer.written() > written + 200)
        fleet.await_seen(lambda: joins.name in fleet.owners().values())
        writer.stop()
        fleet.await_seen(fleet.is_equal)
    assert watch.went_back == []
    assert fleet.store.leases(TABLE)[LEADER.id]
