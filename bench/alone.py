"""Tantivy as somebody uses it who has no Dynalens: documents as they are in a JSON field, and a text of all strings.

It splits words as the package does, keeps no versions, no exact numbers and no order by path.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tantivy

WRITER_BYTES = 50_000_000


class Alone:
    """An index over a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        builder = tantivy.SchemaBuilder()
        builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
        builder.add_json_field("document", stored=True, fast=True)
        builder.add_text_field("everything")
        self.index = tantivy.Index(builder.build(), str(folder))
        self._writer = self.index.writer(WRITER_BYTES, 1)

    def write(self, documents: Sequence[tuple[str, bytes]]) -> None:
        """Put documents in the place of those of the same id, in one commit."""
        for id_, document in documents:
            plain = json.loads(document)
            self._writer.delete_documents_by_term("id", id_)
            self._writer.add_document(tantivy.Document(id=id_, document=plain, everything=list(_strings(plain))))
        self._writer.commit()
        self.index.reload()

    def search(self, words: Sequence[str], size: int) -> list[dict[str, Any]]:
        """Give the documents that hold the most of these words, typos tolerated."""
        schema = self.index.schema
        fuzzy = [
            tantivy.Query.fuzzy_term_query(schema, "everything", word, distance=2 if len(word) > 5 else 1)  # noqa: PLR2004 - AUTO
            for word in words
        ]
        exact = [tantivy.Query.term_query(schema, "everything", word) for word in words]
        query = tantivy.Query.boolean_query([(tantivy.Occur.Should, one) for one in [*fuzzy, *exact]])
        searcher = self.index.searcher()
        return [searcher.doc(address).to_dict() for _, address in searcher.search(query, size).hits]


def _strings(value: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON value
    match value:
        case str():
            yield value
        case dict():
            for member in value.values():
                yield from _strings(member)
        case list():
            for member in value:
                yield from _strings(member)
