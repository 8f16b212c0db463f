"""The pages that were read for a lane and are not applied yet: bounded in bytes, taken in batches."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from dynalens.pipeline.delivery import Delivery

QUEUE_BYTES = 16 << 20
"""Bytes on the wire that a lane holds at most, waiting and in flight, besides one page."""
BATCH_CHANGES = 5_000
BATCH_BYTES = 4 << 20


@dataclass(slots=True, eq=False)
class Queue:
    """Deliveries in the order in which they were read. Guarded by the feed's lock.

    Attributes:
        held_bytes: Bytes on the wire of those that wait, and of those that are being applied.
    """

    held_bytes: int = 0
    _waiting: deque[Delivery] = field(default_factory=deque)

    def __len__(self) -> int:
        """Count the deliveries that wait."""
        return len(self._waiting)

    def __iter__(self) -> Iterator[Delivery]:
        """Give those that wait, oldest first."""
        return iter(self._waiting)

    def has_room(self) -> bool:
        """Say whether another page may be read."""
        return self.held_bytes < QUEUE_BYTES

    def has_batch(self) -> bool:
        """Say whether a whole batch is held."""
        return self.held_bytes >= BATCH_BYTES or sum(map(len, self._waiting)) >= BATCH_CHANGES

    def add(self, delivery: Delivery) -> None:
        """Hold a page."""
        self._waiting.append(delivery)
        self.held_bytes += delivery.batch.size

    def take(self) -> Iterator[Delivery]:
        """Take the pages of one batch; they are held until they are confirmed."""
        changes = size = 0
        while self._waiting and changes < BATCH_CHANGES and size < BATCH_BYTES:
            delivery = self._waiting.popleft()
            changes += len(delivery)
            size += delivery.batch.size
            yield delivery

    def confirm(self, deliveries: Sequence[Delivery]) -> None:
        """Let go of pages that were taken and are applied."""
        self.held_bytes -= sum(delivery.batch.size for delivery in deliveries)

    def drop(self, partitions: Collection[str]) -> list[Delivery]:
        """Drop the pages of partitions that wait; give them."""
        dropped = [delivery for delivery in self._waiting if delivery.cursor.partition.id in partitions]
        self._waiting = deque(delivery for delivery in self._waiting if delivery.cursor.partition.id not in partitions)
        self.held_bytes -= sum(delivery.batch.size for delivery in dropped)
        return dropped

    def clear(self) -> None:
        """Drop all, also those that were taken."""
        self._waiting.clear()
        self.held_bytes = 0
