"""SQL over the views, through the engine: what runs, what is refused, which limits hold, how answers look."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pyarrow.parquet  # type: ignore[import-untyped]
import pytest

from dynalens.errors import (
    NotFoundError,
    QueryRefusedError,
    RequestError,
)
from dynalens.target.sql import SqlTarget
from dynalens.target.sql.guard import Checked, Guard
from tests.unit.target.sql.corpus import HOSTILE, LEGITIMATE


def answer(sql: SqlTarget, query: str, **parameters: object) -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(sql.query(query, parameters).body, parse_float=Decimal)
    return found


def rows(sql: SqlTarget, query: str, **parameters: object) -> list[list[Any]]:
    found: list[list[Any]] = answer(sql, query, **parameters)["rows"]
    return found


@pytest.mark.parametrize("query", LEGITIMATE)
def test_a_legitimate_query_runs(sql: SqlTarget, query: str) -> None:
    assert sql.query(query, {}).rows == -1 or answer(sql, query)["columns"]


def test_a_query_may_be_as_long_as_the_limit(sql: SqlTarget) -> None:
    numbers = ",".join(str(number % 100) for number in range(85_000))
    assert rows(sql, f"SELECT count() FROM donations WHERE n IN ({numbers})") == [[30]]  # noqa: S608 - numbers
    texts = ",".join(f"'k{number}'" for number in range(25_000))
    assert rows(sql, f"SELECT count() FROM donations WHERE id IN ({texts})") == [[30]]  # noqa: S608 - own texts


@pytest.mark.parametrize("query", HOSTILE)
def test_a_hostile_query_is_refused_with_a_hint(sql: SqlTarget, query: str) -> None:
    with pytest.raises(RequestError) as refused:
        sql.query(query, {"t": "_dynalens.marks", "a": "x"})
    assert isinstance(refused.value, QueryRefusedError | NotFoundError)
    assert 400 <= refused.value.http_status < 500
    assert refused.value.message
    assert refused.value.hint


def test_the_corpora_are_large_enough() -> None:
    assert len(set(LEGITIMATE)) == len(LEGITIMATE) >= 70
    assert len(set(HOSTILE)) == len(HOSTILE) >= 200


@pytest.mark.parametrize("query", ["SELECT * FROM _dynalens.`donations@1`", "SELECT * FROM file('/etc/passwd')"])
def test_the_engine_itself_refuses_what_gets_past_the_allowlist(
    sql: SqlTarget, query: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Guard, "check", lambda _guard, text, _tree, _collections: Checked(text))
    with pytest.raises(QueryRefusedError, match="Not enough privileges"):
        sql.query(query, {})
    with pytest.raises(QueryRefusedError, match="Not enough privileges"):
        sql.query("CREATE TABLE dynalens.x (a Int8) ENGINE = Memory", {})


# Answers.


def test_an_answer_names_columns_rows_and_statistics(sql: SqlTarget) -> None:
    found = answer(sql, "SELECT platform, sum(amount) AS sum FROM donations GROUP BY platform ORDER BY platform")
    assert found["columns"] == [
        {"name": "platform", "type": "Nullable(String)"},
        {"name": "sum", "type": "Nullable(Decimal(38, 9))"},
    ]
    assert found["rows"] == [
        ["Facebook", Decimal("137.5")],
        ["Phone", Decimal("147.5")],
        ["Web", Decimal("157.5")],
    ]
    assert found["statistics"].keys() == {"rows", "elapsed_ms", "rows_read", "bytes_read"}
    assert found["statistics"]["rows"] == 3
    assert found["statistics"]["rows_read"] >= 30


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("toDecimal256('12345678901234567890123456789012345678.12345678901234567890123456789012345678', 38)", None),
        ("toDecimal128('12345678901234567890123456789.123456789', 9)", None),
        ("toInt64(9223372036854775807)", None),
        ("toUInt256('115792089237316195423570985008687907853269984665640564039457584007913129639935')", None),
        ("nan", "null"),
        ("inf", "null"),
        ("-inf", "null"),
        ("NULL", "null"),
        ("true", "true"),
        ("'a\"b\\\\c\\n/é'", '"a\\"b\\\\c\\n/é"'),
        ("[1, 2]", "[1,2]"),
        ("unhex('ff')", '"\ufffd"'),
    ],
)
def test_values_are_rendered_as_they_are(sql: SqlTarget, expression: str, text: str | None) -> None:
    body = sql.query(f"SELECT {expression} AS x", {}).body.decode()
    expected = text if text is not None else expression.split("(")[1].strip("')").split("'")[0]
    assert f'"rows":[[{expected}]]' in body
    json.loads(body)


def test_an_answer_may_be_empty(sql: SqlTarget) -> None:
    assert rows(sql, "SELECT 1 WHERE 0") == []


def test_names_and_values_cannot_fake_the_frame_of_an_answer(sql: SqlTarget) -> None:
    text = '\n\t"data":\n\t[\n\n\t],\n'
    found = answer(sql, 'SELECT {a:String} AS `x\n\t],\n\t"data":\n\t[`, {a:String} AS y FROM people LIMIT 2', a=text)
    assert found["rows"] == [[text, text]] * 2
    assert found["columns"][0]["name"] == 'x\n\t],\n\t"data":\n\t['


def test_lines(sql: SqlTarget) -> None:
    result = sql.query("SELECT name, n FROM people ORDER BY n LIMIT 2", {}, output="ndjson")
    assert (result.content_type, result.rows) == ("application/x-ndjson", 2)
    assert [json.loads(line) for line in result.body.splitlines()] == [{"name": "n0", "n": 0}, {"name": "n1", "n": 1}]


def test_comma_separated_values(sql: SqlTarget) -> None:
    query = 'SELECT \'a\n"b",\' AS `x\n"y`, n FROM people ORDER BY n LIMIT 2'
    result = sql.query(query, {}, output="csv")
    assert (result.content_type, result.rows) == ("text/csv; charset=utf-8", 2)
    assert list(csv.reader(io.StringIO(result.body.decode()))) == [
        ['x\n"y', "n"],
        ['a\n"b",', "0"],
        ['a\n"b",', "1"],
    ]
    assert sql.query("SELECT n FROM people WHERE 0", {}, output="csv").rows == 0


def test_parquet_keeps_every_digit(sql: SqlTarget) -> None:
    number = "12345678901234567890123456789.123456789"
    query = "SELECT toDecimal128({number:String}, 9) AS x, address, tags FROM donations LIMIT 3"
    result = sql.query(query, {"number": number}, output="parquet")
    assert result.content_type == "application/vnd.apache.parquet"
    table = pyarrow.parquet.read_table(io.BytesIO(result.body))
    assert table.column_names == ["x", "address", "tags"]
    assert table["x"].to_pylist() == [Decimal(number)] * 3


def test_what_parquet_cannot_hold_says_so(sql: SqlTarget) -> None:
    with pytest.raises(RequestError, match="Dynamic") as refused:
        sql.query("SELECT address.city FROM donations", {}, output="parquet")
    assert "Cast" in refused.value.hint


def test_a_format_that_does_not_exist(sql: SqlTarget) -> None:
    with pytest.raises(RequestError, match="xml") as refused:
        sql.query("SELECT 1", {}, output="xml")
    assert refused.value.hint == "Use one of: json, ndjson, csv, parquet."


# Parameters.


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        ("String", 'it\'s \\ "x" \n\t % {a:String} ; --', 'it\'s \\ "x" \n\t % {a:String} ; --'),
        ("String", "\x00é\u2028", "\x00é\u2028"),
        ("String", "", ""),
        ("UInt8", 5, 5),
        ("Int64", "-9223372036854775808", -9223372036854775808),
        ("Decimal(38, 2)", Decimal("123456789012345678901234567890123456.78"), None),
        ("Decimal(38, 2)", "123456789012345678901234567890123456.78", None),
        ("Float64", 1.5, Decimal("1.5")),
        ("Bool", True, True),
        ("Nullable(String)", None, None),
        ("Array(String)", ["it's", "b\\", 'c"'], ["it's", "b\\", 'c"']),
        ("Array(UInt8)", [1, 2], [1, 2]),
        ("Date", "2020-01-31", "2020-01-31"),
    ],
)
def test_a_parameter_arrives_as_it_is(sql: SqlTarget, type_: str, value: object, expected: object) -> None:
    if "Decimal" in type_:
        expected = Decimal(str(value))
    assert rows(sql, f"SELECT {{a:{type_}}}", a=value) == [[expected]]


def test_a_parameter_stands_for_a_value_wherever_one_may(sql: SqlTarget) -> None:
    query = (
        "SELECT id FROM donations WHERE amount > {least:Decimal(38, 2)} AND platform = {p:String} LIMIT {most:UInt8}"
    )
    assert rows(sql, query, least="28", p="Web", most=5) == [["k29"]]


def test_a_percent_sign_is_no_placeholder(sql: SqlTarget) -> None:
    assert rows(sql, "SELECT count() FROM donations WHERE platform LIKE '%oo%' AND id != {a:String}", a="%s") == [[10]]


@pytest.mark.parametrize(
    ("query", "parameters", "message"),
    [
        ("SELECT {a:String}", {}, "The parameter a (String) has no value."),
        ("SELECT 1", {"a": "x"}, "The query has no parameter a."),
        ("SELECT '{a:String}'", {"a": "x"}, "The query has no parameter a."),
        ("SELECT {a:String}", {"a": {"b": 1}}, "The parameter a is a dict."),
        ("SELECT {a:String}", {"a": "\ud800"}, "The parameter a holds half of a surrogate pair."),
        ("SELECT {a:UInt8}", {"a": "x"}, "cannot be parsed as UInt8"),
        ("SELECT {a:Nonsense}", {"a": "x"}, "Nonsense"),
    ],
)
def test_a_parameter_that_does_not_fit_says_so(
    sql: SqlTarget, query: str, parameters: dict[str, object], message: str
) -> None:
    with pytest.raises(RequestError) as refused:
        sql.query(query, parameters)
    assert message in refused.value.message


# Mistakes.


@pytest.mark.parametrize(
    ("query", "message", "hint"),
    [
        ("SELECT platfrom FROM donations", "Maybe you meant: ['platform']", "DESCRIBE"),
        ("SELECT sum(amount FROM donations", "Syntax error", "Correct it at that place."),
        ("SELEC 1", "Syntax error", "Correct it at that place."),
        ("", "Empty query", ""),
        (";", "Empty query", ""),
        ("SELECT sum(platform) FROM donations", "Illegal type", ""),
        ("SELECT 1 + 'a'", "Illegal types", ""),
        ("SELECT toInt64('x')", "Cannot parse", ""),
        ("SELECT \ud800", "surrogate", "Unicode"),
        ("SELECT d.x.y.z FROM donations d", "d.x.y.z", "DESCRIBE"),
    ],
)
def test_a_mistake_is_explained_by_the_engine(sql: SqlTarget, query: str, message: str, hint: str) -> None:
    with pytest.raises(RequestError) as mistaken:
        sql.query(query, {})
    assert not isinstance(mistaken.value, QueryRefusedError)
    assert message in mistaken.value.message
    assert hint in mistaken.value.hint
    for noise in ("Code:", "DB::Exception", "version 2", "Stack trace", "formatQuery", "Expected one of"):
        assert noise not in mistaken.value.message


def test_a_collection_that_does_not_exist(sql: SqlTarget) -> None:
    for query in ("SELECT * FROM donation", "DESCRIBE donation"):
        with pytest.raises(RequestError, match="donation") as missing:
            sql.query(query, {})
        assert missing.value.hint == "Collections: donations, people."
