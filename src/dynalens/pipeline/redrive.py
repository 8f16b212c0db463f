"""Dead letters: writing them down whole, and applying them again without overwriting anything newer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from dynalens import clock
from dynalens.change import Change, DecodeError, Poison, Typed, decode_record, render, stream_record
from dynalens.dead_letter import UNDECODED, DeadLetter, DeadLetterStore
from dynalens.errors import SourceError
from dynalens.pipeline.generations import Generations
from dynalens.pipeline.reading import Table
from dynalens.target import TOMBSTONE_RETENTION_SECONDS, Generation, Rejection, Target, Write

Fetch = Callable[[Mapping[str, Typed]], Mapping[str, Typed] | None]
"""Reads an item by key from the table, strongly consistently; None when there is none."""

UNDECODABLE = "undecodable"


def rejection_letter(rejection: Rejection, target: str, partition: str) -> DeadLetter:
    """Make the letter of a write that a target cannot hold."""
    write = rejection.write
    return DeadLetter(
        table=write.change.table,
        target=target,
        collection=write.generation.collection,
        generation=write.generation.number,
        document_id=write.id,
        version=write.version,
        partition=partition,
        sequence_number=write.change.sequence_number,
        created_at=write.change.created_at,
        code=rejection.code,
        message=rejection.message,
        record=json.dumps(stream_record(write.change)).encode(),
    )


def poison_letter(poison: Poison, target: str, version: int, partition: str) -> DeadLetter:
    """Make the letter of a record that could not be decoded; it belongs to no collection."""
    return DeadLetter(
        table=poison.table,
        target=target,
        collection=UNDECODED,
        generation=0,
        document_id="",
        version=version,
        partition=partition,
        sequence_number=poison.sequence_number,
        created_at=0.0,
        code=UNDECODABLE,
        message=poison.reason,
        record=poison.raw,
    )


@dataclass(frozen=True, slots=True)
class Redriver:
    """Applies letters of one table and target again, when someone asked for it.

    A letter keeps its change's version, so a newer document stays. One from a generation that is no longer fed has
    nothing left to do: its item was read again for the new one. One of a record that could not be decoded belongs to no
    generation, and rows of a scan lose to its version: its item is read afresh.
    """

    table: Table
    target: Target
    dead_letters: DeadLetterStore
    fetch: Fetch

    def run(self, generations: Generations) -> int:
        """Apply what was asked for, oldest first, to the generations that are fed; say how many there were.

        Unless there were none there may be more.
        """
        asked = self.dead_letters.letters(state="redrive", table=self.table.name, target=self.target.name)
        for letter in asked:
            self._redrive(letter, generations)
        return len(asked)

    def _redrive(self, letter: DeadLetter, generations: Generations) -> None:
        if letter.collection != UNDECODED and _generation(letter) not in generations.fed:
            self.dead_letters.settle(letter.number)
            return
        try:
            change = self._change(letter)
        except SourceError as error:
            # A table that cannot be read now must not hold up what is applied to the target.
            self.dead_letters.settle(letter.number, code=error.code, message=error.message)
            return
        except (DecodeError, LookupError, TypeError, AttributeError, ValueError) as error:
            self.dead_letters.settle(letter.number, code=UNDECODABLE, message=str(error))
            return
        rejections = self.target.apply(list(self._writes(letter, change, generations)))
        code, message = (rejections[0].code, rejections[0].message) if rejections else ("", "")
        self.dead_letters.settle(letter.number, code=code, message=message)

    def _change(self, letter: DeadLetter) -> Change:
        change = decode_record(json.loads(letter.record), table=self.table.name, keys=self.table.keys)
        if letter.collection == UNDECODED or clock.now() - letter.stored_at > TOMBSTONE_RETENTION_SECONDS:
            return self._afresh(change)
        return change

    def _writes(self, letter: DeadLetter, change: Change, generations: Generations) -> Iterator[Write]:
        for write in generations.writes(change, letter.version):
            if letter.collection == UNDECODED or str(write.generation) == _generation(letter):
                yield write

    def _afresh(self, change: Change) -> Change:
        """Take the item's state of now: an old one could come back to life, or overwrite what was scanned since."""
        item = self.fetch(change.key)
        if item is None:
            return replace(change, kind="remove", new=None, old=None, old_known=False)
        return replace(change, kind="modify", new=render(item), old=None, old_known=False)


def _generation(letter: DeadLetter) -> str:
    return str(Generation(letter.collection, letter.generation))
