"""Moving the clock that the package reads: a day's absence in a moment, and jumps in both directions.

    with shifted(25 * 3600):  # everything inside happens 25 hours later
        ...

From outside, by the environment of a `dynalens` process: `DYNALENS_CLOCK_SHIFT=90000` (seconds).
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dynalens import clock
from dynalens.errors import UsageError

ENVIRONMENT_VARIABLE = "DYNALENS_CLOCK_SHIFT"


def shift(seconds: float) -> None:
    """Let the clock of this process stand so many seconds after the real one (before it, if negative)."""
    clock.source = (lambda: time.time() + seconds) if seconds else time.time


@contextmanager
def shifted(seconds: float) -> Iterator[None]:
    """Shift the clock of this process while the context lasts; every thread sees it."""
    before = clock.source
    shift(seconds)
    try:
        yield
    finally:
        clock.source = before


def shift_from_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Shift the clock by what `DYNALENS_CLOCK_SHIFT` says, in seconds. Without the variable nothing changes.

    Raises:
        UsageError: It is not a finite number.
    """
    text = environment.get(ENVIRONMENT_VARIABLE, "")
    if not text:
        return
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not math.isfinite(seconds):
        raise UsageError(
            f"{ENVIRONMENT_VARIABLE}: {text!r} is not a number of seconds.", hint="Write seconds, such as 90000."
        )
    shift(seconds)
