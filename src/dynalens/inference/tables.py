"""A table: one collection, or one for each item type, and what each of them is good for."""

from __future__ import annotations

from collections.abc import Collection as Container
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dynalens.config import DEFAULT_ITEM_TYPE
from dynalens.inference.attributes import Item, attributes_of
from dynalens.inference.description import Collection, Seen, TableDescription
from dynalens.inference.item_types import Split, find_split
from dynalens.inference.metrics import propose_metrics
from dynalens.inference.names import Names, joined, plural, snake
from dynalens.inference.nested import geo_pairs, paths_of, search_fields


@dataclass(frozen=True, slots=True)
class Sample:
    """Items of a table.

    Attributes:
        table: The table's name.
        keys: Names of its key attributes.
        items: The items that were read, in DynamoDB JSON.
        whole: Whether they are all that the table held.
    """

    table: str
    keys: tuple[str, ...]
    items: Sequence[Item]
    whole: bool


def describe_table(sample: Sample, names: Names, *, now: float) -> TableDescription:
    """Infer collections, metrics and search fields from a sample.

    Args:
        sample: The items.
        names: Gives collections names that no other table's have.
        now: The time of day, in seconds since the epoch.
    """
    split, remark = find_split(attributes_of(sample.items), sample.items, sample.keys)
    excluded = {*sample.keys, *([split.attribute] if split else [])}
    collections = tuple(
        _collection(name, item_type, items, excluded, now) for name, item_type, items in _parts(sample, split, names)
    )
    needs_rest = split is not None and collections[-1].item_type != DEFAULT_ITEM_TYPE
    return TableDescription(
        table=sample.table,
        type_attribute=split.attribute if split else None,
        collections=collections,
        rest_name=_rest_name(sample, names) if needs_rest else None,
        remarks=tuple(filter(None, (_emptiness(sample), remark))),
    )


Part = tuple[str, str | None, Sequence[Item]]
"""Name and item type of a collection, and its items."""


def _parts(sample: Sample, split: Split | None, names: Names) -> Iterator[Part]:
    table = snake(sample.table, "items")
    if split is None:
        yield names.take(table, joined(table, "items")), None, sample.items
        return
    left = list(sample.items)
    for spelled in split.types:
        item_type = spelled.lower()
        taken = [item for item in left if _type(item, split) == item_type]
        left = [item for item in left if _type(item, split) != item_type]
        name = plural(snake(spelled, "items"))
        yield names.take(name, joined(table, name)), item_type, taken
    if left:
        yield _rest_name(sample, names), DEFAULT_ITEM_TYPE, left


def _type(item: Item, split: Split) -> str | None:
    named: str | None = item.get(split.attribute, {}).get("S")
    return named.lower() if named is not None else None


def _rest_name(sample: Sample, names: Names) -> str:
    return names.take(joined(snake(sample.table, "items"), "rest"))


def _collection(
    name: str, item_type: str | None, items: Sequence[Item], excluded: Container[str], now: float
) -> Collection:
    if not items:
        return Collection(name=name, item_type=item_type, items=0, seen=(), search_fields=(), geo=(), metrics=())
    attributes, paths = attributes_of(items), paths_of(items)
    return Collection(
        name=name,
        item_type=item_type,
        items=len(items),
        seen=tuple(Seen(attribute.name, attribute.types, attribute.share) for attribute in attributes),
        search_fields=search_fields(paths),
        geo=geo_pairs(paths),
        metrics=tuple(propose_metrics(attributes, excluded, now)),
    )


def _emptiness(sample: Sample) -> str:
    if sample.items:
        return ""
    return f"{sample.table} holds no items yet, so that there was nothing to infer metrics or item types from."
