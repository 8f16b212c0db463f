"""What a lane reads: an epoch drawn for each partition, the place that it is read on from, and how far it has come."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dynalens import failpoint
from dynalens.backfill import Scan, Wanted, is_gone, is_listed, unneeded
from dynalens.change import KeySchema
from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.pipeline.background import Background
from dynalens.pipeline.delivery import Cursor
from dynalens.pipeline.generations import DetachedError
from dynalens.pipeline.leases import Leases
from dynalens.position import Commit, Copy, PartitionState, PositionStore
from dynalens.target import NO_MARK, VERSION_BITS, Mark, Memory, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What all lanes of a table share: its key, its collections, and how it is kept.

    `stream` names its stream, `items` is DynamoDB's estimate of how many there are, about six hours old; `wanted`
    names the collections with their settings, by target name; `repairs` says whether a gap is repaired by itself;
    `read_at` tells when an earlier process last read the stream for each target, in epoch seconds; `background` says
    how it is compared with its collections all the time, None that it is not.
    """

    name: str
    stream: str
    keys: KeySchema
    items: int
    wanted: Mapping[str, Sequence[Wanted]]
    repairs: bool = True
    read_at: Mapping[str, float] = field(default_factory=dict)
    background: Background | None = None


class Partitions(Protocol):
    """The partitions of one table, and the feed that reads them."""

    def shards(self) -> Sequence[Partition]:
        """List the stream's shards as last described, parents before children."""
        ...

    def segments(self, scan: Scan) -> Sequence[Partition]:
        """List the segments of a scan."""
        ...

    def read(self, cursors: dict[str, Cursor], attached: Iterable[Cursor]) -> None:
        """Put newly attached cursors among a lane's `cursors` and read their partitions for it from now on."""
        ...


@dataclass(slots=True, eq=False)
class Reading:
    """The partitions that are read for one target, each under an epoch that was drawn for it.

    Attributes:
        memory: What the target remembered when it was asked last.
        cursors: The partitions being read, by id. The feed reads it under its lock; only `Partitions.read` adds to it.
        committed: The positions committed, by partition id, drained partitions included.
        epochs: The partition that drew each epoch.
    """

    table: Table
    target: Target
    store: PositionStore
    partitions: Partitions
    leases: Leases
    memory: Memory = field(default_factory=Memory)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    committed: dict[str, Position] = field(default_factory=dict)
    epochs: dict[int, str] = field(default_factory=dict)

    def recall(self) -> Memory:
        """Ask the target what it remembers."""
        self.memory = self.target.recall(self.table.name)
        return self.memory

    def stored(self) -> dict[str, PartitionState]:
        """Ask the store how far every partition is applied to this target, by partition id."""
        return {
            state.partition.id: state
            for state in self.store.partitions(self.table.name)
            if state.target == self.target.name
        }

    # What is read.

    def open_shards(self) -> dict[str, Cursor]:
        """Give the cursors of the shards that are not drained, by id."""
        return {
            id_: cursor
            for id_, cursor in self.cursors.items()
            if cursor.partition.kind == "shard" and not cursor.committed.ended
        }

    def is_fresh(self, partition: Partition) -> bool:
        """Say whether this worker is to read a partition, and does not yet."""
        unread = partition.id not in self.cursors and not self.is_drained(partition.id)
        return unread and self.leases.holds(partition.id)

    def is_read(self, partition: str) -> bool:
        """Say whether a partition is being read here."""
        return partition in self.cursors and not self.is_drained(partition)

    def is_drained(self, partition: str) -> bool:
        """Say whether a partition was read and applied to its end here."""
        return self.committed.get(partition, START).ended

    def is_drained_elsewhere(self, partition: str, stored: Mapping[str, PartitionState]) -> bool:
        """Say whether another worker has read a shard to its end, and the target still holds it."""
        state = stored.get(partition)
        mark = self.memory.marks.get(partition, NO_MARK)
        return state is not None and state.position.ended and mark.position.ended and not self.leases.holds(partition)

    def not_held(self) -> list[str]:
        """Give the partitions that are read though this worker holds them no more."""
        return [partition for partition in self.cursors if not self.leases.holds(partition)]

    def has_all_shards(self) -> bool:
        """Say whether every listed shard is read or drained, by whichever worker; a child waits for its parents."""
        return all(
            shard.id in self.cursors
            or self.is_drained(shard.id)
            or (not self.leases.holds(shard.id) and self.leases.covers(shard.id))
            for shard in self.partitions.shards()
        )

    def partition_of(self, version: int) -> str:
        """Give the id of the partition whose change has this version; empty for rows of a scan."""
        return self.epochs.get(version >> VERSION_BITS, "")

    # Epochs.

    def lowest_epoch(self, stored: Mapping[str, PartitionState]) -> int:
        """Give the lowest epoch of a live shard; one that is not drawn for yet will have a higher one."""
        listed = {shard.id for shard in self.partitions.shards()}
        epochs = [state.epoch for state in stored.values() if _is_live(state) and not is_gone(state, stored, listed)]
        return min(epochs, default=self.store.counter(self.table.name) + 1)

    def all_drew_above(self, epoch: int) -> bool:
        """Say whether every live shard has drawn above an epoch, at whichever worker."""
        return self.lowest_epoch(self.stored()) > epoch

    def draw(self, partitions: Sequence[Partition], stored: Mapping[str, PartitionState]) -> None:
        """Draw an epoch for each partition that is not drained, remember the highest in the target, then read."""
        drawn = {
            partition.id: (partition, epoch, position)
            for partition in partitions
            for epoch, position in self._acquire(partition, stored.get(partition.id))
        }
        if not drawn:
            return
        self.target.raise_epoch(self.table.name, max(epoch for _, epoch, _ in drawn.values()))
        failpoint.hit(failpoint.AFTER_RAISE_EPOCH)
        # Whoever held a partition until the draw may have marked it until now, and marks it no more from here on.
        begun = self.target.begin(self.table.name, {id_: epoch for id_, (_, epoch, _) in drawn.items()})
        cursors = []
        for partition, epoch, position in drawn.values():
            start = self._start(partition, position, begun.get(partition.id))
            cursors.append(Cursor(partition, epoch, start, start))
        self._read(cursors)

    def _acquire(self, partition: Partition, known: PartitionState | None) -> list[tuple[int, Position]]:
        """Draw for a partition, unless it is drained."""
        mark = self.memory.marks.get(partition.id, NO_MARK)
        if known is not None and known.position.ended:
            if mark.position.ended:
                self.committed[partition.id] = known.position
                return []
            self.store.rewind(self.table.name, partition.id, self.target.name, mark.position, epoch=known.epoch)
        self.leases.take(partition)
        failpoint.hit(failpoint.BEFORE_DRAW)
        draw = self.store.draw(
            self.table.name, partition.id, self.target.name, owner=self.leases.owner, remembered=self.memory.epoch
        )
        failpoint.hit(failpoint.AFTER_DRAW)
        self.epochs[draw.epoch] = partition.id
        return [(draw.epoch, draw.position)]

    def _start(self, partition: Partition, drawn: Position, begun: Position | None) -> Position:
        """Say where a partition is read on from: the target's mark tells what it holds, whatever the store believes.

        A position above it stands for writes that the target has lost, one below it for a commit that never came, or
        for a store that was taken back: of that nothing needs to be replayed.

        Raises:
            StaleLeaseError: Somebody has begun under a higher epoch: what is written here may be older.
            DetachedError: The target has just lost all that it had confirmed.
        """
        if begun is None:
            raise StaleLeaseError(f"{partition.id} of {self.table.name} was drawn for again before it was read.")
        if drawn > START == begun:
            raise DetachedError(f"{self.target.name} no longer holds what it confirmed of {partition.id}")
        return begun

    def _read(self, cursors: Sequence[Cursor]) -> None:
        ended = [cursor for cursor in cursors if cursor.position.ended]
        commits = [Commit(cursor.partition.id, cursor.epoch, cursor.position) for cursor in ended]
        if commits:
            self.store.commit(self.table.name, self.target.name, commits)
        self.committed.update((cursor.partition.id, cursor.position) for cursor in cursors)
        self.partitions.read(self.cursors, [cursor for cursor in cursors if not cursor.position.ended])

    # What is not read, or no more.

    def abandon(self, shard: Partition) -> None:
        """Call a shard drained that is not to be read."""
        self._end_parents(shard)
        self.leases.take(shard)
        draw = self.store.draw(
            self.table.name, shard.id, self.target.name, owner=self.leases.owner, remembered=self.memory.epoch
        )
        position = replace(draw.position, ended=True)
        self.target.mark(self.table.name, {shard.id: Mark(draw.epoch, position)})
        self.store.commit(self.table.name, self.target.name, [Commit(shard.id, draw.epoch, position)])

    def _end_parents(self, shard: Partition) -> None:
        """Tell a store that was taken back which parents are drained: it lets nobody draw for their child before."""
        stored = self.stored()
        held = [stored[parent].partition for parent in shard.parents if parent in stored]
        drained = [parent for parent in held if self.memory.marks.get(parent.id, NO_MARK).position.ended]
        self.draw([parent for parent in drained if not stored[parent.id].position.ended], stored)

    def forget_gone(self) -> None:
        """Forget positions of drained shards that the stream no longer lists, and of scans that were given up."""
        shards = self.partitions.shards()
        listed = {shard.id for shard in shards}
        stored = self.stored()
        ended = [state.partition for state in stored.values() if _is_drained_shard(state)]
        gone = [shard.id for shard in ended if not is_listed(shard, stored, listed)]
        segments = [id_ for id_, state in stored.items() if state.partition.kind == "segment"]
        # The generations are read after the positions: a scan is recorded before it is read.
        given_up = unneeded(segments, shards, self.store.copies(self.table.name, self.target.name))
        self.store.forget(self.table.name, self.target.name, [*gone, *given_up])

    def unneeded_marks(self, fed: Sequence[Copy]) -> dict[str, Mark]:
        """Give what the target remembers of partitions that no store, stream or generation speaks of any more.

        Args:
            fed: The generations that this worker feeds; the store may have forgotten them.
        """
        # Positions and generations are read after the marks: whoever marks has drawn, and a scan is recorded before.
        marks, stored, shards = self.recall().marks, self.stored(), self.partitions.shards()
        if not any(shard.id in marks for shard in shards):
            # Nothing would be left to tell that the table was captured before.
            return {}
        copies = [*fed, *self.store.copies(self.table.name, self.target.name)]
        return {id_: marks[id_] for id_ in unneeded(marks.keys() - stored.keys(), shards, copies)}


def _is_live(state: PartitionState) -> bool:
    return state.partition.kind == "shard" and not state.position.ended


def _is_drained_shard(state: PartitionState) -> bool:
    return state.partition.kind == "shard" and state.position.ended
