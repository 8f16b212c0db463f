"""Searching at Elasticsearch's own paths, so that its clients run unchanged.

Source: "Search APIs" and "Document APIs" in the Elasticsearch reference, and what opensearch-py 3 sends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated

import orjson
from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from dynalens.errors import NotFoundError, RequestError
from dynalens.search.dsl import read_body, read_query, read_uri
from dynalens.search.dsl.reading import Part
from dynalens.search.dsl.uri import TRANSPORT, flag, once
from dynalens.server.answers import Json, error_answer, json_answer
from dynalens.server.awaited import PARAMETERS, beside
from dynalens.server.backend import Backend, shortened
from dynalens.server.bodies import ELASTICSEARCH_JSON, as_model, optional_json
from dynalens.server.documented import answers, body, query_body
from dynalens.server.hits import SHARDS, elasticsearch_answer
from dynalens.server.models import (
    ClearScrollAnswer,
    ClearScrollRequest,
    CountAnswer,
    ElasticsearchAnswer,
    ScrollRequest,
    SourceAnswer,
)
from dynalens.server.routes.collections import CollectionPath
from dynalens.server.routes.search import (
    ELASTICSEARCH_EXAMPLE,
    QUERY_EXAMPLE,
    SEARCH_ERRORS,
    answer_query,
    json_bytes,
    milliseconds_since,
    over,
)
from dynalens.server.scrolls import Page, keep_alive_seconds
from dynalens.server.service import Here, Service, document_reader, open_scrolls, search_reader
from dynalens.server.waiting import Fresh, keeper_of

router = APIRouter(tags=["elasticsearch"])

_SCROLL_ID = "k3J0l5n1vQ0yB6xv3m2rJ8w4dT7cA9eF1gH5iK2oP0s"
_PAGE_EXAMPLE = {"_scroll_id": _SCROLL_ID, **ELASTICSEARCH_EXAMPLE}
_COUNT_EXAMPLE = {"count": 1, "_shards": dict(SHARDS)}
_SOURCE_EXAMPLE = {"_index": "images", "_id": "img-1", "found": True, "_source": {"title": "Sunset over the harbour"}}

_PLAIN_TOTAL = "rest_total_hits_as_int"

ScrollPath = Annotated[str, Path(description="`_scroll_id` of the page before.", examples=[_SCROLL_ID])]


# Searches.


@router.get(
    "/{collection}/_search",
    summary="Search, at Elasticsearch's path",
    response_model=ElasticsearchAnswer,
    responses=answers(ELASTICSEARCH_EXAMPLE, *SEARCH_ERRORS),
)
@router.post(
    "/{collection}/_search",
    summary="Search, at Elasticsearch's path",
    response_model=ElasticsearchAnswer,
    responses=answers(ELASTICSEARCH_EXAMPLE, *SEARCH_ERRORS),
    openapi_extra=query_body(QUERY_EXAMPLE),
)
async def search(here: Here, collection: CollectionPath, request: Request, fresh: Fresh) -> Response:
    """Find documents as `POST /api/v1/collections/{collection}/search` does; `?scroll=5m` opens a scroll."""
    began = time.perf_counter()
    _require_one(here.backend, collection)
    given = once(beside(request.query_params))
    keep_alive = given.pop("scroll", None)
    asked = read_body(over(await optional_json(request, ELASTICSEARCH_JSON), read_uri(list(given.items()))))
    plain_total = _plain_total(given)
    if keep_alive is None:
        return await answer_query(here, fresh, collection, asked, began, plain_total=plain_total)
    scrolls = open_scrolls(here)
    await fresh.of("search", [collection])
    opening = partial(scrolls.open, collection, asked, keep_alive_seconds(keep_alive))
    return await _answer_page(here, opening, began, plain_total=plain_total)


@router.get("/_search", include_in_schema=False, summary="Refused: one collection at a time")
@router.post("/_search", include_in_schema=False, summary="Refused: one collection at a time")
@router.get("/_count", include_in_schema=False, summary="Refused: one collection at a time")
@router.post("/_count", include_in_schema=False, summary="Refused: one collection at a time")
async def search_everything(here: Here) -> Response:
    """Refuse to search all collections at once."""
    raise _one_at_a_time("A search without a collection", here.backend)


@router.get(
    "/{collection}/_count",
    summary="Count matches, at Elasticsearch's path",
    response_model=CountAnswer,
    responses=answers(_COUNT_EXAMPLE, *SEARCH_ERRORS),
)
@router.post(
    "/{collection}/_count",
    summary="Count matches, at Elasticsearch's path",
    response_model=CountAnswer,
    responses=answers(_COUNT_EXAMPLE, *SEARCH_ERRORS),
    openapi_extra=query_body({"query": QUERY_EXAMPLE["query"]}),
)
async def count(here: Here, collection: CollectionPath, request: Request, fresh: Fresh) -> Response:
    """Count the documents that match a query; without one, all."""
    _require_one(here.backend, collection)
    parameters = read_uri(beside(request.query_params))
    query = read_query(over(await optional_json(request, ELASTICSEARCH_JSON), parameters))
    reader = search_reader(here.backend)
    await fresh.of("search", [collection])
    matches = await here.searches.run(reader.matches, collection, query)
    return json_answer({"count": matches, "_shards": SHARDS})


# Scrolls.


@router.get(
    "/_search/scroll",
    summary="The next page of a scroll",
    response_model=ElasticsearchAnswer,
    responses=answers(_PAGE_EXAMPLE, *SEARCH_ERRORS),
)
@router.post(
    "/_search/scroll",
    summary="The next page of a scroll",
    response_model=ElasticsearchAnswer,
    responses=answers(_PAGE_EXAMPLE, *SEARCH_ERRORS),
    openapi_extra=body(ScrollRequest, {"scroll_id": _SCROLL_ID, "scroll": "5m"}),
)
async def scroll(here: Here, request: Request) -> Response:
    """Give the next hits of a search that was opened with `?scroll=`, as the collection was then; no hits: its end."""
    return await _next_page(here, request, {})


@router.get(
    "/_search/scroll/{scroll_id}",
    summary="The next page of a scroll",
    response_model=ElasticsearchAnswer,
    responses=answers(_PAGE_EXAMPLE, *SEARCH_ERRORS),
)
@router.post(
    "/_search/scroll/{scroll_id}",
    summary="The next page of a scroll",
    response_model=ElasticsearchAnswer,
    responses=answers(_PAGE_EXAMPLE, *SEARCH_ERRORS),
)
async def scroll_by_path(here: Here, scroll_id: ScrollPath, request: Request) -> Response:
    """Give the next hits of a scroll that the path names."""
    return await _next_page(here, request, {"scroll_id": scroll_id})


@router.delete(
    "/_search/scroll",
    summary="Close scrolls",
    response_model=ClearScrollAnswer,
    responses=answers({"succeeded": True, "num_freed": 1}, *SEARCH_ERRORS),
    openapi_extra=body(ClearScrollRequest, {"scroll_id": [_SCROLL_ID]}),
)
async def clear_scroll(here: Here, request: Request) -> Response:
    """Close scrolls that are read to their end, so that others may be opened."""
    return await _cleared(here, await _scroll_json(request, {}))


@router.delete(
    "/_search/scroll/{scroll_id}",
    summary="Close a scroll",
    response_model=ClearScrollAnswer,
    responses=answers({"succeeded": True, "num_freed": 1}, *SEARCH_ERRORS),
)
async def clear_scroll_by_path(here: Here, scroll_id: ScrollPath, request: Request) -> Response:
    """Close the scroll that the path names."""
    return await _cleared(here, await _scroll_json(request, {"scroll_id": scroll_id}))


async def _next_page(here: Service, request: Request, path: dict[str, str]) -> Response:
    began = time.perf_counter()
    asked = as_model(await _scroll_json(request, path), ScrollRequest)
    seconds = keep_alive_seconds(asked.scroll) if asked.scroll is not None else None
    reading = partial(open_scrolls(here).read, asked.scroll_id, seconds)
    plain_total = _plain_total(once(request.query_params.multi_items()))
    return await _answer_page(here, reading, began, plain_total=plain_total)


async def _answer_page(here: Service, read: Callable[[], Page], began: float, *, plain_total: bool) -> Response:
    page, rendered = await here.searches.run(_read_page, read, began, plain_total=plain_total)
    open_scrolls(here).turn(page)
    return json_bytes(rendered)


def _read_page(read: Callable[[], Page], began: float, *, plain_total: bool) -> tuple[Page, bytes]:
    page = read()
    return page, elasticsearch_answer(
        page.collection,
        page.asked,
        page.answer,
        took_ms=milliseconds_since(began),
        plain_total=plain_total,
        scroll_id=page.scroll_id,
    )


def _plain_total(given: Mapping[str, str]) -> bool:
    return _PLAIN_TOTAL in given and flag(Part(_PLAIN_TOTAL, given[_PLAIN_TOTAL]))


async def _cleared(here: Service, asked: Json) -> Response:
    ids = as_model(asked, ClearScrollRequest).scroll_id
    freed = await here.searches.run(open_scrolls(here).close, [ids] if isinstance(ids, str) else ids)
    if not freed:
        raise NotFoundError("There is no such scroll, or its time is over.", hint="Nothing is left to close.")
    return json_answer({"succeeded": True, "num_freed": freed})


async def _scroll_json(request: Request, path: dict[str, str]) -> Json:
    """Give what is asked of a scroll, wherever it stands: in the path, the URL's parameters or the body."""
    given = once(request.query_params.multi_items())
    named = {name: value for name, value in given.items() if name not in TRANSPORT}
    return over(await optional_json(request, ELASTICSEARCH_JSON), {**named, **path})


# Documents.


@router.head("/{collection}/_doc/{id:path}", include_in_schema=False, summary="Is there such a document?")
@router.get(
    "/{collection}/_doc/{id:path}",
    summary="One document, at Elasticsearch's path",
    response_model=SourceAnswer,
    responses=answers(_SOURCE_EXAMPLE, 400, 404, 503, 504),
)
async def document(
    here: Here,
    fresh: Fresh,
    collection: CollectionPath,
    id: Annotated[str, Path(description="The document's id, percent-encoded.", examples=["img-1"])],  # noqa: A002
    request: Request,
) -> Response:
    """Give a document as it is stored, every digit kept."""
    _require_one(here.backend, collection)
    _refuse_parameters(request)
    reader = document_reader(here.backend)
    await fresh.of(keeper_of(here.backend), [collection])
    stored = await here.documents.run(reader.document, collection, id)
    if stored is None:
        message = f"There is no document {shortened(id)!r} in {collection}."
        hint = f"GET /{collection}/_search gives ids, as _id."
        return error_answer(404, NotFoundError.code, message, hint, _index=collection, _id=id, found=False)
    return json_answer({"_index": collection, "_id": stored.id, "found": True, "_source": orjson.Fragment(stored.json)})


def _refuse_parameters(request: Request) -> None:
    for name in request.query_params:
        if name not in TRANSPORT and name not in PARAMETERS:
            raise RequestError(f"{shortened(name)!r} is not understood here.", hint="Leave it out.")


# One collection at a time.


def _require_one(backend: Backend, named: str) -> None:
    if named.startswith("_") or any(sign in named for sign in ",*"):
        raise _one_at_a_time(f"{shortened(named)!r}", backend)
    backend.collection(named)


def _one_at_a_time(what: str, backend: Backend) -> RequestError:
    name = next(iter(backend.config.collections), "COLLECTION")
    return RequestError(
        f"{what} may mean several collections, and one search reads one.",
        hint=f"Name one collection, and ask for each: /{name}/_search",
    )
