"""Limits of one search; each error names its limit and the way out."""

from __future__ import annotations

from dynalens.errors import QueryLimitError

MOST_CLAUSES = 4096
"""Single questions to the index that one query may come to."""
WALK = 16
"""Clauses that a question counts as which walks through the words of a field: typos, beginnings."""
MOST_VALUES = 65_536
"""Values of one list of terms or ids."""
DEEPEST = 50
"""Queries within queries."""
MOST_WORDS_ANYWHERE = 32
"""Words of one search box: their places in the score have to fit a 32-bit float."""
MOST_WORDS = 256
"""Words of one text to match."""
MOST_HITS = 10_000
"""Offset and size together; a snapshot has no such limit."""
MOST_CANDIDATES = 65_536
"""Words of a collection with the beginnings that the `prefix_length` of one query asks for, all together."""
MOST_BYTES = 256 * 1024 * 1024
"""Documents read for one answer, those too that are only read to be put in order."""
MOST_FACETS = 10_000
"""Values of one facet."""

MOST_BUCKETS = 10_000
"""Buckets of all aggregations of one answer."""


def hold(amount: int, most: int, what: str, instead: str) -> None:
    """Refuse what is over a limit.

    Args:
        amount: What is asked.
        most: The limit.
        what: What is counted, in the plural: "words in one search".
        instead: What to write instead.

    Raises:
        QueryLimitError: It is over the limit.
    """
    if amount > most:
        raise QueryLimitError(f"{amount} {what}; the limit is {most}.", hint=instead)
