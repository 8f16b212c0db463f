"""The queries by name, and those that hold others: bool and constant_score."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from dynalens.search.dsl.clause import boosted, one_member, read_minimum, read_options, require
from dynalens.search.dsl.geo import read_geo_bounding_box, read_geo_distance
from dynalens.search.dsl.limits import BOOST, CLAUSES, QUERY_DEPTH
from dynalens.search.dsl.reading import Part, closest
from dynalens.search.dsl.values import read_exists, read_fuzzy, read_ids, read_prefix, read_range, read_term, read_terms
from dynalens.search.dsl.words import (
    read_match,
    read_match_phrase,
    read_match_phrase_prefix,
    read_multi_match,
    read_query_string,
)
from dynalens.search.minimum import required
from dynalens.search.request import Bool, Boosted, Everything, MultiMatch, Nothing, Query


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a query stands: the moment that `now` means, and how many queries are around it."""

    now: datetime
    depth: int = 0


def read_whole_query(part: Part, now: datetime) -> Query:
    """Read one query with all that it holds.

    Raises:
        RequestError: A part of it is unknown or malformed; the message has its place.
        QueryLimitError: It is too deep, or has too many clauses.
    """
    query = _read(part, Scope(now))
    if _clauses(query) > CLAUSES:
        raise part.beyond("clauses", CLAUSES, "Write many values of one field as one terms query.")
    if _boost(query) > BOOST:
        raise part.beyond("as the product of boosts within each other", BOOST, "Write smaller boosts.")
    return query


def _read(part: Part, scope: Scope) -> Query:
    if scope.depth >= QUERY_DEPTH:
        raise part.beyond("queries within each other", QUERY_DEPTH, "Flatten the bool queries.")
    name, inner = one_member(part, 'Write one query, for example {"match": {"title": "red"}}.')
    reader = _READERS.get(name)
    if reader is None:
        raise inner.wrong("is no query that is supported.", _ELSEWHERE.get(name) or closest(name, _READERS))
    return reader(inner, replace(scope, depth=scope.depth + 1))


def _clauses(query: Query) -> int:
    if isinstance(query, Bool):
        return 1 + sum(map(_clauses, query.must + query.should + query.filter + query.must_not))
    if isinstance(query, Boosted):
        return _clauses(query.query)
    return max(1, len(query.fields)) if isinstance(query, MultiMatch) else 1


def _boost(query: Query) -> float:
    """Give the largest factor of any score: boosts within each other multiply, and scores are 32-bit floats."""
    if isinstance(query, Bool):
        return max(map(_boost, query.must + query.should + query.filter + query.must_not), default=1.0)
    if isinstance(query, Boosted):
        return query.boost * (1.0 if query.constant else max(1.0, _boost(query.query)))
    return max((boost for _, boost in query.fields), default=1.0) if isinstance(query, MultiMatch) else 1.0


def _read_bool(part: Part, scope: Scope) -> Query:
    options = read_options(
        part, "must", "should", "filter", "must_not", "minimum_should_match", "boost", "adjust_pure_negative"
    )
    require(options, adjust_pure_negative=(True,))
    must, should, kept, must_not = (
        _queries(options.get(name), scope) for name in ("must", "should", "filter", "must_not")
    )
    if not (must or should or kept or must_not):
        return boosted(Everything(), options)
    minimum = read_minimum(options)
    # As in Lucene, 0 says no more than nothing does: should alone still asks for one.
    count = None if minimum is None else required(minimum, len(should)) or None
    return boosted(Bool(must, should, kept, must_not, count), options)


def _queries(part: Part | None, scope: Scope) -> tuple[Query, ...]:
    parts = part.one_or_more() if part else []
    if part and len(parts) > CLAUSES:
        raise part.beyond("clauses", CLAUSES, "Write many values of one field as one terms query.")
    return tuple(_read(query, scope) for query in parts)


def _read_constant_score(part: Part, scope: Scope) -> Query:
    options = read_options(part, "filter", "boost")
    if "filter" not in options:
        raise part.wrong("lacks filter.", 'Write {"filter": {"term": {"platform": "Phone"}}}.')
    score = options["boost"].number(0, BOOST) if "boost" in options else 1.0
    return Boosted(_read(options["filter"], scope), score, constant=True)


def _read_match_all(part: Part, _: Scope) -> Query:
    return boosted(Everything(), read_options(part, "boost"))


def _read_match_none(part: Part, _: Scope) -> Query:
    read_options(part, "boost")
    return Nothing()


def _leaf(reader: Callable[[Part], Query]) -> Callable[[Part, Scope], Query]:
    return lambda part, _: reader(part)


_READERS: Mapping[str, Callable[[Part, Scope], Query]] = {
    "bool": _read_bool,
    "constant_score": _read_constant_score,
    "exists": _leaf(read_exists),
    "fuzzy": _leaf(read_fuzzy),
    "geo_bounding_box": _leaf(read_geo_bounding_box),
    "geo_distance": _leaf(read_geo_distance),
    "ids": _leaf(read_ids),
    "match": _leaf(read_match),
    "match_all": _read_match_all,
    "match_none": _read_match_none,
    "match_phrase": _leaf(read_match_phrase),
    "match_phrase_prefix": _leaf(read_match_phrase_prefix),
    "multi_match": _leaf(read_multi_match),
    "prefix": _leaf(read_prefix),
    "query_string": _leaf(read_query_string),
    "range": lambda part, scope: read_range(part, scope.now),
    "simple_query_string": _leaf(read_query_string),
    "term": _leaf(read_term),
    "terms": _leaf(read_terms),
}

_GEO = "Write geo_distance or geo_bounding_box."

_ELSEWHERE: Mapping[str, str] = {
    "boosting": "Write a bool query whose should raises what is wanted.",
    "combined_fields": "Write multi_match with the type cross_fields.",
    "dis_max": "Write multi_match with the type best_fields, or a bool query with should.",
    "function_score": "Write a bool query whose should raises what is wanted, or sort by a field.",
    "geo_polygon": _GEO,
    "geo_shape": _GEO,
    "match_bool_prefix": "Write multi_match with the type bool_prefix.",
    "nested": "Write the query itself: fields within lists and maps are reached by their path, address.city.",
    "regexp": "Write prefix, match or fuzzy.",
    "script": "Write range, term and bool queries.",
    "script_score": "Sort by a field instead.",
    "wildcard": "Write prefix, match or fuzzy.",
}
"""Queries that are well known elsewhere: what to do instead."""
