"""The routes of the HTTP API, by what they are about."""

from __future__ import annotations

from fastapi.routing import APIRoute

from dynalens.server.routes import collections, dead_letters, elasticsearch, health, home, live, search, sql

ROUTERS = (
    home.router,
    health.router,
    collections.router,
    search.router,
    sql.router,
    live.router,
    dead_letters.router,
    elasticsearch.router,
)


def all_routes() -> list[APIRoute]:
    """List all routes, in the order in which they are tried."""
    return [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
