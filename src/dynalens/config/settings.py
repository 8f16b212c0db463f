"""A collection's settings as text: kept beside what was built with them, to feed it on when the file changes."""

from __future__ import annotations

import json

from dynalens.config.model import CollectionConfig

_NAMED_TYPES = "named_types"


def dump_settings(collection: CollectionConfig) -> str:
    """Give a collection's settings as JSON, those at their default left out.

    Args:
        collection: The collection, as it stands in a `Config`.
    """
    settings = collection.model_dump(mode="json", exclude_defaults=True)
    if collection.named_types:
        settings[_NAMED_TYPES] = sorted(collection.named_types)
    return json.dumps(settings, sort_keys=True)


def load_settings(text: str) -> CollectionConfig:
    """Give back the collection of `dump_settings`.

    Raises:
        ValueError: It is no such text, or this release does not know these settings.
    """
    settings = json.loads(text)
    named = settings.pop(_NAMED_TYPES, [])
    return CollectionConfig.model_validate(settings).naming(named)
