"""The search box: which documents match, and how the order that people expect becomes one number.

What is typed between spaces is a unit: a word, or several side by side, such as `a@b.org`, ORD-1234 or 東京. A document
is better, in this order, if it has more of the units; if it has them as typed, then as the beginning of a word, then
with one typo or with its words apart, then with two; if it has the whole text in a row; by BM25. Each comes with a
constant that all later ones together do not reach:

    matched unit: UNIT = QUALITY * (3 * units + 1)   quality: QUALITY = 2, 0 to 3 times a unit
    the whole text in a row: 1                       BM25: below 1

Scores are 32-bit floats: for the 32 words that a box may have, the sum stays below 2^13, so that BM25 keeps 11 bits.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from dynalens.target.search.language.clause import Clause
from dynalens.target.search.language.clauses import (
    Clauses,
    all_of,
    any_of,
    best_of,
    boosted,
    constant,
    everything,
    nothing,
    raised,
)
from dynalens.target.search.language.pieces import Box, Piece, Unit, read_box, typos_anywhere

_EXACT, _BEGINNING, _ONE_TYPO, _TWO_TYPOS = 3, 2, 1, 0

_LARGEST_BM25 = 64
"""Of one word: 2.2 (k1 + 1) times the largest idf, that of one document in 10^12."""


_QUALITY = 2.0


@dataclass(frozen=True, slots=True)
class _Weights:
    unit: float
    relevance: float

    @classmethod
    def of(cls, box: Box) -> _Weights:
        count = len(box.units)
        return cls(_QUALITY * (3 * count + 1), 1 / (_LARGEST_BM25 * (len(box.row) + sum(map(len, box.phrases)) + 1)))


def anywhere(clauses: Clauses, fields: Sequence[str], text: str) -> Clause:
    """Answer a search box over fields of words.

    Nothing but spaces matches everything; text without a single word, such as `!!!`, matches nothing.

    Raises:
        QueryLimitError: It has too many words.
    """
    if not text.strip():
        return everything()
    box = read_box(text)
    return _Ranking(clauses, fields, box, _Weights.of(box)).query()


@dataclass(frozen=True, slots=True)
class _Ranking:
    clauses: Clauses
    fields: Sequence[str]
    box: Box
    weights: _Weights

    def query(self) -> Clause:
        required = [self._relevance(phrase) for phrase in self.box.phrases]
        if self.box.units:
            required.append(any_of([self._unit(unit) for unit in self.box.units]))
        if not required:
            return nothing()
        return raised(all_of(required), [self._relevance(unit.words) for unit in self.box.units] + self._row())

    def _unit(self, unit: Unit) -> Clause:
        """Match a unit in each of the ways that it may be meant; the best way counts."""
        ways = [(_EXACT, self._exactly(unit.words)), *self._inexact(unit)]
        if unit.kept:
            ways.append((_EXACT, self._exactly(unit.kept)))
        if unit.goes_on:
            beginning = self._in_any(lambda field: self.clauses.phrase_beginning(field, unit.words))
            ways.append((_BEGINNING, beginning))
        return best_of([constant(way, self.weights.unit + quality * _QUALITY) for quality, way in ways])

    def _inexact(self, unit: Unit) -> list[tuple[int, Clause]]:
        if len(unit.pieces) == 1:
            return self._of_piece(unit.pieces[0])
        if not unit.may_be_apart:
            return []
        apart = all_of([self._exactly(piece.words) for piece in unit.pieces])
        return [(_ONE_TYPO, apart), (_TWO_TYPOS, all_of([self._closely(piece) for piece in unit.pieces]))]

    def _of_piece(self, piece: Piece) -> list[tuple[int, Clause]]:
        if piece.takes_typo:
            return [(_ONE_TYPO, self._in_any(lambda field: self._all_but_one(field, piece.words)))]
        word = piece.words[0]
        most = typos_anywhere(word)
        return [
            (quality, self._in_any(partial(self.clauses.close_word, word=word, typos=typos)))
            for typos, quality in ((1, _ONE_TYPO), (2, _TWO_TYPOS))
            if typos <= most
        ]

    def _closely(self, piece: Piece) -> Clause:
        return best_of([self._exactly(piece.words), *(way for _, way in self._of_piece(piece))])

    def _all_but_one(self, field: str, words: tuple[str, ...]) -> Clause:
        """Match a run in which one character is another one, is missing, or comes on top."""
        rests = [words[:index] + words[index + 1 :] for index in range(len(words))]
        return any_of([self.clauses.phrase(field, rest, slop=1) for rest in rests])

    def _row(self) -> list[Clause]:
        """Raise the score where the whole text stands in a row."""
        return [constant(self._exactly(self.box.row), 1.0)] if len(self.box.units) > 1 else []

    def _relevance(self, words: tuple[str, ...]) -> Clause:
        found = best_of([self.clauses.phrase(field, words) for field in self.fields])
        return boosted(found, self.weights.relevance)

    def _exactly(self, words: tuple[str, ...]) -> Clause:
        return self._in_any(lambda field: self.clauses.phrase(field, words))

    def _in_any(self, query_at: Callable[[str], Clause]) -> Clause:
        return any_of([query_at(field) for field in self.fields])
