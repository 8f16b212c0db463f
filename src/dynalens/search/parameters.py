"""Our own way to ask: the parameters of `GET …/search` as a request.

| parameter | meaning |
|---|---|
| `q` | words, and "phrases" in quotes, in any field; everything where it is absent or empty |
| `fields` | where to look for `q`, by path |
| `filter` | `field:value`, `field:"value"`, `field:>=10` (`>`, `<`, `<=`), `field:10..20`, `field:10..`, `field:..20` |
| `facet` | `field` or `field:size` (10 values unless told) |
| `sort` | `field`, `-field`, `field:asc` or `field:desc`; `_score` and `_id` are keys, too |
| `from`, `size` | hits to skip (0), hits to give (10) |
| `highlight` | `true`: marks in `<em>`, the text around them escaped as HTML |

`fields`, `facet` and `sort` take several by comma, and may stand several times, as `filter` may. A backslash before a
comma, a colon, a leading dash or a backslash makes it a part of the field's name.

Filters of different fields must all hold. Of one field, any of its values and `10..20` ranges is enough, and each of
its comparisons must hold beside: `amount:>=10` and `amount:<20` are the amounts between. `..` is a range between
numbers or dates; comparisons also take texts, and date math such as `>=now-7d/d`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from dynalens.errors import QueryLimitError, RequestError
from dynalens.search.dsl.body import window
from dynalens.search.dsl.limits import CLAUSES, FACET_VALUES, FACETS, FIELDS, SORT_KEYS, WINDOW
from dynalens.search.dsl.reading import Part, closest, shown
from dynalens.search.dsl.sorting import sort_key
from dynalens.search.dsl.uri import flag, once, whole
from dynalens.search.dsl.values import Bound, range_of
from dynalens.search.request import (
    ID,
    Anywhere,
    Bool,
    Everything,
    Facet,
    Highlight,
    Ids,
    Query,
    SearchRequest,
    SortKey,
    Term,
    Terms,
    Value,
)

_SEVERAL = ("fields", "filter", "facet", "sort")
_SINGLE = ("q", "from", "size", "highlight")

_BOUND = re.compile(r"(>=|<=|>|<)\s*(.*)", re.DOTALL)
_SIGNS: Mapping[str, Bound] = {">=": "gte", ">": "gt", "<=": "lte", "<": "lt"}
_NUMBER = re.compile(r"-?\d{1,400}(\.\d{1,400})?([eE][-+]?\d{1,9})?", re.ASCII)
_DATE = re.compile(r"\d{4}-\d\d(-\d\d)?([T ][0-9:.,Z+-]*)?", re.ASCII)
_FILTER_HINT = "Write filter=field:value, for example filter=platform:Phone or filter=amount:>=10."


def read_parameters(parameters: Sequence[tuple[str, str]]) -> SearchRequest:
    """Read the decoded parameters of a URL, in their order; the table above says what they mean.

    Raises:
        RequestError: A parameter is unknown, given twice or malformed.
        QueryLimitError: It passes a limit of `dynalens.search.dsl.limits`.
    """
    _require_known(parameters)
    single = {name: Part(name, value) for name, value in once([one for one in parameters if one[0] in _SINGLE]).items()}
    several = {name: [Part(name, value) for other, value in parameters if other == name] for name in _SEVERAL}
    offset = _number(single["from"]) if "from" in single else 0
    size = _number(single["size"]) if "size" in single else SearchRequest().size
    offset, size = window(offset, size)
    return SearchRequest(
        query=_query(single.get("q"), several),
        offset=offset,
        size=size,
        sort=_sort(several["sort"]),
        highlight=_highlight(single.get("highlight")),
        facets=_facets(several["facet"]),
    )


def read_filter(text: str) -> Query:
    """Read one `filter` by itself, such as `platform:Phone` or `amount:>=10`.

    Raises:
        RequestError: It is malformed.
    """
    return _filters([Part("filter", text)])[0]


def _require_known(parameters: Sequence[tuple[str, str]]) -> None:
    known = (*_SINGLE, *_SEVERAL)
    for name, _ in parameters:
        if name not in known:
            raise RequestError(f"There is no parameter {shown(name)!r}.", hint=closest(name, known))


def _number(part: Part) -> int:
    return Part(part.path, whole(part)).whole(0, WINDOW)


def _highlight(part: Part | None) -> Highlight | None:
    return Highlight(escape=True) if part and flag(part) else None


def _query(q: Part | None, several: Mapping[str, Sequence[Part]]) -> Query:
    asked = _asked(q, several["fields"])
    filters = _filters(several["filter"])
    if not filters:
        return asked or Everything()
    return Bool(must=(asked,) if asked else (), filter=filters)


def _asked(q: Part | None, fields: Sequence[Part]) -> Query | None:
    text = q.text().strip() if q else ""
    if text:
        return Anywhere(text, _fields(fields))
    if q is None and fields:
        raise fields[0].wrong("says where to look for q, which is missing.", "Add q=words, or leave it out.")
    return None


def _fields(parts: Sequence[Part]) -> tuple[str, ...]:
    names = [Part("fields", _unescaped(entry)).field() for part in parts for entry in _split(part.text(), ",")]
    if len(names) > FIELDS:
        raise Part("fields", None).beyond("fields", FIELDS, "Leave it out to look in all fields.")
    if names == ["*"]:
        return ()
    if any("*" in name for name in names):
        raise RequestError("fields holds a pattern.", hint="Write the fields one by one, or leave it out for all.")
    return tuple(names)


# Filters.


def _filters(parts: Sequence[Part]) -> tuple[Query, ...]:
    if len(parts) > CLAUSES:
        raise QueryLimitError(f"filter: the limit is {CLAUSES} filters.", hint="Write fewer.")
    by_field: dict[str, list[Part]] = {}
    for part in parts:
        field, *value = _split(part.text(), ":", most=2)
        if not value:
            raise part.wrong(f"is {part.kind()}, without a colon.", _FILTER_HINT)
        name = Part("filter", _unescaped(field)).field()
        by_field.setdefault(name, []).append(Part(f"filter={shown(name)}", value[0]))
    return tuple(query for field, values in by_field.items() for query in _of_field(field, values))


def _of_field(field: str, parts: Sequence[Part]) -> list[Query]:
    """Any of the values and ranges, and all of the comparisons."""
    exact: list[str] = []
    ranges: list[Query] = []
    bounds: dict[Bound, Part] = {}
    for part in parts:
        text = part.text()
        if sides := _range_sides(text):
            ranges.append(range_of(field, part, _between(part, *sides)))
        elif comparison := _BOUND.fullmatch(text):
            _add_bound(bounds, _SIGNS[comparison[1]], part, comparison[2])
        else:
            exact.append(_value(part, text))
    if field == ID:
        return [_ids(parts[0], exact, [*ranges, *bounds])]
    queries = _any_of(field, exact, ranges)
    return [*queries, range_of(field, parts[0], bounds)] if bounds else queries


def _ids(part: Part, exact: Sequence[str], others: Sequence[object]) -> Query:
    if others:
        raise part.wrong("compares ids, which have no order here.", 'Write filter=_id:value, or filter=_id:"value".')
    return Ids(tuple(exact))


def _any_of(field: str, exact: Sequence[str], ranges: Sequence[Query]) -> list[Query]:
    values: list[Query] = [Term(field, exact[0])] if len(exact) == 1 else [Terms(field, tuple(exact))] if exact else []
    either = [*values, *ranges]
    return [Bool(should=tuple(either))] if len(either) > 1 else either


def _range_sides(text: str) -> tuple[str, str] | None:
    """Give both ends of a range between numbers or dates; one of them may be left open."""
    low, dots, high = text.partition("..")
    for form in (_NUMBER, _DATE):
        if dots and (low or high) and all(form.fullmatch(side) for side in (low, high) if side):
            return low, high
    return None


def _between(part: Part, low: str, high: str) -> dict[Bound, Part]:
    ends: Mapping[Bound, str] = {"gte": low, "lte": high}
    return {name: Part(part.path, _as_number(side)) for name, side in ends.items() if side}


def _add_bound(bounds: dict[Bound, Part], name: Bound, part: Part, text: str) -> None:
    if name in bounds:
        raise part.wrong("has two bounds of the same kind.", "Write the stricter one alone.")
    if not text:
        raise part.wrong("compares with nothing.", "Write a number, a date or a text, for example >=10.")
    bounds[name] = Part(part.path, _value(part, text) if text.startswith('"') else _as_number(text))


def _as_number(text: str) -> Value:
    return (Decimal(text) if set(text) & set(".eE") else int(text)) if _NUMBER.fullmatch(text) else text


def _value(part: Part, text: str) -> str:
    """Give a value as it stands, or what is within its quotes."""
    if not text.startswith('"'):
        return text
    found = re.fullmatch(r'"((?:[^"\\]|\\.)*+)"', text, re.DOTALL)
    if found is None:
        raise part.wrong(
            f"has a quote that is not closed at its end: {shown(text)!r}.",
            'Write "value", and \\" for a quote within it.',
        )
    return _unescaped(found[1])


# Orders and facets.


def _sort(parts: Sequence[Part]) -> tuple[SortKey, ...]:
    keys = tuple(_sort_key(part, entry) for part in parts for entry in _split(part.text(), ","))
    if len(keys) > SORT_KEYS:
        raise Part("sort", None).beyond("sort keys", SORT_KEYS, "Sort by fewer fields.")
    return keys


def _sort_key(part: Part, entry: str) -> SortKey:
    name, *direction = _split(entry, ":", most=2)
    falling = name.startswith("-")
    if direction and (falling or direction[0] not in ("asc", "desc")):
        raise part.wrong(f"is {Part('', entry).kind()}.", "Write field, -field, field:asc or field:desc.")
    field = Part(part.path, _unescaped(name.removeprefix("-")))
    descending = direction[0] == "desc" if direction else True if falling else None
    return sort_key(field, descending=descending)


def _facets(parts: Sequence[Part]) -> tuple[Facet, ...]:
    facets = {facet.field: facet for part in parts for facet in map(_facet, _parts(part))}
    if len(facets) > FACETS:
        raise Part("facet", None).beyond("facets", FACETS, "Ask for fewer, or in several searches.")
    return tuple(facets.values())


def _facet(part: Part) -> Facet:
    name, *size = _split(part.text(), ":", most=2)
    field = Part("facet", _unescaped(name)).field()
    if not size:
        return Facet(field)
    return Facet(field, Part("facet", whole(Part("facet", size[0]))).whole(1, FACET_VALUES))


def _parts(part: Part) -> list[Part]:
    return [Part(part.path, entry) for entry in _split(part.text(), ",")]


# Escapes.


def _split(text: str, separator: str, *, most: int = 0) -> list[str]:
    """Split at separators that no backslash stands before, into at most so many pieces; escapes stay."""
    pieces: list[str] = []
    start = 0
    for found in re.finditer(rf"\\.|{separator}", text, re.DOTALL):
        if found.group() == separator and len(pieces) + 1 != most:
            pieces.append(text[start : found.start()])
            start = found.end()
    return [*pieces, text[start:]]


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)
