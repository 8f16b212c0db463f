"""The application: routes, guard and OpenAPI document put together."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from fastapi import FastAPI

from dynalens.errors import DynalensError
from dynalens.server.backend import Backend
from dynalens.server.descriptors import room_for_viewers
from dynalens.server.guard import Guard
from dynalens.server.limits import SHUTDOWN_SECONDS, SWEEP_SECONDS
from dynalens.server.mistakes import answer_mistakes
from dynalens.server.readers import Readers
from dynalens.server.routes import ROUTERS, all_routes
from dynalens.server.scrolls import Scrolls
from dynalens.server.service import Service

_DESCRIPTION = """\
Live copies of DynamoDB tables: search, SQL, documents, exact metrics and live events.

Every error has one shape: `{"error": {"code", "message", "hint"}}`; the hint says what to write instead.
"""


def create_app(backend: Backend) -> FastAPI:
    """Make the application that answers for `backend`. Run it with `dynalens.server.Server`."""
    service = Service.over(backend)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        if service.hub is not None:
            service.hub.limit = room_for_viewers()
        async with _scrolls_swept(service):
            yield

    app = with_routes(backend.version)
    app.router.lifespan_context = lifespan
    app.state.service = service
    app.state.routes = all_routes()
    answer_mistakes(app)
    app.add_middleware(Guard, traffic=service.traffic)
    return app


def with_routes(version: str) -> FastAPI:
    """Make an application that knows its routes and nothing behind them: the source of the OpenAPI document."""
    app = FastAPI(
        title="Dynalens",
        version=version,
        description=_DESCRIPTION,
        # FastAPI's documentation pages load their scripts from a content delivery network.
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _scrolls_swept(service: Service) -> AsyncIterator[None]:
    """Close scrolls whose time is over, and all of them at the end.

    A target that does not answer then gives up by itself, when it is closed, what they hold.
    """
    scrolls = service.scrolls
    if scrolls is None:
        yield
        return
    sweeping = asyncio.create_task(_sweep(scrolls, service.searches), name="sweep scrolls")
    yield
    sweeping.cancel()
    with suppress(DynalensError, TimeoutError):
        async with asyncio.timeout(SHUTDOWN_SECONDS):
            await service.searches.run(scrolls.close_all)


async def _sweep(scrolls: Scrolls, searches: Readers) -> None:
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        with suppress(DynalensError):  # busy or slow: the next round is soon
            await searches.run(scrolls.sweep)
