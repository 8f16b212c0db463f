"""How many of several words or clauses must match."""

from __future__ import annotations

import re

PERCENT = re.compile(r"-?\d{1,3}%", re.ASCII)
"""The text form of a minimum: a share, or with a minus the share that may be missing."""


def required(minimum: int | str, total: int) -> int:
    """Resolve `3`, `-1` (all but one), `"75%"` or `"-25%"` (all but a quarter) of `total` to a count, never below 0.

    Shares are rounded down, as "minimum_should_match parameter" in the Elasticsearch reference has it. A count above
    `total` stays: then nothing matches.

    Raises:
        ValueError: It is a text of another form.
    """
    if isinstance(minimum, str):
        if not PERCENT.fullmatch(minimum):
            raise ValueError(f"{minimum!r} is no share")
        percent = int(minimum[:-1])
        share = total * abs(percent) // 100
        return max(0, share if percent >= 0 and not minimum.startswith("-") else total - share)
    return minimum if minimum >= 0 else max(0, total + minimum)
