"""What verifications found, from the requests that are kept of them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from dynalens.request import Request
from dynalens.status import Verified


class Compared(NamedTuple):
    """What was compared: a generation of a collection in a target."""

    collection: str
    target: str
    generation: int


def newest_verified(requests: Iterable[Request]) -> dict[Compared, Verified]:
    """Give what the newest verification of each generation found.

    Args:
        requests: Those of one table, oldest first. A verification that has not ended tells nothing yet, and one that
            did not compare every document only what it found: it cannot say that nothing differs.
    """
    found: dict[Compared, Verified] = {}
    for request in requests:
        if request.kind == "verify" and request.state == "done":
            outcome = json.loads(request.outcome)
            compared = Compared(request.collection, request.target, outcome.get("generation", 0))
            verified = Verified(request.changed_at, _differences(outcome))
            is_newer = compared not in found or verified.at > found[compared].at
            if is_newer and (verified.differences or _is_whole(request, complete=outcome["complete"])):
                found[compared] = verified
    return found


def _differences(outcome: dict[str, Any]) -> int:
    found: int = sum(outcome[kind]["count"] for kind in ("lost", "extra", "stale"))
    repaired: int = outcome["repaired"]
    return found - repaired


def _is_whole(request: Request, *, complete: bool) -> bool:
    return complete and json.loads(request.options).get("sample", 1.0) == 1.0
