"""Columns by the values seen: kinds, widening, names. What the engine makes of them is in `test_columns`."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.change import Document, Typed, render
from dynalens.target import Generation
from dynalens.target.sql.layout import Layout
from dynalens.target.sql.schema import (
    MOST_COLUMNS,
    Column,
    Decimal,
    attribute_key,
    changed_columns,
    read_column,
    view_names,
)

NAMES = st.text(alphabet=st.characters(exclude_categories=[]), max_size=8) | st.sampled_from(
    ["_id", "_id_", "_id__", "_doc", "_doc_", "", "_", "__", "a", "A", "c1", "k", "kk", "\ud800", "\\ud800"]
)


def documents(*values: bytes) -> list[Document]:
    return [Document({"v": value}, b'{"v":' + value + b"}") for value in values]


def column_after(*values: bytes) -> Column | None:
    """The column of `v` after documents that came one by one."""
    columns: dict[str, Column] = {}
    for document in documents(*values):
        columns.update(changed_columns(columns, [document]))
    return columns.get("v")


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (b'"x"', "Nullable(String)"),
        (b'""', "Nullable(String)"),
        (b'"10"', "Nullable(String)"),
        (b"1", "Nullable(Decimal(38, 9))"),
        (b"-0.25", "Nullable(Decimal(38, 9))"),
        (b"true", "Nullable(Bool)"),
        (b"false", "Nullable(Bool)"),
        (b"{}", "JSON"),
        (b'{"a":1}', "JSON"),
        (b"[]", "Array(Nullable(String))"),
        (b'["a"]', "Array(Nullable(String))"),
        (b"[1,2.50]", "Array(Decimal(38, 9))"),
        (b"[1,null]", "Array(Nullable(String))"),
        (b'[1,"a"]', "Array(Nullable(String))"),
        (b"[[1],[2]]", "Array(Nullable(String))"),
        (b'[{"a":1}]', "Array(Nullable(String))"),
    ],
)
def test_a_first_value_gives_a_column_its_type(value: bytes, type_: str) -> None:
    column = column_after(value)
    assert column is not None
    assert column.type == type_


def test_null_gives_no_column_and_the_next_value_does() -> None:
    assert column_after(b"null") is None
    column = column_after(b"null", b"true")
    assert column is not None
    assert column.type == "Nullable(Bool)"


@pytest.mark.parametrize(
    ("values", "decimal"),
    [
        ([b"1"], (38, 9)),
        ([b"12345678901234567890123456789"], (38, 9)),
        ([b"0.123456789"], (38, 9)),
        ([b"1", b"123456789012345678901234567890"], (47, 9)),
        ([b"1", b"0.1234567890"], (49, 20)),
        ([b"0.1234567890", b"1"], (49, 20)),
        ([b"0.1234567890", b"0.123456789012345678901"], (67, 38)),
        ([b"0.1234567890", b"0.123456789012345678901", b"123456789012345678901234567890"], (76, 38)),
        ([b"12345678901234567890123456789012345678"], (47, 9)),
        ([b"0.12345678901234567890123456789012345678"], (67, 38)),
        ([b"1E+30"], (47, 9)),
        ([b"1E-12"], (49, 20)),
        ([b"12.5E-1"], (38, 9)),
        # Far from the point: as much as is needed there.
        ([b"1" + b"0" * 60], (70, 9)),
        ([b"1" + b"0" * 60, b"0.1234567890"], (71, 10)),
        ([b"1E-45"], (74, 45)),
        ([b"1E-45", b"5"], (74, 45)),
        # No column holds these; the one there is stays as it is.
        ([b"1E+125"], (38, 9)),
        ([b"1E-130"], (38, 9)),
        ([b"1E-45", b"1" + b"0" * 40], (74, 45)),
    ],
)
def test_numbers_widen_as_far_as_digits_go(values: list[bytes], decimal: tuple[int, int]) -> None:
    column = column_after(*values)
    assert column is not None
    assert column.decimal == Decimal(*decimal)
    assert changed_columns({}, documents(*values))["v"].decimal == column.decimal, "one batch, or one by one"


@pytest.mark.parametrize(
    ("values", "type_"),
    [
        ([b"[1]", b"[0.1234567890123]"], "Array(Decimal(49, 20))"),
        ([b"[1,22,0.1234567890123]"], "Array(Decimal(49, 20))"),
        ([b"[]", b"[1]"], "Array(Decimal(38, 9))"),
        ([b"[]", b'["a"]'], "Array(Nullable(String))"),
        ([b"[null]", b"[1]"], "Array(Decimal(38, 9))"),
        ([b"[]", b"5", b"[1]"], "Array(Decimal(38, 9))"),
    ],
)
def test_arrays_widen_and_take_the_type_of_their_first_element(values: list[bytes], type_: str) -> None:
    column = column_after(*values)
    assert column is not None
    assert column.type == type_


@pytest.mark.parametrize("first", [b'"x"', b"1", b"true", b"{}", b'["a"]', b"[1]"])
@pytest.mark.parametrize("later", [b'"x"', b"1", b"1E-7", b"true", b"{}", b'["a"]', b"[2]", b"[]", b"null"])
def test_a_column_keeps_the_kind_of_its_first_value(first: bytes, later: bytes) -> None:
    kinds = {"scientific": "number"}
    before, after = column_after(first), column_after(first, later)
    assert before is not None
    assert after is not None
    assert kinds.get(after.kind, after.kind) == kinds.get(before.kind, before.kind)


def test_a_number_that_fits_asks_for_no_new_column() -> None:
    columns = changed_columns({}, documents(b"1.5"))
    assert changed_columns(columns, documents(b"2", b"-99999999999999999999999999999.999999999", b'"x"')) == {}


def test_attributes_past_the_most_get_no_column() -> None:
    names = [f"attribute {number}" for number in range(MOST_COLUMNS + 100)]
    item: dict[str, Typed] = {name: {"S": "x"} for name in names}
    columns = changed_columns({}, [render(item)])
    assert list(columns) == names[:MOST_COLUMNS]
    assert changed_columns(columns, [render({"another": {"N": "1"}})]) == {}


# What is written down is read back.


@given(
    name=NAMES, kind=st.sampled_from(["string", "number", "scientific", "bool", "map", "strings", "numbers", "array"])
)
def test_a_column_is_read_back_from_its_definition(name: str, kind: str) -> None:
    decimal = Decimal(76, 38) if kind in {"number", "scientific", "numbers"} else Decimal(38, 9)
    column = Column(7, name, kind, decimal)  # type: ignore[arg-type] # sampled above
    assert read_column(column.physical, column.type, f"{kind} {attribute_key(name)}") == column


@pytest.mark.parametrize("comment", ["", "a remark", "stringy", "1"])
def test_what_is_no_column_of_an_attribute_is_left_alone(comment: str) -> None:
    assert read_column("_version", "UInt64", comment) is None


# Names.


@given(st.lists(NAMES, unique=True))
def test_every_attribute_has_a_name_of_its_own_in_the_view(names: list[str]) -> None:
    labels = view_names({name: Column(number, name, "string") for number, name in enumerate(names)})
    assert list(labels) == names
    assert len({*labels.values(), "_id", "_doc"}) == len(names) + 2
    for name, label in labels.items():
        assert label.encode()
        if name not in {"_id", "_doc", ""} and re.search("[\ud800-\udfff]", name) is None:
            assert label == name


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["_id", "_doc"], ["_id_", "_doc_"]),
        (["_id", "_id_"], ["_id__", "_id_"]),
        (["_id_", "_id"], ["_id_", "_id__"]),
        (["_id", "_id_", "_id__", "_doc"], ["_id___", "_id_", "_id__", "_doc_"]),
        (["", "_"], ["__", "_"]),
        (["Name", "name", "NAME"], ["Name", "name", "NAME"]),
        (["\ud800", "\\ud800"], ["\\ud800_", "\\ud800"]),
    ],
)
def test_reserved_names_step_aside(names: list[str], labels: list[str]) -> None:
    given_names = view_names({name: Column(number, name, "string") for number, name in enumerate(names)})
    assert list(given_names.values()) == labels


@pytest.mark.parametrize("layout", [Layout("dynalens"), Layout("dynalens", cluster="own")])
def test_text_of_users_never_becomes_sql(layout: Layout) -> None:
    """Names stand in literals and in quoted aliases alone, escaped."""
    name = "`'; DROP TABLE x -- \\ \n"
    generation = Generation("donations", 1)
    column = Column(1, name, "string")
    statements = [*layout.show(generation, {name: column}), *layout.create_generation(generation, name)]
    statements.append(layout.add_columns(generation, [column]))
    unquoted = [re.sub(r"'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`", "", statement) for statement in statements]
    assert [statement for statement in unquoted if "DROP" in statement or "\n" in statement] == []
