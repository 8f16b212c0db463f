"""Rows: a write as the engine's `RowBinary`, from the fragments that the decoder rendered.

Format: "RowBinary", ClickHouse documentation: strings behind their length as LEB128, numbers little-endian, a map as
its size and then its keys and values in turn.
"""

from __future__ import annotations

import math
import struct
from functools import lru_cache

from dynalens.target import Write
from dynalens.target.sql.schema import attribute_key

COLUMNS = ("_id", "_version", "_deleted", "_written", "_types", "_attributes")

_FIXED = struct.Struct("<QBq")
_SEVEN_BITS = 0x7F


def timestamp(seconds: float) -> int:
    """Give epoch seconds as the engine's microseconds, rounded up: no row may seem older than it is."""
    return math.ceil(seconds * 1_000_000)


def encode(write: Write, written: int) -> bytes:
    """Encode one write; a delete is a row without attributes. `written` is a `timestamp`."""
    document_id = write.id.encode()
    fixed = _FIXED.pack(write.version, write.document is None, written)
    if write.document is None:
        return b"".join((_length(len(document_id)), document_id, fixed, _length(0), _length(0)))
    types, fragments = write.document.types, write.document.fragments
    parts = [_length(len(document_id)), document_id, fixed, _length(len(types)), types, _length(len(fragments))]
    for name, fragment in fragments.items():
        parts += (_encoded_key(name), _length(len(fragment)), fragment)
    return b"".join(parts)


@lru_cache(maxsize=8192)
def _encoded_key(name: str) -> bytes:
    key = attribute_key(name).encode()
    return _length(len(key)) + key


@lru_cache(maxsize=8192)
def _length(value: int) -> bytes:
    encoded = bytearray()
    while value > _SEVEN_BITS:
        encoded.append(value & _SEVEN_BITS | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)
