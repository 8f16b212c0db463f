"""What aggregations give by a plain reading of documents, whichever engine is asked."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dynalens.search import Aggregation, AggregationAnswer
from dynalens.search.aggregation import (
    Bucket,
    Buckets,
    CardinalityAggregation,
    DateHistogramAggregation,
    HistogramAggregation,
    Metric,
    MetricAggregation,
    NamedAggregations,
    RangeAggregation,
    Stats,
    StatsAggregation,
    TermsAggregation,
)

Item = Mapping[str, Any]
Items = Sequence[Item]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_WIDTHS = {"minute": 60_000, "hour": 3_600_000, "day": 86_400_000}


def read_all(items: Items, wanted: NamedAggregations) -> dict[str, AggregationAnswer]:
    return {name: read(items, aggregation) for name, aggregation in wanted}


def read(items: Items, aggregation: Aggregation) -> AggregationAnswer:  # noqa: PLR0911 - one for each kind
    match aggregation:
        case TermsAggregation():
            return _terms(items, aggregation)
        case RangeAggregation():
            return _ranges(items, aggregation)
        case HistogramAggregation():
            return _histogram(items, aggregation)
        case DateHistogramAggregation():
            return _dates(items, aggregation)
        case StatsAggregation(field):
            return _stats(items, field)
        case MetricAggregation(field, kind):
            stats = _stats(items, field)
            values = {"min": stats.low, "max": stats.high, "avg": stats.average, "sum": stats.total}
            return Metric(values[kind], stats.of_dates)
        case CardinalityAggregation(field):
            return Metric(len({_order(value) for item in items for value in values_at(item, field)}))


def values_at(item: Item, wanted: str) -> list[Any]:
    return [value for path, value in _leaves(item, "") if path == wanted]


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _leaves(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for member in value:
            yield from _leaves(member, path)
    elif value is not None:
        yield path, value


def _numbers(item: Item, path: str) -> list[float]:
    return [
        float(value)
        for value in values_at(item, path)
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]


def _instants(item: Item, path: str) -> list[int]:
    return [found for value in values_at(item, path) if (found := _instant(value)) is not None]


def _instant(value: Any) -> int | None:  # noqa: ANN401
    if not isinstance(value, str) or value[4:5] != "-":
        return None
    moment = datetime.fromisoformat(value)
    return ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - _EPOCH) // _MILLISECOND


def _order(value: Any) -> tuple[int, Any]:  # noqa: ANN401
    """Booleans, numbers, other strings, dates."""
    if isinstance(value, bool):
        return 0, value
    if isinstance(value, str):
        return (2, value) if _instant(value) is None else (3, value)
    return 1, value


def _groups(keys: Iterator[tuple[Any, Item]]) -> dict[Any, list[Item]]:
    found: defaultdict[Any, list[Item]] = defaultdict(list)
    for key, item in keys:
        found[key].append(item)
    return found


def _bucket(key: Any, items: Items, inner: NamedAggregations, **more: Any) -> Bucket:  # noqa: ANN401
    return Bucket(key, len(items), inner=read_all(items, inner), **more)


def _terms(items: Items, asked: TermsAggregation) -> Buckets:
    groups = _groups((one, item) for item in items for one in {_order(value) for value in values_at(item, asked.field)})
    in_order = sorted(groups.items(), reverse=asked.order.by == "key" and asked.order.descending)
    if asked.order.by == "count":
        in_order.sort(key=lambda group: -len(group[1]) if asked.order.descending else len(group[1]))
    given = [group for group in in_order if len(group[1]) >= asked.minimum][: asked.size]
    others = sum(map(len, groups.values())) - sum(len(group) for _, group in given)
    texts = {True: "true", False: "false"}
    return Buckets(
        [
            _bucket(key[1], group, asked.inner, text=texts[key[1]] if isinstance(key[1], bool) else None)
            for key, group in given
        ],
        others,
    )


def _ranges(items: Items, asked: RangeAggregation) -> Buckets:
    found = []
    for span in asked.spans:
        low, high = -math.inf if span.low is None else span.low, math.inf if span.high is None else span.high
        group = [item for item in items if any(low <= number < high for number in _numbers(item, asked.field))]
        ends = ["*" if end is None else str(float(end)) for end in (span.low, span.high)]
        found.append(_bucket(span.key or "-".join(ends), group, asked.inner, span=span))
    return Buckets(found)


def _histogram(items: Items, asked: HistogramAggregation) -> Buckets:
    offset = asked.offset % asked.interval
    groups = _groups(
        (place, item)
        for item in items
        for place in {math.floor((number - offset) / asked.interval) for number in _numbers(item, asked.field)}
    )
    places = range(min(groups), max(groups) + 1) if groups else ()
    return Buckets(
        [
            _bucket(place * asked.interval + offset, groups.get(place, []), asked.inner)
            for place in places
            if len(groups.get(place, [])) >= asked.minimum
        ]
    )


def _dates(items: Items, asked: DateHistogramAggregation) -> Buckets:
    groups = _groups(
        (start, item)
        for item in items
        for start in {_start(asked.interval, instant) for instant in _instants(item, asked.field)}
    )
    start, last = (min(groups), max(groups)) if groups else (1, 0)
    found = []
    while start <= last:
        group = groups.get(start, [])
        if len(group) >= asked.minimum:
            text = (_EPOCH + start * _MILLISECOND).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            found.append(_bucket(start, group, asked.inner, text=text))
        start = _next(asked.interval, start)
    return Buckets(found)


def _start(interval: str | int, instant: int) -> int:
    width = interval if isinstance(interval, int) else _WIDTHS.get(interval)
    if width is not None:
        return instant // width * width
    moment = (_EPOCH + instant * _MILLISECOND).replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "week":
        moment -= timedelta(days=moment.weekday())
    else:
        month = {"month": moment.month, "quarter": (moment.month - 1) // 3 * 3 + 1, "year": 1}[str(interval)]
        moment = moment.replace(month=month, day=1)
    return (moment - _EPOCH) // _MILLISECOND


def _next(interval: str | int, start: int) -> int:
    """Give the next start: the one that a moment a little more than a unit later lies in."""
    days = {"week": 7, "month": 31, "quarter": 92, "year": 366}
    width = interval if isinstance(interval, int) else _WIDTHS.get(interval)
    return start + width if width is not None else _start(interval, start + days[str(interval)] * 86_400_000)


def _stats(items: Items, field: str) -> Stats:
    numbers = [number for item in items for number in _numbers(item, field)]
    instants = [float(instant) for item in items for instant in _instants(item, field)]
    found = numbers or instants
    if not found:
        return Stats(0, None, None, 0.0)
    return Stats(len(found), min(found), max(found), math.fsum(found), bool(not numbers))
