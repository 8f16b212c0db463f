"""The rules of the protocol as the model keeps them, and what is on its way in it: workers, sessions, requests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dynalens.backfill import Loss
from dynalens.partition import START, Partition, Position
from dynalens.position import Copy, Gap, PartitionState
from dynalens.target import NO_MARK, Mark, Memory, Write
from dynalens.testing.memory import Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The protocol, rule by rule (docs/correctness.md); each may be broken."""

    draws_on_acquire: bool = True
    """A session writes under an epoch of its own."""
    draws_over_remembered: bool = True
    """A draw rises over what the target remembers too."""
    raises_epoch: bool = True
    """The target remembers an epoch before the first write under it."""
    parents_first: bool = True
    """A child shard is drawn for only once its parents are drained."""
    keeps_tombstones: bool = True
    """A delete is remembered for as long as an older write may be under way."""
    commits_after_acknowledgement: bool = True
    """A position moves only after the target confirmed."""
    fences_commits: bool = True
    """A position is committed only under the epoch drawn last."""
    refuses_the_drained: bool = True
    """Nobody draws for a drained partition."""
    replays_from_lower_marks: bool = True
    """Where the target's mark is below the store's position it counts: the target has forgotten what lies between."""
    reads_on_from_higher_marks: bool = True
    """Where the mark is above the position it counts: the store missed the commit, or was taken back."""
    asks_after_drawing: bool = True
    """The target is asked for its marks once more after the draw."""
    marks_the_beginning: bool = True
    """A session marks where it begins, before its first write."""
    begins_in_one_step: bool = True
    """A session asks for the mark and takes it over in one step, unless one of a higher epoch has."""
    fences_marks: bool = True
    """The target ignores marks of a lower epoch."""
    scans_at_version_zero: bool = True
    """A scanned row loses to every change."""
    scans_consistently: bool = True
    """A scan reads strongly consistently, unless capture begins at TRIM_HORIZON."""
    draws_before_scanning: bool = True
    """Every live shard draws an epoch above the barrier of a new generation before its scan begins."""
    waits_for_unlisted_shards: bool = True
    """A shard that another worker found, and this one does not list yet, is waited for too."""
    feeds_kept_generations: bool = True
    """A generation that is kept gets every change."""
    switches_when_caught_up: bool = True
    """A new generation is served once every shard is applied up to its tip."""
    drops_what_the_target_dropped: bool = True
    """A generation that only the store still holds is fed, served and kept no more."""
    records_gaps: bool = True
    """What was lost is recorded before anything goes on."""
    closes_gaps_by_number: bool = True
    """A gap is closed by a generation that is numbered above it, and by nothing else."""
    judges_scans: bool = True
    """Rows of a complete scan that the target has lost are a gap: nobody reads them again."""
    passes_over_what_was_lost: bool = True
    """Positions that the target lost are passed over: old states are not replayed."""
    leaves_old_streams: bool = True
    """A worker feeds generations from no other stream than is recorded; whoever leads records a newer one."""
    reminds_the_store: bool = True
    """Generations that the store has forgotten are recorded again by a worker that feeds them."""


@dataclass(slots=True, eq=False)
class Worker:
    """What one process knows: the stream that it captures, the shards it listed last, the generations it fed last."""

    name: str
    stream: str = ""
    listed: tuple[Partition, ...] = ()
    known: tuple[Copy, ...] = ()


@dataclass(slots=True, eq=False)
class Request:
    """A batch, or a mark, under way to the target, and who waits for its answer."""

    writes: list[Write] = field(default_factory=list)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    session: Session | None = None


@dataclass(slots=True, eq=False)
class Session:
    """One worker on one partition, from before it asks the store until it is dropped.

    `step` says what it does next: look, recall, judge, pass_over, draw, tell, recall_again, begin, enlist, read, send,
    mark, commit; `hear` while it waits for an answer, to go on with `then`.
    """

    worker: Worker
    partition: Partition
    step: str = "look"
    then: str = ""
    lost: tuple[Gap, ...] = ()
    stored: Mapping[str, PartitionState] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    loss: Loss = field(default_factory=Loss)
    epoch: int = 0
    ordinal: int = 0
    drawn: Position = START
    position: Position = START
    copies: tuple[Copy, ...] = ()
    writes: list[Write] = field(default_factory=list)

    @property
    def known(self) -> PartitionState | None:
        """What the store held of the partition before the draw."""
        return self.stored.get(self.partition.id)

    @property
    def mark(self) -> Mark:
        """What the target held of it when it was asked last."""
        return self.memory.marks.get(self.partition.id, NO_MARK)


@dataclass(slots=True, eq=False)
class Decision:
    """One worker that believes to lead, step by step: look, recall, record, pass_over, barrier, open."""

    worker: Worker
    step: str = "look"
    stored: Mapping[str, PartitionState] = field(default_factory=dict)
    memory: Memory = field(default_factory=Memory)
    loss: Loss = field(default_factory=Loss)


@dataclass(frozen=True, slots=True)
class Seen:
    """The newest state of an item that readers were shown, and whether a change told of it, or a row of a scan."""

    state: int
    by_change: bool


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The target at one moment: what it held, the epoch it had been told, what readers had seen."""

    contents: Contents
    told: int
    seen: Mapping[str, Seen]
    confirmed: Mapping[str, int]


class StaleHolderRefusedError(AssertionError):
    """A valid holder was refused by a higher epoch, which must never happen."""


class WentBackError(AssertionError):
    """Readers were shown a state that is older than one that they had seen, and it was no unconfirmed batch."""
