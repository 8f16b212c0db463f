from __future__ import annotations

import asyncio
import gzip
from collections.abc import Collection, Sequence
from decimal import Decimal
from typing import Any

import pytest
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.requests import Request
from starlette.types import Message

from dynalens.errors import DynalensError, QueryLimitError, RequestError
from dynalens.server import bodies
from dynalens.server.bodies import (
    ELASTICSEARCH_JSON,
    BodyTooLargeError,
    MediaTypeError,
    SlowBodyError,
    json_body,
    optional_json,
)
from dynalens.server.limits import BODY_BYTES, JSON_DEPTH


class Thing(BaseModel):
    value: Any


def read(*parts: bytes, content_type: str | None = "application/json", length: int | None = None) -> Thing:
    return asyncio.run(json_body(request(parts, content_type, length), Thing))


def request(
    parts: Sequence[bytes], content_type: str | None, length: int | None, encoding: str | None = None
) -> Request:
    messages: list[Message] = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    headers = [(b"content-type", content_type.encode())] if content_type is not None else []
    headers += [(b"content-encoding", encoding.encode())] if encoding is not None else []
    headers += [(b"content-length", b"%d" % length)] if length is not None else []

    async def receive() -> Message:
        return messages.pop(0)

    return Request({"type": "http", "method": "POST", "headers": headers}, receive)


def nested(depth: int) -> bytes:
    """Nest to `depth` levels in all, the object around the value included."""
    return b'{"value":' + b"[" * (depth - 1) + b"]" * (depth - 1) + b"}"


def test_numbers_keep_every_digit() -> None:
    value = read(b'{"value": [0.10000000000000000000000000000000000001, 123456789012345678901234567890]}').value
    assert value == [Decimal("0.10000000000000000000000000000000000001"), 123456789012345678901234567890]


def test_a_body_may_come_in_parts_and_declare_a_charset() -> None:
    assert read(b'{"val', b'ue": 1}', content_type="Application/JSON; charset=utf-8").value == 1


@pytest.mark.parametrize("content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "a" * 500])
def test_a_body_that_is_not_declared_as_json_is_refused(content_type: str | None) -> None:
    with pytest.raises(MediaTypeError) as refused:
        read(b'{"value": 1}', content_type=content_type)
    assert "Content-Type: application/json" in refused.value.hint
    assert len(refused.value.message) < 200


def test_a_body_at_the_limit_of_size_is_taken() -> None:
    padding = b" " * (BODY_BYTES - len(b'{"value":1}'))
    assert read(b'{"value":', padding, b"1}").value == 1


def test_a_body_beyond_the_limit_of_size_is_refused_with_the_limit() -> None:
    with pytest.raises(BodyTooLargeError, match=str(BODY_BYTES)):
        read(b" " * BODY_BYTES, b"{}")


def test_a_declared_length_beyond_the_limit_is_refused_before_the_body_is_read() -> None:
    asked = request([], "application/json", BODY_BYTES + 1)
    asked._receive = _never
    with pytest.raises(BodyTooLargeError):
        asyncio.run(json_body(asked, Thing))


async def _never() -> Message:
    raise AssertionError("the body was read")


def test_a_body_that_does_not_come_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)

    async def hang() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    asked = request([], "application/json", None)
    asked._receive = hang
    with pytest.raises(SlowBodyError, match=r"within 0\.05 s"):
        asyncio.run(json_body(asked, Thing))


def test_json_at_the_limit_of_depth_is_taken() -> None:
    assert read(nested(JSON_DEPTH)).value


def test_json_beyond_the_limit_of_depth_is_refused_with_the_limit() -> None:
    with pytest.raises(QueryLimitError, match=f"limit of {JSON_DEPTH} levels"):
        read(nested(JSON_DEPTH + 1))


@pytest.mark.parametrize(
    "hostile",
    [
        b"[" * BODY_BYTES,
        b'{"a":' * 100_000,
        b'["\\"",' * 100_000,
        b'["\\\\",' * 100_000,
        b'{"value":"\\\\\\"","b":' + b"[" * 5000,
    ],
)
def test_hostile_depth_never_reaches_the_parser(hostile: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "json", None)
    with pytest.raises(QueryLimitError):
        read(hostile)


@pytest.mark.parametrize(
    "twice",
    [b'{"value": 1, "value": 2}', b'{"value": {"a": [{"x": 1, "y": 2, "x": 1}]}}', b'{"value": 1, "val\\u0075e": 1}'],
)
def test_a_name_that_stands_twice_in_an_object_is_refused(twice: bytes) -> None:
    # A parser would keep the last and ignore the others.
    with pytest.raises(RequestError, match=r"the name '(value|x)' stands twice"):
        read(twice)


@pytest.mark.parametrize("number", [b"1e99999999999999999999", b"0.1E-99999999999999999999"])
def test_a_number_beyond_what_can_be_told_is_refused(number: bytes) -> None:
    with pytest.raises(RequestError, match="exponent"):
        read(b'{"value": %b}' % number)


def encoded(body: bytes, encoding: str) -> Thing:
    return asyncio.run(json_body(request([body], "application/json", None, encoding), Thing))


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", " gzip "])
def test_a_body_may_come_as_gzip(encoding: str) -> None:
    assert encoded(gzip.compress(b'{"value": 1.50}'), encoding).value == Decimal("1.50")
    assert encoded(b'{"value": 1}', "identity").value == 1


def test_gzip_cannot_hide_size() -> None:
    padding = b" " * (BODY_BYTES - len(b'{"value":1}'))
    assert encoded(gzip.compress(b'{"value":1}' + padding), "gzip").value == 1
    with pytest.raises(BodyTooLargeError, match=str(BODY_BYTES)):
        encoded(gzip.compress(b" " * 100 * BODY_BYTES), "gzip")


@pytest.mark.parametrize("broken", [b"{}", gzip.compress(b'{"value": 1}', mtime=0)[:-9], b"\x1f\x8b"])
def test_what_is_declared_as_gzip_and_is_none_is_refused(broken: bytes) -> None:
    with pytest.raises(RequestError, match="declared as gzip"):
        encoded(broken, "gzip")


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "x" * 500])
def test_other_encodings_are_refused(encoding: str) -> None:
    with pytest.raises(MediaTypeError, match="encoded as"):
        encoded(b"{}", encoding)


JSON = frozenset({"application/json"})


def optional(body: bytes, content_type: str | None, media_types: Collection[str] = JSON) -> object:
    return asyncio.run(optional_json(request([body], content_type, None), media_types))


@pytest.mark.parametrize("body", [b"", b" \r\n"])
@pytest.mark.parametrize("content_type", [None, "application/json", "text/plain"])
def test_a_body_that_may_be_left_out_need_not_be_declared_then(body: bytes, content_type: str | None) -> None:
    assert optional(body, content_type) is None


def test_a_body_that_may_be_left_out_keeps_to_the_same_limits() -> None:
    assert optional(b'{"a": 0.10}', "application/json") == {"a": Decimal("0.10")}
    with pytest.raises(MediaTypeError):
        optional(b"{}", None)
    with pytest.raises(QueryLimitError):
        optional(nested(JSON_DEPTH + 1), "application/json")
    with pytest.raises(BodyTooLargeError):
        optional(b" " * (BODY_BYTES + 1), "application/json")


def test_clients_of_elasticsearch_may_declare_its_json_where_that_is_understood() -> None:
    declared = "application/vnd.elasticsearch+json; compatible-with=8"
    assert optional(b"{}", declared, ELASTICSEARCH_JSON) == {}
    with pytest.raises(MediaTypeError):
        optional(b"{}", declared)


def test_brackets_in_strings_are_not_depth() -> None:
    text = "[{" * 100 + '\\"' + "[{" * 100
    assert read(b'{"value":"' + text.encode() + b'"}').value == text.replace('\\"', '"')


@pytest.mark.parametrize("quotes", [b'"\\' * 500_000, b'\\"' * 500_000, b'"' + b'\\"' * 500_000, b'"' * 1_000_000])
def test_a_body_of_quotes_and_backslashes_is_looked_at_once(quotes: bytes) -> None:
    # With a backtracking pattern this takes hours.
    with pytest.raises(RequestError, match="The body is not JSON"):
        read(quotes)


def test_utf_16_cannot_hide_depth() -> None:
    hidden = b'["\xe2\x88\x80",' + b"[" * 5000
    with pytest.raises(RequestError) as refused:
        read(hidden.decode().encode("utf-16"))
    assert isinstance(refused.value, DynalensError)


@pytest.mark.parametrize(
    "broken", [b"", b"{", b"nonsense", b'{"value": NaN}', b'{"value": -Infinity}', b"\xff\xfe", b"\xef\xbb\xbf{}"]
)
def test_what_is_not_json_is_refused(broken: bytes) -> None:
    with pytest.raises(RequestError, match="The body is not JSON"):
        read(broken)


def test_an_integer_of_thousands_of_digits_is_refused() -> None:
    with pytest.raises(RequestError, match="The body is not JSON"):
        read(b'{"value":' + b"9" * 10_000 + b"}")


@pytest.mark.parametrize(("body", "place"), [(b"{}", ("body", "value")), (b"[]", ("body",)), (b"1", ("body",))])
def test_json_of_another_shape_is_refused_with_its_place(body: bytes, place: tuple[str, ...]) -> None:
    with pytest.raises(RequestValidationError) as refused:
        read(body)
    assert refused.value.errors()[0]["loc"] == place
