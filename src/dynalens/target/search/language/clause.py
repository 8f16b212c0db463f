"""Clauses: the few questions that an index is asked. `compile` makes them of a query, and each engine renders them.

Fields of words and fields of tokens are called by the name of their path (`tokens.path_name`). Nodes are values: two
that ask the same are equal.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dynalens.search.geo import Shape

ALL = "*"
"""The name of the field of all words, which no path has."""


@dataclass(frozen=True, slots=True)
class Every:
    """Every row, at a score of 1."""


@dataclass(frozen=True, slots=True)
class Live:
    """Documents, which sets them apart from tombstones."""


@dataclass(frozen=True, slots=True)
class Never:
    """No row."""


@dataclass(frozen=True, slots=True)
class Constant:
    """The same rows at one score."""

    clause: Clause
    score: float


@dataclass(frozen=True, slots=True)
class Times:
    """The same rows at a multiple of their score."""

    clause: Clause
    boost: float


@dataclass(frozen=True, slots=True)
class Joined:
    """All of `must` and `having`, none of `lacking`, at least `minimum` of `may`.

    The scores of `must` and `may` add up; `having` and `lacking` give none.
    """

    must: tuple[Clause, ...] = ()
    may: tuple[Clause, ...] = ()
    minimum: int = 0
    having: tuple[Clause, ...] = ()
    lacking: tuple[Clause, ...] = ()


@dataclass(frozen=True, slots=True)
class Best:
    """What any matches; the best score counts, others `tie_breaker` of theirs."""

    clauses: tuple[Clause, ...]
    tie_breaker: float = 0.0


@dataclass(frozen=True, slots=True)
class WordIn:
    """A word, by BM25."""

    name: str
    word: str


@dataclass(frozen=True, slots=True)
class CloseWord:
    """Words at most so many typos away that begin with the same `prefix_length` letters, at a score of 1."""

    name: str
    word: str
    typos: int
    transpositions: bool = True
    prefix_length: int = 0


@dataclass(frozen=True, slots=True)
class WordBeginning:
    """Words that begin so, at a score of 1."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """Two words or more in a row, with at most `slop` moves, by BM25."""

    name: str
    words: tuple[str, ...]
    slop: int = 0


@dataclass(frozen=True, slots=True)
class RowBeginning:
    """Two words or more in a row of which the last may go on (in 50 ways at most), at a score of 1."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AnyToken:
    """Values that have one of these tokens, at a score of 1."""

    name: str
    tokens: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TokenBeginning:
    """Values whose token begins so, at a score of 1."""

    name: str
    text: str


@dataclass(frozen=True, slots=True)
class Between:
    """Values whose token lies between two (None: open), at a score of 1; `inclusive` says it of each end."""

    name: str
    lower: str | None
    upper: str | None
    inclusive: tuple[bool, bool]


@dataclass(frozen=True, slots=True)
class Has:
    """Documents with a value at exactly this path, or (`below`) inside of it too, at a score of 1."""

    name: str
    below: bool = False


@dataclass(frozen=True, slots=True)
class PointIn:
    """Documents with a point of this name in a shape, at a score of 1."""

    name: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class AnyId:
    """Documents by id, at a score of 1."""

    ids: tuple[str, ...]


Clause: TypeAlias = (
    Every
    | Live
    | Never
    | Constant
    | Times
    | Joined
    | Best
    | WordIn
    | CloseWord
    | WordBeginning
    | Row
    | RowBeginning
    | AnyToken
    | TokenBeginning
    | Between
    | Has
    | PointIn
    | AnyId
)
