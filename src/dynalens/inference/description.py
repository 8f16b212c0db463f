"""What was inferred of a table, as plain frozen data: the command prints it, and the file is made of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Seen:
    """One attribute of a collection's sampled items: its types (`S`, `N`, …), and the share of items that have it."""

    name: str
    types: tuple[str, ...]
    share: float


@dataclass(frozen=True, slots=True)
class Sum:
    """An attribute that is summed, with the digits after the point that are kept."""

    attribute: str
    decimals: int


@dataclass(frozen=True, slots=True)
class Buckets:
    """Time buckets of a metric, as the file writes them: `every: 1m`, `keep: 24h`, and the attribute that says when."""

    every: str
    time: str
    keep: str


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric, and the evidence for it in words.

    Attributes:
        name: Its name in the file.
        evidence: Why it is proposed, one sentence each; says nothing of values but how many there are.
        group_by: The attribute whose values are the groups; None for one group.
        sums: What is summed; items are always counted.
        buckets: Time buckets; None for a metric over all time.
    """

    name: str
    evidence: tuple[str, ...]
    group_by: str | None
    sums: tuple[Sum, ...]
    buckets: Buckets | None = None


@dataclass(frozen=True, slots=True)
class GeoPair:
    """Paths of two numbers, in degrees, that look like a place on Earth, and what to call it."""

    name: str
    latitude: str
    longitude: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """One collection of a table.

    Attributes:
        name: Its name, unique in the file.
        item_type: The item type that it takes, in lower case; None where the table is not split.
        items: How many of the sampled items belong to it.
        seen: Their top-level attributes, the most frequent first.
        search_fields: Paths of nested text.
        geo: Pairs of coordinates.
        metrics: The metrics proposed.
    """

    name: str
    item_type: str | None
    items: int
    seen: tuple[Seen, ...]
    search_fields: tuple[str, ...]
    geo: tuple[GeoPair, ...]
    metrics: tuple[Metric, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDescription:
    """What was inferred of one table.

    Attributes:
        table: The table's name.
        type_attribute: The attribute that names an item's type; None where the table is one collection.
        collections: Its collections, the largest item type first, `default` last.
        rest_name: A free name for a collection of what no item type takes, where none was needed for the sample.
        remarks: What else is worth knowing, one sentence each.
    """

    table: str
    type_attribute: str | None
    collections: tuple[Collection, ...]
    rest_name: str | None
    remarks: tuple[str, ...]
