"""The transform: which collections of its table a change goes to. Pure: it asks nobody and remembers nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from dynalens.change import Change, DecodeError, Document, render
from dynalens.config import Scalar
from dynalens.errors import ConfigError

Condition = Callable[[Document], bool]
"""Whether an item belongs to a collection. Another way to tell is another function that makes one."""

_NUMBER_STARTS = frozenset(b"-0123456789")


@dataclass(frozen=True, slots=True)
class Route:
    """One collection of a table, and which of the table's items it takes.

    Attributes:
        collection: The collection's name.
        where: Top-level attributes and the values that they must equal, of the same type and, for numbers, in value:
            1 equals the numbers `1` and `1.0`, never the string `1`. None equals NULL, not a missing attribute.

    Raises:
        ConfigError: A value is infinite or not a number, which no attribute can equal.
    """

    collection: str
    where: Mapping[str, Scalar] = field(default_factory=dict)
    _conditions: tuple[Condition, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Compiled once: the hot loop compares rendered fragments and parses next to nothing.
        conditions = tuple(_condition(name, value) for name, value in self.where.items())
        object.__setattr__(self, "_conditions", conditions)

    def takes(self, document: Document) -> bool:
        """Whether the item meets the whole `where`."""
        for condition in self._conditions:  # noqa: SIM110 - all() would make a generator for each document
            if not condition(document):
                return False
        return True


class Routed(NamedTuple):
    """What a change means for one collection: the document to keep, or None to delete it."""

    collection: str
    document: Document | None


def route(change: Change, routes: Sequence[Route]) -> list[Routed]:
    """Give the collections that a change goes to, in the order of `routes`, which are all of its table.

    A change upserts every collection that takes its new image, and deletes from those that took only its old one; from
    all others where nothing is known of what was before. A scanned row only upserts: it says nothing of the past.
    """
    if len(routes) == 1 and not routes[0].where:
        return [Routed(routes[0].collection, change.new)]
    routed = []
    for candidate in routes:
        if change.new is not None and candidate.takes(change.new):
            routed.append(Routed(candidate.collection, change.new))
        elif _may_hold(candidate, change):
            routed.append(Routed(candidate.collection, None))
    return routed


def _may_hold(candidate: Route, change: Change) -> bool:
    """Whether the collection may hold the item from before the change."""
    if change.kind == "scan":
        return False
    if change.old is None:
        # Only an insert can have had nothing before it.
        return not (change.old_known and change.kind == "insert")
    try:
        return candidate.takes(change.old)
    except DecodeError:
        return True  # an unreadable old image says nothing, and must not hold up a readable new one


def _condition(name: str, value: Scalar) -> Condition:
    match value:
        case None:
            return _reads(name, b"null")
        case bool():
            return _reads(name, b"true" if value else b"false")
        case str():
            return _is_string(name, value)
        case int():
            return _is_number(name, Decimal(value))
    # The number as it was written, which is not the binary one nearest to it.
    number = Decimal(repr(value))
    if not number.is_finite():
        raise ConfigError(
            f"where: {name!r} cannot equal {value}: DynamoDB holds no such number.",
            hint="Write a finite number, a text in quotes, true, false or null.",
        )
    return _is_number(name, number)


def _reads(name: str, expected: bytes) -> Condition:
    return lambda document: document.fragments.get(name) == expected


def _is_string(name: str, text: str) -> Condition:
    reads = _reads(name, render({name: {"S": text}}).fragments[name])

    def meets(document: Document) -> bool:
        # Binary reads like a string: its base64 text. Only the type hints, empty for most items, tell them apart.
        return reads(document) and not (document.types and json.loads(document.types).get(name) == "B")

    return meets


def _is_number(name: str, expected: Decimal) -> Condition:
    def meets(document: Document) -> bool:
        fragment = document.fragments.get(name, b"null")
        return fragment[0] in _NUMBER_STARTS and Decimal(fragment.decode()) == expected

    return meets
