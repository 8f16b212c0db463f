"""Whole values: from what a query compares with to the tokens that say the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from dynalens.errors import RequestError
from dynalens.search import ID, Range, Value
from dynalens.target.search.language.encode import printable
from dynalens.target.search.language.limits import hold
from dynalens.target.search.language.tokens import (
    BOOL,
    DATE,
    DATE_STRING,
    LONGEST_EXACT,
    NUMBER,
    STRING,
    bool_token,
    date_bounds,
    number_token,
    string_token,
    text_tokens,
)

_SPELLS_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d{1,4})?", re.ASCII)
_YEAR = re.compile(r"\d{4}", re.ASCII)
_SPELLS_BOOL = {"true": True, "false": False}

_LARGEST_SIZE = 499
"""Digits before the point that tokens tell apart; DynamoDB's numbers have 126 at most."""


class Interval(NamedTuple):
    """Tokens from one to another; None is open. `inclusive` says it of each end."""

    lower: str | None
    upper: str | None
    inclusive: tuple[bool, bool]


class _Bound(NamedTuple):
    token: str
    included: bool


def spells_value(text: str) -> bool:
    """Tell whether a text also stands for a number or a boolean, in the way that JSON spells them."""
    return text in _SPELLS_BOOL or _SPELLS_NUMBER.fullmatch(text) is not None


def tokens_of(value: Value) -> tuple[str, ...]:
    """Give the tokens that a value equals: a text also the number or boolean that it spells, and the other way round.

    Raises:
        RequestError: A number that is not finite.
    """
    match value:
        case bool():
            return bool_token(value), string_token(str(value).lower())
        case str():
            # Only the text of a date: two spellings of one moment are two values.
            return (text_tokens(printable(value))[0], *_spelled_tokens(value))
        case _:
            return _number_bound(value), *_spellings(value)


def _spelled_tokens(text: str) -> Iterator[str]:
    if text in _SPELLS_BOOL:
        yield bool_token(_SPELLS_BOOL[text])
    elif _SPELLS_NUMBER.fullmatch(text):
        yield _number_bound(Decimal(text))


def _spellings(value: int | Decimal) -> Iterator[str]:
    # Python refuses to write integers of thousands of digits.
    if abs(Decimal(value).adjusted()) <= _LARGEST_SIZE:
        yield string_token(str(value))


def _number_bound(value: int | Decimal) -> str:
    """Give a number's token; beyond what tokens tell apart, the place where it would stand."""
    number = Decimal(value)
    if not number.is_finite():
        raise RequestError(f"{value} is no number that a field can have.", hint="Write a number, such as 12.5.")
    size = number.adjusted() + 1
    if not number or abs(size) <= _LARGEST_SIZE:
        return number_token(str(number))
    if size > 0:
        return NUMBER + ("3" if number > 0 else "0")
    return NUMBER + ("2" if number > 0 else "0z")


# Ranges. Every bound is read in each way that it may be meant; a way counts when all bounds can be read in it.


def intervals(asked: Range) -> list[Interval]:
    """Give the intervals of tokens that a range with at least one bound means; a value lies in one of them.

    Numbers and booleans are compared with such values alone. Texts that are dates are compared as dates, others with
    strings by code point; where all bounds spell numbers, they are also compared with numbers, so that a bound from a
    URL finds both the number 10 and the string "10", and where all are years, `2019`, with the dates in these years.

    Raises:
        RequestError: The bounds are of several types.
        QueryLimitError: A bound has more characters than tokens spell.
    """
    bounds = {name: value for name in ("gt", "gte", "lt", "lte") if (value := getattr(asked, name)) is not None}
    found = list(_readings(asked.field, bounds))
    if not found:
        raise RequestError(
            f"The bounds of the range on {asked.field!r:.100} are of several types: {_listed(bounds)}.",
            hint="Write bounds of one type: numbers, texts or ISO 8601 dates.",
        )
    return found


def _readings(field: str, bounds: Mapping[str, Value]) -> Iterator[Interval]:
    values = bounds.values()
    if field == ID:
        yield _interval(bounds, partial(_string_at, STRING), STRING)
    elif any(isinstance(value, bool) for value in values):
        if all(isinstance(value, bool) for value in values):
            yield _interval(bounds, _bool_at, BOOL)
    elif all(isinstance(value, str) and _instants(value) for value in values):
        yield _interval(bounds, _date_at, DATE)
        if all(map(_is_number, values)):
            # Years: texts that are dates are compared as such alone.
            yield from _numbers_and_strings(bounds, STRING)
    else:
        yield from _numbers_and_strings(bounds, STRING, DATE_STRING)


def _numbers_and_strings(bounds: Mapping[str, Value], *kinds: str) -> Iterator[Interval]:
    values = bounds.values()
    if all(_is_number(value) for value in values):
        yield _interval(bounds, _number_at, NUMBER)
    if all(isinstance(value, str) for value in values):
        for kind in kinds:
            yield _interval(bounds, partial(_string_at, kind), kind)


def _interval(bounds: Mapping[str, Value], token_at: Callable[[str, Value], str], kind: str) -> Interval:
    """Give the narrowest interval within a kind; without a bound it ends where the kind does."""
    tokens = {name: token_at(name, value) for name, value in bounds.items()}
    lowers = [_Bound(tokens[name], name == "gte") for name in ("gt", "gte") if name in tokens]
    uppers = [_Bound(tokens[name], name == "lte") for name in ("lt", "lte") if name in tokens]
    lower = max(lowers, key=lambda bound: (bound.token, not bound.included), default=_Bound(kind, included=True))
    upper = min(uppers, default=_Bound(chr(ord(kind) + 1), included=False))
    return Interval(lower.token, upper.token, (lower.included, upper.included))


def _is_number(value: Value) -> bool:
    return not isinstance(value, str) or _SPELLS_NUMBER.fullmatch(value) is not None


def _number_at(_name: str, value: Value) -> str:
    return _number_bound(Decimal(value))


def _string_at(kind: str, _name: str, value: Value) -> str:
    text = str(value)
    hold(len(text), LONGEST_EXACT, "characters in the bound of a range", "Write a shorter bound.")
    return string_token(printable(text), kind)


def _bool_at(_name: str, value: Value) -> str:
    return bool_token(bool(value))


def _date_at(name: str, value: Value) -> str:
    first, last = _instants(str(value)) or ("", "")
    return last if name in {"gt", "lte"} else first


def _instants(text: str) -> tuple[str, str] | None:
    """Give the first and the last instant that a date stands for, or a year."""
    if not _YEAR.fullmatch(text):
        return date_bounds(text)
    january, december = date_bounds(f"{text}-01"), date_bounds(f"{text}-12")
    return (january[0], december[1]) if january and december else None


def _listed(bounds: Mapping[str, Value]) -> str:
    return ", ".join(f"{name} {value!r:.50}" for name, value in bounds.items())
