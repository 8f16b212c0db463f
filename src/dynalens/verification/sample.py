"""Hashes of ids: which documents a sample holds, and which ids two lists do not have in common."""

from __future__ import annotations

from array import array
from dataclasses import dataclass
from hashlib import blake2b

_HASH_BYTES = 8
_HASHES = 1 << 8 * _HASH_BYTES
_BUCKETS = 1 << 18


def _hash(id_: str, salt: str = "") -> int:
    return int.from_bytes(blake2b(id_.encode(), digest_size=_HASH_BYTES, key=salt.encode()).digest())


@dataclass(frozen=True, slots=True)
class Sample:
    """Which documents are compared: a share of all, by a hash of their ids.

    Attributes:
        share: From 0 to 1.
        salt: Another one makes another sample of the same size; at most 64 bytes.
    """

    share: float = 1.0
    salt: str = ""

    def holds(self, id_: str) -> bool:
        """Tell whether a document is one of them."""
        return self.share >= 1 or _hash(id_, self.salt) < self.share * _HASHES


EVERYTHING = Sample()


class Balance:
    """Tells which ids two lists of any length may not have in common, in 2 MB.

    Ids fall into buckets by their hash. What one list adds to a bucket's sum the other takes away: what is left at zero
    has the same ids on both sides. So of two long lists that hardly differ only a few buckets must be looked through.
    """

    def __init__(self) -> None:
        self._sums = array("Q", bytes(_HASH_BYTES * _BUCKETS))

    def add(self, id_: str) -> None:
        """Count an id of the one list."""
        self._change(_hash(id_), 1)

    def take_away(self, id_: str) -> None:
        """Count an id of the other list."""
        self._change(_hash(id_), -1)

    def is_even(self) -> bool:
        """Tell whether both lists have the same ids."""
        return not any(self._sums)

    def may_differ(self, id_: str) -> bool:
        """Tell whether an id shares its bucket with one that a single list has."""
        return self._sums[_hash(id_) % _BUCKETS] != 0

    def _change(self, hashed: int, sign: int) -> None:
        bucket = hashed % _BUCKETS
        self._sums[bucket] = (self._sums[bucket] + sign * hashed) % _HASHES
