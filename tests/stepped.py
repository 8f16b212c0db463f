"""Workers that share a table, each moved by hand: a real lane and its attachment, without threads, over fakes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from dynalens import clock
from dynalens.backfill import Wanted
from dynalens.config import CollectionConfig, dump_settings
from dynalens.dead_letter import DeadLetterStore
from dynalens.errors import DynalensError, TrimmedError
from dynalens.partition import Partition
from dynalens.pipeline import Table, TablePipeline
from dynalens.pipeline.attachment import Attachment
from dynalens.pipeline.delivery import Cursor
from dynalens.pipeline.lane import TargetLane
from dynalens.position import Copy
from dynalens.position.sqlite import SqliteStore
from dynalens.request import Request, RequestKind
from dynalens.source import Batch
from dynalens.target import Rejection, Write
from dynalens.testing.memory import MemorySource, MemoryTarget
from tests.contract.memory_store import MemoryPositionStore
from tests.pipelines import IMPATIENT, MemoryTable

TABLE = "Donations"
WANTED = Wanted("donations", "1", dump_settings(CollectionConfig(table=TABLE)))


class CountingTarget(MemoryTarget):
    """A target that counts the writes it is given, by document id."""

    def __init__(self) -> None:
        super().__init__("sql")
        self.written: Counter[str] = Counter()

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        self.written.update(write.id for write in writes)
        return super().apply(writes)


@dataclass(eq=False)
class HandedOut:
    """The leases of one worker, as the test hands them out; None holds everything."""

    owner: str
    store: MemoryPositionStore
    held: set[str] | None = None
    leading: bool = True
    alone: bool = False
    reported_as: str = ""

    def holds(self, partition: str) -> bool:
        return self.held is None or partition in self.held

    def covers(self, partition: str) -> bool:  # noqa: ARG002 - somebody reads every one
        return True

    def owners(self) -> Sequence[str]:
        return []

    def leads(self) -> bool:
        return self.leading

    def take(self, partition: Partition) -> None:
        self.store.acquire(TABLE, partition, self.owner)

    def serve(self, *, is_read: Callable[[str], bool], notify: Callable[[], None]) -> None:
        """Nobody waits for it."""

    def want(self, partitions: Sequence[Partition]) -> None:
        """The test knows."""

    def revision(self) -> int:
        return self.store.revision(TABLE)


@dataclass
class Shared:
    """A table, a target and a store that workers share."""

    folder: Path
    source: MemorySource = field(default_factory=MemorySource)
    target: CountingTarget = field(default_factory=CountingTarget)
    store: MemoryPositionStore = field(default_factory=MemoryPositionStore)

    def put(self, shard: str, id_: str, n: int = 0) -> None:
        self.source.put(shard, {"id": {"S": id_}, "n": {"N": str(n)}})

    def ask(self, kind: RequestKind) -> None:
        self.store.ask(Request(table=TABLE, collection="donations", target="sql", kind=kind))

    def copies(self) -> dict[int, str]:
        return {copy.number: copy.state for copy in self.store.copies(TABLE, "sql")}

    def copy(self, number: int) -> Copy:
        return next(copy for copy in self.store.copies(TABLE, "sql") if copy.number == number)

    def gaps(self) -> list[str]:
        return [gap.partition for gap in self.store.gaps(TABLE)]

    def is_equal(self) -> bool:
        return self.target.documents("donations") == self.source.documents()

    def letters(self, owner: str) -> DeadLetterStore:
        return SqliteStore(self.folder / f"{owner}.db")

    def worker(self, name: str = "w0", **leases: object) -> Stepped:
        """Make a worker that has listed the shards and is not attached yet."""
        return Stepped(self, HandedOut(name, self.store, **leases))  # type: ignore[arg-type]


class Stepped:
    """One worker, moved by hand."""

    def __init__(self, shared: Shared, leases: HandedOut, *, stream: str = "stream-1", repairs: bool = True) -> None:
        self.leases = leases
        self._shared = shared
        source = shared.source
        self.pipeline = TablePipeline(
            table=Table(
                name=TABLE,
                stream=stream,
                keys=source.keys,
                items=0,
                wanted={"sql": [WANTED]},
                repairs=repairs,
                read_at={"sql": time.time()},
            ),
            stream=source,
            scans=lambda scan: source.scan(scan.id, scan.segments),
            targets=[shared.target],
            store=shared.store,
            requests=shared.store,
            leases=leases,
            other_reports=lambda _target: [],
            reader=lambda _stop: MemoryTable(source),
            dead_letters=shared.letters(leases.owner),
            fetch=source.item,
            segments=1,
            retries=IMPATIENT,
        )
        self.lane: TargetLane = self.pipeline._lanes["sql"]
        self.pipeline._scans_open = True
        self.discover()

    @property
    def attachment(self) -> Attachment:
        return self.lane._attachment

    def discover(self) -> None:
        self.pipeline._discover()

    def attach(self) -> Stepped:
        self.lane._detach()
        self.lane._attach()
        return self

    def work(self) -> None:
        """Read one page of every partition and apply them."""
        self.read()
        with self.pipeline._feed.lock:
            deliveries = list(self.lane._queue.take())
        if deliveries:
            self.lane._apply(deliveries)

    def read(self) -> None:
        """Read one page of every partition, to be applied later."""
        with self.pipeline._feed.lock:
            for cursor in list(self.attachment.reading.cursors.values()):
                if not cursor.position.ended:
                    self._read(cursor)

    def _read(self, cursor: Cursor) -> None:
        source = self.pipeline._sources.get(cursor.partition.id, self._shared.source)
        try:
            batch = source.open(cursor.partition, cursor.position).read()
        except TrimmedError as error:
            self.lane.source_failed(cursor.partition, error)
        else:
            self.lane.deliver(cursor.take(batch, clock.now()))

    def apply_page(self, cursor: Cursor, batch: Batch) -> None:
        """Apply a page that was read before."""
        self.lane._apply([cursor.take(batch, clock.now())])

    def step(self) -> None:
        """Do what a lane does between two batches; a failure drops all that is in memory, and it attaches again."""
        try:
            self.work()
            self.tend()
        except DynalensError:
            self.attach()

    def tend(self) -> None:
        """Do what a lane does besides applying; changes that were found to be lost end its attachment."""
        if self.lane._lost:
            raise TrimmedError("changes were lost")
        self.lane._tend()


def settle(*workers: Stepped, rounds: int = 12) -> None:
    """Let workers take turns until nothing is left to do for sure."""
    for _ in range(rounds):
        for worker in workers:
            worker.step()


def begun(shared: Shared) -> Stepped:
    """Make a worker whose first copy is complete."""
    worker = shared.worker().attach()
    settle(worker)
    assert shared.is_equal()
    assert shared.copies() == {1: "live"}
    return worker
