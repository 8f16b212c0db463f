"""Attaching a target to a table: generations recorded, epochs drawn, positions found, in the order that is safe."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dynalens import clock
from dynalens.backfill import Loss, Situation, forgotten, is_gone, is_late, losses
from dynalens.partition import START, Partition
from dynalens.pipeline.generations import DetachedError, Generations
from dynalens.pipeline.lead import Lead
from dynalens.pipeline.reading import Reading
from dynalens.pipeline.scans import Scans
from dynalens.position import Copy, Gap, PartitionState
from dynalens.target import NO_MARK, Mark

log = logging.getLogger(__name__)

LOOK_SECONDS = 3.0
"""How often shards that wait for their parents look whether those are drained, though nothing says so."""


@dataclass(slots=True, eq=False)
class Attachment:
    """One target attached to one table, from `attach` until the first failure.

    Attributes:
        reading: The partitions that are read.
        generations: The generations that are fed.
        lead: What this worker decides while it leads the table.
        scans: The scans that fill new generations.
        attached: Every ready partition is being read.
        decided: What was lost is recorded; it need not be told again.
    """

    reading: Reading
    generations: Generations
    lead: Lead
    scans: Scans = field(init=False)
    attached: bool = False
    decided: bool = False
    _led: bool = False
    _judged: frozenset[str] = frozenset()
    _looked_for: tuple[frozenset[str], frozenset[str], int] | None = None
    _looked_at: float = 0.0

    def __post_init__(self) -> None:
        """Nothing is read yet."""
        self.scans = Scans(self.reading, self.generations)

    def attach(self, lost: Sequence[Gap], read_at: float, known: Sequence[Copy] = ()) -> None:
        """Read what the target and the store hold, begin the generations that are missing, draw every epoch.

        Args:
            lost: Gaps found while reading.
            read_at: When the stream was last read for the target, epoch seconds; 0.0 when nobody knows.
            known: The generations that this worker fed until now, should the store have forgotten them.
        """
        self.lead.remind(known)
        # Positions first: a mark is set before its position is committed, so one that is missing now is lost.
        stored = self.reading.stored()
        self.reading.recall()
        self._tell_of_older_store()
        self._led = self.reading.leases.leads()
        situation = self._situation(stored, lost, read_at)
        self._require_this_stream(situation.copies)
        if forgotten(known, situation.copies):
            raise DetachedError("the position store was emptied or taken back meanwhile")
        self._decide(situation)
        self.decided = True
        self._draw_for_shards()
        # Read after the draws: whoever drew above a generation's barrier knows of it.
        self._read_generations(known)
        self.generations.open(leads=self._led, held=self.reading.memory.generations)
        if self._led:
            self.lead.resume()
        self.attached = True

    def _tell_of_older_store(self) -> None:
        """Say so when the target remembers an epoch that the store never drew: a restored or replaced store."""
        # The store is asked after the target: another worker may draw at any time.
        if self.reading.memory.epoch > self.reading.store.counter(self.reading.table.name):
            log.error(
                "the position store is older than what %s remembers of %s: was it restored, or replaced?"
                " What the target holds counts.",
                self.reading.target.name,
                self.reading.table.name,
            )

    def look_after(self) -> None:
        """See whether the target still holds what it confirmed, while there is nothing to apply.

        Raises:
            DetachedError: It does not.
            TargetError: It does not answer.
        """
        memory, name = self.reading.recall(), self.reading.target.name
        for cursor in self.reading.cursors.values():
            if memory.marks.get(cursor.partition.id, NO_MARK).position < cursor.committed:
                raise DetachedError(f"{name} went back behind what it confirmed of {cursor.partition.id}")
        if not memory.generations.issuperset(one.generation for one in self.generations.fed.values()):
            raise DetachedError(f"{name} has lost a generation")

    # What was lost, and what is wanted.

    def _situation(self, stored: Mapping[str, PartitionState], lost: Sequence[Gap], read_at: float) -> Situation:
        reading, table, target = self.reading, self.reading.table, self.reading.target.name
        return Situation(
            table=table.name,
            stream=table.stream,
            target=target,
            wanted=table.wanted[target],
            copies=reading.store.copies(table.name, target),
            recorded=self.lead.gaps(),
            memory=reading.memory,
            stored=stored,
            shards=reading.partitions.shards(),
            lost=lost,
            read_at=read_at,
            alone=reading.leases.alone,
            repairs=table.repairs,
            now=clock.now(),
        )

    def _decide(self, situation: Situation) -> None:
        """Record what was lost; the worker that leads answers it, and judges what nobody holds."""
        loss = losses(situation, leads=self._led, holds=self.reading.leases.holds)
        if loss.gaps:
            # Before they are recorded: a target that cannot be told would be found to have lost them at each attempt.
            self.reading.target.raise_epoch(self.reading.table.name, self.reading.memory.epoch)
        if self._led:
            self.lead.decide(situation, loss)
        else:
            self.lead.record_loss(loss)
        self._go_on_without(loss)

    def _go_on_without(self, loss: Loss) -> None:
        """Set the marks so that neither old states are replayed nor the loss is found again."""
        held = self.reading.memory.marks
        forgotten = [state.partition.id for state in loss.forgotten if state.partition.id in held]
        marks = {**{id_: Mark(held[id_].epoch, START) for id_ in forgotten}, **loss.passed}
        if marks:
            self.reading.target.mark(self.reading.table.name, marks)
        for shard in loss.abandoned:
            self.reading.abandon(shard)

    def refresh(self) -> None:
        """Hear of what was recorded since; called when the store's revision has moved.

        Raises:
            DetachedError: A generation was begun, or must be: every partition has to be drawn for again.
        """
        known = set(self.generations.fed)
        self._read_generations()
        self.reading.recall()
        if self.generations.fed.keys() - known:
            raise DetachedError("a generation was begun")
        if self._led and self.lead.must_decide(self._situation(self.reading.stored(), (), clock.now())):
            raise DetachedError("a generation is wanted")

    def _read_generations(self, known: Sequence[Copy] = ()) -> None:
        """Learn which generations are fed.

        Raises:
            DetachedError: They are not to be fed from this stream, or not under the epochs drawn: whoever drew before a
                barrier was set counts as one that does not know of the generation, though it may.
        """
        self.generations.read(known)
        copies = self.generations.copies()
        self._require_this_stream(copies)
        barrier = max((copy.barrier for copy in copies), default=0)
        if any(cursor.epoch <= barrier for cursor in self.reading.open_shards().values()):
            raise DetachedError("a generation was begun")

    def _require_this_stream(self, copies: Iterable[Copy]) -> None:
        """Refuse to go on while the others capture another stream: one of them has not noticed yet.

        What is left in the older one is older than what the scan of a repair reads; and whoever does not list the
        shards of the newer one would take them for gone. The worker that leads records the newer one.

        Raises:
            DetachedError: Another stream is recorded, and it is not for this worker to change that.
        """
        table = self.reading.table
        recorded = {copy.stream for copy in copies if copy.state != "dropped"}
        # The name of a stream ends with the time at which it was enabled ("DescribeStream" in the Amazon DynamoDB API
        # reference: StreamLabel), so that names of one table are ordered.
        if any(stream > table.stream or not self._led for stream in recorded - {table.stream}):
            raise DetachedError(f"another stream of {table.name} is captured by the others")

    # Partitions.

    def extend(self) -> None:
        """Attach to what became ready: shards whose listed parents are all drained for this target, open scans.

        Raises:
            DetachedError: A generation was begun meanwhile, or this worker leads the table now.
        """
        reading = self.reading
        if reading.leases.leads() and not self._led:
            raise DetachedError("this worker leads the table now")
        self._judge_shards()
        if self._draw_for_shards() and reading.store.revision(reading.table.name) != self.generations.revision:
            self.refresh()
        if not self.scans.are_read():
            self.scans.open()

    def _judge_shards(self) -> None:
        """When the list of shards has changed, the leading worker sees whether one that nobody reads is gone."""
        listed = frozenset(shard.id for shard in self.reading.partitions.shards())
        if not self._led or listed == self._judged:
            return
        self._judged = listed
        stored = self.reading.stored()
        if any(is_gone(state, stored, listed) for state in stored.values()):
            raise DetachedError("a shard is gone")

    def _draw_for_shards(self) -> bool:
        reading, shards = self.reading, self.reading.partitions.shards()
        listed = {shard.id for shard in shards}
        fresh = [shard for shard in shards if reading.is_fresh(shard) and not any(map(reading.is_read, shard.parents))]
        if not fresh or not self._is_news(fresh, listed):
            return False
        stored = reading.stored()
        # After the positions: a mark is set before its position is committed.
        memory = reading.recall()
        if self.attached and any(is_late(shard, shards, stored, memory) for shard in fresh):
            raise DetachedError("a shard was listed late")
        drawn = False
        while ready := [shard for shard in fresh if self._is_ready(shard, listed, stored)]:
            reading.draw(ready, stored)
            fresh = [shard for shard in fresh if shard not in ready]
            drawn = True
        return drawn

    def _is_news(self, fresh: Iterable[Partition], listed: Iterable[str]) -> bool:
        """Say whether a look may find more than the last one: an end that another worker commits raises the revision.

        Beside that it is looked for every few seconds: the target's marks decide too, and may go back and forth.
        """
        at = (frozenset(shard.id for shard in fresh), frozenset(listed), self.reading.leases.revision())
        now = time.monotonic()
        if at == self._looked_for and now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_for, self._looked_at = at, now
        return True

    def _is_ready(self, shard: Partition, listed: set[str], stored: Mapping[str, PartitionState]) -> bool:
        return all(
            parent not in listed or self.reading.is_drained(parent) or self.reading.is_drained_elsewhere(parent, stored)
            for parent in shard.parents
        )

    def has_begun(self) -> bool:
        """Say whether every scan that fills a generation is being read, as far as this worker reads it."""
        return self.attached and self.scans.are_read()

    def replaces(self, copy: Copy) -> bool:
        """Say whether readers are served an older generation meanwhile."""
        return any(
            generation.collection == copy.collection and generation.number < copy.number
            for generation in self.reading.memory.generations
        )
