"""Aggregations: `aggs` in the body of a search ("Aggregations", Elasticsearch reference)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from dynalens.search.aggregation import (
    Aggregation,
    CalendarUnit,
    CardinalityAggregation,
    DateHistogramAggregation,
    HistogramAggregation,
    MetricAggregation,
    MetricKind,
    NamedAggregations,
    RangeAggregation,
    Span,
    StatsAggregation,
    TermsAggregation,
    TermsOrder,
)
from dynalens.search.dsl.clause import one_member, read_field, require
from dynalens.search.dsl.limits import AGGREGATIONS, BUCKETS, RANGES
from dynalens.search.dsl.reading import Part, closest

WITHIN = ("aggs", "aggregations")
"""Both names of aggregations; those in a bucket stand beside its kind."""

_LARGEST = 10**15
_PRECISION = 40_000
_SPAN = re.compile(r"([1-9]\d{0,8})(ms|s|m|h|d)", re.ASCII)
_MILLISECONDS: Mapping[str, int] = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_CALENDAR: Mapping[str, CalendarUnit] = {
    "minute": "minute",
    "1m": "minute",
    "hour": "hour",
    "1h": "hour",
    "day": "day",
    "1d": "day",
    "week": "week",
    "1w": "week",
    "month": "month",
    "1M": "month",
    "quarter": "quarter",
    "1q": "quarter",
    "year": "year",
    "1y": "year",
}
"""Units of the calendar ("Calendar intervals", Elasticsearch reference)."""

_REFUSED: Mapping[str, str] = {
    "exclude": "Leave it out, or exclude documents by the query.",
    "extended_bounds": "Leave it out: buckets reach from the first to the last value.",
    "format": "Leave it out: keys of dates come as milliseconds and as ISO 8601.",
    "hard_bounds": "Leave it out, and filter by a range in the query.",
    "include": "Leave it out, and filter by the query.",
    "interval": "Write calendar_interval or fixed_interval.",
    "meta": "Leave it out.",
    "missing": "Leave it out: documents without the field are in no bucket; a must_not of exists counts them.",
    "offset": "Leave it out.",
    "params": "Leave it out: scripts are not supported.",
    "script": "Leave it out: scripts are not supported.",
    "value_type": "Leave it out.",
}

_ELSEWHERE: Mapping[str, str] = {
    "auto_date_histogram": "Write date_histogram.",
    "composite": "Write terms, or go through all hits by sort and search_after.",
    "date_range": "Write date_histogram, or one search for each range.",
    "extended_stats": "Write stats.",
    "filter": "Write the filter into the query.",
    "filters": "Write one search for each filter.",
    "geo_distance": "Write a geo_distance query for each ring.",
    "global": "Write one search more, without the query.",
    "missing": "Write a query with a must_not of exists.",
    "multi_terms": "Write terms, and terms within it.",
    "nested": "Write the aggregation itself: fields within lists and maps are reached by their path, address.city.",
    "percentiles": "Write histogram or stats.",
    "significant_terms": "Write terms.",
    "top_hits": "Write one search for each bucket.",
    "value_count": "Write stats, which has the count.",
}
"""Kinds that are well known elsewhere: what to do instead."""


def read_aggregations(part: Part | None) -> NamedAggregations:
    """Read `{"by_city": {"terms": {"field": "city"}, "aggs": {…}}}`, nested once.

    Raises:
        RequestError: A part of it is unknown or malformed; the message has its place.
        QueryLimitError: There are more than `AGGREGATIONS`, or one passes a limit of its own.
    """
    if part is None:
        return ()
    found = _read_all(part, within=False)
    count = len(found) + sum(len(one.inner) for _, one in found if not isinstance(one, _METRICS))
    if count > AGGREGATIONS:
        raise part.beyond("aggregations", AGGREGATIONS, "Ask for fewer, or in several searches.")
    return found


def _read_all(part: Part, *, within: bool) -> NamedAggregations:
    members = part.members('Write for example {"by_city": {"terms": {"field": "city"}}}.')
    return tuple((name, _read(member, within=within)) for name, member in members.items())


def _read(part: Part, *, within: bool) -> Aggregation:
    members = part.members('Write a kind, for example {"terms": {"field": "city"}}.')
    inner = [members[name] for name in WITHIN if name in members]
    if len(inner) > 1:
        raise inner[1].wrong("stands there twice, as aggs, too.", "Write aggs alone.")
    rest = {name: member.value for name, member in members.items() if name not in WITHIN}
    if "meta" in rest:
        raise members["meta"].wrong("is not supported.", _REFUSED["meta"])
    kind, body = one_member(Part(part.path, rest), 'Write one kind, for example {"terms": {"field": "city"}}.')
    if kind in _BUCKETS:
        if inner and within:
            raise inner[0].wrong("is nested twice.", "Nest aggregations once, or ask in several searches.")
        return _BUCKETS[kind](body, _read_all(inner[0], within=True) if inner else ())
    if kind not in _KINDS:
        raise body.wrong("is no aggregation that is supported.", _ELSEWHERE.get(kind) or closest(kind, _KNOWN))
    if inner:
        raise inner[0].wrong(f"stands in {kind}, which has no buckets.", "Write it beside the other one.")
    return _KINDS[kind](body)


def _options(part: Part, *known: str) -> tuple[str, dict[str, Part]]:
    options = part.options(("field", *known), _REFUSED)
    if "field" not in options:
        raise part.wrong("lacks field.", 'Write {"field": "amount"}.')
    require(options, keyed=(False,))
    return read_field(options["field"])[0], options


# Buckets.


def _read_terms(part: Part, inner: NamedAggregations) -> Aggregation:
    field, options = _options(
        part,
        "size",
        "order",
        "min_doc_count",
        "shard_size",
        "show_term_doc_count_error",
        "execution_hint",
        "collect_mode",
    )
    require(options, show_term_doc_count_error=(True, False))
    size = options["size"].whole(1, BUCKETS) if "size" in options else 10
    order = _order(options["order"]) if "order" in options else TermsOrder()
    return TermsAggregation(field, size, order, _minimum(options, 1), inner)


_ORDERS: Mapping[str, bool] = {"asc": False, "desc": True}


def _order(part: Part) -> TermsOrder:
    """Read one order; behind it only the order of keys that equal counts have anyway may stand."""
    orders = [_one_order(entry) for entry in part.one_or_more()]
    if not orders or orders[1:] not in ([], [TermsOrder("key", descending=False)]):
        raise part.wrong("is an order that is not supported.", 'Write {"_count": "desc"} or {"_key": "asc"}.')
    return orders[0]


def _one_order(part: Part) -> TermsOrder:
    name, direction = one_member(part, 'Write {"_count": "desc"} or {"_key": "asc"}.')
    if name not in ("_count", "_key"):
        raise direction.wrong("is no order that is supported.", "Order by _count or _key.")
    return TermsOrder("count" if name == "_count" else "key", direction.choice(_ORDERS))


def _minimum(options: Mapping[str, Part], least: int) -> int:
    return options["min_doc_count"].whole(least, _LARGEST) if "min_doc_count" in options else least


def _read_range(part: Part, inner: NamedAggregations) -> Aggregation:
    field, options = _options(part, "ranges", "keyed")
    if "ranges" not in options:
        raise part.wrong("lacks ranges.", 'Write "ranges": [{"to": 10}, {"from": 10}].')
    entries = options["ranges"].items('Write a list such as [{"to": 10}, {"from": 10}].')
    if len(entries) > RANGES:
        raise options["ranges"].beyond("ranges", RANGES, "Ask for fewer, or write histogram.")
    if not entries:
        raise options["ranges"].wrong("is empty.", 'Write [{"to": 10}, {"from": 10}].')
    spans = sorted(map(_span, entries), key=_ends)
    return RangeAggregation(field, tuple(spans), inner)


def _span(part: Part) -> Span:
    options = part.options(("from", "to", "key"), {})
    low, high = (_end(options.get(name)) for name in ("from", "to"))
    return Span(low, high, options["key"].text() if "key" in options else None)


def _end(part: Part | None) -> int | Decimal | None:
    if part is None or part.value is None:
        return None
    value = part.scalar()
    if isinstance(value, str | bool):
        raise part.wrong(f"is {part.kind()}, not a number.", "Write numbers; dates are counted by date_histogram.")
    return value


def _ends(span: Span) -> tuple[Decimal, Decimal]:
    low, high = span.low, span.high
    return Decimal("-Infinity") if low is None else Decimal(low), Decimal("Infinity") if high is None else Decimal(high)


def _read_histogram(part: Part, inner: NamedAggregations) -> Aggregation:
    refused = {name: hint for name, hint in _REFUSED.items() if name not in ("interval", "offset")}
    options = part.options(("field", "interval", "offset", "min_doc_count", "keyed", "order"), refused)
    for name in ("field", "interval"):
        if name not in options:
            raise part.wrong(f"lacks {name}.", 'Write {"field": "amount", "interval": 10}.')
    _require_rising(options)
    interval = options["interval"].number(0, _LARGEST)
    if not interval:
        raise options["interval"].wrong("is 0.", "Write the width of a bucket.")
    offset = options["offset"].number(-_LARGEST, _LARGEST) if "offset" in options else 0.0
    return HistogramAggregation(read_field(options["field"])[0], interval, offset, _minimum(options, 0), inner)


def _require_rising(options: Mapping[str, Part]) -> None:
    require(options, keyed=(False,))
    if "order" in options and options["order"].value != {"_key": "asc"}:
        raise options["order"].wrong("is not supported.", "Leave it out: buckets come by their keys, rising.")


def _read_date_histogram(part: Part, inner: NamedAggregations) -> Aggregation:
    field, options = _options(
        part, "calendar_interval", "fixed_interval", "min_doc_count", "keyed", "order", "time_zone"
    )
    _require_rising(options)
    if "time_zone" in options and options["time_zone"].value not in ("UTC", "Z", "+00:00"):
        raise options["time_zone"].wrong("is not supported.", "Leave it out: buckets begin in UTC.")
    return DateHistogramAggregation(field, _interval(part, options), _minimum(options, 0), inner)


def _interval(part: Part, options: Mapping[str, Part]) -> CalendarUnit | int:
    given = [options[name] for name in ("calendar_interval", "fixed_interval") if name in options]
    if len(given) != 1:
        raise part.wrong("does not have one interval.", 'Write "calendar_interval": "month" or "fixed_interval": "6h".')
    text = given[0].text()
    if "calendar_interval" in options:
        if text not in _CALENDAR:
            raise given[0].wrong(f"is {given[0].kind()}.", f"Write one of: {', '.join(_CALENDAR)}.")
        return _CALENDAR[text]
    found = _SPAN.fullmatch(text)
    if found is None:
        raise given[0].wrong(f"is {given[0].kind()}.", "Write a whole number and ms, s, m, h or d, for example 6h.")
    return int(found[1]) * _MILLISECONDS[found[2]]


# Metrics.


def _read_cardinality(part: Part) -> Aggregation:
    field, options = _options(part, "precision_threshold", "execution_hint")
    if "precision_threshold" in options:
        options["precision_threshold"].whole(0, _PRECISION)
    return CardinalityAggregation(field)


def _metric(kind: MetricKind) -> Callable[[Part], Aggregation]:
    return lambda part: MetricAggregation(_options(part)[0], kind)


_METRICS = (StatsAggregation, MetricAggregation, CardinalityAggregation)

_BUCKETS: Mapping[str, Callable[[Part, NamedAggregations], Aggregation]] = {
    "date_histogram": _read_date_histogram,
    "histogram": _read_histogram,
    "range": _read_range,
    "terms": _read_terms,
}

_KINDS: Mapping[str, Callable[[Part], Aggregation]] = {
    "avg": _metric("avg"),
    "cardinality": _read_cardinality,
    "max": _metric("max"),
    "min": _metric("min"),
    "stats": lambda part: StatsAggregation(_options(part)[0]),
    "sum": _metric("sum"),
}

_KNOWN = sorted((*_BUCKETS, *_KINDS))
