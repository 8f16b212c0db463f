"""Documents of one generation: one by its id, which attributes they have, and what is kept of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from dynalens.change import document_digest
from dynalens.target import Field, StoredDocument, Walked
from dynalens.target.search.cluster import schema
from dynalens.target.search.cluster.connection import ClusterError, quoted
from dynalens.target.search.cluster.rendering import Body, render
from dynalens.target.search.cluster.stored import stored_document
from dynalens.target.search.cluster.view import View
from dynalens.target.search.language.clause import Live
from dynalens.target.search.language.encode import printable, read_attribute_type
from dynalens.target.search.language.limits import MOST_HITS

_NOT_FOUND = 404

_MOST_TYPES = 10_000
"""Pairs of an attribute and a JSON type that are listed at most, the most frequent ones."""


def document(view: View, document_id: str) -> StoredDocument | None:
    """Read one live document as it was written last, bytes exactly; None when there is none."""
    return next(_read(view, [document_id]), None)


def kept(view: View, ids: Sequence[str]) -> dict[str, bytes]:
    """Give the digests of the live documents under these ids, as they were written last."""
    return {stored.id: document_digest(stored.json, stored.types) for stored in _read(view, ids)}


def _read(view: View, ids: Sequence[str]) -> Iterator[StoredDocument]:
    if not ids:
        return
    found = view.connection.request("POST", quoted(view.index, "_mget"), {"ids": [*map(printable, ids)]})
    for one in found["docs"]:
        if "error" in one:
            raise _refused(one["error"])
        if one.get("found") and one["_source"][schema.ROOT]["live"]:
            yield stored_document(one["_source"])


def _refused(error: Mapping[str, Any]) -> ClusterError:
    return ClusterError(f"A document cannot be read: {error['reason']}.", status=_NOT_FOUND, type_=error["type"])


def walk(view: View, cursor: str, limit: int) -> Walked:
    """List ids of live documents in their order, behind the id `cursor`; what was written before it began is seen."""
    if not cursor:
        view.connection.request("POST", quoted(view.index, "_refresh"))
    size = min(limit, MOST_HITS)
    body: dict[str, Any] = {"query": _live(), "sort": [{schema.ID: "asc"}], "size": size, "_source": False}
    if cursor:
        body["search_after"] = [cursor]
    ids = [hit["sort"][0] for hit in view.ask(body)["hits"]["hits"]]
    return Walked(ids, ids[-1] if len(ids) == size else "")


def fields(view: View) -> list[Field]:
    """List the top-level attributes with the JSON types seen, most frequent first.

    Drift counts documents whose value does not stand in a field of the attribute's own name, because the mapping could
    not take it there; it is searched all the same.
    """
    aggregations = {name: {"terms": {"field": name, "size": _MOST_TYPES}} for name in (schema.TYPES, schema.ASIDE)}
    answered = view.ask({"query": _live(), "size": 0, "aggs": aggregations})["aggregations"]
    aside = dict(_counts(answered[schema.ASIDE]))
    types: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for term, documents in _counts(answered[schema.TYPES]):
        name, type_ = read_attribute_type(term)
        types[name][type_] = documents
    found = [Field(name, seen, drift=aside.get(printable(name), 0)) for name, seen in types.items()]
    return sorted(found, key=lambda field: (-sum(field.types.values()), field.name))


def _counts(aggregation: Any) -> Iterator[tuple[str, int]]:  # noqa: ANN401 - any JSON value
    for bucket in aggregation["buckets"]:
        yield bucket["key"], int(bucket["doc_count"])


def _live() -> Body:
    return render(Live())
