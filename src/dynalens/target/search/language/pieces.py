"""From what somebody typed to the pieces that are looked up; the query and the highlights go by the same ones."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby

from dynalens.search import AUTO
from dynalens.search.request import Typos
from dynalens.target.search.language.limits import MOST_WORDS_ANYWHERE, hold
from dynalens.target.search.language.words import is_unspaced, units, words

_PRECISE_LENGTH, _ONE_TYPO_LENGTH = 2, 5
_SHORTEST_BEGINNING = 2
_SHORTEST_RUN_WITH_TYPO = 3

_DECIMALS = re.compile(r"\W*(\d+\.\d*0)\W*", re.ASCII)
_QUOTED = re.compile(r'"([^"]*)"')
_QUOTES = str.maketrans(dict.fromkeys("“”„‟«»\N{FULLWIDTH QUOTATION MARK}", '"'))


@dataclass(frozen=True, slots=True)
class Piece:
    """One word, or a run of characters of a script without spaces, which are looked up side by side."""

    words: tuple[str, ...]

    @property
    def is_run(self) -> bool:
        """Tell a run of characters, even of one."""
        return is_unspaced(self.words[0])

    @property
    def takes_typo(self) -> bool:
        """Tell a run that is long enough for one character to differ."""
        return self.is_run and len(self.words) >= _SHORTEST_RUN_WITH_TYPO


@dataclass(frozen=True, slots=True)
class Unit:
    """What was typed between spaces, which is one thing: a word, an e-mail address, a number, a run of characters."""

    pieces: tuple[Piece, ...]
    goes_on: bool = False
    """Whether it is the very last one, which may still be being typed."""
    kept: tuple[str, ...] = ()
    """Of a number with zeros at its end, 19.90: its words as documents have it, 19.9."""

    @property
    def words(self) -> tuple[str, ...]:
        """Its words in a row."""
        return tuple(word for piece in self.pieces for word in piece.words)

    @property
    def may_be_apart(self) -> bool:
        """Tell a unit of several pieces without digits; in a code, such as ORD-1234, every part counts where it is."""
        return len(self.pieces) > 1 and not any(map(has_digit, self.words))


@dataclass(frozen=True, slots=True)
class Box:
    """A search box, read: its units, each once, all their words in a row, and the words of each quoted phrase."""

    units: tuple[Unit, ...]
    row: tuple[str, ...]
    phrases: tuple[tuple[str, ...], ...]


def read_box(text: str) -> Box:
    """Read a search box: words, and phrases in quotes; a quote that nothing closes is none.

    Raises:
        QueryLimitError: More than `MOST_WORDS_ANYWHERE` words.
    """
    plain = text.translate(_QUOTES)
    phrases = [tuple(words(quoted)) for quoted in _QUOTED.findall(plain)]
    found = list(_units(_QUOTED.sub(" ", plain)))
    row = tuple(word for unit in found for word in unit.words)
    count = sum(map(len, phrases)) + len(row)
    hold(count, MOST_WORDS_ANYWHERE, "words in one search", "Leave out words, or ask for them with a match query.")
    last = found[-1] if found and plain[-1].isalnum() and _may_go_on(row[-1]) else None
    distinct = (replace(unit, goes_on=unit == last) for unit in dict.fromkeys(found))
    return Box(tuple(distinct), row, tuple(filter(None, phrases)))


def _units(text: str) -> Iterator[Unit]:
    for part in text.split():
        number = _DECIMALS.fullmatch(part)
        kept = words(number[1].rstrip("0")) if number else ()
        for unit in units(part):
            yield Unit(pieces(unit), kept=tuple(kept))


def _may_go_on(word: str) -> bool:
    return len(word) >= _SHORTEST_BEGINNING and not is_unspaced(word)


def pieces_of(text: str) -> list[Piece]:
    """Give the pieces of all units of a text, in order."""
    return [piece for unit in units(text) for piece in pieces(unit)]


def pieces(unit: tuple[str, ...]) -> tuple[Piece, ...]:
    """Split the words of one unit: each by itself, but neighbours of scripts without spaces together."""
    found: list[Piece] = []
    for unspaced, group in groupby(unit, is_unspaced):
        neighbours = tuple(group)
        found += [Piece(neighbours)] if unspaced else [Piece((word,)) for word in neighbours]
    return tuple(found)


def has_digit(word: str) -> bool:
    """Tell words with digits: numbers and codes, where every character counts."""
    return any(map(str.isdigit, word))


def typos_in(word: str, typos: Typos) -> int:
    """Give how many typos a word may have; none where a character is a word."""
    if is_unspaced(word):
        return 0
    if typos != AUTO:
        return typos
    return 0 if len(word) <= _PRECISE_LENGTH else 1 if len(word) <= _ONE_TYPO_LENGTH else 2


def typos_anywhere(word: str) -> int:
    """Give how many typos a word of a search box may have: by its length, none in words with digits."""
    return 0 if has_digit(word) else typos_in(word, AUTO)
