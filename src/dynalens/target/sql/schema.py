"""Columns: which one an attribute gets from its first value, when it widens, and how the engine computes it.

An attribute's column is computed by the engine from the attribute's JSON fragment, by functions that never fail: a
value that does not fit is NULL there (an empty array, an empty map), and stays whole in `_doc`. A column keeps the kind
of its first value and only widens within numbers; a wider one is a new physical column that takes the name over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, get_args

from dynalens.change import Document, quoted_name
from dynalens.target.sql.engine import literal

Kind = Literal["string", "number", "scientific", "bool", "map", "strings", "numbers", "array"]
"""What a column holds. `scientific` are numbers of which one was spelled with an exponent, `1E-7`; `array` has seen
nothing in its arrays yet, and becomes `strings` or `numbers` with the first element."""

MOST_COLUMNS = 500
"""Attributes of one collection that get a column; the rest stand in `_doc` only."""

_RESERVED = {"_id", "_doc"}

_NUMBER = re.compile(rb"-?([0-9]+)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?")
_NUMBERS = re.compile(rb"\[-?[0-9][0-9.]*(?:,-?[0-9][0-9.]*)*\]")
_NULLS = re.compile(rb"\[(?:null(?:,null)*)?\]")
_DIGITS = re.compile(rb"([0-9]+)(?:\.([0-9]+))?")


class Digits(NamedTuple):
    """Digits before and after the decimal point: what a value needs, or what a column has room for."""

    integer: int
    fraction: int


class Decimal(NamedTuple):
    """The engine's fixed-point type: `precision` digits in all, `scale` of them after the point."""

    precision: int
    scale: int

    @property
    def room(self) -> Digits:
        """How many digits it has on each side of the point."""
        return Digits(self.precision - self.scale, self.scale)

    @property
    def bits(self) -> int:
        """How wide the engine stores it."""
        return 128 if self.precision <= 38 else 256  # noqa: PLR2004 - the engine's own border

    def __str__(self) -> str:
        """Give the engine's name of the type."""
        return f"Decimal({self.precision}, {self.scale})"


# Room for amounts, coordinates and milliseconds without widening, and for a product of three of them without overflow.
_FIRST_DECIMAL = Decimal(38, 9)
_MOST_DIGITS = 76
_INTEGER_STEPS, _FRACTION_STEPS = (29, 38), (9, 20, 38)
_SHORT = 9
"""Every column of numbers holds those of so few characters."""


@dataclass(frozen=True, slots=True)
class Column:
    """The column of one attribute.

    Attributes:
        number: Makes the physical name, `c1`, `c2` …: text of users never becomes one.
        name: The attribute's name.
        kind: What it holds.
        decimal: Its room for digits, for numbers and arrays of them.
    """

    number: int
    name: str
    kind: Kind
    decimal: Decimal = _FIRST_DECIMAL

    @property
    def physical(self) -> str:
        """The physical name."""
        return f"c{self.number}"

    @property
    def type(self) -> str:
        """The engine's type."""
        match self.kind:
            case "string":
                return "Nullable(String)"
            case "number" | "scientific":
                return f"Nullable({self.decimal})"
            case "bool":
                return "Nullable(Bool)"
            case "map":
                return "JSON"
            case "numbers":
                return f"Array({self.decimal})"
            case _:
                return "Array(Nullable(String))"

    @property
    def fragment(self) -> str:
        """SQL that gives the attribute's JSON fragment, empty where the document lacks the attribute."""
        return f"_attributes[{literal(attribute_key(self.name))}]"

    @property
    def fitting(self) -> str:
        """SQL that counts the documents whose value stands in the column; empty arrays do not count."""
        match self.kind:
            case "map":
                return f"countIf(isNotNull(JSONExtract({self.fragment}, 'Nullable(JSON)')))"
            case "strings" | "numbers" | "array":
                return f"countIf(notEmpty({self.physical}))"
            case _:
                return f"count({self.physical})"

    def definition(self) -> str:
        """Give the column's part of a CREATE or ALTER statement; its comment makes it readable back (`read_column`)."""
        comment = literal(f"{self.kind} {attribute_key(self.name)}")
        return f"{self.physical} {self.type} MATERIALIZED {self.expression()} COMMENT {comment}"

    def expression(self) -> str:
        """SQL that never fails. It names the fragment once: each insert pays for the length of these expressions."""
        return _EXPRESSIONS[self.kind](self.fragment, self.decimal)

    def widened(self, fragment: bytes) -> Column:
        """Give the column that also holds this value: itself when it does, or when no column of its kind could."""
        match self.kind:
            case "number" | "scientific":
                return self._with_number(fragment)
            case "numbers" if _NUMBERS.fullmatch(fragment):
                decimal = self._room_for(_digits_of_all(fragment))
                return self if decimal in {None, self.decimal} else replace(self, number=0, decimal=decimal)
            case "array" if fragment.startswith(b"[") and not _NULLS.fullmatch(fragment):
                return _first_array(self.name, fragment)
            case _:
                return self

    def _with_number(self, fragment: bytes) -> Column:
        if len(fragment) <= _SHORT and b"E" not in fragment and b"e" not in fragment:
            # Most numbers, and every column of numbers holds them.
            return self
        found = _NUMBER.fullmatch(fragment)
        if found is None:
            return self
        decimal = self._room_for(_digits_of(found))
        kind: Kind = "scientific" if found[3] else self.kind
        if decimal is None or (decimal, kind) == (self.decimal, self.kind):
            return self
        return Column(0, self.name, kind, decimal)

    def _room_for(self, need: Digits) -> Decimal | None:
        """Give the type that holds this too: the column's own where that will do, None where none does."""
        room = self.decimal.room
        if need.integer <= room.integer and need.fraction <= room.fraction:
            return self.decimal
        return _wider_decimal(Digits(max(need.integer, room.integer), max(need.fraction, room.fraction)))


def _string(raw: str, _: Decimal) -> str:
    return f"JSONExtract(if(startsWith({raw}, '\"'), {raw}, ''), 'Nullable(String)')"


def _bool(raw: str, _: Decimal) -> str:
    return f"JSONExtract(extract({raw}, '^(true|false)$'), 'Nullable(Bool)')"


def _map(raw: str, _: Decimal) -> str:
    return f"JSONExtract({raw}, 'JSON')"


def _array(raw: str, _: Decimal) -> str:
    return f"JSONExtract({raw}, 'Array(Nullable(String))')"


def _plain_number(raw: str, decimal: Decimal) -> str:
    """Take a number without exponent that fits: the engine's conversion would cut further digits off in silence."""
    fitting = literal(rf"^(-?[0-9]+(?:\.[0-9]{{1,{decimal.scale}}})?)$")
    return f"toDecimal{decimal.bits}OrNull(extract({raw}, {fitting}), {decimal.scale})"


def _any_number(raw: str, decimal: Decimal) -> str:
    """Take numbers with an exponent too, which moves the point."""
    spelled = f"match({raw}, {literal(r'^-?[0-9.]+[eE][-+]?[0-9]{1,4}$')})"
    fraction = f"length(extract({raw}, {literal(_FRACTION)})) - toInt32OrZero(extract({raw}, {literal(_EXPONENT)}))"
    parsed = f"toDecimal{decimal.bits}OrNull({raw}, {decimal.scale})"
    return f"if({spelled} AND {fraction} <= {decimal.scale}, {parsed}, {_plain_number(raw, decimal)})"


_FRACTION, _EXPONENT = r"\.([0-9]+)", r"[eE]\+?(-?[0-9]+)$"


def _numbers(raw: str, decimal: Decimal) -> str:
    """Split the text itself: the engine's JSON functions would take the numbers through doubles."""
    number = rf"-?[0-9]{{1,{decimal.room.integer}}}(?:\.[0-9]{{1,{decimal.scale}}})?"
    fitting = literal(rf"^\[((?:{number}[,\]])+)$")
    parse = f"toDecimal{decimal.bits}OrZero(x, {decimal.scale})"
    return f"arrayMap(x -> {parse}, extractAll(extract({raw}, {fitting}), '[^],]+'))"


_EXPRESSIONS: Mapping[Kind, Callable[[str, Decimal], str]] = {
    "string": _string,
    "number": _plain_number,
    "scientific": _any_number,
    "bool": _bool,
    "map": _map,
    "strings": _array,
    "numbers": _numbers,
    "array": _array,
}


def first_column(name: str, fragment: bytes) -> Column:
    """Give the column, still without a number, that an attribute gets from its first value that is not null."""
    match fragment[:1]:
        case b'"':
            return Column(0, name, "string")
        case b"{":
            return Column(0, name, "map")
        case b"t" | b"f":
            return Column(0, name, "bool")
        case b"[":
            return _first_array(name, fragment)
        case _:
            return Column(0, name, "number").widened(fragment)


def _first_array(name: str, fragment: bytes) -> Column:
    if _NULLS.fullmatch(fragment):
        return Column(0, name, "array")
    if not _NUMBERS.fullmatch(fragment):
        return Column(0, name, "strings")
    return Column(0, name, "numbers").widened(fragment)


def _digits_of(found: re.Match[bytes]) -> Digits:
    exponent = int(found[3] or 0)
    return Digits(max(1, len(found[1]) + exponent), max(0, len(found[2] or b"") - exponent))


def _digits_of_all(fragment: bytes) -> Digits:
    found = _DIGITS.findall(fragment)
    return Digits(max(len(integer) for integer, _ in found), max(len(fraction) for _, fraction in found))


def _wider_decimal(need: Digits) -> Decimal | None:
    """Give a type with room to spare, or else with exactly the room that is needed."""
    roomy = Digits(_step(need.integer, _INTEGER_STEPS), _step(need.fraction, _FRACTION_STEPS))
    room = roomy if sum(roomy) <= _MOST_DIGITS else need
    return Decimal(sum(room), room.fraction) if sum(room) <= _MOST_DIGITS else None


def _step(digits: int, steps: Iterable[int]) -> int:
    return next((step for step in steps if digits <= step), digits)


_WIDENS = {"number", "scientific", "numbers", "array"}


def changed_columns(columns: Mapping[str, Column], documents: Iterable[Document]) -> dict[str, Column]:
    """Find the columns, still without numbers, that these documents ask for: of new attributes, and wider ones."""
    after = dict(columns)
    for document in documents:
        for name, fragment in document.fragments.items():
            column = after.get(name)
            if column is not None:
                if column.kind in _WIDENS:
                    after[name] = column.widened(fragment)
            elif fragment != b"null" and len(after) < MOST_COLUMNS:
                after[name] = first_column(name, fragment)
    return {name: column for name, column in after.items() if columns.get(name) is not column}


def attribute_key(name: str) -> str:
    """Give an attribute's key in `_attributes`: its name as JSON, which spells even a lone surrogate."""
    return quoted_name(name)[:-1].decode()


def read_column(physical: str, engine_type: str, comment: str) -> Column | None:
    """Read a column back from what the engine keeps of it; None when it is not one of an attribute."""
    kind, _, key = comment.partition(" ")
    if kind not in get_args(Kind):
        return None
    digits = re.search(r"Decimal\((\d+), (\d+)\)", engine_type)
    decimal = Decimal(int(digits[1]), int(digits[2])) if digits else _FIRST_DECIMAL
    return Column(int(physical[1:]), json.loads(key), kind, decimal)  # type: ignore[arg-type] # checked above


def document_expression(attributes: str, prefix: str) -> str:
    """Join a document's fragments to the JSON that it was: no JSON function touches it, so every digit stays."""
    members = (
        f"arrayMap(({prefix}n, {prefix}v) -> concat({prefix}n, ':', {prefix}v),"
        f" mapKeys({attributes}), mapValues({attributes}))"
    )
    return f"concat('{{', arrayStringConcat({members}, ','), '}}')"


DOCUMENT = document_expression("_attributes", "k")
"""SQL that gives a document's JSON from a row of a physical table."""


def view_names(columns: Mapping[str, Column]) -> dict[str, str]:
    """Give each attribute's column name in the view: its own, where the view and SQL allow it.

    `_id`, `_doc` and the empty name get underscores behind them until the name is free; a lone surrogate, which no
    engine takes, is spelled as JSON does.
    """
    own = {name: name for name in columns if name and name not in _RESERVED and _is_text(name)}
    taken = _RESERVED | set(own)
    for name in columns:
        if name not in own:
            label = name.encode("utf-8", "backslashreplace").decode()
            while not label or label in taken:
                label += "_"
            own[name] = label
            taken.add(label)
    return {name: own[name] for name in columns}


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
