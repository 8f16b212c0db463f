"""Digests: short bytes that are equal where two documents hold the same, however each of them is written."""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

from dynalens.change.document import typed_item
from dynalens.change.value import Typed, canonical_base64, canonical_number, dump

DIGEST_BYTES = 16


def digest_of(content: bytes) -> bytes:
    """Give the digest of bytes."""
    return blake2b(content, digest_size=DIGEST_BYTES).digest()


def document_digest(json: bytes, types: bytes) -> bytes:
    """Give the digest of a document from its plain JSON and its type hints (`typed_item`).

    Neither the order of attributes and of the members of sets counts, which DynamoDB does not keep, nor the spelling of
    a number. The order of lists does, and so do types: the string `1` is not the number 1.
    """
    return digest_of(dump(_map(typed_item(json, types))))


def _map(members: dict[str, Typed]) -> dict[str, Any]:
    return {name: _canonical(members[name]) for name in sorted(members)}


def _canonical(typed: Typed) -> dict[str, Any]:
    ((kind, value),) = typed.items()
    match kind:
        case "N":
            return {kind: canonical_number(value)}
        case "B":
            return {kind: canonical_base64(value)}
        case "SS" | "NS" | "BS":
            return {kind: sorted(_canonical({kind[0]: member})[kind[0]] for member in value)}
        case "L":
            return {kind: [_canonical(member) for member in value]}
        case "M":
            return {kind: _map(value)}
    return {kind: value}
