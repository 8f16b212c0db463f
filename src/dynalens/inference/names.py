"""Names of collections and metrics, made of names that tables, types and attributes have."""

from __future__ import annotations

import re
import unicodedata
from itertools import chain, count

LONGEST = 63
"""Characters of a name in the file (`dynalens.config.Name`)."""

_WORD_BREAKS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|[^A-Za-z0-9]+")
_ENDS_IN_Y = re.compile(r"[^aeiou]y$")
_HISSES = re.compile(r"(?:ss|x|z|ch|sh)$")


class Names:
    """Gives names that no one else has, whatever their case."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def take(self, *wanted: str) -> str:
        """Give the first of the wanted names that is free; when none is, the last one with a number behind it."""
        numbered = (f"{wanted[-1][: LONGEST - 5]}_{number}" for number in count(2))
        name = next(name for name in chain(wanted, numbered) if name not in self._taken)
        self._taken.add(name)
        return name


def snake(text: str, otherwise: str) -> str:
    """Write a text as a name in lower case: `orderLine` is `order_line`; `otherwise` where no letter is left of it."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    name = "_".join(filter(None, _WORD_BREAKS.split(plain))).lower().lstrip("_0123456789")
    return name[:LONGEST].rstrip("_") or otherwise


def plural(name: str) -> str:
    """Give the English plural of a name; what ends in `s` is one already."""
    if _ENDS_IN_Y.search(name):
        name = f"{name[:-1]}ies"
    elif _HISSES.search(name):
        name = f"{name}es"
    elif not name.endswith("s"):
        name = f"{name}s"
    return name[:LONGEST]


def joined(first: str, second: str) -> str:
    """Join two names; the first one is cut where both are too long."""
    return f"{first[: LONGEST - len(second) - 1]}_{second}" if len(second) < LONGEST - 1 else second
