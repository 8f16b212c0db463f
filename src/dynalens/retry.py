"""Retries: one policy that yields delays, and the one loop that obeys it.

Whatever in Dynalens tries a call again does it through `RetryPolicy.run`; clients' own retries are switched off, so
that attempts never multiply and a stop is never waited out.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

Answer = TypeVar("Answer")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often, how fast and for how long a failed call is tried again.

    Before the n-th repetition lies a random delay between zero and `base_seconds` * 2^(n-1), at most `cap_seconds`:
    "full jitter" (AWS Architecture Blog, "Exponential Backoff And Jitter"), which keeps many readers that failed
    together from returning together.

    Attributes:
        base_seconds: Upper bound of the first delay.
        cap_seconds: Upper bound of every delay.
        attempts: Calls in all, the first one included.
        total_seconds: No repetition starts later than this after the first failure.
        random: Gives a number from 0.0 up to 1.0; for tests.
        clock: Gives seconds that never go back; for tests.
    """

    base_seconds: float = 0.05
    cap_seconds: float = 5.0
    attempts: int = 12
    total_seconds: float = 30.0
    random: Callable[[], float] = random.random
    clock: Callable[[], float] = time.monotonic

    def delays(self) -> Iterator[float]:
        """Yield the seconds to wait before each repetition; it ends when the policy gives up.

        The time limit counts from the first delay that is asked for.
        """
        last_start = self.clock() + self.total_seconds
        ceiling = min(self.base_seconds, self.cap_seconds)
        for _ in range(self.attempts - 1):
            delay = self.random() * ceiling
            if self.clock() + delay > last_start:
                return
            yield delay
            ceiling = min(2 * ceiling, self.cap_seconds)

    def run(
        self, call: Callable[[], Answer], *, retryable: Callable[[Exception], bool], stop: threading.Event
    ) -> Answer:
        """Call until it succeeds, and return what it returned.

        Args:
            call: Called in this thread, at least once.
            retryable: Whether an error may pass by itself.
            stop: When it is set, a wait ends at once and nothing is tried again.

        Raises:
            Exception: The last error of `call`, as it was: it is not retryable, the policy gave up, or `stop` is set.
        """
        delays = self.delays()
        while True:
            try:
                return call()
            except Exception as error:
                delay = next(delays, None) if retryable(error) else None
                if delay is None or stop.wait(delay):
                    raise
                _log.debug("trying again after %.2f s: %s", delay, error)


STANDARD = RetryPolicy()
"""The policy of everything that has no reason for its own: 12 attempts within 30 seconds."""
