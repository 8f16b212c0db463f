"""Dead letters in the table: whole, each once, however large their records are.

A letter is one item, its head. What of a compressed record the head does not hold stands in items of its own, found by
the record's digest and written first: whoever sees a head can read it whole, and letters of one record share them.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from itertools import islice

from dynalens import clock
from dynalens.dead_letter import DeadLetter
from dynalens.errors import StoreError
from dynalens.position.dynamodb.items import ConditionLostError, InTable, Item, Key, Value, Write, delete, put, update
from dynalens.position.dynamodb.layout import padded
from dynalens.position.dynamodb.positions import raise_revision

PART_BYTES = 256 * 1024
"""Bytes of a record in one item, which holds 400 KB with all that stands beside them."""

_OWN = ("record", "state", "code", "message")
"""Fields with an attribute of their own, because they change, are asked for, or are no text."""


class Letters(InTable):
    """`DeadLetterStore` in the table."""

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """See `DeadLetterStore.add`; one by one, and the same change rejected again takes its newest reason."""
        for letter in letters:
            content = self._stored_content(letter)
            while not (self._add_new(letter, content) or self._renew(letter, content)):
                # Somebody else added or changed the same letter meanwhile.
                continue

    def letters(
        self,
        *,
        state: str | None = None,
        collection: str | None = None,
        table: str | None = None,
        target: str | None = None,
        limit: int = 100,
    ) -> list[DeadLetter]:
        """See `DeadLetterStore.letters`. What is asked for again is found without reading the others."""
        asked = {"collection": collection, "table": table, "target": target}
        wanted = {name: value for name, value in asked.items() if value is not None}
        heads = self._asked_again(wanted) if state == "redrive" else self._heads(state, wanted)
        return [self._letter(head) for head in islice(heads, limit)]

    def letter(self, number: int) -> DeadLetter | None:
        """See `DeadLetterStore.letter`."""
        head = self._items.get(_head_key(number))
        return self._letter(head) if head else None

    def request_redrive(self, numbers: Sequence[int] | None) -> int:
        """See `DeadLetterStore.request_redrive`."""
        if numbers is None:
            numbers = [int(head.sk) for head in self._heads("waiting", {})]
        return sum(self._ask_again(number) for number in numbers)

    def settle(self, number: int, *, code: str = "", message: str = "") -> None:
        """See `DeadLetterStore.settle`."""
        while head := self._items.get(_head_key(number)):
            if code:
                changes: dict[str, Value] = {"state": "waiting", "code": code, "message": message}
            else:
                changes = {"state": "done"}
            if self._change(head, changes):
                return

    def waiting_counts(self) -> dict[tuple[str, str, str], int]:
        """See `DeadLetterStore.waiting_counts`: one query, however many letters there are."""
        counts: dict[tuple[str, str, str], int] = {}
        for item in self._items.query("letter-count", condition="#number > :none", none=0):
            table, target, collection = item.sk.split("#", 2)
            counts[table, target, collection] = item["number"]
        return counts

    # Reading.

    def _heads(self, state: str | None, wanted: dict[str, str]) -> Iterator[Item]:
        values = wanted if state is None else {**wanted, "state": state}
        return self._items.query("letter", condition=_equal(values), **values)

    def _asked_again(self, wanted: dict[str, str]) -> Iterator[Item]:
        for asked in self._items.query("letter-redrive", condition=_equal(wanted), **wanted):
            head = self._items.get(_head_key(int(asked.sk)))
            if head and head["state"] == "redrive":
                yield head

    def _letter(self, head: Item) -> DeadLetter:
        parts = [head["record"]]
        if head["parts"]:
            parts += [item["part"] for item in self._items.query(f"record#{head['digest']}")]
        try:
            record = zlib.decompress(b"".join(parts))
        except zlib.error as error:
            msg = f"The record of dead letter {int(head.sk)} in the store {self._items.table} is not whole: {error}."
            raise StoreError(msg, hint="Somebody removed items of the table; restore it from a backup.") from error
        return DeadLetter(
            **{**json.loads(head["body"]), "number": int(head.sk)},
            record=record,
            state=head["state"],
            code=head["code"],
            message=head["message"],
        )

    # Writing.

    def _stored_content(self, letter: DeadLetter) -> dict[str, Value]:
        """Give a letter's attributes, once those parts of its record are stored that they have no room for."""
        whole = zlib.compress(letter.record)
        digest = hashlib.sha256(whole).hexdigest()
        first, *others = [whole[start : start + PART_BYTES] for start in range(0, len(whole), PART_BYTES)]
        for number, part in enumerate(others):
            self._items.write(put(Key(f"record#{digest}", padded(number)), {"part": part}))
        fields = asdict(letter) | {"stored_at": letter.stored_at or clock.now()}
        return {
            "body": json.dumps({name: value for name, value in fields.items() if name not in _OWN}),
            "state": letter.state,
            "code": letter.code,
            "message": letter.message,
            "table": letter.table,
            "target": letter.target,
            "collection": letter.collection,
            "record": first,
            "digest": digest,
            "parts": len(others),
        }

    def _add_new(self, letter: DeadLetter, content: dict[str, Value]) -> bool:
        """Add a letter; say whether it was new."""
        same = Key("letter-number", _identity(letter))
        if self._items.get(same):
            return False
        number = self._items.write(update(Key("number", "letter"), "ADD #number :one", one=1))["number"]
        try:
            self._items.write(
                put(same, {"number": number}, condition="attribute_not_exists(#pk)"),
                put(_head_key(number), content),
                *_moved(number, content, was="", now=letter.state),
            )
        except ConditionLostError:
            return False
        return True

    def _renew(self, letter: DeadLetter, content: dict[str, Value]) -> bool:
        """Replace what is known of a letter; say whether nobody else was quicker."""
        known = self._items.get(Key("letter-number", _identity(letter)))
        head = self._items.get(_head_key(known["number"])) if known else None
        return head is not None and self._change(head, content)

    def _ask_again(self, number: int) -> bool:
        head = self._items.get(_head_key(number))
        return head is not None and head["state"] == "waiting" and self._change(head, {"state": "redrive"})

    def _change(self, head: Item, changes: dict[str, Value]) -> bool:
        """Change a letter unless its state has changed since it was read; say whether it was."""
        number, now = int(head.sk), str(changes["state"])
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changes)
        change = update(_head_key(number), expression, condition="#state = :was", was=head["state"], **changes)
        try:
            self._items.write(change, *_moved(number, head, was=head["state"], now=now))
        except ConditionLostError:
            return False
        return True


def _moved(number: int, letter: Item | dict[str, Value], *, was: str, now: str) -> Iterator[Write]:
    """Keep what follows from a letter's state: what is asked for again, and how many wait."""
    asked = Key("letter-redrive", padded(number))
    group = {name: str(letter[name]) for name in ("table", "target", "collection")}
    if now == "redrive" != was:
        yield put(asked, group)
        yield raise_revision(group["table"])
    if was == "redrive" != now:
        yield delete(asked)
    if change := _waits(now) - _waits(was):
        yield update(Key("letter-count", "#".join(group.values())), "ADD #number :change", change=change)


def _waits(state: str) -> bool:
    return state in {"waiting", "redrive"}


def _head_key(number: int) -> Key:
    return Key("letter", padded(number))


def _equal(values: dict[str, str]) -> str:
    return " AND ".join(f"#{name} = :{name}" for name in values)


def _identity(letter: DeadLetter) -> str:
    """Tell changes apart; records of which nothing could be read are told apart by what they are."""
    read = letter.sequence_number or letter.document_id
    told = [
        letter.table,
        letter.target,
        letter.collection,
        str(letter.generation),
        letter.partition,
        letter.document_id,
        letter.sequence_number,
        "" if read else hashlib.sha256(letter.record).hexdigest(),
    ]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()
