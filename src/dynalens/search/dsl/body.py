"""The body of a search ("Search API", Elasticsearch reference) as a request, and what else it asks of the answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from dynalens.search.aggregation import NamedAggregations
from dynalens.search.dsl.aggregations import WITHIN, read_aggregations
from dynalens.search.dsl.highlight import read_highlight
from dynalens.search.dsl.limits import WINDOW
from dynalens.search.dsl.queries import read_whole_query
from dynalens.search.dsl.reading import Part
from dynalens.search.dsl.sorting import read_after, read_sort
from dynalens.search.dsl.source import SourceFilter, read_source
from dynalens.search.request import Everything, Query, SearchRequest

_FIELDS = "Write _source: hits give parts of the document."
_LARGEST_COUNT = 2**31 - 1
_LARGEST_SCORE = 10**30

_REFUSED: Mapping[str, str] = {
    "collapse": "Leave it out, or count values by facet= of GET …/search.",
    "docvalue_fields": _FIELDS,
    "explain": "Leave it out.",
    "ext": "Leave it out.",
    "fields": _FIELDS,
    "indices_boost": "Leave it out: one collection is searched.",
    "pit": "Leave it out, and go through all hits by scroll, or by sort and search_after.",
    "post_filter": "Write it into the filter of a bool query.",
    "profile": "Leave it out.",
    "rescore": "Leave it out, or write a bool query whose should raises what is wanted.",
    "runtime_mappings": "Leave it out: fields are those that documents have.",
    "script_fields": _FIELDS,
    "seq_no_primary_term": "Leave it out.",
    "slice": "Leave it out: one scroll gives all hits.",
    "stats": "Leave it out.",
    "stored_fields": _FIELDS,
    "suggest": "Write a match query with fuzziness, or q= of GET …/search.",
    "terminate_after": "Leave it out: searches are limited by their time.",
    "version": "Leave it out.",
}
"""Keys that are well known elsewhere: what to do instead."""

_KNOWN = (
    "query",
    "from",
    "size",
    "sort",
    "search_after",
    "highlight",
    "_source",
    "track_total_hits",
    "track_scores",
    "min_score",
    "timeout",
    *WITHIN,
)


@dataclass(frozen=True, slots=True)
class Body:
    """A search as its body asks for it.

    Attributes:
        request: What to search for.
        source: Which parts of each document to give.
        total: Whether to give the number of matches, exactly; a number asks for no more than to count so far.
    """

    request: SearchRequest
    source: SourceFilter
    total: bool | int


def read_body(body: Mapping[str, object]) -> Body:
    """Read the body of `_search`, parsed with numbers as int or Decimal.

    Unknown and unsupported keys are refused by name, unless their value asks for nothing (false, null, empty).
    `timeout` and `track_scores` are accepted: a search has its own limit of time, and scores come with the orders that
    need them.

    Raises:
        RequestError: A part of it is unknown or malformed; the message has its place.
        QueryLimitError: It passes a limit of `dynalens.search.dsl.limits`.
    """
    options = _options(body, _KNOWN)
    for name in ("timeout", "track_scores"):
        if name in options:
            options[name].text() if name == "timeout" else options[name].flag()
    return Body(_request(options), read_source(options.get("_source")), _total(options.get("track_total_hits")))


def read_query(body: Mapping[str, object]) -> Query:
    """Read the body of `_count`, which has a query alone.

    Raises:
        RequestError, QueryLimitError: As `read_body`.
    """
    return _query(_options(body, ("query",)))


def _options(body: Mapping[str, object], known: tuple[str, ...]) -> dict[str, Part]:
    if isinstance(body, Mapping):
        left_out = {*_REFUSED, *WITHIN}
        body = {name: value for name, value in body.items() if name not in left_out or not _asks_nothing(value)}
    return Part("", body).options(known, {**_REFUSED, **dict.fromkeys(_KNOWN, "Write it in a search, not in a count.")})


def _asks_nothing(value: object) -> bool:
    return not isinstance(value, Decimal) and value in (None, False, [], {})


def _request(options: Mapping[str, Part]) -> SearchRequest:
    offset, size = _window(options)
    sort = read_sort(options.get("sort"))
    after = read_after(options.get("search_after"), sort)
    if after and offset:
        raise options["from"].wrong("cannot stand beside search_after.", "Leave it out.")
    return SearchRequest(
        query=_query(options),
        offset=offset,
        size=size,
        sort=sort,
        after=after,
        highlight=read_highlight(options.get("highlight")),
        min_score=_min_score(options.get("min_score")),
        aggregations=_aggregations(options),
    )


def _aggregations(options: Mapping[str, Part]) -> NamedAggregations:
    if set(WITHIN) <= options.keys():
        raise options["aggregations"].wrong("stands there as aggs, too.", "Write aggs alone.")
    return read_aggregations(next((options[name] for name in WITHIN if name in options), None))


def _query(options: Mapping[str, Part]) -> Query:
    part = options.get("query")
    return read_whole_query(part, datetime.now(UTC)) if part else Everything()


def _window(options: Mapping[str, Part]) -> tuple[int, int]:
    offset = options["from"].whole(0, WINDOW) if "from" in options else 0
    size = options["size"].whole(0, WINDOW) if "size" in options else SearchRequest().size
    return window(offset, size)


def window(offset: int, size: int) -> tuple[int, int]:
    """Check that `from` and `size` together stay within the limit, and give them back.

    Raises:
        QueryLimitError: They do not.
    """
    if offset + size > WINDOW:
        raise Part("from and size", None).beyond("hits together", WINDOW, "Go on by sort and search_after, or scroll.")
    return offset, size


def _total(part: Part | None) -> bool | int:
    if part is None:
        return True
    return part.value if isinstance(part.value, bool) else part.whole(0, _LARGEST_COUNT)


def _min_score(part: Part | None) -> float | None:
    return part.number(-_LARGEST_SCORE, _LARGEST_SCORE) if part else None
