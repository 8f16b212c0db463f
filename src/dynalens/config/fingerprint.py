"""Fingerprints: whether what a generation was built with is still what the file asks for."""

from __future__ import annotations

import hashlib
import json

from dynalens.config.model import CollectionConfig


def fingerprint(collection: CollectionConfig, target: str) -> str:
    """Give a digest of the settings that define a generation's content in a target.

    For every target that is the table and `where`. For `metrics` it is also its metrics, names for other applications
    included, so that changed ones are published anew. The order of a mapping does not count, and a setting at its
    default counts as left out: a new version of Dynalens with a new setting rebuilds nothing.

    Args:
        collection: The collection as configured.
        target: `sql`, `metrics` or `search`.

    Returns:
        32 hexadecimal digits.
    """
    included = {"table", "where", "metrics"} if target == "metrics" else {"table", "where"}
    settings = collection.model_dump(mode="json", include=included, exclude_defaults=True)
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
