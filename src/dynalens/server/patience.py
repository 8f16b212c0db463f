"""Closing connections whose client keeps the server waiting: uvicorn limits only the pause between two requests."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection
from typing import Any

from dynalens.server.protocol import Connection

_LOOK_SECONDS = 1.0


class Patience:
    """Looks at all connections every second and aborts those that have waited too long for one thing."""

    def __init__(self) -> None:
        self._since: dict[Connection, tuple[tuple[object, ...], float]] = {}
        self._connections: Collection[Any] = ()
        self._looking: asyncio.Task[None] | None = None

    def watch(self, connections: Collection[Any]) -> None:
        """Begin to look at the connections of a server, a collection that it keeps up to date."""
        self._connections = connections
        self._looking = asyncio.create_task(self._look_on(), name="patience")

    def end(self) -> None:
        """Stop looking, and abort what is not being read now: waiting longer would only delay the shutdown."""
        if self._looking is not None:
            self._looking.cancel()
        for connection in list(self._connections):
            if connection.flow.write_paused:
                connection.transport.abort()

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """Abort what has waited too long as of `now`, in monotonic seconds."""
        seen: dict[Connection, tuple[tuple[object, ...], float]] = {}
        for connection in list(self._connections):
            awaited = connection.awaited
            if awaited is None:
                continue
            before, since = self._since.get(connection, ((), now))
            if before != awaited:
                since = now
            if now - since > connection.patience_seconds:
                connection.transport.abort()
            else:
                seen[connection] = (awaited, since)
        self._since = seen
