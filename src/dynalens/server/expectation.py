"""What a document is expected to hold: `filter=`'s syntax, judged by the document as a target gives it back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from dynalens.change import NumberText, load_exact, moments
from dynalens.errors import RequestError
from dynalens.search import Query, Range, Term, Value
from dynalens.search.parameters import read_filter

GONE = "gone"
_TRUTH = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Expectation:
    """That a document is there and a field of it holds a value, or lies in a range; or that it is gone."""

    asked: Term | Range | None

    def met_by(self, document: bytes | None) -> bool:
        """Say whether a document, as JSON, or none, is as expected."""
        if self.asked is None or document is None:
            return self.asked is None and document is None
        meets = _equals(self.asked.value) if isinstance(self.asked, Term) else _within(self.asked)
        return any(meets(value) for value in _values(load_exact(document), self.asked.field))


def read_expectation(text: str) -> Expectation:
    """Read `gone`, or what `filter=` takes for one field.

    Raises:
        RequestError: It is neither.
    """
    if text == GONE:
        return Expectation(None)
    query: Query = read_filter(text)
    if not isinstance(query, Term | Range):
        raise RequestError("expect names no field of a document.", hint="Write expect=FIELD:VALUE, or expect=gone.")
    return Expectation(query)


def _values(value: Any, path: str) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """Give what lies at a path of names joined by dots, each member of an array by itself."""
    if isinstance(value, list):
        for member in value:
            yield from _values(member, path)
    elif not path:
        yield value
    elif isinstance(value, dict):
        for name, member in value.items():
            if path == name or path.startswith(f"{name}."):
                yield from _values(member, path[len(name) + 1 :])


def _equals(wanted: Value) -> Callable[[Any], bool]:
    """A text also stands for the number or boolean that it spells."""

    def meets(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        match value:
            case bool():
                return value is _TRUTH.get(str(wanted).lower())
            case NumberText():
                return Decimal(value) == _number(wanted)
        return bool(value == str(wanted))

    return meets


def _within(asked: Range) -> Callable[[Any], bool]:
    """Numbers are compared with numbers, dates with dates by their moment, other texts by code point."""

    def meets(value: Any) -> bool:  # noqa: ANN401 - any JSON value
        if isinstance(value, bool) or not isinstance(value, str):
            return False
        bounds = {name: bound for name in ("gt", "gte", "lt", "lte") if (bound := getattr(asked, name)) is not None}
        return all(_compared(name, value, bound) for name, bound in bounds.items())

    return meets


def _compared(name: str, value: str, bound: Value) -> bool:
    if isinstance(value, NumberText) or not isinstance(bound, str):
        number, limit = _number(value), _number(bound)
        return (
            number is not None and limit is not None and isinstance(value, NumberText) and _ordered(name, number, limit)
        )
    moment, span = moments(value), moments(bound)
    if moment is not None and span is not None:
        # A date covers all of its time: later than a day is after its end, and up to a day includes it.
        return _ordered(name, moment[0], span[1] if name in {"gt", "lte"} else span[0])
    return _ordered(name, value, bound)


def _ordered(name: str, one: Any, other: Any) -> bool:  # noqa: ANN401 - two values of one type that has an order
    comparisons = {"gt": one > other, "gte": one >= other, "lt": one < other, "lte": one <= other}
    return bool(comparisons[name])


def _number(value: Value) -> Decimal | None:
    if isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
