"""The fields of an index, the same for every collection: documents are looked up by path, whatever they hold.

Field names begin with an underscore or stand before a dot and a path, so that no attribute clashes with them.
"""

from __future__ import annotations

from tantivy import Schema, SchemaBuilder

ID = "_id"
VERSION = "_version"
LIVE = "_live"
"""Whether the row is a document; else it is a tombstone."""
DELETED_AT = "_deleted_at"
"""Of tombstones: when they were written, in microseconds of the epoch."""
ALL = "_all"
"""All words of all fields, in the order of the document; a gap stands between two values."""
TYPES = "_types"
"""Top-level attributes with their JSON types, as `language.encode.attribute_type` writes them."""
DOCUMENT = "_document"
HINTS = "_hints"
"""The document's type hints (`dynalens.change.typed_item`)."""

TEXT = "text"
"""Words by path: `text.address.city`."""
EXACT = "exact"
"""Tokens of whole values by path: `exact.address.city`."""

# Columns beside the tokens. No path has a name with this sign, and an index of an older version can take them.
_NUMBERS = "#number."
_INSTANTS = "#instant."
_POINTS = "#point."

_KEPT = "raw"
_SPLIT_AT_SPACES = "whitespace"
_UNRANKED = "basic"


def number_column(name: str) -> str:
    """Give the name in `EXACT` that a path's numbers stand under, as 64-bit floats."""
    return _NUMBERS + name


def instant_column(name: str) -> str:
    """Give the name in `EXACT` that a path's dates stand under, in milliseconds since 1970."""
    return _INSTANTS + name


def point_column(name: str) -> str:
    """Give the name in `EXACT` that the tokens of points stand under (`points.point_token`)."""
    return _POINTS + name


def make_schema() -> Schema:
    """Make the schema. Words are split and folded before they get here (`words`), so spaces alone divide them."""
    builder = SchemaBuilder()
    builder.add_text_field(ID, stored=True, fast=True, tokenizer_name=_KEPT, index_option=_UNRANKED)
    builder.add_unsigned_field(VERSION, fast=True)
    builder.add_boolean_field(LIVE, indexed=True, fast=True)
    builder.add_unsigned_field(DELETED_AT, fast=True, indexed=True)
    builder.add_text_field(ALL, tokenizer_name=_SPLIT_AT_SPACES)
    builder.add_text_field(TYPES, fast=True, tokenizer_name=_KEPT, index_option=_UNRANKED)
    builder.add_bytes_field(DOCUMENT, stored=True)
    builder.add_bytes_field(HINTS, stored=True)
    builder.add_json_field(TEXT, tokenizer_name=_SPLIT_AT_SPACES, expand_dots_enabled=True)
    builder.add_json_field(EXACT, fast=True, tokenizer_name=_KEPT, index_option=_UNRANKED, expand_dots_enabled=True)
    return builder.build()
