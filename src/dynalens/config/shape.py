"""Errors of shape: what pydantic found, said with the line, the place and what to write instead."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import get_close_matches
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import yaml
from pydantic import ValidationError
from pydantic.fields import FieldInfo

from dynalens.config.document import Document, Place, Problem
from dynalens.config.model import Config, Duration, Scalar, Section

_OUT_OF_RANGE = {
    "less_than_equal": "too large",
    "greater_than": "too small",
    "greater_than_equal": "too small",
    "int_from_float": "not a whole number",
}
_BOUNDS = ("gt", "ge", "le")
_EMPTY = {"string_too_short", "too_short"}


def shape_problems(error: ValidationError, document: Document, root: type[Section] = Config) -> Iterator[Problem]:
    """Explain each place once: a value that fits none of several types is one error, not one for each type.

    Args:
        error: What pydantic found.
        document: The file that it was found in.
        root: What the file holds as a whole.
    """
    explained: set[Place] = set()
    for details in error.errors(include_url=False, include_context=False, include_input=False):
        location, kind = details["loc"], details["type"]
        # A missing setting has no line; everything else does, and what pydantic appends (`[key]`, a type) has not.
        place = location if kind == "missing" else document.nearest(location)
        if place not in explained:
            explained.add(place)
            message = _name_message(place) if location[-1:] == ("[key]",) else _message(kind, place, document, root)
            yield Problem(document.line(place), place, message)


def unknown_message(section: type[Section], name: str) -> str:
    """Say that a section has no such setting, and which one was probably meant."""
    if name in section.later:
        return "is not in this version of Dynalens. Remove it."
    known = settings_of(section)
    close = get_close_matches(name, known, n=1)
    advice = f"Did you mean {close[0]}?" if close else f"Write one of: {', '.join(known)}."
    return f"is no setting. {advice}"


def settings_of(section: type[Section]) -> list[str]:
    """List the settings that the file may hold in a section."""
    return [name for name, field in section.model_fields.items() if not field.exclude]


def _name_message(place: Place) -> str:
    name = str(place[-1])
    if not name:
        return "is an empty name. Write the name of an attribute."
    suggestion = re.sub(r"\W", "_", name, flags=re.ASCII).lstrip("_0123456789")[:63]
    instead = f", for example {suggestion}" if suggestion else ""
    return f"cannot be a name here. Write letters, digits and _, a letter first, at most 63{instead}."


def _message(kind: str, place: Place, document: Document, root: type[Section]) -> str:
    if kind == "extra_forbidden":
        return unknown_message(_setting_at(root, place[:-1]).annotation, str(place[-1]))
    setting = _setting_at(root, place)
    if kind == "missing":
        return f"is missing. Write it, for example {setting.example}."
    written = document.written(place)
    if kind in _OUT_OF_RANGE:
        return f"{written} is {_OUT_OF_RANGE[kind]}. Write {setting.expected}."
    value = _value_at(document.values, place)
    if kind in _EMPTY or value is None:
        return f"is empty. Write {setting.expected}, for example {setting.example}."
    return f"{written} is {_kind_of(value)}. {_advice(setting, value, written)}".lstrip()


def _advice(setting: _Setting, value: object, written: str) -> str:
    if setting.annotation is str and written and not isinstance(value, list):
        return f'Write it in quotes: "{written}".'
    return f"Write {setting.expected}, for example {setting.example}."


@dataclass(frozen=True, slots=True)
class _Setting:
    """What may stand at a place: its type, and the named field that it is or belongs to."""

    annotation: Any
    name: str = ""
    field: FieldInfo | None = None

    def inner(self, part: str | int) -> _Setting:
        """Go one step down, into a section's field or to a member of a mapping or list."""
        if isinstance(self.annotation, type) and issubclass(self.annotation, Section):
            field = self.annotation.model_fields[str(part)]
            return _Setting(_plain(field.annotation), str(part), field)
        members = [argument for argument in get_args(self.annotation) if argument is not Ellipsis]
        return replace(self, annotation=_plain(members[-1]))

    @property
    def expected(self) -> str:
        """Say in words what to write."""
        if self.annotation is bool:
            return "true or false"
        if self.annotation in {int, float}:
            return self._number
        if self.annotation is str:
            return "text"
        if self.annotation is Duration:
            return "a whole number and s, m, h or d"
        if self.annotation == Scalar:
            return "one value: text, a number, true, false or null"
        return "a name or a list of names" if get_origin(self.annotation) is tuple else "settings under it"

    @property
    def _number(self) -> str:
        metadata = self.field.metadata if self.field else []
        limits = {bound: getattr(limit, bound) for limit in metadata for bound in _BOUNDS if hasattr(limit, bound)}
        if {"ge", "le"} <= limits.keys():
            return f"a number from {limits['ge']} to {limits['le']}"
        return f"a number above {limits['gt']:g}" if "gt" in limits else "a number"

    @property
    def example(self) -> str:
        """Give a line of the file that is right, such as `sum: {amount: {decimals: 2}}`."""
        value = self.field.examples[0] if self.field and self.field.examples else None
        return yaml.safe_dump({self.name: value}, default_flow_style=True, width=1000, sort_keys=False).strip()[1:-1]


def _setting_at(root: type[Section], place: Place) -> _Setting:
    setting = _Setting(root)
    for part in place:
        setting = setting.inner(part)
    return setting


def _plain(annotation: Any) -> Any:  # noqa: ANN401 - any type of a field
    """Give a type without its constraints, and without the None that only says "may be left out"."""
    if hasattr(annotation, "__metadata__"):
        annotation = annotation.__origin__
    if get_origin(annotation) in {Union, UnionType} and annotation != Scalar:
        [annotation] = [member for member in get_args(annotation) if member is not NoneType]
    return annotation


def _kind_of(value: object) -> str:
    match value:
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
    return "a mapping"


def _value_at(values: Any, place: Place) -> Any:  # noqa: ANN401 - any YAML value
    for part in place:
        values = values[part]
    return values
