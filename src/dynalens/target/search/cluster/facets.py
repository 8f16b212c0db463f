"""Values of a field with how many matches have each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from dynalens.search import ID, Facet, FacetValue
from dynalens.target.search.cluster import schema
from dynalens.target.search.cluster.rendering import Body
from dynalens.target.search.cluster.view import Searched
from dynalens.target.search.language.facets import facet_value
from dynalens.target.search.language.tokens import DATE, string_token

_EXACT_WITHIN = 10_000
"""Values that each shard gives at first."""
_EXACT = 1 << 24


class _Counted(NamedTuple):
    token: str
    documents: int


@dataclass(frozen=True, slots=True)
class Facets:
    """Facets of one search: most frequent values first, equal counts in the order of the values.

    The texts of dates stand in a field of their own, so that most facets are two aggregations.
    """

    searched: Searched
    facets: Sequence[Facet]
    query: Body

    def body(self) -> Body:
        """Give what the body of the search has for them."""
        aggregations = self._aggregations(_EXACT_WITHIN)
        return {"aggs": aggregations} if aggregations else {}

    def read(self, answered: Mapping[str, Any]) -> dict[str, list[FacetValue]]:
        """Read what the cluster says of them; where shards left something open, they are asked for all they have."""
        if not all(map(_is_exact, answered.values())):
            body = {"query": self.query, "size": 0, "aggs": self._aggregations(_EXACT)}
            answered = self.searched.ask(body)["aggregations"]
        return {facet.field: self._values(number, facet, answered) for number, facet in enumerate(self.facets)}

    def _aggregations(self, of_shard: int) -> dict[str, Body]:
        return {
            f"{kind}{number}": {
                "terms": {**field, "size": facet.size, "shard_size": of_shard, "show_term_doc_count_error": True}
            }
            for number, facet in enumerate(self.facets)
            if facet.size > 0
            for kind, field in self._fields(facet)
        }

    def _fields(self, facet: Facet) -> Iterator[tuple[str, Body]]:
        if facet.field == ID:
            yield "ids", {"field": schema.ID}
            return
        name = self.searched.paths.name_of(facet.field)
        # Of a date its text is shown, not its point in time.
        yield "exact", {"field": schema.field(schema.EXACT, name), "exclude": f"{DATE}.*"}
        yield "dates", {"field": schema.field(schema.DATES, name)}

    def _values(self, number: int, facet: Facet, answered: Mapping[str, Any]) -> list[FacetValue]:
        ids = (_Counted(string_token(id_), count) for id_, count in _counted(answered.get(f"ids{number}")))
        tokens = [*ids, *(one for kind in ("exact", "dates") for one in _counted(answered.get(f"{kind}{number}")))]
        in_order = sorted(tokens, key=lambda counted: (-counted.documents, counted.token))
        return [facet_value(*counted) for counted in in_order[: max(0, facet.size)]]


def _counted(aggregation: Mapping[str, Any] | None) -> Iterator[_Counted]:
    for bucket in aggregation["buckets"] if aggregation else ():
        yield _Counted(bucket["key"], int(bucket["doc_count"]))


def _is_exact(aggregation: Mapping[str, Any]) -> bool:
    """Tell whether no value that shards left out may be among those that are given, nor count for one of them."""
    left_out = int(aggregation["doc_count_error_upper_bound"])
    counts = [int(bucket["doc_count"]) for bucket in aggregation["buckets"]]
    errors = [int(bucket["doc_count_error_upper_bound"]) for bucket in aggregation["buckets"]]
    return not left_out or (not any(errors) and min(counts) > left_out)
