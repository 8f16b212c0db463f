"""The time of day, as the whole package reads it.

Nothing but `dynalens.testing.clock` moves it, so that this module knows nothing of tests. What measures how long
something takes reads a monotonic clock instead: the time of day may jump.
"""

from __future__ import annotations

import time
from collections.abc import Callable

source: Callable[[], float] = time.time
"""Where the time comes from, in epoch seconds."""


def now() -> float:
    """Give the time of day in epoch seconds."""
    return source()
