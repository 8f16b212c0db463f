"""Requests: what somebody asks of the worker that leads a table, and how it goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

RequestKind = Literal["rebuild", "back", "release", "verify"]
RequestState = Literal["waiting", "running", "done", "failed"]

KEPT_REQUESTS = 100
"""How many of the requests that ended are listed for a table; those before them may be forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Something asked of one collection in one target. Times are epoch seconds.

    Attributes:
        number: Given by the store, rising; 0 before it is stored.
        kind: `rebuild` builds a new generation and keeps the one before it; `back` serves the one before it again;
            `release` drops it; `verify` compares with the table.
        options: What it is to be done with, as JSON.
        outcome: What came of it so far, as JSON.
        error: Why it failed, in words.
    """

    number: int = 0
    table: str
    collection: str
    target: str
    kind: RequestKind
    state: RequestState = "waiting"
    options: str = "{}"
    outcome: str = "{}"
    error: str = ""
    asked_at: float = 0.0
    changed_at: float = 0.0

    @property
    def has_ended(self) -> bool:
        """Whether nothing is done about it any more."""
        return self.state in {"done", "failed"}


def forgettable(requests: Sequence[Request]) -> list[Request]:
    """Give those of a table's requests, oldest first, that ended before the newest `KEPT_REQUESTS` which did."""
    return [request for request in requests if request.has_ended][:-KEPT_REQUESTS]


class RequestStore(Protocol):
    """Durable requests. Every method is atomic and safe to call from several threads and processes."""

    def ask(self, request: Request) -> Request:
        """Store a request; give it with its number. Raises `PositionStore.revision` of its table.

        What `requests` no longer lists of the table is forgotten. No number is given twice.
        """
        ...

    def requests(self, table: str) -> list[Request]:
        """List the requests of a table, oldest first: those not ended, and the newest `KEPT_REQUESTS` of the others."""
        ...

    def request(self, number: int) -> Request | None:
        """Read one."""
        ...

    def save_request(self, request: Request) -> None:
        """Replace a request by its new state, kept under its number; one that the store does not hold stays unknown."""
        ...
