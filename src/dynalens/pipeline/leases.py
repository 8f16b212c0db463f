"""Leases: which partitions of a table this worker reads, and whether it leads the table."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from dynalens.partition import Partition
from dynalens.position import PositionStore


class Leases(Protocol):
    """What this worker may work on. Leases save work; what holds is the epoch drawn for each partition."""

    owner: str
    """This worker's name in the store."""
    reported_as: str
    """Its name in reports: a worker that is alone goes on with the report of the one before."""
    alone: bool
    """Whether it is the only worker there can be."""

    def holds(self, partition: str) -> bool:
        """Say whether this worker reads a partition."""
        ...

    def covers(self, partition: str) -> bool:
        """Say whether any worker that lives reads a partition."""
        ...

    def owners(self) -> Sequence[str]:
        """Name the workers that hold partitions, in order; none where there is one worker alone."""
        ...

    def leads(self) -> bool:
        """Say whether this worker decides about the table's generations."""
        ...

    def take(self, partition: Partition) -> None:
        """Make sure that the store knows this worker as the holder, before an epoch is drawn.

        Raises:
            StaleLeaseError: Another worker holds it.
        """
        ...

    def serve(self, *, is_read: Callable[[str], bool], notify: Callable[[], None]) -> None:
        """Hear how to ask which partitions are read now, and whom to tell when leases change hands."""
        ...

    def want(self, partitions: Sequence[Partition]) -> None:
        """Hear which partitions there are to be read."""
        ...

    def revision(self) -> int:
        """Give the newest revision of the table's generations and requests that is known here, a moment old at most."""
        ...


class SoleLeases:
    """The leases of the only worker there is: its folder is locked, so it takes all of them at once, from anybody.

    Args:
        table: The table's name.
        store: The store.
        owner: This worker's name.
    """

    def __init__(self, table: str, store: PositionStore, owner: str) -> None:
        self.owner = owner
        self.reported_as = ""
        self.alone = True
        self._table = table
        self._store = store

    def holds(self, partition: str) -> bool:  # noqa: ARG002 - it holds every one
        """See `Leases.holds`."""
        return True

    def covers(self, partition: str) -> bool:  # noqa: ARG002 - it holds every one
        """See `Leases.covers`."""
        return True

    def owners(self) -> Sequence[str]:
        """See `Leases.owners`."""
        return []

    def leads(self) -> bool:
        """See `Leases.leads`."""
        return True

    def take(self, partition: Partition) -> None:
        """See `Leases.take`."""
        self._store.acquire(self._table, partition, self.owner)

    def serve(self, *, is_read: Callable[[str], bool], notify: Callable[[], None]) -> None:
        """See `Leases.serve`."""

    def want(self, partitions: Sequence[Partition]) -> None:
        """See `Leases.want`."""

    def revision(self) -> int:
        """See `Leases.revision`."""
        return self._store.revision(self._table)
