"""The whole corpus: every document as it was written, once, in whatever order it is walked through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import pytest

from dynalens.change import render
from dynalens.search import ID, Everything, Exists, Hit, SearchRequest, SortKey
from tests.conformance.case import MOST
from tests.conformance.engines import Collection, id_of
from tests.conformance.topics import DOCUMENTS, TOPICS
from tests.conformance.typed import typed_item

IDS = {id_of(key) for key in DOCUMENTS}
BY_ID = SortKey(ID)
ORDERS = {
    "id": [BY_ID],
    "id, falling": [SortKey(ID, descending=True)],
    "numbers": [SortKey("amount"), BY_ID],
    "dates, falling, missing first": [SortKey("at", descending=True, missing_first=True), BY_ID],
    "any kind": [SortKey("any", descending=True), BY_ID],
    "lists, missing first": [SortKey("tags", missing_first=True), SortKey("topic", descending=True), BY_ID],
    "many ties": [SortKey("topic"), SortKey("grade", descending=True), BY_ID],
    "long texts": [SortKey("long"), SortKey("amount"), BY_ID],
    "ties without an id": [SortKey("topic"), SortKey("id", descending=True)],
}
PAGE = 7


def test_no_key_stands_in_two_topics() -> None:
    assert len(DOCUMENTS) == sum(len(topic.DOCUMENTS) for topic in TOPICS)
    assert len(DOCUMENTS) < MOST


def test_every_document_is_found_once(corpus: Collection) -> None:
    answer = corpus.search(SearchRequest(size=MOST))
    assert sorted(hit.id for hit in answer.hits) == sorted(IDS)
    assert answer.total == corpus.count(Everything()) == corpus.count(Exists("topic")) == len(IDS)
    assert {hit.score for hit in answer.hits} == {1.0}
    assert answer.max_score == 1.0


def test_ten_are_given_unless_told(corpus: Collection) -> None:
    answer = corpus.search(SearchRequest())
    assert (len(answer.hits), answer.total) == (10, len(IDS))


def test_documents_keep_every_digit_and_letter(corpus: Collection) -> None:
    hits = {hit.id: hit.document for hit in corpus.search(SearchRequest(size=MOST)).hits}
    for key, item in DOCUMENTS.items():
        written = render({"id": {"S": key}, **typed_item(item)})
        assert hits[id_of(key)] == written.json
        stored = corpus.document(key)
        assert stored is not None
        assert (stored.id, stored.json, stored.types) == (id_of(key), written.json, written.types)
    assert corpus.document("nobody") is None


@pytest.mark.parametrize("sort", ORDERS.values(), ids=ORDERS)
def test_search_after_meets_every_document_once(corpus: Collection, sort: Sequence[SortKey]) -> None:
    whole = corpus.search(SearchRequest(size=MOST, sort=tuple(sort))).hits
    assert {hit.id for hit in whole} == IDS
    assert [hit.id for hit in islice(_walked(corpus, sort), MOST)] == [hit.id for hit in whole]


def _walked(corpus: Collection, sort: Sequence[SortKey]) -> Iterator[Hit]:
    request = SearchRequest(size=PAGE, sort=tuple(sort))
    while hits := corpus.search(request).hits:
        yield from hits
        request = SearchRequest(size=PAGE, sort=tuple(sort), after=tuple(hits[-1].sort))


@pytest.mark.parametrize("sort", ORDERS.values(), ids=ORDERS)
def test_pages_by_offset_are_parts_of_the_whole(corpus: Collection, sort: Sequence[SortKey]) -> None:
    whole = corpus.search(SearchRequest(size=MOST, sort=tuple(sort))).hits
    for offset in range(0, len(IDS) + PAGE, 5 * PAGE):
        page = corpus.search(SearchRequest(offset=offset, size=PAGE, sort=tuple(sort))).hits
        assert page == whole[offset : offset + PAGE]


def test_a_falling_order_with_missing_first_is_the_rising_one_turned(corpus: Collection) -> None:
    """Documents with one value at most: lists have another place in each order."""
    rising = corpus.search(SearchRequest(size=MOST, sort=(SortKey("amount"), BY_ID))).hits
    falling = (SortKey("amount", descending=True, missing_first=True), SortKey(ID, descending=True))
    turned = corpus.search(SearchRequest(size=MOST, sort=falling)).hits
    assert [hit.id for hit in turned] == [hit.id for hit in reversed(rising)]
