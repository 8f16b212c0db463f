"""The stores of several workers in dictionaries: the protocols' second opinion, and quick enough for model tests."""

from __future__ import annotations

import copy
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.position import NEW_STORE_EPOCH, Commit, Copy, Draw, Gap, PartitionState, Pulse, epoch_after
from dynalens.request import Request, forgettable

_Key = tuple[str, str, str]


@dataclass(slots=True)
class Held:
    """Everything a `MemoryPositionStore` holds."""

    counters: dict[str, int] = field(default_factory=dict)
    leases: dict[tuple[str, str], tuple[Partition, str]] = field(default_factory=dict)
    positions: dict[_Key, tuple[int, Position]] = field(default_factory=dict)
    sealed: set[_Key] = field(default_factory=set)
    copies: dict[tuple[str, str, str, int], Copy] = field(default_factory=dict)
    gaps: dict[tuple[str, str, str, str], Gap] = field(default_factory=dict)
    requests: dict[int, Request] = field(default_factory=dict)
    asked: int = 0
    revisions: Counter[str] = field(default_factory=Counter)
    lease_changes: Counter[str] = field(default_factory=Counter)
    beats: dict[str, int] = field(default_factory=dict)


class MemoryPositionStore:
    """`PositionStore`, `RequestStore` and `Fleet` in memory, which can be taken back to a backup of itself.

    Args:
        parents_first: Whether the store itself holds children back, and keeps the ends of their parents. A model that
            has a rule of its own for that turns it off.
    """

    def __init__(self, *, parents_first: bool = True) -> None:
        self._lock = threading.Lock()
        self._held = Held()
        self._parents_first = parents_first

    def backup(self) -> Held:
        with self._lock:
            return copy.deepcopy(self._held)

    def restore(self, backup: Held) -> None:
        with self._lock:
            self._held = copy.deepcopy(backup)

    def acquire(self, table: str, partition: Partition, owner: str, *, over: str | None = None) -> None:
        with self._lock:
            if over is not None and self._owner(table, partition.id) not in {over, owner}:
                raise StaleLeaseError(f"{partition.id} is not held by {over}.")
            self._held.leases[table, partition.id] = (partition, owner)
            self._held.lease_changes[table] += 1

    def draw(self, table: str, partition: str, target: str, *, owner: str, remembered: int) -> Draw:
        with self._lock:
            _, position = self._held.positions.get((table, partition, target), (0, START))
            if self._owner(table, partition) != owner or position.ended:
                raise StaleLeaseError(f"{owner} may not draw for {partition}.")
            self._seal_parents(table, partition, target)
            epoch = self._draw(table, remembered)
            self._held.positions[table, partition, target] = (epoch, position)
            return Draw(epoch, position)

    def next_epoch(self, table: str, *, remembered: int) -> int:
        with self._lock:
            return self._draw(table, remembered)

    def rewind(self, table: str, partition: str, target: str, position: Position, *, epoch: int) -> None:
        key = (table, partition, target)
        with self._lock:
            held = self._holding(key, epoch)
            if position < held:
                if key in self._held.sealed:
                    raise StaleLeaseError(f"A child of {partition} is being read.")
                self._held.positions[key] = (epoch, position)

    def commit(self, table: str, target: str, commits: Sequence[Commit]) -> None:
        with self._lock:
            for commit in commits:
                if self._holding((table, commit.partition, target), commit.epoch).ended > commit.position.ended:
                    raise StaleLeaseError(f"{commit.partition} is drained.")
            for commit in commits:
                self._held.positions[table, commit.partition, target] = (commit.epoch, commit.position)
            if any(commit.position.ended for commit in commits):
                self._held.revisions[table] += 1

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
                self._forget((table, partition, target))
                if not any(key[:2] == (table, partition) for key in self._held.positions):
                    self._held.leases.pop((table, partition), None)

    def copies(self, table: str, target: str) -> list[Copy]:
        with self._lock:
            return [held for key, held in sorted(self._held.copies.items()) if (key[0], key[2]) == (table, target)]

    def save_copy(self, table: str, copy: Copy, *, was: Copy) -> None:
        with self._lock:
            if self._held.copies.get(_copy_key(table, copy)) != was:
                raise StaleLeaseError(f"{copy.collection} {copy.number} is recorded otherwise.")
            self._held.copies[_copy_key(table, copy)] = copy
            self._held.revisions[table] += 1

    def forget_copies(self, table: str, copies: Sequence[Copy]) -> None:
        with self._lock:
            for copy in copies:
                self._held.copies.pop(_copy_key(table, copy), None)

    def record(
        self,
        table: str,
        target: str,
        copies: Sequence[Copy],
        gaps: Sequence[Gap] = (),
        forget: Sequence[PartitionState] = (),
    ) -> None:
        with self._lock:
            if any(_copy_key(table, copy) in self._held.copies for copy in copies):
                raise StaleLeaseError("Recorded already.")
            for state in forget:
                self._holding((table, state.partition.id, target), state.epoch)
            for state in forget:
                self._forget((table, state.partition.id, target))
            for copy_ in copies:
                self._held.copies[_copy_key(table, copy_)] = copy_
            for gap in gaps:
                self._held.gaps[gap.table, gap.target, gap.partition, gap.reason] = gap
            self._held.revisions[table] += 1

    def revision(self, table: str) -> int:
        with self._lock:
            return self._held.revisions[table]

    def gaps(self, table: str) -> list[Gap]:
        with self._lock:
            return [gap for gap in self._held.gaps.values() if gap.table == table]

    def close_gaps(self, table: str, target: str, *, below: int) -> None:
        with self._lock:
            held = self._held.gaps.items()
            for key in [key for key, gap in held if key[:2] == (table, target) and gap.generation < below]:
                del self._held.gaps[key]

    def close(self) -> None:
        """Nothing is open."""

    # Requests.

    def ask(self, request: Request) -> Request:
        with self._lock:
            self._held.asked += 1
            stored = replace(request, number=self._held.asked)
            self._held.requests[stored.number] = stored
            for old in forgettable(self._of_table(request.table)):
                del self._held.requests[old.number]
            self._held.revisions[request.table] += 1
            return stored

    def requests(self, table: str) -> list[Request]:
        with self._lock:
            of_table = self._of_table(table)
        left_out = forgettable(of_table)
        return [request for request in of_table if request not in left_out]

    def request(self, number: int) -> Request | None:
        with self._lock:
            return self._held.requests.get(number)

    def save_request(self, request: Request) -> None:
        with self._lock:
            if request.number in self._held.requests:
                self._held.requests[request.number] = request

    # The fleet.

    def beat(self, worker: str) -> None:
        with self._lock:
            self._held.beats[worker] = self._held.beats.get(worker, 0) + 1

    def leave(self, worker: str) -> None:
        with self._lock:
            self._held.beats.pop(worker, None)

    def pulse(self) -> Pulse:
        with self._lock:
            return Pulse(dict(self._held.beats), dict(self._held.revisions), dict(self._held.lease_changes))

    def leases(self, table: str) -> dict[str, str]:
        with self._lock:
            return {partition: owner for (of, partition), (_, owner) in self._held.leases.items() if of == table}

    def release(self, table: str, partitions: Sequence[str], owner: str) -> None:
        with self._lock:
            for partition in partitions:
                if self._owner(table, partition) == owner:
                    self._held.leases[table, partition] = (self._held.leases[table, partition][0], "")
                    self._held.lease_changes[table] += 1

    # Under the lock.

    def _of_table(self, table: str) -> list[Request]:
        return [request for request in self._held.requests.values() if request.table == table]

    def _owner(self, table: str, partition: str) -> str:
        _, owner = self._held.leases.get((table, partition), (None, ""))
        return owner

    def _draw(self, table: str, remembered: int) -> int:
        epoch = epoch_after(self._held.counters.get(table, NEW_STORE_EPOCH), remembered)
        self._held.counters[table] = epoch
        return epoch

    def _seal_parents(self, table: str, partition: str, target: str) -> None:
        if not self._parents_first:
            return
        parents = [(table, parent, target) for parent in self._held.leases[table, partition][0].parents]
        held = [key for key in parents if key in self._held.positions]
        if not all(self._held.positions[key][1].ended for key in held):
            raise StaleLeaseError(f"{partition} waits for its parents.")
        self._held.sealed.update(held)

    def _holding(self, key: _Key, epoch: int) -> Position:
        """Give the position that an epoch holds."""
        held, position = self._held.positions.get(key, (0, START))
        if held != epoch:
            raise StaleLeaseError(f"Epoch {epoch} no longer holds {key}.")
        return position

    def _forget(self, key: _Key) -> None:
        self._held.positions.pop(key, None)
        self._held.sealed.discard(key)


def _copy_key(table: str, copy: Copy) -> tuple[str, str, str, int]:
    return table, copy.collection, copy.target, copy.number
