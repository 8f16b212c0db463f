"""The rig: a scripted table, random writes into it, a process that copies it, and the judgement in the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Self

from dynalens.config import SourceConfig
from dynalens.partition import Position
from dynalens.position.dynamodb import DynamoStore
from dynalens.position.sqlite import SqliteStore
from dynalens.testing import Item, ScriptedStreams
from dynalens.testing.oracle import (
    Differences,
    compare_documents,
    compare_metric,
    exact_json,
    expected_items,
    expected_metric,
)
from tests.contract.stores import StoreTable
from tests.faults import child
from tests.faults.child import Kind, Served, Start, State, Store
from tests.faults.process import Process, ProcessGoneError
from tests.faults.served import ServedProcess
from tests.faults.writes import COLLECTIONS, KEYS, TABLE, EmulatedTable, Operation, ScriptedTable, Writes, gone_back
from tests.services.clickhouse.server import ClickHouseServer
from tests.services.dynamodb_local import DynamoDBLocal
from tests.services.opensearch.server import OpenSearchServer
from tests.services.valkey import ValkeyServer
from tests.waiting import NotObservedError, observed

SETTLE_SECONDS = 60.0
LITTLE_ROOM = {"http.max_content_length": "1mb", "thread_pool.write.size": 1, "thread_pool.write.queue_size": 4}
"""Settings of an OpenSearch: it comes to its limits by what a run writes."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much a run does, so that a failing one can be made smaller.

    Attributes:
        writes: Share of each batch of writes.
        rounds: Most repetitions of a fault.
        seconds: How long faults last that go on for a time.
    """

    writes: float = 1.0
    rounds: int = 100
    seconds: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run ended with. All but the last two are what must not be."""

    lost: int = 0
    extra: int = 0
    stale: int = 0
    wrong_metrics: int = 0
    gone_back: int = 0
    unsettled: str = ""
    """Why it does not say of itself that all is well."""
    recovery_seconds: float = 0.0
    """From the end of the faults until all is equal and status says so."""
    peak_bytes: int = 0

    @property
    def is_clean(self) -> bool:
        """Whether all is as it must be."""
        return not (self.lost or self.extra or self.stale or self.wrong_metrics or self.gone_back or self.unsettled)


class DiffersError(AssertionError):
    """What is served is not what it must be."""

    def __init__(self, outcome: Outcome, said: str) -> None:
        super().__init__(f"{outcome}\n{said}")
        self.outcome = outcome


class Rig:
    """One run of one cell: alive inside its `with` block.

    Args:
        kind: The target under test.
        seed: Decides every write and every moment.
        folder: Takes the data.
        size: How much it does.
    """

    def __init__(self, kind: Kind, seed: int, folder: Path, size: Size = Size()) -> None:
        self.kind = kind
        self.random = random.Random(f"faults {seed}")  # noqa: S311 - a run that can be repeated
        self.writes = Writes(seed)
        self.stack = ExitStack()
        self.clock_shift = 0.0
        """How far the clock of table, stream and process stands before the real one, in seconds."""
        self.search_url = "tantivy://./data/search"
        self.sql_url = "chdb://./data/sql"
        self.metrics_url = "valkey://embedded"
        self.watched = True
        """Whether keys are watched for going back; not where the target itself forgets what it confirmed."""
        self.folder = folder
        self.seconds = size.seconds
        self._size = size
        self._shared: StoreTable | None = None
        self._store: Store | None = None
        self._process: Process | None = None
        self._state: State | None = None
        self._peak_bytes = 0
        self._gone_back: list[str] = []
        self.outcome: Outcome | None = None

    def __enter__(self) -> Self:
        self.streams = self.stack.enter_context(ScriptedStreams(TABLE, clock=lambda: time.time() + self.clock_shift))
        self.endpoint_url = self.streams.endpoint_url
        self.table = ScriptedTable(self.streams)
        self._written_to: ScriptedTable | EmulatedTable = self.table
        if self.kind == "opensearch":
            server = OpenSearchServer(self.folder / "opensearch", settings=LITTLE_ROOM)
            self.opensearch = self.stack.enter_context(server)
            self.search_url = self.opensearch.url
        if self.kind == "clickhouse":
            self.clickhouse = self.stack.enter_context(ClickHouseServer(self.folder / "clickhouse"))
            self.sql_url = self.clickhouse.url()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stack.close()

    # The table.

    def emulate(self) -> EmulatedTable:
        """Write to DynamoDB Local from now on, and let the process read from there."""
        server = self.stack.enter_context(DynamoDBLocal(self.folder))
        self.endpoint_url = server.endpoint_url
        self._written_to = emulated = EmulatedTable(server.client("dynamodb"))
        return emulated

    def share(self) -> None:
        """Let processes share the table's shards from now on, by a store in DynamoDB and a metrics server."""
        folder = self.folder / "shared"
        folder.mkdir()
        self._shared = StoreTable(self.stack.enter_context(DynamoDBLocal(folder)))
        self.metrics_url = self.stack.enter_context(ValkeyServer(folder, listens=True)).tcp_url

    def perform(self, operation: Operation) -> None:
        """Write this."""
        self._written_to.write(operation)

    def load(self, low: int, high: int) -> None:
        """Write items as if long before the stream."""
        self.table.load(self.writes.first(self._count(low, high)))

    def write(self, low: int, high: int) -> None:
        """Write a random number of times, and look at what is served."""
        self.write_unseen(low, high)
        self.look()

    def write_unseen(self, low: int, high: int) -> None:
        """Write a random number of times, while nobody answers."""
        for _ in range(self._count(low, high)):
            self.perform(self.writes.next())

    def rounds(self, low: int, high: int) -> range:
        """Give a random number of repetitions of a fault."""
        return range(min(self.random.randint(low, high), self._size.rounds))

    def _count(self, low: int, high: int) -> int:
        return round(self.random.randint(low, high) * self._size.writes)

    def some_shard(self) -> str:
        """Choose an open shard."""
        return self.random.choice(self.table.shards)

    def some_written_shard(self) -> str:
        """Choose an open shard that keys fall into."""
        return self.table.shard_of(self.random.choice(self.writes.live()))

    # The process.

    @property
    def process(self) -> Process:
        assert self._process is not None, "not started"
        return self._process

    @property
    def state(self) -> State:
        """How things stood at the last look."""
        assert self._state is not None, "not looked yet"
        return self._state

    def start(self, failpoints: str = "") -> None:
        """Start the process, armed with failpoints if some are named."""
        self.launch(failpoints)
        self.process.await_standing()

    def launch(self, failpoints: str = "") -> None:
        """Start the process without waiting until it stands."""
        environment = {"DYNALENS_FAILPOINTS": failpoints, "DYNALENS_CLOCK_SHIFT": str(self.clock_shift)}
        self._process = self._launched(environment)

    def another_process(self) -> Process:
        """Start a process over the folder, whether another one works on it or not."""
        process = self._launched({})
        process.await_standing()
        return process

    def _launched(self, environment: Mapping[str, str]) -> Process:
        start = Start(
            folder=self.folder,
            source=SourceConfig(region="eu-west-1", endpoint_url=self.endpoint_url, scan_segments=2),
            kind=self.kind,
            search_url=self.search_url,
            sql_url=self.sql_url,
            metrics_url=self.metrics_url,
            keys=KEYS,
            collections=COLLECTIONS,
            shared=self._shared.location if self._shared else None,
            environment=environment,
        )
        process = ServedProcess(start, self.store) if self.kind == "server" else Process(start)
        self.stack.callback(process.kill)
        return process

    @property
    def served(self) -> ServedProcess:
        """The process, when it is one that serves."""
        assert isinstance(self.process, ServedProcess)
        return self.process

    def arm(self, failpoints: str) -> None:
        """Arm failpoints in the running process."""
        self.process.ask(partial(child.arm, failpoints=failpoints))

    def store(self) -> Store:
        """Open the position store beside the process, as another worker would."""
        if self._store is None:
            opened = DynamoStore(self._shared.location) if self._shared else SqliteStore(self.folder / "data/state.db")
            self._store = self.stack.enter_context(closing(opened))
        return self._store

    def stored(self) -> Mapping[str, Position]:
        """Give the position of each partition in the store."""
        return {held.partition.id: held.position for held in self.store().partitions(TABLE)}

    def owners(self) -> Mapping[str, str]:
        """Give the owner of the lease of each open shard that has one, in the store that processes share."""
        assert self._shared is not None, "nothing is shared"
        store = self.store()
        assert isinstance(store, DynamoStore)
        owners = store.leases(TABLE)
        return {shard: owners[shard] for shard in self.table.shards if owners.get(shard)}

    def kill(self) -> None:
        """SIGKILL the process, or bury the one that a failpoint has killed."""
        self.process.kill()
        self._process = None

    def look(self) -> None:
        """Look at what is served, and whether a key has gone back."""
        if self._process is None:
            return
        try:
            self._state = state = self._process.state()
        except ProcessGoneError:
            return
        self._peak_bytes = max(self._peak_bytes, state.peak_bytes)
        shown = shown_numbers(state.served)
        if self.watched and shown is not None and _is_fed(state):
            self._gone_back += gone_back(self.table.history, state.positions, shown)

    def observe(self, seen: Callable[[State], object], timeout: float = 60.0) -> None:
        """Look until this is seen."""

        def look() -> object:
            self.look()
            return self._state is not None and seen(self._state)

        observed(look, timeout=timeout)

    def catch_up(self) -> None:
        """Wait until all that was written is served."""
        observed(self._is_equal, timeout=SETTLE_SECONDS)

    def spend(self, most: float) -> None:
        """Let a fault last for a random time of so many seconds at most."""
        Event().wait(self.random.uniform(0.0, most))

    def write_for(self, seconds: float) -> None:
        """Write now and then for so many seconds, while nobody answers."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.write_unseen(0, 3)
            Event().wait(min(left, 0.05))

    def has_copied(self) -> bool:
        """Look whether the first copy is complete."""
        self.look()
        return self._state is not None and all(status.ready for status in self._state.status.values())

    def bury(self, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Wait until a failpoint has killed the process, and write meanwhile, so that its moment comes.

        Args:
            unless: Says that it will never come; then the process is killed now.
        """
        self._write_until(lambda: not self.process.alive or unless())
        self.kill()

    def await_pause(self, process: Process | None = None) -> None:
        """Wait until a failpoint has stopped the process, and write meanwhile, so that its moment comes."""
        self._write_until((process or self.process).is_paused)

    def _write_until(self, seen: Callable[[], bool]) -> None:
        def write_and_see() -> bool:
            self.write_unseen(1, 3)
            return seen()

        observed(write_and_see)

    # The judgement.

    def settle(self) -> None:
        """The faults are over: wait until all is equal and says so, and keep what came of it.

        Raises:
            DiffersError: It does not come to that.
        """
        if self._process is None:
            self.start()
        healed_at = time.monotonic()
        with suppress(NotObservedError):
            observed(self._is_equal, timeout=SETTLE_SECONDS)
        self.outcome = self._judged(time.monotonic() - healed_at)
        if not self.outcome.is_clean:
            raise DiffersError(self.outcome, self._said())

    def _is_equal(self) -> bool:
        self.look()
        return (
            self._state is not None
            and self._state.is_settled
            and self._written_to.is_read(self._state.positions)
            and not any(self._differences().values())
        )

    def _differences(self) -> Mapping[str, Differences]:
        items = self._written_to.items()
        served = self.state.served or {}
        now = time.time() + self.clock_shift
        return {
            name: _compared(expected_items(items, KEYS, settings.where), served.get(name), name, now)
            for name, settings in COLLECTIONS.items()
        }

    def _judged(self, seconds: float) -> Outcome:
        if self._state is None:
            return Outcome(unsettled="the process never answered", recovery_seconds=seconds)
        found = self._differences().values()
        return Outcome(
            lost=sum(len(one.lost) for one in found),
            extra=sum(len(one.extra) for one in found),
            stale=sum(len(one.stale) for one in found),
            wrong_metrics=sum(len(one.wrong_metrics) for one in found),
            gone_back=len(self._gone_back),
            unsettled="" if self._state.is_settled else str(dict(self._state.status)),
            recovery_seconds=seconds,
            peak_bytes=self._peak_bytes,
        )

    def _said(self) -> str:
        log = self.folder / "worker.log"
        lines = log.read_text(errors="replace").splitlines()[-8:] if log.exists() else []
        return "\n".join([*(self._gone_back[:3]), *(str(self._differences()) for _ in [self._state] if _), *lines])

    def generations(self) -> set[int]:
        """Give the numbers of the generations that are served."""
        return {status.generation for status in self.state.status.values()}


def _is_fed(state: State) -> bool:
    """Say whether what is served is what positions stand for: not before a copy is complete, or beside another one.

    What a worker read before it knew of the first copy is left to the scan.
    """
    return all(status.phase not in {"backfilling", "rebuilding", "gap"} for status in state.status.values())


def _compared(items: Mapping[str, Item], served: Served | None, name: str, now: float) -> Differences:
    if served is None:
        return Differences(lost=sorted(items))
    if not served.metrics:
        return compare_documents(items, served.documents)
    wrong = [
        f"{metric}: {difference}"
        for metric, settings in COLLECTIONS[name].metrics.items()
        for difference in compare_metric(expected_metric(items.values(), settings, now=now), served.metrics[metric])
    ]
    shown = _numbers(served)
    numbers = {id_: int(str(item["n"]["N"])) for id_, item in items.items()}
    return Differences(
        lost=sorted(numbers.keys() - shown.keys()),
        extra=sorted(shown.keys() - numbers.keys()),
        stale=sorted(id_ for id_ in numbers.keys() & shown.keys() if numbers[id_] != shown[id_]),
        wrong_metrics=wrong,
    )


def shown_numbers(served: Mapping[str, Served] | None) -> Mapping[str, int] | None:
    """Give the number of the write that each key shows; None when nothing can be told."""
    return None if served is None or "donations" not in served else _numbers(served["donations"])


def _numbers(served: Served) -> Mapping[str, int]:
    if served.metrics:
        groups = served.metrics["by_key"].groups
        return {str(key[0][1]): int(values["n_max"] or 0) for key, values in groups.items() if values["count"]}
    return {id_: int(exact_json(document)["n"]) for id_, document in served.documents.items()}
