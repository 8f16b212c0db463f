"""The engine's queries, made by the few combinations that answers need; each is safe for any text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from tantivy import Occur, Query

from dynalens.target.search import schema
from dynalens.target.search.limits import MOST_CANDIDATES, MOST_CLAUSES, WALK, hold
from dynalens.target.search.view import View

ALL = schema.ALL
"""The field of all words."""


def everything() -> Query:
    """Match every row, at a score of 1."""
    return Query.all_query()


def nothing() -> Query:
    """Match no row."""
    return Query.empty_query()


def constant(query: Query, score: float) -> Query:
    """Match the same at one score."""
    return Query.const_score_query(query, score)


def boosted(query: Query, boost: float) -> Query:
    """Match the same at a multiple of its score."""
    return query if boost == 1 else Query.boost_query(query, boost)


def all_of(queries: Sequence[Query]) -> Query:
    """Match what all match; scores add up."""
    if len(queries) == 1:
        return queries[0]
    return Query.boolean_query([(Occur.Must, query) for query in queries])


def any_of(queries: Sequence[Query], minimum: int = 1) -> Query:
    """Match what at least `minimum` (1 or more) match; scores add up."""
    if minimum > len(queries):
        return Query.empty_query()
    if len(queries) == 1:
        return queries[0]
    return Query.boolean_query([(Occur.Should, query) for query in queries], minimum)


def best_of(queries: Sequence[Query], tie_breaker: float = 0.0) -> Query:
    """Match what any matches; the best score counts, others `tie_breaker` of theirs."""
    return queries[0] if len(queries) == 1 else Query.disjunction_max_query(list(queries), tie_breaker)


def raised(query: Query, by: Sequence[Query]) -> Query:
    """Match the same; whatever else matches adds its score."""
    return Query.boolean_query([(Occur.Must, query), *((Occur.Should, other) for other in by)]) if by else query


def restricted(query: Query, having: Sequence[Query] = (), lacking: Sequence[Query] = ()) -> Query:
    """Match what all of `having` and none of `lacking` match as well, at the score of `query` alone."""
    if not having and not lacking:
        return query
    filters = [(Occur.Must, Query.const_score_query(other, 0.0)) for other in having]
    return Query.boolean_query([(Occur.Must, query), *filters, *((Occur.MustNot, other) for other in lacking)])


@dataclass
class Clauses:
    """Queries on the fields of one view. Fields of words are `_all` or `Clauses.words_at`, those of tokens names.

    What looks for words raises `QueryLimitError` when that comes to more than `MOST_CLAUSES`.
    """

    view: View
    made: int = 0
    listed: int = 0

    def count(self, clauses: int = 1) -> None:
        """Count what one more query comes to."""
        self.made += clauses
        hold(self.made, MOST_CLAUSES, "clauses in one query", "Write a smaller query, or ask with terms.")

    def name(self, path: str) -> str:
        """Give the name that the tokens of a path stand under.

        Raises:
            RequestError: The path is not indexed by name.
        """
        return schema.ID if path == schema.ID else self.view.name_of(path)

    def words_at(self, path: str) -> str:
        """Give the field of the words of a path.

        Raises:
            RequestError: The path is not indexed by name.
        """
        return f"{schema.TEXT}.{self.name(path)}"

    @cached_property
    def live(self) -> tuple[Query, ...]:
        """What sets documents apart from tombstones; empty where there are no tombstones."""
        view = self.view
        if not view.searcher.doc_freq(schema.LIVE, field_value=False):
            return ()
        return (Query.term_query(view.schema, schema.LIVE, field_value=True),)

    def word(self, field: str, word: str) -> Query:
        """Match a word, by BM25."""
        self.count()
        return Query.term_query(self.view.schema, field, word)

    def any_word(self, field: str, words: Sequence[str]) -> Query:
        """Match one of many words, at a score of 1."""
        self.count()
        return Query.term_set_query(self.view.schema, field, words)

    def close_word(self, field: str, word: str, typos: int, *, transpositions: bool = True) -> Query:
        """Match words at most so many typos away, at a score of 1."""
        self.count(WALK)
        return Query.fuzzy_term_query(self.view.schema, field, word, typos, transpositions)

    def beginning(self, field: str, text: str) -> Query:
        """Match words that begin so, at a score of 1."""
        self.count(WALK)
        return Query.fuzzy_term_query(self.view.schema, field, text, 0, prefix=True)

    def known_words(self, beginning: str) -> list[str]:
        """Give the words of all fields that begin so.

        Raises:
            QueryLimitError: With those that the query asked for before, there are more than `MOST_CANDIDATES`.
        """
        found = self.view.searcher.terms_with_prefix(schema.ALL, beginning, limit=MOST_CANDIDATES + 1)
        self.listed += len(found)
        hold(self.listed, MOST_CANDIDATES, "words begin as prefix_length asks", "Write a larger prefix_length.")
        return [word for word, _ in found]

    def phrase(self, field: str, words: Sequence[str], slop: int = 0) -> Query:
        """Match words in a row, with at most `slop` moves, by BM25; one word is matched as such."""
        self.count()
        if len(words) == 1:
            return self.word(field, words[0])
        return Query.phrase_query(self.view.schema, field, list(words), slop)

    def phrase_beginning(self, field: str, words: Sequence[str]) -> Query:
        """Match words in a row of which the last may go on (in 50 ways at most), at a score of 1."""
        self.count()
        if len(words) == 1:
            return self.beginning(field, words[0])
        return Query.phrase_prefix_query(self.view.schema, field, list(words))

    def tokens(self, name: str, tokens: Sequence[str]) -> Query:
        """Match values that have one of these tokens, at a score of 1."""
        return Query.term_set_query(self.view.schema, f"{schema.EXACT}.{name}", tokens)

    def token_beginning(self, name: str, text: str) -> Query:
        """Match values whose token begins so, at a score of 1."""
        return self.beginning(f"{schema.EXACT}.{name}", text)

    def between(self, name: str, lower: str | None, upper: str | None, *, inclusive: tuple[bool, bool]) -> Query:
        """Match values whose token lies between two (None: open), at a score of 1; whether each bound is included."""
        opening, closing = "[" if inclusive[0] else "{", "]" if inclusive[1] else "}"
        return self.view.index.parse_query(f"{schema.EXACT}.{name}:{opening}{lower or '*'} TO {upper or '*'}{closing}")

    def has(self, name: str) -> Query:
        """Match documents with a value at exactly this path, at a score of 1."""
        return Query.exists_query(f"{schema.EXACT}.{name}")

    def has_below(self, name: str) -> Query:
        """Match documents with a value at this path or inside of it, at a score of 1."""
        return Query.exists_query(f"{schema.EXACT}.{name}", json_subpaths=True)

    def ids(self, ids: Sequence[str]) -> Query:
        """Match documents by id, at a score of 1."""
        return Query.term_set_query(self.view.schema, schema.ID, ids)
