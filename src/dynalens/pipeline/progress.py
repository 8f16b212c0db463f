"""What a lane knows of its own progress, and the report it makes of it. Guarded by the feed's lock."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from dynalens.errors import DynalensError
from dynalens.pipeline.attachment import Attachment
from dynalens.pipeline.delivery import Cursor, Delivery
from dynalens.report import Report

QUIET_SECONDS = 3.0
"""Empty pages for this long count as the tip: DynamoDB Streams says nothing of how far behind a reader is."""
RECENT_SECONDS = 10.0
"""A newest record younger than this counts as the tip."""


@dataclass(slots=True, eq=False)
class Progress:
    """Counters of one lane since it was started. Times are epoch seconds."""

    table: str
    target: str
    confirmed: int = 0
    waiting: int = 0
    confirmed_at: float = 0.0
    applied_at: float = 0.0
    waiting_since: float = 0.0
    polled_at: float = field(default_factory=time.time)
    source_error: DynalensError | None = None
    target_error: DynalensError | None = None

    def read(self, records: int) -> None:
        """Note that a page was handed over."""
        self.waiting += records
        if records and not self.waiting_since:
            self.waiting_since = time.time()

    def forget(self) -> None:
        """Note that what was handed over and not confirmed is dropped; it will be read again."""
        self.waiting = 0
        self.waiting_since = 0.0

    def confirm(self, deliveries: Sequence[Delivery]) -> None:
        """Note that pages were applied and committed."""
        records = sum(map(len, deliveries))
        self.confirmed += records
        self.waiting -= records
        self.confirmed_at = time.time()
        self.waiting_since = self.confirmed_at if self.waiting else 0.0
        created = [change.created_at for delivery in deliveries for change in delivery.batch.changes[-1:]]
        self.applied_at = max([self.applied_at, *created])

    def report(self, attachment: Attachment, queue: Collection[Delivery], *, full: bool, now: float) -> Report:
        """Make the report of this moment. `full`: the lane has no room, so not being read for is no stall."""
        open_cursors = [cursor for cursor in attachment.cursors.values() if not cursor.committed.ended]
        shards = [cursor for cursor in open_cursors if cursor.partition.kind == "shard"]
        if open_cursors:
            self.polled_at = min(now if full else cursor.polled_at for cursor in open_cursors)
        elif attachment.attached:
            self.polled_at = now
        error = self.target_error or self.source_error
        at_tip = attachment.attached and error is None and all(_at_tip(cursor, now) for cursor in open_cursors)
        return Report(
            table=self.table,
            target=self.target,
            written_at=now,
            polled_at=self.polled_at,
            confirmed_at=self.confirmed_at,
            waiting_since=self.waiting_since,
            waiting=self.waiting,
            applied_at=self.applied_at,
            behind_seconds=_behind(shards, queue, self.waiting_since, now),
            caught_up=at_tip and attachment.has_all_shards(),
            scanned=attachment.scanned(),
            scan_total=attachment.table.items,
            confirmed=self.confirmed,
            error_code=error.code if error else "",
            error_message=error.message if error else "",
            error_hint=error.hint if error else "",
        )


def _at_tip(cursor: Cursor, now: float) -> bool:
    if cursor.committed != cursor.position or cursor.partition.kind == "segment":
        return False
    quiet = bool(cursor.quiet_since) and now - cursor.quiet_since >= QUIET_SECONDS
    return quiet or now - cursor.newest < RECENT_SECONDS


def _behind(shards: Sequence[Cursor], queue: Collection[Delivery], waiting_since: float, now: float) -> float:
    """Age of the oldest change known to be unconfirmed; 0.0 when the last reads came back empty and all is applied."""
    waiting = [change.created_at for delivery in queue for change in delivery.batch.changes[:1] if change.created_at]
    if waiting_since:
        waiting.append(waiting_since)
    waiting += [cursor.newest for cursor in shards if not cursor.quiet_since and cursor.newest]
    return max(0.0, now - min(waiting)) if waiting else 0.0
