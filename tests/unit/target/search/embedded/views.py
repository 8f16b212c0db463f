"""Small indexes in memory, written as the target writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import tantivy

from dynalens.change import Document
from dynalens.search import Query, SearchAnswer, SearchRequest
from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.answer import answer
from dynalens.target.search.embedded.index import exact_values
from dynalens.target.search.embedded.state import Layout
from dynalens.target.search.embedded.view import View
from dynalens.target.search.language.encode import encode
from dynalens.target.search.language.points import NO_POINTS, GeoPaths


def view_of(
    documents: Mapping[str, Mapping[str, Any]],
    *,
    deleted: Iterable[str] = (),
    segments: int = 2,
    points: GeoPaths = NO_POINTS,
) -> View:
    """Write documents by id (and tombstones) into an index of so many segments."""
    index = tantivy.Index(schema.make_schema())
    writer = index.writer(15_000_000, 1)
    rows = [*documents.items(), *((id_, None) for id_ in deleted)]
    paths: set[str] = set()
    for start in range(segments):
        for id_, item in rows[start::segments]:
            row, found = _row(id_, item, points)
            writer.add_document(row)
            paths |= found
        writer.commit()
    index.reload()
    return View("things", index, index.searcher(), frozenset(paths), Layout(points=points))


def _row(id_: str, item: Mapping[str, Any] | None, points: GeoPaths) -> tuple[tantivy.Document, set[str]]:
    row = tantivy.Document()
    row.add_text(schema.ID, id_)
    row.add_boolean(schema.LIVE, item is not None)
    if item is None:
        return row, set()
    fragments = {name: json.dumps(value).encode() for name, value in item.items()}
    document = Document(fragments, json.dumps(dict(item)).encode())
    encoded = encode(document, points)
    row.add_bytes(schema.DOCUMENT, document.json)
    for text in encoded.everywhere:
        row.add_text(schema.ALL, text)
    row.add_json(schema.TEXT, encoded.text)
    row.add_json(schema.EXACT, exact_values(id_, encoded))
    return row, set(encoded.paths())


def ids(view: View, query: Query, **options: Any) -> list[str]:  # noqa: ANN401 - those of a request
    """Give the ids of the hits in their order."""
    return [hit.id for hit in ask(view, query, **options).hits]


def ask(view: View, query: Query, **options: Any) -> SearchAnswer:  # noqa: ANN401 - those of a request
    options.setdefault("size", 100)
    return answer(view, SearchRequest(query, **options))


def texts(*values: str | Sequence[str]) -> dict[str, dict[str, Any]]:
    """Make a document of each text, with ids a, b, c and so on."""
    return {chr(ord("a") + number): {"text": value} for number, value in enumerate(values)}
