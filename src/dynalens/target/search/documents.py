"""Documents of one view: one by its id, which attributes they have, and what is kept of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dynalens.change import document_digest
from dynalens.target import Field, StoredDocument, Walked
from dynalens.target.search import schema
from dynalens.target.search.clauses import Clauses, everything, restricted
from dynalens.target.search.engine import Engine
from dynalens.target.search.tokens import path_name, text_of
from dynalens.target.search.view import View

_MOST_TYPES = 10_000
"""Pairs of an attribute and a JSON type that are listed at most, the most frequent ones."""

_LEAVES = {"string", "number", "bool"}


def document(view: View, document_id: str) -> StoredDocument | None:
    """Read one live document, bytes exactly; None when there is none."""
    clauses = Clauses(view)
    hits = view.searcher.search(restricted(clauses.ids([document_id]), clauses.live), 1, count=False).hits
    if not hits:
        return None
    stored = view.searcher.doc(hits[0][1])
    [json], [hints] = stored.get_all(schema.DOCUMENT), stored.get_all(schema.HINTS)
    return StoredDocument(document_id, bytes(json), bytes(hints))


def kept(view: View, ids: Sequence[str]) -> dict[str, bytes]:
    """Give the digests of the live documents under these ids."""
    clauses = Clauses(view)
    wanted = restricted(clauses.ids(ids), clauses.live)
    hits = view.searcher.search(wanted, len(ids), count=False).hits if ids else []
    stored = [view.searcher.doc(address) for _, address in hits]
    return {
        str(one.get_first(schema.ID)): document_digest(
            bytes(one.get_first(schema.DOCUMENT) or b""), bytes(one.get_first(schema.HINTS) or b"")
        )
        for one in stored
    }


def walk(view: View, cursor: str, limit: int) -> Walked:
    """List ids of live documents in the order of their tokens, behind the token `cursor`."""
    clauses = Clauses(view)
    passed = [clauses.between(schema.ID, None, cursor, inclusive=(True, True))] if cursor else []
    behind = restricted(everything(), clauses.live, passed)
    tokens = [token for token, _ in Engine(view).first_tokens(behind, schema.ID, limit, descending=False)]
    ids = [text_of(token) or _id_of(view, token) for token in tokens]
    return Walked(ids, tokens[-1] if len(tokens) == limit else "")


def _id_of(view: View, token: str) -> str:
    """Read the id that is too long for its token to spell."""
    hits = view.searcher.search(Clauses(view).tokens(schema.ID, [token]), 1, count=False).hits
    return str(view.searcher.doc(hits[0][1]).get_first(schema.ID))


def fields(view: View) -> list[Field]:
    """List the top-level attributes with the JSON types seen, most frequent first.

    Drift counts documents whose value cannot be asked by the attribute's name, because it came after the limit of
    fields; all fields together still find it.
    """
    terms = {"terms": {"field": schema.TYPES, "size": _MOST_TYPES}}
    buckets = view.searcher.aggregate(restricted(everything(), Clauses(view).live), {"types": terms})["types"][
        "buckets"
    ]
    types: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for bucket in buckets:
        name, type_ = schema.read_attribute_type(bucket["key"])
        types[name][type_] = bucket["doc_count"]
    found = [Field(name, seen, drift=_unnamed(view, name, seen)) for name, seen in types.items()]
    return sorted(found, key=lambda field: (-sum(field.types.values()), field.name))


def _unnamed(view: View, name: str, seen: dict[str, int]) -> int:
    if path_name(name) in view.paths:
        return 0
    return sum(documents for type_, documents in seen.items() if type_ in _LEAVES)
