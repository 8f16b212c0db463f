"""What goes in comes out: every legal item, through every way in, to plain JSON and back."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from boto3.dynamodb.types import Binary, TypeSerializer
from hypothesis import given
from hypothesis import strategies as st

from dynalens.change import (
    Document,
    KeySchema,
    decode_lambda_event,
    decode_record,
    decode_records,
    decode_scan,
    document_id,
    dump_exact,
    encode_record,
    load_exact,
    render,
    stream_record,
    typed_item,
)

KEYS = KeySchema(("id",))

# Lone surrogates included; a pair of them is one character, as JSON reads it.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=12).map(lambda text: json.loads(json.dumps(text)))
NAMES = TEXTS.filter(bool)
BINARY = st.binary(max_size=12).map(lambda binary: base64.b64encode(binary).decode())


def number(sign: int, digits: int, exponent: int) -> Decimal:
    return Decimal((sign, tuple(map(int, str(digits))), exponent))


NUMBERS = st.builds(number, st.integers(0, 1), st.integers(0, 10**38 - 1), st.integers(-130, 88))
SPELLINGS = st.one_of(NUMBERS.map(lambda value: format(value, "f")), NUMBERS.map(str))


def of_type(kind: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return values.map(lambda value: {kind: value})


def set_of(members: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(members, min_size=1, max_size=4, unique=True)


TYPED = st.recursive(
    st.one_of(
        of_type("S", TEXTS),
        of_type("N", SPELLINGS),
        of_type("B", BINARY),
        of_type("BOOL", st.booleans()),
        of_type("NULL", st.just(True)),  # noqa: FBT003 - a value
        of_type("SS", set_of(TEXTS)),
        of_type("NS", set_of(SPELLINGS)),
        of_type("BS", set_of(BINARY)),
    ),
    lambda inner: st.one_of(
        of_type("L", st.lists(inner, max_size=4)),
        of_type("M", st.dictionaries(TEXTS, inner, max_size=4)),
    ),
    max_leaves=12,
)
ATTRIBUTES = st.dictionaries(NAMES, TYPED, max_size=6)
KEY_VALUES = st.one_of(of_type("S", NAMES), of_type("N", SPELLINGS), of_type("B", BINARY.filter(bool)))
ITEMS = st.builds(lambda attributes, key: {**attributes, "id": key}, ATTRIBUTES, KEY_VALUES)
IDENTITIES = st.sampled_from([None, {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}])


@given(ATTRIBUTES)
def test_rendering_loses_nothing(item: Mapping[str, Any]) -> None:
    document = render(item)
    assert typed_item(document.json, document.types) == item
    assert list(document.fragments) == list(item)
    assert document == Document.unrendered(item)


@given(ATTRIBUTES)
def test_what_was_read_exactly_is_written_as_it_was(item: Mapping[str, Any]) -> None:
    document = render(item)
    assert dump_exact(load_exact(document.json)) == document.json


@given(ATTRIBUTES)
def test_plain_json_is_what_anyone_would_write(item: Mapping[str, Any]) -> None:
    document = render(item)
    plain = {name: plain_value(typed) for name, typed in item.items()}
    assert exactly(document.json) == plain
    assert {name: exactly(fragment) for name, fragment in document.fragments.items()} == plain


def exactly(text: bytes) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(text.decode("utf-8"), parse_int=Decimal, parse_float=Decimal)


def plain_value(typed: Mapping[str, Any]) -> Any:  # noqa: ANN401 - any JSON value
    [(kind, value)] = typed.items()
    match kind:
        case "N":
            return Decimal(value)
        case "NS":
            return [Decimal(member) for member in value]
        case "NULL":
            return None
        case "L":
            return [plain_value(member) for member in value]
        case "M":
            return {name: plain_value(member) for name, member in value.items()}
    return value


@given(ITEMS, ITEMS, IDENTITIES, st.booleans())
def test_every_way_in_gives_the_same_change(
    new: Mapping[str, Any],
    old: Mapping[str, Any],
    identity: Mapping[str, str] | None,
    escaped: bool,  # noqa: FBT001 - a drawn value
) -> None:
    record = {
        "eventName": "MODIFY",
        "userIdentity": identity,
        "dynamodb": {
            "Keys": {"id": new["id"]},
            "NewImage": new,
            "OldImage": old,
            "SequenceNumber": "100000000000000000001",
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
    }
    # The service escapes what it likes; what comes in as UTF-8 is the same text.
    text = json.dumps({"Records": [record]}, ensure_ascii=escaped)
    page = decode_records(text.encode("utf-8", "backslashreplace"), table="t", keys=KEYS)
    assert page.poison == []
    [change] = page.changes
    assert change.new == render(new)
    assert change.old == render(old)
    assert decode_lambda_event({"Records": [record]}, table="t", keys=KEYS) == page
    assert decode_record(stream_record(change), table="t", keys=KEYS) == change
    assert decode_record(encode_record(change), table="t", keys=KEYS) == change


@given(ITEMS)
def test_a_scanned_row_is_the_items_document_and_stays_a_scanned_row(item: Mapping[str, Any]) -> None:
    page = decode_scan(json.dumps({"Items": [item]}).encode(), table="t", keys=KEYS)
    [change] = page.changes
    assert change.new == render(item)
    assert change.id == document_id(item, KEYS)
    assert decode_record(encode_record(change), table="t", keys=KEYS) == change


# What boto3's own serializer takes: Python values.
NATIVE = st.recursive(
    st.one_of(
        TEXTS,
        # Its context reaches from 1E-128 to 9.99…E+126, DynamoDB's own from 1E-130 to 9.99…E+125.
        NUMBERS.filter(lambda value: not value or value.adjusted() >= -128),
        st.binary(max_size=12),
        st.booleans(),
        st.none(),
        st.sets(TEXTS, min_size=1, max_size=4),
        st.sets(st.integers(-(10**37), 10**37), min_size=1, max_size=4),
        st.sets(st.binary(max_size=6).map(Binary), min_size=1, max_size=4),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@given(st.dictionaries(NAMES, NATIVE, max_size=6))
def test_what_boto3_writes_comes_back(values: Mapping[str, Any]) -> None:
    item = {name: TypeSerializer().serialize(value) for name, value in values.items()}
    document = render(item)
    assert typed_item(document.json, document.types) == on_the_wire(item)


def on_the_wire(value: Any) -> Any:  # noqa: ANN401 - any part of an item
    """Write binary as base64, as botocore does."""
    match value:
        case dict():
            return {name: on_the_wire(member) for name, member in value.items()}
        case list():
            return [on_the_wire(member) for member in value]
        case bytes():
            return base64.b64encode(value).decode()
    return value
