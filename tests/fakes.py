"""What the server reads from, in memory: stores, and targets that answer, publish, hang and fail on command.

They hold the reading half of each protocol; the server has no use for the other.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from dynalens.config import CollectionConfig, Config, MetricConfig, SumConfig
from dynalens.dead_letter import DeadLetter, DeadLetterStore
from dynalens.partition import Partition, Position
from dynalens.position import Copy, Gap, PartitionState, PositionStore
from dynalens.report import Report, ReportStore
from dynalens.request import Request
from dynalens.server import Backend
from dynalens.target import (
    Field,
    LiveEvent,
    MetricGroup,
    MetricSnapshot,
    SqlResult,
    StoredDocument,
)
from dynalens.verification import Finding, Outcome
from tests.contract.memory_store import MemoryPositionStore
from tests.fake_search import FakeSearch

CONFIG = Config(
    collections={
        "donations": CollectionConfig(
            table="Donations",
            metrics={
                "by_platform": MetricConfig(
                    group_by=("platform",), count=True, sum={"amount": SumConfig(decimals=2)}, total=True
                ),
                "everything": MetricConfig(count=True),
            },
        ),
        "users": CollectionConfig(table="CrmMaster", where={"TYPE": "user"}),
    }
)


@dataclass
class FakeStores:
    """Positions, dead letters and reports."""

    saved_copies: list[tuple[str, Copy]] = field(default_factory=list)
    open_gaps: list[Gap] = field(default_factory=list)
    states: list[tuple[str, PartitionState]] = field(default_factory=list)
    saved_reports: list[Report] = field(default_factory=list)
    saved_letters: dict[int, DeadLetter] = field(default_factory=dict)
    failure: Exception | None = None

    def copies(self, table: str, target: str) -> list[Copy]:
        self._fail()
        return [copy for of, copy in self.saved_copies if of == table and copy.target == target]

    def gaps(self, table: str) -> list[Gap]:
        return [gap for gap in self.open_gaps if gap.table == table]

    def partitions(self, table: str) -> list[PartitionState]:
        return [state for of, state in self.states if of == table]

    def reports(self) -> list[Report]:
        self._fail()
        return self.saved_reports

    def add(self, letter: DeadLetter) -> None:
        number = len(self.saved_letters) + 1
        self.saved_letters[number] = replace(letter, number=number)

    def letters(
        self,
        *,
        state: str | None = None,
        collection: str | None = None,
        table: str | None = None,
        target: str | None = None,
        limit: int = 100,
    ) -> list[DeadLetter]:
        found = [
            letter
            for letter in self.saved_letters.values()
            if state in {None, letter.state}
            and collection in {None, letter.collection}
            and table in {None, letter.table}
            and target in {None, letter.target}
        ]
        return found[:limit]

    def letter(self, number: int) -> DeadLetter | None:
        return self.saved_letters.get(number)

    def request_redrive(self, numbers: Sequence[int] | None) -> int:
        asked = [
            letter
            for letter in self.saved_letters.values()
            if letter.state == "waiting" and (numbers is None or letter.number in numbers)
        ]
        for letter in asked:
            self.saved_letters[letter.number] = replace(letter, state="redrive")
        return len(asked)

    def waiting_counts(self) -> dict[tuple[str, str, str], int]:
        return Counter(
            (letter.table, letter.target, letter.collection)
            for letter in self.saved_letters.values()
            if letter.state == "waiting"
        )

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeDocuments:
    """A `DocumentReader` over dictionaries."""

    documents: dict[tuple[str, str], StoredDocument] = field(default_factory=dict)
    columns: dict[str, list[Field]] = field(default_factory=dict)
    failure: Exception | None = None
    gate: threading.Event = field(default_factory=threading.Event)
    """Closed, it holds up counting."""

    def __post_init__(self) -> None:
        self.gate.set()

    def put(self, collection: str, document_id: str, json: bytes, types: bytes = b"") -> None:
        self.documents[collection, document_id] = StoredDocument(document_id, json, types)

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        self._fail()
        return self.documents.get((collection, document_id))

    def count(self, collection: str) -> int:
        self.gate.wait(30)
        self._fail()
        return sum(of == collection for of, _ in self.documents)

    def fields(self, collection: str) -> list[Field]:
        self._fail()
        return self.columns.get(collection, [])

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure


@dataclass
class FakeSql:
    """A `SqlReader` that gives one answer, after `gate` opens."""

    result: SqlResult = SqlResult(  # noqa: RUF009 - frozen
        "application/json",
        b'{"columns":[{"name":"n","type":"Decimal(38, 0)"}],"rows":[[12345678901234567890123456789012345678]],'
        b'"statistics":{}}',
        1,
    )
    failure: Exception | None = None
    asked: list[tuple[str, Mapping[str, object], str]] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def query(self, query: str, parameters: Mapping[str, object], *, output: str = "json") -> SqlResult:
        self.asked.append((query, parameters, output))
        self.gate.wait(30)
        if self.failure is not None:
            raise self.failure
        return self.result


class FakeMetrics:
    """A `MetricReader`: metrics are set and events published by the test, from any thread."""

    def __init__(self) -> None:
        self.groups: dict[str, list[MetricGroup]] = {}
        self.totals: dict[str, MetricGroup] = {}
        self.revisions: Counter[str] = Counter()
        self.failure: Exception | None = None
        """What reading a metric fails with."""
        self.unreachable: Exception | None = None
        """What listening fails with."""
        self.reads = 0
        self.gate = threading.Event()
        """Closed, it holds up reading, after the revision was taken."""
        self.gate.set()
        self.entered = threading.Event()
        self._heard: list[tuple[str, asyncio.AbstractEventLoop, asyncio.Queue[LiveEvent | Exception]]] = []
        self._lock = threading.Lock()

    def metric(self, collection: str, metric: str) -> MetricSnapshot:
        self.reads += 1
        if self.failure is not None:
            raise self.failure
        name = f"{collection}.{metric}"
        snapshot = MetricSnapshot(
            collection, metric, self.groups.get(name, []), self.totals.get(name), self.revisions[f"metric:{name}"]
        )
        self.entered.set()
        self.gate.wait(30)
        return snapshot

    @asynccontextmanager
    async def listen(self, topics: Sequence[str]) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        if self.unreachable is not None:
            raise self.unreachable
        queue: asyncio.Queue[LiveEvent | Exception] = asyncio.Queue()
        heard = [(topic, asyncio.get_running_loop(), queue) for topic in topics]
        with self._lock:
            self._heard += heard
        try:
            yield _events(queue)
        finally:
            with self._lock:
                for entry in heard:
                    self._heard.remove(entry)

    def listeners(self, topic: str) -> int:
        with self._lock:
            return sum(of == topic for of, _, _ in self._heard)

    def publish(self, topic: str, payload: bytes, *, lost: bool = False) -> int:
        """Make a change: its event is heard unless it is `lost` on the way."""
        with self._lock:
            self.revisions[topic] += 1
            event = LiveEvent(topic, self.revisions[topic], payload)
            if not lost:
                self._tell(topic, event)
            return event.revision

    def cut(self, error: Exception) -> None:
        """End all subscriptions."""
        with self._lock:
            for topic in {topic for topic, _, _ in self._heard}:
                self._tell(topic, error)

    def forget_revisions(self) -> None:
        """Count from the beginning, as a store that lost its data does."""
        self.revisions.clear()

    def _tell(self, topic: str, event: LiveEvent | Exception) -> None:
        for of, loop, queue in self._heard:
            if of == topic:
                loop.call_soon_threadsafe(queue.put_nowait, event)


async def _events(queue: asyncio.Queue[LiveEvent | Exception]) -> AsyncIterator[LiveEvent]:
    while True:
        event = await queue.get()
        if isinstance(event, Exception):
            raise event
        yield event


@dataclass
class Fakes:
    """A whole backend of fakes."""

    stores: FakeStores = field(default_factory=FakeStores)
    documents: FakeDocuments = field(default_factory=FakeDocuments)
    sql: FakeSql = field(default_factory=FakeSql)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    search: FakeSearch = field(default_factory=FakeSearch)
    requests: MemoryPositionStore = field(default_factory=MemoryPositionStore)

    def backend(self, *, targets: bool = True, config: Config = CONFIG) -> Backend:
        """Make the backend; without targets there is none that could answer."""
        return Backend(
            config=config,
            # The stores fake the reading half, which is all that the server may use.
            positions=cast("PositionStore", self.stores),
            dead_letters=cast("DeadLetterStore", self.stores),
            reports=cast("ReportStore", self.stores),
            workers=cast("ReportStore", self.stores),
            kept_in={"sql": self.documents, "search": self.search} if targets else {},
            sql=self.sql if targets else None,
            metrics=self.metrics if targets else None,
            search=self.search if targets else None,
            dashboards={},
            started_at=1_754_550_000.0,
            version="1.2.3",
            requests=self.requests,
        )


def world(now: float) -> Fakes:
    """Make a world where donations are live and users are still being copied, with a document, metrics and letters."""
    fakes = Fakes()
    stores = fakes.stores
    stores.saved_copies += [
        ("Donations", copy("donations", "sql", state="live")),
        ("Donations", copy("donations", "metrics", state="live")),
        ("Donations", copy("donations", "search", state="live")),
        ("CrmMaster", copy("users", "search", state="live")),
        ("CrmMaster", copy("users", "sql", state="building")),
    ]
    stores.saved_reports += [
        report("Donations", "sql", now, confirmed=10_000),
        report("Donations", "metrics", now, confirmed=9_990, waiting=10, behind_seconds=2.5, caught_up=False),
        report("CrmMaster", "sql", now, scanned=400, scan_total=1_000, caught_up=False),
        report("Donations", "search", now, confirmed=10_000),
        report("CrmMaster", "search", now, confirmed=1_000),
    ]
    stores.states += [
        ("Donations", state("shardId-1", "sql", Position(ended=True, rank=7, token="7"))),
        ("Donations", state("shardId-2", "sql", Position(rank=111, token="111"))),
    ]
    stores.add(letter(collection="donations", document_id="a@test.com", code="out_of_scale"))
    stores.add(letter(collection="", document_id="", code="undecodable", record=b'"whatever it was"'))
    fakes.requests.ask(verified())
    fakes.documents.put(
        "donations", "a@test.com", b'{"email":"a@test.com","amount":10.50,"tags":["x"]}', b'{"tags":"SS"}'
    )
    fakes.search.put("donations", "a@test.com", b'{"email":"a@test.com","amount":10.50,"tags":["x"]}')
    fakes.search.documents["users"] = {}
    fakes.documents.columns["donations"] = [
        Field("amount", {"number": 1, "string": 1}, column="Nullable(Decimal(38, 10))", drift=1)
    ]
    fakes.metrics.groups["donations.by_platform"] = [
        MetricGroup({"platform": b'"Phone"'}, {"count": "2", "amount_sum": "60.10"}),
        MetricGroup({"platform": b'"Facebook"'}, {"count": "1", "amount_sum": "10.00"}),
    ]
    fakes.metrics.totals["donations.by_platform"] = MetricGroup({}, {"count": "3", "amount_sum": "70.10"})
    return fakes


def copy(collection: str, target: str, *, state: Literal["building", "live", "dropped"]) -> Copy:
    return Copy(
        collection=collection,
        target=target,
        number=1,
        state=state,
        fingerprint="f",
        stream="s",
        scan="1",
        segments=1,
        consistent=True,
        started_at=0.0,
    )


def report(  # noqa: PLR0913 - what a worker may say
    table: str,
    target: str,
    now: float,
    *,
    confirmed: int = 0,
    waiting: int = 0,
    behind_seconds: float = 0.0,
    scanned: int = 0,
    scan_total: int = 0,
    caught_up: bool = True,
) -> Report:
    """Make the report of a worker that is well."""
    return Report(
        table=table,
        target=target,
        written_at=now,
        polled_at=now,
        confirmed_at=now,
        confirmed=confirmed,
        waiting=waiting,
        behind_seconds=behind_seconds,
        scanned=scanned,
        scan_total=scan_total,
        caught_up=caught_up,
    )


def state(partition: str, target: str, position: Position) -> PartitionState:
    return PartitionState(Partition(partition), target, 1 << 20, position)


def verified() -> Request:
    """Make a request for a comparison that has ended: one document was stale, and is repaired."""
    outcome = Outcome(
        scanned=50_000,
        walked=50_000,
        looked_up=3,
        stale=Finding(1, ("a@test.com",)),
        bytes_read=12_000_000,
        read_units=1500.5,
        complete=True,
    )
    return Request(
        table="Donations",
        collection="donations",
        target="sql",
        kind="verify",
        state="done",
        options='{"sample": 1.0, "rate": 1000.0, "repair": true}',
        outcome=outcome.as_json(generation=1, repaired=1, items=50_000),
        asked_at=1_754_550_000.0,
        changed_at=1_754_550_120.0,
    )


def letter(*, collection: str, document_id: str, code: str, record: bytes = b'{"eventName":"INSERT"}') -> DeadLetter:
    return DeadLetter(
        table="Donations",
        target="metrics",
        collection=collection,
        generation=1,
        document_id=document_id,
        version=(1 << 52) + 1,
        partition="shardId-2",
        sequence_number="1" * 21,
        created_at=1_754_550_000.0,
        code=code,
        message="amount 10.005 has more than 2 decimals",
        record=record,
    )
