"""A model of the protocol: workers that come, go and come back late, over the fakes of a table, a target and a store.

Everything that can be delayed is a step of its own: a session takes a partition, reads, sends, hears, marks and
commits one step at a time; a request lands when the test says so, once or twice, before or after its sender is gone.
`Rules` says which parts of the protocol are kept, so that a test can break one and see what it was for.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from dynalens.change import Change, KeySchema, Typed
from dynalens.config import CollectionConfig
from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.position import Commit, Copy, PartitionState
from dynalens.source import Batch
from dynalens.target import VERSION_BITS, Generation, Memory, Write, version
from dynalens.testing.memory import Contents, ManualClock, MemorySource, MemoryTarget
from tests.contract.memory_store import Held, MemoryPositionStore

TABLE = "Donations"
KEYS = ("a", "b")
COLLECTION = CollectionConfig(table=TABLE)
REDELIVERABLE = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The protocol, rule by rule (docs/correctness.md); each may be broken."""

    draws_on_acquire: bool = True
    """A session writes under an epoch of its own."""
    acquires_atomically: bool = True
    """A shard is drawn for, and rewound, only if its position is what it was before the target was asked for marks."""
    draws_over_remembered: bool = True
    """A draw rises over what the target remembers too."""
    raises_epoch: bool = True
    """The target remembers an epoch before the first write under it."""
    fences_commits: bool = True
    """A position is committed only under the epoch drawn last."""
    commits_after_acknowledgement: bool = True
    """A position moves only after the target confirmed."""
    parents_first: bool = True
    """A child shard is taken only once its parents are drained."""
    lower_of_two: bool = True
    """Of the store's position and the target's mark the lower one counts."""
    lowers_marks: bool = True
    """Before it replays, a session lowers the marks of what it replays, its shard's descendants included."""
    fences_marks: bool = True
    """Whoever lost a partition marks it no more."""
    keeps_tombstones: bool = True
    """A delete is remembered for as long as an older write may be under way."""
    scans_at_version_zero: bool = True
    """A scanned row loses to every change."""
    draws_before_scanning: bool = True
    """Every live shard draws an epoch under the list with the new generation before its scan begins."""


@dataclass(slots=True, eq=False)
class Request:
    """A batch under way to the target: who waits for its answer, and which rows of a scan it completes."""

    writes: list[Write]
    session: Session | None = None
    scanned: set[tuple[Generation, str]] = field(default_factory=set)


@dataclass(slots=True, eq=False)
class Session:
    """One worker on one partition, from before it takes the lease until it is dropped.

    `step` says what it does next: take, read, send, hear, mark, commit.
    """

    owner: str
    partition: Partition
    memory: Memory
    position_before: Position
    step: str = "take"
    epoch: int = 0
    ordinal: int = 0
    position: Position = START
    generations: tuple[Generation, ...] = ()
    writes: list[Write] = field(default_factory=list)

    def take_page(self, batch: Batch) -> None:
        """Count what was read, and make its writes."""
        for change in batch.changes:
            at = version(self.epoch, self.ordinal)
            self.writes += [Write(generation, change.id, at, change.new, change) for generation in self.generations]
            self.ordinal += 1
        self.position = batch.position


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The target at one moment: what it held, the epoch it had been told, the rows of scans it had confirmed."""

    contents: Contents
    told: int
    scanned: frozenset[tuple[Generation, str]]


class StaleHolderRefusedError(AssertionError):
    """A valid holder was refused by a higher epoch, which must never happen."""


class World:
    """A table, its stream, a store, a target, and everything under way between them."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.clock = ManualClock()
        self.source = MemorySource(TABLE, KeySchema(("id",)), page_size=2, clock=self.clock)
        self.source.preload(item("a", 0))
        self.shards = [self.source.add_shard("s0")]
        self.open_shards: dict[str, tuple[str, ...]] = {"s0": KEYS}
        # The model's own rule holds children back, and replays them after a parent that went back.
        self.store = MemoryPositionStore(parents_first=False)
        self.target = MemoryTarget(clock=self.clock)
        self.sessions: list[Session] = []
        self.in_flight: list[Request] = []
        self.delivered: deque[Request] = deque(maxlen=REDELIVERABLE)
        self.snapshots: list[Snapshot] = []
        self.backups: list[Held] = []
        self.generations: list[Generation] = []
        self.drawn_under: dict[str, int] = {}
        self.marked_by: dict[str, int] = {}
        self.told = 0
        """The highest epoch that the target was told, as far as it has not gone back since."""
        self.highest_drawn = 0
        self.scanned: set[tuple[Generation, str]] = set()
        self.written = 0
        self.begin_generation()

    # The table.

    def put(self, key: str) -> None:
        """Write a state that no item had before."""
        self.written += 1
        self.source.put(self._shard_of(key), item(key, self.written))

    def delete(self, key: str) -> None:
        """Delete an item, if it exists."""
        self.source.delete(self._shard_of(key), item(key, 0))

    def roll_over(self, shard: str, children: int) -> None:
        """Close a shard; one child takes all its keys, or two share them."""
        keys = self.open_shards.pop(shard)
        self.source.end(shard)
        for number in range(children):
            name = f"s{len(self.shards)}"
            self.shards.append(self.source.add_shard(name, parents=[shard]))
            self.open_shards[name] = keys[number::children]

    def _shard_of(self, key: str) -> str:
        return next(shard for shard, keys in self.open_shards.items() if key in keys)

    # Sessions.

    def approachable(self) -> list[Partition]:
        """Give the shards that a worker may go for now."""
        memory = self.target.recall(TABLE)
        drained = {shard.id for shard in self.shards if self._applied(shard, memory).ended}
        return [
            shard
            for shard in self.shards
            if shard.id not in drained and (drained.issuperset(shard.parents) or not self.rules.parents_first)
        ]

    def approach(self, partition: Partition, owner: str) -> Session:
        """Let a worker go for a shard: it asks the target what it remembers."""
        session = Session(owner, partition, self.target.recall(TABLE), self._stored(partition))
        self.sessions.append(session)
        return session

    def advance(self, session: Session) -> None:
        """Let a session do its next step; one that lost its partition is dropped with all that it holds."""
        try:
            getattr(self, f"_{session.step}")(session)
        except StaleLeaseError:
            self.sessions.remove(session)

    def _take(self, session: Session) -> None:
        shard, rules = session.partition, self.rules
        mark = session.memory.marks.get(shard.id, START) if rules.lower_of_two else self._stored(shard)
        if rules.acquires_atomically and self._stored(shard) != session.position_before:
            raise StaleLeaseError(f"{shard.id} has moved since the target was asked about it.")
        self.store.acquire(TABLE, shard, session.owner)
        for state in self._states(shard):
            position = min(mark, session.position_before)
            self.store.rewind(TABLE, shard.id, self.target.name, position, epoch=state.epoch)
        session.epoch, drawn_position = self._draw(session)
        session.position = min(mark, drawn_position)
        if rules.raises_epoch:
            self.target.raise_epoch(TABLE, session.epoch)
        self.told = max(self.told, session.epoch)
        if rules.lowers_marks:
            descendants = dict.fromkeys(self._descendants(shard), START)
            self.target.mark(TABLE, {**descendants, shard.id: session.position})
        self.marked_by[shard.id] = session.epoch
        session.generations = tuple(self.generations)
        self.drawn_under[shard.id] = len(self.generations)
        session.step = "read"

    def _draw(self, session: Session) -> tuple[int, Position]:
        held = self._states(session.partition)
        if held and not self.rules.draws_on_acquire:
            return held[0].epoch, held[0].position
        remembered = session.memory.epoch if self.rules.draws_over_remembered else 0
        shard, target = session.partition.id, self.target.name
        draw = self.store.draw(TABLE, shard, target, owner=session.owner, remembered=remembered)
        self.highest_drawn = max(self.highest_drawn, draw.epoch)
        return draw

    def _read(self, session: Session) -> None:
        batch = self.source.open(session.partition, session.position).read()
        if batch.position != session.position:
            session.take_page(batch)
            session.step = "send"

    def _send(self, session: Session) -> None:
        self.in_flight.append(Request(session.writes, session))
        session.writes = []
        session.step = "hear" if self.rules.commits_after_acknowledgement else "mark"

    def _hear(self, session: Session) -> None:
        """Nothing to do before the answer: `deliver` moves the session on."""

    def _mark(self, session: Session) -> None:
        shard = session.partition.id
        if session.epoch >= self.marked_by[shard] or not self.rules.fences_marks:
            self.target.mark(TABLE, {shard: session.position})
        session.step = "commit"

    def _commit(self, session: Session) -> None:
        epoch = session.epoch
        if not self.rules.fences_commits:
            epoch = next(state.epoch for state in self.store.partitions(TABLE) if state.partition == session.partition)
        self.store.commit(TABLE, self.target.name, [Commit(session.partition.id, epoch, session.position)])
        session.step = "read"
        if session.position.ended:
            self.sessions.remove(session)

    def _stored(self, shard: Partition) -> Position:
        held = self._states(shard)
        return held[0].position if held else START

    def _states(self, shard: Partition) -> list[PartitionState]:
        return [state for state in self.store.partitions(TABLE) if state.partition == shard]

    def _applied(self, shard: Partition, memory: Memory) -> Position:
        """How far a shard is known to be applied: the lower of what the store and the target say."""
        stored = self._stored(shard)
        return min(stored, memory.marks.get(shard.id, START)) if self.rules.lower_of_two else stored

    def _descendants(self, shard: Partition) -> set[str]:
        found = {shard.id}
        for other in self.shards:
            if found.intersection(other.parents):
                found.add(other.id)
        return found - {shard.id}

    # The network.

    def deliver(self, request: Request) -> None:
        """Let a request land; its sender, if it still waits for it, hears that it is confirmed."""
        if request in self.in_flight:
            self.in_flight.remove(request)
            self.delivered.append(request)
            self.scanned |= request.scanned
        if request.session in self.sessions:
            self._assert_not_refused(request)
        self.target.apply(request.writes)
        if request.session in self.sessions and request.session.step == "hear":
            request.session.step = "mark"
            request.session = None
        if not self.rules.keeps_tombstones:
            self.clock.advance(1)
            self.target.sweep(self.clock())

    def _assert_not_refused(self, request: Request) -> None:
        """Hold what DESIGN asserts at run time: the shard's holder finds nothing of a higher epoch in its way."""
        for write in request.writes:
            held = self.target.rows(write.generation).get(write.id)
            drawn = {state.epoch for state in self.store.partitions(TABLE)}
            epoch = write.version >> VERSION_BITS
            if held and epoch in drawn and held.version >> VERSION_BITS > epoch:
                raise StaleHolderRefusedError(f"{write.id}: holder {epoch}, held {held.version >> VERSION_BITS}")

    # Generations and their scans.

    def begin_generation(self) -> None:
        """Record a generation and make room for it; snapshots without it are forgotten."""
        generation = Generation("donations", len(self.generations) + 1)
        copy = Copy("donations", self.target.name, generation.number, "building", "", "", "", 1, True, 0.0)  # noqa: FBT003
        self.store.record(TABLE, self.target.name, [copy])
        self.target.create(generation, COLLECTION)
        self.generations.append(generation)
        self.snapshots.clear()
        self.backups.clear()

    def may_scan(self) -> bool:
        """Say whether the newest generation's scan may begin."""
        known = [self.drawn_under[shard.id] for shard in self.shards if self._is_live(shard)]
        return all(count == len(self.generations) for count in known) or not self.rules.draws_before_scanning

    def _is_live(self, shard: Partition) -> bool:
        return shard.id in self.drawn_under and not self._stored(shard).ended

    def scan(self, key: str) -> Request:
        """Read one row, strongly consistently, and send it to every generation that has not confirmed it yet."""
        at = 0 if self.rules.scans_at_version_zero else version(self.store.counter(TABLE), 0)
        rows = [row for row in self._rows() if row.id == key]
        lacking = [generation for generation in self.generations if (generation, key) not in self.scanned]
        writes = [Write(generation, row.id, at, row.new, row) for generation in lacking for row in rows]
        self.in_flight.append(Request(writes, None, {(generation, key) for generation in lacking}))
        return self.in_flight[-1]

    def complete_scan(self) -> None:
        """Scan every row and confirm it."""
        for key in KEYS:
            self.deliver(self.scan(key))

    def _rows(self) -> list[Change]:
        scan = self.source.scan("all")
        [segment] = scan.discover()
        rows: list[Change] = []
        position = START
        while not position.ended:
            batch = scan.open(segment, position).read()
            rows += batch.changes
            position = batch.position
        return rows

    # What goes wrong.

    def snapshot(self) -> None:
        """Keep what the target holds now."""
        self.snapshots.append(Snapshot(self.target.snapshot(), self.told, frozenset(self.scanned)))

    def go_back(self, snapshot: Snapshot) -> None:
        """Take the target back; every session notices, because its connection broke."""
        self.target.go_back(snapshot.contents)
        self.told = snapshot.told
        self.scanned = set(snapshot.scanned)
        self.sessions.clear()

    def may_go_back(self, snapshot: Snapshot) -> bool:
        """Say whether the target may go back: not if the store forgot what was drawn since, too."""
        return max(self.store.counter(TABLE), snapshot.told) >= self.highest_drawn

    def back_up(self) -> None:
        """Keep what the store holds now."""
        self.backups.append(self.store.backup())

    def may_restore(self, backup: Held) -> bool:
        """Say whether the store may go back: not if the target forgot what was drawn since, too."""
        return max(backup.counters.get(TABLE, 0), self.told) >= self.highest_drawn

    def restore(self, backup: Held) -> None:
        """Take the store back, with all workers stopped; what they sent may still land."""
        self.store.restore(backup)
        self.sessions.clear()

    def holds_tombstones(self) -> bool:
        """Say whether there is anything to sweep."""
        return any(row.document is None for of in self.generations for row in self.target.rows(of).values())

    def let_a_week_pass(self) -> None:
        """Let everything under way end one way or the other, then sweep: nothing sleeps longer than the retention."""
        self.sessions.clear()
        self.in_flight.clear()
        self.delivered.clear()
        self.clock.advance(1)
        self.target.sweep(self.clock())

    # The end.

    def settle(self) -> None:
        """Let one last worker finish everything undisturbed; what is under way stays under way."""
        self.sessions.clear()
        late, self.in_flight = self.in_flight, []
        while shards := self._unsettled():
            for shard in shards:
                session = self.approach(shard, "last")
                self.advance(session)
                while session in self.sessions and not self._at_tip(session):
                    self.advance(session)
                    self._deliver_all()
        self.complete_scan()
        self.in_flight = late

    def _unsettled(self) -> list[Partition]:
        return [
            shard
            for shard in self.approachable()
            if shard.id not in self.open_shards or not any(s.partition == shard for s in self.sessions)
        ]

    def _at_tip(self, session: Session) -> bool:
        if session.step != "read":
            return False
        return self.source.open(session.partition, session.position).read().position == session.position

    def _deliver_all(self) -> None:
        while self.in_flight:
            self.deliver(self.in_flight[0])

    def assert_ends_well(self) -> None:
        """Let the faults stop, and after that whatever is still under way land: neither leaves a difference."""
        self.settle()
        self.assert_equal()
        for request in [*self.in_flight, *self.delivered]:
            self.deliver(request)
            self.assert_equal()

    def assert_equal(self) -> None:
        """Every generation holds exactly what the table holds: the last change of each item by position."""
        for generation in self.generations:
            rows = self.target.rows(generation)
            held = {id_: row.document.json for id_, row in rows.items() if row.document is not None}
            assert held == self.source.documents(), f"{generation} differs from the table"


def item(key: str, n: int) -> dict[str, Typed]:
    """Make an item whose state `n` tells."""
    return {"id": {"S": key}, "n": {"N": str(n)}}
