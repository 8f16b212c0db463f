"""What the benchmarks of single targets share: donations as writes, without a stream before them."""

from __future__ import annotations

from typing import Any

from bench.decode import item
from dynalens.change import Change, KeySchema, document_id, render
from dynalens.target import Generation, Write

GENERATION = Generation("donations", 1)
KEYS = KeySchema(("email", "donatedAt"))


def donation(number: int) -> dict[str, Any]:
    """Make one donation of 0.75 KB in DynamoDB JSON."""
    return {**item(number, f"{number % 900}.25"), "email": {"S": f"donor{number:06}@example.org"}}


def write(number: int, version: int = 1) -> Write:
    """Make the write of one donation."""
    typed = donation(number)
    document = render(typed)
    change = Change(
        table="Donations",
        id=document_id(typed, KEYS),
        key={name: typed[name] for name in KEYS.names},
        kind="insert",
        new=document,
        old=None,
        old_known=True,
        sequence_number=str(10**20 + number),
        created_at=0.0,
        user_identity="",
        size=len(document.json),
    )
    return Write(GENERATION, change.id, version, document, change)
