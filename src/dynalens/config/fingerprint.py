"""Fingerprints: whether what a generation was built with is still what the file asks for, and if not, what differs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dynalens.config.model import DEFAULT_ITEM_TYPE, CollectionConfig

_ROUTED_BY = frozenset({"table", "where", "item_type", "type_attribute"})

_FORMATS = {"search": 2}
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
    settings = _defining(collection, target, defaults=False)
    if target in _FORMATS:
        settings["format"] = _FORMATS[target]
    text = json.dumps(settings, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Difference:
    """One setting that differs: its place below the collection, and its values as JSON; None where it is not there."""

    setting: str
    old: str | None
    new: str | None


def differences(old: CollectionConfig, new: CollectionConfig, target: str) -> list[Difference]:
    """Give the settings by which two fingerprints of a collection differ in a target, in the order of their places.

    There is none where the fingerprints are the same, or differ in how a release keeps documents alone.

    Args:
        old: The collection as a generation was built with it.
        new: The collection as it stands in a `Config`.
        target: `sql`, `metrics` or `search`.
    """
    before, after = (_defining(each, target, defaults=True) for each in (old, new))
    return list(_differing("", before, after))


def _defining(collection: CollectionConfig, target: str, *, defaults: bool) -> dict[str, Any]:
    own = {target} & {"metrics", "search"}
    settings = collection.model_dump(mode="json", include={*_ROUTED_BY, *own}, exclude_defaults=not defaults)
    if "fields" in settings.get("search", {}):
        settings["search"]["fields"].sort()
    if collection.item_type == DEFAULT_ITEM_TYPE:
        settings["named_types"] = sorted(collection.named_types)
    return settings


def _differing(place: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    for name in sorted(old.keys() | new.keys()):
        before, after = _text(old, name), _text(new, name)
        if before == after:
            continue
        match old.get(name), new.get(name):
            case dict(inner_old), dict(inner_new):
                yield from _differing(f"{place}{name}.", inner_old, inner_new)
            case _:
                yield Difference(f"{place}{name}", before, after)


def _text(settings: dict[str, Any], name: str) -> str | None:
    return json.dumps(settings[name], sort_keys=True, ensure_ascii=False) if name in settings else None
