"""Items as Python writes them, in DynamoDB JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal

from dynalens.change import Typed


def typed_item(item: Mapping[str, object]) -> dict[str, Typed]:
    """Give an item in DynamoDB JSON: None is NULL, a frozenset a set, bytes are binary."""
    return {name: typed(value) for name, value in item.items()}


def typed(value: object) -> Typed:
    """Give one value in DynamoDB JSON.

    Raises:
        TypeError: DynamoDB has no type for it.
    """
    match value:
        case None:
            return {"NULL": True}
        case list():
            return {"L": [typed(member) for member in value]}
        case Mapping():
            return {"M": {name: typed(member) for name, member in value.items()}}
        case frozenset():
            return _set([typed(member) for member in value])
    return _scalar(value)


def _scalar(value: object) -> Typed:
    match value:
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case str():
            return {"S": value}
        case bytes():
            return {"B": base64.b64encode(value).decode()}
    raise TypeError(f"no DynamoDB type for {value!r}")


def _set(members: list[Typed]) -> Typed:
    [kind] = {kind for member in members for kind in member}
    return {f"{kind}S": sorted(member[kind] for member in members)}
