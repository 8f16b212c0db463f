"""Requests that no route takes as they are: every kind of mistake in the one shape, with what to write instead."""

from __future__ import annotations

import difflib
import logging
from collections.abc import Iterable

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Match

from dynalens.errors import DynalensError
from dynalens.server.answers import error_answer, refusal
from dynalens.server.backend import shortened

logger = logging.getLogger(__name__)

INTERNAL = 500


def answer_mistakes(app: FastAPI) -> None:
    """Have every error of routing, validation and answering take the one shape."""
    app.add_exception_handler(DynalensError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _unrouted)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, DynalensError)  # noqa: S101 - registered for this class
    if error.http_status == INTERNAL:
        logger.error("%s %s failed: %s", request.method, shortened(request.url.path), error)
    return refusal(error)


async def _invalid(_request: Request, error: Exception) -> Response:
    """Name the first field that is wrong: `body.numbers.0: Input should be greater than or equal to 1`."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this class
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"])
    return error_answer(400, "bad_request", f"{place}: {first['msg']}.", f"You sent: {shortened(repr(first['input']))}")


async def _unrouted(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this class
    routes: list[APIRoute] = request.app.state.routes
    path = shortened(request.url.path)
    # The route of the OpenAPI document is FastAPI's own: it is not among ours, and says itself what it allows.
    methods = {method for method in (error.headers or {}).get("Allow", "").split(", ") if method}
    for route in routes:
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= set(route.methods or ())
    if not methods:
        return error_answer(404, "not_found", f"There is no route {path}.", _nearest(path, routes))
    allowed = ", ".join(sorted(methods))
    return error_answer(
        405,
        "method_not_allowed",
        f"{shortened(request.method)} is not allowed on {path}.",
        f"Allowed: {allowed}",
        headers={"Allow": allowed},
    )


def _nearest(path: str, routes: Iterable[APIRoute]) -> str:
    closest = difflib.get_close_matches(path, [route.path_format for route in routes], n=1)
    guess = f"Did you mean {closest[0]}? " if closest else ""
    return f"{guess}GET /api lists all routes."
