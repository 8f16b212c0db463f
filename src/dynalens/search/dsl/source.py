"""Which parts of a document a hit gives: `_source`. Numbers keep every digit."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import orjson

from dynalens.change import NumberText, load_exact
from dynalens.search.dsl.limits import FIELD_CHARACTERS, FIELDS
from dynalens.search.dsl.reading import Part
from dynalens.search.wildcard import expression


@dataclass(frozen=True)
class SourceFilter:
    """Paths of a document to give, `*` as a wildcard in them; a path stands for all that is below it.

    Attributes:
        includes: Paths to give; all when empty.
        excludes: Paths to leave out, whatever `includes` says.
        wanted: Whether to give documents at all.
    """

    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    wanted: bool = True

    def apply(self, document: bytes) -> bytes | None:
        """Give the part of a JSON object that is wanted: the same bytes for all of it, None where nothing is wanted.

        Objects and lists that only the filter made empty are left out, unless they are named themselves ("Source
        filtering", Elasticsearch reference).
        """
        if not self.wanted:
            return None
        if not self.excludes and ("*" in self.includes or not self.includes):
            return document
        # Numbers go out as they came in, so that none turns into a float on its way.
        parsed = load_exact(document)
        return _rendered(self._members(parsed, ""))

    def _members(self, members: Mapping[str, object], above: str) -> dict[str, object]:
        kept = {}
        for name, value in members.items():
            path = f"{above}{name}"
            if not (self.excludes and self._excluded.fullmatch(path)):
                found = self._kept(value, path)
                if found is not None:
                    kept[name] = found[0]
        return kept

    def _kept(self, value: object, path: str) -> tuple[object] | None:
        """Give what is wanted of a value, in a tuple to tell null from nothing."""
        named = not self.includes or self._included.fullmatch(path) is not None
        if isinstance(value, dict):
            members = self._members(value, f"{path}.")
            return (members,) if members or named else None
        if isinstance(value, list):
            items = [found[0] for item in value if (found := self._kept(item, path)) is not None]
            return (items,) if items or named else None
        return (value,) if named else None

    @cached_property
    def _included(self) -> re.Pattern[str]:
        return _pattern(self.includes)

    @cached_property
    def _excluded(self) -> re.Pattern[str]:
        return _pattern(self.excludes)


def _rendered(members: Mapping[str, object]) -> bytes:
    try:
        return orjson.dumps(members, orjson.Fragment, orjson.OPT_PASSTHROUGH_SUBCLASS)
    except TypeError:  # Lone surrogates, which DynamoDB can hold and UTF-8 cannot: they stay escaped.
        return _escaped(members).encode()


def _escaped(value: object) -> str:
    match value:
        case Mapping():
            return "{" + ",".join(f"{json.dumps(name)}:{_escaped(member)}" for name, member in value.items()) + "}"
        case list():
            return "[" + ",".join(map(_escaped, value)) + "]"
        case NumberText():
            return str(value)
        case _:
            return json.dumps(value)


def _pattern(wildcards: Sequence[str]) -> re.Pattern[str]:
    """Find paths, and all below them."""
    return re.compile("|".join(rf"{expression(wildcard)}(?:\..*)?" for wildcard in wildcards), re.DOTALL)


def read_source(part: Part | None) -> SourceFilter:
    """Read `_source`: true, false, a path, a list of paths, or `{"includes": …, "excludes": …}`."""
    if part is None:
        return SourceFilter()
    if isinstance(part.value, bool):
        return SourceFilter(wanted=part.value)
    if not isinstance(part.value, Mapping):
        return SourceFilter(_paths(part))
    options = part.options(("includes", "excludes", "include", "exclude"), {})
    return SourceFilter(_either(options, "includes", "include"), _either(options, "excludes", "exclude"))


def _either(options: Mapping[str, Part], name: str, short: str) -> tuple[str, ...]:
    if name in options and short in options:
        raise options[short].wrong(f"stands beside {name}.", f"Write {name} alone.")
    part = options.get(name) or options.get(short)
    return _paths(part) if part else ()


def _paths(part: Part) -> tuple[str, ...]:
    paths = part.one_or_more()
    if len(paths) > FIELDS:
        raise part.beyond("paths", FIELDS, "Write wildcards such as address.*.")
    return tuple(re.sub(r"\*+", "*", path.text(FIELD_CHARACTERS)) for path in paths)
