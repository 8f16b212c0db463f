"""The oracle: what a collection and its metrics must be, computed from the table alone, and how what is served differs.

It shares nothing with the code under test but the form of ids and settings. Items come in DynamoDB JSON, from a
strongly consistent scan or from `ScriptedStreams.items`; documents are judged against those attribute by attribute,
metrics against sums of our own. Ask it while nothing writes to the table.

    items = expected_items(streams.items(), keys, collection.where)
    assert not compare_documents(items, {"a@test.com": '{"email": "a@test.com", "amount": 10}'})
    assert compare_metric(expected_metric(items.values(), metric), from_answer(answer.content, metric)) == []
"""

from __future__ import annotations

import base64
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Context, Decimal, Inexact, Rounded
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Protocol

from dynalens.change import KeySchema, document_id
from dynalens.config import CollectionConfig, MetricConfig, Scalar
from dynalens.target import MetricGroup, MetricSnapshot

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = Mapping[str, Mapping[str, Any]]
"""Attributes in DynamoDB JSON, by name."""
Plain = str | bytes | Mapping[str, Any]
"""A document in plain JSON, as text or read by `exact_json`."""
GroupKey = tuple[tuple[str, Any], ...]
"""The values of a group's attributes, each with the name of its JSON type, so that `1`, `"1"` and `true` stay apart."""
Values = Mapping[str, Decimal | None]

# Sums of 38-digit numbers over many items: nothing is ever rounded without notice.
_EXACT = Context(prec=400, Emin=-999999, Emax=999999, traps=[Inexact, Rounded])
_INT64 = range(-(1 << 63), 1 << 63)
_EPOCH_UNITS = ((10**11, 1), (10**14, 10**3), (10**17, 10**6))
"""Below each limit a number counts seconds, milliseconds or microseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Counted:
    """One metric as it is, or as it must be. `inexact` holds the groups that are marked so."""

    groups: Mapping[GroupKey, Values]
    total: Values | None
    inexact: frozenset[GroupKey] = frozenset()


@dataclass(frozen=True, slots=True)
class Differences:
    """How a collection differs from its table; false when it does not. Documents are named by id."""

    lost: Sequence[str] = ()
    extra: Sequence[str] = ()
    stale: Sequence[str] = ()
    wrong_metrics: Sequence[str] = field(default=())

    def __bool__(self) -> bool:
        return bool(self.lost or self.extra or self.stale or self.wrong_metrics)


class Reader(Protocol):
    """How the served side is read: over HTTP, from a target, from rows of SQL."""

    def documents(self, collection: str) -> Mapping[str, Plain]:
        """Give each served document as plain JSON, by id."""
        ...

    def metric(self, collection: str, metric: str) -> Counted:
        """Give a served metric (`from_answer`, `from_snapshot`)."""
        ...


def differences(
    client: DynamoDBClient, keys: KeySchema, name: str, collection: CollectionConfig, reader: Reader
) -> Differences:
    """Compare one collection and all its metrics with the table that it copies.

    Args:
        client: A low-level client: the resource's `Table` rounds or refuses some numbers.
        keys: The table's key schema.
        name: The collection's name.
        collection: Its settings.
        reader: Reads what is served.
    """
    items = expected_items(scan(client, collection.table), keys, collection.where)
    found = compare_documents(items, reader.documents(name))
    wrong = [
        f"{metric}: {difference}"
        for metric, settings in collection.metrics.items()
        for difference in compare_metric(expected_metric(items.values(), settings), reader.metric(name, metric))
    ]
    return Differences(found.lost, found.extra, found.stale, wrong)


def scan(client: DynamoDBClient, table: str) -> list[Item]:
    """Read a whole table, strongly consistently."""
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def expected_items(items: Iterable[Item], keys: KeySchema, where: Mapping[str, Scalar]) -> dict[str, Item]:
    """Give the items that belong to a collection, by document id."""
    return {document_id(item, keys): item for item in items if _meets(item, where)}


# Documents.


def compare_documents(items: Mapping[str, Item], documents: Mapping[str, Plain]) -> Differences:
    """Compare documents in plain JSON with the items that they must be."""
    return Differences(
        lost=sorted(items.keys() - documents.keys()),
        extra=sorted(documents.keys() - items.keys()),
        stale=sorted(id_ for id_ in items.keys() & documents.keys() if not _is(items[id_], documents[id_])),
    )


def _is(item: Item, document: Plain) -> bool:
    plain = document if isinstance(document, Mapping) else exact_json(document)
    return isinstance(plain, dict) and _same_members(item, plain)


def exact_json(text: str | bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON, every digit kept."""
    return json.loads(text, parse_int=Decimal, parse_float=Decimal)


def _same_members(typed: Item, plain: Mapping[str, Any]) -> bool:
    return typed.keys() == plain.keys() and all(_same(value, plain[name]) for name, value in typed.items())


def _same(typed: Mapping[str, Any], plain: Any) -> bool:  # noqa: ANN401 - any JSON value
    """Say whether plain JSON is what a typed attribute must look like; a set is an array in any order."""
    ((kind, value),) = typed.items()
    match kind:
        case "M":
            return isinstance(plain, dict) and _same_members(value, plain)
        case "L":
            return isinstance(plain, list) and len(plain) == len(value) and all(map(_same, value, plain))
        case "SS" | "NS" | "BS":
            members = [_scalar(kind[0], member) for member in value]
            return isinstance(plain, list) and sorted(members) == sorted(map(_tagged, plain))
    return _scalar(kind, value) == _tagged(plain)


def _scalar(kind: str, value: Any) -> tuple[str, Any]:  # noqa: ANN401 - as boto3 gives it
    match kind:
        case "S":
            return "string", value
        case "N":
            return "number", Decimal(value)
        case "B":
            return "string", value if isinstance(value, str) else base64.b64encode(value).decode()
        case "BOOL":
            return "bool", value
    return "null", None


def _tagged(plain: Any) -> tuple[str, Any]:  # noqa: ANN401 - any JSON value
    match plain:
        case None:
            return "null", None
        case bool():
            return "bool", plain
        case Decimal():
            return "number", plain
        case str():
            return "string", plain
    return "json", json.dumps(plain, default=str)


# Metrics.


def expected_metric(items: Iterable[Item], metric: MetricConfig, now: float | None = None) -> Counted:
    """Compute a metric of items: a missing group attribute is null, what is no number adds nothing.

    Args:
        items: The items of the collection.
        metric: Its settings.
        now: Epoch seconds, for which time buckets are kept; this moment by default.

    Raises:
        NotImplementedError: Buckets are of the change's own time, which no item tells, or items are grouped by lists,
            maps or sets.
    """
    groups: defaultdict[GroupKey, list[Item]] = defaultdict(list)
    counted = [item for item in items if _meets(item, metric.where)]
    for item in counted:
        bucket = [_bucket(item, metric)] if metric.every else []
        groups[(*bucket, *(_group_value(item.get(name)) for name in metric.group_by))].append(item)
    oldest = (time.time() if now is None else now) - metric.keep_seconds
    kept = {key: members for key, members in groups.items() if not metric.every or _is_kept(key[0][1], oldest)}
    return Counted(
        groups={key: _values(members, metric) for key, members in kept.items()},
        total=_values(counted, metric) if metric.total else None,
        inexact=frozenset(key for key, members in kept.items() if not _is_exact(members, metric)),
    )


def _bucket(item: Item, metric: MetricConfig) -> tuple[str, Any]:
    if metric.time is None or metric.every is None:
        raise NotImplementedError("the oracle reads a table, where no item says when it was changed")
    second = _second(item.get(metric.time, {}))
    if second is None:
        return "null", None
    start = datetime.fromtimestamp(second // metric.every.seconds * metric.every.seconds, UTC)
    return "string", start.isoformat().replace("+00:00", "Z")


def _second(typed: Mapping[str, Any]) -> int | None:
    if "N" in typed:
        number = Fraction(typed["N"])
        return next((int(number // unit) for limit, unit in _EPOCH_UNITS if abs(number) < limit), None)
    try:
        moment = datetime.fromisoformat(typed.get("S", ""))
    except ValueError:
        return None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() // 1)


def _is_kept(bucket: str | None, oldest: float) -> bool:
    return bucket is None or datetime.fromisoformat(bucket).timestamp() >= oldest


def _group_value(typed: Mapping[str, Any] | None) -> tuple[str, Any]:
    if typed is None:
        return "null", None
    ((kind, value),) = typed.items()
    if kind in {"M", "L", "SS", "NS", "BS"}:
        raise NotImplementedError(f"the oracle groups by scalars, not by {kind}")
    return _scalar(kind, value)


def _values(items: Sequence[Item], metric: MetricConfig) -> dict[str, Decimal | None]:
    values: dict[str, Decimal | None] = {"count": Decimal(len(items))} if metric.count else {}
    for name, settings in metric.sum.items():
        values[f"{name}_sum"] = _sum(_fitting(items, name, settings.decimals))
    for name, settings in metric.avg.items():
        values[f"{name}_avg"] = _average(_fitting(items, name, settings.decimals), settings.decimals)
    for name in metric.min:
        values[f"{name}_min"] = min(_numbers(items, name), default=None)
    for name in metric.max:
        values[f"{name}_max"] = max(_numbers(items, name), default=None)
    for name in metric.distinct:
        different = {_group_value(item[name]) for item in items if name in item and "NULL" not in item[name]}
        values[f"{name}_distinct"] = Decimal(len(different))
    return values


def _fitting(items: Iterable[Item], name: str, decimals: int) -> list[Decimal]:
    return [number for number in _numbers(items, name) if _fits(number, decimals)]


def _sum(numbers: Iterable[Decimal]) -> Decimal:
    total = Decimal(0)
    for number in numbers:
        total = _EXACT.add(total, number)
    return total


def _average(numbers: Sequence[Decimal], decimals: int) -> Decimal | None:
    """Average as docs/metrics.md says: the exact sum, then three roundings to a double, and 15 digits of the result."""
    if not numbers:
        return None
    scaled = int(_EXACT.scaleb(_sum(numbers), decimals))
    return Decimal(f"{float(scaled) / len(numbers) / 10.0**decimals:.15g}")


def _is_exact(items: Sequence[Item], metric: MetricConfig) -> bool:
    summed = [*metric.sum.items(), *metric.avg.items()]
    return all(_fits(number, settings.decimals) for name, settings in summed for number in _numbers(items, name))


def _numbers(items: Iterable[Item], name: str) -> list[Decimal]:
    return [Decimal(item[name]["N"]) for item in items if "N" in item.get(name, {})]


def _fits(number: Decimal, decimals: int) -> bool:
    """Say whether a sum that keeps so many decimals in 64 bits holds a number exactly."""
    scaled = _EXACT.scaleb(number, decimals)
    return scaled == int(scaled) and int(scaled) in _INT64


def compare_metric(expected: Counted, found: Counted) -> list[str]:
    """Give what is wrong with a metric, group by group, in words."""
    wrong = [
        f"group {_shown(key)} is {dict(found.groups.get(key, {}))}, not {dict(expected.groups.get(key, {}))}"
        for key in sorted(expected.groups.keys() | found.groups.keys(), key=repr)
        if found.groups.get(key) != expected.groups.get(key)
    ]
    if found.total != expected.total:
        wrong.append(f"the total is {found.total}, not {expected.total}")
    wrong += [f"group {_shown(key)} is wrongly marked as exact" for key in expected.inexact - found.inexact]
    wrong += [f"group {_shown(key)} is wrongly marked as not exact" for key in found.inexact - expected.inexact]
    return wrong


def _shown(key: GroupKey) -> list[Any]:
    return [value for _, value in key]


def from_snapshot(snapshot: MetricSnapshot, metric: MetricConfig) -> Counted:
    """Read a metric as a `MetricReader` gives it."""
    groups = {_key(_fragments(group), metric): group for group in snapshot.groups}
    return Counted(
        groups={key: _decimals(group.values) for key, group in groups.items()},
        total=_decimals(snapshot.total.values) if snapshot.total else None,
        inexact=frozenset(key for key, group in groups.items() if not group.exact),
    )


def from_answer(body: str | bytes, metric: MetricConfig) -> Counted:
    """Read a metric from the body of `GET /api/v1/collections/{collection}/metrics/{metric}`."""
    answer = exact_json(body)
    groups = {_key(group["group"], metric): group for group in answer["groups"]}
    return Counted(
        groups={key: group["values"] for key, group in groups.items()},
        total=answer.get("total"),
        inexact=frozenset(key for key, group in groups.items() if not group.get("exact", True)),
    )


def _fragments(group: MetricGroup) -> dict[str, Any]:
    return {name: exact_json(fragment) for name, fragment in group.group.items()}


def _key(group: Mapping[str, Any], metric: MetricConfig) -> GroupKey:
    return tuple(_tagged(group[name]) for name in metric.members)


def _decimals(values: Mapping[str, str]) -> dict[str, Decimal | None]:
    return {name: None if value == "null" else Decimal(value) for name, value in values.items()}


def _meets(item: Item, where: Mapping[str, Scalar]) -> bool:
    return all(name in item and _equals(item[name], wanted) for name, wanted in where.items())


def _equals(typed: Mapping[str, Any], wanted: Scalar) -> bool:
    ((kind, value),) = typed.items()
    match wanted:
        case None:
            return kind == "NULL"
        case bool():
            return kind == "BOOL" and value is wanted
        case str():
            return kind == "S" and value == wanted
    return kind == "N" and Decimal(value) == Decimal(repr(wanted))
