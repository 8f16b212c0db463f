"""Waiting for what a test can observe, instead of sleeping for as long as it might take."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Seen = TypeVar("Seen")

POLL_SECONDS = 0.02


class NotObservedError(AssertionError):
    """The condition did not come true in time; the message carries what was seen last."""


def observed(
    predicate: Callable[[], Seen],
    *,
    timeout: float = 30.0,
    ignoring: type[Exception] | tuple[type[Exception], ...] = (),
) -> Seen:
    """Poll `predicate` until it returns something true, and return that.

    Args:
        predicate: Looks once. It is called often, so it should be cheap.
        timeout: Seconds until the test fails with what was seen last. Be generous: only a failing run waits for it.
        ignoring: Exceptions that mean "not yet", such as a refused connection.
    """
    __tracebackhide__ = True
    deadline = time.monotonic() + timeout
    while True:
        seen: Seen | Exception
        try:
            seen = predicate()
            if seen:
                return seen
        except ignoring as error:
            seen = error
        if time.monotonic() >= deadline:
            raise NotObservedError(f"not observed within {timeout:g} s; last seen: {seen!r}")
        time.sleep(POLL_SECONDS)
