"""What a lane knows of its own progress, and the report it makes of it. Guarded by the feed's lock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from dynalens import clock
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
    worker: str = ""
    confirmed: int = 0
    waiting: int = 0
    confirmed_at: float = 0.0
    applied_at: float = 0.0
    waiting_since: float = 0.0
    read_at: float = 0.0
    """When every open shard had been read last; from an earlier process until this one has read them all."""
    started_at: float = field(default_factory=clock.now)
    source_error: DynalensError | None = None
    target_error: DynalensError | None = None

    def read(self, records: int) -> None:
        """Note that a page was handed over."""
        self.waiting += records
        if records and not self.waiting_since:
            self.waiting_since = clock.now()

    def forget(self) -> None:
        """Note that what was handed over and not confirmed is dropped; it will be read again."""
        self.waiting = 0
        self.waiting_since = 0.0

    def drop(self, deliveries: Sequence[Delivery]) -> None:
        """Note that pages are left to another worker."""
        self.waiting -= sum(map(len, deliveries))
        if not self.waiting:
            self.waiting_since = 0.0

    def confirm(self, deliveries: Sequence[Delivery]) -> None:
        """Note that pages were applied and committed."""
        records = sum(map(len, deliveries))
        self.confirmed += records
        self.waiting -= records
        self.confirmed_at = clock.now()
        self.waiting_since = self.confirmed_at if self.waiting else 0.0
        created = [change.created_at for delivery in deliveries for change in delivery.batch.changes[-1:]]
        self.applied_at = max([self.applied_at, *created])

    def note_reads(self, attachment: Attachment, now: float) -> None:
        """Note when the shards were read last. A stream without open shards has nothing to read."""
        shards = attachment.reading.open_shards().values()
        if shards:
            self.read_at = min(cursor.polled_at or self.read_at for cursor in shards)
        elif attachment.attached:
            self.read_at = now

    def report(self, attachment: Attachment, queue: Iterable[Delivery], now: float) -> Report:
        """Make the report of this moment."""
        self.note_reads(attachment, now)
        open_cursors = [cursor for cursor in attachment.reading.cursors.values() if not cursor.committed.ended]
        error = self.target_error or self.source_error
        at_tip = attachment.attached and error is None and all(_at_tip(cursor, now) for cursor in open_cursors)
        return Report(
            table=self.table,
            target=self.target,
            worker=self.worker,
            written_at=now,
            started_at=self.started_at,
            polled_at=self.read_at,
            confirmed_at=self.confirmed_at,
            waiting_since=self.waiting_since,
            waiting=self.waiting,
            applied_at=self.applied_at,
            behind_seconds=_behind(attachment.reading.open_shards().values(), queue, self.waiting_since, now),
            caught_up=at_tip and attachment.reading.has_all_shards(),
            scanned=attachment.scans.rows(),
            scan_total=attachment.reading.table.items,
            confirmed=self.confirmed,
            owners=attachment.reading.leases.owners(),
            error_code=error.code if error else "",
            error_message=error.message if error else "",
            error_hint=error.hint if error else "",
        )


def _at_tip(cursor: Cursor, now: float) -> bool:
    if cursor.committed != cursor.position or cursor.partition.kind == "segment":
        return False
    quiet = bool(cursor.quiet_since) and now - cursor.quiet_since >= QUIET_SECONDS
    return quiet or now - cursor.newest < RECENT_SECONDS


def _behind(shards: Iterable[Cursor], queue: Iterable[Delivery], waiting_since: float, now: float) -> float:
    """Age of the oldest change known to be unconfirmed; 0.0 when the last reads came back empty and all is applied."""
    waiting = [change.created_at for delivery in queue for change in delivery.batch.changes[:1] if change.created_at]
    if waiting_since:
        waiting.append(waiting_since)
    waiting += [cursor.newest for cursor in shards if not cursor.quiet_since and cursor.newest]
    return max(0.0, now - min(waiting)) if waiting else 0.0
