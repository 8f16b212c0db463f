"""Attaching a target to a table: generations recorded, epochs drawn, positions found, in the order that is safe."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dynalens import clock, failpoint
from dynalens.backfill import Plan, Scan, Situation, Wanted, dropped, finished, plan, scan_of
from dynalens.change import KeySchema
from dynalens.config import CollectionConfig
from dynalens.partition import START, Partition, Position
from dynalens.pipeline.delivery import Cursor
from dynalens.position import Copy, Gap, PartitionState, PositionStore
from dynalens.target import VERSION_BITS, Generation, Memory, Target
from dynalens.transform import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What all lanes of a table share: its key, its collections, and who works on it.

    `stream` names its stream, `items` is DynamoDB's estimate of how many there are, about six hours old; `wanted`
    names the collections with the digest of their settings, by target name; `read_at` tells when an earlier process
    last read the stream for each target, in epoch seconds.
    """

    name: str
    stream: str
    keys: KeySchema
    items: int
    collections: Mapping[str, CollectionConfig]
    wanted: Mapping[str, Sequence[Wanted]]
    routes: tuple[Route, ...]
    owner: str
    read_at: Mapping[str, float] = field(default_factory=dict)


class Partitions(Protocol):
    """The partitions of one table, and the feed that reads them."""

    def shards(self) -> Sequence[Partition]:
        """List the stream's shards as last described, parents before children."""
        ...

    def new_scan(self, consistent: bool) -> Scan:  # noqa: FBT001 - a callback of one argument
        """Give a scan for generations begun now: one that other lanes begin too, or a new one."""
        ...

    def segments(self, scan: Scan) -> Sequence[Partition]:
        """List the segments of a scan."""
        ...

    def read(self, cursors: dict[str, Cursor], attached: Iterable[Cursor]) -> None:
        """Put newly attached cursors among a lane's `cursors` and read their partitions for it from now on."""
        ...


@dataclass(slots=True, eq=False)
class Attachment:
    """One target attached to one table, from `attach` until the first failure.

    Attributes:
        copies: The generation that is fed, by collection.
        cursors: The partitions being read, by id. The feed reads it under its lock; only `Partitions.read` adds to it.
        committed: The positions committed, by partition id, drained partitions included.
        epochs: The partition that drew each epoch.
        segments: The segments of each scan that fills a generation.
        attached: Every ready partition is being read.
    """

    table: Table
    target: Target
    store: PositionStore
    partitions: Partitions
    memory: Memory = field(default_factory=Memory)
    copies: dict[str, Copy] = field(default_factory=dict)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    committed: dict[str, Position] = field(default_factory=dict)
    epochs: dict[int, str] = field(default_factory=dict)
    segments: dict[Scan, Sequence[Partition]] = field(default_factory=dict)
    attached: bool = False

    def attach(self, lost: Sequence[Gap], read_at: float) -> Plan:
        """Read what the target and the store hold, begin the generations that are missing, draw every epoch.

        Args:
            lost: Gaps found while reading: the target is begun anew.
            read_at: When the stream was last read for the target, epoch seconds; 0.0 when nobody knows.
        """
        # The target's record is read before the store's counter: a record above it then means an older store.
        self.memory = self.target.recall(self.table.name)
        chosen = self._plan(lost, read_at)
        self._record(chosen)
        for copy in chosen.current:
            self._open(copy)
        # Every live shard draws an epoch under the recorded generations; only then is a scan's first page read.
        self.extend()
        self._draw(self._segments(chosen.current))
        self.attached = True
        return chosen

    def store_is_older(self) -> bool:
        """Say whether the target remembers an epoch that the store never drew: a restored or replaced store."""
        return self.memory.epoch > self.store.counter(self.table.name)

    def _plan(self, lost: Sequence[Gap], read_at: float) -> Plan:
        situation = Situation(
            table=self.table.name,
            stream=self.table.stream,
            target=self.target.name,
            wanted=self.table.wanted[self.target.name],
            copies=self.store.copies(self.table.name, self.target.name),
            memory=self.memory,
            stored=self._stored(),
            lost=lost,
            read_at=read_at,
            now=clock.now(),
        )
        return plan(replace(situation, lost=[*lost, *self._vanished(situation)]), self.partitions.new_scan)

    def _stored(self) -> dict[str, PartitionState]:
        return {
            state.partition.id: state
            for state in self.store.partitions(self.table.name)
            if state.target == self.target.name
        }

    def _vanished(self, situation: Situation) -> list[Gap]:
        """Find shards that the stream no longer lists though they were not read to their end."""
        listed = {shard.id for shard in self.partitions.shards()}
        return [
            situation.gap(partition, "the shard is gone from the stream before it was read to its end")
            for partition, state in situation.stored.items()
            if state.partition.kind == "shard" and not state.position.ended and partition not in listed
        ]

    def _record(self, chosen: Plan) -> None:
        for copy in chosen.retired:
            self.store.save_copy(self.table.name, dropped(copy))
        if chosen.restart or chosen.new:
            forget = list(self._stored().values()) if chosen.restart else []
            self.store.record(self.table.name, self.target.name, chosen.new, chosen.gaps, forget)
        failpoint.hit(failpoint.COPY_RECORDED)

    def _open(self, copy: Copy) -> None:
        generation = Generation(copy.collection, copy.number)
        self.target.create(generation, self.table.collections[copy.collection])
        if copy.state == "live":
            # Again: the target may have gone back to before the switch, or failed to drop what came before.
            self.target.serve(generation)
            self._drop_before(generation)
        elif not self._is_held_beside(generation):
            # Nothing else is served: readers may watch the first copy fill.
            self.target.serve(generation)
        self.copies[copy.collection] = copy

    def _is_held_beside(self, generation: Generation) -> bool:
        held = [held for held in self.memory.generations if held.collection == generation.collection]
        return any(other != generation for other in held)

    def extend(self) -> None:
        """Attach to the shards that became ready: those whose listed parents are all drained for this target."""
        shards = self.partitions.shards()
        listed = {shard.id for shard in shards}
        if fresh := [shard for shard in shards if shard.id not in self.cursors and not self._is_drained(shard.id)]:
            stored = self._stored()
            while ready := [shard for shard in fresh if self._is_ready(shard, listed)]:
                self._draw(ready, stored)
                fresh = [shard for shard in fresh if shard not in ready]

    def _is_ready(self, shard: Partition, listed: set[str]) -> bool:
        return all(self._is_drained(parent) or parent not in listed for parent in shard.parents)

    def _is_drained(self, partition: str) -> bool:
        return self.committed.get(partition, START).ended

    def _segments(self, copies: Iterable[Copy]) -> list[Partition]:
        self.segments = {scan: self.partitions.segments(scan) for scan in map(scan_of, copies)}
        return [segment for segments in self.segments.values() for segment in segments]

    def _draw(self, partitions: Sequence[Partition], stored: Mapping[str, PartitionState] | None = None) -> None:
        """Draw an epoch for each partition that is not drained, remember the highest in the target, then read."""
        stored = self._stored() if stored is None else stored
        attached = [cursor for partition in partitions if (cursor := self._acquire(partition, stored)) is not None]
        if not attached:
            return
        self.target.raise_epoch(self.table.name, max(cursor.epoch for cursor in attached))
        failpoint.hit(failpoint.AFTER_RAISE_EPOCH)
        self._lower_marks(attached)
        self.partitions.read(self.cursors, attached)

    def _lower_marks(self, attached: Sequence[Cursor]) -> None:
        """Take back marks above what is read again: a target that goes back into the replay must not be believed."""
        above = [cursor for cursor in attached if self._mark(cursor.partition) > cursor.position]
        if above:
            self.target.mark(self.table.name, {cursor.partition.id: cursor.position for cursor in above})

    def _mark(self, partition: Partition) -> Position:
        return self.memory.marks.get(partition.id, START)

    def _acquire(self, partition: Partition, stored: Mapping[str, PartitionState]) -> Cursor | None:
        """Take the lease, draw, and only then believe a position: the lower of the store's and the target's."""
        known = stored.get(partition.id)
        mark = self._mark(partition)
        if known is not None and known.position.ended and mark.ended:
            self.committed[partition.id] = known.position
            return None
        self.store.acquire(self.table.name, partition, self.table.owner)
        if known is not None:
            self.store.rewind(self.table.name, partition.id, self.target.name, mark, epoch=known.epoch)
        failpoint.hit(failpoint.BEFORE_DRAW)
        draw = self.store.draw(
            self.table.name, partition.id, self.target.name, owner=self.table.owner, remembered=self.memory.epoch
        )
        failpoint.hit(failpoint.AFTER_DRAW)
        self.committed[partition.id] = draw.position
        self.epochs[draw.epoch] = partition.id
        return Cursor(partition, draw.epoch, draw.position, draw.position)

    def partition_of(self, version: int) -> str:
        """Give the id of the partition whose change has this version; empty for rows of a scan."""
        return self.epochs.get(version >> VERSION_BITS, "")

    def has_all_shards(self) -> bool:
        """Say whether every listed shard is read or drained; a child waits for its parents."""
        return all(shard.id in self.cursors or self._is_drained(shard.id) for shard in self.partitions.shards())

    def scanned(self) -> int:
        """Count the rows applied so far by the scans of generations being built."""
        scans = {scan_of(copy) for copy in self.copies.values() if copy.state == "building"}
        segments = [segment for scan in scans for segment in self.segments.get(scan, ())]
        return sum(max(0, self.committed.get(segment.id, START).rank) for segment in segments)

    def complete(self) -> list[Copy]:
        """Give the generations being built whose scan is applied to its end."""
        building = [copy for copy in self.copies.values() if copy.state == "building"]
        return [
            copy for copy in building if all(self._is_drained(segment.id) for segment in self.segments[scan_of(copy)])
        ]

    def replaces(self, copy: Copy) -> bool:
        """Say whether readers are served an older generation meanwhile."""
        held = [generation for generation in self.memory.generations if generation.collection == copy.collection]
        return any(generation.number < copy.number for generation in held)

    def finish(self, copy: Copy) -> None:
        """Make a complete generation the one that is served, and forget those before it."""
        generation = Generation(copy.collection, copy.number)
        failpoint.hit(failpoint.BEFORE_SERVE)
        self.target.serve(generation)
        failpoint.hit(failpoint.AFTER_SERVE)
        self.copies[copy.collection] = finished(copy, clock.now())
        self.store.save_copy(self.table.name, self.copies[copy.collection])
        self._drop_before(generation)
        if all(other.state == "live" for other in self.copies.values()):
            self.store.close_gaps(self.table.name, self.target.name)

    def _drop_before(self, generation: Generation) -> None:
        for held in self.memory.generations:
            if held.collection == generation.collection and held.number < generation.number:
                self.target.drop(held)
        for copy in self.store.copies(self.table.name, self.target.name):
            if copy.collection == generation.collection and copy.number < generation.number:
                self.store.save_copy(self.table.name, dropped(copy))
