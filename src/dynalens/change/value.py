"""Values on the wire: JSON in and out, numbers as text, binary as base64, and what is wrong with one of them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson

Typed = Mapping[str, Any]
"""One attribute value in DynamoDB's own JSON, such as `{"N": "12.5"}`."""


class DecodeError(ValueError):
    """One record cannot be understood; the message says which part of it."""


MALFORMED = (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError)
"""What reading a record of the wrong shape can raise."""


def reason(error: Exception) -> str:
    """Say in words what reading a record raised."""
    if isinstance(error, DecodeError):
        return str(error)
    if isinstance(error, KeyError):
        return f"{error} is missing"
    return f"{type(error).__name__}: {error}"


class NumberText(str):
    """A JSON number, kept as its text: every digit stays."""

    __slots__ = ()


_EXACT = json.JSONDecoder(parse_int=NumberText, parse_float=NumberText)


# JSON. orjson is strict UTF-8; lone surrogates, which DynamoDB sends as escapes, take the slower road.


def load_object(body: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DecodeError: It is none, or cut off.
    """
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = _load_lenient(body)
    if not isinstance(answer, dict):
        raise DecodeError("it is not a JSON object")
    return answer


def _load_lenient(body: bytes) -> Any:  # noqa: ANN401 - any JSON value
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"it is not JSON: {error}") from error


def load_exact(document: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read JSON that was rendered here, each number as a `NumberText`."""
    return _EXACT.decode(document.decode())


def dump_exact(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Write what `load_exact` read, as it was rendered: the same bytes."""
    return dump(_with_numbers(value))


def _with_numbers(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    match value:
        case NumberText():
            return orjson.Fragment(value.encode())
        case dict():
            return {name: _with_numbers(member) for name, member in value.items()}
        case list():
            return [_with_numbers(member) for member in value]
    return value


def dump(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Write JSON: one spelling for each string, lone surrogates as escapes, bytes as base64."""
    try:
        # orjson gives its whole write buffer away, 4 KB for the shortest result: only this copy has the right size.
        return b"".join((orjson.dumps(value), b""))
    except TypeError:
        return _dump_lenient(value)


def _dump_lenient(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Write what orjson refuses: lone surrogates, boto3's bytes, integers past 64 bits, 254 levels and more."""
    match value:
        case dict():
            return b"{" + b",".join([dump(name) + b":" + dump(member) for name, member in value.items()]) + b"}"
        case list():
            return b"[" + b",".join([dump(member) for member in value]) + b"]"
        case bytes():
            return dump(base64_text(value))
    # Lone surrogates alone have no UTF-8, and only strings hold them: Python's escape for them, `\ud800`, is JSON's.
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace")


# Numbers. DynamoDB's lie between 1E-130 and 9.99…E+125, so that a plain spelling has less than 300 characters.

PLAIN_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,125})(?:\.[0-9]{1,170})?").fullmatch
"""Tells the usual spelling of a number, which is JSON's own."""

_PLAIN_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,125}").fullmatch
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?").fullmatch
_ANY_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,4})?").fullmatch
_LARGEST_EXPONENT = 125
_SMALLEST_EXPONENT = -130


def json_number(text: str) -> str:
    """Keep the spelling of a number that JSON knows too; spell any other (`+5`, `.5`, `007`) plainly.

    Raises:
        DecodeError: It is no number, or outside the range of DynamoDB's.
    """
    plain = canonical_number(text)
    return text if _JSON_NUMBER(text) else plain


def canonical_number(text: str) -> str:
    """One spelling for each number: no plus sign, no leading or trailing zeros, no exponent.

    Raises:
        DecodeError: It is no number, or outside the range of DynamoDB's.
    """
    if _PLAIN_INTEGER(text):
        return text
    if not _ANY_NUMBER(text):
        raise DecodeError(f"{text!r:.60} is not a number")
    number = Decimal(text)
    if not number:
        return "0"
    if not _SMALLEST_EXPONENT <= number.adjusted() <= _LARGEST_EXPONENT:
        raise DecodeError(f"{text!r:.60} is outside the range of DynamoDB's numbers")
    plain = format(number, "f")
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def base64_text(value: str | bytes) -> str:
    """Binary on the wire is base64 text already; boto3's parsed items hold bytes."""
    return value if isinstance(value, str) else base64.b64encode(value).decode()


def canonical_base64(value: str | bytes) -> str:
    """One spelling for the same bytes.

    Raises:
        ValueError: The text is not base64.
    """
    binary = base64.b64decode(value, validate=True) if isinstance(value, str) else value
    return base64_text(binary)
