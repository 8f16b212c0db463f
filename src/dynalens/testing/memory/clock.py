"""A clock that moves only when told."""

from __future__ import annotations

import threading


class ManualClock:
    """Epoch seconds that move only when told. Call it for the time; pass `sleep` where code would sleep.

    Args:
        now: Where it starts.
    """

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self._now = now
        self._lock = threading.Lock()

    def __call__(self) -> float:
        """Give the time, in epoch seconds."""
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> None:
        """Move the time on."""
        with self._lock:
            self._now += seconds

    def sleep(self, seconds: float) -> None:
        """Sleep without waiting: the time moves on at once."""
        self.advance(seconds)
