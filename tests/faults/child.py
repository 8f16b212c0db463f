"""The process that a fault hits: one table worker over one real target, asked over a pipe how things stand.

It is made from a fork server that has the imports done, so that it stands within half a second of being asked for, and
it ends with whoever made it. It works alone over its folder, or shares a store in DynamoDB with others.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, NamedTuple, Protocol

from dynalens import clock
from dynalens.change import KeySchema, decode_record
from dynalens.config import CollectionConfig, SourceConfig, StoreLocation
from dynalens.errors import DynalensError, NotFoundError
from dynalens.partition import Partition, Position
from dynalens.pipeline import SoleLeases, feed, progress
from dynalens.pipeline import table as pipeline_table
from dynalens.position import NEW_STORE_EPOCH
from dynalens.position.dynamodb import DynamoStore
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report, merged
from dynalens.retry import RetryPolicy
from dynalens.runtime import fleet
from dynalens.runtime import table as runtime_table
from dynalens.runtime.fleet import LEADER, Membership, SharedLeases
from dynalens.runtime.folder import locked
from dynalens.runtime.process import leaving, running
from dynalens.runtime.table import Parts, TableWorker, worker_name
from dynalens.search import SearchRequest
from dynalens.source.aws import Aws
from dynalens.status import CollectionStatus, collection_status
from dynalens.target import (
    TOMBSTONE_RETENTION_SECONDS,
    Generation,
    MetricReader,
    SearchReader,
    SqlReader,
    Target,
    Write,
    version,
)
from dynalens.testing.clock import shift, shift_from_environment
from dynalens.testing.failpoints import arm_from_environment
from dynalens.testing.oracle import Counted, from_snapshot
from dynalens.transform import Route, route

Kind = Literal["search", "opensearch", "sql", "clickhouse", "metrics", "server"]
"""A target in a worker of its own; or `dynalens up` with all that it does."""

HASTE: Mapping[ModuleType, Mapping[str, float]] = {
    runtime_table: {"LOOK_SECONDS": 0.3, "AGAIN_SECONDS": 0.1},
    pipeline_table: {"DISCOVERY_SECONDS": 0.3, "_RETRY_SECONDS": 0.1},
    feed: {"RETRY_AFTER_SECONDS": 0.1, "CLOSED_SECONDS": 0.001},
    # Only pages that were empty for a while count as the tip: what is young may still be unread.
    progress: {"QUIET_SECONDS": 0.3, "RECENT_SECONDS": 0.0},
    fleet: {"LEASE_SECONDS": 1.5, "BEAT_SECONDS": 0.3, "PULSE_SECONDS": 0.1},
}
"""Waits that are shortened: they say how often to look, and no rule depends on them."""
REPORT_SECONDS = 0.3
_IMPATIENT = RetryPolicy(base_seconds=0.02, cap_seconds=0.3, attempts=1_000_000, total_seconds=1e9)


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a process is started with.

    Attributes:
        folder: Its data folder.
        source: The endpoint it reads from.
        kind: The target that it keeps.
        search_url: The search engine: embedded, or a server.
        sql_url: The SQL engine: embedded, or a server.
        metrics_url: The metrics server.
        keys: The table's key schema.
        collections: What it keeps.
        shared: The store that it shares with other processes; None: it is alone.
        environment: Failpoints and the clock, as a `dynalens` process takes them.
    """

    folder: Path
    source: SourceConfig
    kind: Kind
    search_url: str
    sql_url: str
    metrics_url: str
    keys: KeySchema
    collections: Mapping[str, CollectionConfig]
    shared: StoreLocation | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


class Served(NamedTuple):
    """What one collection is served as: whole documents, or for `metrics` its values."""

    documents: Mapping[str, bytes]
    metrics: Mapping[str, Counted]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """How things stand. Positions were read before the documents, so each document is at least as new.

    `served` lacks a collection that is not served yet; it is None when the target does not answer.
    """

    status: Mapping[str, CollectionStatus]
    positions: Mapping[str, Position]
    dead_letters: Mapping[str, int]
    served: Mapping[str, Served] | None
    peak_bytes: int

    @property
    def is_settled(self) -> bool:
        """Whether it says of itself that all is read, applied and well."""
        return all(status.phase == "streaming" and status.caught_up for status in self.status.values())


Store = SqliteStore | DynamoStore


@dataclass(frozen=True, slots=True)
class Running:
    """What a question is asked of."""

    start: Start
    worker: TableWorker
    store: Store
    leases: SoleLeases | TwinLeases
    target: Target
    reader: ServedReader


Question = Callable[[Running], object]


class TwinLeases(SharedLeases):
    """Leases of a worker that can be made to believe that it holds every shard, whoever else does."""

    _believes = False

    def join(self) -> None:
        """Begin to take part."""
        self._membership.start()

    def believe(self, *, believes: bool) -> None:
        """Believe it, or ask the store again."""
        self._believes = believes
        self._notify()

    def holds(self, partition: str) -> bool:
        return super().holds(partition) or (self._believes and partition != LEADER.id)

    def take(self, partition: Partition) -> None:
        if self._believes:
            self._store.acquire(self._table, partition, self.owner)
        super().take(partition)


def run(start: Start, connection: Connection) -> None:
    """Work until killed or left alone: say that it stands, then answer questions."""
    prepare(start)
    try:
        with leaving() as timer, _standing(start) as standing:
            connection.send(None)
            with running([standing.worker], standing.store, timer, report_seconds=REPORT_SECONDS):
                _answer_all(connection, standing)
    except DynalensError as error:
        connection.send(error)


def prepare(start: Start, haste: Mapping[ModuleType, Mapping[str, float]] = HASTE) -> None:
    """Arm what this process is started with, and shorten its waits."""
    # A full disk is one of the faults: what cannot be logged then is no news.
    logging.raiseExceptions = False
    logging.basicConfig(filename=start.folder / "worker.log", format="%(asctime)s %(threadName)s %(message)s")
    arm_from_environment(start.environment)
    shift_from_environment(start.environment)
    for module, waits in haste.items():
        for name, seconds in waits.items():
            assert hasattr(module, name)
            setattr(module, name, seconds)


def _answer_all(connection: Connection, standing: Running) -> None:
    try:
        while True:
            question: Question = connection.recv()
            connection.send(_answer(question, standing))
    except (EOFError, ConnectionError):
        # Whoever asked is gone, or has seen enough: what is not confirmed now must not matter.
        os._exit(0)


@contextmanager
def _standing(start: Start) -> Iterator[Running]:
    [table] = {collection.table for collection in start.collections.values()}
    with ExitStack() as stack:
        store: Store
        leases: SoleLeases | TwinLeases
        if start.shared is None:
            stack.enter_context(locked(start.folder / "data"))
            store = stack.enter_context(closing(SqliteStore(start.folder / "data" / "state.db")))
            leases = SoleLeases(table, store, worker_name())
        else:
            store = shared = stack.enter_context(closing(DynamoStore(start.shared)))
            leases = TwinLeases(table, shared, shared, Membership(shared, worker_name()), [target_of(start.kind)])
        target, reader = _open(start)
        stack.enter_context(closing(target))
        parts = Parts(
            source=start.source,
            aws=stack.enter_context(closing(Aws(start.source))),
            targets=[target],
            store=store,
            requests=store,
            dead_letters=store,
            reports=store,
            leases=lambda _: leases,
            retries=_IMPATIENT,
        )
        worker = TableWorker(table, start.collections, parts)
        if isinstance(leases, TwinLeases):
            leases.join()
        yield Running(start, worker, store, leases, target, reader)


def target_of(kind: Kind) -> str:
    """Name the target that a kind is."""
    return _SERVERS.get(kind, kind)


_SERVERS: Mapping[Kind, str] = {"opensearch": "search", "clickhouse": "sql"}


def _open(start: Start) -> tuple[Target, ServedReader]:
    # Engines are imported where they are used: one of them starts threads of its own, which a fork would lose.
    match start.kind:
        case "search" | "opensearch":
            from dynalens.target.search import open_search

            search = open_search(start.search_url, folder=start.folder)
            return search, SearchedDocuments(search)
        case "sql" | "clickhouse":
            from dynalens.target.sql import open_sql

            sql = open_sql(start.sql_url, folder=start.folder)
            return sql, SelectedDocuments(sql)
    from dynalens.target.metrics import open_metrics

    metrics = open_metrics(start.metrics_url, folder=start.folder, collections=start.collections)
    return metrics, Metrics(metrics, start.collections)


def _answer(question: Question, running: Running) -> object:
    try:
        return question(running)
    except DynalensError as error:
        return error


# Questions.


def state(running: Running) -> State:
    """Say how things stand."""
    table = next(iter(running.start.collections.values())).table
    partitions = running.store.partitions(table)
    shared = merged(running.store.reports(), clock.now()) if running.start.shared else []
    # Nothing is shared before the first report of any.
    [report] = shared or running.worker.reports()
    status = statuses(running.store, report, running.start.collections)
    try:
        served = {name: found for name in running.start.collections if (found := _served(running, name)) is not None}
    except DynalensError:
        served = None
    return State(
        status=status,
        positions={held.partition.id: held.position for held in partitions if held.partition.kind == "shard"},
        dead_letters={name: count for (_, _, name), count in running.store.waiting_counts().items()},
        served=served,
        peak_bytes=_peak_bytes(),
    )


def stop(running: Running) -> None:
    """Stop the worker as SIGTERM does: what was read is applied and committed."""
    running.worker.stop(5.0)
    assert running.worker.join(10.0), "the worker did not end"


def shift_clock(running: Running, seconds: float) -> None:  # noqa: ARG001 - a question
    """Move the clock while it runs."""
    shift(seconds)


def arm(running: Running, failpoints: str) -> None:  # noqa: ARG001 - a question
    """Arm failpoints while it runs."""
    arm_from_environment({"DYNALENS_FAILPOINTS": failpoints})


def owner(running: Running) -> str:
    """Give its name in the store."""
    return running.leases.owner


def believe(running: Running, *, believes: bool) -> None:
    """Let it believe that it holds every shard, or ask its leases again."""
    assert isinstance(running.leases, TwinLeases)
    running.leases.believe(believes=believes)


def lose_patience(running: Running) -> None:
    """Let the position store fail at once when it is locked, as one over a network does when it is throttled."""
    assert isinstance(running.store, SqliteStore)
    running.store._db.execute("PRAGMA busy_timeout = 20")


def fill_disk(running: Running, *, full: bool) -> None:  # noqa: ARG001 - a question
    """Let every write of this process that would make a file longer fail, or no longer."""
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0 if full else hard, hard))


def write_late(running: Running, records: Sequence[Mapping[str, Any]]) -> None:
    """Send writes under the oldest of all epochs, as a process does that slept with its requests unsent.

    The worker ends before: a target has one writer.
    """
    stop(running)
    table = next(iter(running.start.collections.values())).table
    routes = [Route.of(name, settings) for name, settings in running.start.collections.items()]
    fed = {
        copy.collection: Generation(copy.collection, copy.number)
        for copy in running.store.copies(table, running.target.name)
        if copy.state != "dropped"
    }
    changes = [decode_record(record, table=table, keys=running.start.keys) for record in records]
    running.target.apply(
        [
            Write(fed[collection], change.id, version(NEW_STORE_EPOCH, ordinal), document, change)
            for ordinal, change in enumerate(changes)
            for collection, document in route(change, routes)
        ]
    )
    running.target.sweep(clock.now() - TOMBSTONE_RETENTION_SECONDS)


def _served(running: Running, collection: str) -> Served | None:
    try:
        return running.reader.read(collection)
    except NotFoundError:
        return None


def statuses(
    store: Store, report: Report, collections: Mapping[str, CollectionConfig]
) -> Mapping[str, CollectionStatus]:
    """Give the status of each collection, as the server shows it."""
    copies, gaps = store.copies(report.table, report.target), store.gaps(report.table)
    return {
        name: collection_status(
            name,
            report.target,
            report.table,
            report=report,
            copies=[copy for copy in copies if copy.collection == name],
            gaps=gaps,
            dead_letters=0,
            now=clock.now(),
        )
        for name in collections
    }


def _peak_bytes() -> int:
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage(2) of each system
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# What the target serves.


class ServedReader(Protocol):
    """Reads what a target serves."""

    def read(self, collection: str) -> Served:
        """Read a collection whole.

        Raises:
            NotFoundError: It is not served yet.
            TargetError: The target does not answer.
        """
        ...


@dataclass(frozen=True, slots=True)
class SearchedDocuments:
    """Documents as a search for all of them finds them."""

    search: SearchReader

    def read(self, collection: str) -> Served:
        # What positions stand for, which were read before, must be seen.
        self.search.refresh(collection)
        answer = self.search.search(collection, SearchRequest(size=10_000))
        documents = {hit.id: hit.document for hit in answer.hits}
        assert answer.total == len(answer.hits) == len(documents), "a document is shown twice"
        return Served(documents, {})


@dataclass(frozen=True, slots=True)
class SelectedDocuments:
    """Documents as SQL gives them."""

    sql: SqlReader

    def read(self, collection: str) -> Served:
        result = self.sql.query(f"SELECT _id, _doc FROM {collection}", {})  # noqa: S608 - own names
        rows = json.loads(result.body)["rows"]
        documents = {row[0]: row[1].encode() for row in rows}
        assert len(documents) == len(rows), "a document is shown twice"
        return Served(documents, {})


@dataclass(frozen=True, slots=True)
class Metrics:
    """Every metric of a collection."""

    metrics: MetricReader
    collections: Mapping[str, CollectionConfig]

    def read(self, collection: str) -> Served:
        settings = self.collections[collection].metrics
        return Served(
            {},
            {name: from_snapshot(self.metrics.metric(collection, name), metric) for name, metric in settings.items()},
        )
