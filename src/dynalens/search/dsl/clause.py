"""What most queries share: `{field: value}` or `{field: {options}}`, boosts, options with one value."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dynalens.search.dsl.limits import BOOST, CLAUSES
from dynalens.search.dsl.reading import Part
from dynalens.search.minimum import PERCENT
from dynalens.search.request import AUTO, ID, Boosted, Query, Typos

EXACT = ".keyword"
"""Elasticsearch's default mapping keeps each text a second time under this name, as one whole value; its clients ask
there for exact values, orders and ranges. Every field here is kept both ways under its own name, so one such ending is
taken off. An attribute of a map that is truly called `keyword` is reached as `seo.keyword.keyword`, as there."""

_COUNT = re.compile(r"-?\d{1,4}", re.ASCII)

_REFUSED: Mapping[str, str] = {
    "_name": "Leave it out: an answer does not tell which of its queries matched.",
    "analyzer": "Leave it out: words are found in one way in all fields.",
    "case_insensitive": "Leave it out; match and prefix look for words whatever their letter case.",
    "cutoff_frequency": "Leave it out: frequent words weigh less anyway.",
    "format": "Leave it out and write dates as ISO 8601, for example 2026-01-31T12:00:00Z.",
    "from": "Write gte or gt.",
    "include_lower": "Write gte or gt.",
    "include_upper": "Write lte or lt.",
    "max_expansions": "Leave it out: all words that fit are looked for, up to the engine's own limit.",
    "relation": "Leave it out: a document holds values, not ranges.",
    "rewrite": "Leave it out.",
    "time_zone": "Write the zone in the date itself, for example 2026-01-31T12:00:00+01:00.",
    "to": "Write lte or lt.",
    "type": "Leave it out.",
}

_TYPOS: Mapping[str, Typos] = {"auto": AUTO, "auto:3,6": AUTO, "0": 0, "1": 1, "2": 2}


@dataclass(frozen=True, slots=True)
class Clause:
    """A query of one field. `exact`: it asks for whole values, by `.keyword` or as the document's id."""

    field: str
    exact: bool
    main: Part
    options: Mapping[str, Part]

    def boosted(self, query: Query) -> Query:
        """Give the query with the boost of the options."""
        return boosted(query, self.options)


def read_options(part: Part, *known: str) -> dict[str, Part]:
    """Read an object of known options; refuse others by name."""
    return part.options(known, _REFUSED)


def read_clause(part: Part, main: str, *known: str) -> Clause:
    """Read `{field: value}` or `{field: {main: value, …}}`; `boost` is always known."""
    name, inner = one_member(part, f'Write one field, for example {{"title": {{"{main}": "red"}}}}.')
    field, exact = read_field(Part(inner.path, name))
    if not isinstance(inner.value, Mapping):
        return Clause(field, exact, inner, {})
    options = read_options(inner, main, "boost", *known)
    if main not in options:
        raise inner.wrong(f"lacks {main}.", f'Write for example {{"{main}": "red"}}.')
    return Clause(field, exact, options[main], options)


def one_member(part: Part, hint: str) -> tuple[str, Part]:
    """Read an object that must have exactly one member."""
    members = part.members(hint)
    if len(members) != 1:
        found = f"has {len(members)} members" if members else "is empty"
        raise part.wrong(f"{found} where one is expected.", f"{hint} Several go into the lists of a bool query.")
    [(name, inner)] = members.items()
    return name, inner


def read_field(part: Part) -> tuple[str, bool]:
    """Read a field, without its ending `.keyword`, and whether whole values are meant."""
    path = part.field()
    if path == "_index":
        raise part.wrong("is no field.", "Leave it out: one collection is searched, the one of the URL.")
    if path.endswith(EXACT) and path != EXACT:
        return path.removesuffix(EXACT), True
    return path, path == ID


def boosted(query: Query, options: Mapping[str, Part]) -> Query:
    """Multiply the query's score where the options hold a boost other than 1."""
    factor = options["boost"].number(0, BOOST) if "boost" in options else 1.0
    return query if factor == 1 else Boosted(query, factor)


def require(options: Mapping[str, Part], **allowed: Collection[object]) -> None:
    """Refuse options that are given with another value than those that are how it works here anyway."""
    for name, values in allowed.items():
        part = options.get(name)
        if part is not None and not any(type(value) is type(part.value) and value == part.value for value in values):
            instead = " or ".join(str(value).lower() for value in values)
            raise part.wrong("is not supported with this value.", f"Leave it out, or write {instead}.")


def refuse(options: Mapping[str, Part], names: Collection[str], why: str) -> None:
    """Refuse options that do not go together with what else is asked."""
    for name in names:
        if name in options:
            raise options[name].wrong("cannot be used here.", why)


def read_typos(options: Mapping[str, Part], default: Typos) -> Typos:
    """Read `fuzziness`: AUTO (also with its default lengths, `AUTO:3,6`), 0, 1 or 2."""
    part = options.get("fuzziness")
    if part is None:
        return default
    if isinstance(part.value, int) and not isinstance(part.value, bool):
        part = Part(part.path, str(part.whole(0, 2)))
    return part.choice(_TYPOS)


def read_minimum(options: Mapping[str, Part]) -> int | str | None:
    """Read `minimum_should_match`: 2, -1, "75%" or "-25%"; combinations such as `3<75%` are refused."""
    part = options.get("minimum_should_match")
    if part is None:
        return None
    if not isinstance(part.value, str):
        return part.whole(-CLAUSES, CLAUSES)
    text = part.text()
    if PERCENT.fullmatch(text):
        return text
    if not _COUNT.fullmatch(text):
        raise part.wrong(f"is {part.kind()}.", 'Write a count such as 2 or -1, or a share such as "75%" or "-25%".')
    return Part(part.path, int(text)).whole(-CLAUSES, CLAUSES)
