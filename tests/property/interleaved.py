"""Workers of the real code over one table, one target and one store, interleaved as a schedule says.

What may go wrong keeps to the assumptions of `docs/correctness.md`; each method that refuses to do something says which
one it would break.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import cast
from unittest.mock import patch

from dynalens.dead_letter import DeadLetterStore
from dynalens.errors import DynalensError, TargetError
from dynalens.partition import START
from dynalens.pipeline import attachment, duties, lane, progress, table
from dynalens.pipeline.verifier import Repair
from dynalens.position import Copy, PartitionState
from dynalens.position.sqlite import SqliteStore
from dynalens.target import NO_MARK, Generation
from dynalens.testing.memory import Contents, MemorySource
from dynalens.verification import Difference
from tests.contract.memory_store import Held, MemoryPositionStore
from tests.property.baton import REST, Cut, Gated, Runner
from tests.stepped import TABLE, CountingTarget, HandedOut, Shared, Stepped

KEYS = ("a", "b", "c")
ROOTS = ("s1", "s2")
SLOTS = 3
"""What leases are handed out by: shards of odd and of even number, and segments of scans."""
MOST_SHARDS = 12
LETTERS = SqliteStore(":memory:")
"""No change of these runs is ever refused: whatever is asked of it is answered with nothing."""
ROUNDS, SURE = 60, 8
"""How often the last worker goes round at most, and how often in a row nothing may be amiss until that is sure."""


@dataclass(eq=False)
class Slots(HandedOut):
    """Leases by slot: nobody knows the names of segments beforehand."""

    slots: Collection[int] = range(SLOTS)

    def holds(self, partition: str) -> bool:
        slot = SLOTS - 1 if partition.startswith("scan-") else int(partition.removeprefix("s")) % 2
        return slot in self.slots


@dataclass
class View(Shared):
    """What workers share, as one of them sees it."""

    def letters(self, owner: str) -> DeadLetterStore:  # noqa: ARG002 - nobody writes any
        return LETTERS


class Worker:
    """One process: it attaches, works, and attaches again after each failure, for as long as it is let run."""

    def __init__(self, name: str, world: World, *, pages: int, slots: Collection[int], leads: bool) -> None:
        self._pages = pages
        self.runner = Runner(name, self._live)
        self.target, self.store = Gated(world.target, self.runner), Gated(world.store, self.runner)
        view = View(Path(), world.source, cast("CountingTarget", self.target), cast("MemoryPositionStore", self.store))
        self.leases = Slots(name, view.store, leading=leads, slots=slots)
        self.stepped = Stepped(view, self.leases)
        world.discover(self)
        self.runner.run(-1)

    @property
    def epochs(self) -> Mapping[int, str]:
        """The partition that each epoch was drawn for, since it attached last."""
        return self.stepped.attachment.reading.epochs

    def _live(self, runner: Runner) -> None:
        while True:
            try:
                runner.reach(REST)
                self.stepped.attach()
                while True:
                    runner.reach(REST)
                    for _ in range(1, self._pages):
                        self.stepped.read()
                    self.stepped.work()
                    self.stepped.tend()
            except DynalensError:
                continue


@dataclass
class Clock:
    """What measures how long something takes, as far as lanes ask."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def go_on(self) -> None:
        """Let everything become due that lanes look for every few seconds."""
        self.now += max(attachment.LOOK_SECONDS, lane.LOOK_SECONDS) + 1


@dataclass
class World:
    """A table and its stream, a target, a store, and workers."""

    source: MemorySource = field(default_factory=MemorySource)
    target: CountingTarget = field(default_factory=CountingTarget)
    store: MemoryPositionStore = field(default_factory=MemoryPositionStore)
    clock: Clock = field(default_factory=Clock)
    pages: tuple[int, ...] = (1, 1, 1)
    """How many pages each worker reads of a shard before it applies them."""
    workers: dict[int, Worker] = field(default_factory=dict)
    snapshots: list[Contents] = field(default_factory=list)
    backups: list[Held] = field(default_factory=lambda: [Held()])
    shard_of: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)
    parents: dict[str, tuple[str, ...]] = field(default_factory=dict)
    trimmed: set[str] = field(default_factory=set)
    written: Iterator[int] = field(default_factory=lambda: count(1))
    _highest: int = 0

    def __post_init__(self) -> None:
        self.source.preload({"id": {"S": "old"}})
        for root in ROOTS:
            self._open(root)
        self.shard_of = {key: ROOTS[number % 2] for number, key in enumerate(KEYS)}

    # The table and its stream.

    def put(self, key: str) -> None:
        self.source.put(self.shard_of[key], {"id": {"S": key}, "n": {"N": str(next(self.written))}})

    def delete(self, key: str) -> None:
        self.source.delete(self.shard_of[key], {"id": {"S": key}})

    def roll_over(self, key: str, *, children: int = 1, late: bool = False) -> None:
        """End the shard of a key: its keys go on in children; of a late one, the list shows the children first."""
        if len(self.parents) >= MOST_SHARDS:
            return
        ended = self.shard_of[key]
        keys = [one for one, shard in self.shard_of.items() if shard == ended]
        opened = [self._open(self._next_shard(), ended) for _ in range(children)]
        self.source.end(ended)
        self.shard_of.update((one, opened[number % children]) for number, one in enumerate(keys))
        if late:
            self.hidden.add(self.shard_of[key])
            self.put(key)
            self.roll_over(key)

    def merge(self) -> None:
        """End all open shards: one child goes on with the keys of all."""
        ended = sorted(set(self.shard_of.values()))
        child = self._open(self._next_shard(), *ended)
        for shard in ended:
            self.source.end(shard)
        self.shard_of = dict.fromkeys(self.shard_of, child)

    def _next_shard(self) -> str:
        return f"s{len(self.parents) + 1}"

    def _open(self, shard: str, *parents: str) -> str:
        self.source.add_shard(shard, parents=parents)
        self.parents[shard] = parents
        return shard

    def trim(self, key: str) -> None:
        """Let a day pass for a shard, and for those that it came from before (assumption 7).

        Only where a position shows it: nobody is ever away for a day here.
        """
        lost = [*self._lineage(self.shard_of[key]), self.shard_of[key]]
        states = self._states()
        marks = self.target.recall(TABLE).marks
        if all(
            marks.get(id_, NO_MARK).position > START and id_ in states and states[id_].position > START for id_ in lost
        ):
            for shard in lost:
                self.source.trim(shard)
            self.trimmed.update(lost)

    def _lineage(self, shard: str) -> list[str]:
        return [older for parent in self.parents[shard] for older in (*self._lineage(parent), parent)]

    # Workers.

    def start(self, number: int, *, slots: Collection[int] = range(SLOTS), leads: bool = True) -> None:
        """Start a process, in place of the one before, which is killed where it stands."""
        if number in self.workers:
            self.workers[number].runner.kill()
        self.workers[number] = Worker(f"w{number}", self, pages=self.pages[number], slots=slots, leads=leads)

    def discover(self, worker: Worker) -> None:
        """Let a worker list the shards: some may not be listed yet."""
        shards = [shard for shard in self.source.discover() if shard.id not in self.hidden]
        with worker.stepped.pipeline._feed.lock:
            worker.stepped.pipeline._shards = shards

    def repair(self, number: int, key: str) -> None:
        """Let a worker hear that a document differs: a verification may be mistaken about that."""
        lane_ = self.workers[number].stepped.lane
        live = [one for one in lane_._attachment.generations.fed.values() if one.copy.state == "live"]
        if live:
            difference = Difference("stale", key, {"id": {"S": key}})
            lane_._duties._verifier.repairs.append(Repair(live[0], [difference]))

    def kill_all(self) -> None:
        for worker in self.workers.values():
            worker.runner.kill()
        self.workers.clear()

    # What is forgotten.

    def go_back(self, contents: Contents, *, landed: bool) -> None:
        """Take the target back. Every worker notices before anything more is confirmed (assumption 4).

        A batch that is under way may have `landed`. Not if the store has forgotten what was drawn since (assumption 3).
        """
        self._note_draws()
        after = contents.marks.get(TABLE, {})
        shown = {id_ for id_, mark in after.items() if mark.position > START} | self._read_from()
        if max(self.store.counter(TABLE), contents.epochs.get(TABLE, 0)) < self._highest or not shown >= self.trimmed:
            return
        self.target.go_back(contents)
        for worker in self.workers.values():
            error = TargetError("The connection was broken.")
            worker.target.broken = Cut(error, landed=landed and worker.runner.at == "apply")

    def restore(self, backup: Held) -> None:
        """Take the store back. Not if the target has forgotten what was drawn since (assumption 3).

        Nobody sleeps through it who had lost a partition before (the same).
        """
        self._note_draws()
        memory = self.target.recall(TABLE)
        if max(backup.counters.get(TABLE, 0), memory.epoch) < self._highest:
            return
        held = {state.epoch for state in self._states().values()}
        for number, worker in list(self.workers.items()):
            if not held.issuperset(worker.epochs):
                self.start(number, slots=worker.leases.slots, leads=worker.leases.leading)
        self.store.restore(backup)

    def _note_draws(self) -> None:
        self._highest = max(self._highest, self.store.counter(TABLE))

    def _states(self) -> dict[str, PartitionState]:
        return {state.partition.id: state for state in self.store.partitions(TABLE)}

    def _read_from(self) -> set[str]:
        return {id_ for id_, state in self._states().items() if state.position > START}

    # The end.

    def settle(self) -> None:
        """Let a process that is alone end all that was begun; then the target holds what the table does.

        The call that each of the others stands before lands when that is done: it was under way all the time.
        """
        self.hidden.clear()
        self.source.page_size = 100
        late, last = dict(self.workers), Worker("last", self, pages=1, slots=range(SLOTS), leads=True)
        self.workers[len(late)] = last
        self._await_end(last)
        for worker in late.values():
            worker.runner.run(1)
            worker.runner.kill()
        # Whoever reads a shard no more does not show it before that shard is written to.
        for key in KEYS:
            self.put(key)
        self._await_end(last)

    def _await_end(self, last: Worker) -> None:
        well = 0
        for _ in range(ROUNDS):
            self._go_round(last)
            well = 0 if self._amiss() else well + 1
            if well == SURE:
                return
        raise AssertionError(f"not settled: {self._amiss()}")

    def _go_round(self, worker: Worker) -> None:
        self.discover(worker)
        self.clock.go_on()
        worker.runner.run(-1)

    def copies(self) -> list[Copy]:
        """Give the generations that are fed."""
        return [copy for copy in self.store.copies(TABLE, self.target.name) if copy.state != "dropped"]

    def _amiss(self) -> str:
        """Say what is not yet as it is to be in the end."""
        states, gaps = [copy.state for copy in self.copies()], self.store.gaps(TABLE)
        if states.count("live") != 1 or "building" in states or gaps:
            return f"never settles: {self.copies()}, {gaps}"
        items = self.source.documents()
        if self.target.documents("donations") != items:
            return f"readers see {self.target.documents('donations')}, the table holds {items}"
        held = {copy.number: self._held(Generation(copy.collection, copy.number)) for copy in self.copies()}
        return "".join(f"generation {number} holds {rows}" for number, rows in held.items() if rows != items)

    def _held(self, generation: Generation) -> dict[str, bytes]:
        rows = self.target.rows(generation).items()
        return {id_: row.document.json for id_, row in rows if row.document is not None}


@contextmanager
def world(page_size: int, pages: tuple[int, ...]) -> Iterator[World]:
    """Make a world in which nothing depends on how long a step takes; leaving ends every worker."""
    made = World(MemorySource(page_size=page_size), pages=pages)
    names = count(1)
    with ExitStack() as patches:
        for module in (attachment, duties, lane):
            patches.enter_context(patch.object(module, "time", made.clock))
        patches.enter_context(patch.object(progress, "QUIET_SECONDS", 0.0))
        named = SimpleNamespace(token_hex=lambda _bytes: f"{next(names)}")
        patches.enter_context(patch.object(table, "secrets", named))
        patches.callback(made.kill_all)
        yield made
