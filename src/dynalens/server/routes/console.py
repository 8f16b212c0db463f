"""The console: one page whose script shows what its address names, and the page's parts, all from this package."""

from __future__ import annotations

import html
from collections.abc import Iterable
from pathlib import Path

from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from starlette.responses import FileResponse, HTMLResponse, Response

from dynalens.errors import NotFoundError
from dynalens.server.backend import shortened
from dynalens.server.documented import answers
from dynalens.server.service import Here

router = APIRouter(tags=["console"])

FOLDER = Path(__file__).parents[2] / "console"
"""What `ui/` is built into. A checkout in which it was never built has none, and gets a plain page."""

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads nothing from elsewhere, and runs no script that did not come with it."""

_PAGE = {"Content-Security-Policy": _POLICY, "Cache-Control": "no-cache"}
_ASSET = {"Cache-Control": "public, max-age=31536000, immutable"}
"""The names of assets carry a digest of what is in them."""


@router.head("/", summary="The server answers", include_in_schema=False)
@router.get("/", summary="The console, as a page", include_in_schema=False)
@router.get("/dashboards/{name}", summary="A dashboard, as a page", include_in_schema=False)
@router.get("/search", summary="Search, as a page", include_in_schema=False)
@router.get("/search/{collection}", summary="Search in one collection, as a page", include_in_schema=False)
@router.get("/sql", summary="SQL, as a page", include_in_schema=False)
async def console(here: Here, request: Request) -> Response:
    """Give the console's page, whichever of its addresses was asked for."""
    page = FOLDER / "index.html"
    if page.is_file():
        return FileResponse(page, headers=_PAGE)
    return HTMLResponse(_plain_page(here.backend.version, request.app.state.routes))


@router.get("/assets/{name}", summary="A part of the console", include_in_schema=False)
async def asset(name: str) -> Response:
    """Give a script, a style or a picture of the console."""
    return FileResponse(_part(FOLDER / "assets", name), headers=_ASSET)


def _part(folder: Path, name: str) -> Path:
    """Give a file of a folder, looked up by name: no name reaches beyond the folder."""
    parts = {path.name: path for path in folder.iterdir()} if folder.is_dir() else {}
    if name not in parts:
        raise NotFoundError(f"The console has no part {shortened(name)!r}.", hint="Load its page again: GET /")
    return parts[name]


@router.get(
    "/api",
    summary="All routes, as a page",
    response_class=Response,
    responses=answers("<!doctype html><title>Dynalens</title>…", media_type="text/html"),
)
async def routes(here: Here, request: Request) -> Response:
    """List the routes."""
    return HTMLResponse(_plain_page(here.backend.version, request.app.state.routes))


def _plain_page(version: str, routes: Iterable[APIRoute]) -> str:
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
