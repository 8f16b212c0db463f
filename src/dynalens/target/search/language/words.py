"""Words: how text in any script becomes what is looked up, the same for documents, queries and highlights.

A word is a run of letters, marks and digits. Scripts that put no spaces between words (Chinese, Japanese, Thai, …) and
Korean, which glues endings to them, give each character as a word; those of a query are looked for side by side.
Letter case, accents, width and the usual variants of a letter do not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import regex

LONGEST_WORD = 255
"""Characters; a longer run is no word that anybody types, and is not looked up by word."""

_UNSPACED = r"\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tibetan}ー々"
_WORD = regex.compile(
    rf"[[{_UNSPACED}]&&[\p{{L}}\p{{N}}ー々]][\p{{M}}ﾞﾟ]*+|\p{{Extended_Pictographic}}|\p{{Regional_Indicator}}{{2}}|[[\p{{L}}\p{{M}}\p{{N}}]--[{_UNSPACED}]]++",
    regex.VERSION1,
)
_UNSPACED_WORD = regex.compile(rf"[{_UNSPACED}]", regex.VERSION1)
_ASCII_WORD = re.compile(r"[a-z0-9]+")

# Marks that people leave out when they type: Latin, Greek and Cyrillic accents, Hebrew points, Arabic vowel signs. Not
# those of Indic scripts and kana, where they are letters of their own.
_MARKS = (
    *range(0x0300, 0x0370),
    *range(0x0591, 0x05C8),
    *range(0x064B, 0x0660),
    0x0640,
    0x0670,
    *range(0xFE00, 0xFE10),
)
_VARIANTS = {
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ħ": "h", "ŧ": "t",
    "\N{ARABIC LETTER ALEF MAKSURA}": "\N{ARABIC LETTER YEH}",
    "\N{ARABIC LETTER FARSI YEH}": "\N{ARABIC LETTER YEH}",
    "\N{ARABIC LETTER KEHEH}": "\N{ARABIC LETTER KAF}",
    "\N{ARABIC LETTER TEH MARBUTA}": "\N{ARABIC LETTER HEH}",
}  # fmt: skip
_FOLDED = str.maketrans({**dict.fromkeys(map(chr, _MARKS)), **_VARIANTS})


class Word(NamedTuple):
    """A word as it is looked up, and where it stands in the normalized text."""

    text: str
    start: int
    end: int


def normalized(text: str) -> str:
    """Give the text in the composed form (NFC) that words are found in."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def words(text: str) -> list[str]:
    """Give the words of a text in order, folded."""
    # Text in Latin letters, the most frequent one, is folded and split at once; `located` would find the same words.
    latin = text if text.isascii() else _without_accents(text)
    if latin.isascii():
        return [word for word in _ASCII_WORD.findall(latin.lower()) if len(word) <= LONGEST_WORD]
    return [word for word, _, _ in located(normalized(text))]


def located(text: str) -> Iterator[Word]:
    """Find the words of a normalized text."""
    for found in _WORD.finditer(text):
        start, end = found.span()
        folded = fold(found.group()) if end - start <= LONGEST_WORD else ""
        if folded:
            yield Word(folded, start, end)


@lru_cache(maxsize=1 << 14)
def fold(word: str) -> str:
    """Give the one form of a word in any letter case, width and accentuation."""
    if word.isascii():
        return word.lower()
    decomposed = unicodedata.normalize("NFKD", word).casefold().translate(_FOLDED)
    # Compatibility forms of some marks begin with a space.
    return "".join(unicodedata.normalize("NFC", decomposed).split())


_LATIN = {char: fold(char) for char in map(chr, range(0xC0, 0x250)) if char.isalpha()}
"""Latin letters beyond ASCII that stand for one or two ASCII letters each, whatever stands beside them."""


def _without_accents(text: str) -> str:
    for char in _LATIN.keys() & set(text):
        text = text.replace(char, _LATIN[char])
    return text


def is_unspaced(word: str) -> bool:
    """Tell a word of a script that puts no spaces between words: one character of a longer word."""
    return not word.isascii() and _UNSPACED_WORD.match(word) is not None


def units(text: str) -> list[tuple[str, ...]]:
    """Split a query at its spaces, and each part into its words: `a@b.org 東京` gives (a, b, org) and (東, 京).

    The words of one part belong together: a document that has them side by side is what was meant.
    """
    return [unit for part in text.split() if (unit := tuple(words(part)))]
