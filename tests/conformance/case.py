"""Cases as data: a request as somebody sends it, and all that every engine must answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import parse_qsl

from dynalens.errors import RequestError
from dynalens.search import SearchRequest, Value
from dynalens.search.dsl import read_body
from dynalens.search.parameters import read_parameters

MOST = 1000
"""More than the corpus holds: where a case asks for no size, one page shows all hits."""

Order: TypeAlias = Sequence[str | AbstractSet[str]]
"""Keys in order; those of a set may stand in any order among themselves."""


@dataclass(frozen=True, kw_only=True)
class Refused:
    """The error that a request meets."""

    error: type[RequestError] = RequestError
    hint: str


@dataclass(frozen=True)
class Case:
    """One request and its answer. What is None or empty is not looked at.

    Attributes:
        name: What the case shows.
        ask: A body of the Query DSL, or the query string of a URL.
        hits: The keys of all hits: a set where no order is defined.
        total: How many match; as many as there are hits unless told.
        scores: The score of each hit.
        sort: The sort values of each hit.
        facets: The values of each facet with their counts.
        highlight: The fragments of each hit by path.
        refused: The error that it meets instead.
    """

    name: str
    ask: Mapping[str, Any] | str
    hits: AbstractSet[str] | Order = field(default=frozenset(), kw_only=True)
    total: int | None = field(default=None, kw_only=True)
    scores: Sequence[float] | None = field(default=None, kw_only=True)
    sort: Sequence[tuple[Value | None, ...]] | None = field(default=None, kw_only=True)
    facets: Mapping[str, Sequence[tuple[Value, int]]] | None = field(default=None, kw_only=True)
    highlight: Mapping[str, Mapping[str, Sequence[str]]] | None = field(default=None, kw_only=True)
    refused: Refused | None = field(default=None, kw_only=True)

    def request(self) -> SearchRequest:
        """Read the request as the server does."""
        if isinstance(self.ask, str):
            given = parse_qsl(self.ask, keep_blank_values=True, strict_parsing=bool(self.ask))
            return read_parameters(given if dict(given).keys() & {"size"} else [*given, ("size", str(MOST))])
        return read_body({"size": MOST, **self.ask}).request


def tiers(hits: AbstractSet[str] | Order) -> list[AbstractSet[str]]:
    """Give the hits as sets, one after the other."""
    if isinstance(hits, AbstractSet):
        return [hits] if hits else []
    return [{one} if isinstance(one, str) else one for one in hits]


def query(body: Mapping[str, Any], **beside: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    """Give the body that asks one query, with other keys beside it."""
    return {"query": body, **beside}
