"""What a request may wait for before it is answered, as its parameters say it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from starlette.datastructures import QueryParams

from dynalens.errors import RequestError
from dynalens.server.backend import shortened
from dynalens.server.expectation import Expectation, read_expectation
from dynalens.server.position_token import PositionToken, read_token

PARAMETERS = frozenset({"wait_for", "wait_timeout", "expect"})
"""The parameters that are read here, wherever a route reads others itself."""


def beside(parameters: QueryParams) -> list[tuple[str, str]]:
    """Give the parameters of a URL but for those that are read here."""
    return [(name, value) for name, value in parameters.multi_items() if name not in PARAMETERS]


_SEQUENCE = re.compile(r"(\d{1,60})(?:@(.+))?", re.ASCII | re.DOTALL)
_HINT = "Write wait_for=position:TOKEN, wait_for=sequence:NUMBER@SHARD or wait_for=document:ID&expect=FIELD:VALUE."


@dataclass(frozen=True, slots=True)
class AwaitedSequence:
    """A sequence number of the stream, in one shard or in whichever shard it belongs to."""

    number: int
    shard: str


@dataclass(frozen=True, slots=True)
class AwaitedDocument:
    """A document, and what it is expected to be."""

    id: str
    expectation: Expectation


Awaited: TypeAlias = PositionToken | AwaitedSequence | AwaitedDocument


def read_awaited(wait_for: list[str], expect: str | None) -> tuple[Awaited, ...]:
    """Read `wait_for`, each time it was given, and `expect`.

    Raises:
        RequestError: One is malformed, or one lacks the other.
    """
    awaited = tuple(_read(text, expect) for text in wait_for)
    documents = sum(isinstance(one, AwaitedDocument) for one in awaited)
    if documents > 1:
        raise RequestError("wait_for names several documents.", hint="Wait for the one that was written last.")
    if expect is not None and not documents:
        raise RequestError("expect says what a document holds, and wait_for names none.", hint=_HINT)
    return awaited


def _read(text: str, expect: str | None) -> Awaited:
    kind, colon, what = text.partition(":")
    match kind:
        case "position" if colon:
            return read_token(what)
        case "sequence" if found := _SEQUENCE.fullmatch(what):
            return AwaitedSequence(int(found[1]), found[2] or "")
        case "document" if what:
            if expect is None:
                raise RequestError(
                    "wait_for=document lacks what to expect of it.",
                    hint="Add expect=FIELD:VALUE as in filter=, or expect=gone.",
                )
            return AwaitedDocument(what, read_expectation(expect))
    raise RequestError(f"wait_for is {shortened(text)!r}, which is nothing to wait for.", hint=_HINT)
