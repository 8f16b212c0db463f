"""Errors of sense: settings that are well formed and yet cannot work, alone or beside one another."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any
from urllib.parse import urlsplit

from dynalens.config.clickhouse import clickhouse_flaw
from dynalens.config.document import Place
from dynalens.config.model import (
    EMBEDDED_METRICS,
    EMBEDDED_SEARCH,
    EMBEDDED_SQL,
    MOST_BUCKETS,
    MOST_POINTS,
    MOST_SEARCH_FIELDS,
    TIME_MEMBER,
    CollectionConfig,
    MetricConfig,
    PublishConfig,
    SearchConfig,
    SourceConfig,
    TargetsConfig,
)
from dynalens.config.store import is_http, store_flaw

Finding = tuple[Place, str]
"""A place below the checked section, and what to write there instead."""

OWN_PREFIX = "dynalens:"
"""Begins every key and channel of Dynalens itself."""

ESCAPE = "~"
"""Begins a group's value in a published key where the value as it is could be mistaken."""

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_IN_SCALARS = re.compile(r"[0-9A-Za-z+.\-]")
"""Characters of numbers, `true`, `false` and `null`: between attributes they would belong to either."""

_DAY = 86_400
"""Seconds: buckets of a part of it start at the same times every day."""

# "Naming rules" in "Supported data types and naming rules in Amazon DynamoDB".
_TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_TABLE_ARN = re.compile(r"arn:[^:]*:dynamodb:([^:]*):[^:]*:table/([^/]*)")

_SCHEMES: Mapping[str, frozenset[str]] = {
    "search": frozenset({"tantivy", "http", "https", "opensearch+sigv4"}),
    "sql": frozenset({"chdb", "clickhouse"}),
    "metrics": frozenset({"valkey", "valkeys", "redis", "rediss"}),
}
_LATER_SCHEMES: Mapping[str, frozenset[str]] = {
    "search": frozenset(),
    "sql": frozenset(),
    "metrics": frozenset({"dynamodb"}),
}


def source_findings(source: SourceConfig) -> Iterator[Finding]:
    """Check the addresses of a source."""
    for name in ("endpoint_url", "streams_endpoint_url"):
        url = getattr(source, name)
        if url is not None and not is_http(url):
            yield (name,), "is no http address. Write one, for example http://127.0.0.1:8000."


def store_findings(store: object) -> Iterator[Finding]:
    """Check the URL of a store; what is no text is an error of shape."""
    if isinstance(store, str) and (message := store_flaw(store)):
        yield ("store",), message


def targets_findings(targets: TargetsConfig) -> Iterator[Finding]:
    """Check that at least one target is named, each by a URL of a kind that it understands."""
    urls = {"search": targets.search, "sql": targets.sql, "metrics": targets.metrics}
    if not any(urls.values()):
        yield (), "names no target. Write search, sql or metrics, or remove it for the embedded ones."
    for name, url in urls.items():
        if url is not None and (message := _url_message(name, url)):
            yield (name,), message


def table_findings(table: object) -> Iterator[Finding]:
    """Check a table's name; what is no text is an error of shape."""
    if not isinstance(table, str):
        return
    if arn := _TABLE_ARN.match(table):
        yield ("table",), f"is an ARN. Write the table's name, {arn[2]}, and source.region: {arn[1]}."
    elif not _TABLE_NAME.fullmatch(table):
        yield ("table",), "is no table name. Write 3 to 255 letters, digits, _, - and dots."


def type_findings(collection: Mapping[str, Any]) -> Iterator[Finding]:
    """Check how a collection takes an item type; what is no text is an error of shape."""
    if "item_type" not in collection:
        if "type_attribute" in collection:
            yield ("type_attribute",), "says where a type stands, not which one to take. Write item_type too."
        return
    item_type = collection["item_type"]
    if item_type is None:
        # Without it a collection takes every item of the table, which an unfinished line must not mean.
        yield ("item_type",), "is empty. Write text, for example item_type: order."
    if isinstance(item_type, str) and item_type != item_type.lower():
        # Not shown in lower case: it may come from the environment, of which errors show nothing.
        yield ("item_type",), "has upper-case letters. Types are compared in lower case: write it so."


def type_attribute_findings(collections: Mapping[str, Mapping[str, Any]]) -> Iterator[Finding]:
    """Check that an item has one type: that all item types of a table are read from one attribute."""
    seen: dict[str, tuple[str, str]] = {}
    missing = CollectionConfig.model_fields["type_attribute"].default
    for name, section in collections.items():
        table, attribute = section.get("table"), section.get("type_attribute", missing)
        if section.get("item_type") is None or not isinstance(table, str) or not isinstance(attribute, str):
            continue
        first, expected = seen.setdefault(table, (name, attribute))
        if attribute != expected:
            message = f"is another one than that of {first}, of the same table. Write the same attribute in both."
            yield (name, "type_attribute"), message


def search_findings(search: SearchConfig) -> Iterator[Finding]:
    """Check the paths that are declared for search."""
    if len(search.fields) > MOST_SEARCH_FIELDS:
        yield ("fields",), f"holds {len(search.fields)} paths. Write at most {MOST_SEARCH_FIELDS}."
    seen: set[str] = set()
    for index, path in enumerate(search.fields):
        if path in seen:
            yield ("fields", index), "stands there twice. Remove one of them."
        seen.add(path)
    if len(search.geo) > MOST_POINTS:
        yield ("geo",), f"holds {len(search.geo)} points. Write at most {MOST_POINTS}."
    for name, paths in search.geo.items():
        if len(paths) > len(("latitude", "longitude")):
            yield (
                ("geo", name),
                f"holds {len(paths)} paths. Write the latitude's and the longitude's, or one of a point.",
            )
        elif len(set(paths)) < len(paths):
            yield ("geo", name), "names one path as latitude and as longitude. Write both, or the one of the point."


def kept_findings(targets: TargetsConfig, collection: Mapping[str, Any]) -> Iterator[Finding]:
    """Check that a collection has a target for what it asks for."""
    has_metrics = bool(collection.get("metrics"))
    for name, asked, example in (
        ("metrics", has_metrics, EMBEDDED_METRICS),
        ("search", bool(collection.get("search")), EMBEDDED_SEARCH),
    ):
        if asked and getattr(targets, name) is None:
            yield (name,), f"needs a target that is not there. Write targets.{name}, for example {example}."
    if not has_metrics and targets.sql is None and targets.search is None:
        yield (), f"is kept nowhere. Write metrics for it, or targets.sql, for example {EMBEDDED_SQL}."


def metric_findings(metric: MetricConfig) -> Iterator[Finding]:
    """Check that a metric computes something, and that what it publishes can be told apart."""
    if not metric.values:
        yield (), "computes nothing. Write count: true, or sum: {ATTRIBUTE: {decimals: 2}}."
    for name in ("group_by", "min", "max", "distinct", "approximate_distinct"):
        attributes = getattr(metric, name)
        for index, attribute in enumerate(attributes):
            if attribute in attributes[:index]:
                yield (name, index), "stands there twice. Remove one of them."
    yield from _estimate_findings(metric)
    yield from _bucket_findings(metric)
    if metric.publish:
        for place, message in _publish_findings(metric, metric.publish):
            yield ("publish", *place), message


def _estimate_findings(metric: MetricConfig) -> Iterator[Finding]:
    for index, attribute in enumerate(metric.approximate_distinct):
        place = ("approximate_distinct", index)
        if attribute in metric.distinct:
            yield place, "is counted exactly by distinct already. Remove one of them."
        if f"{attribute}_approximate" in metric.distinct:
            yield place, f"and {attribute}_approximate in distinct name one value. Write two metrics."


def _bucket_findings(metric: MetricConfig) -> Iterator[Finding]:
    if metric.every is None:
        for name in ("time", "keep"):
            if getattr(metric, name) is not None:
                yield (name,), "needs time buckets. Write their length beside it, for example every: 1m."
        return
    every = metric.every.seconds
    if _DAY % every:
        yield ("every",), "does not part a day evenly. Write for example 1m, 5m, 15m, 1h or 1d."
    if metric.keep and metric.keep.seconds < every:
        yield ("keep",), f"is shorter than one bucket. Write {metric.every} or more."
    if metric.keep_seconds > MOST_BUCKETS * every:
        yield ("keep",), f"is more than {MOST_BUCKETS} buckets. Write a shorter time, or longer buckets in every."
    if TIME_MEMBER in metric.group_by:
        yield ("group_by",), f"names {TIME_MEMBER}, as the bucket is called in a group. Group by another attribute."


def _publish_findings(metric: MetricConfig, publish: PublishConfig) -> Iterator[Finding]:
    yield from _key_findings(metric, publish.key)
    yield from _total_findings(metric, publish)
    for name in ("total_key", "channel"):
        if _PLACEHOLDER.search(getattr(publish, name) or ""):
            yield (name,), "takes no {attribute}: it is one name for all groups. Write it without braces."
    for name in ("key", "total_key", "channel"):
        if (getattr(publish, name) or "").startswith(OWN_PREFIX):
            yield (name,), f"begins with {OWN_PREFIX}, as Dynalens' own names do. Begin it with a name of yours."
    yield from _field_findings(metric, publish.fields)


def _key_findings(metric: MetricConfig, key: str) -> Iterator[Finding]:
    named = _PLACEHOLDER.findall(key)
    group = ", ".join(metric.members) or "none"
    for attribute in dict.fromkeys(named):
        if attribute not in metric.members:
            yield ("key",), f"names {attribute!r}, which is not in group_by ({group}). Write one of those."
        elif named.count(attribute) > 1:
            yield ("key",), f"names {attribute!r} twice. Write it once."
    for attribute in metric.members:
        if attribute not in named:
            yield ("key",), f"leaves out {attribute!r}, so that groups share a key. Write {{{attribute}}} into it."
    if any(not text or _IN_SCALARS.search(text) for text in _texts(key)[1:-1]):
        yield ("key",), 'can name two groups alike. Part its attributes by signs such as : or /, as in "{a}:{b}".'


def _total_findings(metric: MetricConfig, publish: PublishConfig) -> Iterator[Finding]:
    total = publish.total_key
    if total is None:
        if metric.total:
            yield ("total_key",), "is missing, and the metric keeps a total. Write its key, for example ALL."
    elif not metric.total:
        yield ("total_key",), "needs a total. Write total: true beside publish, or remove total_key."
    elif total == publish.key or total.startswith(_texts(publish.key)[0] + ESCAPE):
        yield ("total_key",), "can be the key of a group. Write another one."


def _field_findings(metric: MetricConfig, fields: Mapping[str, str]) -> Iterator[Finding]:
    for value in fields:
        if value not in metric.values:
            yield ("fields", value), f"is no value of this metric. Write one of: {', '.join(metric.values) or 'none'}."
    names = [fields.get(value, value) for value in metric.values]
    for value, name in fields.items():
        if names.count(name) > 1:
            yield ("fields", value), "names two values. Write a name of its own."


def name_findings(collections: Mapping[str, object]) -> Iterator[Finding]:
    """Check that no two names differ in case alone: some disks and some people do not tell them apart."""
    seen: dict[str, str] = {}
    for name in collections:
        first = seen.setdefault(name.lower(), name)
        if first != name:
            yield (name,), f"differs from {first} in case alone. Write another name."


@dataclass(frozen=True, slots=True)
class Published:
    """A metric's names for other applications, and where they stand."""

    place: Place
    publish: PublishConfig

    @property
    def keys(self) -> Mapping[str, str]:
        """Give the templates of its keys, by setting."""
        total = {"total_key": self.publish.total_key} if self.publish.total_key else {}
        return {"key": self.publish.key, **total}


def overlap_findings(published: Sequence[Published]) -> Iterator[Finding]:
    """Check that no key can belong to two metrics; what could clash within one metric is escaped there."""
    for first, second in combinations(published, 2):
        for setting, key in second.keys.items():
            if any(_may_equal(key, other) for other in first.keys.values()):
                metric = ".".join(map(str, first.place[:-1]))
                advice = f"Start it with a text of its own, for example {second.place[-2]}:"
                yield (*second.place, setting), f"can name the same key as {metric} publishes. {advice}"


def _may_equal(first: str, second: str) -> bool:
    """Tell whether two templates can give the same key, whatever the values of their attributes."""
    one, other = _texts(first), _texts(second)
    if len(other) == 1:
        one, other = other, one
    if len(one) == 1:
        return re.fullmatch(".*".join(map(re.escape, other)), one[0], re.DOTALL) is not None
    starts = one[0].startswith(other[0]) or other[0].startswith(one[0])
    return starts and (one[-1].endswith(other[-1]) or other[-1].endswith(one[-1]))


def _texts(template: str) -> list[str]:
    """Give the fixed texts of a template: one more than it has attributes."""
    return _PLACEHOLDER.split(template)[::2]


def _url_message(name: str, url: str) -> str:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return f"is no URL. {_url_advice(name)}"
    if parts.scheme in _LATER_SCHEMES[name]:
        return f"is for a later version of Dynalens. {_url_advice(name)}"
    if parts.scheme not in _SCHEMES[name]:
        return f"is no URL of this kind of target. {_url_advice(name)}"
    if parts.scheme == "clickhouse":
        return clickhouse_flaw(url)
    return "" if parts.netloc or parts.path else f"lacks what comes after ://. {_url_advice(name)}"


def _url_advice(name: str) -> str:
    field = TargetsConfig.model_fields[name]
    return f"Write for example {(field.examples or [''])[0]}."
