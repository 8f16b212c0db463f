"""Writes for the contract suite, made as the pipeline makes them: an item in DynamoDB JSON, rendered once."""

from __future__ import annotations

from collections.abc import Mapping

from dynalens.change import Change, Typed, document_id, render
from dynalens.target import Generation, Write
from tests.contract.implementations import COLLECTIONS, KEYS

FIRST = Generation("donations", 1)
SECOND = Generation("donations", 2)


def put(
    key: str,
    at_version: int,
    n: int = 1,
    *,
    generation: Generation = FIRST,
    attributes: Mapping[str, Typed] | None = None,
) -> Write:
    """Upsert the item whose string key is `key`, with the number `n` and any further attributes."""
    item: dict[str, Typed] = {**(attributes or {}), "id": {"S": key}, "n": {"N": str(n)}}
    change = _change(key, at_version, generation, item)
    return Write(generation, change.id, at_version, change.new, change)


def delete(key: str, at_version: int, *, generation: Generation = FIRST) -> Write:
    """Delete the item whose string key is `key`."""
    change = _change(key, at_version, generation, None)
    return Write(generation, change.id, at_version, None, change)


def _change(key: str, at_version: int, generation: Generation, item: Mapping[str, Typed] | None) -> Change:
    typed_key = {"id": {"S": key}}
    scanned = at_version == 0
    document = render(item) if item is not None else None
    return Change(
        table=COLLECTIONS[generation.collection].table,
        id=document_id(typed_key, KEYS),
        key=typed_key,
        kind="scan" if scanned else "modify" if item is not None else "remove",
        new=document,
        old=None,
        old_known=True,
        sequence_number="" if scanned else f"{10**20 + at_version}",
        created_at=0.0 if scanned else 1_700_000_000.0,
        user_identity="",
        size=len(document.json) if document else 0,
    )
