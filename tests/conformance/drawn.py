"""Documents and exact queries to draw: few paths and few values, so that they meet."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hypothesis import strategies as st

from dynalens.search import ID, Bool, Exists, Facet, Ids, Prefix, Query, Range, SortKey, Term, Terms, Value
from tests.conformance.naive import Item

KEYS = tuple("abcdefgh")
_PATHS = st.sampled_from(["a", "a", "b", "m", "m.x", "none"])

_NUMBERS: st.SearchStrategy[int | Decimal] = st.sampled_from(
    [-1, 0, 1, 2, 7, 2024, 10**37 + 1, 10**37 + 2, Decimal("0.5"), Decimal("2.25"), Decimal("1E-7")]
)
_DATES = st.sampled_from(
    [
        "2024-01-01",
        "2024-01-01T00:00:00Z",
        "2024-01-01T01:00:00+01:00",
        "2024-01-01T10:30",
        "2024-01-01 10:30:00.5",
        "2023-12-31T23:30:00-01:00",
        "2024-02-29",
        "2024-02-30",
        "2024-01",
        "2024",
    ]
)
_TEXTS = st.one_of(
    st.sampled_from(["", " ", "a", "ab", "Ab", "ab c", "AB-c", "7", "07", "-1", "2.25", "true", "false", "a:b", "~"]),
    _DATES,
    # What query languages read as their own, and what is no letter in any.
    st.text("aB0:*?\"'\\[](){}<>^~-+!/&|\t\n\0\u3000\U0010ffff", min_size=1, max_size=3),
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
    """Draw a document for each key: `a` is anything, `b` dates of which many are one moment or day, maps are rare."""
    dates = st.one_of(_DATES, _DATES, st.lists(_DATES, max_size=2), st.none())
    item = st.fixed_dictionaries({"a": _attributes(), "b": dates}, optional={"m": _attributes(), "m.x": _attributes()})
    return st.fixed_dictionaries(dict.fromkeys(KEYS, item))


@st.composite
def _ranges(draw: st.DrawFn) -> Range:
    paths: st.SearchStrategy[str]
    values: st.SearchStrategy[Value]
    paths, values = draw(st.sampled_from([(_PATHS, _NUMBERS), (_PATHS, _TEXTS), (st.just("b"), _DATES)]))
    lower = draw(st.sampled_from(["gt", "gte", ""]))
    upper = draw(st.sampled_from(["lt", "lte"] if not lower else ["lt", "lte", ""]))
    return Range(draw(paths), **{name: draw(values) for name in (lower, upper) if name})


def queries() -> st.SearchStrategy[Query]:
    """Draw an exact query."""
    single = st.one_of(
        st.builds(Term, _PATHS, _VALUES),
        st.builds(Terms, _PATHS, st.lists(_VALUES, max_size=3).map(tuple)),
        _ranges(),
        _ranges(),
        st.builds(Prefix, _PATHS, _TEXTS),
        st.builds(Exists, _PATHS),
        st.builds(Ids, st.lists(st.sampled_from([*KEYS, "z"]), max_size=3).map(tuple)),
    )
    return st.one_of(single, st.recursive(single, _bools, max_leaves=4))


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
    keys = st.lists(st.builds(SortKey, _PATHS, st.booleans(), st.booleans()), max_size=2)
    orders = st.tuples(keys, st.booleans()).map(lambda drawn: (*drawn[0], SortKey(ID, descending=drawn[1])))
    return st.builds(Question, queries(), orders, st.builds(Facet, _PATHS, st.integers(1, 4)))
