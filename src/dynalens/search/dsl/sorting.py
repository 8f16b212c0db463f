"""The order of hits, and where to go on in it: `sort` and `search_after`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from dynalens.search.dsl.clause import one_member, read_field
from dynalens.search.dsl.limits import SORT_KEYS
from dynalens.search.dsl.reading import Part
from dynalens.search.request import ID, SCORE, SortKey, Value

_ORDERS: Mapping[str, bool] = {"asc": False, "desc": True}
_ANY_ORDER = frozenset({"_doc", "_shard_doc"})
"""Orders that only need to be complete: here the id's."""

_REFUSED: Mapping[str, str] = {
    "format": "Leave it out: sort values have the form that documents have.",
    "nested": "Leave it out: fields within lists and maps are reached by their path, address.city.",
    "nested_path": "Leave it out: fields within lists and maps are reached by their path, address.city.",
    "numeric_type": "Leave it out: numbers of all kinds have one order.",
}


def read_sort(part: Part | None) -> tuple[SortKey, ...]:
    """Read `"a"`, `{"a": "desc"}`, `{"a": {"order": "desc", "missing": "_first"}}` or a list of these."""
    if part is None:
        return ()
    keys = [key for entry in part.one_or_more() for key in _read_entry(entry)]
    if len(keys) > SORT_KEYS:
        raise part.beyond("sort keys", SORT_KEYS, "Sort by fewer fields.")
    return tuple(keys)


def _read_entry(part: Part) -> list[SortKey]:
    if isinstance(part.value, str):
        return [sort_key(_named(part), descending=None)]
    members = part.members('Write "amount" or {"amount": "desc"}.')
    if not members:
        one_member(part, 'Write "amount" or {"amount": "desc"}.')
    return [_read_key(_named(Part(inner.path, name)), inner) for name, inner in members.items()]


def _read_key(name: Part, inner: Part) -> SortKey:
    if name.value in ("_geo_distance", "_script"):
        raise inner.wrong("is no order that is supported.", "Sort by a field, _score or _id.")
    if isinstance(inner.value, str):
        return sort_key(name, descending=inner.choice(_ORDERS))
    options = inner.options(("order", "missing", "mode", "unmapped_type"), _REFUSED)
    descending = options["order"].choice(_ORDERS) if "order" in options else None
    key = sort_key(name, descending=descending, missing_first=_missing_first(options))
    _require_own_mode(options, key)
    return key


def _named(name: Part) -> Part:
    return Part(name.path, ID if name.value in _ANY_ORDER else read_field(name)[0])


def sort_key(name: Part, *, descending: bool | None, missing_first: bool = False) -> SortKey:
    """Make a key of a field's name; no direction means best first for `_score`, else ascending."""
    if name.value == SCORE:
        if descending is False:
            raise name.wrong("is sorted worst first.", "Sort by _score descending, or by a field.")
        return SortKey(SCORE)
    return SortKey(name.field(), bool(descending), missing_first)


def _missing_first(options: Mapping[str, Part]) -> bool:
    missing = options.get("missing")
    return missing.choice({"_last": False, "_first": True}) if missing else False


def _require_own_mode(options: Mapping[str, Part], key: SortKey) -> None:
    """A list has the place of its least member in rising order, of its greatest in falling order."""
    own: Literal["max", "min"] = "max" if key.descending else "min"
    if "mode" in options and options["mode"].value != own:
        raise options["mode"].wrong(f"is not {own}, which this order has.", "Leave it out.")


def read_after(part: Part | None, sort: tuple[SortKey, ...]) -> tuple[Value | None, ...]:
    """Read the sort values of the last hit seen."""
    if part is None:
        return ()
    values = part.items("Write the sort values of the last hit, as a list.")
    if not values or len(values) != len(sort):
        raise part.wrong(
            f"has {len(values)} values, and sort {len(sort)} keys.",
            "Write sort, and the sort values of the last hit as they are in the answer.",
        )
    if any(key.field == SCORE for key in sort):
        raise part.wrong("goes on in an order by _score, which changes with every write.", "Sort by fields, or scroll.")
    return tuple(None if value.value is None else value.scalar() for value in values)
