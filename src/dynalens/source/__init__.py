"""Sources: where changes come from. The contract that a table's stream and its scan both fulfil."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dynalens.change import Change, KeySchema, Poison
from dynalens.partition import Partition, Position


@dataclass(frozen=True, slots=True)
class Batch:
    """One page read from a partition, in its order.

    Attributes:
        changes: Decoded changes; may be empty, which does not mean the end nor the tip.
        poison: Records that could not be decoded.
        position: The position after this page; the one read from when the page was empty.
        ended: The partition is closed and this was its last page.
        size: Bytes of the page on the wire.
        wait_seconds: Nothing was asked for, since reading is capped: what the next page costs will be there after so
            long. 0.0 when a page was read.
    """

    changes: Sequence[Change]
    poison: Sequence[Poison]
    position: Position
    ended: bool
    size: int
    wait_seconds: float = 0.0


class Reader(Protocol):
    """Reads one partition forward from a position. Used by one thread at a time."""

    def read(self) -> Batch:
        """Read the next page, or say how long reading has to wait (`Batch.wait_seconds`): it does not wait itself.

        Retryable errors (throttling, 5xx, cut bodies, expired iterators) are retried inside, by `dynalens.retry`.

        Raises:
            TrimmedError: Records after the position are gone.
            SourceError: Reading failed beyond the retries; the reader may be used again.
        """
        ...


class Source(Protocol):
    """One table's partitions of one kind."""

    table: str
    keys: KeySchema

    def discover(self) -> Sequence[Partition]:
        """List the partitions that exist now, every page of them, parents before children."""
        ...

    def open(self, partition: Partition, position: Position) -> Reader:
        """Open a reader that goes on after `position`; the first request is sent by its first `read`."""
        ...
