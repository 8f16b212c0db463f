"""Layout: the keys and channels that metrics are kept under, and the description of a generation that scripts read.

All keys of a collection share the hash tag `{collection}`, so that one script may touch them on a cluster too:

    dynalens:{donations}                        hash: what is served, layouts, the revision of the documents
    dynalens:{donations}:1:contributions        hash: id to contribution
    dynalens:{donations}:1:tombstones           sorted set: ids of deletes by time of writing
    dynalens:{donations}:1:metric:by_platform   hash: groups, total and revision (`lua/library.lua`)
    …:metric:by_platform:index                  sorted set: groups in the order of their time buckets
    …:metric:by_platform:values:GROUP           hash: place and token of a value to how many items have it
    …:metric:by_platform:order:GROUP            sorted set: places and tokens of numbers, in the order of the numbers
    …:metric:by_platform:approximate_distinct1:GROUP   HyperLogLog: the tokens of one place that were ever seen
    dynalens:table:{Donations}                  hash: epoch, marks and generations of a table
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson
from pydantic import TypeAdapter

from dynalens.change import quoted_name
from dynalens.config import MetricConfig, PublishConfig
from dynalens.target import Generation
from dynalens.target.metrics.kept import Value, columns, ordered, values
from dynalens.target.metrics.publication import OWN_PREFIX

TOTAL = "*"
"""The total's name among the groups; no JSON text looks like it."""
REPLACED = b"replaced"
"""Sent on a metric's channel when another generation is served: what was read before is void."""


def collection_key(collection: str) -> str:
    """Name the hash of a collection, which all its other keys begin with."""
    return f"{OWN_PREFIX}{{{collection}}}"


def metric_key(generation: Generation, metric: str) -> str:
    """Name the hash of one metric of a generation."""
    return f"{collection_key(generation.collection)}:{generation.number}:metric:{metric}"


def contributions_key(generation: Generation) -> str:
    """Name the hash of the contributions of a generation."""
    return f"{collection_key(generation.collection)}:{generation.number}:contributions"


def table_key(table: str) -> str:
    """Name the hash of what is remembered of a table."""
    return f"{OWN_PREFIX}table:{{{table}}}"


def live_channel(topic: str) -> str:
    """Name the channel of a topic (`LiveEvent.topic`)."""
    return f"{OWN_PREFIX}live:{topic}"


def layout(collection: str, metrics: Mapping[str, MetricConfig]) -> bytes:
    """Describe a collection's metrics to the scripts, as JSON. What does not apply is left out: Lua knows no null."""
    return orjson.dumps(
        {
            "collection": collection,
            "live": live_channel(f"collection:{collection}"),
            "metrics": [_metric(collection, name, metric) for name, metric in metrics.items()],
        }
    )


_METRICS = TypeAdapter(dict[str, MetricConfig])


def dump_metrics(metrics: Mapping[str, MetricConfig]) -> bytes:
    """Write down what a generation counts, so that it is counted alike until the generation is dropped."""
    return _METRICS.dump_json(dict(metrics))


@lru_cache(maxsize=256)
def load_metrics(stored: bytes) -> Mapping[str, MetricConfig]:
    """Read what `dump_metrics` wrote."""
    return _METRICS.validate_json(stored)


def _metric(collection: str, name: str, metric: MetricConfig) -> dict[str, Any]:
    return {
        "name": name,
        "topic": f'"{collection}.{name}"',
        "live": live_channel(f"metric:{collection}.{name}"),
        "attributes": [_member(member) for member in metric.members],
        "sums": len(columns(metric)),
        **_tokens(metric),
        **_buckets(metric),
        "values": _values(metric),
        "total": metric.total,
        "publishes": metric.publish is not None,
        **(_publication(metric.publish) if metric.publish else {}),
    }


def _tokens(metric: MetricConfig) -> dict[str, int]:
    order = len(ordered(metric))
    approximate = len(metric.approximate_distinct)
    tokens = order + len(metric.distinct) + approximate
    return {"ordered": order, "tokens": tokens, "approximate": approximate} if tokens else {}


def _buckets(metric: MetricConfig) -> dict[str, bool]:
    return {"buckets": True, "own_time": metric.time is None} if metric.every else {}


def _values(metric: MetricConfig) -> list[dict[str, Any]]:
    fields = metric.publish.fields if metric.publish else {}
    return [
        {"json": _member(value.name), "field": fields.get(value.name, value.name), **_source(value)}
        for value in values(metric)
    ]


def _source(value: Value) -> dict[str, Any]:
    """Say what a value is told from. Only what is no count and no sum has a `kind`."""
    if value.kind in {"count", "sum"}:
        return {"sum": value.place, "decimals": value.decimals}
    if value.kind == "avg":
        return {"kind": "avg", "sum": value.place, "decimals": value.decimals, "numbers": value.numbers}
    return {"kind": value.kind, "place": value.place, "stored": value.stored, "nothing": value.nothing}


def _publication(publish: PublishConfig) -> dict[str, str]:
    named = {"total_key": publish.total_key, "channel": publish.channel}
    return {name: value for name, value in named.items() if value}


def _member(name: str) -> str:
    return quoted_name(name).decode()
