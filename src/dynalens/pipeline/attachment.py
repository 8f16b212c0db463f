"""Attaching a target to a table: generations recorded, epochs drawn, positions found, in the order that is safe."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dynalens import clock, failpoint
from dynalens.backfill import Loss, Scan, Situation, Wanted, is_gone, is_late, is_listed, losses, scan_of
from dynalens.change import KeySchema
from dynalens.partition import START, Partition, Position
from dynalens.pipeline.delivery import Cursor
from dynalens.pipeline.generations import DetachedError, Generations
from dynalens.pipeline.lead import Lead
from dynalens.pipeline.leases import Leases
from dynalens.position import Commit, Copy, Gap, PartitionState, PositionStore
from dynalens.target import NO_MARK, VERSION_BITS, Mark, Memory, Target

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What all lanes of a table share: its key, its collections, and how it is kept.

    `stream` names its stream, `items` is DynamoDB's estimate of how many there are, about six hours old; `wanted`
    names the collections with their settings, by target name; `repairs` says whether a gap is repaired by itself;
    `read_at` tells when an earlier process last read the stream for each target, in epoch seconds.
    """

    name: str
    stream: str
    keys: KeySchema
    items: int
    wanted: Mapping[str, Sequence[Wanted]]
    repairs: bool = True
    read_at: Mapping[str, float] = field(default_factory=dict)


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
class Attachment:
    """One target attached to one table, from `attach` until the first failure.

    Attributes:
        generations: The generations that are fed.
        lead: What this worker decides while it leads the table.
        cursors: The partitions being read, by id. The feed reads it under its lock; only `Partitions.read` adds to it.
        committed: The positions committed, by partition id, drained partitions included.
        epochs: The partition that drew each epoch.
        segments: The segments of each scan that fills a generation and has begun.
        scans: The scan of each segment.
        attached: Every ready partition is being read.
    """

    table: Table
    target: Target
    store: PositionStore
    partitions: Partitions
    leases: Leases
    generations: Generations
    lead: Lead
    memory: Memory = field(default_factory=Memory)
    cursors: dict[str, Cursor] = field(default_factory=dict)
    committed: dict[str, Position] = field(default_factory=dict)
    epochs: dict[int, str] = field(default_factory=dict)
    segments: dict[str, Sequence[Partition]] = field(default_factory=dict)
    scans: dict[str, str] = field(default_factory=dict)
    attached: bool = False
    decided: bool = False
    """What was lost is recorded; it need not be told again."""
    _led: bool = False
    _judged: frozenset[str] = frozenset()

    def attach(self, lost: Sequence[Gap], read_at: float, known: Sequence[Copy] = ()) -> None:
        """Read what the target and the store hold, begin the generations that are missing, draw every epoch.

        Args:
            lost: Gaps found while reading.
            read_at: When the stream was last read for the target, epoch seconds; 0.0 when nobody knows.
            known: The generations that this worker fed until now, should the store have forgotten them.
        """
        self.lead.remind(known)
        # Positions first: a mark is set before its position is committed, so one that is missing now is lost.
        stored = self._stored()
        self.memory = self.target.recall(self.table.name)
        self._tell_of_older_store()
        self._led = self.leases.leads()
        situation = self._situation(stored, lost, read_at)
        self._require_this_stream(situation.copies)
        self._decide(situation)
        self.decided = True
        self._draw_for_shards()
        # Read after the draws: whoever drew above a generation's barrier knows of it.
        self._read_generations()
        self.generations.open(leads=self._led, held=self.memory.generations)
        if self._led:
            self.lead.resume()
        self.attached = True

    def _tell_of_older_store(self) -> None:
        """Say so when the target remembers an epoch that the store never drew: a restored or replaced store."""
        # The store is asked after the target: another worker may draw at any time.
        if self.memory.epoch > self.store.counter(self.table.name):
            log.error(
                "the position store is older than what %s remembers of %s: was it restored, or replaced?"
                " What the target holds counts.",
                self.target.name,
                self.table.name,
            )

    def look_after(self) -> None:
        """See whether the target still holds what it confirmed, while there is nothing to apply.

        Raises:
            DetachedError: It does not.
            TargetError: It does not answer.
        """
        self.memory = self.target.recall(self.table.name)
        for cursor in self.cursors.values():
            if self.memory.marks.get(cursor.partition.id, NO_MARK).position < cursor.committed:
                raise DetachedError(f"{self.target.name} went back behind what it confirmed of {cursor.partition.id}")
        if not self.memory.generations.issuperset(one.generation for one in self.generations.fed.values()):
            raise DetachedError(f"{self.target.name} has lost a generation")

    # What was lost, and what is wanted.

    def _situation(self, stored: Mapping[str, PartitionState], lost: Sequence[Gap], read_at: float) -> Situation:
        return Situation(
            table=self.table.name,
            stream=self.table.stream,
            target=self.target.name,
            wanted=self.table.wanted[self.target.name],
            copies=self.store.copies(self.table.name, self.target.name),
            recorded=self.lead.gaps(),
            memory=self.memory,
            stored=stored,
            shards=self.partitions.shards(),
            lost=lost,
            read_at=read_at,
            alone=self.leases.alone,
            repairs=self.table.repairs,
            now=clock.now(),
        )

    def _decide(self, situation: Situation) -> None:
        """Record what was lost; the worker that leads answers it, and judges what nobody holds."""
        if self._led:
            loss = losses(situation, holds=self.leases.holds)
            self.lead.decide(situation, loss)
        else:
            loss = losses(situation, judged=self.leases.holds, holds=self.leases.holds)
            self.lead.record_loss(loss)
        self._go_on_without(loss)

    def _go_on_without(self, loss: Loss) -> None:
        """Set the marks so that neither old states are replayed nor the loss is found again."""
        held = self.memory.marks
        forgotten = [state.partition.id for state in loss.forgotten if state.partition.id in held]
        marks = {**{id_: Mark(held[id_].epoch, START) for id_ in forgotten}, **loss.passed}
        if marks:
            self.target.mark(self.table.name, marks)
        for shard in loss.abandoned:
            self._abandon(shard)

    def _abandon(self, shard: Partition) -> None:
        """Call a shard drained that is not to be read."""
        self.leases.take(shard)
        draw = self.store.draw(
            self.table.name, shard.id, self.target.name, owner=self.leases.owner, remembered=self.memory.epoch
        )
        position = replace(draw.position, ended=True)
        self.target.mark(self.table.name, {shard.id: Mark(draw.epoch, position)})
        self.store.commit(self.table.name, self.target.name, [Commit(shard.id, draw.epoch, position)])

    def refresh(self) -> None:
        """Hear of what was recorded since; called when the store's revision has moved.

        Raises:
            DetachedError: A generation was begun, or must be: every partition has to be drawn for again.
        """
        known = set(self.generations.fed)
        self._read_generations()
        self.memory = self.target.recall(self.table.name)
        barrier = max((copy.barrier for copy in self.generations.copies()), default=0)
        if self.generations.fed.keys() - known or any(epoch <= barrier for epoch in self._shard_epochs()):
            raise DetachedError("a generation was begun")
        if self._led and self.lead.must_decide(self._situation(self._stored(), (), clock.now())):
            raise DetachedError("a generation is wanted")

    def _read_generations(self) -> None:
        """Learn which generations are fed, and refuse to feed them from another stream than the one recorded."""
        self.generations.read()
        self._require_this_stream(self.generations.copies())

    def _require_this_stream(self, copies: Iterable[Copy]) -> None:
        """Refuse to go on while the others capture another stream: one of them has not noticed yet.

        What is left in the older one is older than what the scan of a repair reads; and whoever does not list the
        shards of the newer one would take them for gone. The worker that leads records the newer one.

        Raises:
            DetachedError: Another stream is recorded, and it is not for this worker to change that.
        """
        recorded = {copy.stream for copy in copies if copy.state != "dropped"}
        # The name of a stream ends with the time at which it was enabled ("DescribeStream" in the Amazon DynamoDB API
        # reference: StreamLabel), so that names of one table are ordered.
        if any(stream > self.table.stream or not self._led for stream in recorded - {self.table.stream}):
            raise DetachedError(f"another stream of {self.table.name} is captured by the others")

    def _shard_epochs(self) -> list[int]:
        return [cursor.epoch for cursor in self.cursors.values() if cursor.partition.kind == "shard"]

    def _open_shards(self) -> list[Cursor]:
        return [
            cursor
            for cursor in self.cursors.values()
            if cursor.partition.kind == "shard" and not cursor.committed.ended
        ]

    # Partitions.

    def extend(self) -> None:
        """Attach to what became ready: shards whose listed parents are all drained for this target, open scans.

        Raises:
            DetachedError: A generation was begun meanwhile, or this worker leads the table now.
        """
        if self.leases.leads() and not self._led:
            raise DetachedError("this worker leads the table now")
        self._judge_shards()
        if self._draw_for_shards() and self.store.revision(self.table.name) != self.generations.revision:
            self.refresh()
        if self._waits_for_scans():
            self._open_scans()

    def _judge_shards(self) -> None:
        """When the list of shards has changed, the leading worker sees whether one that nobody reads is gone."""
        listed = frozenset(shard.id for shard in self.partitions.shards())
        if not self._led or listed == self._judged:
            return
        self._judged = listed
        stored = self._stored()
        if any(is_gone(state, stored, listed) for state in stored.values()):
            raise DetachedError("a shard is gone")

    def _draw_for_shards(self) -> bool:
        shards = self.partitions.shards()
        listed = {shard.id for shard in shards}
        fresh = [shard for shard in shards if self._is_fresh(shard) and not any(map(self._is_read, shard.parents))]
        if not fresh:
            return False
        stored = self._stored()
        # After the positions: a mark is set before its position is committed.
        self.memory = self.target.recall(self.table.name)
        if self.attached and any(is_late(shard, shards, stored, self.memory) for shard in fresh):
            raise DetachedError("a shard was listed late")
        drawn = False
        while ready := [shard for shard in fresh if self._is_ready(shard, listed, stored)]:
            self._draw(ready, stored)
            fresh = [shard for shard in fresh if shard not in ready]
            drawn = True
        return drawn

    def _is_fresh(self, partition: Partition) -> bool:
        unread = partition.id not in self.cursors and not self._is_drained(partition.id)
        return unread and self.leases.holds(partition.id)

    def _is_ready(self, shard: Partition, listed: set[str], stored: Mapping[str, PartitionState]) -> bool:
        return all(
            parent not in listed or self._is_drained(parent) or self._is_drained_elsewhere(parent, stored)
            for parent in shard.parents
        )

    def _is_read(self, partition: str) -> bool:
        return partition in self.cursors and not self._is_drained(partition)

    def _is_drained(self, partition: str) -> bool:
        return self.committed.get(partition, START).ended

    def _is_drained_elsewhere(self, partition: str, stored: Mapping[str, PartitionState]) -> bool:
        """Say whether another worker has read a shard to its end, and the target still holds it."""
        state = stored.get(partition)
        mark = self.memory.marks.get(partition, NO_MARK)
        return state is not None and state.position.ended and mark.position.ended and not self.leases.holds(partition)

    def has_begun(self) -> bool:
        """Say whether every scan that fills a generation is being read, as far as this worker reads it."""
        return self.attached and not self._waits_for_scans()

    def _waits_for_scans(self) -> bool:
        scans = {copy.scan for copy in self.generations.building()}
        return bool(scans - self.segments.keys()) or any(
            self._is_fresh(segment) for scan in scans for segment in self.segments.get(scan, ())
        )

    def _open_scans(self) -> None:
        """Read the segments of scans that may begin: every live shard has drawn an epoch under the new list."""
        building = self.generations.building()
        # A shard whose next record is gone shows that at its first reading: a scan that begins after it sees what the
        # lost changes left behind, so that shards found one after the other need no scan each.
        if not building or not all(cursor.polls for cursor in self._open_shards()):
            return
        stored = self._stored()
        lowest = self._lowest_epoch(stored)
        for copy in building:
            if copy.barrier and lowest > copy.barrier:
                self._open_scan(scan_of(copy), stored)

    def all_drew_above(self, epoch: int) -> bool:
        """Say whether every live shard has drawn above an epoch, at whichever worker."""
        return self._lowest_epoch(self._stored()) > epoch

    def _lowest_epoch(self, stored: Mapping[str, PartitionState]) -> int:
        """Give the lowest epoch of a live shard; one that is not drawn for yet will have a higher one."""
        listed = {shard.id for shard in self.partitions.shards()}
        epochs = [state.epoch for state in stored.values() if _is_live(state) and not is_gone(state, stored, listed)]
        return min(epochs, default=self.store.counter(self.table.name) + 1)

    def _open_scan(self, scan: Scan, stored: Mapping[str, PartitionState]) -> None:
        if scan.id not in self.segments:
            self.segments[scan.id] = self.partitions.segments(scan)
            self.scans.update((segment.id, scan.id) for segment in self.segments[scan.id])
        self._draw([segment for segment in self.segments[scan.id] if self._is_fresh(segment)], stored)

    def let_go(self) -> list[str]:
        """Give the partitions that are read though this worker holds them no more."""
        return [partition for partition in self.cursors if not self.leases.holds(partition)]

    def _stored(self) -> dict[str, PartitionState]:
        return {
            state.partition.id: state
            for state in self.store.partitions(self.table.name)
            if state.target == self.target.name
        }

    # Epochs.

    def _draw(self, partitions: Sequence[Partition], stored: Mapping[str, PartitionState]) -> None:
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
        # Asked once more: whoever held a partition until the draw may have marked it since.
        self.memory = self.target.recall(self.table.name)
        cursors = []
        for partition, epoch, position in drawn.values():
            start = self._start(partition, position)
            cursors.append(Cursor(partition, epoch, start, start))
        # Before anything is written under the new epoch: what is replayed must not stand below a mark from before, and
        # a holder from before marks it no more.
        self.target.mark(
            self.table.name, {cursor.partition.id: Mark(cursor.epoch, cursor.position) for cursor in cursors}
        )
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

    def _start(self, partition: Partition, drawn: Position) -> Position:
        """Say where a partition is read on from: the target's mark tells what it holds, whatever the store believes.

        A position above it stands for writes that the target has lost, one below it for a commit that never came, or
        for a store that was taken back: of that nothing needs to be replayed.

        Raises:
            DetachedError: The target has just lost all that it had confirmed.
        """
        mark = self.memory.marks.get(partition.id, NO_MARK).position
        if drawn > START == mark:
            raise DetachedError(f"{self.target.name} no longer holds what it confirmed of {partition.id}")
        return mark

    def _read(self, cursors: Sequence[Cursor]) -> None:
        ended = [cursor for cursor in cursors if cursor.position.ended]
        commits = [Commit(cursor.partition.id, cursor.epoch, cursor.position) for cursor in ended]
        if commits:
            self.store.commit(self.table.name, self.target.name, commits)
        self.committed.update((cursor.partition.id, cursor.position) for cursor in cursors)
        self.partitions.read(self.cursors, [cursor for cursor in cursors if not cursor.position.ended])

    def partition_of(self, version: int) -> str:
        """Give the id of the partition whose change has this version; empty for rows of a scan."""
        return self.epochs.get(version >> VERSION_BITS, "")

    # How far it is.

    def forget_gone(self) -> None:
        """Forget positions of shards that were read to their end and that the stream no longer lists."""
        listed = {shard.id for shard in self.partitions.shards()}
        stored = self._stored()
        ended = [state.partition for state in stored.values() if _is_drained_shard(state)]
        gone = [shard.id for shard in ended if not is_listed(shard, stored, listed)]
        self.store.forget(self.table.name, self.target.name, gone)

    def has_all_shards(self) -> bool:
        """Say whether every listed shard is read or drained, by whichever worker; a child waits for its parents."""
        return all(
            shard.id in self.cursors
            or self._is_drained(shard.id)
            or (not self.leases.holds(shard.id) and self.leases.covers(shard.id))
            for shard in self.partitions.shards()
        )

    def scanned(self) -> int:
        """Count the rows applied so far by the scans of generations being built."""
        segments = [segment for copy in self.generations.building() for segment in self.segments.get(copy.scan, ())]
        return sum(max(0, self.committed.get(segment.id, START).rank) for segment in dict.fromkeys(segments))

    def complete(self) -> list[Copy]:
        """Give the generations being built whose scan is applied to its end, by whichever worker."""
        building = [copy for copy in self.generations.building() if self._is_scanned_here(copy)]
        if not building:
            return []
        drained = {id_ for id_, state in self._stored().items() if state.position.ended}
        return [copy for copy in building if drained.issuperset(segment.id for segment in self.segments[copy.scan])]

    def _is_scanned_here(self, copy: Copy) -> bool:
        segments = self.segments.get(copy.scan)
        return segments is not None and all(
            self._is_drained(segment.id) or not self.leases.holds(segment.id) for segment in segments
        )

    def replaces(self, copy: Copy) -> bool:
        """Say whether readers are served an older generation meanwhile."""
        return any(
            generation.collection == copy.collection and generation.number < copy.number
            for generation in self.memory.generations
        )


def _is_live(state: PartitionState) -> bool:
    return state.partition.kind == "shard" and not state.position.ended


def _is_drained_shard(state: PartitionState) -> bool:
    return state.partition.kind == "shard" and state.position.ended
