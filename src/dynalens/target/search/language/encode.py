"""From a document to what the index holds of it: words, tokens, numbers and types by path, and points by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import orjson

from dynalens.change import Document, NumberText, load_exact, moment
from dynalens.search import ID
from dynalens.search.geo import Point
from dynalens.target.search.language.points import NO_POINTS, GeoPaths, points_of
from dynalens.target.search.language.tokens import bool_token, number_token, path_name, text_tokens
from dynalens.target.search.language.words import words

ID_ATTRIBUTE = "_id_"
"""Where an attribute called `_id` is found, as in SQL: under `_id` stands the document's id."""

_TYPES: Mapping[type, str] = {dict: "map", list: "array", bool: "bool", type(None): "null", str: "string"}


_MICROSECONDS_OF_INSTANT = 1000
_QUOTE = ord('"')
_NUMBER_STARTS = frozenset(b"-0123456789")


@dataclass(slots=True)
class Encoded:
    """What is looked up of one document.

    Attributes:
        everywhere: The words of each value, joined by spaces.
        text: The words of each value, by path.
        exact: The tokens of each value, by path.
        numbers: Each number as a 64-bit float, by path.
        instants: Each date in whole milliseconds since 1970, by path.
        points: The points that the collection declares, by name.
        types: Top-level attributes with their JSON types.
    """

    everywhere: list[str] = field(default_factory=list)
    text: dict[str, list[str]] = field(default_factory=dict)
    exact: dict[str, list[str]] = field(default_factory=dict)
    numbers: dict[str, list[float]] = field(default_factory=dict)
    instants: dict[str, list[int]] = field(default_factory=dict)
    points: dict[str, list[Point]] = field(default_factory=dict)
    types: list[str] = field(default_factory=list)

    def paths(self) -> AbstractSet[str]:
        """Give the names of the paths that have a value."""
        return self.exact.keys()

    def keep(self, paths: AbstractSet[str]) -> None:
        """Forget by name what lies at other paths; all fields together still hold it."""
        for path in self.exact.keys() - paths:
            del self.exact[path]
            self.text.pop(path, None)
            self.numbers.pop(path, None)
            self.instants.pop(path, None)


def encode(document: Document, points: GeoPaths = NO_POINTS) -> Encoded:
    """Read a document into what is looked up of it.

    Args:
        document: The document.
        points: The paths of the points that its collection declares.

    Raises:
        ValueError: It is no JSON object, which rendering does not give.
    """
    encoded = Encoded()
    hints = json.loads(document.types) if document.types else {}
    values = {name: _value(fragment) for name, fragment in document.fragments.items()}
    for name, value in values.items():
        encoded.types.append(attribute_type(name, _TYPES.get(type(value), "number")))
        _add(encoded, ID_ATTRIBUTE if name == ID else name, value, hints.get(name))
    for name, paths in points.items():
        if found := points_of(values, paths):
            encoded.points[name] = found
    return encoded


def _value(fragment: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read the JSON of one attribute, numbers as their text; most are strings and numbers by themselves."""
    first = fragment[0]
    if first == _QUOTE:
        with suppress(orjson.JSONDecodeError):  # lone surrogates
            return orjson.loads(fragment)
    elif first in _NUMBER_STARTS:
        return NumberText(fragment.decode())
    return load_exact(fragment)


def _add(encoded: Encoded, path: str, value: Any, hint: Any) -> None:  # noqa: ANN401 - any JSON value, any hint
    match value:
        case NumberText():
            encoded.numbers.setdefault(_name(path), []).append(float(value))
            _add_leaf(encoded, path, (number_token(value),), words(value))
        case str():
            _add_string(encoded, path, printable(value), is_text=hint != "B")
        case dict():
            inner = hint["M"] if hint else {}
            for name, member in value.items():
                _add(encoded, f"{path}.{name}", member, inner.get(name))
        case list():
            _add_members(encoded, path, value, hint)
        case bool():
            _add_leaf(encoded, path, (bool_token(value),), [])


def _add_members(encoded: Encoded, path: str, members: list[Any], hint: Any) -> None:  # noqa: ANN401 - any hint
    of_set = isinstance(hint, str)
    inner = {} if of_set or not hint else hint["L"]
    for index, member in enumerate(members):
        _add(encoded, path, member, hint[0] if of_set else inner.get(str(index)))


def _add_string(encoded: Encoded, path: str, text: str, *, is_text: bool) -> None:
    instant = moment(text)
    if instant is not None:
        encoded.instants.setdefault(_name(path), []).append(instant // _MICROSECONDS_OF_INSTANT)
    # Nobody looks for words in base64.
    _add_leaf(encoded, path, text_tokens(text), words(text) if is_text else [])


def _add_leaf(encoded: Encoded, path: str, tokens: tuple[str, ...], found: list[str]) -> None:
    name = _name(path)
    encoded.exact.setdefault(name, []).extend(tokens)
    if found:
        joined = " ".join(found)
        encoded.text.setdefault(name, []).append(joined)
        encoded.everywhere.append(joined)


@lru_cache(maxsize=1 << 14)
def _name(path: str) -> str:
    return path_name(printable(path))


def printable(text: str) -> str:
    """Give text without lone surrogates, which DynamoDB can hold and UTF-8 cannot."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


@lru_cache(maxsize=1 << 14)
def attribute_type(name: str, type_: str) -> str:
    """Write a top-level attribute and a JSON type as one term, in which any name has UTF-8."""
    return f"{type_} {json.dumps(name)}"


def read_attribute_type(term: str) -> tuple[str, str]:
    """Give attribute and JSON type back."""
    type_, _, name = term.partition(" ")
    return json.loads(name), type_
