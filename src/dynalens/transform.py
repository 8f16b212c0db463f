"""The transform: which collections of its table a change goes to. Pure: it asks nobody and remembers nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import NamedTuple

from dynalens.change import Change, DecodeError, Document, render
from dynalens.config import DEFAULT_ITEM_TYPE, CollectionConfig, Scalar
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
        item_type: What the item's type must be, beside `where`; None takes every type. An item's type is the string
            in its type attribute as `str.lower` writes it (`İ` becomes two characters, `ß` stays), nothing trimmed.
            `default` takes every item without a type, and with one that is not in `named_types`.
        type_attribute: The top-level attribute that holds an item's type.
        named_types: The item types that other collections of the table take, for `default`.

    Raises:
        ConfigError: A value is infinite or not a number, which no attribute can equal.
    """

    collection: str
    where: Mapping[str, Scalar] = field(default_factory=dict)
    item_type: str | None = None
    type_attribute: str = "TYPE"
    named_types: frozenset[str] = frozenset()
    _conditions: tuple[Condition, ...] = field(init=False, repr=False, compare=False)

    @classmethod
    def of(cls, name: str, collection: CollectionConfig) -> Route:
        """Make the route of a collection, as it stands in a `Config`."""
        return cls(name, collection.where, collection.item_type, collection.type_attribute, collection.named_types)

    def __post_init__(self) -> None:
        # Compiled once: the hot loop compares rendered fragments and parses next to nothing.
        conditions = [_condition(name, value) for name, value in self.where.items()]
        if self.item_type == DEFAULT_ITEM_TYPE:
            conditions.append(_is_of_no_type(self.type_attribute, self.named_types))
        elif self.item_type is not None:
            conditions.append(_is_of_type(self.type_attribute, self.item_type))
        object.__setattr__(self, "_conditions", tuple(conditions))

    @property
    def takes_all(self) -> bool:
        """Whether every item of the table belongs to the collection."""
        return not self._conditions

    def takes(self, document: Document) -> bool:
        """Whether the item is of the item type and meets the whole `where`."""
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
    if len(routes) == 1 and routes[0].takes_all:
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


def _is_of_type(attribute: str, item_type: str) -> Condition:
    return lambda document: _type_of(document, attribute) == item_type


def _is_of_no_type(attribute: str, named: frozenset[str]) -> Condition:
    return lambda document: _type_of(document, attribute) not in named


def _type_of(document: Document, attribute: str) -> str | None:
    """Give the item's type in lower case; None where the attribute is missing or no string."""
    fragment = document.fragments.get(attribute, b"")
    if not fragment.startswith(b'"') or _is_binary(document, attribute):
        return None
    # Without an escape a JSON text is what stands between its quotes: several times as fast as parsing it.
    text: str = json.loads(fragment) if b"\\" in fragment else fragment[1:-1].decode()
    return text.lower()


def _is_binary(document: Document, name: str) -> bool:
    """Whether an attribute that reads like a string is binary: its base64 text. Only the type hints tell them apart."""
    return b'"B"' in document.types and json.loads(document.types).get(name) == "B"


def _reads(name: str, expected: bytes) -> Condition:
    return lambda document: document.fragments.get(name) == expected


def _is_string(name: str, text: str) -> Condition:
    reads = _reads(name, render({name: {"S": text}}).fragments[name])
    return lambda document: reads(document) and not _is_binary(document, name)


def _is_number(name: str, expected: Decimal) -> Condition:
    def meets(document: Document) -> bool:
        fragment = document.fragments.get(name, b"null")
        return fragment[0] in _NUMBER_STARTS and Decimal(fragment.decode()) == expected

    return meets
