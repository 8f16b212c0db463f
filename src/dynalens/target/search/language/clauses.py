"""Clauses, made by the few combinations that answers need; each is safe for any text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from dynalens.search import ID
from dynalens.search.geo import EARTH, Shape
from dynalens.target.search.language.clause import (
    AnyId,
    AnyToken,
    Best,
    Between,
    Clause,
    CloseWord,
    Constant,
    Every,
    Has,
    Joined,
    Never,
    PointIn,
    Row,
    RowBeginning,
    Times,
    TokenBeginning,
    WordBeginning,
    WordIn,
)
from dynalens.target.search.language.limits import MOST_CLAUSES, WALK, hold


class Paths(Protocol):
    """The paths of a collection that can be asked by name."""

    def name_of(self, path: str) -> str:
        """Give the name that a path is indexed under; one that no document has is allowed and finds nothing.

        Raises:
            RequestError: Documents may have it, but it is not indexed by name.
        """
        ...

    def has_points(self, name: str) -> bool:
        """Tell whether the collection declares points of this name."""
        ...

    def point_name(self, name: str) -> str:
        """Give the name that points are indexed under.

        Raises:
            RequestError: The collection declares no points of this name.
        """
        ...


def everything() -> Clause:
    """Match every row, at a score of 1."""
    return Every()


def nothing() -> Clause:
    """Match no row."""
    return Never()


def constant(clause: Clause, score: float) -> Clause:
    """Match the same at one score."""
    return Constant(clause, score)


def boosted(clause: Clause, boost: float) -> Clause:
    """Match the same at a multiple of its score."""
    return clause if boost == 1 else Times(clause, boost)


def all_of(clauses: Sequence[Clause]) -> Clause:
    """Match what all match; scores add up."""
    return clauses[0] if len(clauses) == 1 else Joined(must=tuple(clauses))


def any_of(clauses: Sequence[Clause], minimum: int = 1) -> Clause:
    """Match what at least `minimum` (1 or more) match; scores add up."""
    if minimum > len(clauses):
        return Never()
    return clauses[0] if len(clauses) == 1 else Joined(may=tuple(clauses), minimum=minimum)


def best_of(clauses: Sequence[Clause], tie_breaker: float = 0.0) -> Clause:
    """Match what any matches; the best score counts, others `tie_breaker` of theirs."""
    return clauses[0] if len(clauses) == 1 else Best(tuple(clauses), tie_breaker)


def raised(clause: Clause, by: Sequence[Clause]) -> Clause:
    """Match the same; whatever else matches adds its score."""
    return Joined(must=(clause,), may=tuple(by)) if by else clause


def restricted(clause: Clause, having: Sequence[Clause] = (), lacking: Sequence[Clause] = ()) -> Clause:
    """Match what all of `having` and none of `lacking` match as well, at the score of `clause` alone."""
    if not having and not lacking:
        return clause
    return Joined(must=(clause,), having=tuple(having), lacking=tuple(lacking))


@dataclass
class Clauses:
    """Clauses on the fields of one collection. Names of fields of words are `clause.ALL` or `Clauses.name`.

    What looks for words raises `QueryLimitError` when that comes to more than `MOST_CLAUSES`.
    """

    paths: Paths
    made: int = 0

    def count(self, clauses: int = 1) -> None:
        """Count what one more query comes to."""
        self.made += clauses
        hold(self.made, MOST_CLAUSES, "clauses in one query", "Write a smaller query, or ask with terms.")

    def name(self, path: str) -> str:
        """Give the name that the words and tokens of a path stand under.

        Raises:
            RequestError: The path is not indexed by name.
        """
        return ID if path == ID else self.paths.name_of(path)

    def word(self, name: str, word: str) -> Clause:
        """Match a word, by BM25."""
        self.count()
        return WordIn(name, word)

    def close_word(
        self, name: str, word: str, typos: int, *, transpositions: bool = True, prefix_length: int = 0
    ) -> Clause:
        """Match words at most so many typos away that begin with the same letters, at a score of 1."""
        self.count(WALK)
        return CloseWord(name, word, typos, transpositions, prefix_length)

    def phrase(self, name: str, words: Sequence[str], slop: int = 0) -> Clause:
        """Match words in a row, with at most `slop` moves, by BM25; one word is matched as such."""
        self.count()
        return self.word(name, words[0]) if len(words) == 1 else Row(name, tuple(words), slop)

    def phrase_beginning(self, name: str, words: Sequence[str]) -> Clause:
        """Match words in a row of which the last may go on (in 50 ways at most), at a score of 1."""
        self.count()
        if len(words) > 1:
            return RowBeginning(name, tuple(words))
        self.count(WALK)
        return WordBeginning(name, words[0])

    def tokens(self, name: str, tokens: Sequence[str]) -> Clause:
        """Match values that have one of these tokens, at a score of 1."""
        return AnyToken(name, tuple(tokens))

    def token_beginning(self, name: str, text: str) -> Clause:
        """Match values whose token begins so, at a score of 1."""
        self.count(WALK)
        return TokenBeginning(name, text)

    def between(self, name: str, lower: str | None, upper: str | None, *, inclusive: tuple[bool, bool]) -> Clause:
        """Match values whose token lies between two (None: open), at a score of 1; whether each bound is included."""
        return Between(name, lower, upper, inclusive)

    def has(self, name: str) -> Clause:
        """Match documents with a value at exactly this path, at a score of 1."""
        return Has(name)

    def exists(self, path: str) -> Clause:
        """Match documents with a value at this path or inside of it, or with a point of this name, at a score of 1."""
        found = Has(self.name(path), below=True)
        if not self.paths.has_points(path):
            return found
        return constant(any_of([found, self.point_in(path, EARTH)]), 1.0)

    def point_in(self, name: str, shape: Shape) -> Clause:
        """Match documents with a point in a shape, at a score of 1.

        Raises:
            RequestError: The collection declares no points of this name.
        """
        self.count(WALK)
        return PointIn(self.paths.point_name(name), shape)

    def ids(self, ids: Sequence[str]) -> Clause:
        """Match documents by id, at a score of 1."""
        return AnyId(tuple(ids))
