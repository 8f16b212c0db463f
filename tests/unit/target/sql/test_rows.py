"""Writes as the engine's RowBinary, byte by byte."""

from __future__ import annotations

import struct

import pytest

from dynalens.target.sql.rows import encode, timestamp
from tests.contract.writing import delete, put

WRITTEN = 1_700_000_000_000_001


def test_an_upsert_is_its_fragments_behind_their_lengths() -> None:
    write = put("k", 5, attributes={"é": {"N": "1.50"}, "b": {"B": "AA=="}})
    fixed = struct.pack("<QBq", 5, 0, WRITTEN)
    attributes = [b'"\xc3\xa9"', b"1.50", b'"b"', b'"AA=="', b'"id"', b'"k"', b'"n"', b"1"]
    encoded_attributes = b"".join(bytes([len(part)]) + part for part in attributes)
    assert encode(write, WRITTEN) == b"\x01k" + fixed + b'\x09{"b":"B"}' + b"\x04" + encoded_attributes


def test_a_delete_is_a_row_without_attributes() -> None:
    fixed = struct.pack("<QBq", (1 << 63) - 1, 1, WRITTEN)
    assert encode(delete("k", (1 << 63) - 1), WRITTEN) == b"\x01k" + fixed + b"\x00\x00"


@pytest.mark.parametrize(
    ("length", "prefix"),
    [(127, b"\x7f"), (128, b"\x80\x01"), (300, b"\xac\x02"), (16_384, b"\x80\x80\x01"), (400_000, b"\x80\xb5\x18")],
)
def test_lengths_are_written_in_sevens_of_bits(length: int, prefix: bytes) -> None:
    row = encode(put("k", 1, attributes={"text": {"S": "x" * (length - 2)}}), WRITTEN)
    assert b'\x06"text"' + prefix + b'"xxx' in row


def test_a_lone_surrogate_in_a_name_is_spelled_as_json_does() -> None:
    assert b'\x08"\\ud800"' in encode(put("k", 1, attributes={"\ud800": {"S": ""}}), WRITTEN)


@pytest.mark.parametrize(("seconds", "microseconds"), [(0.0, 0), (1.0, 1_000_000), (1.0000001, 1_000_001)])
def test_a_row_never_seems_older_than_it_is(seconds: float, microseconds: int) -> None:
    assert timestamp(seconds) == microseconds
