"""The file: what was inferred, as `dynalens.yaml` with comments that say why.

It holds names of attributes and item types, and no other value of any item.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import yaml

from dynalens.config import DEFAULT_ITEM_TYPE
from dynalens.inference.attributes import count_of
from dynalens.inference.description import Collection, Metric, Seen, TableDescription
from dynalens.inference.item_types import NAMED_ALWAYS

_WIDTH = 110
_MOST_SEEN = 12
_PLAIN = re.compile(r"[A-Za-z_][ -~]*").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class DescribedTable:
    """A table, and what was inferred of it.

    Attributes:
        description: What was inferred.
        keys: Names of the key attributes.
        size: Items and bytes in words.
        sampled: How many items were looked at.
        whole: Whether those are all.
    """

    description: TableDescription
    keys: tuple[str, ...]
    size: str
    sampled: int
    whole: bool


def render_file(tables: Sequence[DescribedTable], *, region: str, endpoint_url: str | None) -> str:
    """Write the file.

    Args:
        tables: At least one.
        region: Where they are.
        endpoint_url: The emulator that they are in, if they are.
    """
    return "\n".join(_lines(tables, region, endpoint_url)) + "\n"


def _lines(tables: Sequence[DescribedTable], region: str, endpoint_url: str | None) -> Iterator[str]:
    yield from _comment(
        0,
        "Written by dynalens init from a sample of items: every choice below is a guess with its reason beside it. "
        "Change what you like, then run: dynalens check",
    )
    yield "source:"
    yield f"  region: {_value(region)}"
    if endpoint_url:
        yield f"  endpoint_url: {_value(endpoint_url)} # an emulator; remove this line for AWS itself"
    yield "collections:"
    for number, table in enumerate(tables):
        if number:
            yield ""
        yield from _table(table)


def _table(table: DescribedTable) -> Iterator[str]:
    description = table.description
    yield from _comment(2, f"Table {description.table}: {table.size}; key {', '.join(table.keys)}. {_looked_at(table)}")
    for remark in description.remarks:
        yield from _comment(2, remark)
    if description.type_attribute is not None:
        types = count_of(sum(_is_named(collection) for collection in description.collections), "item type")
        yield from _comment(
            2, f"{description.type_attribute} names {types}, compared in lower case; each has its own collection."
        )
    for collection in description.collections:
        yield from _collection(collection, description)
    if description.rest_name is not None:
        yield from _comment(2, "Every item looked at has one of these types. To keep others too, remove the # below.")
        yield from (f"  # {line}" for line in _heading(description.rest_name, DEFAULT_ITEM_TYPE, description))


def _looked_at(table: DescribedTable) -> str:
    if table.whole:
        return "All of them were looked at."
    return f"{count_of(table.sampled, 'item')} from all over the table were looked at."


def _is_named(collection: Collection) -> bool:
    return collection.item_type not in {None, DEFAULT_ITEM_TYPE}


def _collection(collection: Collection, description: TableDescription) -> Iterator[str]:
    name, *settings = _heading(collection.name, collection.item_type, description)
    yield f"  {name}"
    if collection.seen:
        yield from _comment(4, _seen(collection))
    yield from (f"  {line}" for line in settings)
    if collection.search_fields or collection.geo:
        yield "    search:"
        yield from _search(collection)
    if collection.metrics:
        yield "    metrics:"
        for metric in collection.metrics:
            yield from _metric(metric)


def _heading(name: str, item_type: str | None, description: TableDescription) -> Iterator[str]:
    """Give the settings that say what a collection holds."""
    yield f"{name}:"
    yield f"  table: {_value(description.table)}"
    if item_type is not None and description.type_attribute is not None:
        yield f"  item_type: {_value(item_type)}"
        if description.type_attribute != NAMED_ALWAYS:
            yield f"  type_attribute: {_value(description.type_attribute)}"


def _seen(collection: Collection) -> str:
    shown = ", ".join(map(_attribute, collection.seen[:_MOST_SEEN]))
    more = len(collection.seen) - _MOST_SEEN
    return f"Seen in {count_of(collection.items, 'item')}: {shown}{f', and {more:,} more' if more > 0 else ''}."


def _attribute(seen: Seen) -> str:
    """Name an attribute with its types, and the share of items that have it where not all do."""
    # Rounded down, so that 100 % is never said of an attribute that some item lacks.
    share = "" if seen.share == 1 else f" {int(seen.share * 100) or '<1'} %"
    return f"{seen.name} ({'/'.join(seen.types)}{share})"


def _search(collection: Collection) -> Iterator[str]:
    if collection.search_fields:
        yield from _comment(6, "Every attribute is searched anyway; these paths can always be asked for by name.")
        yield "      fields:"
        yield from (f"        - {_value(name)}" for name in collection.search_fields)
    if collection.geo:
        yield from _comment(6, "These look like places; searches by distance ask for them by name.")
        yield "      geo:"
    for pair in collection.geo:
        yield f"        {_name(pair.name)}: [{_name(pair.latitude)}, {_name(pair.longitude)}]"


def _metric(metric: Metric) -> Iterator[str]:
    for sentence in metric.evidence:
        yield from _comment(6, f"{sentence}.")
    yield f"      {metric.name}:"
    if metric.buckets is not None:
        yield f"        every: {metric.buckets.every}"
        yield f"        time: {_value(metric.buckets.time)}"
        yield f"        keep: {metric.buckets.keep}"
    if metric.group_by is not None:
        yield f"        group_by: {_value(metric.group_by)}"
    yield "        count: true"
    if metric.sums:
        yield "        sum:"
        yield from (f"          {_name(each.attribute)}: {{decimals: {each.decimals}}}" for each in metric.sums)
    if metric.group_by is not None and metric.buckets is None:
        yield "        total: true"


# YAML.


def _comment(indent: int, text: str) -> Iterator[str]:
    """Wrap a text into lines of comment; what could end a line, or is none of a text file's characters, is escaped."""
    printable = "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
    prefix = " " * indent + "# "
    return iter(textwrap.wrap(printable, _WIDTH, initial_indent=prefix, subsequent_indent=prefix))


def _value(text: str) -> str:
    """Write a text as a value, in which `${` would begin a variable of the environment."""
    return _name(text.replace("${", "$${"))


def _name(text: str) -> str:
    """Write a text on one line, in quotes where YAML would read something else in it."""
    # The file is read with the types of YAML 1.2 and may be edited with those of 1.1, which PyYAML knows: what begins
    # like a number in either is quoted.
    style = None if _PLAIN(text) else '"'
    written: str = yaml.safe_dump(text, allow_unicode=True, width=float("inf"), default_style=style)
    return written.removesuffix("\n").removesuffix("\n...")
