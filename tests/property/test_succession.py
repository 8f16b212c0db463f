"""Sessions over rows alone: whatever the order of their steps, what the last one leaves is what the stream says.

The real `SharedRemembered` over tables in memory, which take rows and give the ones of the highest epoch back, as a
server does. Each session begins, replays the stream from where it is told to, and marks; any of them may be stopped
anywhere, for good or for a while, and only the last one must end.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynalens.partition import START, Position
from dynalens.target import NO_MARK, Mark, version
from dynalens.target.sql.succession import SharedRemembered
from tests.property.baton import Runner

TABLE, PARTITION = "Donations", "p"
LAST = 1
"""The last change of the stream. All of them are to one document, whose state is how far the stream is."""

SESSIONS = 3
BEGIN, MOST_STEPS = 5, 100
"""Steps that a session needs to begin, and more than it ever makes."""


@dataclass
class Rows:
    """What the server holds."""

    announced: int = -1
    mark: Mark = NO_MARK
    document: tuple[int, int] = (-1, -1)
    """Its version and its state."""

    def write(self, at_version: int, state: int) -> None:
        """Insert a row of the document: the highest version stays."""
        self.document = max(self.document, (at_version, state))


class SteppedRemembered(SharedRemembered):
    """What one session remembers: its requests are those of the real one, each a step of its own."""

    def __init__(self, held: Rows, reach: Callable[[str], object]) -> None:
        self._held = held
        self._reach = reach

    def _announce(self, _table: str, epochs: Mapping[str, int]) -> None:
        self._reach("announce")
        self._held.announced = max(self._held.announced, epochs[PARTITION])

    def _last(self, _table: str, epochs: Mapping[str, int]) -> dict[str, int]:
        self._reach("read announcements")
        return {id_: epoch for id_, epoch in epochs.items() if self._held.announced <= epoch}

    def marks(self, _table: str) -> dict[str, Mark]:
        self._reach("read marks")
        return {} if self._held.mark is NO_MARK else {PARTITION: self._held.mark}

    def mark(self, _table: str, marks: Mapping[str, Mark]) -> None:
        for mark in marks.values():
            self._reach("mark")
            if mark.epoch >= self._held.mark.epoch:
                self._held.mark = mark


Kind = type[SteppedRemembered]


def live(kind: Kind, held: Rows, epoch: int) -> Callable[[Runner], None]:
    """Give one session: begin, apply what comes after, mark each step."""

    def run(runner: Runner) -> None:
        remembered = kind(held, runner.reach)
        begun = remembered.begin(TABLE, {PARTITION: epoch})
        if PARTITION not in begun:
            return
        position = begun[PARTITION]
        first = 0 if position == START else position.rank + 1
        for ordinal, at in enumerate(range(first, LAST + 1)):
            runner.reach("write")
            held.write(version(epoch, ordinal), at)
            remembered.mark(TABLE, {PARTITION: Mark(epoch, Position(rank=at))})

    return run


Order = list[tuple[int, int]]
"""Which session moves next, and by how many steps."""


def left(before: Order, after: Order, kind: Kind = SteppedRemembered) -> Rows:
    """Let sessions move in an order, and the last one end in the middle of it; then all others are gone."""
    held = Rows()
    sessions = [Runner(str(epoch), live(kind, held, epoch)) for epoch in range(1, SESSIONS + 1)]
    for number, steps in [*before, (SESSIONS - 1, MOST_STEPS), *after]:
        sessions[number].run(steps)
    for session in sessions:
        session.kill()
    return held


def is_right(held: Rows) -> bool:
    """Tell whether what is left is the last state, and marked as such."""
    return held.document[1] == LAST and held.mark == Mark(SESSIONS, Position(rank=LAST))


ORDERS = st.lists(st.tuples(st.integers(0, SESSIONS - 1), st.integers(1, 6)), max_size=10)


@settings(max_examples=500)
@given(ORDERS, ORDERS)
def test_whatever_the_order_of_steps_the_last_session_leaves_the_last_state(before: Order, after: Order) -> None:
    assert is_right(left(before, after))


class AsksOnce(SteppedRemembered):
    """Does not look a second time whether somebody announced a higher epoch."""

    _asked = False

    def _last(self, table: str, epochs: Mapping[str, int]) -> dict[str, int]:
        if self._asked:
            return dict(epochs)
        self._asked = True
        return super()._last(table, epochs)


class AnnouncesLate(SteppedRemembered):
    """Reads the mark before it announces its epoch."""

    def _announce(self, table: str, epochs: Mapping[str, int]) -> None:
        self._early = super().marks(table)
        super()._announce(table, epochs)

    def marks(self, _table: str) -> dict[str, Mark]:
        return self._early


class MarksNoBeginning(SteppedRemembered):
    """Writes before it has marked where it begins."""

    _began = False

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        if self._began:
            super().mark(table, marks)
        self._began = True


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        # The second reads the mark; the first ends; the third begins behind it; the second replays.
        (AsksOnce, [(0, BEGIN), (1, 3), (0, MOST_STEPS)], [(1, 2)]),
        # The second reads the mark; the first ends; the third reads that mark; the second begins, unnoticed.
        (AnnouncesLate, [(1, 1), (0, MOST_STEPS), (2, 1), (1, BEGIN)], []),
        # The first ends; the second replays without a mark of its own; the third goes on from the first one's.
        (MarksNoBeginning, [(0, BEGIN), (1, 2), (0, MOST_STEPS), (1, 3)], []),
    ],
)
def test_each_step_is_needed(kind: Kind, before: Order, after: Order) -> None:
    assert is_right(left(before, after))
    assert not is_right(left(before, after, kind))
