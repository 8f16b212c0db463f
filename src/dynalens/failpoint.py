"""Failpoints: named moments of the protocol at which a test may kill, stop or break the process.

Nothing is armed in production: `hit` is one look-up in an empty dictionary. `dynalens.testing.failpoints` arms them, so
that this module, which the whole package may import, knows nothing of tests.
"""

from __future__ import annotations

from collections.abc import Callable

BEFORE_APPLY = "before_apply"
"""A batch is about to be sent to the target."""
AFTER_APPLY = "after_apply"
"""The target has acknowledged a batch; nothing is marked in it yet."""
AFTER_MARK = "after_mark"
"""The target holds the new marks; the position is not committed yet."""
AFTER_COMMIT = "after_commit"
"""The position is committed in the store."""
BEFORE_DRAW = "before_draw"
"""An epoch is about to be drawn."""
AFTER_DRAW = "after_draw"
"""An epoch is drawn in the store; the target has not heard of it."""
AFTER_RAISE_EPOCH = "after_raise_epoch"
"""The target remembers the drawn epoch; nothing is written under it yet."""
COPY_RECORDED = "copy_recorded"
"""A new generation is recorded in the store; it does not exist in the target yet."""
SEGMENT_PAGE = "segment_page"
"""A page of a scan was read; none of its rows is applied yet."""
BEFORE_SERVE = "before_serve"
"""A generation is complete; readers still see the one before."""
AFTER_SERVE = "after_serve"
"""Readers see the new generation; the store still calls it building."""
DEAD_LETTER_STORED = "dead_letter_stored"
"""Dead letters of a batch are durable; the position has not moved past them."""

NAMES = frozenset(
    {
        BEFORE_APPLY,
        AFTER_APPLY,
        AFTER_MARK,
        AFTER_COMMIT,
        BEFORE_DRAW,
        AFTER_DRAW,
        AFTER_RAISE_EPOCH,
        COPY_RECORDED,
        SEGMENT_PAGE,
        BEFORE_SERVE,
        AFTER_SERVE,
        DEAD_LETTER_STORED,
    }
)
"""Every failpoint there is."""

armed: dict[str, Callable[[], None]] = {}
"""What to do at which failpoint; empty unless a test armed something."""


def hit(name: str) -> None:
    """Pass a failpoint: does nothing unless it is armed."""
    action = armed.get(name)
    if action is not None:
        action()
