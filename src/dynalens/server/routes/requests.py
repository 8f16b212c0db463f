"""What is asked of the worker: rebuilding a collection in a target, and comparing it with its table."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request

from dynalens.errors import NotFoundError, QueryLimitError
from dynalens.request import Request as Asked
from dynalens.request import RequestStore
from dynalens.server.backend import Backend, shortened
from dynalens.server.bodies import json_body
from dynalens.server.documented import answers, body
from dynalens.server.limits import REQUESTS_OPEN
from dynalens.server.requests import RequestAnswer, RequestBody, RequestNumber, RequestsAnswer
from dynalens.server.routes.collections import CollectionPath
from dynalens.server.service import Here

router = APIRouter(prefix="/api/v1/collections/{collection}/requests", tags=["requests"])

_ENDED = frozenset({"done", "failed"})

_BODY = {"kind": "verify", "target": "sql", "options": {"sample": 0.05, "rate": 500.0, "repair": True}}
_NOTHING_YET = {
    "number": 12,
    "table": "Donations",
    "collection": "donations",
    **_BODY,
    "state": "waiting",
    "progress": None,
    "outcome": {},
    "failure": "",
    "asked_at": 1754550000.0,
    "changed_at": 1754550000.0,
}
_DONE = {
    **_NOTHING_YET,
    "state": "done",
    "progress": {"done": 100000, "total": 100000},
    "outcome": {
        "scanned": 50000,
        "walked": 50000,
        "looked_up": 3,
        "lost": {"count": 0, "examples": []},
        "extra": {"count": 0, "examples": []},
        "stale": {"count": 1, "examples": ["S:a@test.com|S:2019-08-07T07:26:56"]},
        "generation": 1,
        "repaired": 1,
        "in_flight": 0,
        "unchecked": 0,
        "bytes_read": 12000000,
        "read_units": 1500.5,
        "complete": True,
    },
    "changed_at": 1754550100.0,
}


@router.post(
    "",
    status_code=202,
    summary="Ask for a rebuild or a comparison",
    responses=answers(_NOTHING_YET, 400, 404, 408, 413, 415, 422, 503, status=202),
    openapi_extra=body(RequestBody, _BODY),
)
async def ask(here: Here, collection: CollectionPath, request: Request) -> RequestAnswer:
    """Ask the worker that leads the table. It is answered as soon as it is kept; its number tells how it goes."""
    table = here.backend.collection(collection).table
    wanted = await json_body(request, RequestBody)
    await here.stores.run(_check_target, here.backend, collection, wanted.target)
    asked = await here.stores.run(_ask, _store(here.backend), wanted.request(table, collection))
    return RequestAnswer.of(asked)


@router.get(
    "", summary="What was asked of a collection", responses=answers({"requests": [_DONE, _NOTHING_YET]}, 404, 503)
)
async def requests(here: Here, collection: CollectionPath) -> RequestsAnswer:
    """List what has not ended and what ended last, oldest first."""
    table = here.backend.collection(collection).table
    found = await here.stores.run(_store(here.backend).requests, table)
    return RequestsAnswer(requests=[RequestAnswer.of(one) for one in found if one.collection == collection])


@router.get("/{number}", summary="How one request goes", responses=answers(_DONE, 400, 404, 503))
async def request(
    here: Here, collection: CollectionPath, number: Annotated[RequestNumber, Path(examples=[12])]
) -> RequestAnswer:
    """Give its state, its progress and what came of it so far."""
    here.backend.collection(collection)
    found = await here.stores.run(_store(here.backend).request, number)
    if found is None or found.collection != collection:
        raise NotFoundError(
            f"There is no request {number} of collection {shortened(collection)}.",
            hint=f"GET /api/v1/collections/{shortened(collection)}/requests lists them.",
        )
    return RequestAnswer.of(found)


def _store(backend: Backend) -> RequestStore:
    if backend.requests is None:
        raise NotFoundError("This server takes no requests for a worker.", hint="Ask the one that dynalens up runs.")
    return backend.requests


def _check_target(backend: Backend, collection: str, target: str) -> None:
    """Blocks on the stores."""
    kept_in = backend.targets_of(collection)
    if target not in kept_in:
        listed = ", ".join(kept_in) or "none"
        raise NotFoundError(f"{collection} is not kept in a {target} target.", hint=f"Its targets: {listed}.")


def _ask(store: RequestStore, asked: Asked) -> Asked:
    """Blocks on the store."""
    waiting = sum(one.state not in _ENDED for one in store.requests(asked.table))
    if waiting >= REQUESTS_OPEN:
        raise QueryLimitError(
            f"{waiting} requests of table {asked.table} have not ended (limit: {REQUESTS_OPEN}).",
            hint="Wait for some of them: the worker carries out one after the other.",
        )
    return store.ask(asked)
