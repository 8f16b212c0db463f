"""Reading a stored document again: its values by path, as `encode` saw them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, NamedTuple, TypeAlias

from dynalens.change import NumberText, load_exact
from dynalens.search import ID, Value
from dynalens.target.search.language.encode import ID_ATTRIBUTE, printable
from dynalens.target.search.language.tokens import bool_token, number_token, text_tokens

_LARGEST_PLAIN = 10**40


LeafValue: TypeAlias = str | bool
"""A text (`NumberText` for numbers) or a boolean."""


class Leaf(NamedTuple):
    """One value and its path."""

    path: str
    value: LeafValue


def leaves(document: bytes, wanted: Callable[[str], bool]) -> Iterator[Leaf]:
    """Give the values of a document in order, of the attributes and inner names whose path is `wanted`."""
    item = load_exact(document)
    for name, value in item.items():
        yield from _leaves(ID_ATTRIBUTE if name == ID else printable(name), value, wanted)


def _leaves(path: str, value: Any, wanted: Callable[[str], bool]) -> Iterator[Leaf]:  # noqa: ANN401 - any JSON value
    if value is None or not wanted(path):
        return
    match value:
        case dict():
            for name, member in value.items():
                yield from _leaves(f"{path}.{printable(name)}", member, wanted)
        case list():
            for member in value:
                yield from _leaves(path, member, wanted)
        case _:
            yield Leaf(path, value if isinstance(value, bool | NumberText) else printable(value))


def leads_to(target: str) -> Callable[[str], bool]:
    """Give the rule for paths at which a value at `target` may be found."""
    return lambda path: path == target or target.startswith(f"{path}.")


def values_at(document: bytes, path: str) -> list[LeafValue]:
    """Give the values at one path."""
    return [leaf.value for leaf in leaves(document, leads_to(path)) if leaf.path == path]


def sort_token(value: LeafValue) -> str:
    """Give the token that a value of a document sorts as: of a date, its point in time."""
    if isinstance(value, bool):
        return bool_token(value)
    return number_token(value) if isinstance(value, NumberText) else text_tokens(value)[-1]


def plain(value: LeafValue) -> Value:
    """Give a value of a document for an answer: numbers as such, with every digit."""
    return number(Decimal(value)) if isinstance(value, NumberText) else value


def number(value: Decimal) -> int | Decimal:
    """Give whole numbers of a usual size as integers, which are written without an exponent."""
    return int(value) if abs(value) < _LARGEST_PLAIN and value == value.to_integral_value() else value
