"""Dead letters: what one target could not hold, kept whole with its reason until someone redrives it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

UNDECODED = ""
"""Collection of a record that could not be decoded: it may belong to any of its table, and counts for each."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One change that one target refused, or one record that could not be decoded (`collection` is empty then).

    Attributes:
        number: Given by the store, rising; 0 before it is stored.
        version: The fencing version the change had for the target; a redrive keeps it.
        record: The whole stream record in DynamoDB JSON (`dynalens.change.decode_record` reads it).
        code: A stable name of the reason, such as `out_of_scale`; `message` says it in words.
        state: `waiting`, `redrive` when a redrive was asked for, `done` after it was applied.
    """

    number: int = 0
    table: str
    target: str
    collection: str
    generation: int
    document_id: str
    version: int
    partition: str
    sequence_number: str
    created_at: float
    code: str
    message: str
    record: bytes
    state: Literal["waiting", "redrive", "done"] = "waiting"
    stored_at: float = 0.0


class DeadLetterStore(Protocol):
    """Durable dead letters. Every method is atomic and safe to call from several threads and processes."""

    def add(self, letters: Sequence[DeadLetter]) -> None:
        """Store letters durably before the position moves past them; the same change and target is stored once.

        One whose state is `redrive` is asked for like those of `request_redrive`.
        """
        ...

    def letters(
        self,
        *,
        state: str | None = None,
        collection: str | None = None,
        table: str | None = None,
        target: str | None = None,
        limit: int = 100,
    ) -> list[DeadLetter]:
        """List letters, oldest first; None takes all."""
        ...

    def letter(self, number: int) -> DeadLetter | None:
        """Read one letter whole."""
        ...

    def request_redrive(self, numbers: Sequence[int] | None) -> int:
        """Ask the worker to apply letters again (None: all that wait); return how many were asked for.

        Raises `PositionStore.revision` of their tables, in the step that asks.
        """
        ...

    def settle(self, number: int, *, code: str = "", message: str = "") -> None:
        """End a redrive: done without a code, waiting again with the new reason otherwise."""
        ...

    def waiting_counts(self) -> dict[tuple[str, str, str], int]:
        """Count letters that wait, by (table, target, collection)."""
        ...
