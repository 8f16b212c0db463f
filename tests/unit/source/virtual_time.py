"""Time that passes only while somebody waits, so that waits are asserted instead of waited for."""

from __future__ import annotations

import threading

MOST_WAITS = 10_000


class Clock:
    """Seconds that move when told, or when a `Stop` is waited for."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Stop(threading.Event):
    """A stop event whose waits take no time: they are noted, and move a clock. It can be set at the n-th wait."""

    def __init__(self, clock: Clock, *, set_at_wait: int = 0) -> None:
        super().__init__()
        self.waits: list[float] = []
        self._clock = clock
        self._set_at_wait = set_at_wait

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.waits.append(timeout)
        assert len(self.waits) < MOST_WAITS, "the waiting comes to no end"
        if len(self.waits) == self._set_at_wait:
            self.set()
        if not self.is_set():
            self._clock.now += timeout
        return self.is_set()
