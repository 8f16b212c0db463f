"""Every limit of one search in one place. An error that a limit causes names it and its value."""

from __future__ import annotations

QUERY_DEPTH = 20
"""Queries within each other."""

CLAUSES = 1024
"""Queries in one search, all together; a query of several fields counts once for each."""

VALUES = 10_000
"""Values of one `terms`, ids of one `ids`."""

TEXT_CHARACTERS = 10_000
"""One text to search for or to compare with, in characters."""

FIELD_CHARACTERS = 1000
"""The path of one field, in characters."""

FIELDS = 100
"""Fields of one query, of a highlight, and patterns of `_source`."""

NUMBER_DIGITS = 400
"""Digits of a number, and of its whole part once its exponent is written out; DynamoDB's largest has 126."""

WINDOW = 10_000
"""Hits that `from` and `size` reach together."""

SORT_KEYS = 10
"""Keys of one order."""

FACETS = 20
"""Fields whose values are counted in one search."""

FACET_VALUES = 1000
"""Values of one facet."""

AGGREGATIONS = 50
"""Aggregations of one search, those within buckets included."""

BUCKETS = 10_000
"""Values of one terms aggregation; an answer has no more buckets than that, either."""

RANGES = 100
"""Ranges of one aggregation."""

FRAGMENTS = 100
"""Fragments of one highlighted field."""

FRAGMENT_CHARACTERS = 10_000
"""One highlighted fragment, in characters."""

TAG_CHARACTERS = 200
"""What stands before or behind a highlighted word, in characters."""

BOOST = 1_000_000
"""The largest boost, also as the product of boosts within each other, and the largest slop."""
