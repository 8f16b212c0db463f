"""The feed of one table: reads every partition once for all targets that stand at the same position.

A target that falls behind is read for apart, by a second reader of the partition, until it has caught up with the
first; never more than two (DynamoDB Streams allows two readers of a shard). Readers hold no queue of their own: a lane
that has no room is not read for, so memory stays bounded and nobody waits for it.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dynalens import clock
from dynalens.errors import DynalensError, SourceError, TrimmedError
from dynalens.partition import Partition, Position
from dynalens.pipeline.delivery import Cursor, Delivery
from dynalens.source import Batch, Reader, Source
from dynalens.source.streams import Pace

log = logging.getLogger(__name__)

READERS_PER_PARTITION = 2
RETRY_AFTER_SECONDS = 1.0
CLOSED_SECONDS = 0.02
"""Between empty pages of a closed shard: it has an end to get to, and its children wait for it."""
_Place = tuple[Position, str]


class Lane(Protocol):
    """What the feed needs of a lane. Every method is called with the feed's lock held."""

    name: str

    def cursor(self, partition: str) -> Cursor | None:
        """Give the partition's cursor while the lane is attached to it."""
        ...

    def has_room(self) -> bool:
        """Say whether another page may be handed over."""
        ...

    def deliver(self, delivery: Delivery) -> None:
        """Take a page."""
        ...

    def source_failed(self, partition: Partition | None, error: DynalensError) -> None:
        """Hear that reading a partition failed, or finding any (None); `TrimmedError`: its changes are lost."""
        ...


@dataclass(slots=True, eq=False)
class _Feeding:
    """One partition being read: its source, its pace and the readers by the place that each stands at."""

    partition: Partition
    source: Source
    pace: Pace = field(default_factory=Pace)
    readers: dict[_Place, Reader] = field(default_factory=dict)
    parked: bool = True
    """Nobody can take a page of it now; `wake` ends that. Otherwise it runs or waits for its turn, once."""


class Feed:
    """Reads the partitions of one table in a few threads and hands the pages to the lanes.

    Args:
        lanes: The table's lanes, by target name.
        threads: How many partitions are read at once.
    """

    def __init__(self, lanes: Mapping[str, Lane], *, threads: int = 8) -> None:
        """Prepare; `start` begins reading."""
        self.lock = threading.Condition()
        self._lanes = lanes
        self._feedings: dict[str, _Feeding] = {}
        self._closed: frozenset[str] = frozenset()
        self._due: list[tuple[float, int, str]] = []
        self._turn = itertools.count()
        self._stopped = False
        self._threads = [
            threading.Thread(target=self._run, name=f"feed-{number}", daemon=True) for number in range(threads)
        ]

    def start(self) -> None:
        """Begin reading."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop reading; pages in flight are dropped. Returns without waiting for them."""
        with self.lock:
            self._stopped = True
            self.lock.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the reading threads to end."""
        deadline = time.monotonic() + timeout
        for thread in self._threads:
            thread.join(max(0.0, deadline - time.monotonic()))

    def add(self, partition: Partition, source: Source) -> None:
        """Read a partition for the lanes that are attached to it. The lock must be held."""
        if partition.id not in self._feedings:
            self._feedings[partition.id] = _Feeding(partition, source)
        self.wake(partition.id)

    def close(self, partitions: frozenset[str]) -> None:
        """Hear which partitions are closed: there is no tip to wait at. The lock must be held."""
        self._closed = partitions

    def wake(self, partition: str) -> None:
        """Read a parked partition again: a lane was attached or has room. The lock must be held."""
        feeding = self._feedings.get(partition)
        if feeding is not None and feeding.parked:
            feeding.parked = False
            self._schedule(feeding, 0.0)

    def wake_all(self) -> None:
        """Wake every partition. The lock must be held."""
        for partition in self._feedings:
            self.wake(partition)

    def _run(self) -> None:
        while (feeding := self._next()) is not None:
            delay: float | None = RETRY_AFTER_SECONDS
            try:
                delay = self._step(feeding)
            except Exception:
                # A bug here must not end the thread in silence: the partition is tried again, the log says why.
                log.exception("reading %s failed", feeding.partition.id)
            finally:
                self._finish(feeding, delay)

    def _next(self) -> _Feeding | None:
        """Wait for the partition that is due next; None when stopped."""
        with self.lock:
            while not self._stopped:
                now = time.monotonic()
                if self._due and self._due[0][0] <= now:
                    return self._feedings[heapq.heappop(self._due)[2]]
                self.lock.wait(self._due[0][0] - now if self._due else None)
            return None

    def _finish(self, feeding: _Feeding, delay: float | None) -> None:
        with self.lock:
            if delay is not None:
                self._schedule(feeding, time.monotonic() + delay)
            elif self._places(feeding):
                # A lane was attached, or found room, while this step was ending.
                self._schedule(feeding, 0.0)
            elif self._is_attached(feeding.partition.id):
                feeding.parked = True
            else:
                # Read to its end, or left to another worker: it costs nothing any more.
                del self._feedings[feeding.partition.id]

    def _is_attached(self, partition: str) -> bool:
        cursors = [lane.cursor(partition) for lane in self._lanes.values()]
        return any(cursor is not None and not cursor.position.ended for cursor in cursors)

    def _schedule(self, feeding: _Feeding, due: float) -> None:
        heapq.heappush(self._due, (due, next(self._turn), feeding.partition.id))
        self.lock.notify_all()

    def _step(self, feeding: _Feeding) -> float | None:
        """Read one page for each place where lanes stand; give the seconds until the next step, None to park."""
        with self.lock:
            places = self._places(feeding)
            feeding.readers = {place: self._reader(feeding, place) for place in places}
        # The lagging place first: once its page meets the leading place, the leading page serves both.
        pages = [self._serve(feeding, place, leading=places[-1]) for place in places]
        return self._pause(feeding, pages) if pages else None

    def _serve(self, feeding: _Feeding, place: _Place, leading: _Place) -> Batch | None:
        """Read a page for those who stand at a place and hand it over, unless it has to wait; None when it failed."""
        batch = self._read(feeding, place)
        if batch is not None and not batch.wait_seconds:
            with self.lock:
                self._hand_over(feeding, place, batch, leading)
        return batch

    def _pause(self, feeding: _Feeding, pages: Sequence[Batch | None]) -> float:
        """Give the seconds until the next step; nothing holds a thread meanwhile."""
        answers = [page for page in pages if page is not None]
        if len(answers) < len(pages):
            return RETRY_AFTER_SECONDS
        pauses = [page.wait_seconds for page in answers if page.wait_seconds]
        if len(pauses) < len(answers):
            pause = feeding.pace.after(sum(len(page.changes) + len(page.poison) for page in answers))
            pauses.append(min(pause, CLOSED_SECONDS) if feeding.partition.id in self._closed else pause)
        return min(pauses)

    def _places(self, feeding: _Feeding) -> list[_Place]:
        """Give the places to read from, furthest behind first: where attached lanes with room stand."""
        places = {
            _place(feeding.partition, cursor.position)
            for lane in self._lanes.values()
            if (cursor := lane.cursor(feeding.partition.id)) is not None
            and not cursor.position.ended
            and lane.has_room()
        }
        behind_to_leading = sorted(places)
        # Of several that lag, the one furthest behind goes first: it then meets the next one.
        return behind_to_leading[: READERS_PER_PARTITION - 1][: len(places) - 1] + behind_to_leading[-1:]

    def _reader(self, feeding: _Feeding, place: _Place) -> Reader:
        return feeding.readers.get(place) or feeding.source.open(feeding.partition, place[0])

    def _read(self, feeding: _Feeding, place: _Place) -> Batch | None:
        try:
            return feeding.readers[place].read()
        except SourceError as error:
            with self.lock:
                feeding.readers.pop(place, None)
                for lane in self._standing(feeding, place):
                    lane.source_failed(feeding.partition, error)
            if not isinstance(error, TrimmedError):
                log.warning("reading %s: %s", feeding.partition.id, error)
            return None

    def _standing(self, feeding: _Feeding, place: _Place) -> list[Lane]:
        standing = []
        for lane in self._lanes.values():
            cursor = lane.cursor(feeding.partition.id)
            if cursor is not None and _place(feeding.partition, cursor.position) == place:
                standing.append(lane)
        return standing

    def _hand_over(self, feeding: _Feeding, place: _Place, batch: Batch, leading: _Place) -> None:
        reader = feeding.readers.pop(place)
        if place != leading and feeding.partition.kind == "shard":
            batch = _up_to(batch, leading[0])
        feeding.readers.setdefault(_place(feeding.partition, batch.position), reader)
        now = clock.now()
        for lane in self._standing(feeding, place):
            cursor = lane.cursor(feeding.partition.id)
            if cursor is not None and lane.has_room():
                lane.deliver(cursor.take(batch, now))


def _place(partition: Partition, position: Position) -> _Place:
    """Where a cursor stands. Scans of one segment may count different rows, so there the token decides too."""
    return position, position.token if partition.kind == "segment" else ""


def _up_to(batch: Batch, limit: Position) -> Batch:
    """Cut a page so that a lagging lane ends exactly where the leading one stands, and they are read for together."""
    if batch.position <= limit:
        return batch
    kept = [change for change in batch.changes if int(change.sequence_number) <= limit.rank]
    poison = [record for record in batch.poison if int(record.sequence_number or 0) <= limit.rank]
    return replace(batch, changes=kept, poison=poison, position=limit, ended=False)
