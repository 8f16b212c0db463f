"""One read for all who want to know the same at about the same time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

Given = TypeVar("Given")


class Latest(Generic[Given]):
    """What was read last, read again for whoever wants it younger; never twice at once.

    Args:
        read: Reads it.
        clock: Seconds that never go back.
    """

    def __init__(self, read: Callable[[], Awaitable[Given]], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._read = read
        self._clock = clock
        self._last: tuple[float, Given] | None = None
        self._reading: asyncio.Task[Given] | None = None

    async def get(self, max_age: float) -> Given:
        """Give what was read at most `max_age` seconds ago, or what is being read now, or else read it.

        Raises:
            DynalensError: What reading failed with.
        """
        if self._last is not None and self._clock() - self._last[0] <= max_age:
            return self._last[1]
        return await self._newest()

    async def since(self, moment: float) -> Given:
        """Give what was read since a moment of the clock, its reading begun no earlier, or else read it.

        Raises:
            DynalensError: What reading failed with.
        """
        while self._last is None or self._last[0] < moment:
            await self._newest()
        return self._last[1]

    async def _newest(self) -> Given:
        if self._reading is None:
            self._reading = asyncio.create_task(self._read_once())
            self._reading.add_done_callback(self._done)
        # Whoever goes away must not take the others' answer along.
        return await asyncio.shield(self._reading)

    async def _read_once(self) -> Given:
        began = self._clock()
        given = await self._read()
        self._last = (began, given)
        return given

    def _done(self, reading: asyncio.Task[Given]) -> None:
        self._reading = None
        if not reading.cancelled():
            reading.exception()  # looked at, also where nobody waits any more
