"""One value of a request and the place where it stands: reads it as what is expected there, or says what to write."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import TypeVar

from dynalens.errors import QueryLimitError, RequestError
from dynalens.search.dsl.limits import FIELD_CHARACTERS, NUMBER_DIGITS, TEXT_CHARACTERS
from dynalens.search.request import Value

Choice = TypeVar("Choice")

_SHOWN_CHARACTERS = 60
_NUMBER_BITS = NUMBER_DIGITS * 10 // 3


@dataclass(frozen=True, slots=True)
class Part:
    """A parsed JSON value (numbers as int or Decimal) and its place, such as `query.bool.must[0].match.title`.

    Every reading method raises `RequestError` where the value is of another kind, and `QueryLimitError` where it
    passes a limit.
    """

    path: str
    value: object

    def wrong(self, problem: str, hint: str) -> RequestError:
        """Give the error to raise about this value."""
        return RequestError(f"{self.path or 'The body'} {problem}", hint=hint)

    def beyond(self, what: str, limit: int, hint: str) -> QueryLimitError:
        """Give the error to raise where this value passes a limit."""
        return QueryLimitError(f"{self.path or 'The body'}: the limit is {limit} {what}.", hint=hint)

    def kind(self) -> str:
        """Name the kind of the value in the words of JSON."""
        if isinstance(self.value, str):
            return f"the text {shown(self.value)!r}"
        if isinstance(self.value, Mapping):
            return "an object"
        if isinstance(self.value, Sequence):
            return "a list"
        return _SIMPLE.get(type(self.value), "no JSON value")

    def members(self, hint: str) -> dict[str, Part]:
        """Read an object of any names."""
        if not isinstance(self.value, Mapping):
            raise self.wrong(f"is {self.kind()}, not an object.", hint)
        for name in self.value:
            Part(f"{self.path}: the name {shown(str(name))!r}", name).text()
        return {name: Part(f"{self.path}.{shown(name)}".lstrip("."), value) for name, value in self.value.items()}

    def options(self, known: Collection[str], refused: Mapping[str, str]) -> dict[str, Part]:
        """Read an object of known names; `refused` tells of names that are well known elsewhere what to do instead."""
        members = self.members(f"Write an object of: {', '.join(known)}.")
        for name, part in members.items():
            if name not in known:
                raise part.wrong("is not supported.", refused.get(name) or closest(name, known))
        return members

    def items(self, hint: str) -> list[Part]:
        """Read a list of anything."""
        if isinstance(self.value, str) or not isinstance(self.value, Sequence):
            raise self.wrong(f"is {self.kind()}, not a list.", hint)
        return [Part(f"{self.path}[{index}]", value) for index, value in enumerate(self.value)]

    def one_or_more(self) -> list[Part]:
        """Read a list, or a single value as a list of one."""
        several = isinstance(self.value, Sequence) and not isinstance(self.value, str)
        return self.items("") if several else [self]

    def text(self, limit: int = TEXT_CHARACTERS) -> str:
        """Read a text of at most `limit` characters."""
        if not isinstance(self.value, str):
            raise self.wrong(f"is {self.kind()}, not a text.", "Write a text in quotes.")
        if len(self.value) > limit:
            raise self.beyond("characters", limit, "Write a shorter text.")
        if not self.value.isascii() and any("\ud800" <= character <= "\udfff" for character in self.value):
            raise self.wrong("holds half a character (a lone surrogate).", "Write valid Unicode.")
        return self.value

    def field(self) -> str:
        """Read the path of a field."""
        path = self.text(FIELD_CHARACTERS)
        if not path:
            raise self.wrong("is empty.", "Write the path of a field, for example address.city.")
        return path

    def flag(self) -> bool:
        """Read true or false."""
        if not isinstance(self.value, bool):
            raise self.wrong(f"is {self.kind()}.", "Write true or false, without quotes.")
        return self.value

    def whole(self, least: int, most: int) -> int:
        """Read a whole number of `least` to `most`."""
        if isinstance(self.value, bool) or not isinstance(self.value, int):
            raise self.wrong(f"is {self.kind()}, not a whole number.", f"Write a number from {least} to {most}.")
        if self.value < least:
            raise self.wrong("is too small.", f"Write a number from {least} to {most}.")
        if self.value > most:
            raise QueryLimitError(f"{self.path} passes the limit of {most}.", hint=f"Write at most {most}.")
        return self.value

    def number(self, least: int, most: int) -> float:
        """Read a number of `least` to `most`."""
        value = self.scalar() if isinstance(self.value, int | Decimal) else None
        if value is None or isinstance(value, str | bool):
            raise self.wrong(f"is {self.kind()}, not a number.", f"Write a number from {least} to {most}.")
        if not least <= value <= most:
            raise self.wrong("is out of range.", f"Write a number from {least} to {most}.")
        return float(value)

    def scalar(self) -> Value:
        """Read a value to compare with."""
        if isinstance(self.value, str):
            return self.text()
        if isinstance(self.value, bool):
            return self.value
        if isinstance(self.value, int | Decimal):
            return self._limited_number(self.value)
        if self.value is None:
            raise self.wrong(
                "is null, which nothing can equal.",
                'Write {"bool": {"must_not": {"exists": {"field": …}}}} for documents without a value.',
            )
        raise self.wrong(f"is {self.kind()}.", "Write one text, number, true or false.")

    def choice(self, choices: Mapping[str, Choice]) -> Choice:
        """Read one of several texts, whatever its letter case."""
        hint = f"Write one of: {', '.join(choices)}."
        text = self.text().lower()
        if text not in choices:
            raise self.wrong(f"is {self.kind()}.", hint)
        return choices[text]

    def _limited_number(self, value: int | Decimal) -> int | Decimal:
        if isinstance(value, Decimal):
            _, digits, exponent = value.as_tuple()
            if not isinstance(exponent, int):
                raise self.wrong("is no finite number.", "Write a number in digits.")
            fits = len(digits) <= NUMBER_DIGITS and abs(exponent) + len(digits) <= NUMBER_DIGITS
        else:
            fits = value.bit_length() <= _NUMBER_BITS
        if not fits:
            raise self.beyond("digits", NUMBER_DIGITS, "Write a number that a document may hold.")
        return value


_SIMPLE = {type(None): "null", bool: "true or false", int: "a number", Decimal: "a number", float: "a rounded number"}


def shown(text: str) -> str:
    """Cut a text of a request to a length, and to characters, that an error can carry."""
    cut = text if len(text) <= _SHOWN_CHARACTERS else text[: _SHOWN_CHARACTERS - 1] + "…"
    return cut.encode("utf-8", "replace").decode()


def closest(name: str, known: Collection[str]) -> str:
    """Advise the known name that was probably meant, or list all."""
    found = get_close_matches(shown(name), known, n=1)
    return f"Did you mean {found[0]}?" if found else f"Known here: {', '.join(known)}."
