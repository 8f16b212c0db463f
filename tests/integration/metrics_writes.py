"""What tests of the metrics target write, and how they open it on a server of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

from dynalens.change import Change, Typed, render
from dynalens.config import CollectionConfig
from dynalens.target import Generation, Write
from dynalens.target.metrics import MetricsTarget
from dynalens.target.metrics.connection import Server
from tests.services.valkey import ValkeyServer

Value = str | int | Decimal | bool | None

TABLE = "Donations"
FIRST = Generation("donations", 1)
SECOND = Generation("donations", 2)

BY_PLATFORM: Mapping[str, object] = {
    "group_by": ["platform"],
    "count": True,
    "sum": {"amount": {"decimals": 2}},
    "total": True,
}
PUBLISHED: Mapping[str, object] = {
    **BY_PLATFORM,
    "publish": {"key": "{platform}", "total_key": "ALL", "channel": "aggregates", "fields": {"amount_sum": "amount"}},
}
"""The metric of scenario 1, with the names that it publishes."""


def collection(**metrics: Mapping[str, object]) -> CollectionConfig:
    return CollectionConfig.model_validate({"table": TABLE, "metrics": metrics})


def write(generation: Generation, document_id: str, version: int, item: Mapping[str, Value] | None) -> Write:
    document = None if item is None else render({name: typed(value) for name, value in item.items()})
    change = Change(
        table=TABLE,
        id=document_id,
        key={"id": {"S": document_id}},
        kind="remove" if item is None else "modify",
        new=document,
        old=None,
        old_known=False,
        sequence_number=str(10**20 + version),
        created_at=0.0,
        user_identity="",
        size=0,
    )
    return Write(generation, document_id, version, document, change)


def put(generation: Generation, document_id: str, version: int, **attributes: Value) -> Write:
    return write(generation, document_id, version, attributes)


def delete(generation: Generation, document_id: str, version: int) -> Write:
    return write(generation, document_id, version, None)


def typed(value: Value) -> Typed:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
    return {"N": str(value)}


def server_of(valkey: ValkeyServer) -> Server:
    return Server(valkey.url, "of the test")


@contextmanager
def opened(valkey: ValkeyServer, **collections: CollectionConfig) -> Iterator[MetricsTarget]:
    target = MetricsTarget(server_of(valkey), collections)
    try:
        yield target
    finally:
        target.close()


@contextmanager
def serving(valkey: ValkeyServer, **metrics: Mapping[str, object]) -> Iterator[MetricsTarget]:
    """Open a target that serves the first generation of `donations` with these metrics."""
    config = collection(**metrics)
    with opened(valkey, donations=config) as target:
        target.create(FIRST, config)
        target.serve(FIRST)
        yield target


def seen(target: MetricsTarget, metric: str = "by_platform") -> dict[str, tuple[dict[str, str], bool]]:
    """Give the values and the exactness of each group, by the JSON of its only attribute; `*` is the total."""
    snapshot = target.metric("donations", metric)
    found = {b",".join(group.group.values()).decode(): (dict(group.values), group.exact) for group in snapshot.groups}
    if snapshot.total is not None:
        found["*"] = (dict(snapshot.total.values), snapshot.total.exact)
    return found
