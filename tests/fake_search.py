"""A search target in memory: enough to test whoever asks one, and to hang and fail on command."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from dynalens.errors import NotFoundError, RequestError
from dynalens.search import (
    ID,
    SCORE,
    Anywhere,
    Bool,
    Everything,
    FacetValue,
    Hit,
    Ids,
    Match,
    Query,
    SearchAnswer,
    SearchRequest,
    SortKey,
    Term,
    Value,
)
from dynalens.target import Field, StoredDocument


@dataclass
class FakeSnapshot:
    """A `SearchSnapshot`: documents as they were."""

    search_of: FakeSearch
    documents: dict[str, bytes]
    closed: int = 0

    def search(self, request: SearchRequest) -> SearchAnswer:
        self.search_of.asked.append(request)
        self.search_of.gate.wait(30)
        self.search_of.fail()
        assert not self.closed
        return found(self.documents, request)

    def close(self) -> None:
        self.closed += 1


@dataclass
class FakeSearch:
    """A `SearchReader` over dictionaries: knows the simplest queries, and whole words where an engine knows typos."""

    documents: dict[str, dict[str, bytes]] = field(default_factory=dict)
    failure: Exception | None = None
    asked: list[SearchRequest] = field(default_factory=list)
    refreshed: list[str] = field(default_factory=list)
    snapshots: list[FakeSnapshot] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)
    """Closed, it holds up searching."""

    def __post_init__(self) -> None:
        self.gate.set()

    def put(self, collection: str, document_id: str, json: bytes) -> None:
        self.documents.setdefault(collection, {})[document_id] = json

    def search(self, collection: str, request: SearchRequest) -> SearchAnswer:
        self.asked.append(request)
        self.gate.wait(30)
        self.fail()
        return found(self._served(collection), request)

    def refresh(self, collection: str) -> None:
        self.refreshed.append(collection)

    def matches(self, collection: str, query: Query) -> int:
        self.gate.wait(30)
        self.fail()
        return found(self._served(collection), SearchRequest(query)).total

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        self.fail()
        json = self._served(collection).get(document_id)
        return None if json is None else StoredDocument(document_id, json, b"")

    def count(self, collection: str) -> int:
        return len(self._served(collection))

    def fields(self, collection: str) -> list[Field]:
        self._served(collection)
        return []

    def snapshot(self, collection: str) -> FakeSnapshot:
        self.fail()
        self.snapshots.append(FakeSnapshot(self, dict(self._served(collection))))
        return self.snapshots[-1]

    def held(self) -> int:
        """Count the snapshots that nobody closed."""
        return sum(not snapshot.closed for snapshot in self.snapshots)

    def fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    def _served(self, collection: str) -> dict[str, bytes]:
        if collection not in self.documents:
            raise NotFoundError(f"{collection} is not searchable yet.", hint="Wait for its first copy.")
        return self.documents[collection]


def found(documents: Mapping[str, bytes], request: SearchRequest) -> SearchAnswer:
    """Answer a search over documents by id."""
    parsed = {name: json.loads(body, parse_float=Decimal) for name, body in documents.items()}
    scores = {name: score(request.query, name, document) for name, document in parsed.items()}
    order = request.sort or (SortKey(SCORE), SortKey(ID))
    ranked = sorted(name for name, matched in scores.items() if matched)
    for key in reversed(order):
        value = partial(sort_value, key, parsed=parsed, scores=scores)
        ranked.sort(key=value, reverse=key.descending or key.field == SCORE)
    values = {name: tuple(sort_value(key, name, parsed, scores) for key in order) for name in ranked}
    begin = request.offset
    if request.after:
        begin = next((at + 1 for at, name in enumerate(ranked) if values[name] == request.after), len(ranked))
    by_score = not request.sort or any(key.field == SCORE for key in request.sort)
    hits = [
        Hit(
            name,
            scores[name] if by_score else None,
            documents[name],
            marked(request, parsed[name]),
            values[name] if request.sort else (),
        )
        for name in ranked[begin : begin + request.size]
    ]
    best = max((scores[name] for name in ranked), default=None) if by_score else None
    return SearchAnswer(len(ranked), hits, facets(request, [parsed[name] for name in ranked]), best)


def score(query: Query, document_id: str, document: Mapping[str, Any]) -> float:
    """Give 0 for no match; else the number of words that match, or 1."""
    match query:
        case Everything():
            return 1.0
        case Ids(ids):
            return float(document_id in ids)
        case Term(path, value):
            return float(document.get(path) == value)
        case Anywhere(text) | Match(_, str(text)):
            held = words(document)
            return float(sum(word in held for word in text.lower().split()))
        case Bool(must, _, filters, must_not):
            wanted = [score(each, document_id, document) for each in must]
            kept = all(wanted) and all(score(each, document_id, document) for each in filters)
            unwanted = any(score(each, document_id, document) for each in must_not)
            return (sum(wanted) or 1.0) if kept and not unwanted else 0.0
    raise RequestError(f"The fake does not know {type(query).__name__}.", hint="Ask something simpler.")


def words(document: Mapping[str, Any]) -> list[str]:
    return [word for value in document.values() for word in str(value).lower().split()]


def sort_value(
    key: SortKey, document_id: str, parsed: Mapping[str, Mapping[str, Any]], scores: Mapping[str, float]
) -> Any:  # noqa: ANN401 - any value that sorts
    if key.field == ID:
        return document_id
    if key.field == SCORE:
        return scores[document_id]
    value = parsed[document_id].get(key.field)
    if not isinstance(value, Value):
        raise RequestError(f"The fake cannot sort by {key.field}.", hint="Sort by a field that all documents have.")
    return value


def marked(request: SearchRequest, document: Mapping[str, Any]) -> dict[str, list[str]]:
    highlight, query = request.highlight, request.query
    if highlight is None or not isinstance(query, Anywhere | Match):
        return {}
    asked = str(query.text).lower().split()
    texts = {path: value.split() for path, value in document.items() if isinstance(value, str)}
    return {
        path: [
            " ".join(f"{highlight.before}{word}{highlight.after}" if word.lower() in asked else word for word in text)
        ]
        for path, text in texts.items()
        if any(word.lower() in asked for word in text)
    }


def facets(request: SearchRequest, documents: Sequence[Mapping[str, Any]]) -> dict[str, list[FacetValue]]:
    counted: dict[str, Counter[Value]] = {
        facet.field: Counter(value for document in documents if isinstance(value := document.get(facet.field), Value))
        for facet in request.facets
    }
    return {
        path: [FacetValue(value, of[value]) for value in sorted(of, key=lambda value, of=of: (-of[value], value))]  # type: ignore[misc]
        for path, of in counted.items()
    }
