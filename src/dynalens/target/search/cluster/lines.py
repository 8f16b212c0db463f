"""Documents and stubs as lines of a bulk request.

An attribute stands at the root where the mapping takes it; where one does not fit, the document is kept whole beside
them as well, so that it can be given back. Everything is searched by what stands under `_dynalens`, fit or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from functools import lru_cache
from typing import NamedTuple

import orjson
from orjson import Fragment

from dynalens.change import Document, NumberText, load_exact
from dynalens.target import Write
from dynalens.target.search.cluster.schema import DOCUMENT, HINTS, ROOT, field_name
from dynalens.target.search.language.encode import Encoded, printable
from dynalens.target.search.language.tokens import DATE_STRING

_MICROSECONDS = 1_000_000
_DEEPEST = 20
"""Levels of a value at the root."""
_PLAIN_NAME = re.compile(r"[^\s_.*\x00-\x1f][^.*\x00-\x1f]{0,254}").fullmatch
_LARGEST_PLAIN_NUMBER = 18
"""Characters of a number that fits whatever it is mapped to."""
_LARGEST_INTEGER = 1 << 63
_QUOTE, _FALSE, _TRUE, _NULL = b'"ftn'
_SIMPLE = frozenset({_QUOTE, _FALSE, _TRUE, _NULL})
_OPENING = frozenset(b"{[")


class Line(NamedTuple):
    """One write as two lines of a body, with their newlines."""

    write: Write
    body: bytes


def document_line(write: Write, document: Document, encoded: Encoded, names: AbstractSet[str]) -> Line:
    """Render a document with what it is looked up by.

    Args:
        write: What it is written by.
        document: Its document.
        encoded: What is looked up of it, of all paths.
        names: The paths that are indexed by name (`NamedPaths.names`).
    """
    aside = [
        name for name, fragment in document.fragments.items() if not _stands_at_root(name, fragment, encoded, names)
    ]
    return Line(write, _rendered(write, document, encoded, names, aside))


def aside_line(write: Write, document: Document, encoded: Encoded, names: AbstractSet[str]) -> Line:
    """Render a document of which nothing stands at the root: the mapping refused it there.

    Without names, what has none in the mapping can be refused no more: all its words are found by all fields together.
    """
    return Line(write, _rendered(write, document, encoded, names, [*document.fragments]))


def stub_line(write: Write, written_at: float) -> Line:
    """Render what a delete leaves: it holds the version, and the alias hides it."""
    stub = {
        "id": write.id,
        "version": write.version,
        "live": False,
        "deleted_at": int(written_at * _MICROSECONDS),
    }
    return Line(write, _action(write) + orjson.dumps({ROOT: stub}) + b"\n")


def sweep_line(id_: str, version: int) -> bytes:
    """Render the removal of a stub, at exactly this version: a later write keeps it."""
    action = {"_id": id_, "version": version, "version_type": "external_gte"}
    return orjson.dumps({"delete": action}) + b"\n"


def _action(write: Write) -> bytes:
    return b'{"index":{"_id":%b,"version":%d,"version_type":"external"}}\n' % (orjson.dumps(write.id), write.version)


def _rendered(write: Write, document: Document, encoded: Encoded, names: AbstractSet[str], aside: list[str]) -> bytes:
    kept: dict[str, object] = {
        "id": write.id,
        "version": write.version,
        "live": True,
        "types": encoded.types,
        **_looked_up(encoded, names),
    }
    if document.types:
        kept[HINTS] = document.types.decode()
    if not aside:
        # The usual document is its own bytes.
        attributes = document.json[1:] if document.json == b"{}" else b"," + document.json[1:]
        return b"".join((_action(write), b'{"%b":' % ROOT.encode(), orjson.dumps(kept), attributes, b"\n"))
    kept |= {"aside": [*map(printable, aside)], DOCUMENT: document.json.decode()}
    left_out = set(aside)
    root = {name: Fragment(value) for name, value in document.fragments.items() if name not in left_out}
    return _action(write) + orjson.dumps({ROOT: kept, **root}) + b"\n"


def _looked_up(encoded: Encoded, names: AbstractSet[str]) -> dict[str, object]:
    """Give words and tokens by path, and the words of paths without a name by themselves."""
    exact: dict[str, list[str]] = {}
    dates: dict[str, list[str]] = {}
    for name, tokens in encoded.exact.items():
        if name in names:
            exact[field_name(name)] = [token for token in tokens if token[0] != DATE_STRING]
            if texts := [token for token in tokens if token[0] == DATE_STRING]:
                dates[field_name(name)] = texts
    text = {field_name(name): words for name, words in encoded.text.items() if name in names}
    unnamed = [words for name, found in encoded.text.items() if name not in names for words in found]
    return {"text": text, "exact": exact, "dates": dates, "all": unnamed}


def _stands_at_root(name: str, fragment: bytes, encoded: Encoded, names: AbstractSet[str]) -> bool:
    """Tell an attribute that the mapping takes, and that does not make it grow without end."""
    if not _is_plain(name):
        return False
    first = fragment[0]
    if first in _SIMPLE:
        return True
    if first not in _OPENING:
        return _fits_number(fragment)
    return _fits(load_exact(fragment), _DEEPEST) and _is_named(name, encoded, names)


def _is_named(name: str, encoded: Encoded, names: AbstractSet[str]) -> bool:
    from_here = (path for path in encoded.exact if path == name or path.startswith(f"{name}."))
    return all(path in names for path in from_here)


@lru_cache(maxsize=1 << 14)
def _is_plain(name: str) -> bool:
    return _PLAIN_NAME(name) is not None and not name.endswith(" ")


def _fits_number(text: bytes) -> bool:
    # With a point or an exponent it is a decimal, whose digits need not fit.
    is_decimal = not text.lstrip(b"-").isdigit()
    return len(text) <= _LARGEST_PLAIN_NUMBER or is_decimal or abs(int(text)) < _LARGEST_INTEGER


def _fits(value: object, levels: int) -> bool:
    match value:
        case NumberText():
            return _fits_number(value.encode())
        case dict():
            return levels > 0 and _fit_members(value, levels)
        case list():
            return levels > 0 and len(set(map(type, value))) <= 1 and all(_fits(one, levels - 1) for one in value)
        case str():
            return _has_utf8(value)
    return True


def _fit_members(members: Mapping[str, object], levels: int) -> bool:
    return all(_is_plain(name) and _fits(member, levels - 1) for name, member in members.items())


def _has_utf8(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)


def joined(lines: Iterable[Line]) -> bytes:
    """Give the body of a request."""
    return b"".join(line.body for line in lines)
