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
from calendar import monthrange
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from functools import lru_cache

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


# Numbers: sign, size of the exponent, digits. Negative ones count down, and end with a letter above all digits.

_ZERO = NUMBER + "1"
_MIDDLE = 500
_DOWN = str.maketrans("0123456789", "9876543210")


def number_token(text: str) -> str:
    """Give a number's token from its JSON text; equal numbers have one token."""
    whole, point, fraction = text.partition(".")
    if whole.isdecimal() and whole[0] != "0" and (fraction.isdecimal() or not point):
        # Most numbers; the general way below takes ten times as long.
        return f"{NUMBER}2{_MIDDLE + len(whole):03}{(whole + fraction).rstrip('0')}"
    sign, digits, exponent = Decimal(text).as_tuple()
    if not isinstance(exponent, int):
        msg = f"{text} is no number"
        raise ValueError(msg)  # noqa: TRY004 - the type is right, the value is not
    significant = "".join(map(str, digits)).lstrip("0")
    if not significant:
        return _ZERO
    size = len(significant) + exponent
    significant = significant.rstrip("0")
    if sign:
        return f"{NUMBER}0{_MIDDLE - size:03}{significant.translate(_DOWN)}z"
    return f"{NUMBER}2{_MIDDLE + size:03}{significant}"


def _read_number(token: str) -> Decimal:
    if token == _ZERO:
        return Decimal(0)
    negative = token[1] == "0"
    size, digits = int(token[2:5]) - _MIDDLE, token[5:]
    if negative:
        size, digits = -size, digits[:-1].translate(_DOWN)
    return Decimal((int(negative), tuple(map(int, digits)), size - len(digits)))


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

_DATE = re.compile(
    r"(\d{4})-(\d\d)(?:-(\d\d)(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?(Z|[+-]\d\d:?\d\d)?)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SPANS = (86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000, 1)
"""Microseconds of a day, an hour, a minute, a second and the smallest unit."""


def date_token(text: str) -> str | None:
    """Give the token of an ISO 8601 date or date and time (UTC where it names no zone); None for any other text."""
    # Dates begin with four digits and a dash; nearly every other text is told apart by its fifth character.
    if text[4:5] != "-" or len(text) < len("2026-01-01"):
        return None
    bounds = date_bounds(text)
    return bounds[0] if bounds else None


def date_bounds(text: str) -> tuple[str, str] | None:
    """Give the tokens of the first and the last microsecond that an ISO 8601 text stands for; `2026-01` is a month."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    try:
        midnight = datetime(int(year), int(month), int(day or 1), tzinfo=_zone(zone))
        first = midnight.replace(
            hour=int(hour or 0), minute=int(minute or 0), second=int(second or 0), microsecond=microsecond
        )
    except ValueError:
        return None
    instant = (first - _EPOCH) // _MICROSECOND
    return _instant(instant), _instant(instant + _span(first, day, hour, minute, second, fraction) - 1)


def _zone(text: str | None) -> timezone:
    if text is None or text == "Z":
        return UTC
    minutes = int(text[1:3]) * 60 + int(text[-2:])
    return timezone(timedelta(minutes=-minutes if text[0] == "-" else minutes))


def _span(first: datetime, *parts: str | None) -> int:
    """Give the microseconds of the shortest unit that the text names."""
    named = sum(part is not None for part in parts)
    if named == 0:
        return monthrange(first.year, first.month)[1] * _SPANS[0]
    return _SPANS[named - 1]


def _instant(microseconds: int) -> str:
    return DATE + number_token(str(microseconds))[1:]


def value_of(token: str) -> Value:
    """Give the value that a token stands for; a long string without its end, which an ellipsis takes the place of."""
    if token[0] == BOOL:
        return token[1] == "1"
    if token[0] == NUMBER:
        return _read_number(token)
    return read_spelled(token[1:].partition(_DIGEST_MARK)[0]) + ("…" if _DIGEST_MARK in token else "")
