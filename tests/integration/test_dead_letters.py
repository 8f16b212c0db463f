"""Dead letters of every target, end to end: written down whole, redriven in order, never over anything newer.

Engines refuse next to nothing that DynamoDB holds, so a wrapper refuses for them; below it each is the real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dynalens.config import CollectionConfig
from dynalens.dead_letter import DeadLetter
from dynalens.partition import Position
from dynalens.position.sqlite import SqliteStore
from dynalens.target import Generation, Mark, Memory, Rejection, Target, Write
from dynalens.testing.memory import MemorySource
from tests.contract.implementations import COLLECTIONS, IMPLEMENTATIONS, Subject
from tests.pipelines import Bench
from tests.waiting import observed


class Refusing:
    """A target that refuses documents by id until it is told to take them."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self.name = target.name
        self.refused: set[str] = set()

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        refused = [write for write in writes if write.id in self.refused and write.document is not None]
        rejections = [Rejection(write, "too_wide", "it is refused") for write in refused]
        return rejections + self._target.apply([write for write in writes if write not in refused])

    def recall(self, table: str) -> Memory:
        return self._target.recall(table)

    def raise_epoch(self, table: str, epoch: int) -> None:
        self._target.raise_epoch(table, epoch)

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        self._target.create(generation, collection)

    def serve(self, generation: Generation) -> None:
        self._target.serve(generation)

    def drop(self, generation: Generation) -> None:
        self._target.drop(generation)

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        return self._target.begin(table, epochs)

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        self._target.mark(table, marks)

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        self._target.forget_marks(table, marks)

    def sweep(self, older_than: float) -> int:
        return self._target.sweep(older_than)

    def ping(self) -> None:
        self._target.ping()

    def close(self) -> None:
        self._target.close()


class Running:
    """One target with its source, its letters, and what its readers see."""

    def __init__(self, subject: Subject, folder: Path) -> None:
        self.subject = subject
        self.target = Refusing(subject.target)
        self.source = MemorySource(page_size=10)
        self.source.add_shard("s1")
        self.store = SqliteStore(folder / "state.db")
        collections = {"donations": COLLECTIONS["donations"]}
        self.bench = Bench(self.source, [self.target], self.store, collections)

    def put(self, key: str, n: int) -> None:
        self.source.put("s1", {"id": {"S": key}, "n": {"N": str(n)}, "note": {"S": f"note {n} of {key}"}})

    def delete(self, key: str) -> None:
        self.source.delete("s1", {"id": {"S": key}})

    def letters(self, count: int) -> Callable[[], Sequence[DeadLetter]]:
        """Give the letters that wait, once there are so many."""
        return lambda: found if len(found := self.store.letters(state="waiting")) == count else []

    def holds(self, expected: Mapping[str, int]) -> Callable[[], bool]:
        """Whether readers see exactly these items, by key, as they were put with these numbers."""
        return lambda: (
            {key: self._number(seen) for key, seen in self.subject.documents("donations").items()} == expected
        )

    def _number(self, seen: object) -> int:
        return int(json.loads(seen)["n"]) if isinstance(seen, bytes) else int(str(seen))

    def redrive(self) -> None:
        """Ask for all that waits, and wait until it was tried."""
        assert self.store.request_redrive(None) > 0
        observed(lambda: not self.store.letters(state="redrive"))


@pytest.fixture(params=["search", "sql", "metrics"])
def running(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Running]:
    subject = IMPLEMENTATIONS[request.param](tmp_path)
    made = Running(subject, tmp_path)
    with made.bench.running():
        observed(lambda: any(copy.state == "live" for copy in made.store.copies("Donations", made.target.name)))
        yield made
    made.store.close()
    subject.target.close()


def record_of(letter: DeadLetter) -> dict[str, Any]:
    """Give the record's part that holds the item, read from the letter."""
    found: dict[str, Any] = json.loads(letter.record)["dynamodb"]
    return found


def test_a_letter_holds_the_whole_record_and_the_rest_of_the_batch_went_on(running: Running) -> None:
    running.target.refused = {"bad"}
    running.put("before", 1)
    running.put("bad", 2)
    running.put("after", 3)
    [letter] = observed(running.letters(1))
    observed(running.holds({"before": 1, "after": 3}))
    assert (letter.target, letter.collection, letter.document_id) == (running.target.name, "donations", "bad")
    assert (letter.code, letter.message) == ("too_wide", "it is refused")
    record = record_of(letter)
    assert record["NewImage"] == {"id": {"S": "bad"}, "n": {"N": "2"}, "note": {"S": "note 2 of bad"}}
    assert record["SequenceNumber"] == letter.sequence_number


def test_letters_are_redriven_in_order(running: Running) -> None:
    running.target.refused = {"a", "b"}
    for n in range(1, 4):
        running.put("a", n)
        running.put("b", n * 10)
    letters = observed(running.letters(6))
    assert [record_of(letter)["NewImage"]["n"]["N"] for letter in letters] == ["1", "10", "2", "20", "3", "30"]
    running.target.refused = set()
    running.redrive()
    observed(running.holds({"a": 3, "b": 30}))
    assert not running.store.letters(state="waiting")


def test_an_old_letter_never_overwrites_what_came_after(running: Running) -> None:
    running.target.refused = {"changed", "deleted", "born again"}
    for key in sorted(running.target.refused):
        running.put(key, 1)
    letters = observed(running.letters(3))
    running.target.refused = set()
    running.put("changed", 2)
    running.put("deleted", 2)
    running.delete("deleted")
    running.delete("born again")
    running.put("born again", 3)
    newest = {"changed": 2, "born again": 3}
    observed(running.holds(newest))
    running.redrive()
    assert running.holds(newest)()
    # Once more, as after a crash between applying and settling.
    running.store.add([replace(letter, state="redrive") for letter in letters])
    observed(lambda: not running.store.letters(state="redrive"))
    assert running.holds(newest)()


def test_what_is_refused_again_waits_with_its_new_reason(running: Running) -> None:
    running.target.refused = {"bad"}
    running.put("bad", 1)
    observed(running.letters(1))
    running.redrive()
    [letter] = observed(running.letters(1))
    assert letter.code == "too_wide"
    assert running.holds({})()


def test_a_record_that_cannot_be_read_is_kept_and_holds_nobody_up(running: Running) -> None:
    running.source.append("s1", {"eventName": "NONSENSE", "dynamodb": {"Keys": {"id": {"S": "x"}}}})
    running.put("after", 1)
    observed(running.holds({"after": 1}))
    [letter] = observed(running.letters(1))
    assert letter.code == "undecodable"
    assert b"NONSENSE" in letter.record
    running.redrive()
    observed(running.letters(1))
    assert running.holds({"after": 1})()
