"""Documents as an index keeps them, read again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dynalens.change import dump_exact
from dynalens.target import StoredDocument
from dynalens.target.search.cluster.schema import DOCUMENT, HINTS, ROOT


def stored_document(source: Mapping[str, Any]) -> StoredDocument:
    """Give the document of a `_source` that was read exactly, bytes as they were written."""
    kept = source[ROOT]
    if DOCUMENT in kept:
        json = kept[DOCUMENT].encode()
    else:
        json = dump_exact({name: value for name, value in source.items() if name != ROOT})
    return StoredDocument(kept["id"], json, kept.get(HINTS, "").encode())
