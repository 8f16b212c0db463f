"""The application: routes, guard and OpenAPI document put together."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from dynalens.server.backend import Backend
from dynalens.server.descriptors import room_for_viewers
from dynalens.server.guard import Guard
from dynalens.server.mistakes import answer_mistakes
from dynalens.server.routes import ROUTERS, all_routes
from dynalens.server.service import Service

_DESCRIPTION = """\
Live copies of DynamoDB tables: SQL, documents, exact metrics and live events.

Every error has one shape: `{"error": {"code", "message", "hint"}}`; the hint says what to write instead.
"""


def create_app(backend: Backend) -> FastAPI:
    """Make the application that answers for `backend`. Run it with `dynalens.server.Server`."""
    service = Service.over(backend)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if service.hub is not None:
            service.hub.limit = room_for_viewers()
        yield

    app = FastAPI(
        title="Dynalens",
        version=backend.version,
        description=_DESCRIPTION,
        lifespan=lifespan,
        # FastAPI's documentation pages load their scripts from a content delivery network.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.service = service
    app.state.routes = all_routes()
    for router in ROUTERS:
        app.include_router(router)
    answer_mistakes(app)
    app.add_middleware(Guard, traffic=service.traffic)
    return app
