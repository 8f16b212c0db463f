"""Documents of one view: one by its id, which attributes they have, and what is kept of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from dynalens.change import document_digest
from dynalens.target import Field, StoredDocument, Walked
from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.engine import Engine
from dynalens.target.search.embedded.view import View, live
from dynalens.target.search.language.clause import AnyId, AnyToken, Between
from dynalens.target.search.language.clauses import everything, restricted
from dynalens.target.search.language.encode import read_attribute_type
from dynalens.target.search.language.tokens import path_name, text_of

_MOST_TYPES = 10_000
"""Pairs of an attribute and a JSON type that are listed at most, the most frequent ones."""

_LEAVES = {"string", "number", "bool"}


def document(view: View, document_id: str) -> StoredDocument | None:
    """Read one live document, bytes exactly; None when there is none."""
    for stored in Engine(view).rows(live(view, AnyId((document_id,))), 1):
        [json], [hints] = stored.get_all(schema.DOCUMENT), stored.get_all(schema.HINTS)
        return StoredDocument(document_id, bytes(json), bytes(hints))
    return None


def kept(view: View, ids: Sequence[str]) -> dict[str, bytes]:
    """Give the digests of the live documents under these ids."""
    stored = Engine(view).rows(live(view, AnyId(tuple(ids))), len(ids)) if ids else []
    return {
        str(one.get_first(schema.ID)): document_digest(
            bytes(one.get_first(schema.DOCUMENT) or b""), bytes(one.get_first(schema.HINTS) or b"")
        )
        for one in stored
    }


def walk(view: View, cursor: str, limit: int) -> Walked:
    """List ids of live documents in the order of their tokens, behind the token `cursor`."""
    passed = [Between(schema.ID, None, cursor, (True, True))] if cursor else []
    behind = live(view, restricted(everything(), lacking=passed))
    tokens = [token for token, _ in Engine(view).first_tokens(behind, schema.ID, limit, descending=False)]
    ids = [text_of(token) or _id_of(view, token) for token in tokens]
    return Walked(ids, tokens[-1] if len(tokens) == limit else "")


def _id_of(view: View, token: str) -> str:
    """Read the id that is too long for its token to spell."""
    [stored] = Engine(view).rows(AnyToken(schema.ID, (token,)), 1)
    return str(stored.get_first(schema.ID))


def fields(view: View) -> list[Field]:
    """List the top-level attributes with the JSON types seen, most frequent first.

    Drift counts documents whose value cannot be asked by the attribute's name, because it came after the limit of
    fields; all fields together still find it.
    """
    types: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for term, documents in Engine(view).frequent_types(live(view, everything()), _MOST_TYPES):
        name, type_ = read_attribute_type(term)
        types[name][type_] = documents
    found = [Field(name, seen, drift=_unnamed(view, name, seen)) for name, seen in types.items()]
    return sorted(found, key=lambda field: (-sum(field.types.values()), field.name))


def _unnamed(view: View, name: str, seen: dict[str, int]) -> int:
    if path_name(name) in view.paths:
        return 0
    return sum(documents for type_, documents in seen.items() if type_ in _LEAVES)
