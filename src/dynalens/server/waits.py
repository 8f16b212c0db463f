"""How many requests wait for a write, and how they share the targets with those that do not."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from dynalens.errors import BusyError
from dynalens.server.limits import WAITS


@dataclass(slots=True)
class Waits:
    """Requests that wait now.

    Attributes:
        waiting: How many there are.
        looking: By target, held by the one that looks for its document: they take one thread all together.
    """

    waiting: int = 0
    looking: defaultdict[str, asyncio.Lock] = field(default_factory=lambda: defaultdict(asyncio.Lock))

    @contextmanager
    def one_more(self) -> Iterator[None]:
        """Count one in for as long as it waits.

        Raises:
            BusyError: As many wait as may.
        """
        if self.waiting >= WAITS:
            raise BusyError(
                f"Too many requests wait for a write (limit: {WAITS} at once).", hint="Try again in a second."
            )
        self.waiting += 1
        try:
            yield
        finally:
            self.waiting -= 1
