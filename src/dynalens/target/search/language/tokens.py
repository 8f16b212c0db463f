"""Tokens: one text for each value of a field, in the order of the values; and the names that paths are kept under.

A token begins with the kind of its value and goes on with an order-preserving spelling, so that equality, ranges,
sorting and facets work on one index of texts, to the last digit: `b` booleans, `n` numbers, `p` points in time,
`s` strings. A string that is a date has two: its point in time, which it sorts as, and `u`, its text.

Spellings use only letters, digits and `-` of ASCII: a range reaches the engine through its query language, which takes
no quotes around bounds.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from dynalens.change import moment, moments, ordered_number, read_ordered
from dynalens.search import Value

# In the order in which values of several kinds are sorted. No spelling behind `u` makes a word that the engine's query
# language reads as something else, as `t` and "rue" would.
BOOL, NUMBER, DATE, STRING, DATE_STRING = "b", "n", "p", "s", "u"

LONGEST_EXACT = 256
"""Characters of a string that its token spells; a longer one is told apart by a digest behind them."""

_DIGEST_MARK = "-zz"
_DIGEST_CHARACTERS = 32

# Strings. Every character that the query language reads as its own is written as one that it does not, followed by one
# that keeps the order: those from a space to a slash as `-` and two digits, a run of others behind the last plain
# character before it, `9` → `90`, `:` → `91`, `;` → `92` and so on.

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_UNICODE_SPACES = [code for code in range(0x80, 0x3001) if chr(code).isspace()]


def _escapes() -> dict[int, str]:
    table = {code: f"-{code:02x}" for code in range(0x30)}
    special = [code for code in range(0x30, 0x80) if not chr(code).isalnum()] + _UNICODE_SPACES
    for code in special:
        plain = code
        while plain in special:
            plain -= 1
        table[plain] = chr(plain) + "0"
        table[code] = chr(plain) + _DIGITS[code - plain]
    return table


_SPELLED = {chr(code): spelled for code, spelled in _escapes().items()}
_SPECIAL = frozenset(_SPELLED)
_LEADING = frozenset(spelled[0] for spelled in _SPELLED.values())
"""What spellings of others begin with, and what is therefore spelled before them."""
_READ = {spelled: char for char, spelled in _SPELLED.items()}
_ESCAPE = re.compile("|".join(sorted(map(re.escape, _READ))))


def spell(text: str) -> str:
    """Spell any text so that spellings have the order of the texts by code point."""
    # Few characters differ in a text: replacing each of them is several times as fast as translating one by one.
    special = _SPECIAL.intersection(text)
    for chars in (special & _LEADING, special - _LEADING):
        for char in chars:
            text = text.replace(char, _SPELLED[char])
    return text


def read_spelled(spelled: str) -> str:
    """Give the text back."""
    return _ESCAPE.sub(lambda found: _READ[found.group()], spelled)


def string_token(text: str, kind: str = STRING) -> str:
    """Give a string's token. Strings that differ have different tokens, however long they are."""
    if len(text) <= LONGEST_EXACT:
        return kind + spell(text)
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{kind}{spell(text[:LONGEST_EXACT])}{_DIGEST_MARK}{digest}"


def text_tokens(text: str) -> tuple[str, ...]:
    """Give the tokens of a string in a document: one, or of a date its text and its point in time."""
    date = date_token(text)
    return (string_token(text),) if date is None else (string_token(text, DATE_STRING), date)


# Numbers, in the order of numbers (`dynalens.change.order`).


def number_token(text: str) -> str:
    """Give a number's token from its JSON text; equal numbers have one token."""
    return NUMBER + ordered_number(text)


@lru_cache(maxsize=1 << 14)
def path_name(path: str) -> str:
    """Give the name that a path is indexed under: each part spelled in letters and digits alone; never empty."""
    return ".".join([_part_name(part) for part in path.split(".")])


def _part_name(part: str) -> str:
    if part.isascii() and part.replace("_", "a").isalnum():
        return part
    return "".join([char if char.isalnum() else f"-{ord(char):x}-" for char in part]) or "-"


def bool_token(value: bool) -> str:  # noqa: FBT001 - the value itself
    """Give a boolean's token; false is the lower one."""
    return f"{BOOL}{value:d}"


# Dates: instants in microseconds, spelled as numbers.


def date_token(text: str) -> str | None:
    """Give the token of an ISO 8601 date or date and time (UTC where it names no zone); None for any other text."""
    instant = moment(text)
    return None if instant is None else _instant(instant)


def date_bounds(text: str) -> tuple[str, str] | None:
    """Give the tokens of the first and the last microsecond that an ISO 8601 text stands for; `2026-01` is a month."""
    bounds = moments(text)
    return (_instant(bounds[0]), _instant(bounds[1])) if bounds else None


def _instant(microseconds: int) -> str:
    return DATE + ordered_number(str(microseconds))


def text_of(token: str) -> str | None:
    """Give the string that a token of strings spells; None where it is too long to be spelled whole."""
    return None if _DIGEST_MARK in token else read_spelled(token[1:])


def value_of(token: str) -> Value:
    """Give the value that a token stands for; a long string without its end, which an ellipsis takes the place of."""
    if token[0] == BOOL:
        return token[1] == "1"
    if token[0] == NUMBER:
        return read_ordered(token[1:])
    return read_spelled(token[1:].partition(_DIGEST_MARK)[0]) + ("…" if _DIGEST_MARK in token else "")
