"""Any texts and any searches for words: other engines find and mark what the embedded one does.

Which order is best is no question with one answer, so no plain reading stands beside them here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest
from hypothesis import Phase, given, note, seed, settings
from hypothesis import strategies as st

from dynalens.search import Anywhere, Highlight, Query, SearchAnswer, SearchRequest
from tests.conformance.drawn_words import KEYS, items, queries
from tests.conformance.engines import ENGINES, Collection, Engine
from tests.conformance.typed import typed_item

EMBEDDED = "tantivy"
OTHERS = [name for name in ENGINES if name != EMBEDDED]

SEEDS = (*range(5), *(pytest.param(number, marks=pytest.mark.soak) for number in range(5, 100)))


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest, engine: Engine) -> Iterator[tuple[Collection, Collection]]:
    """A collection of the embedded engine, and one of another engine."""
    with ENGINES[EMBEDDED](request) as embedded:
        yield Collection(embedded, "words"), Collection(engine, "words")


@pytest.mark.parametrize("number", SEEDS)
@pytest.mark.parametrize("engine", OTHERS, indirect=True)
def test_words(pair: tuple[Collection, Collection], number: int) -> None:
    @seed(number)
    @settings(max_examples=2, phases=[Phase.generate], database=None)
    @given(items=items(), asked=st.lists(queries(), min_size=30, max_size=30))
    def hold(items: dict[str, dict[str, object]], asked: Sequence[Query]) -> None:
        for collection in pair:
            collection.begin()
            collection.write({key: typed_item(item) for key, item in items.items()})
        for query in asked:
            note(f"asked: {query}")
            assert_alike(
                query, *(one.search(SearchRequest(query, size=len(KEYS), highlight=Highlight())) for one in pair)
            )

    hold()


def assert_alike(query: Query, embedded: SearchAnswer, other: SearchAnswer) -> None:
    """Hold what is found and marked, and the ranks of a search box, which come before relevance."""
    assert {hit.id: (hit.document, hit.highlight) for hit in other.hits} == {
        hit.id: (hit.document, hit.highlight) for hit in embedded.hits
    }
    assert other.total == embedded.total
    if isinstance(query, Anywhere):
        assert _ranks(other) == _ranks(embedded)


def _ranks(answer: SearchAnswer) -> dict[str, int]:
    """Give the whole part of each score: relevance stays below 1."""
    return {hit.id: int(hit.score or 0) for hit in answer.hits}
