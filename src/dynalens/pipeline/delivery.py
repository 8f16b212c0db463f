"""What travels from a source's reader to a target's writer: pages, counted so that each change has its version."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dynalens.change import Change, Poison
from dynalens.partition import Partition, Position
from dynalens.source import Batch
from dynalens.target import VERSION_BITS, version

ORDINAL_LIMIT = (1 << VERSION_BITS) - (1 << 20)
"""Near overflow of the ordinal a lane attaches again, with a newly drawn epoch."""


@dataclass(slots=True, eq=False)
class Cursor:
    """One partition as one target reads it, from one attachment to the next. Guarded by the feed's lock.

    Attributes:
        partition: The partition.
        epoch: The epoch drawn when it was attached; every version and commit is made under it.
        position: How far it has been read and handed to the lane.
        committed: How far it has been applied and committed.
        ordinal: Changes read since the epoch was drawn.
        polls: How often it was read.
        polled_at: Last successful read, epoch seconds; 0.0 before the first.
        quiet_since: Since when reads have come back empty; 0.0 while they bring changes.
        newest: Creation time of the newest change read.
    """

    partition: Partition
    epoch: int
    position: Position
    committed: Position
    ordinal: int = 0
    polls: int = 0
    polled_at: float = 0.0
    quiet_since: float = 0.0
    newest: float = 0.0

    def take(self, batch: Batch, now: float) -> Delivery:
        """Move past a page that was read, and give it with the ordinals that its records were counted under."""
        first = self.ordinal
        count = len(batch.changes) + len(batch.poison)
        self.ordinal += count
        self.position = batch.position
        self.polls += 1
        self.polled_at = now
        if count:
            self.quiet_since = 0.0
            self.newest = max([self.newest, *(change.created_at for change in batch.changes)])
        elif not self.quiet_since:
            self.quiet_since = now
        return Delivery(self, batch, first)


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """One page for one target, with the ordinal of its first record."""

    cursor: Cursor
    batch: Batch
    first_ordinal: int

    def __len__(self) -> int:
        """Count the records."""
        return len(self.batch.changes) + len(self.batch.poison)

    def changes(self) -> Iterator[tuple[int, Change]]:
        """Give each change with its version; rows of a scan have version 0 and lose to every change."""
        if self.cursor.partition.kind == "segment":
            for change in self.batch.changes:
                yield 0, change
            return
        for ordinal, record in self._counted():
            if isinstance(record, Change):
                yield version(self.cursor.epoch, ordinal), record

    def poison(self) -> Iterator[tuple[int, Poison]]:
        """Give each undecodable record with the version that its change would have had."""
        for ordinal, record in self._counted():
            if isinstance(record, Poison):
                yield (0 if self.cursor.partition.kind == "segment" else version(self.cursor.epoch, ordinal)), record

    def _counted(self) -> Iterator[tuple[int, Change | Poison]]:
        if not self.batch.poison:
            return iter(enumerate(self.batch.changes, self.first_ordinal))
        records: list[Change | Poison] = [*self.batch.changes, *self.batch.poison]
        # Poison was set aside while decoding; its sequence number says where in the page it stood.
        records.sort(key=lambda record: int(record.sequence_number or 0))
        return iter(enumerate(records, self.first_ordinal))
