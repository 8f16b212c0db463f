"""The routes of the HTTP API, by what they are about."""

from __future__ import annotations

from fastapi.routing import APIRoute

from dynalens.server.routes import (
    collections,
    console,
    dashboards,
    dead_letters,
    elasticsearch,
    health,
    live,
    requests,
    search,
    sql,
)

ROUTERS = (
    health.router,
    collections.router,
    search.router,
    sql.router,
    live.router,
    dashboards.router,
    dead_letters.router,
    requests.router,
    elasticsearch.router,
    # Last: a collection may be called as a page is, and /search/_search is the search in it.
    console.router,
)


def all_routes() -> list[APIRoute]:
    """List all routes, in the order in which they are tried."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
