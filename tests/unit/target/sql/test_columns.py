"""What the engine computes for a column: exactly the value, or nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from decimal import Decimal as Exact
from decimal import localcontext
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dynalens.target.sql.embedded import EmbeddedEngine
from dynalens.target.sql.engine import literal
from dynalens.target.sql.schema import Column, attribute_key, changed_columns
from tests.unit.target.sql.test_schema import documents

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

# Numbers as JSON spells them, around what columns hold: up to 45 digits on each side, with and without exponents.
DIGITS = st.text("0123456789", min_size=1, max_size=45)
INTEGERS = DIGITS.map(lambda digits: digits.lstrip("0") or "0")
NUMBERS = st.builds(
    "{}{}{}{}".format,
    st.sampled_from(["", "-"]),
    INTEGERS,
    st.just("") | DIGITS.map(".{}".format),
    st.sampled_from(["", "", "", "E+3", "e-7", "E-20", "E+60", "E-130", "E+125"]),
)
PLAIN = st.builds("{}{}{}".format, st.sampled_from(["", "-"]), INTEGERS, st.just("") | DIGITS.map(".{}".format))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("columns"))
    opened = engine.open()
    yield opened
    opened.close()
    engine.close()


def computed(client: Client, column: Column, fragments: Sequence[bytes]) -> list[Any]:
    """Give what the engine puts into a column for each fragment; numbers as decimals."""
    values = ", ".join(literal(fragment.decode()) for fragment in fragments)
    key = literal(attribute_key(column.name))
    body = client.raw_query(
        f"SELECT CAST({column.expression()}, {literal(column.type)}) FROM"  # noqa: S608 - quoted
        f" (SELECT map({key}, arrayJoin([{values}])) AS _attributes)",
        fmt="JSONCompactEachRow",
    )
    return [json.loads(line, parse_float=Exact, parse_int=Exact)[0] for line in body.splitlines()]


@settings(max_examples=150)
@given(st.lists(NUMBERS, min_size=1, max_size=20))
def test_a_number_is_in_its_column_exactly_or_not_at_all(client: Client, numbers: list[str]) -> None:
    fragments = [number.encode() for number in numbers]
    column = changed_columns({}, documents(*fragments))["v"]
    with localcontext() as context:
        context.prec = 400
        exact = [Exact(number) for number in numbers]
        found = computed(client, column, fragments)
        assert [value for value, number in zip(found, exact, strict=True) if value not in {None, number}] == []
        held = [value is not None for value in found]
        assert held == [column.widened(fragment) is column and fits(column, fragment) for fragment in fragments]


def fits(column: Column, fragment: bytes) -> bool:
    """Whether the number needs no more digits than the column has, as its text spells it."""
    number = Exact(fragment.decode()).as_tuple()
    assert isinstance(number.exponent, int)
    room = column.decimal.room
    return -number.exponent <= room.fraction and len(number.digits) + number.exponent <= room.integer


@settings(max_examples=100)
@given(st.lists(st.lists(PLAIN, min_size=1, max_size=5), min_size=1, max_size=8))
def test_an_array_of_numbers_is_in_its_column_exactly_or_empty(client: Client, arrays: list[list[str]]) -> None:
    fragments = [f"[{','.join(array)}]".encode() for array in arrays]
    column = changed_columns({}, documents(*fragments))["v"]
    with localcontext() as context:
        context.prec = 400
        found = computed(client, column, fragments)
        for value, array in zip(found, arrays, strict=True):
            assert value in ([], [Exact(number) for number in array])
        if all(len(part) <= 28 for array in arrays for number in array for part in number.split(".")):
            assert [] not in found


@given(st.lists(st.text(), min_size=1, max_size=10))
def test_a_text_is_in_its_column_as_it_is(client: Client, texts: list[str]) -> None:
    fragments = [json.dumps(text, ensure_ascii=False).encode() for text in texts]
    assert computed(client, Column(1, "v", "string"), fragments) == texts


ODD = [
    b"",
    b"null",
    b"true",
    b"false",
    b"0",
    b"10",
    b"1E-7",
    b"0.12345678901234567890",
    b'""',
    b'"10"',
    b'"true"',
    b'"null"',
    b'"a\\"b"',
    b'"\\ud800"',
    b"[]",
    b"[1,2.50]",
    b"[1E5]",
    b"[1,null]",
    b'["a",null]',
    b'["\\ud800"]',
    b'[{"a":[1]}]',
    b"{}",
    b'{"a":{"b":1.5,"c":null},"d":"2019-08-07T07:26:56"}',
    b'{"a.b":1,"a":{"b":2}}',
    b'{"a":"\\ud800"}',
]


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("string", {b'""': "", b'"10"': "10", b'"true"': "true", b'"null"': "null", b'"a\\"b"': 'a"b'}),
        ("bool", {b"true": True, b"false": False}),
        ("number", {b"0": Exact(0), b"10": Exact(10)}),
        ("scientific", {b"0": Exact(0), b"10": Exact(10), b"1E-7": Exact("1E-7")}),
    ],
)
def test_what_does_not_fit_is_null(client: Client, kind: str, held: dict[bytes, object]) -> None:
    column = Column(1, "v", kind)  # type: ignore[arg-type] # listed above
    assert dict(zip(ODD, computed(client, column, ODD), strict=True)) == dict.fromkeys(ODD) | held


@pytest.mark.parametrize(
    ("kind", "held"),
    [
        ("numbers", {b"[1,2.50]": [Exact(1), Exact("2.5")]}),
        (
            "strings",
            {
                b"[1,2.50]": ["1", "2.5"],
                b"[1E5]": ["100000"],
                b"[1,null]": ["1", None],
                b'["a",null]': ["a", None],
                b'[{"a":[1]}]': ['{"a":[1]}'],
            },
        ),
    ],
)
def test_what_does_not_fit_an_array_is_empty(client: Client, kind: str, held: dict[bytes, object]) -> None:
    column = Column(1, "v", kind)  # type: ignore[arg-type] # listed above
    assert dict(zip(ODD, computed(client, column, ODD), strict=True)) == {value: [] for value in ODD} | held


def test_what_does_not_fit_a_map_is_empty(client: Client) -> None:
    held = {
        # Text that looks like a time stays text.
        b'{"a":{"b":1.5,"c":null},"d":"2019-08-07T07:26:56"}': {"a": {"b": Exact("1.5")}, "d": "2019-08-07T07:26:56"},
    }
    found = computed(client, Column(1, "v", "map"), ODD)
    assert dict(zip(ODD, found, strict=True)) == {value: {} for value in ODD} | held
