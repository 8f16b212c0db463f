"""What routes work with: the backend, the threads that ask it, and the hub of live events."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

import orjson
from fastapi import Depends, Request

from dynalens.errors import QueryLimitError
from dynalens.server.answers import rendered
from dynalens.server.applied import Tables
from dynalens.server.backend import Backend, missing_target
from dynalens.server.guard import Traffic
from dynalens.server.limits import READ_SECONDS, SEARCH_SECONDS, SEARCHES, SEARCHES_WAITING
from dynalens.server.live import Hub
from dynalens.server.readers import Readers
from dynalens.server.scrolls import Scrolls
from dynalens.server.topic import Snapshot
from dynalens.server.waits import Waits
from dynalens.status import Phase
from dynalens.target import DocumentReader, MetricGroup, MetricReader, MetricSnapshot, SearchReader

_NOT_WHOLE: frozenset[Phase] = frozenset({"backfilling", "gap"})


def _stores() -> Readers:
    return Readers("the stores", threads=2, waiting=64, seconds=READ_SECONDS)


def _documents() -> Readers:
    return Readers("documents", threads=4, waiting=64, seconds=READ_SECONDS)


def _metrics() -> Readers:
    return Readers("metrics", threads=4, waiting=64, seconds=READ_SECONDS)


def _queries() -> Readers:
    return Readers("SQL", threads=4, waiting=16, seconds=2 * READ_SECONDS)


def _searches() -> Readers:
    return Readers(
        "the search target",
        threads=SEARCHES,
        waiting=SEARCHES_WAITING,
        seconds=SEARCH_SECONDS,
        too_slow=QueryLimitError,
    )


@dataclass(frozen=True, kw_only=True)
class Service:
    """One server's state. Threads are apart, so that a slow query or a dead target holds up nothing else."""

    backend: Backend
    tables: Tables
    traffic: Traffic = field(default_factory=Traffic)
    waits: Waits = field(default_factory=Waits)
    stores: Readers = field(default_factory=_stores)
    documents: Readers = field(default_factory=_documents)
    metrics: Readers = field(default_factory=_metrics)
    queries: Readers = field(default_factory=_queries)
    searches: Readers = field(default_factory=_searches)
    scrolls: Scrolls | None
    hub: Hub | None

    @classmethod
    def over(cls, backend: Backend) -> Service:
        """Make the service of a backend, with a hub where it has metrics, and scrolls where it searches."""
        readers, stores = _metrics(), _stores()
        tables = Tables(backend, stores)

        async def snapshot(collection: str, metric: str) -> Snapshot:
            return await read_metric(backend, readers, tables, collection, metric)

        async def freshness(collection: str) -> bytes:
            return await read_freshness(tables, collection)

        hub = Hub(backend.metrics, snapshot, freshness) if backend.metrics is not None else None
        scrolls = Scrolls(backend.search) if backend.search is not None else None
        return cls(backend=backend, tables=tables, stores=stores, metrics=readers, hub=hub, scrolls=scrolls)

    async def metric(self, collection: str, metric: str) -> Snapshot:
        """See `read_metric`."""
        return await read_metric(self.backend, self.metrics, self.tables, collection, metric)


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


Here = Annotated[Service, Depends(_service)]
"""The service, as a parameter of a route."""


def document_reader(backend: Backend) -> DocumentReader:
    """Give the target that gives documents back.

    Raises:
        NotFoundError: None is configured.
    """
    if backend.documents is None:
        raise missing_target("sql", "chdb://./data/sql")
    return backend.documents


def search_reader(backend: Backend) -> SearchReader:
    """Give the target that answers searches.

    Raises:
        NotFoundError: None is configured.
    """
    if backend.search is None:
        raise missing_target("search", "tantivy://./data/search")
    return backend.search


def open_scrolls(here: Service) -> Scrolls:
    """Give the scrolls.

    Raises:
        NotFoundError: No search target is configured.
    """
    if here.scrolls is None:
        raise missing_target("search", "tantivy://./data/search")
    return here.scrolls


def metric_reader(backend: Backend) -> MetricReader:
    """Give the target that keeps metrics.

    Raises:
        NotFoundError: None is configured.
    """
    if backend.metrics is None:
        raise missing_target("metrics", "valkey://embedded")
    return backend.metrics


def require_target(backend: Backend, target: Literal["sql", "search", "metrics"]) -> None:
    """See that a target is there to be read.

    Raises:
        NotFoundError: None of the kind is configured.
    """
    match target:
        case "sql" if backend.sql is None:
            raise missing_target("sql", "chdb://./data/sql")
        case "search":
            search_reader(backend)
        case "metrics":
            metric_reader(backend)


async def read_metric(backend: Backend, readers: Readers, tables: Tables, collection: str, metric: str) -> Snapshot:
    """Read a metric and render it as routes and live events give it.

    Raises:
        NotFoundError: No metrics target is configured.
        DynalensError: The target or the stores cannot be read now.
    """
    snapshot = await readers.run(metric_reader(backend).metric, collection, metric)
    status = await tables.status(collection, "metrics")
    return Snapshot(snapshot.revision, await readers.run(_metric_json, snapshot, status.phase))


async def read_freshness(tables: Tables, collection: str) -> bytes:
    """Say how old what viewers of a collection see may be, as live events do.

    Raises:
        DynalensError: The stores do not answer.
    """
    status = await tables.status(collection, "metrics")
    return rendered(
        {
            "collection": collection,
            "phase": status.phase,
            "age_ms": round(status.lag_seconds * 1000),
            "caught_up": status.caught_up,
        }
    )


def _metric_json(snapshot: MetricSnapshot, phase: Phase) -> bytes:
    counted = [*snapshot.groups, *([snapshot.total] if snapshot.total else [])]
    exact = phase not in _NOT_WHOLE and all(group.exact for group in counted)
    return rendered(
        {
            "metric": f"{snapshot.collection}.{snapshot.metric}",
            "groups": [_group(group) for group in snapshot.groups],
            "total": _values(snapshot.total) if snapshot.total else None,
            **({} if exact else {"exact": False, "phase": phase}),
        }
    )


def _group(group: MetricGroup) -> dict[str, object]:
    attributes = {name: orjson.Fragment(value) for name, value in group.group.items()}
    return {"group": attributes, "values": _values(group), **({} if group.exact else {"exact": False})}


def _values(group: MetricGroup) -> dict[str, orjson.Fragment]:
    return {name: orjson.Fragment(number) for name, number in group.values.items()}
