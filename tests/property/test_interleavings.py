"""Workers of the real code, changing over at every call of store and target, as hypothesis thinks of it."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, cast

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from dynalens.errors import DynalensError, StoreError, TargetError
from dynalens.partition import Position
from dynalens.request import Request
from dynalens.target import NO_MARK, Mark, Target
from tests.property import interleaved
from tests.property.baton import Cut, Gated
from tests.property.interleaved import KEYS, SLOTS, World, world
from tests.stepped import TABLE

EACH_TIME = ("draw", "begin", "mark", "apply", "commit")
SOMETIMES = ("record", "save_copy", "save_request", "rewind", "raise_epoch", "serve", "drop", "close_gaps", "forget")
"""Calls that change something, made whenever a worker attaches or works, or now and then."""


class Step(Protocol):
    """Something that happens."""

    def do(self, world: World) -> None: ...


@dataclass(frozen=True)
class Run:
    """A worker goes on, for some calls, or until it stands before a call or at rest."""

    worker: int
    calls: int = -1
    before: str = ""
    times: int = 1

    def do(self, world: World) -> None:
        for _ in range(self.times):
            world.workers[self.worker].runner.run(self.calls, (self.before,))


@dataclass(frozen=True)
class Break:
    """The call that a worker stands before fails."""

    worker: int
    landed: bool

    def do(self, world: World) -> None:
        runner = world.workers[self.worker].runner
        of_store = hasattr(world.store, runner.at)
        error: DynalensError = StoreError("It broke.") if of_store else TargetError("It broke.")
        runner.run(1, cut=Cut(error, landed=self.landed))


@dataclass(frozen=True)
class Start:
    """A worker is killed where it stands, and another process starts in its place."""

    worker: int

    def do(self, world: World) -> None:
        before = world.workers[self.worker].leases
        world.start(self.worker, slots=before.slots, leads=before.leading)


@dataclass(frozen=True)
class Lease:
    """Leases are handed out: what another worker believes to hold stays as it is."""

    worker: int
    slots: frozenset[int]
    leads: bool

    def do(self, world: World) -> None:
        leases = world.workers[self.worker].leases
        leases.slots, leases.leading = self.slots, self.leads


@dataclass(frozen=True)
class Feed:
    """A worker's feed reads, whatever its lane does."""

    worker: int

    def do(self, world: World) -> None:
        world.workers[self.worker].stepped.read()


@dataclass(frozen=True)
class Discover:
    """A worker lists the shards."""

    worker: int

    def do(self, world: World) -> None:
        world.discover(world.workers[self.worker])


@dataclass(frozen=True)
class Repaired:
    """A verification hears of a difference."""

    worker: int
    key: str

    def do(self, world: World) -> None:
        world.repair(self.worker, self.key)


@dataclass(frozen=True)
class Change:
    """The table changes: `put` or `delete`."""

    kind: str
    key: str
    times: int = 1

    def do(self, world: World) -> None:
        for _ in range(self.times):
            (world.put if self.kind == "put" else world.delete)(self.key)


@dataclass(frozen=True)
class Reshard:
    """The stream changes."""

    kind: str
    key: str

    def do(self, world: World) -> None:
        match self.kind:
            case "roll over":
                world.roll_over(self.key)
            case "split":
                world.roll_over(self.key, children=2)
            case "late":
                world.roll_over(self.key, late=True)
            case "merge":
                world.merge()
            case "trim":
                world.trim(self.key)
            case _:
                world.hidden.clear()


@dataclass(frozen=True)
class Ask:
    """Somebody asks for something."""

    kind: str

    def do(self, world: World) -> None:
        world.store.ask(Request(table=TABLE, collection="donations", target="sql", kind=self.kind))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Forget:
    """The target or the store is kept, or taken back to what was kept, or to nothing."""

    kind: str
    pick: int = 0
    landed: bool = False

    def do(self, world: World) -> None:
        match self.kind:
            case "snapshot":
                world.snapshots.append(world.target.snapshot())
            case "go back":
                world.go_back(world.snapshots[self.pick % len(world.snapshots)], landed=self.landed)
            case "backup":
                world.backups.append(world.store.backup())
            case "restore":
                world.restore(world.backups[self.pick % len(world.backups)])
            case _:
                world.clock.go_on()


WORKERS = st.integers(0, 2)
KEY = st.sampled_from(KEYS)


CHANGE = st.builds(Change, st.sampled_from(["put", "put", "delete"]), KEY, st.integers(1, 3))
CALL = st.one_of(st.sampled_from(EACH_TIME), st.sampled_from(EACH_TIME), st.sampled_from(SOMETIMES))


def interrupted(workers: list[int], before: str, again: list[int], times: int) -> list[Step]:
    """Let a worker wait before a call while others go on, and then go on itself."""
    first, *others = workers
    return [Run(first, before=before), *map(Run, others), *map(Run, again), Run(first, times=times)]


INTERRUPTED = st.builds(interrupted, st.permutations(range(3)), CALL, st.lists(WORKERS, max_size=2), st.integers(1, 3))


def one(step: st.SearchStrategy[Step]) -> st.SearchStrategy[list[Step]]:
    return st.tuples(step).map(list)


MOVES: list[st.SearchStrategy[list[Step]]] = [
    INTERRUPTED,
    st.builds(lambda change, then: [change, *then], CHANGE, INTERRUPTED),
    one(st.builds(Run, WORKERS, calls=st.integers(1, 4))),
    one(st.builds(Run, WORKERS, before=CALL)),
    one(CHANGE),
]
HAPPENS: list[st.SearchStrategy[Step]] = [
    st.builds(Lease, WORKERS, st.frozensets(st.integers(0, SLOTS - 1)), st.booleans()),
    st.one_of(st.builds(Feed, WORKERS), st.builds(Discover, WORKERS)),
    st.builds(Start, WORKERS),
    st.builds(Break, WORKERS, st.booleans()),
    st.builds(Reshard, st.sampled_from(["roll over", "split", "merge"]), KEY),
    st.builds(Reshard, st.sampled_from(["late", "listed"]), KEY),
    st.builds(Reshard, st.just("trim"), KEY),
    st.builds(Ask, st.sampled_from(["rebuild", "back", "release"])),
    st.builds(Repaired, WORKERS, KEY),
    st.builds(Forget, st.sampled_from(["snapshot", "go back"]), st.integers(0, 2), st.booleans()),
    st.builds(Forget, st.sampled_from(["backup", "restore"]), st.integers(0, 2)),
    st.builds(Forget, st.just("time goes by")),
]


def schedules(kinds: Collection[int], least: int) -> st.SearchStrategy[list[Step]]:
    """Draw a schedule. A list of no least length would have five moves, most of the time."""
    happens = [one(HAPPENS[kind]) for kind in sorted(kinds)]
    moves = st.lists(st.one_of(*MOVES, *happens), min_size=least, max_size=least + 10)
    return moves.map(lambda drawn: [step for move in drawn for step in move])


KINDS = st.sets(st.sampled_from(range(len(HAPPENS))), min_size=2, max_size=5)
"""A few kinds of trouble at a time: all of them at once hide each other."""
SCHEDULES = st.tuples(KINDS, st.integers(0, 20)).flatmap(lambda drawn: schedules(*drawn))


@dataclass(frozen=True)
class Shape:
    """Where a run begins: after the first copy or before it, with what pages, how many of which a batch has."""

    page_size: int
    pages: tuple[int, ...]
    is_complete: bool


SHAPES = st.builds(
    Shape,
    st.sampled_from([1, 1, 1, 2, 100]),
    st.sampled_from([(2, 1, 1), (1, 2, 1), (1, 1, 2), (1, 2, 2), (1, 1, 1)]),
    st.sampled_from([True, True, False]),
)


def run(schedule: list[Step], shape: Shape) -> None:
    """Run a schedule, and let what is left settle."""
    with world(shape.page_size, shape.pages) as made:
        for number in range(3):
            made.start(number)
        for _ in range(9 if shape.is_complete else 0):
            made.workers[0].runner.run(-1)
        made.snapshots.append(made.target.snapshot())
        for step in schedule:
            step.do(made)
        made.settle()


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


SEARCH = settings(deadline=None, suppress_health_check=list(HealthCheck))


# The same ones each time, so that a red run is the change's own doing; the soak searches on.
@settings(SEARCH, max_examples=500, derandomize=True, database=None)
@given(schedule=SCHEDULES, shape=SHAPES)
def test_every_interleaving_ends_with_what_the_table_holds(schedule: list[Step], shape: Shape) -> None:
    run(schedule, shape)


@pytest.mark.soak
@pytest.mark.timeout(7200)
@settings(SEARCH, max_examples=50_000)
@given(schedule=SCHEDULES, shape=SHAPES)
def test_a_long_search_finds_no_interleaving_that_ends_otherwise(schedule: list[Step], shape: Shape) -> None:
    run(schedule, shape)


class InTwoSteps(Gated):
    """A target that is asked for its marks, and marked in another call."""

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        target = cast("Target", self)
        marks = target.recall(table).marks
        begun = {id_: marks.get(id_, NO_MARK).position for id_ in epochs}
        target.mark(table, {id_: Mark(epoch, begun[id_]) for id_, epoch in epochs.items()})
        return begun


def test_the_search_finds_sessions_that_overlap_where_one_begins_in_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interleaved, "Gated", InTwoSteps)

    @settings(SEARCH, max_examples=3_000, derandomize=True, database=None, phases=[Phase.generate])
    @given(schedule=schedules((), 20), shape=st.just(Shape(1, (2, 1, 1), is_complete=True)))
    def search(schedule: list[Step], shape: Shape) -> None:
        run(schedule, shape)

    with pytest.raises(AssertionError, match="readers see"):
        search()
