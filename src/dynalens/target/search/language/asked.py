"""Which words and values a query asks for, of which fields: what highlights mark."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from rapidfuzz.distance import OSA

from dynalens.search import (
    Anywhere,
    Bool,
    Boosted,
    Fuzzy,
    Match,
    MultiMatch,
    Phrase,
    Prefix,
    Query,
    Term,
    Terms,
)
from dynalens.search.request import Typos
from dynalens.target.search.language.encode import printable
from dynalens.target.search.language.exact import spells_value, tokens_of
from dynalens.target.search.language.matching import close_enough, text_of
from dynalens.target.search.language.pieces import Piece, Unit, pieces_of, read_box, typos_anywhere, typos_in
from dynalens.target.search.language.words import words


@dataclass(frozen=True, slots=True)
class Word:
    """A word that fits: by letters, or by a rule."""

    text: str
    fits: Callable[[str], bool] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """Words in a row. `slop`: how many others may stand between them; `goes_on`: the last one is a beginning."""

    words: tuple[str, ...]
    slop: int = 0
    goes_on: bool = False


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole value that has one of these tokens."""

    tokens: frozenset[str]


@dataclass(frozen=True, slots=True)
class Beginning:
    """A whole value that begins so."""

    text: str


Rule: TypeAlias = Word | Row | Whole | Beginning


class Asked(NamedTuple):
    """One thing asked of some paths; of all, when there are none."""

    paths: tuple[str, ...]
    rule: Rule


def asked(query: Query) -> Iterator[Asked]:
    """Give what a query asks for. What must not match is left out, and what is no text: ranges, ids, existence."""
    match query:
        case Bool(must, should, having):
            for inner in (*must, *should, *having):
                yield from asked(inner)
        case Boosted(inner):
            yield from asked(inner)
        case Anywhere(_, paths):
            yield from (Asked(paths, rule) for rule in _of_box(query))
        case MultiMatch(_, fields):
            yield from (Asked(tuple(path for path, _ in fields), rule) for rule in _of_fields(query))
        case Match() | Phrase() | Fuzzy() | Prefix() | Term() | Terms():
            yield from (Asked((query.field,), rule) for rule in _of_field(query))
        case _:
            return


def _of_box(query: Anywhere) -> Iterator[Rule]:
    if not query.text.strip():
        return
    box = read_box(query.text)
    yield from map(Row, box.phrases)
    for unit in box.units:
        yield from _of_unit(unit)


def _of_unit(unit: Unit) -> Iterator[Rule]:
    if len(unit.pieces) > 1:
        yield Row(unit.words, goes_on=unit.goes_on)
    yield Row(unit.kept)
    if len(unit.pieces) == 1 or unit.may_be_apart:
        for piece in unit.pieces:
            yield from _of_piece(piece, goes_on=unit.goes_on and piece is unit.pieces[-1])


def _of_piece(piece: Piece, *, goes_on: bool) -> Iterator[Rule]:
    if piece.is_run:
        yield from _of_run(piece)
    else:
        yield _word(piece.words[0], typos_anywhere(piece.words[0]), goes_on=goes_on)


def _of_run(piece: Piece) -> Iterator[Rule]:
    yield Row(piece.words)
    if piece.takes_typo:
        for index in range(len(piece.words)):
            yield Row(piece.words[:index] + piece.words[index + 1 :], slop=1)


def _of_fields(query: MultiMatch) -> Iterator[Rule]:
    if query.kind in {"phrase", "phrase_prefix"}:
        yield Row(tuple(words(query.text)), goes_on=query.kind == "phrase_prefix")
    else:
        yield from _of_text(query.text, query.typos, goes_on=query.kind == "bool_prefix")


def _of_field(query: Match | Phrase | Fuzzy | Prefix | Term | Terms) -> Iterator[Rule]:
    match query:
        case Match(_, text):
            yield from _of_match(query)
        case Phrase(_, text, slop, prefix):
            yield Row(tuple(words(text)), slop, prefix)
        case Fuzzy(_, value):
            yield from (Word(word, close_enough(query, word)) for word in words(value))
        case Prefix(_, value):
            yield Row(tuple(words(value)), goes_on=True)
            yield Beginning(printable(value))
        case Term(_, value):
            yield Whole(frozenset(tokens_of(value)))
        case Terms(_, values):
            yield Whole(frozenset(token for value in values for token in tokens_of(value)))


def _of_match(query: Match) -> Iterator[Rule]:
    text = text_of(query.text)
    if isinstance(query.text, str) and not spells_value(text):
        yield from _of_text(text, query.typos)
    else:
        yield Row(tuple(words(text)))
        yield Whole(frozenset(tokens_of(query.text)))


def _of_text(text: str, typos: Typos, *, goes_on: bool = False) -> Iterator[Rule]:
    found = pieces_of(text)
    for piece in found:
        last = goes_on and piece is found[-1]
        if piece.is_run or last:
            yield Row(piece.words, goes_on=last)
        else:
            yield _word(piece.words[0], typos_in(piece.words[0], typos))


def _word(word: str, typos: int, *, goes_on: bool = False) -> Word:
    if not typos and not goes_on:
        return Word(word)
    return Word(
        word,
        lambda other: (goes_on and other.startswith(word)) or OSA.distance(word, other, score_cutoff=typos) <= typos,
    )
