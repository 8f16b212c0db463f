"""What an index of a cluster looks like: documents with their attributes at the root, and what Dynalens keeps of them.

Attributes stand at the root as they are, mapped as they come, for Dashboards and for queries of the cluster's own. What
Dynalens itself searches by stands under `_dynalens`: the same words and tokens by path that the embedded engine keeps,
so that both give the same answers, whatever types an attribute takes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ROOT = "_dynalens"
"""The object beside the attributes. No attribute whose name begins with an underscore stands at the root."""

ID = f"{ROOT}.id"
VERSION = f"{ROOT}.version"
LIVE = f"{ROOT}.live"
"""Whether it is a document; else it is the stub that a delete leaves, which the alias hides."""
DELETED_AT = f"{ROOT}.deleted_at"
"""Of stubs: when they were written, in microseconds of the epoch."""
TYPES = f"{ROOT}.types"
"""Top-level attributes with their JSON types, as `language.encode.attribute_type` writes them."""
ASIDE = f"{ROOT}.aside"
"""Top-level attributes that do not stand at the root, because the mapping cannot take them; they are searched alike."""
ALL = f"{ROOT}.all"
"""All words of all fields; a gap stands between two values."""

TEXT = f"{ROOT}.text"
"""Words by path: `_dynalens.text.address/city`. A dot would make an object of what is also a value elsewhere."""
EXACT = f"{ROOT}.exact"
"""Tokens of whole values by path, which are sorted by: all but the texts of dates."""
DATES = f"{ROOT}.dates"
"""Tokens of the texts of dates by path."""

HINTS = "hints"
"""The document's type hints (`dynalens.change.typed_item`), JSON as text: no parser but ours takes every name."""
DOCUMENT = "document"
"""The whole document as text, where an attribute of it is aside; else it is the attributes at the root."""

ANALYZER = "dynalens"
"""Divides at what is neither letter nor digit of ASCII: words are folded and divided before they get here."""

LONGEST_KEYWORD = 8191
"""Characters of a text that the keyword beside it takes: a term has 32,766 bytes at most, a character 4."""


def field(family: str, name: str) -> str:
    """Give the field of a family (`TEXT`, `EXACT`, `DATES`) for the name of a path (`tokens.path_name`)."""
    return f"{family}.{field_name(name)}"


def field_name(name: str) -> str:
    """Give the name that a path has within its family."""
    return name.replace(".", "/")


def index_body(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Give settings and mappings of an index.

    Args:
        settings: Settings of the index that take the place of ours, such as `number_of_shards`.
    """
    # Who says how many copies there are does not want them to follow the number of nodes.
    fixed = {"auto_expand_replicas": False} if "number_of_replicas" in settings else {}
    return {"settings": {"index": {**_SETTINGS, **fixed, **settings}}, "mappings": _MAPPINGS}


_WORDS = {"type": "text", "analyzer": ANALYZER, "position_increment_gap": 1}
_TOKENS = {"type": "keyword"}
_AS_IT_IS = {"type": "object", "enabled": False}

_SETTINGS: dict[str, Any] = {
    "number_of_shards": 1,
    "auto_expand_replicas": "0-1",
    # An acknowledged write survives the loss of power.
    "translog.durability": "request",
    # Of 1,000 paths each is two to four fields of ours and up to three at the root.
    "mapping.total_fields.limit": 10_000,
    # DynamoDB takes 32 levels.
    "mapping.depth.limit": 40,
    # A value stands for up to three tokens.
    "max_terms_count": 262_144,
    "analysis": {
        "tokenizer": {ANALYZER: {"type": "simple_pattern_split", "pattern": "[\u0000-/:-@\\[-`{-\u007f]+"}},
        "analyzer": {ANALYZER: {"type": "custom", "tokenizer": ANALYZER}},
    },
}

_KEYWORD = {"type": "keyword", "ignore_above": LONGEST_KEYWORD}
_DATE = {"type": "date", "format": "strict_date_optional_time", "ignore_malformed": True}
_NUMBER = {"type": "double", "ignore_malformed": True}


def _text(**more: Mapping[str, object]) -> dict[str, object]:
    return {"type": "text", "fields": {"keyword": _KEYWORD, **more}}


_MAPPINGS: dict[str, Any] = {
    "dynamic": True,
    "date_detection": True,
    "dynamic_date_formats": ["strict_date_optional_time"],
    "properties": {
        ROOT: {
            "dynamic": True,
            "properties": {
                "id": _TOKENS,
                "version": {"type": "long"},
                "live": {"type": "boolean"},
                "deleted_at": {"type": "long"},
                "types": _TOKENS,
                "aside": _TOKENS,
                "all": _WORDS,
                "text": {"type": "object"},
                "exact": {"type": "object"},
                "dates": {"type": "object"},
                HINTS: _AS_IT_IS,
                DOCUMENT: _AS_IT_IS,
            },
        }
    },
    "dynamic_templates": [
        {"words": {"path_match": f"{TEXT}.*", "mapping": {**_WORDS, "norms": False, "copy_to": ALL}}},
        {"tokens": {"path_match": f"{EXACT}.*", "mapping": _TOKENS}},
        {"texts_of_dates": {"path_match": f"{DATES}.*", "mapping": _TOKENS}},
        # The first value decides, and must not keep a later one out: a number that a text follows is left out of the
        # index by `ignore_malformed`, and a text whose first value was a date is a text all the same.
        {"dates": {"match_mapping_type": "date", "mapping": _text(date=_DATE)}},
        {"texts": {"match_mapping_type": "string", "mapping": _text()}},
        {"integers": {"match_mapping_type": "long", "mapping": _NUMBER}},
        {"decimals": {"match_mapping_type": "double", "mapping": _NUMBER}},
        {"booleans": {"match_mapping_type": "boolean", "mapping": _KEYWORD}},
    ],
}
