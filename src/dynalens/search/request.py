"""The nodes of a query, a request and its answer.

Fields are paths of attribute names joined by dots, `address.city`; an attribute whose name itself holds a dot is found
under the same path. The empty tuple of fields stands for all fields together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, TypeAlias

from dynalens.search.aggregation import AggregationAnswer, NamedAggregations
from dynalens.search.geo import Shape

Value: TypeAlias = str | bool | int | Decimal
"""A value to compare with. Numbers are exact; a text also stands for the number or boolean that it spells."""

AUTO: Literal["auto"] = "auto"
"""Typos by a word's length: none up to 2 letters, 1 up to 5, else 2 ("Fuzziness", Elasticsearch reference)."""

Typos: TypeAlias = Literal["auto", 0, 1, 2]

SCORE = "_score"
"""As a sort key: best first."""

ID = "_id"
"""As a sort key: the document's id, which makes every order complete."""


@dataclass(frozen=True, slots=True)
class Everything:
    """Every document, all at the same score."""


@dataclass(frozen=True, slots=True)
class Nothing:
    """No document."""


@dataclass(frozen=True, slots=True)
class Anywhere:
    """What a search box asks: words, and "phrases" in quotes, in any of the fields, typos tolerated.

    A document matches that holds at least one of the words (and every quoted phrase). More of the words go first, then
    exact words before the beginning of a word (the last word only) before typos, then relevance (BM25).
    """

    text: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Match:
    """Words of a text in one field, by BM25; `minimum` is how many must match, where `operator` is `or`.

    It is a count, `-1` for all but one, or `"75%"` or `"-25%"` of the words: `dynalens.search.minimum.required`.
    """

    field: str
    text: Value
    operator: Literal["or", "and"] = "or"
    minimum: int | str | None = None
    typos: Typos = 0


@dataclass(frozen=True, slots=True)
class MultiMatch:
    """Words of a text in several fields, each with its boost; all fields when there are none.

    `best`: the best field counts, others with `tie_breaker`; `most`: all fields add up; `cross`: each word may be in
    another field; `phrase`: `best` of phrases; `bool_prefix`: `most` with the last word as a prefix.
    """

    text: str
    fields: tuple[tuple[str, float], ...] = ()
    kind: Literal["best", "most", "cross", "phrase", "phrase_prefix", "bool_prefix"] = "best"
    operator: Literal["or", "and"] = "or"
    minimum: int | str | None = None
    typos: Typos = 0
    tie_breaker: float = 0.0


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words in this order in one field, with at most `slop` moves; `prefix`: the last word may go on."""

    field: str
    text: str
    slop: int = 0
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class Term:
    """A field whose whole value equals, to the last digit and letter; of an array, one of its members."""

    field: str
    value: Value


@dataclass(frozen=True, slots=True)
class Terms:
    """A field whose whole value equals one of these."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Range:
    """A field between bounds of one type: numbers, texts by code point, or ISO 8601 dates by instant (UTC if no zone).

    A date bound that lacks its smaller parts covers them: `lte` 2019-08-07 ends with that day, `gt` begins after it.
    """

    field: str
    gt: Value | None = None
    gte: Value | None = None
    lt: Value | None = None
    lte: Value | None = None


@dataclass(frozen=True, slots=True)
class Prefix:
    """A field with a word, or a whole value, that begins so; letter case and accents do not count in words."""

    field: str
    value: str


@dataclass(frozen=True, slots=True)
class Fuzzy:
    """A field with a word close to this one; the first `prefix_length` letters must be the same."""

    field: str
    value: str
    typos: Typos = AUTO
    prefix_length: int = 0
    transpositions: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """A field that has a value other than null."""

    field: str


@dataclass(frozen=True, slots=True)
class Ids:
    """Documents by id."""

    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """A point in a shape; `field` is the name that the collection's `search.geo` gives it."""

    field: str
    shape: Shape


@dataclass(frozen=True, slots=True)
class Bool:
    """All of `must` and `filter`, none of `must_not`, and at least `minimum` of `should`.

    `minimum` None: one where neither `must` nor `filter` stands beside, else none ("Boolean query", Elasticsearch).
    `filter` and `must_not` give no score.
    """

    must: tuple[Query, ...] = ()
    should: tuple[Query, ...] = ()
    filter: tuple[Query, ...] = ()
    must_not: tuple[Query, ...] = ()
    minimum: int | None = None


@dataclass(frozen=True, slots=True)
class Boosted:
    """Another query, its score multiplied, or (`constant`) replaced by the boost."""

    query: Query
    boost: float
    constant: bool = False


Query: TypeAlias = (
    Everything
    | Nothing
    | Anywhere
    | Match
    | MultiMatch
    | Phrase
    | Term
    | Terms
    | Range
    | Prefix
    | Fuzzy
    | Exists
    | Ids
    | Within
    | Bool
    | Boosted
)


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an order: a field, `_score` or `_id`. Documents without the field go last, or `missing_first`."""

    field: str
    descending: bool = False
    missing_first: bool = False


@dataclass(frozen=True, slots=True)
class Highlight:
    """Which fields show where they matched: paths, `*` as a wildcard in them.

    `fragments` 0 gives the whole text as one fragment. `escape`: the text is escaped as HTML, the tags are not.
    `matched_only`: a field is marked only for words asked of this field, or of all fields together.
    """

    fields: tuple[str, ...] = ("*",)
    before: str = "<em>"
    after: str = "</em>"
    fragment_characters: int = 100
    fragments: int = 5
    escape: bool = False
    matched_only: bool = True


@dataclass(frozen=True, slots=True)
class Facet:
    """Count the values of a field over all matches: the `size` most frequent ones, equal counts by value."""

    field: str
    size: int = 10


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """One search.

    Attributes:
        query: What matches.
        offset: Hits to skip.
        size: Most hits to give.
        sort: The order; best first when empty.
        after: The `Hit.sort` of the last hit seen, to go on behind it; needs a `sort` without `_score`.
        highlight: Whether and how hits show where they matched.
        facets: Values to count.
        min_score: Leave out hits below it.
        aggregations: What to compute over all matches, by name.
    """

    query: Query = Everything()
    offset: int = 0
    size: int = 10
    sort: tuple[SortKey, ...] = ()
    after: tuple[Value | None, ...] = ()
    highlight: Highlight | None = None
    facets: tuple[Facet, ...] = ()
    min_score: float | None = None
    aggregations: NamedAggregations = ()


@dataclass(frozen=True, slots=True)
class Hit:
    """One match: plain JSON of the document, fragments by field path, and the values of the sort keys."""

    id: str
    score: float | None
    document: bytes
    highlight: Mapping[str, Sequence[str]] = field(default_factory=dict)
    sort: tuple[Value | None, ...] = ()


@dataclass(frozen=True, slots=True)
class FacetValue:
    """One value of a facet, as JSON, and how many matches have it."""

    value: Value
    count: int


@dataclass(frozen=True, slots=True)
class SearchAnswer:
    """All matches counted exactly, and the hits asked for. Scores are None where the order is not by score."""

    total: int
    hits: Sequence[Hit]
    facets: Mapping[str, Sequence[FacetValue]] = field(default_factory=dict)
    max_score: float | None = None
    aggregations: Mapping[str, AggregationAnswer] = field(default_factory=dict)
