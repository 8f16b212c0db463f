"""Documents and exact queries to draw: few paths and few values, so that they meet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from dynalens.search import ID, Bool, Exists, Facet, Ids, Prefix, Query, Range, SortKey, Term, Terms, Value
from tests.conformance.naive import Item

KEYS = tuple("abcdefgh")
PATHS = ("a", "b", "a.b", "m", "m.x", "m.y", "m.x.y", "none")

_NUMBERS: st.SearchStrategy[int | Decimal] = st.one_of(
    st.integers(-3, 12),
    st.sampled_from([10**20, 10**37 + 1, 10**37 + 2, -(10**37), 2024, 2025]),
    st.sampled_from([Decimal("0.5"), Decimal("-0.5"), Decimal("2.25"), Decimal("1E-7"), Decimal("100000000000.1")]),
)
_DATES = st.sampled_from(
    [
        "2024-01-01",
        "2024-01-01T00:00:00Z",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01T10:30",
        "2024-01-01 10:30:00",
        "2024-01-01T10:30:00.5Z",
        "2024-01-31",
        "2024-02-29",
        "2023-12-31T23:30:00-01:00",
        "2025-01-01",
        "2024-02-30",
        "2024-01",
        "2024",
    ]
)
_TEXTS = st.one_of(
    st.sampled_from(["", " ", "a", "ab", "Ab", "ab c", "AB-c", "7", "07", "-1", "2.25", "true", "false", "a:b", "~"]),
    _DATES,
    st.text("abB 07.-:", max_size=4),
)
_VALUES: st.SearchStrategy[Value] = st.one_of(_NUMBERS, _TEXTS, st.booleans())


def _attributes() -> st.SearchStrategy[object]:
    leaf = st.one_of(_VALUES, st.none())
    within = st.dictionaries(st.sampled_from(["x", "y", ""]), leaf, max_size=2)
    members = st.lists(st.one_of(leaf, within), max_size=3)
    sets = st.one_of(st.frozensets(_TEXTS, min_size=1, max_size=3), st.frozensets(_NUMBERS, min_size=1, max_size=3))
    deeper = st.dictionaries(st.sampled_from(["x", "y"]), st.one_of(leaf, within, members), max_size=2)
    return st.one_of(leaf, members, sets, deeper)


def items() -> st.SearchStrategy[dict[str, Item]]:
    """Draw documents by their key."""
    item = st.dictionaries(st.sampled_from(["a", "b", "m", "a.b", "m.x"]), _attributes(), max_size=4)
    return st.dictionaries(st.sampled_from(KEYS), item, min_size=1, max_size=len(KEYS))


@st.composite
def _ranges(draw: st.DrawFn) -> Range:
    values: st.SearchStrategy[Value] = draw(st.sampled_from([_NUMBERS, _TEXTS, _DATES]))
    lower = draw(st.sampled_from(["gt", "gte", ""]))
    upper = draw(st.sampled_from(["lt", "lte"] if not lower else ["lt", "lte", ""]))
    return Range(draw(st.sampled_from(PATHS)), **{name: draw(values) for name in (lower, upper) if name})


def queries() -> st.SearchStrategy[Query]:
    """Draw an exact query."""
    paths = st.sampled_from(PATHS)
    single = st.one_of(
        st.builds(Term, paths, _VALUES),
        st.builds(Terms, paths, st.lists(_VALUES, max_size=3).map(tuple)),
        _ranges(),
        st.builds(Prefix, paths, _TEXTS),
        st.builds(Exists, paths),
        st.builds(Ids, st.lists(st.sampled_from([*KEYS, "z"]), max_size=3).map(tuple)),
    )
    return st.recursive(single, _bools, max_leaves=5)


def _bools(inner: st.SearchStrategy[Query]) -> st.SearchStrategy[Query]:
    several = st.lists(inner, max_size=2).map(tuple)
    return st.builds(
        Bool,
        must=several,
        should=several,
        filter=several,
        must_not=several,
        minimum=st.sampled_from([None, 0, 1, 2, -1]),
    )


@dataclass(frozen=True)
class Question:
    """What is asked of the drawn documents."""

    query: Query
    sort: tuple[SortKey, ...]
    facet: Facet


def questions() -> st.SearchStrategy[Question]:
    """Draw a query, a complete order and a facet."""
    keys = st.lists(st.builds(SortKey, st.sampled_from(PATHS), st.booleans(), st.booleans()), max_size=2)
    orders = st.tuples(keys, st.booleans()).map(lambda drawn: (*drawn[0], SortKey(ID, descending=drawn[1])))
    return st.builds(Question, queries(), orders, st.builds(Facet, st.sampled_from(PATHS), st.integers(1, 4)))
