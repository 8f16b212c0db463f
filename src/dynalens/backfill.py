"""Backfill: deciding which generations a target needs, and when a first copy is complete. Pure: no reads, no writes.

A generation is recorded before anything is written to it; then every live shard draws an epoch under that record;
only then is the first page of its scan read (DESIGN, "Backfill, generations, repair").
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from dynalens.partition import START
from dynalens.position import Copy, Gap, PartitionState
from dynalens.target import Generation, Memory

STREAM_RETENTION_SECONDS = 24 * 3600.0
"""How long a stream keeps its records ("Change data capture for DynamoDB Streams")."""


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
class Plan:
    """What a target needs before its table can be applied to it.

    Attributes:
        current: The newest generation of each configured collection: those that are fed.
        new: The part of `current` that has to be recorded first.
        restart: Forget all positions of the target: it lost what they stand for.
        retired: Generations of collections that the file no longer names: what is read from now on passes them by, so
            that they cannot be fed on when it names them again.
        gaps: Why, when it is a loss and not a first start.
    """

    current: tuple[Copy, ...]
    new: tuple[Copy, ...]
    retired: tuple[Copy, ...]
    restart: bool
    gaps: tuple[Gap, ...]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A configured collection, with the digest of the settings that its generations are built from."""

    collection: str
    fingerprint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """All that decides what a target needs.

    Attributes:
        table: The table's name.
        stream: Name of the stream that is captured now.
        target: The target's name.
        wanted: The collections of the table that the target keeps.
        copies: Every generation ever recorded in the position store.
        memory: What the target itself remembers.
        stored: The positions in the store, by partition id.
        lost: Gaps found while reading.
        read_at: When the stream was last read for the target, epoch seconds; 0.0 when nobody knows.
        now: Epoch seconds.
    """

    table: str
    stream: str
    target: str
    wanted: Sequence[Wanted]
    copies: Sequence[Copy]
    memory: Memory
    stored: Mapping[str, PartitionState]
    lost: Sequence[Gap]
    read_at: float
    now: float

    def gap(self, partition: str, reason: str) -> Gap:
        """Make the record of a gap found now, of which nobody knows when it began."""
        return Gap(
            table=self.table,
            target=self.target,
            partition=partition,
            since=0.0,
            until=self.now,
            reason=reason,
            found_at=self.now,
        )


def plan(situation: Situation, new_scan: Callable[[bool], Scan]) -> Plan:
    """Decide which generations to keep, and which to begin.

    Args:
        situation: What the target and the store hold, and what is wanted.
        new_scan: Gives a scan for new generations; its argument says whether it must read strongly consistently.
    """
    gaps = (*situation.lost, *_forgotten(situation), *_other_stream(situation), *_absence(situation))
    restart = bool(gaps)
    # Capture from TRIM_HORIZON sees every write that an eventually consistent scan may miss; capture that is already
    # past it does not, so a collection added later is scanned strongly consistently.
    captured_from_start = restart or all(state.position == START for state in situation.stored.values())
    scan: Scan | None = None
    current: list[Copy] = []
    new: list[Copy] = []
    for collection in situation.wanted:
        kept = None if restart else _kept(collection, situation)
        if kept is None:
            scan = scan or new_scan(not captured_from_start)
            kept = _begin(collection, situation, scan)
            new.append(kept)
        current.append(kept)
    return Plan(tuple(current), tuple(new), _retired(situation), restart, gaps)


def _forgotten(situation: Situation) -> list[Gap]:
    """Find partitions whose position the store knows and the target does not: writes were confirmed and are gone."""
    return [
        situation.gap(partition, "the target no longer holds what it confirmed")
        for partition, state in situation.stored.items()
        if state.position > START and _missing(partition, situation)
    ]


def _missing(partition: str, situation: Situation) -> bool:
    mark = situation.memory.marks.get(partition, START)
    if mark == START:
        # Going back to the start is no replay: what the stream has trimmed since would be skipped without a word.
        return True
    # A drained parent that the target took back cannot be replayed under its children, whose epochs are older.
    rewound = situation.stored[partition].position.ended and not mark.ended
    return rewound and any(partition in state.partition.parents for state in situation.stored.values())


def _other_stream(situation: Situation) -> list[Gap]:
    """Find out whether the stream was turned off and on, or the table created anew: what lies between was not said."""
    others = {copy.stream for copy in _newest(situation)} - {situation.stream}
    reason = "the table's stream is another one than before: it was turned off and on, or the table created anew"
    return [situation.gap(other, reason) for other in sorted(others)]


def _absence(situation: Situation) -> list[Gap]:
    """Find out whether nobody read for longer than the stream keeps records.

    A position shows that by itself, as its reader meets trimmed records; a shard of which nothing was read yet, or one
    that came and went meanwhile, does not.
    """
    # Capture began with the generations: a worker that was killed before it reported has lost nothing.
    begun = min((copy.started_at for copy in _newest(situation)), default=0.0)
    read_at = max(situation.read_at, begun)
    if not situation.stored or situation.now - read_at <= STREAM_RETENTION_SECONDS:
        return []
    return [
        Gap(
            table=situation.table,
            target=situation.target,
            partition=situation.stream,
            since=read_at,
            until=situation.now - STREAM_RETENTION_SECONDS,
            reason="the stream was not read for longer than it keeps its records, 24 hours",
            found_at=situation.now,
        )
    ]


def _newest(situation: Situation) -> list[Copy]:
    """Give the newest generation of each collection: an older one is no longer fed, whatever it came from."""
    kept = [copy for copy in situation.copies if copy.state != "dropped"]
    return list({copy.collection: copy for copy in sorted(kept, key=lambda copy: copy.number)}.values())


def _kept(wanted: Wanted, situation: Situation) -> Copy | None:
    """Give the newest generation if it can be fed on: same settings, and still there."""
    newest = next((copy for copy in _newest(situation) if copy.collection == wanted.collection), None)
    if newest is None or newest.fingerprint != wanted.fingerprint:
        return None
    held = Generation(newest.collection, newest.number) in situation.memory.generations
    return newest if held or newest.state == "building" else None


def _retired(situation: Situation) -> tuple[Copy, ...]:
    wanted = {wanted.collection for wanted in situation.wanted}
    return tuple(copy for copy in situation.copies if copy.state != "dropped" and copy.collection not in wanted)


def _begin(wanted: Wanted, situation: Situation, scan: Scan) -> Copy:
    recorded = [copy.number for copy in situation.copies if copy.collection == wanted.collection]
    held = [held.number for held in situation.memory.generations if held.collection == wanted.collection]
    return Copy(
        collection=wanted.collection,
        target=situation.target,
        number=max([*recorded, *held], default=0) + 1,
        state="building",
        fingerprint=wanted.fingerprint,
        stream=situation.stream,
        scan=scan.id,
        segments=scan.segments,
        consistent=scan.consistent,
        started_at=situation.now,
    )


def finished(copy: Copy, now: float) -> Copy:
    """Give the record of a generation whose first copy is complete."""
    return replace(copy, state="live", finished_at=now)


def dropped(copy: Copy) -> Copy:
    """Give the record of a generation that another one has replaced, or that is no longer fed."""
    return replace(copy, state="dropped")
