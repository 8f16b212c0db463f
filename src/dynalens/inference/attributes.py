"""Attributes of sampled items: every value seen under one name, and what the values have in common."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from dynalens.change import Typed
from dynalens.inference.moments import seconds

Item = Mapping[str, Typed]
"""One item in DynamoDB JSON."""

MOSTLY = 0.5
"""Share of items from which on an attribute stands for its collection."""

ALMOST_ALL = 0.9
"""Share of values that have to look like a time for the attribute to be one."""

LONGEST_NAME = 100
"""Longest attribute name that is proposed for anything; YAML takes keys of up to 1,024 characters, escapes included."""

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")


@dataclass(frozen=True)
class Attribute:
    """One top-level attribute, or one path, of sampled items. What its values say is read once.

    Attributes:
        name: The attribute's name.
        values: Every value seen, in DynamoDB JSON.
        items: How many items were looked at, whether they have it or not.
    """

    name: str
    values: Sequence[Typed]
    items: int

    @property
    def share(self) -> float:
        """Share of the items that have it, 0 to 1."""
        return len(self.values) / self.items

    @property
    def types(self) -> tuple[str, ...]:
        """DynamoDB's names of the types seen, the most frequent first."""
        return tuple(kind for kind, _ in Counter(kind for value in self.values for kind in value).most_common())

    @cached_property
    def texts(self) -> Sequence[str]:
        """The values that are strings."""
        return [value["S"] for value in self.values if "S" in value]

    @cached_property
    def categories(self) -> Sequence[str] | Sequence[bool]:
        """The values that can be groups: the strings, or where there is none, what is true or false."""
        return self.texts or [value["BOOL"] for value in self.values if "BOOL" in value]

    @cached_property
    def groups(self) -> int:
        """How many different values of `categories` there are."""
        return len(set(self.categories))

    @cached_property
    def numbers(self) -> Sequence[Decimal]:
        """The values that are numbers, exactly."""
        return [Decimal(value["N"]) for value in self.values if "N" in value]

    @cached_property
    def decimals(self) -> int:
        """Most digits behind the point of a number, zeros at its end left out."""
        return max((len(f"{number:f}".partition(".")[2].rstrip("0")) for number in self.numbers), default=0)

    @cached_property
    def moments(self) -> Sequence[float]:
        """The values that say when, in seconds since the epoch."""
        return [when for value in self.values if (when := seconds(value)) is not None]

    @property
    def is_time(self) -> bool:
        """Whether almost all values say when."""
        return bool(self.values) and len(self.moments) >= ALMOST_ALL * len(self.values)

    @cached_property
    def words(self) -> Sequence[str]:
        """The words that its name is made of, in lower case: `donatedAt` is `donated`, `at`."""
        return words(self.name)


def attributes_of(items: Sequence[Item]) -> list[Attribute]:
    """Collect the top-level attributes that can be named in the file, the most frequent first, then by name."""
    values: dict[str, list[Typed]] = {}
    for item in items:
        for name, value in item.items():
            values.setdefault(name, []).append(value)
    found = [Attribute(name, seen, len(items)) for name, seen in values.items() if nameable(name)]
    return sorted(found, key=lambda attribute: (-len(attribute.values), attribute.name))


def nameable(name: str) -> bool:
    """Whether a name can stand in a text file: it is short, and UTF-8 knows its characters (no lone surrogates)."""
    return len(name) <= LONGEST_NAME and not any("\ud800" <= character <= "\udfff" for character in name)


def words(name: str) -> tuple[str, ...]:
    """Take a name apart, in lower case: `shipTo_city2` is `ship`, `to`, `city`, `2`."""
    return tuple(word.lower() for word in _WORD.findall(name))


def count_of(number: int, noun: str) -> str:
    """Say how many: `1 item`, `1,000 items`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
