"""Fingerprints: whether what a generation was built with is still what the file asks for."""

from __future__ import annotations

import hashlib
import json

from dynalens.config.model import DEFAULT_ITEM_TYPE, CollectionConfig

_ROUTED_BY = frozenset({"table", "where", "item_type", "type_attribute"})

_FORMATS = {"search": 1}
"""How a target keeps documents, where an older way would answer wrongly: raised, so that generations are built anew."""


def fingerprint(collection: CollectionConfig, target: str) -> str:
    """Give a digest of the settings that define a generation's content in a target.

    For every target that is the table and which of its items belong to the collection; for the item type `default` that
    includes the types that others name. For `metrics` it is also its metrics, names for other applications included,
    so that changed ones are published anew; for `search` it is also how it is searched, and how words and values are
    kept. The order of a mapping and of paths does not count, and a setting at its default counts as left out: a new
    version of Dynalens with a new setting rebuilds nothing.

    Args:
        collection: The collection, as it stands in a `Config`.
        target: `sql`, `metrics` or `search`.

    Returns:
        32 hexadecimal digits.
    """
    own = {target} & {"metrics", "search"}
    settings = collection.model_dump(mode="json", include={*_ROUTED_BY, *own}, exclude_defaults=True)
    if "search" in settings:
        settings["search"]["fields"].sort()
    if collection.item_type == DEFAULT_ITEM_TYPE:
        settings["named_types"] = sorted(collection.named_types)
    if target in _FORMATS:
        settings["format"] = _FORMATS[target]
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]
