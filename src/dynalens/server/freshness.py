"""How old what viewers see may be: one collection, asked again and again, rendered once for all who watch it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from dynalens.errors import DynalensError
from dynalens.server.limits import FRESH_SECONDS
from dynalens.server.topic import Place, render


class Freshness:
    """The freshness of one collection, for as long as somebody watches it.

    A viewer gets the newest word only: what an older one said is no longer true. While the stores cannot say how fresh
    the collection is, viewers hear nothing, and must not take silence for good news.

    Args:
        name: `fresh:{collection}`.
        read: Gives the word as JSON.

    Attributes:
        sleepers: What is set when there is a new word.
    """

    def __init__(self, name: str, read: Callable[[], Awaitable[bytes]]) -> None:
        self.name = name
        self.sleepers: set[asyncio.Event] = set()
        self._read = read
        self._number = 0
        self._frame: bytes | None = None
        self._asking: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to ask."""
        self._asking = asyncio.create_task(self._ask(), name=self.name)

    def close(self) -> None:
        """Stop asking, as soon as the event loop comes to it."""
        if self._asking is not None:
            self._asking.cancel()

    def enter(self) -> Place:
        """Give a new viewer its place: it gets the newest word at once."""
        return Place()

    def read(self, place: Place, room: int) -> list[bytes]:  # noqa: ARG002 - one short frame fits any room
        """Give the newest word unless the viewer has it."""
        if self._frame is None or place.revision == self._number:
            return []
        place.revision = self._number
        return [self._frame]

    async def _ask(self) -> None:
        while True:
            try:
                self._frame = render("fresh", None, await self._read())
            except DynalensError:
                self._frame = None
            self._number += 1
            for sleeper in self.sleepers:
                sleeper.set()
            await asyncio.sleep(FRESH_SECONDS)
