"""Searching a collection: by the parameters of a URL, or by Elasticsearch's Query DSL."""

from __future__ import annotations

import time
from collections.abc import Mapping

from fastapi import APIRouter, Request
from starlette.responses import Response

from dynalens.search import SearchRequest
from dynalens.search.dsl import Body, read_body, read_uri
from dynalens.search.parameters import read_parameters
from dynalens.server.answers import MEDIA_TYPE, Json
from dynalens.server.awaited import beside
from dynalens.server.bodies import ELASTICSEARCH_JSON, optional_json
from dynalens.server.documented import answers, parameter, query_body
from dynalens.server.hits import SHARDS, elasticsearch_answer, plain_answer
from dynalens.server.models import ElasticsearchAnswer, PlainSearchAnswer
from dynalens.server.routes.collections import CollectionPath
from dynalens.server.service import Here, search_reader
from dynalens.server.waiting import Fresh
from dynalens.target import SearchReader

router = APIRouter(prefix="/api/v1/collections", tags=["search"])

SEARCH_ERRORS = (400, 404, 408, 413, 415, 422, 503, 504)

_HIT = {
    "id": "img-1",
    "score": 3.2,
    "document": {"id": "img-1", "title": "Sunset over the harbour", "year": 2019},
    "highlight": {"title": ["<em>Sunset</em> over the harbour"]},
}
_ANSWER = {
    "total": 1,
    "took_ms": 3,
    "hits": [_HIT],
    "facets": {"year": [{"value": 2019, "count": 1}]},
}
_PARAMETERS = [
    parameter("q", "string", 'Words, and "phrases" in quotes; typos are tolerated. None: all documents.', "sunsett"),
    parameter("fields", "string", "Fields to look in, comma-separated. None: all fields.", "title,tags"),
    parameter("filter", "string", "`field:value` that must hold; may be repeated.", "year:2019"),
    parameter("facet", "string", "Fields whose values to count; may be repeated.", "year"),
    parameter("sort", "string", "Fields to order by, comma-separated. None: best first.", "year:desc"),
    parameter("from", "integer", "Hits to skip.", 0),
    parameter("size", "integer", "Most hits to give.", 10),
    parameter("highlight", "boolean", "Show where hits matched.", True),  # noqa: FBT003 - an example
]

QUERY_EXAMPLE = {"query": {"match": {"title": "sunset"}}, "size": 10}
ELASTICSEARCH_EXAMPLE = {
    "took": 3,
    "timed_out": False,
    "_shards": dict(SHARDS),
    "hits": {
        "total": {"value": 1, "relation": "eq"},
        "max_score": 3.2,
        "hits": [{"_index": "images", "_id": "img-1", "_score": 3.2, "_source": _HIT["document"]}],
    },
}


@router.get(
    "/{collection}/search",
    summary="Search by parameters",
    response_model=PlainSearchAnswer,
    responses=answers(_ANSWER, 400, 404, 422, 503, 504),
    openapi_extra={"parameters": _PARAMETERS},
)
async def search(here: Here, collection: CollectionPath, request: Request, fresh: Fresh) -> Response:
    """Find documents by any field, typos tolerated, best first."""
    began = time.perf_counter()
    here.backend.collection(collection)
    reader = search_reader(here.backend)
    asked = read_parameters(beside(request.query_params))
    await fresh.of("search", [collection])
    return json_bytes(await here.searches.run(_plainly_answered, reader, collection, asked, began))


def _plainly_answered(reader: SearchReader, collection: str, asked: SearchRequest, began: float) -> bytes:
    return plain_answer(asked, reader.search(collection, asked), took_ms=milliseconds_since(began))


@router.post(
    "/{collection}/search",
    summary="Search by Query DSL",
    response_model=ElasticsearchAnswer,
    responses=answers(ELASTICSEARCH_EXAMPLE, *SEARCH_ERRORS),
    openapi_extra=query_body(QUERY_EXAMPLE),
)
async def search_by_query(here: Here, collection: CollectionPath, request: Request, fresh: Fresh) -> Response:
    """Find documents by a query in Elasticsearch's DSL; the answer has Elasticsearch's shape."""
    began = time.perf_counter()
    here.backend.collection(collection)
    sent = await optional_json(request, ELASTICSEARCH_JSON)
    asked = read_body(over(sent, read_uri(beside(request.query_params))))
    return await answer_query(here, fresh, collection, asked, began)


def over(sent: Json | None, parameters: Mapping[str, object]) -> Json:
    """Give a body, or none, with the parameters of its URL over it."""
    if sent is None:
        return dict(parameters)
    # What is no object is refused, by name, where it is read.
    return {**sent, **parameters} if isinstance(sent, dict) else sent


async def answer_query(
    here: Here, fresh: Fresh, collection: str, asked: Body, began: float, *, plain_total: bool = False
) -> Response:
    """Answer a query in Elasticsearch's shape; `began` is when it arrived, by `time.perf_counter`."""
    reader = search_reader(here.backend)
    await fresh.of("search", [collection])
    return json_bytes(await here.searches.run(_answered, reader, collection, asked, began, plain_total=plain_total))


def _answered(reader: SearchReader, collection: str, asked: Body, began: float, *, plain_total: bool) -> bytes:
    answer = reader.search(collection, asked.request)
    took_ms = milliseconds_since(began)
    return elasticsearch_answer(collection, asked, answer, took_ms=took_ms, plain_total=plain_total)


def milliseconds_since(began: float) -> int:
    """Give the time since `began`, by `time.perf_counter`, waiting for a thread included."""
    return round(1000 * (time.perf_counter() - began))


def json_bytes(body: bytes) -> Response:
    """Answer with JSON that is rendered already."""
    return Response(body, media_type=MEDIA_TYPE)
