"""Limits of one search; each error names its limit and the way out."""

from __future__ import annotations

from dynalens.errors import QueryLimitError

MOST_CLAUSES = 4096
"""Single questions to the index that one query may come to."""
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
MOST_CHARACTERS = 1000
"""Of the beginning of a whole value: what its token spells."""
MOST_CANDIDATES = 65_536
"""Words of a collection with the beginning that `prefix_length` asks for."""
MOST_FACETS = 10_000
"""Values of one facet."""


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
