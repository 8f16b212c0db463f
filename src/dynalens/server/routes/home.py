"""A plain page that says what there is."""

from __future__ import annotations

import html
from collections.abc import Iterable

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import HTMLResponse, Response

from dynalens.server.documented import answers
from dynalens.server.service import Here

router = APIRouter(tags=["health"])


@router.head("/", summary="The server answers", include_in_schema=False)
@router.get(
    "/",
    summary="All routes, as a page",
    response_class=Response,
    responses=answers("<!doctype html><title>Dynalens</title>…", media_type="text/html"),
)
async def home(here: Here, request: Request) -> Response:
    """List the routes."""
    return HTMLResponse(_page(here.backend.version, request.app.state.routes))


def _page(version: str, routes: Iterable[APIRoute]) -> str:
    rows = "".join(
        f"<tr><td>{', '.join(sorted(route.methods or ()))}<td><code>{html.escape(route.path_format)}</code>"
        f"<td>{html.escape(route.summary or '')}"
        for route in routes
    )
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Dynalens</title>'
        f"<h1>Dynalens {html.escape(version)}</h1>"
        '<p>Described in <a href="/openapi.json">/openapi.json</a> (OpenAPI).'
        f"<table><tr><th>Method<th>Route<th>What{rows}</table></html>"
    )
