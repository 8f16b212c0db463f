"""What is read of one view: counts, the best matches, tokens in order, and stored documents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tantivy import DocAddress, Document

from dynalens.errors import QueryLimitError
from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.rendering import Renderer
from dynalens.target.search.embedded.view import View
from dynalens.target.search.language.clause import Clause
from dynalens.target.search.language.limits import MOST_BYTES, hold
from dynalens.target.search.language.tokens import DATE, DATE_STRING

_EXACT_WITHIN = 10_000
_EXACT = 1 << 24


class Scored(NamedTuple):
    """A match that was not read yet."""

    score: float
    address: DocAddress


class Stored(NamedTuple):
    """A document as it is kept: its id and its plain JSON."""

    id: str
    document: bytes


class Counted(NamedTuple):
    """A token and how many documents have it."""

    token: str
    documents: int


@dataclass(frozen=True, slots=True)
class Best:
    """How many documents match, and the best of them."""

    total: int
    found: Sequence[Scored]


@dataclass(slots=True)
class Engine:
    """The reads of one view for one answer."""

    view: View
    bytes_read: int = 0
    _renderer: Renderer = field(init=False)

    def __post_init__(self) -> None:
        self._renderer = Renderer(self.view)

    def count(self, query: Clause) -> int:
        """Count the matches."""
        return self.best(query, 1).total

    def best(self, query: Clause, limit: int, offset: int = 0) -> Best:
        """Give the matches of the highest score; the count is of all."""
        # The package's types leave the count of a result out.
        result: Any = self.view.searcher.search(self._renderer.render(query), max(limit, 1), offset=offset)
        return Best(int(result.count), [Scored(*hit) for hit in result.hits[:limit]])

    def rows(self, query: Clause, limit: int) -> list[Document]:
        """Read matches as they are kept, in no order."""
        searcher = self.view.searcher
        hits = searcher.search(self._renderer.render(query), limit, count=False).hits
        return [searcher.doc(address) for _, address in hits]

    def stored(self, address: DocAddress) -> Stored:
        """Read one document.

        Raises:
            QueryLimitError: With those before it, it is more than `MOST_BYTES`.
        """
        document = self.view.searcher.doc(address)
        stored = Stored(str(document.get_first(schema.ID)), bytes(document.get_first(schema.DOCUMENT) or b"{}"))
        self.bytes_read += len(stored.document)
        hold(self.bytes_read, MOST_BYTES, "bytes of documents to read", "Ask for fewer hits at once: a smaller size.")
        return stored

    def first_tokens(self, query: Clause, name: str, size: int, *, descending: bool) -> list[Counted]:
        """Give the lowest or highest tokens of the matches in order, without the texts of dates, with exact counts."""
        order = {"_key": "desc" if descending else "asc"}
        terms = {"size": size, "order": order, "exclude": f"{DATE_STRING}.*"}
        return self._tokens(query, name, terms)[0]

    def frequent_tokens(self, query: Clause, name: str, size: int) -> list[Counted]:
        """Give the most frequent tokens of the matches, each value once, with exact counts."""
        terms = {"size": size, "segment_size": _EXACT_WITHIN, "exclude": f"{DATE}.*"}
        found, error = self._tokens(query, name, terms)
        if error and self.view.searcher.num_segments > 1:
            found, _ = self._tokens(query, name, {**terms, "segment_size": _EXACT})
        return found

    def first_values(self, query: Clause, name: str, size: int) -> list[Counted]:
        """Give the lowest tokens of the matches in order, each value once, with exact counts."""
        terms = {"size": size, "order": {"_key": "asc"}, "exclude": f"{DATE}.*"}
        return self._tokens(query, name, terms)[0]

    def last_values(self, query: Clause, name: str, size: int) -> list[Counted]:
        """Give the highest tokens of the matches, highest first, each value once, with exact counts."""
        terms = {"size": size, "order": {"_key": "desc"}, "exclude": f"{DATE}.*"}
        return self._tokens(query, name, terms)[0]

    def occurrences(self, query: Clause, name: str) -> int:
        """Count the documents of each value, each value once, all together."""
        terms = {"field": f"{schema.EXACT}.{name}", "size": 1, "exclude": f"{DATE}.*"}
        found = self.aggregate(query, {"tokens": {"terms": terms}})["tokens"]
        return sum(int(bucket["doc_count"]) for bucket in found["buckets"]) + int(found["sum_other_doc_count"])

    def aggregate(self, query: Clause, aggregations: dict[str, Any]) -> dict[str, Any]:
        """Compute aggregations, in the engine's words, over the matches.

        Raises:
            QueryLimitError: They come to more buckets, or more memory, than the engine gives.
        """
        try:
            return self.view.searcher.aggregate(self._renderer.render(query), aggregations)
        except ValueError as error:
            raise QueryLimitError(
                f"There are too many values to go through: {error}",
                hint="Ask for fewer documents with a filter.",
            ) from error

    def frequent_types(self, query: Clause, size: int) -> list[Counted]:
        """Give the most frequent attributes of the matches with their JSON types (`encode.attribute_type`)."""
        return self._terms(query, schema.TYPES, {"size": size})[0]

    def _tokens(self, query: Clause, name: str, terms: dict[str, object]) -> tuple[list[Counted], int]:
        return self._terms(query, f"{schema.EXACT}.{name}", terms)

    def _terms(self, query: Clause, field_: str, terms: dict[str, object]) -> tuple[list[Counted], int]:
        answer = self.aggregate(query, {"tokens": {"terms": {"field": field_, **terms}}})["tokens"]
        counted = [Counted(bucket["key"], bucket["doc_count"]) for bucket in answer["buckets"]]
        return counted, answer.get("doc_count_error_upper_bound", 0)
