"""A position as clients carry it: how far each shard of a table has been committed, as one opaque text.

What is committed is applied, and stays so: a client that gives the text back waits for what it has seen, in any target.
Opaque means that clients take it as it is. It is compressed JSON in the alphabet of URLs ("Base 64 Encoding with URL
and Filename Safe Alphabet", RFC 4648).
"""

from __future__ import annotations

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated

from pydantic import Field, TypeAdapter, ValidationError

from dynalens.errors import RequestError
from dynalens.partition import Position
from dynalens.position import PartitionState

_FORM = 1
_MOST_BYTES = 1 << 20
"""Of the JSON in a token: about five thousand shards."""
_HINT = "Give a position as an answer gave it, in Dynalens-Freshness or from GET …/collections/NAME/position."

_Digits = Annotated[str, Field(pattern=r"^(-1|\d{1,60})$")]
_Shard = tuple[str, _Digits, bool, list[str]]
_BODY = TypeAdapter(tuple[int, str, list[_Shard]])


@dataclass(frozen=True, slots=True)
class Shard:
    """How far one shard has been committed, and its parents."""

    id: str
    position: Position
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PositionToken:
    """How far a table has been committed to a target.

    Attributes:
        table: The table.
        shards: The shards that are read, and the drained ones of which no child is read yet.
    """

    table: str
    shards: tuple[Shard, ...]

    def __str__(self) -> str:
        """Give the text that clients carry."""
        return _text(self)


@lru_cache(maxsize=64)
def _text(token: PositionToken) -> str:
    """Write a token; every answer carries it, and while nothing is written it is the same."""
    shards = [(shard.id, str(shard.position.rank), shard.position.ended, list(shard.parents)) for shard in token.shards]
    return urlsafe_b64encode(zlib.compress(_BODY.dump_json((_FORM, token.table, shards)))).rstrip(b"=").decode()


def token_of(table: str, states: Iterable[PartitionState]) -> PositionToken:
    """Make the token of a table from the states that one target has of it."""
    return PositionToken(
        table,
        tuple(Shard(state.partition.id, state.position, state.partition.parents) for state in last_shards(states)),
    )


def last_shards(states: Iterable[PartitionState]) -> list[PartitionState]:
    """Give the shards that no child has taken over from: those that are read, and those whose children are awaited.

    Args:
        states: Those of one target; segments of scans do not count.
    """
    shards = [state for state in states if state.partition.kind == "shard"]
    # An epoch is drawn for a child only once its parents are drained.
    replaced = {parent for state in shards for parent in state.partition.parents}
    return sorted((state for state in shards if state.partition.id not in replaced), key=lambda one: one.partition.id)


def read_token(text: str) -> PositionToken:
    """Read what a client gave back.

    Raises:
        RequestError: It is no token.
    """
    try:
        inflating = zlib.decompressobj()
        body = inflating.decompress(urlsafe_b64decode(text.encode() + b"=" * (-len(text) % 4)), _MOST_BYTES)
        form, table, shards = _BODY.validate_json(body if inflating.eof else b"")
        if form != _FORM:
            raise _no_token(text)
    except (ValueError, zlib.error, ValidationError):
        raise _no_token(text) from None
    return PositionToken(
        table,
        tuple(Shard(id_, Position(ended, int(rank)), tuple(parents)) for id_, rank, ended, parents in shards),
    )


def _no_token(text: str) -> RequestError:
    return RequestError(f"wait_for=position: {text[:40]!r} is no position.", hint=_HINT)


def behind(token: PositionToken, target: str, states: Sequence[PartitionState]) -> Iterator[str]:
    """Say of each shard of a token what a target lacks of it; nothing when it has all.

    Args:
        token: What is waited for.
        target: The target's name.
        states: Those of all targets of the table: what one has not begun another one may know.
    """
    lineage = Lineage(target, states)
    for shard in token.shards:
        at = lineage.held.get(shard.id)
        if at is None:
            if not lineage.is_past(shard):
                yield f"shard {shard.id} is not read yet"
        elif at < shard.position:
            yield f"shard {shard.id} stands at {said(at)}, before {said(shard.position)}"


def said(position: Position) -> str:
    """Say a position in words."""
    if position.ended:
        return "its end"
    return f"sequence number {position.rank}" if position.rank >= 0 else "its beginning"


class Lineage:
    """What a target has read of a table, and from which shards that came.

    Args:
        target: The target's name.
        states: Those of all targets of the table.
    """

    def __init__(self, target: str, states: Sequence[PartitionState]) -> None:
        shards = [state for state in states if state.partition.kind == "shard"]
        self._parents: Mapping[str, tuple[str, ...]] = {state.partition.id: state.partition.parents for state in shards}
        self.held: Mapping[str, Position] = {
            state.partition.id: state.position for state in shards if state.target == target
        }
        """Positions of the target by shard."""

    def is_replaced(self, shard: str) -> bool:
        """Say whether a descendant is read: then the shard was drained, or its loss is a gap."""
        return any(shard in self._ancestors(held) for held in self.held)

    def is_past(self, shard: Shard) -> bool:
        """Say of a shard that was read once, and that the target holds nothing of, whether it is over.

        It is where a descendant is read, or where nobody knows it any more: positions are forgotten of shards that the
        stream no longer lists, drained ones, and others together with the record of a gap. It is not where the target
        still reads an ancestor of it, or another target reads it already.
        """
        if self.is_replaced(shard.id):
            return True
        from_parents = {ancestor for parent in shard.parents for ancestor in (parent, *self._ancestors(parent))}
        return shard.id not in self._parents and not from_parents & self.held.keys()

    def _ancestors(self, shard: str) -> set[str]:
        found: set[str] = set()
        open_ = [shard]
        while open_:
            for parent in self._parents.get(open_.pop(), ()):
                if parent not in found:
                    found.add(parent)
                    open_.append(parent)
        return found
