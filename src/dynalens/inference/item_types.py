"""Item types: whether an attribute splits a table's items into types that deserve collections of their own.

A type differs from a category in what comes with it: orders and users have other attributes, donations by Facebook and
by phone have the same. So the evidence is how much better an item's attributes are known once the value is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from itertools import chain

from dynalens.config import DEFAULT_ITEM_TYPE, CollectionConfig
from dynalens.inference.attributes import MOSTLY, Attribute, Item, count_of, nameable
from dynalens.inference.vocabulary import TYPES

MOST_TYPES = 30
"""Item types that a table is split into; a file with more is read by nobody."""

ITEMS_PER_TYPE = 5
"""Items of each type, on average, before an attribute with an unusual name is believed."""

NAMED_ALWAYS: str = CollectionConfig.model_fields["type_attribute"].default
"""The attribute that counts where the file names none: it is believed whatever the items look like."""

_LONGEST_TYPE = 60
_EVERYWHERE = 0.8
"""Share of items that an attribute with an unusual name has to be in."""


@dataclass(frozen=True, slots=True)
class Split:
    """The attribute that names an item's type, and the types: spelled as most items spell them, the largest first."""

    attribute: str
    types: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Evidence:
    """How many attributes of an item are unknown on average, and how many of them the value tells."""

    unknown: float
    told: float

    def suffices(self, *, told: float, share: float) -> bool:
        """Whether the value tells at least so many attributes, and at least that share of the unknown."""
        return self.told >= told and self.told >= share * self.unknown


@dataclass(frozen=True, slots=True)
class _Shapes:
    """The attributes that each item has, without those that all items have."""

    items: Sequence[Item]
    shapes: Sequence[frozenset[str]]

    @classmethod
    def of(cls, attributes: Sequence[Attribute], items: Sequence[Item]) -> _Shapes:
        varying = frozenset(attribute.name for attribute in attributes if attribute.share < 1)
        return cls(items, [varying.intersection(item) for item in items])

    def evidence(self, name: str) -> _Evidence:
        """Tell how much better the others are known once the value of one attribute is."""
        by_type: dict[str, list[frozenset[str]]] = {}
        for item, shape in zip(self.items, self.shapes, strict=True):
            by_type.setdefault(item.get(name, {}).get("S", "").lower(), []).append(shape)
        unknown = _unknown(name, self.shapes)
        left = sum(len(shapes) / len(self.shapes) * _unknown(name, shapes) for shapes in by_type.values())
        return _Evidence(unknown, unknown - left)


def _unknown(name: str, shapes: Sequence[frozenset[str]]) -> float:
    """Add up, over all other attributes, the variance of whether an item has it."""
    counts = Counter(chain.from_iterable(shapes))
    shares = [count / len(shapes) for other, count in counts.items() if other != name]
    return sum(share * (1 - share) for share in shares)


def find_split(attributes: Sequence[Attribute], items: Sequence[Item], keys: Iterable[str]) -> tuple[Split | None, str]:
    """Find the attribute that names the items' types.

    Returns:
        The split, None where the table is better one collection; and a remark about one that was not taken, or nothing.
    """
    excluded, shapes = set(keys), _Shapes.of(attributes, items)
    for attribute in sorted(attributes, key=_familiarity):
        types = () if attribute.name in excluded else _types(attribute)
        usual = _familiarity(attribute) < _Familiarity.UNUSUAL
        if len(types) > MOST_TYPES and usual:
            return None, _too_many(attribute, len(types))
        if types and len(types) <= MOST_TYPES and _is_believed(attribute, types, shapes):
            return Split(attribute.name, types), ""
    return None, ""


class _Familiarity(IntEnum):
    """How an attribute is called: the most telling names are looked at first."""

    ALWAYS = 0
    USUAL = 1
    UNUSUAL = 2


def _familiarity(attribute: Attribute) -> _Familiarity:
    if attribute.name == NAMED_ALWAYS:
        return _Familiarity.ALWAYS
    return _Familiarity.USUAL if TYPES.intersection(attribute.words[-1:]) else _Familiarity.UNUSUAL


def _types(attribute: Attribute) -> tuple[str, ...]:
    """Give the types that an attribute names, the largest first; none where it is no type of most items."""
    texts = attribute.texts
    if len(texts) < MOSTLY * attribute.items or any(len(text) > _LONGEST_TYPE for text in texts) or attribute.is_time:
        return ()
    spellings: dict[str, Counter[str]] = {}
    for text in texts:
        # Types are compared in lower case, and what reads `default` has no type.
        if nameable(text) and text.lower() not in {"", DEFAULT_ITEM_TYPE}:
            spellings.setdefault(text.lower(), Counter())[text] += 1
    largest = sorted(spellings.values(), key=lambda spelled: (-spelled.total(), min(spelled)))
    return tuple(spelled.most_common(1)[0][0] for spelled in largest)


def _is_believed(attribute: Attribute, types: Sequence[str], shapes: _Shapes) -> bool:
    match _familiarity(attribute):
        case _Familiarity.ALWAYS:
            return True
        case _Familiarity.USUAL:
            return shapes.evidence(attribute.name).suffices(told=0.1, share=0.25)
    frequent = attribute.share >= _EVERYWHERE and len(attribute.values) >= ITEMS_PER_TYPE * len(types)
    return frequent and shapes.evidence(attribute.name).suffices(told=0.4, share=0.7)


def _too_many(attribute: Attribute, types: int) -> str:
    return (
        f"{attribute.name} has {count_of(types, 'different value')}: too many for collections of their own, so that "
        "the table is one collection."
    )
