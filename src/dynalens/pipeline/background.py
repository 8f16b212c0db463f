"""Verifications that nobody has to ask for: one after the other, each collection again some time after it was compared.

Each is a durable request like any other, so that whoever leads next goes on with it, and status tells what it found.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from dynalens import clock
from dynalens.request import Request, RequestStore

LOOK_SECONDS = 60.0
"""How often the store is asked what is due: it costs a query each time."""
FAILED_SECONDS = 3600.0
"""After how long one that failed is tried again, where it would not be due before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """How the collections of a table are compared with it all the time.

    `every_seconds` is how long after its last verification has ended a collection is due again, `rate` how many
    documents per second are compared, `repair` says whether what differs is written anew; `collections` names those to
    be compared, by target name.
    """

    every_seconds: float
    rate: float
    repair: bool
    collections: Mapping[str, Sequence[str]]


class Schedule:
    """Asks for the verifications of one table and target, each when it is due and none waits already.

    Args:
        background: How they are compared; None: nothing is asked for.
        table: The table's name.
        target: The target's name.
        requests: Where it is asked for.
        is_served: Says whether a collection is served, so that there is something to compare.
    """

    def __init__(
        self,
        background: Background | None,
        *,
        table: str,
        target: str,
        requests: RequestStore,
        is_served: Callable[[str], bool],
    ) -> None:
        self._background = background
        self._table = table
        self._target = target
        self._requests = requests
        self._is_served = is_served
        self._looked_at = -math.inf

    def ask(self) -> None:
        """Ask for the one that has been due for longest, unless one of those asked for here has not ended yet."""
        if self._background is None or time.monotonic() - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        known = [
            request
            for request in self._requests.requests(self._table)
            if (request.kind, request.target) == ("verify", self._target)
        ]
        if any(is_background(request) and not request.has_ended for request in known):
            return
        due = {
            collection: _due_at([request for request in known if request.collection == collection], self._background)
            for collection in self._background.collections.get(self._target, ())
            if self._is_served(collection)
        }
        first = min(due, key=lambda collection: due[collection], default=None)
        now = clock.now()
        if first is not None and due[first] <= now:
            self._requests.ask(self._request(first, self._background, now))

    def _request(self, collection: str, background: Background, now: float) -> Request:
        options = {"sample": 1.0, "rate": background.rate, "repair": background.repair, "background": True}
        return Request(
            table=self._table,
            collection=collection,
            target=self._target,
            kind="verify",
            options=json.dumps(options),
            asked_at=now,
            changed_at=now,
        )


def is_background(request: Request) -> bool:
    """Say whether nobody asked for a verification: it gives way to those that somebody waits for."""
    return bool(json.loads(request.options).get("background"))


def _due_at(known: Sequence[Request], background: Background) -> float:
    """Give the time from which a collection is to be compared again, from its verifications; 0.0 without any."""
    if not all(request.has_ended for request in known):
        return math.inf
    # A sample tells nothing of the other documents.
    whole = [request for request in known if json.loads(request.options).get("sample", 1.0) == 1.0]
    last = max(whole, key=lambda request: request.changed_at, default=None)
    if last is None:
        return 0.0
    wait = background.every_seconds
    return last.changed_at + (min(wait, FAILED_SECONDS) if last.state == "failed" else wait)
