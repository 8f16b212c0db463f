"""Arming failpoints: kill, stop or break a process at a named moment of the protocol, at the hit of your choice.

From outside, by the environment of a `dynalens` process:

    DYNALENS_FAILPOINTS="after_apply=kill:3"                 # SIGKILL itself at the third hit
    DYNALENS_FAILPOINTS="before_apply=pause,after_draw=raise"

`kill` ends the process as a power cut or the kernel would, without any clean-up. `pause` stops it by SIGSTOP, all
threads at once, until a SIGCONT: whoever started it sees that by `os.waitpid(pid, os.WUNTRACED)`. `raise` raises
`FailpointError` from the hit. Each happens once, at the nth hit (default 1).

From inside, for a pipeline in the test's own process:

    with armed(failpoint.AFTER_APPLY, at_hit(2, action)):
        ...
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from dynalens import failpoint
from dynalens.errors import UsageError

ENVIRONMENT_VARIABLE = "DYNALENS_FAILPOINTS"


class FailpointError(RuntimeError):
    """Raised by a failpoint that was armed with `raise`; no module of the package expects it."""


def at_hit(nth: int, action: Callable[[], None]) -> Callable[[], None]:
    """Give an action that runs `action` at the `nth` hit (from 1) and at no other. Safe to hit from several threads."""
    lock = threading.Lock()
    left = nth

    def hit() -> None:
        nonlocal left
        with lock:
            left -= 1
            due = left == 0
        if due:
            action()

    return hit


@contextmanager
def armed(name: str, action: Callable[[], None]) -> Iterator[None]:
    """Run `action` at every hit of a failpoint while the context lasts.

    Raises:
        UsageError: There is no failpoint of this name.
    """
    failpoint.armed[_known(name)] = action
    try:
        yield
    finally:
        failpoint.armed.pop(name, None)


def arm_from_environment(environment: Mapping[str, str] = os.environ) -> None:
    """Arm what `DYNALENS_FAILPOINTS` names: `name=kill|raise|pause[:nth]`, several joined by commas.

    Called once by the command line before anything starts. Without the variable nothing changes.

    Raises:
        UsageError: A name, an action or a count in it means nothing; nothing is armed then.
    """
    parts = filter(None, map(str.strip, environment.get(ENVIRONMENT_VARIABLE, "").split(",")))
    failpoint.armed.update([_parse(part) for part in parts])


def _parse(part: str) -> tuple[str, Callable[[], None]]:
    name, _, rest = part.partition("=")
    kind, _, nth = rest.partition(":")
    if kind not in _ACTIONS or not (nth or "1").isdecimal() or int(nth or "1") < 1:
        raise UsageError(
            f"{ENVIRONMENT_VARIABLE}: {part!r} is not a failpoint.",
            hint=f"Write name=action or name=action:nth, with one of {', '.join(sorted(_ACTIONS))} and nth from 1.",
        )
    return _known(name), at_hit(int(nth or "1"), _ACTIONS[kind])


def _known(name: str) -> str:
    if name not in failpoint.NAMES:
        raise UsageError(
            f"There is no failpoint {name!r}.", hint=f"The failpoints are: {', '.join(sorted(failpoint.NAMES))}."
        )
    return name


def _kill() -> None:
    signal.raise_signal(signal.SIGKILL)


def _raise() -> None:
    msg = "a failpoint was armed to raise here"
    raise FailpointError(msg)


def _pause() -> None:
    # Sent to this very thread: a signal to the process could let it run on past the failpoint.
    signal.raise_signal(signal.SIGSTOP)


_ACTIONS: dict[str, Callable[[], None]] = {"kill": _kill, "raise": _raise, "pause": _pause}
