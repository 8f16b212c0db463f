"""A table scan as a source: parallel segments, each resumable, together capped in read units.

Sources: "Scan" in the Amazon DynamoDB API reference; "Parallel scan" and "Capacity unit consumption for read
operations" in the developer guide.
"""

from __future__ import annotations

import math
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import takewhile

from dynalens.change import DecodeError, Page, decode_scan
from dynalens.errors import TableNotFoundError
from dynalens.partition import Partition, Position
from dynalens.retry import STANDARD, RetryPolicy
from dynalens.source import Batch
from dynalens.source.aws import Aws, MissingError, transient, unreadable
from dynalens.source.table import TableInfo

PAGE_ROWS = 1000
"""Most rows of one page, so that a batch of a scan is no larger than one of a stream."""

ROUNDING = 1e-9
"""Read units that are no difference: a sum of many small refills may miss a full bucket by its last bits."""

LATE_SECONDS = 1.0
"""How late somebody who waits for the budget may ask again before those behind it go first."""

UNIT_BYTES = 4096
"""What one read unit reads strongly consistently; eventually consistent reads cost half."""

# The one place in an answer where this name is followed by a bare number: within items every value is wrapped in its
# type ("Capacity units": {"N": ...}), and quotes inside strings are escaped. So the body is not parsed a second time.
_CONSUMED = re.compile(rb'"CapacityUnits"\s*:\s*([0-9.eE+-]+)')


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody's place in line: the read units that it waits for, and until when it keeps the place."""

    units: float
    until: float


class ReadBudget:
    """Read units per second for all segments of a scan: a bucket that holds one second's worth. Thread-safe.

    A page is asked for only when the bucket holds what it will probably cost (at most a full bucket); what it cost in
    fact is settled afterwards, and a debt delays the next page, whichever segment asks for it. Whoever has waited
    longest goes first, so that small pages do not keep a large one from ever being read.

    Args:
        units_per_second: How fast the bucket fills, and how much it holds.
        clock: Gives seconds that never go back; for tests.
    """

    def __init__(self, units_per_second: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.units_per_second = units_per_second
        self._clock = clock
        self._lock = threading.Lock()
        self._held = units_per_second
        self._filled_at = clock()
        self._consumed = 0.0
        self._line: dict[object, _Waiting] = {}

    @property
    def consumed(self) -> float:
        """Read units consumed so far."""
        return self._consumed

    def reserve(self, units: float, stop: threading.Event) -> bool:
        """Wait until `take` gives so many units; False when `stop` was set before that."""
        who = object()
        while wait := self.take(units, who):
            if stop.wait(wait):
                return False
        return True

    def take(self, units: float, who: object) -> float:
        """Take units out, or give the seconds after which to ask again; 0.0 when they are taken.

        Args:
            units: How many.
            who: Who asks. It has a place in line from its first refusal until it is served, or did not ask again for
                `LATE_SECONDS` after it was to.
        """
        with self._lock:
            now = self._fill()
            needed = min(units, self.units_per_second)
            lacking = self._owed_before(who, now) + needed - self._held
            if lacking > ROUNDING:
                wait = lacking / self.units_per_second
                self._line[who] = _Waiting(needed, now + wait + LATE_SECONDS)
                return wait
            self._line.pop(who, None)
            self._held -= units
            return 0.0

    def settle(self, reserved: float, consumed: float) -> None:
        """Put the difference between what was reserved and what was consumed back, or take it out."""
        with self._lock:
            self._held += reserved - consumed
            self._consumed += consumed

    def _fill(self) -> float:
        now = self._clock()
        self._held = min(self.units_per_second, self._held + (now - self._filled_at) * self.units_per_second)
        self._filled_at = now
        return now

    def _owed_before(self, who: object, now: float) -> float:
        """Add up what those wait for who stand in line before somebody; whoever was to ask again and did not is out."""
        self._line = {each: waiting for each, waiting in self._line.items() if each is who or waiting.until >= now}
        ahead = takewhile(lambda each: each is not who, self._line)
        return sum(self._line[each].units for each in ahead)


class ScanSource:
    """The segments of one scan of a table.

    Positions hold only for the number of segments that the scan began with: divided otherwise, the table has rows
    behind a segment's position that were never read. So the number is kept with the copy (`Copy.segments`).

    Args:
        aws: The clients.
        table: The table.
        copy: Which copy the scan fills; part of the partitions' ids.
        segments: How many segments the table is divided into, as long as the scan lasts.
        read_units: Read units per second, over all segments.
        consistent: Whether rows are read strongly consistently, for twice the units.
        stop: When set, waiting between retries and for the budget ends at once.
        policy: How failed calls are tried again.
        page_rows: Most rows of one page.
        clock: Gives seconds that never go back; for tests.
    """

    def __init__(  # noqa: PLR0913 - one place to set each of them
        self,
        aws: Aws,
        table: TableInfo,
        *,
        copy: str,
        segments: int,
        read_units: float,
        consistent: bool,
        stop: threading.Event,
        policy: RetryPolicy = STANDARD,
        page_rows: int = PAGE_ROWS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.table = table.name
        self.keys = table.keys
        self.rows_estimate = table.item_count
        """How many rows the table has by DynamoDB's estimate, about six hours old: progress is shown against it."""
        self.budget = ReadBudget(read_units, clock=clock)
        self.aws = aws
        self.consistent = consistent
        self.stop = stop
        self.policy = policy
        self.page_rows = page_rows
        self.segments = segments
        self.row_bytes = table.size_bytes / table.item_count if table.item_count and table.size_bytes else UNIT_BYTES
        self._copy = copy

    def discover(self) -> Sequence[Partition]:
        """List the segments; asks nobody."""
        return [Partition(f"scan-{self._copy}-{segment}", kind="segment") for segment in range(self.segments)]

    def open(self, partition: Partition, position: Position) -> SegmentReader:
        """Open a reader that goes on behind `position`; the first request is sent by its first `read`."""
        return SegmentReader(self, partition, position)

    def units(self, size: float) -> float:
        """Estimate the read units for so many bytes, not rounded."""
        return size / UNIT_BYTES * (1.0 if self.consistent else 0.5)


class SegmentReader:
    """Reads one segment, in pages that cost no more than a second of the scan's budget each."""

    def __init__(self, source: ScanSource, partition: Partition, position: Position) -> None:
        self.partition = partition
        self._source = source
        self._position = position
        self._segment = int(partition.id.rpartition("-")[2])
        self._row_units = source.units(source.row_bytes)

    def read(self) -> Batch:
        """Read the next page, or say how long the budget has to fill for it; an empty one when the segment has ended.

        Raises:
            TableNotFoundError: The table does not exist any more.
            SourceError: Reading failed beyond the retries; the reader may be used again.
        """
        source, limit = self._source, self._page_limit()
        reserved = limit * self._row_units
        if self._position.ended:
            return Batch((), (), self._position, ended=True, size=0)
        if wait := source.budget.take(reserved, self):
            return Batch((), (), self._position, ended=False, size=0, wait_seconds=wait)
        try:
            page, body = source.policy.run(lambda: self._fetch(limit), retryable=transient, stop=source.stop)
        except MissingError as error:
            raise TableNotFoundError(
                f"Table {source.table} was deleted while it was scanned.",
                hint="Create it again, or remove it from the file.",
            ) from error
        self._settle(reserved, page, body)
        self._position = _after(self._position, page)
        return Batch(page.changes, page.poison, self._position, ended=self._position.ended, size=len(body))

    def wait_and_read(self) -> Batch:
        """Do as `read` for a thread that has nothing else to do: wait for the budget; an empty page once `stop` is set.

        Raises:
            SourceError: See `read`.
        """
        while (batch := self.read()).wait_seconds:
            if self._source.stop.wait(batch.wait_seconds):
                break
        return batch

    def _fetch(self, limit: int) -> tuple[Page, bytes]:
        source = self._source
        body = source.aws.scan(
            source.table,
            segment=self._segment,
            segments=source.segments,
            limit=limit,
            consistent=source.consistent,
            after=self._position.token,
        )
        try:
            return decode_scan(body, table=source.table, keys=source.keys), body
        except DecodeError as error:
            raise unreadable("Scan", source.table, error) from error

    def _page_limit(self) -> int:
        affordable = int(self._source.budget.units_per_second / self._row_units)
        return max(1, min(self._source.page_rows, affordable))

    def _settle(self, reserved: float, page: Page, body: bytes) -> None:
        consumed = self._consumed(body)
        self._source.budget.settle(reserved, consumed)
        # An emulator that reports no consumption, or no size, teaches nothing.
        if consumed and (rows := _rows(page)):
            self._row_units = consumed / rows

    def _consumed(self, body: bytes) -> float:
        reported = _CONSUMED.search(body)
        # What the wire carries is larger than what is billed, so the estimate errs towards a slower scan.
        return float(reported[1]) if reported else self._source.units(math.ceil(len(body) / UNIT_BYTES) * UNIT_BYTES)


def rows_read(positions: Iterable[Position]) -> int:
    """Count the rows that a scan has read, from the positions of its segments: its progress."""
    return sum(max(0, position.rank) for position in positions)


def _after(position: Position, page: Page) -> Position:
    rows = max(0, position.rank) + _rows(page)
    return Position(ended=not page.next_token, rank=rows, token=page.next_token)


def _rows(page: Page) -> int:
    return len(page.changes) + len(page.poison)
