"""Backfill and repair: what was lost, and which generations a target needs. Pure: no reads, no writes.

A generation is recorded before anything is written to it; then every live shard draws an epoch under that record;
only then is the first page of its scan read (DESIGN, "Backfill, generations, repair"). A repair is a new generation
beside the one that lost: nothing old can be in it, so that nothing old has to be swept from it (docs/adr/0001).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from dynalens.config import CollectionConfig, dump_settings, fingerprint
from dynalens.partition import START, Partition
from dynalens.position import Copy, Gap, PartitionState
from dynalens.target import NO_MARK, TOMBSTONE_RETENTION_SECONDS, Generation, Mark, Memory

STREAM_RETENTION_SECONDS = 24 * 3600.0
"""How long a stream keeps its records ("Change data capture for DynamoDB Streams")."""

ANOTHER_STREAM = "the table's stream is another one than before: it was turned off and on, or the table created anew"
SHARD_GONE = "the shard is gone from the stream before it was read to its end"
TARGET_LOST = "the target no longer holds what it confirmed"
STORE_LOST = "the position store no longer holds what it recorded: was it deleted, or is it another one?"
UNREAD = "the stream was not read for longer than it keeps its records, 24 hours"
LATE = "the stream listed the shard only after its children had been read"
GAP_REASONS = (ANOTHER_STREAM, SHARD_GONE, TARGET_LOST, STORE_LOST, UNREAD, LATE)
"""Why changes are lost, beside what reading a shard meets; `docs/runbook.md` has a section for each."""


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan of a table that fills new generations: its id, how many segments, and how consistently it reads."""

    id: str
    segments: int
    consistent: bool


def scan_of(copy: Copy) -> Scan:
    """Give the scan that fills a generation."""
    return Scan(copy.scan, copy.segments, copy.consistent)


@dataclass(frozen=True, slots=True)
class Loss:
    """Changes that a target will not get from the stream any more, and how capture goes on without them.

    Attributes:
        gaps: What was lost, as it is recorded.
        forgotten: Positions that nothing can be read from any more: their shards are read from TRIM_HORIZON, or never.
        abandoned: Shards that are not read, though they are there: their children have been read already.
        passed: The target's marks, raised to what the store knows: old states are not replayed.
    """

    gaps: tuple[Gap, ...] = ()
    forgotten: tuple[PartitionState, ...] = ()
    abandoned: tuple[Partition, ...] = ()
    passed: Mapping[str, Mark] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plan:
    """Which generations of a target are wanted.

    Attributes:
        new: Those that have to be recorded, each beside the older ones of its collection.
        retired: Generations of collections that the file no longer names: what is read from now on passes them by, so
            that they cannot be fed on when it names them again.
    """

    new: tuple[Copy, ...]
    retired: tuple[Copy, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A configured collection in a target.

    Attributes:
        collection: The collection's name.
        fingerprint: Digest of the settings that a generation is built from.
        settings: All of its settings, as text.
        place: Where the target is; empty where nobody asks.
    """

    collection: str
    fingerprint: str
    settings: str = "{}"
    place: str = ""

    @classmethod
    def of(cls, name: str, collection: CollectionConfig, target: str, place: str) -> Self:
        """Make it of a collection as it stands in a `Config`."""
        return cls(name, fingerprint(collection, target), dump_settings(collection), place)


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that decides what a target needs.

    Attributes:
        table: The table's name.
        stream: Name of the stream that is captured now.
        target: The target's name.
        wanted: The collections of the table that the target keeps.
        copies: Every generation ever recorded in the position store.
        recorded: The gaps that are recorded already.
        memory: What the target itself remembers, asked after the positions were read.
        stored: The positions in the store, by partition id.
        shards: The shards that the stream lists.
        lost: Gaps found while reading.
        read_at: When the stream was last read for the target, epoch seconds; 0.0 when nobody knows.
        alone: There is one worker alone: a drained shard without children can be read again, and nobody reads before a
            generation is recorded.
        repairs: A gap is repaired by itself.
        rebuild: Collections that somebody asked to build anew.
        now: Epoch seconds.
    """

    table: str
    stream: str
    target: str
    wanted: Sequence[Wanted]
    copies: Sequence[Copy]
    recorded: Sequence[Gap] = ()
    memory: Memory
    stored: Mapping[str, PartitionState]
    shards: Sequence[Partition] = ()
    lost: Sequence[Gap]
    read_at: float
    alone: bool = True
    repairs: bool = True
    rebuild: frozenset[str] = frozenset()
    now: float

    def gap(self, partition: str, reason: str, *, since: float = 0.0, until: float | None = None) -> Gap:
        """Make the record of a gap found now; nobody knows when it began, unless it is said."""
        return Gap(
            table=self.table,
            target=self.target,
            partition=partition,
            since=since,
            until=self.now if until is None else until,
            reason=reason,
            found_at=self.now,
            generation=self.newest_number(),
        )

    def newest_number(self) -> int:
        """Give the highest number of a generation of any collection, in the store or in the target.

        One whose scan has not begun counts as well: it is fed already, and a late write to it may be one whose delete
        is among what was lost. So does one that the store has forgotten: a worker that feeds it will record it again.
        """
        held = (held.number for held in self.memory.generations)
        return max((*(copy.number for copy in self.copies), *held), default=0)


def losses(situation: Situation, *, leads: bool = True, holds: Callable[[str], bool] = lambda _partition: True) -> Loss:
    """Find out what was lost.

    Args:
        situation: What the target and the store hold.
        leads: Whether this worker leads the table: it judges every partition, others those that they hold.
        holds: Whether this worker holds a partition: it alone can abandon it.
    """
    trimmed = {gap.partition for gap in situation.lost}
    stored = {id_: state for id_, state in situation.stored.items() if leads or holds(id_)}
    others = _other_streams(situation)
    listed = {shard.id for shard in situation.shards}
    unreadable = [state for id_, state in stored.items() if id_ in trimmed or is_gone(state, situation.stored, listed)]
    taken_back = {id_: state for id_, state in stored.items() if state not in unreadable and _is_lost(state, situation)}
    gone = [state.partition.id for state in unreadable if state.partition.id not in trimmed]
    gaps = [replace(gap, generation=situation.newest_number()) for gap in situation.lost]
    # A shard that went with its stream is no loss of its own.
    gaps += [situation.gap(other, ANOTHER_STREAM) for other in others]
    gaps += [situation.gap(partition, SHARD_GONE) for partition in gone if not others]
    gaps += [situation.gap(partition, TARGET_LOST) for partition in taken_back]
    late = [shard for shard in situation.shards if holds(shard.id) and _is_late(shard, situation)]
    gaps += [situation.gap(shard.id, LATE) for shard in late]
    gaps += [situation.gap(segment, TARGET_LOST) for segment in _scans_taken_back(situation)]
    if _is_unknown_to_store(situation):
        gaps.append(situation.gap(situation.stream, STORE_LOST))
    gaps += _absence(situation)
    passed = {id_: Mark(state.epoch, state.position) for id_, state in taken_back.items()}
    return Loss(tuple(gaps), tuple(unreadable), tuple(late), passed)


def is_gone(state: PartitionState, stored: Mapping[str, PartitionState], listed: Collection[str]) -> bool:
    """Say whether the stream no longer lists a shard that was not read to its end (see `is_listed`)."""
    unread = state.partition.kind == "shard" and not state.position.ended
    return unread and not is_listed(state.partition, stored, listed)


def is_listed(shard: Partition, stored: Mapping[str, PartitionState], listed: Collection[str]) -> bool:
    """Say whether the stream lists a shard, or did not list it yet when this worker asked last.

    A shard that another worker has just found may not be listed here yet. The shards that it came from are then: they
    were closed when it was opened, and a closed shard stays for a day.

    Args:
        shard: The shard.
        stored: The positions in the store, by partition id.
        listed: Ids of the shards that the stream listed when this worker asked last.
    """
    return not _lineage(shard, stored).isdisjoint(listed)


def _lineage(shard: Partition, stored: Mapping[str, PartitionState]) -> set[str]:
    """Give a shard's id and those of all that it came from."""
    lineage = {shard.id, *shard.parents}
    for parent in shard.parents:
        if parent in stored:
            lineage |= _lineage(stored[parent].partition, stored)
    return lineage


def _is_unknown_to_store(situation: Situation) -> bool:
    """Say whether the target holds a generation from after all that the store has recorded: nobody knows its gaps."""
    recorded: dict[str, int] = {}
    for copy in situation.copies:
        recorded[copy.collection] = max(copy.number, recorded.get(copy.collection, 0))
    wanted = {wanted.collection for wanted in situation.wanted}
    return any(
        held.collection in wanted and held.number > recorded.get(held.collection, 0)
        for held in situation.memory.generations
    )


def _is_lost(state: PartitionState, situation: Situation) -> bool:
    """Say whether the store knows a position that the target cannot be replayed to: confirmed writes are gone."""
    if state.position == START or _is_forgotten(state, situation):
        return False
    mark = situation.memory.marks.get(state.partition.id, NO_MARK).position
    if mark == START:
        # Going back to the start is no replay: what the stream has trimmed since would be skipped without a word.
        return True
    if mark.ended or not state.position.ended:
        return False
    # A drained parent that the target took back cannot be replayed under its children, whose epochs are older.
    has_children = any(state.partition.id in other.partition.parents for other in situation.stored.values())
    return has_children or not situation.alone


def _is_forgotten(state: PartitionState, situation: Situation) -> bool:
    """Say whether a target has no mark of a drained shard because nothing asks for it any more.

    A store that was taken back may speak of such a shard again. A target that was taken back to before the shard was
    read remembers no epoch that high.
    """
    listed = {shard.id for shard in situation.shards}
    gone = state.partition.kind == "shard" and not is_listed(state.partition, situation.stored, listed)
    memory = situation.memory
    return gone and state.position.ended and state.partition.id not in memory.marks and state.epoch <= memory.epoch


def _scans_taken_back(situation: Situation) -> list[str]:
    """Give segments of complete scans that the target does not hold to their end: nobody reads them again."""
    held = situation.memory.generations
    complete = [
        copy
        for copy in situation.copies
        if copy.state in {"live", "kept"} and Generation(copy.collection, copy.number) in held
    ]
    marks = situation.memory.marks
    return sorted(segment for segment in segment_ids(complete) if not marks.get(segment, NO_MARK).position.ended)


def segment_ids(copies: Iterable[Copy]) -> set[str]:
    """Give the ids of the segments of the scans that fill generations."""
    return {f"scan-{copy.scan}-{number}" for copy in copies for number in range(copy.segments)}


def _is_late(shard: Partition, situation: Situation) -> bool:
    return is_late(shard, situation.shards, situation.stored, situation.memory)


def is_late(
    shard: Partition, shards: Sequence[Partition], stored: Mapping[str, PartitionState], memory: Memory
) -> bool:
    """Say whether one that came from a shard was begun while the list of shards did not show all that lie between.

    Its changes are older than those of the other one, and would have higher versions.
    """
    held = stored.get(shard.id)
    drained = memory.marks.get(shard.id, NO_MARK).position.ended or (held is not None and held.position.ended)
    # Drawn for and not drained: whoever was to leave it out died over it.
    # A store that was taken back does not know what was begun since; then the target's marks do.
    return not drained and _is_begun_below(shard, shards, stored.keys() | memory.marks.keys())


def _is_begun_below(shard: Partition, shards: Sequence[Partition], begun: Collection[str]) -> bool:
    children = [other for other in shards if shard.id in other.parents]
    return any(child.id in begun or _is_begun_below(child, shards, begun) for child in children)


def _other_streams(situation: Situation) -> list[str]:
    """Find out whether the stream was turned off and on, or the table created anew: what lies between was not said."""
    return sorted({copy.stream for copy in _newest(situation)} - {situation.stream})


def _absence(situation: Situation) -> list[Gap]:
    """Find out whether nobody read for longer than the stream keeps records.

    A position shows that by itself, as its reader meets trimmed records; a shard of which nothing was read yet, or one
    that came and went meanwhile, does not.
    """
    # Capture began with the generations: a worker that was killed before it reported has lost nothing.
    begun = min((copy.started_at for copy in _newest(situation)), default=0.0)
    read_at = max(situation.read_at, begun)
    kept_since = situation.now - STREAM_RETENTION_SECONDS
    # A store that was lost says nothing; then the target's marks do.
    if not (situation.stored or situation.memory.marks) or read_at >= kept_since:
        return []
    return [situation.gap(situation.stream, UNREAD, since=read_at, until=kept_since)]


def plan(situation: Situation, loss: Loss, new_scan: Callable[[bool], Scan]) -> Plan:
    """Decide which generations to begin.

    Args:
        situation: What the target and the store hold, and what is wanted.
        loss: What was found to be lost.
        new_scan: Gives a scan for new generations; its argument says whether it must read strongly consistently.
    """
    # Capture from TRIM_HORIZON sees every write that an eventually consistent scan may miss; capture that is already
    # past it, or that has lost something, does not. Nor does another worker's, which may begin before it knows of this.
    positions = {state.position for state in situation.stored.values()}
    positions |= {mark.position for mark in situation.memory.marks.values()}
    consistent = bool(loss.gaps or situation.recorded) or not situation.alone or not positions <= {START}
    scan: Scan | None = None
    new: list[Copy] = []
    for wanted in situation.wanted:
        if not _is_kept(wanted, situation, loss):
            scan = scan or new_scan(consistent)
            new.append(_begin(wanted, situation, (*situation.recorded, *loss.gaps), scan))
    return Plan(tuple(new), _retired(situation))


def _newest(situation: Situation) -> list[Copy]:
    """Give the newest generation of each collection."""
    kept = [copy for copy in situation.copies if copy.state != "dropped"]
    return list({copy.collection: copy for copy in sorted(kept, key=lambda copy: copy.number)}.values())


def _is_kept(wanted: Wanted, situation: Situation, loss: Loss) -> bool:
    """Say whether the newest generation can be fed on: nothing lost, the same settings, and still there."""
    newest = next((copy for copy in _newest(situation) if copy.collection == wanted.collection), None)
    if newest is None or newest.fingerprint != wanted.fingerprint or not newest.settings:
        return False
    if wanted.collection in situation.rebuild:
        return False
    if situation.repairs and not is_above(newest, (*situation.recorded, *loss.gaps)):
        return False
    held = Generation(newest.collection, newest.number) in situation.memory.generations
    # What a target has lost whole is built anew whatever the file says of repairs: there is nothing to go on with. One
    # that is recorded and not made yet is none of these, but for one whose scan has begun.
    return held or (newest.state == "building" and not _is_scanned(newest, situation))


def _is_scanned(copy: Copy, situation: Situation) -> bool:
    marks = situation.memory.marks
    return any(marks.get(segment, NO_MARK).position != START for segment in segment_ids([copy]))


def forgotten(known: Iterable[Copy], recorded: Iterable[Copy]) -> list[Copy]:
    """Give those of the generations known of which a store has no record, nor of any later one of their collection."""
    newest = {copy.collection: copy.number for copy in sorted(recorded, key=lambda copy: copy.number)}
    return [copy for copy in known if copy.number > newest.get(copy.collection, 0)]


def is_above(copy: Copy, gaps: Iterable[Gap]) -> bool:
    """Say whether a generation was begun after all of these gaps, so that it lacks nothing."""
    return all(copy.number > gap.generation for gap in gaps)


def _retired(situation: Situation) -> tuple[Copy, ...]:
    wanted = {wanted.collection for wanted in situation.wanted}
    return tuple(copy for copy in situation.copies if copy.state != "dropped" and copy.collection not in wanted)


def _begin(wanted: Wanted, situation: Situation, gaps: Iterable[Gap], scan: Scan) -> Copy:
    recorded = [copy.number for copy in situation.copies if copy.collection == wanted.collection]
    held = [held.number for held in situation.memory.generations if held.collection == wanted.collection]
    return Copy(
        collection=wanted.collection,
        target=situation.target,
        number=max([*recorded, *held, *(gap.generation for gap in gaps)], default=0) + 1,
        state="building",
        fingerprint=wanted.fingerprint,
        stream=situation.stream,
        scan=scan.id,
        segments=scan.segments,
        consistent=scan.consistent,
        started_at=situation.now,
        settings=wanted.settings,
        keeps_previous=wanted.collection in situation.rebuild,
        place=wanted.place,
    )


def forgettable(copies: Sequence[Copy], now: float) -> list[Copy]:
    """Give the dropped generations whose records nobody needs any more.

    The newest of a collection says which number comes next. A record also stands in the way of whoever chose its number
    as well, and has not said so yet; nobody sleeps for so long with a request unsent.
    """
    newest: dict[str, int] = {}
    for copy in copies:
        newest[copy.collection] = max(copy.number, newest.get(copy.collection, 0))
    old = now - TOMBSTONE_RETENTION_SECONDS
    return [
        copy
        for copy in copies
        if copy.state == "dropped" and copy.number < newest[copy.collection] and copy.started_at < old
    ]


def unneeded(partitions: Iterable[str], shards: Collection[Partition], copies: Iterable[Copy]) -> list[str]:
    """Give the ids of partitions that are neither shards in the stream nor segments of a generation's scan.

    Args:
        partitions: Ids of partitions.
        shards: The shards that the stream lists.
        copies: Every generation that is recorded; the segments of dropped ones are needed no more.
    """
    needed = {shard.id for shard in shards} | segment_ids(copy for copy in copies if copy.state != "dropped")
    return [partition for partition in partitions if partition not in needed]


def finished(copy: Copy, now: float) -> Copy:
    """Give the record of a generation whose first copy is complete."""
    return replace(copy, state="live", finished_at=now)


def dropped(copy: Copy) -> Copy:
    """Give the record of a generation that is no longer fed."""
    return replace(copy, state="dropped")
