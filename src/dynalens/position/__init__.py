"""Positions, epochs, leases and generations: what must survive a crash, behind one protocol.

The store is the fence. Every commit is conditional on the epoch that its holder drew, so that whoever lost a
partition can change nothing about it, however late its request arrives (`docs/correctness.md`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from dynalens.partition import Partition, Position

NEW_STORE_EPOCH = 1 << 20
"""A new store starts this far above zero, over whatever a lost store may have drawn and a target has not recorded."""


def epoch_after(counter: int, remembered: int) -> int:
    """Give the epoch to draw next, from a store's counter and the highest epoch that the target was ever told.

    A target that was told a higher one shows that the store is new, or was taken back. Epochs may have been drawn from
    the lost one since and not been told yet; whoever holds one may write under it at any time, so they are left out.
    """
    return counter + 1 if remembered <= counter else remembered + NEW_STORE_EPOCH + 1


class Draw(NamedTuple):
    """A fencing epoch, and the position read consistently after the draw."""

    epoch: int
    position: Position


class Commit(NamedTuple):
    """A position to be stored for one partition, under the epoch that its holder drew."""

    partition: str
    epoch: int
    position: Position


@dataclass(frozen=True, slots=True)
class PartitionState:
    """What the store holds of one partition and target."""

    partition: Partition
    target: str
    epoch: int
    position: Position


@dataclass(frozen=True, slots=True)
class Copy:
    """A generation of one collection in one target, and how it is being filled.

    Attributes:
        collection: The collection's name.
        target: The target's name.
        number: The generation's number, from 1.
        state: `building` until its first copy is complete, then `live`; `kept` when another one took its place and
            readers may still be switched back to it; `dropped` when it is no longer fed.
        fingerprint: Digest of the settings it was built with; another one asks for a new generation.
        stream: Name of the stream it is fed from; a table whose stream is another one has a gap.
        scan: Id of the scan that fills it.
        segments: How many segments that scan has, fixed for its whole life.
        consistent: Whether that scan reads strongly consistently.
        started_at: Epoch seconds.
        finished_at: Epoch seconds, 0.0 while it is being built.
        settings: The collection's settings that it is built with, as JSON, so that it can be fed on when the file says
            something else.
        barrier: Its scan begins once every live shard has drawn an epoch above this one; 0: not known yet.
        keeps_previous: The generation before it is kept when it takes its place.
        place: Where the target keeps it (`TargetsConfig.places`); empty: a release before this one began it.
    """

    collection: str
    target: str
    number: int
    state: Literal["building", "live", "kept", "dropped"]
    fingerprint: str
    stream: str
    scan: str
    segments: int
    consistent: bool
    started_at: float
    finished_at: float = 0.0
    settings: str = ""
    barrier: int = 0
    keeps_previous: bool = False
    place: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Changes that were lost to a target before they could be read: never skipped quietly.

    `since` and `until` are epoch seconds between which the lost changes were written (0.0: unknown). `generation` is
    the newest that any collection of the table had in the target once the loss was noticed: those above it are whole.
    """

    table: str
    target: str
    partition: str
    since: float
    until: float
    reason: str
    found_at: float
    generation: int = 0


class PositionStore(Protocol):
    """Durable positions and leases. Every method is one atomic step and safe to call from several threads.

    Raises:
        StaleLeaseError: A conditional write lost; the caller must drop what it holds in memory.
    """

    def acquire(self, table: str, partition: Partition, owner: str, *, over: str | None = None) -> None:
        """Take the lease of a partition for `owner`, recording the partition and its parents.

        Args:
            table: The table.
            partition: The partition.
            owner: Who takes it.
            over: Take it only from this owner (empty: only while nobody holds it); None takes it from whoever holds it.
                Whoever holds it already keeps it, so that a request may be sent twice.
        """
        ...

    def draw(self, table: str, partition: str, target: str, *, owner: str, remembered: int) -> Draw:
        """Draw the next epoch (`epoch_after`) for a partition and target, then read its position.

        Only the lease's owner may draw, and only while the partition is not drained for the target, and its parents
        are: none of those that the store holds for this target may lack its end. From then on no parent of it is
        rewound from its end.
        """
        ...

    def next_epoch(self, table: str, *, remembered: int) -> int:
        """Draw an epoch for no partition (`epoch_after`)."""
        ...

    def rewind(self, table: str, partition: str, target: str, position: Position, *, epoch: int) -> None:
        """Lower a stored position to what the target says it has applied; a higher one changes nothing.

        Refused unless `epoch` is the one drawn last for it, and for an end under which a child has drawn.
        """
        ...

    def commit(self, table: str, target: str, commits: Sequence[Commit]) -> None:
        """Store positions, all or none, each only under the epoch drawn last for its partition and target.

        The end of a partition is not taken back: an earlier commit of the same holder, arriving late, is refused. It
        raises the revision, for other workers may hold the children: in the last step, where a store with a limit of
        items per step takes several.
        """
        ...

    def counter(self, table: str) -> int:
        """Give the highest epoch ever drawn from this store for `table` (`NEW_STORE_EPOCH` before the first)."""
        ...

    def partitions(self, table: str) -> list[PartitionState]:
        """List every partition and target with a drawn epoch, drained ones included."""
        ...

    def forget(self, table: str, target: str, partitions: Sequence[str]) -> None:
        """Drop the positions of partitions that no longer exist at the source (or of a finished scan).

        The lease of a partition that no target has a position of goes with them.
        """
        ...

    def copies(self, table: str, target: str) -> list[Copy]:
        """List the generations recorded for a table's collections in a target, dropped ones included."""
        ...

    def save_copy(self, table: str, copy: Copy, *, was: Copy) -> None:
        """Change the record of a generation, identified by collection, target and number. Raises the revision.

        Args:
            table: The table.
            copy: The new record.
            was: What is recorded, as far as the caller knows.

        Raises:
            StaleLeaseError: Something else is recorded: somebody has decided otherwise, or the store has gone back.
        """
        ...

    def forget_copies(self, table: str, copies: Sequence[Copy]) -> None:
        """Drop the records of generations, identified by collection, target and number, as far as there are any."""
        ...

    def record(
        self,
        table: str,
        target: str,
        copies: Sequence[Copy],
        gaps: Sequence[Gap] = (),
        forget: Sequence[PartitionState] = (),
    ) -> None:
        """Record new generations, why they are needed, and forget positions, in one step. Raises the revision.

        Refused as a whole when a generation of that number exists already, or a position to be forgotten has been
        drawn for since: somebody else has decided meanwhile. A store with a limit of items per step may forget what
        passes it in steps that follow; whoever dies between them finds the loss again.
        """
        ...

    def revision(self, table: str) -> int:
        """Give a number that rises with all that a worker is to look at, for a table; 0 at first.

        That is `record`, `save_copy`, the `commit` of an end, `RequestStore.ask` and `DeadLetterStore.request_redrive`.
        It goes back with a store that is taken back.
        """
        ...

    def gaps(self, table: str) -> list[Gap]:
        """List the gaps that no repair has closed."""
        ...

    def close_gaps(self, table: str, target: str, *, below: int) -> None:
        """Forget the gaps of a target whose `generation` is below a number: later generations are complete."""
        ...

    def close(self) -> None:
        """Release the store."""
        ...


@dataclass(frozen=True, slots=True)
class Pulse:
    """Who works with a store, and what changed in it, read in one request.

    Attributes:
        beats: How often each worker has shown that it lives, by its name. What counts is that it changes.
        revisions: `PositionStore.revision` by table.
        lease_changes: By table, a number that rises whenever a lease changes hands or is released.
    """

    beats: Mapping[str, int]
    revisions: Mapping[str, int]
    lease_changes: Mapping[str, int]


class Fleet(Protocol):
    """Workers that share the tables of one store. What it costs grows with workers and tables, not with quiet shards.

    Who is alive is judged by whoever reads, with a clock of its own: nobody's time of day is compared. Leases save
    work; what holds is the fence of `PositionStore`.
    """

    def beat(self, worker: str) -> None:
        """Show that a worker lives."""
        ...

    def leave(self, worker: str) -> None:
        """Take a worker off the list; its leases must be released before."""
        ...

    def pulse(self) -> Pulse:
        """Read who is there and what changed. A moment old at most."""
        ...

    def leases(self, table: str) -> dict[str, str]:
        """Give the owner of each recorded partition of a table by its id; empty where nobody holds it."""
        ...

    def release(self, table: str, partitions: Sequence[str], owner: str) -> None:
        """Give leases back, as far as `owner` still holds them. Raises `Pulse.lease_changes`, as `acquire` does."""
        ...
