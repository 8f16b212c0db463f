"""Queries of whole values: term, terms, range, prefix, fuzzy, exists and ids."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Literal

from dynalens.search.dsl.clause import (
    Clause,
    boosted,
    one_member,
    read_clause,
    read_field,
    read_options,
    read_typos,
)
from dynalens.search.dsl.dates import HINT, is_date_math, resolve
from dynalens.search.dsl.limits import VALUES
from dynalens.search.dsl.reading import Part
from dynalens.search.request import (
    AUTO,
    ID,
    Everything,
    Exists,
    Fuzzy,
    Ids,
    Nothing,
    Prefix,
    Query,
    Range,
    Term,
    Terms,
    Value,
)

Bound = Literal["gt", "gte", "lt", "lte"]

BOUNDS: tuple[Bound, ...] = ("gt", "gte", "lt", "lte")
_LONGEST_PREFIX = 255
_ID_HINT = "Write term, terms or ids for ids."


def read_term(part: Part) -> Query:
    """Read `{"term": {"a": 1}}` and `{"term": {"a": {"value": 1}}}`."""
    clause = read_clause(part, "value")
    return clause.boosted(term(clause))


def term(clause: Clause) -> Query:
    """Ask for one whole value; the field `_id` for a document."""
    value = clause.main.scalar()
    return Ids((_id(clause.main),)) if clause.field == ID else Term(clause.field, value)


def read_terms(part: Part) -> Query:
    """Read `{"terms": {"a": [1, 2], "boost": 2}}`."""
    name, values, options = _terms_members(part)
    field, _ = read_field(Part(values.path, name))
    if isinstance(values.value, Mapping):
        raise values.wrong("looks the values up in another index.", "Write the values themselves in a list.")
    found = values.items('Write a list such as ["a", "b"].')
    if len(found) > VALUES:
        raise values.beyond("values", VALUES, "Ask in several searches.")
    if not found:
        return Nothing()
    query = Ids(tuple(map(_id, found))) if field == ID else Terms(field, tuple(value.scalar() for value in found))
    return boosted(query, options)


def _terms_members(part: Part) -> tuple[str, Part, Mapping[str, Part]]:
    """Tell the field from the boost beside it; a field may be called boost, too."""
    hint = 'Write one field, for example {"platform": ["Phone", "Facebook"]}.'
    members = part.members(hint)
    options = {name: members[name] for name in ("boost",) if len(members) > 1 and name in members}
    rest = {name: member.value for name, member in members.items() if name not in options}
    if "_name" in rest:
        read_options(Part(part.path, {"_name": rest["_name"]}), "boost")
    name, values = one_member(Part(part.path, rest), hint)
    return name, values, options


def _id(part: Part) -> str:
    if isinstance(part.value, int) and not isinstance(part.value, bool):
        return str(part.scalar())
    return part.text()


def read_ids(part: Part) -> Query:
    """Read `{"ids": {"values": ["a", "b"]}}`."""
    options = read_options(part, "values", "boost")
    if "values" not in options:
        raise part.wrong("lacks values.", 'Write {"values": ["a", "b"]}.')
    values = options["values"].one_or_more()
    if len(values) > VALUES:
        raise options["values"].beyond("values", VALUES, "Ask in several searches.")
    return boosted(Ids(tuple(map(_id, values))), options) if values else Nothing()


def read_exists(part: Part) -> Query:
    """Read `{"exists": {"field": "a"}}`."""
    options = read_options(part, "field", "boost")
    if "field" not in options:
        raise part.wrong("lacks field.", 'Write {"field": "address.city"}.')
    field, _ = read_field(options["field"])
    return boosted(Everything() if field == ID else Exists(field), options)


def read_range(part: Part, now: datetime) -> Query:
    """Read `{"range": {"a": {"gte": 1, "lt": 2}}}`; without a bound it asks for any value."""
    name, inner = one_member(part, 'Write one field, for example {"amount": {"gte": 10}}.')
    field, _ = _no_id(Part(inner.path, name))
    options = read_options(inner, *BOUNDS, "boost")
    bounds = {name: options[name] for name in BOUNDS if name in options and options[name].value is not None}
    return boosted(range_of(field, inner, bounds, now), options)


def range_of(field: str, place: Part, bounds: Mapping[Bound, Part], now: datetime | None = None) -> Query:
    """Put bounds of one type together; date math counts from `now` (default: this moment)."""
    for one, other in (("gt", "gte"), ("lt", "lte")):
        if one in bounds and other in bounds:
            raise place.wrong(f"has both {one} and {other}.", "Write one of them.")
    moment = now or datetime.now(UTC)
    values = {name: _bound(name, bound, moment) for name, bound in bounds.items()}
    if len({isinstance(value, str) for value in values.values()}) > 1:
        raise place.wrong("has a number and a text as bounds.", "Write both as numbers, or both as texts.")
    if not values:
        return Exists(field)
    return Range(field, gt=values.get("gt"), gte=values.get("gte"), lt=values.get("lt"), lte=values.get("lte"))


def _bound(name: Bound, part: Part, now: datetime) -> Value:
    if not isinstance(part.value, str | int | Decimal) or isinstance(part.value, bool):
        raise part.wrong(f"is {part.kind()}.", "Write a number, a text or a date such as 2026-01-31.")
    value = part.scalar()
    if isinstance(value, str) and is_date_math(value):
        return _resolved(part, value, now, to_end=name in ("gt", "lte"))
    return value


def _resolved(part: Part, text: str, now: datetime, *, to_end: bool) -> str:
    try:
        return resolve(text, now, to_end=to_end)
    except ValueError as error:
        raise part.wrong(f"is {part.kind()}, which is no date: {error}.", HINT) from error


def read_prefix(part: Part) -> Query:
    """Read `{"prefix": {"a": "be"}}` and `{"prefix": {"a": {"value": "be"}}}`."""
    clause = read_clause(part, "value")
    return clause.boosted(prefix(clause))


def prefix(clause: Clause) -> Query:
    """Ask for beginnings of words and whole values."""
    _require_no_id(clause)
    return Prefix(clause.field, clause.main.text())


def read_fuzzy(part: Part) -> Query:
    """Read `{"fuzzy": {"a": "wrd"}}` and `{"fuzzy": {"a": {"value": "wrd", "fuzziness": 1}}}`."""
    clause = read_clause(part, "value", "fuzziness", "prefix_length", "transpositions")
    if clause.exact:
        raise clause.main.wrong("asks for typos in whole values.", "Write the field without .keyword, or _id in ids.")
    options = clause.options
    length = options["prefix_length"].whole(0, _LONGEST_PREFIX) if "prefix_length" in options else 0
    transpositions = options["transpositions"].flag() if "transpositions" in options else True
    typos = read_typos(options, AUTO)
    return clause.boosted(Fuzzy(clause.field, clause.main.text(), typos, length, transpositions))


def _no_id(part: Part) -> tuple[str, bool]:
    field, exact = read_field(part)
    if field == ID:
        raise part.wrong("is the document's id, which has no order or parts here.", _ID_HINT)
    return field, exact


def _require_no_id(clause: Clause) -> None:
    if clause.field == ID:
        raise clause.main.wrong("asks for a part of the document's id.", _ID_HINT)
