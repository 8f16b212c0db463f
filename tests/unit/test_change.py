from __future__ import annotations

import base64
import json
import tracemalloc
from collections.abc import Mapping
from typing import Any

import pytest

import dynalens.change.document as document_module
from dynalens.change import (
    Change,
    DecodeError,
    Document,
    KeySchema,
    Page,
    decode_lambda_event,
    decode_record,
    decode_records,
    decode_scan,
    document_id,
    encode_record,
    quoted_name,
    render,
    stream_record,
    typed_item,
)

Item = Mapping[str, Any]

KEYS = KeySchema(("id",))
NUMBER = "100000000000000000021"
ITEM = {"id": {"S": "a"}, "n": {"N": "1"}}
OLDER = {"id": {"S": "a"}, "n": {"N": "0"}}
TTL = "dynamodb.amazonaws.com"


def record(event: str = "INSERT", *, new: Item | None = None, old: Item | None = None, **stream: object) -> Item:
    images = {"NewImage": new, "OldImage": old}
    return {
        "eventName": event,
        "dynamodb": {
            "Keys": {"id": (new or old or ITEM)["id"]},
            "SequenceNumber": NUMBER,
            "ApproximateCreationDateTime": 1_795_255_080.0,
            "SizeBytes": 26,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **{name: image for name, image in images.items() if image is not None},
            **stream,
        },
    }


def body(*records: object, **more: object) -> bytes:
    return json.dumps({"Records": records, **more}).encode()


def decode(raw: bytes) -> Page:
    return decode_records(raw, table="t", keys=KEYS)


def one(raw: bytes) -> Change:
    page = decode(raw)
    assert page.poison == []
    [change] = page.changes
    return change


def document_of(item: Item) -> Document:
    new = one(body(record(new={"id": {"S": "a"}, **item}))).new
    assert new is not None
    return new


# Values


@pytest.mark.parametrize(
    ("typed", "plain"),
    [
        ({"S": "text"}, b'"text"'),
        ({"S": ""}, b'""'),
        ({"S": "é\U0001f600"}, '"é\U0001f600"'.encode()),
        ({"S": 'quote " slash \\ line \n'}, rb'"quote \" slash \\ line \n"'),
        ({"S": "\x00"}, rb'"\u0000"'),
        ({"N": "12.5"}, b"12.5"),
        ({"BOOL": True}, b"true"),
        ({"BOOL": False}, b"false"),
        ({"NULL": True}, b"null"),
        ({"B": "AAEC/w=="}, b'"AAEC/w=="'),
        ({"B": ""}, b'""'),
        ({"SS": ["b", "a"]}, b'["b","a"]'),
        ({"NS": ["1", "2.50"]}, b"[1,2.50]"),
        ({"BS": ["AA==", "/w=="]}, b'["AA==","/w=="]'),
        ({"L": []}, b"[]"),
        ({"L": [{"S": "x"}, {"NULL": True}, {"L": [{"N": "1"}]}]}, b'["x",null,[1]]'),
        ({"M": {}}, b"{}"),
        ({"M": {"": {"S": "x"}, "a.b": {"M": {"c": {"N": "1"}}}}}, b'{"":"x","a.b":{"c":1}}'),
    ],
)
def test_each_type_has_its_plain_json_and_comes_back(typed: Item, plain: bytes) -> None:
    document = document_of({"value": typed})
    assert document.fragments["value"] == plain
    assert document.json == b'{"id":"a","value":' + plain + b"}"
    assert typed_item(document.json, document.types) == {"id": {"S": "a"}, "value": typed}


def test_types_say_only_what_plain_json_cannot() -> None:
    deep = {"M": {"l": {"L": [{"S": "x"}, {"M": {"b": {"B": "AA=="}, "s": {"SS": ["x"]}}}]}, "n": {"N": "1"}}}
    assert render(ITEM).types == b""
    assert json.loads(render({"d": deep, "s": {"NS": ["1"]}, "t": {"S": "x"}}).types) == {
        "d": {"M": {"l": {"L": {"1": {"M": {"b": "B", "s": "SS"}}}}}},
        "s": "NS",
    }


def test_null_is_not_missing() -> None:
    assert dict(render({"a": {"NULL": True}}).fragments) == {"a": b"null"}


@pytest.mark.parametrize(
    "text",
    [
        "0",
        "-1",
        "12.500",
        "0.00000012",
        "99999999999999999999999999999999999999",
        "9.9999999999999999999999999999999999999E+125",
        "-9.9999999999999999999999999999999999999e125",
        "1E-130",
        "1" + "0" * 125,
        "0." + "0" * 129 + "1234567890123456789012345678901234567",
    ],
)
def test_a_number_keeps_every_digit_and_its_spelling(text: str) -> None:
    assert document_of({"n": {"N": text}}).fragments["n"] == text.encode()


@pytest.mark.parametrize(
    ("text", "plain"), [("+5", b"5"), (".5", b"0.5"), ("5.", b"5"), ("007", b"7"), ("00.10", b"0.1"), ("+1e2", b"100")]
)
def test_a_spelling_that_json_does_not_know_becomes_a_plain_one(text: str, plain: bytes) -> None:
    assert document_of({"n": {"N": text}}).fragments["n"] == plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "abc",
        "NaN",
        "Infinity",
        "1_000",
        " 1",
        "1 ",
        "\u0661",
        "1E",
        "0x10",
        "1e126",
        "1e-131",
        "9" * 127,
        "1e99999",
        1.5,
    ],
)
def test_what_is_no_number_of_dynamodb_is_poison(text: object) -> None:
    [poison] = decode(body(record(new={**ITEM, "n": {"N": text}}))).poison
    assert poison.reason.startswith("attribute 'n': ")


def test_lone_surrogates_arrive_in_values_names_and_keys() -> None:
    raw = body(record(new={"id": {"S": "\ud800"}, "n\udc00": {"S": "é\ud800"}, "m": {"M": {"\udfff": {"N": "1"}}}}))
    assert rb"\ud800" in raw
    change = one(raw)
    assert change.id == "~%ED%A0%80"
    assert change.key == {"id": {"S": "\ud800"}}
    assert change.new is not None
    assert change.new.fragments["n\udc00"] == rb'"' + "é".encode() + rb'\ud800"'
    assert change.new.json.decode("utf-8")  # strict: the engines' own parsers see escapes only
    assert change.new.typed()["m"] == {"M": {"\udfff": {"N": "1"}}}


def test_a_string_has_one_spelling_whether_or_not_its_neighbours_need_escapes() -> None:
    plain = document_of({"s": {"S": 'é\n"'}}).fragments["s"]
    assert document_of({"s": {"S": 'é\n"'}, "t": {"S": "\ud800"}}).fragments["s"] == plain


def test_the_last_of_two_equal_names_counts() -> None:
    raw = body(record(new=ITEM)).replace(b'"n": {"N": "1"}', b'"n": {"N": "1"}, "n": {"N": "2"}')
    new = one(raw).new
    assert new is not None
    assert new.json == b'{"id":"a","n":2}'


def test_thirty_two_levels_of_nesting() -> None:
    typed: dict[str, Any] = {"N": "1"}
    for level in range(31):
        typed = {"M": {"m": typed}} if level % 2 else {"L": [typed]}
    document = document_of({"deep": typed})
    assert typed_item(document.json, document.types)["deep"] == typed


def test_an_item_of_400_kilobytes() -> None:
    item = {f"attribute {number}": {"S": "ö" * 500} for number in range(390)}
    document = document_of(item)
    assert len(document.json) > 390_000
    assert typed_item(document.json, document.types) == {"id": {"S": "a"}, **item}


def test_binary_that_boto3_parsed_reads_the_same() -> None:
    binary = bytes(range(256))
    text = base64.b64encode(binary).decode()
    assert render({"b": {"B": binary}, "s": {"BS": [binary]}}) == render({"b": {"B": text}, "s": {"BS": [text]}})
    assert document_id({"id": {"B": binary}}, KEYS) == document_id({"id": {"B": text}}, KEYS)


def test_a_name_is_quoted_as_in_documents() -> None:
    name = 'a"b\ud800é'
    assert quoted_name(name) in render({name: {"N": "1"}}).json


# Records


@pytest.mark.parametrize(
    ("event", "old", "kind"), [("INSERT", None, "insert"), ("MODIFY", OLDER, "modify"), ("REMOVE", OLDER, "remove")]
)
def test_a_record_of_each_kind(event: str, old: Item | None, kind: str) -> None:
    change = one(body(record(event, new=None if kind == "remove" else ITEM, old=old)))
    assert (change.table, change.id, change.key, change.kind) == ("t", "a", {"id": {"S": "a"}}, kind)
    assert change.new == (None if kind == "remove" else render(ITEM))
    assert change.old == (None if old is None else render(OLDER))
    assert change.old_known
    assert (change.sequence_number, change.created_at, change.size) == (NUMBER, 1_795_255_080.0, 26)
    assert change.user_identity == ""
    assert not change.expired


@pytest.mark.parametrize("event", ["INSERT", "MODIFY", "REMOVE"])
@pytest.mark.parametrize("view", ["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"])
def test_each_view_type(view: str, event: str) -> None:
    new = ITEM if "NEW" in view and event != "REMOVE" else None
    old = OLDER if "OLD" in view and event != "INSERT" else None
    page = decode(body(record(event, new=new, old=old, StreamViewType=view)))
    if "NEW" not in view and event != "REMOVE":
        assert "the stream's view type must be NEW_IMAGE or NEW_AND_OLD_IMAGES" in page.poison[0].reason
        return
    [change] = page.changes
    assert change.new == (render(ITEM) if new else None)
    assert change.old == (render(OLDER) if old else None)
    assert change.old_known == ("OLD" in view)


@pytest.mark.parametrize("event", ["MODIFY", "REMOVE"])
def test_without_its_old_image_nothing_is_known_of_what_was_before(event: str) -> None:
    assert not one(body(record(event, new=ITEM if event == "MODIFY" else None))).old_known


@pytest.mark.parametrize("identity", [{"PrincipalId": TTL, "Type": "Service"}, {"principalId": TTL, "type": "Service"}])
def test_a_delete_by_time_to_live_is_known_by_its_principal(identity: Mapping[str, str]) -> None:
    change = one(body({**record("REMOVE", old=ITEM), "userIdentity": identity}))
    assert change.user_identity == TTL
    assert change.expired


def test_someone_elses_delete_did_not_expire() -> None:
    assert not one(body({**record("REMOVE", old=ITEM), "userIdentity": None})).expired
    assert not one(body({**record("REMOVE", old=ITEM), "userIdentity": {"PrincipalId": "someone"}})).expired
    assert not one(body({**record("MODIFY", new=ITEM), "userIdentity": {"PrincipalId": TTL}})).expired


def test_dynamodb_locals_time_to_live_deletes_too() -> None:
    change = one(body(record("UNKNOWN_TO_SDK_VERSION", old=ITEM)))
    assert (change.kind, change.new, change.old) == ("remove", None, render(ITEM))


def test_without_a_size_the_records_own_json_counts() -> None:
    without = record(new=ITEM)
    del without["dynamodb"]["SizeBytes"]
    assert one(body(without)).size == len(json.dumps(without["dynamodb"], separators=(",", ":")))


def test_the_next_iterator_is_given_and_ends_with_the_shard() -> None:
    assert decode(body(NextShardIterator="it")).next_token == "it"
    assert decode(body()).next_token == ""
    assert decode(body(NextShardIterator=None)).next_token == ""


def test_records_keep_their_order() -> None:
    numbers = [f"{10**20 + place}" for place in range(50)]
    page = decode(body(*[record(new=ITEM, SequenceNumber=number) for number in numbers]))
    assert [change.sequence_number for change in page.changes] == numbers


def test_a_lambda_event_reads_like_the_stream() -> None:
    event = {
        "Records": [
            {
                "eventID": "1",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "awsRegion": "eu-west-1",
                "eventSourceARN": "arn:aws:dynamodb:eu-west-1:123456789012:table/t/stream/2026-01-01T00:00:00.000",
                **record("MODIFY", new={**ITEM, "b": {"B": "AA=="}}, old=OLDER, ApproximateCreationDateTime=1_795_255),
            }
        ]
    }
    from_bytes = decode_lambda_event(json.dumps(event).encode(), table="t", keys=KEYS)
    assert from_bytes == decode(json.dumps(event).encode())
    assert from_bytes.changes[0].created_at == 1_795_255.0
    before = json.dumps(event)
    assert decode_lambda_event(event, table="t", keys=KEYS) == from_bytes
    assert json.dumps(event) == before


def test_a_scanned_row() -> None:
    raw = rb'{"Items": [{"n": {"N": "1"}, "id": {"S": "a"}}], "Count": 1, "LastEvaluatedKey": {"id": {"S": "\ud800"}}}'
    page = decode_scan(raw, table="t", keys=KEYS)
    [change] = page.changes
    assert (change.id, change.key, change.kind) == ("a", {"id": {"S": "a"}}, "scan")
    assert change.new == render({"n": {"N": "1"}, "id": {"S": "a"}})
    assert (change.old, change.old_known, change.sequence_number, change.created_at) == (None, False, "", 0.0)
    assert change.size == len(b'{"n":1,"id":"a"}')
    assert json.loads(page.next_token) == {"id": {"S": "\ud800"}}
    assert decode_scan(b'{"Items": []}', table="t", keys=KEYS) == Page([], [], "")


# Poison


POISON = {
    "not a record": "text",
    "no event name": {"dynamodb": {}},
    "an unknown event": record("UPSERT", new=ITEM),
    "no dynamodb": {"eventName": "INSERT"},
    "no keys": {**record(new=ITEM), "dynamodb": {"NewImage": ITEM, "SequenceNumber": NUMBER}},
    "the wrong key": record(new=ITEM, Keys={"other": {"S": "a"}}),
    "a key of a wrong type": record(new=ITEM, Keys={"id": {"BOOL": True}}),
    "a key that is no text": record(new=ITEM, Keys={"id": {"S": 1}}),
    "a key that is no base64": record(new=ITEM, Keys={"id": {"B": "|"}}),
    "no sequence number": {**record(new=ITEM), "dynamodb": {"Keys": {"id": {"S": "a"}}, "NewImage": ITEM}},
    "a sequence number in words": record(new=ITEM, SequenceNumber="twenty"),
    "a sequence number in other digits": record(new=ITEM, SequenceNumber="\u0661"),
    "a sequence number that is a number": record(new=ITEM, SequenceNumber=21),
    "a sequence number too long": record(new=ITEM, SequenceNumber="1" * 41),
    "no new image": record("MODIFY", old=ITEM),
    "a removed item with a new image": record("REMOVE", new=ITEM),
    "an image that is no item": record(new=ITEM, NewImage=[1]),
    "a time beyond measure": record(new=ITEM, ApproximateCreationDateTime=10**400),
    "a time in words": record(new=ITEM, ApproximateCreationDateTime="yesterday"),
    "an unknown type": record(new={**ITEM, "x": {"X": "1"}}),
    "a value without a type": record(new={**ITEM, "x": []}),
    "a value of two types": record(new={**ITEM, "x": {"S": "1", "N": "1"}}),
    "a string that is a number": record(new={**ITEM, "x": {"S": 1}}),
    "a truth in words": record(new={**ITEM, "x": {"BOOL": "true"}}),
    "binary that is a number": record(new={**ITEM, "x": {"B": 1}}),
    "a set that is a string": record(new={**ITEM, "x": {"SS": "abc"}}),
    "a set of lists": record(new={**ITEM, "x": {"NS": [["1"]]}}),
    "a list that is a map": record(new={**ITEM, "x": {"L": {}}}),
    "a map that is a list": record(new={**ITEM, "x": {"M": [1]}}),
}


@pytest.mark.parametrize("name", POISON)
def test_poison_isolates_one_record(name: str) -> None:
    before, after = (record(new={"id": {"S": key}}) for key in "az")
    page = decode(body(before, POISON[name], after))
    assert [change.id for change in page.changes] == ["a", "z"]
    [poison] = page.poison
    assert poison.table == "t"
    assert json.loads(poison.raw) == POISON[name]
    assert poison.reason
    with pytest.raises(DecodeError, match=r".+") as failure:
        decode_record(json.loads(poison.raw), table="t", keys=KEYS)
    assert str(failure.value) == poison.reason


def test_poison_says_its_sequence_number_and_what_is_wrong() -> None:
    [poison] = decode(body(record(new={**ITEM, "amount": {"N": "12,50"}}))).poison
    assert poison.sequence_number == NUMBER
    assert poison.reason == "attribute 'amount': '12,50' is not a number"
    assert decode(body(record(new=ITEM, SequenceNumber="?"))).poison[0].sequence_number == ""
    assert decode(body(record(new=ITEM, Keys={}))).poison[0].reason == "'id' is missing"


def test_a_reason_stays_short_whatever_the_value() -> None:
    [poison] = decode(body(record(new={**ITEM, "n" * 9999: {"S": ["x" * 9999]}}))).poison
    assert len(poison.reason) < 300


def test_poison_keeps_lone_surrogates_and_nesting_beyond_all_limits() -> None:
    deep: dict[str, Any] = {"X": "\ud800"}
    for _ in range(120):
        deep = {"M": {"m": deep}}
    page = decode(body(record(new={**ITEM, "deep": deep}), record(new=ITEM)))
    assert len(page.changes) == 1
    assert json.loads(page.poison[0].raw)["dynamodb"]["NewImage"]["deep"] == deep


def test_a_malformed_old_image_is_none_of_the_new_ones_business() -> None:
    change = one(body(record("MODIFY", new=ITEM, old={**OLDER, "x": {"X": "1"}})))
    assert change.new == render(ITEM)
    assert change.old is not None
    with pytest.raises(DecodeError, match="attribute 'x'"):
        change.old.fragments  # noqa: B018 - reading it is what renders it


def test_poison_of_a_scan_is_read_again_as_a_scanned_row() -> None:
    [poison] = decode_scan(b'{"Items": [{"id": {"S": "a"}, "n": {"N": "x"}}]}', table="t", keys=KEYS).poison
    mended = decode_record(poison.raw.replace(b'"x"', b'"1"'), table="t", keys=KEYS)
    assert mended == decode_scan(json.dumps({"Items": [ITEM]}).encode(), table="t", keys=KEYS).changes[0]


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"Records": {}}',
        b'{"Records": null, "Items": null}',
        b"<html>503</html>",
        b'{"Records": ["\xff"]}',
        b"[" * 100_000,
    ],
)
def test_what_is_no_answer_counts_for_nothing(raw: bytes) -> None:
    for decoder in (decode_records, decode_scan, decode_lambda_event):
        with pytest.raises(DecodeError):
            decoder(raw, table="t", keys=KEYS)


def test_a_body_cut_off_anywhere_counts_for_nothing() -> None:
    whole = body(record(new={**ITEM, "s": {"S": "\ud800"}}), NextShardIterator="it")
    for length in range(len(whole)):
        with pytest.raises(DecodeError):
            decode(whole[:length])


# The way back


@pytest.mark.parametrize(
    "original",
    [
        record("INSERT", new={**ITEM, "b": {"BS": ["AA=="]}, "s": {"S": "\ud800"}}),
        record("INSERT", new=ITEM, StreamViewType="NEW_IMAGE"),
        record("MODIFY", new=ITEM, old={**OLDER, "l": {"L": [{"SS": ["x"]}]}}),
        record("MODIFY", new=ITEM, StreamViewType="NEW_IMAGE"),
        record("REMOVE", old=OLDER, StreamViewType="OLD_IMAGE"),
        {**record("REMOVE", StreamViewType="KEYS_ONLY"), "userIdentity": {"principalId": TTL, "type": "Service"}},
        record("UNKNOWN_TO_SDK_VERSION", old=ITEM),
        record("INSERT", new=ITEM, SizeBytes=None, ApproximateCreationDateTime=None),
    ],
)
def test_a_change_goes_into_a_dead_letter_and_comes_back_the_same(original: dict[str, Any]) -> None:
    change = one(body(original))
    assert decode_record(encode_record(change), table="t", keys=KEYS) == change
    assert decode_record(stream_record(change), table="t", keys=KEYS) == change


def test_a_scanned_row_comes_back_as_nothing_stronger() -> None:
    [change] = decode_scan(json.dumps({"Items": [{**ITEM, "s": {"SS": ["x"]}}]}).encode(), table="t", keys=KEYS).changes
    again = decode_record(encode_record(change), table="t", keys=KEYS)
    assert again == change
    assert (again.kind, again.old_known) == ("scan", False)


def test_a_time_to_live_delete_is_written_as_aws_writes_it() -> None:
    original = {**record("REMOVE", old=ITEM), "userIdentity": {"PrincipalId": TTL, "Type": "Service"}}
    assert stream_record(one(body(original))) == original


# Documents


def test_an_old_image_is_rendered_at_its_first_use_and_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rendered = []
    inner = document_module._render

    def counting(item: Item) -> object:
        rendered.append(item)
        return inner(item)

    monkeypatch.setattr(document_module, "_render", counting)
    old = one(body(record("REMOVE", old=OLDER))).old
    assert old is not None
    assert old.typed() == OLDER
    assert rendered == []
    assert (old.json, old.fragments["n"], old.types) == (b'{"id":"a","n":0}', b"0", b"")
    assert rendered == [OLDER]


def test_dynamodb_local_leaves_the_type_of_an_empty_map_out() -> None:
    document = render({"id": {"S": "a"}, "m": {}, "l": {"L": [{}]}})
    assert document.json == b'{"id":"a","m":{},"l":[{}]}'
    assert document.typed() == {"id": {"S": "a"}, "m": {"M": {}}, "l": {"L": [{"M": {}}]}}


def test_documents_are_values() -> None:
    document = render(ITEM)
    assert document == Document.unrendered(ITEM) == Document(document.fragments, document.json)
    assert len({document, Document.unrendered(ITEM), render(OLDER)}) == 2
    assert document != render(OLDER)
    assert render({"a": {"B": "AA=="}}) != render({"a": {"S": "AA=="}})
    assert document != document.json
    assert repr(document) == """Document(b'{"id":"a","n":1}')"""
    with pytest.raises(AttributeError):
        document.json = b"{}"  # type: ignore[misc]


def test_a_change_holds_little_more_than_its_bytes() -> None:
    item = {f"attribute{number}": {"S": "0123456789" * 4} for number in range(10)}
    raw = body(*[record("MODIFY", new={"id": {"S": "a"}, **item}, old={"id": {"S": "a"}, **item})] * 100)
    decode(raw)
    tracemalloc.start()
    try:
        page = decode(raw)
        held, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(page.changes) == 100
    assert held < 3 * len(raw)


# Ids


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ([{"S": "a@test.com"}], "a@test.com"),
        ([{"S": "a/b?c#d e%20|\\"}], "a/b?c#d e%20|\\"),
        ([{"S": "é"}], "é"),
        ([{"S": "e\u0301"}], "e\u0301"),
        ([{"N": "1"}], "N:1"),
        ([{"N": "-1.50"}], "N:-1.5"),
        ([{"N": "1E+3"}], "N:1000"),
        ([{"N": "-0.0"}], "N:0"),
        ([{"B": "AAEC"}], "B:AAEC"),
        ([{"B": "AB=="}], "B:AA=="),
        ([{"S": "a@test.com"}, {"S": "2019-08-07T07:26:56"}], "S:a@test.com|S:2019-08-07T07:26:56"),
        ([{"S": "a|b"}, {"S": "c"}], "S:a\\|b|S:c"),
        ([{"S": "a"}, {"S": "b|c"}], "S:a|S:b\\|c"),
        ([{"S": "a\\"}, {"N": "2"}], "S:a\\\\|N:2"),
        ([{"S": ""}], "~"),
        ([{"S": "."}], "~."),
        ([{"S": ".."}], "~.."),
        ([{"S": "..."}], "..."),
        ([{"S": "~"}], "~%7E"),
        ([{"S": "~~"}], "~%7E%7E"),
        ([{"S": "a~"}], "a~"),
        ([{"S": "N:1"}], "~N%3A1"),
        ([{"S": "a\nb"}], "~a%0Ab"),
        ([{"S": "\x7f"}], "~%7F"),
        ([{"S": "\ud800"}], "~%ED%A0%80"),
        ([{"S": "a\x00"}, {"S": "~|:"}], "~S:a%00|S:%7E%5C|:"),
        ([{"S": "x" * 512}], "x" * 512),
    ],
)
def test_the_id_of_a_key(key: list[Item], expected: str) -> None:
    names = ("id", "sort")[: len(key)]
    assert document_id(dict(zip(names, key, strict=True)), KeySchema(names)) == expected


def test_a_long_key_is_hashed() -> None:
    long = document_id({"id": {"S": "é" * 257}}, KEYS)
    assert long.startswith("~~")
    assert len(long) == 66
    assert long != document_id({"id": {"S": "é" * 258}}, KEYS)
    assert document_id({"id": {"S": long}}, KEYS) != long
