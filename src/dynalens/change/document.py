"""Documents: typed attributes to plain JSON, every digit kept, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from orjson import Fragment

from dynalens.change.value import (
    MALFORMED,
    PLAIN_NUMBER,
    DecodeError,
    NumberText,
    Typed,
    base64_text,
    dump,
    json_number,
    load_exact,
    load_object,
    reason,
)


class _Rendered(NamedTuple):
    fragments: Mapping[str, bytes]
    json: bytes
    types: bytes


class Document:
    """One item, rendered once. Immutable, and equal to a document of the same content.

    The old image of a change is rendered at its first use: most tables route and count by the new one alone. Until
    then it is the bytes of its DynamoDB JSON, a fifth of what the parsed item takes.

    Args:
        fragments: Plain JSON of each top-level attribute, by attribute name, in the item's order.
        json: The whole document as plain JSON.
        types: What plain JSON cannot say (binary and sets) as JSON, by path; empty for most items. With it
            `typed_item` gives the DynamoDB JSON back.
    """

    __slots__ = ("_image", "_rendered")

    _image: bytes
    _rendered: _Rendered | None

    def __init__(self, fragments: Mapping[str, bytes], json: bytes, types: bytes = b"") -> None:
        self._image = b""
        self._rendered = _Rendered(fragments, json, types)

    @classmethod
    def unrendered(cls, item: Mapping[str, Typed]) -> Document:
        """Keep an item in DynamoDB JSON, to be rendered at first use; a malformed one raises `DecodeError` then."""
        document = cls.__new__(cls)
        document._image = dump(item)  # noqa: SLF001 - its own, just made
        document._rendered = None  # noqa: SLF001 - its own, just made
        return document

    @property
    def fragments(self) -> Mapping[str, bytes]:
        """Plain JSON of each top-level attribute, by attribute name, in the item's order."""
        return (self._rendered or self._render()).fragments

    @property
    def json(self) -> bytes:
        """The whole document as plain JSON."""
        return (self._rendered or self._render()).json

    @property
    def types(self) -> bytes:
        """What plain JSON cannot say (binary and sets) as JSON, by path; empty for most items."""
        return (self._rendered or self._render()).types

    def typed(self) -> dict[str, Typed]:
        """Give the item back in DynamoDB JSON."""
        return load_object(self._image) if self._image else typed_item(self.json, self.types)

    def _render(self) -> _Rendered:
        # Two threads may both come here: they render the same.
        self._rendered = rendered = _render(load_object(self._image))
        return rendered

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Document):
            return NotImplemented
        return self.json == other.json and self.types == other.types

    def __hash__(self) -> int:
        return hash((self.json, self.types))

    def __repr__(self) -> str:
        return f"Document({self.json!r})"


def render(item: Mapping[str, Typed]) -> Document:
    """Render an item in DynamoDB JSON once, to plain JSON.

    Numbers keep every digit, sets and lists are arrays, binary is base64 text, NULL is null.

    Raises:
        DecodeError: An attribute has an unknown type, or a value that its type cannot hold; the message names it.
    """
    return Document(*_render(item))


def quoted_name(name: str) -> bytes:
    """Give an attribute name as JSON with its colon: `"amount":`."""
    return dump(name) + b":"


def _render(item: Mapping[str, Typed]) -> _Rendered:
    hints: dict[str, Any] = {}
    try:
        plain = {name: _plain(typed, name, hints) for name, typed in item.items()}
        fragments = {name: dump(value) for name, value in plain.items()}
        return _Rendered(fragments, dump(plain), dump(hints) if hints else b"")
    except MALFORMED as error:
        raise DecodeError(_culprit(item) or reason(error)) from error


def _plain(typed: Typed, name: str, hints: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    """Give what orjson writes as the plain JSON of a value; what that cannot say goes to `hints`, under `name`."""
    if typed == {}:
        # DynamoDB Local 3.3 leaves the type of an empty map out of its stream records.
        return {}
    (kind,) = typed
    value = typed[kind]
    if kind == "S" and isinstance(value, str):
        return value
    if kind == "N":
        return Fragment(value if PLAIN_NUMBER(value) else json_number(value))
    if kind == "M":
        inner: dict[str, Any] = {}
        members = {key: _plain(member, key, inner) for key, member in value.items()}
        if inner:
            hints[name] = {"M": inner}
        return members
    return _plain_rare(kind, value, name, hints)


def _plain_rare(kind: str, value: Any, name: str, hints: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    match kind:
        case "BOOL" if isinstance(value, bool):
            return value
        case "NULL":
            return None
        case "L" if isinstance(value, list):
            inner: dict[str, Any] = {}
            members = [_plain(member, str(index), inner) for index, member in enumerate(value)]
            if inner:
                hints[name] = {"L": inner}
            return members
        case "B" if isinstance(value, (str, bytes)):
            hints[name] = kind
            return base64_text(value)
        case "SS" | "NS" | "BS" if isinstance(value, list):
            # A set is a list whose members all have the type that its name begins with.
            members = [_plain({kind[0]: member}, name, hints) for member in value]
            hints[name] = kind
            return members
    raise DecodeError(f"type {kind!r:.60} with value {value!r:.60} is unknown")


def _culprit(item: Any) -> str:  # noqa: ANN401 - whatever stood in place of an item
    """Name the attribute that could not be rendered, and why."""
    if not isinstance(item, Mapping):
        return f"{item!r:.60} is not an item"
    for name, typed in item.items():
        try:
            _plain(typed, name, {})
        except MALFORMED as error:
            return f"attribute {name!r:.60}: {reason(error)}"
    return ""


# The way back: plain JSON and its type hints to DynamoDB JSON.


def typed_item(document: bytes, types: bytes = b"") -> dict[str, Typed]:
    """Give a document's typed attributes back, as DynamoDB JSON: the inverse of `render`."""
    plain = load_exact(document)
    hints = json.loads(types) if types else {}
    return {name: _typed_value(value, hints.get(name)) for name, value in plain.items()}


def _typed_value(value: Any, hint: Any) -> Typed:  # noqa: ANN401 - any JSON value
    match value:
        case list() if isinstance(hint, str):
            return {hint: [str(member) for member in value]}
        case list():
            inner = hint["L"] if hint else {}
            return {"L": [_typed_value(member, inner.get(str(index))) for index, member in enumerate(value)]}
        case dict():
            inner = hint["M"] if hint else {}
            return {"M": {name: _typed_value(member, inner.get(name)) for name, member in value.items()}}
        case NumberText():
            return {"N": str(value)}
        case str():
            return {hint or "S": value}
    return {"NULL": True} if value is None else {"BOOL": value}
