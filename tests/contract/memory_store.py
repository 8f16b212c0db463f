"""A `PositionStore` in dictionaries: the protocol's second opinion, and quick enough for model tests."""

from __future__ import annotations

import copy
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.position import NEW_STORE_EPOCH, Commit, Copy, Draw, Gap, PartitionState

_Key = tuple[str, str, str]


@dataclass(slots=True)
class Held:
    """Everything a `MemoryPositionStore` holds."""

    counters: dict[str, int] = field(default_factory=dict)
    leases: dict[tuple[str, str], tuple[Partition, str]] = field(default_factory=dict)
    positions: dict[_Key, tuple[int, Position]] = field(default_factory=dict)
    copies: dict[tuple[str, str, str, int], Copy] = field(default_factory=dict)
    gaps: dict[tuple[str, str, str, str], Gap] = field(default_factory=dict)


class MemoryPositionStore:
    """Holds positions in memory, and can be taken back to a backup of itself."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held = Held()

    def backup(self) -> Held:
        with self._lock:
            return copy.deepcopy(self._held)

    def restore(self, backup: Held) -> None:
        with self._lock:
            self._held = copy.deepcopy(backup)

    def acquire(self, table: str, partition: Partition, owner: str) -> None:
        with self._lock:
            self._held.leases[table, partition.id] = (partition, owner)

    def draw(self, table: str, partition: str, target: str, *, owner: str, remembered: int) -> Draw:
        with self._lock:
            _, holder = self._held.leases.get((table, partition), (None, None))
            _, position = self._held.positions.get((table, partition, target), (0, START))
            if holder != owner or position.ended:
                raise StaleLeaseError(f"{owner} may not draw for {partition}.")
            epoch = max(self._held.counters.get(table, NEW_STORE_EPOCH), remembered) + 1
            self._held.counters[table] = epoch
            self._held.positions[table, partition, target] = (epoch, position)
            return Draw(epoch, position)

    def rewind(self, table: str, partition: str, target: str, position: Position) -> None:
        with self._lock:
            held = self._held.positions.get((table, partition, target))
            if held is not None and position < held[1]:
                self._held.positions[table, partition, target] = (held[0], position)

    def commit(self, table: str, target: str, commits: Sequence[Commit]) -> None:
        with self._lock:
            for commit in commits:
                held = self._held.positions.get((table, commit.partition, target))
                if held is None or held[0] != commit.epoch:
                    raise StaleLeaseError(f"Epoch {commit.epoch} no longer holds {commit.partition}.")
            for commit in commits:
                self._held.positions[table, commit.partition, target] = (commit.epoch, commit.position)

    def counter(self, table: str) -> int:
        with self._lock:
            return self._held.counters.get(table, NEW_STORE_EPOCH)

    def partitions(self, table: str) -> list[PartitionState]:
        with self._lock:
            return [
                PartitionState(self._held.leases[table, partition][0], target, epoch, position)
                for (of, partition, target), (epoch, position) in self._held.positions.items()
                if of == table
            ]

    def forget(self, table: str, target: str, partitions: Sequence[str]) -> None:
        with self._lock:
            for partition in partitions:
                self._held.positions.pop((table, partition, target), None)

    def copies(self, table: str, target: str) -> list[Copy]:
        with self._lock:
            return [held for key, held in sorted(self._held.copies.items()) if (key[0], key[2]) == (table, target)]

    def save_copy(self, table: str, copy: Copy) -> None:
        with self._lock:
            self._put_copy(table, copy)

    def restart(self, table: str, target: str, copies: Sequence[Copy], gaps: Sequence[Gap] = ()) -> None:
        with self._lock:
            for key in [key for key in self._held.positions if (key[0], key[2]) == (table, target)]:
                del self._held.positions[key]
            for copy_ in copies:
                self._put_copy(table, copy_)
            for gap in gaps:
                self._held.gaps[gap.table, gap.target, gap.partition, gap.reason] = gap

    def gaps(self, table: str) -> list[Gap]:
        with self._lock:
            return [gap for gap in self._held.gaps.values() if gap.table == table]

    def close_gaps(self, table: str, target: str) -> None:
        with self._lock:
            for key in [key for key in self._held.gaps if key[:2] == (table, target)]:
                del self._held.gaps[key]

    def close(self) -> None:
        """Nothing is open."""

    def _put_copy(self, table: str, copy: Copy) -> None:
        self._held.copies[table, copy.collection, copy.target, copy.number] = copy
