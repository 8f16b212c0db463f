"""Positions, epochs, leases and generations: what must survive a crash, behind one protocol.

The store is the fence. Every commit is conditional on the epoch that its holder drew, so that whoever lost a
partition can change nothing about it, however late its request arrives (`docs/correctness.md`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from dynalens.partition import Partition, Position

NEW_STORE_EPOCH = 1 << 20
"""A new store starts this far above zero, over whatever a lost store may have drawn and a target has not recorded."""


class Draw(NamedTuple):
    """A fencing epoch, and the position read consistently after the draw."""

    epoch: int
    position: Position


class Commit(NamedTuple):
    """A position to be stored for one partition, under the epoch that its holder drew."""

    partition: str
    epoch: int
    position: Position


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What the store holds of one partition and target."""

    partition: Partition
    target: str
    epoch: int
    position: Position


@dataclass(frozen=True, slots=True)
class Copy:
    """A generation of one collection in one target, and how it is being filled.

    Attributes:
        collection: The collection's name.
        target: The target's name.
        number: The generation's number, from 1.
        state: `building` until its first copy is complete, then `live`; `kept` when another one took its place and
            readers may still be switched back to it; `dropped` when it is no longer fed.
        fingerprint: Digest of the settings it was built with; another one asks for a new generation.
        stream: Name of the stream it is fed from; a table whose stream is another one has a gap.
        scan: Id of the scan that fills it.
        segments: How many segments that scan has, fixed for its whole life.
        consistent: Whether that scan reads strongly consistently.
        started_at: Epoch seconds.
        finished_at: Epoch seconds, 0.0 while it is being built.
        settings: The collection's settings that it is built with, as JSON, so that it can be fed on when the file says
            something else.
        barrier: Its scan begins once every live shard has drawn an epoch above this one; 0: not known yet.
        keeps_previous: The generation before it is kept when it takes its place.
    """

    collection: str
    target: str
    number: int
    state: Literal["building", "live", "kept", "dropped"]
    fingerprint: str
    stream: str
    scan: str
    segments: int
    consistent: bool
    started_at: float
    finished_at: float = 0.0
    settings: str = ""
    barrier: int = 0
    keeps_previous: bool = False


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes that were lost to a target before they could be read: never skipped quietly.

    `since` and `until` are epoch seconds between which the lost changes were written (0.0: unknown). `generation` is
    the newest that any collection of the table had in the target once the loss was noticed: those above it are whole.
    """

    table: str
    target: str
    partition: str
    since: float
    until: float
    reason: str
    found_at: float
    generation: int = 0


class PositionStore(Protocol):
    """Durable positions and leases. Every method is one atomic step and safe to call from several threads.

    Raises:
        StaleLeaseError: A conditional write lost; the caller must drop what it holds in memory.
    """

    def acquire(self, table: str, partition: Partition, owner: str) -> None:
        """Take the lease of a partition for `owner`, recording the partition and its parents."""
        ...

    def draw(self, table: str, partition: str, target: str, *, owner: str, remembered: int) -> Draw:
        """Draw the next epoch, max(counter, remembered) + 1, for a partition and target, then read its position.

        Only the lease's owner may draw, and only while the partition is not drained for the target.
        """
        ...

    def rewind(self, table: str, partition: str, target: str, position: Position) -> None:
        """Lower a stored position to what the target says it has applied; a higher one changes nothing."""
        ...

    def commit(self, table: str, target: str, commits: Sequence[Commit]) -> None:
        """Store positions, all or none, each only under the epoch drawn last for its partition and target."""
        ...

    def counter(self, table: str) -> int:
        """Give the highest epoch ever drawn from this store for `table` (`NEW_STORE_EPOCH` before the first)."""
        ...

    def partitions(self, table: str) -> list[PartitionState]:
        """List every partition and target with a drawn epoch, drained ones included."""
        ...

    def forget(self, table: str, target: str, partitions: Sequence[str]) -> None:
        """Drop the positions of partitions that no longer exist at the source (or of a finished scan)."""
        ...

    def copies(self, table: str, target: str) -> list[Copy]:
        """List the generations ever recorded for a table's collections in a target, dropped ones included."""
        ...

    def save_copy(self, table: str, copy: Copy) -> None:
        """Insert a generation or change its state; identified by collection, target and number."""
        ...

    def restart(self, table: str, target: str, copies: Sequence[Copy], gaps: Sequence[Gap] = ()) -> None:
        """Begin a target anew in one step: forget its positions of the table, record new generations and why."""
        ...

    def gaps(self, table: str) -> list[Gap]:
        """List the gaps that no repair has closed."""
        ...

    def close_gaps(self, table: str, target: str) -> None:
        """Forget the gaps of a target, once generations begun after them are complete."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...
