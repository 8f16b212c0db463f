"""Answers to searches, rendered: our own shape and Elasticsearch's. Documents go out as they are stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from dynalens.errors import QueryLimitError
from dynalens.search import FacetValue, Hit, SearchAnswer, SearchRequest, Value
from dynalens.search.dsl import Body
from dynalens.server.aggregations import elasticsearch_aggregations
from dynalens.server.answers import rendered
from dynalens.server.limits import SEARCH_ANSWER_BYTES

SHARDS: Mapping[str, int] = {"total": 1, "successful": 1, "skipped": 0, "failed": 0}
"""What Elasticsearch says of the parts of an index that took part; clients look whether all did."""

Rendered = dict[str, Any]


def plain_answer(asked: SearchRequest, answer: SearchAnswer, *, took_ms: int) -> bytes:
    """Render `{"total", "took_ms", "hits", "facets"}`; hits carry `highlight` where it was asked for.

    Raises:
        QueryLimitError: The documents are too much for one answer.
    """
    _limit_bytes(answer)
    return rendered(
        {
            "total": answer.total,
            "took_ms": took_ms,
            "hits": [_plain_hit(hit, highlighted=asked.highlight is not None) for hit in answer.hits],
            "facets": {name: [_facet_value(counted) for counted in values] for name, values in answer.facets.items()},
        }
    )


def _plain_hit(hit: Hit, *, highlighted: bool) -> Rendered:
    return {
        "id": _json(hit.id),
        "score": hit.score,
        "document": orjson.Fragment(hit.document),
        **({"highlight": _highlight(hit)} if highlighted else {}),
    }


def _facet_value(counted: FacetValue) -> Rendered:
    return {"value": _json(counted.value), "count": counted.count}


def elasticsearch_answer(
    collection: str,
    asked: Body,
    answer: SearchAnswer,
    *,
    took_ms: int,
    plain_total: bool = False,
    scroll_id: str | None = None,
) -> bytes:
    """Render what Elasticsearch answers ("Search API" in its reference, "Response body").

    `plain_total` is `rest_total_hits_as_int`: the total as a number, as before Elasticsearch 7.

    Raises:
        QueryLimitError: The documents are too much for one answer.
    """
    _limit_bytes(answer)
    total = _total(answer.total, asked.total, plain=plain_total)
    return rendered(
        {
            **({"_scroll_id": scroll_id} if scroll_id is not None else {}),
            "took": took_ms,
            "timed_out": False,
            "_shards": SHARDS,
            "hits": {
                **({"total": total} if total is not None else {}),
                "max_score": answer.max_score,
                "hits": [_elasticsearch_hit(collection, asked, hit) for hit in answer.hits],
            },
            **_aggregations(answer),
        }
    )


def _aggregations(answer: SearchAnswer) -> Rendered:
    return {"aggregations": elasticsearch_aggregations(answer.aggregations)} if answer.aggregations else {}


def _total(found: int, wanted: bool | int, *, plain: bool) -> Rendered | int | None:  # noqa: FBT001 - `track_total_hits`
    """Give the total as exactly as `track_total_hits` wants it; a number alone is always exact."""
    if wanted is False:
        return None
    if plain:
        return found
    if wanted is not True and found > wanted:
        return {"value": wanted, "relation": "gte"}
    return {"value": found, "relation": "eq"}


def _elasticsearch_hit(collection: str, asked: Body, hit: Hit) -> Rendered:
    source = asked.source.apply(hit.document)
    # A scroll may order by more than was asked for.
    sort = hit.sort[: len(asked.request.sort)]
    return {
        "_index": collection,
        "_id": _json(hit.id),
        "_score": hit.score,
        **({"_source": orjson.Fragment(source)} if source is not None else {}),
        **({"highlight": _highlight(hit)} if hit.highlight else {}),
        **({"sort": [_json(value) for value in sort]} if sort else {}),
    }


def _highlight(hit: Hit) -> orjson.Fragment:
    marked: Mapping[str, Sequence[str]] = {path: list(fragments) for path, fragments in hit.highlight.items()}
    return orjson.Fragment(rendered(marked))


def _json(value: Value | None) -> orjson.Fragment:
    """Render one value by itself: numbers with every digit, strings with whatever DynamoDB let them hold."""
    if isinstance(value, str | bool) or value is None:
        return orjson.Fragment(rendered(value))
    return orjson.Fragment(str(value))


def _limit_bytes(answer: SearchAnswer) -> None:
    size = sum(len(hit.document) for hit in answer.hits)
    if size > SEARCH_ANSWER_BYTES:
        raise QueryLimitError(
            f"The {len(answer.hits)} documents found have {size} bytes (limit: {SEARCH_ANSWER_BYTES} in one answer).",
            hint="Ask for fewer at once: a smaller size.",
        )
