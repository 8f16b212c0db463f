"""Any documents and any exact queries: engines answer as one that reads every document does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import pytest
from hypothesis import Phase, given, note, settings
from hypothesis import strategies as st

from dynalens.search import Hit, SearchRequest
from tests.conformance.drawn import KEYS, Question, items, questions
from tests.conformance.engines import Collection, Engine
from tests.conformance.naive import Item, Naive
from tests.conformance.typed import typed_item

PAGE = 3

# Drawn small: making a failure smaller still would ask an engine for minutes.
PHASES = (Phase.explicit, Phase.reuse, Phase.generate)

drawn_from = given(
    items=items(),
    gone=st.sets(st.sampled_from(KEYS), max_size=2),
    asked=st.lists(questions(), min_size=6, max_size=6),
)


@pytest.fixture(scope="module")
def drawn(engine: Engine) -> Collection:
    """A collection that every example begins anew."""
    return Collection(engine, "drawn")


@drawn_from
@settings(max_examples=25, phases=PHASES, derandomize=True)
def test_answers(drawn: Collection, items: dict[str, Item], gone: set[str], asked: Sequence[Question]) -> None:
    assert_answers(drawn, items, gone, asked)


@pytest.mark.soak
@drawn_from
@settings(max_examples=2000, phases=PHASES)
def test_many_answers(drawn: Collection, items: dict[str, Item], gone: set[str], asked: Sequence[Question]) -> None:
    assert_answers(drawn, items, gone, asked)


def assert_answers(
    drawn: Collection, items: dict[str, Item], gone: AbstractSet[str], asked: Sequence[Question]
) -> None:
    """Write items, delete some of them, and hold every answer against the naive one."""
    drawn.begin()
    drawn.write({key: typed_item(item) for key, item in items.items()})
    for key in sorted(gone & items.keys()):
        drawn.delete(key)
    naive = Naive({key: {"id": key, **item} for key, item in items.items() if key not in gone})
    for question in asked:
        assert_answer(drawn, naive, question)


def assert_answer(drawn: Collection, naive: Naive, question: Question) -> None:
    """Hold ids, number, order, pages and facets of one answer."""
    note(f"asked: {question}")
    ids = naive.found(question.query)
    assert drawn.count(question.query) == len(ids)
    answer = drawn.search(SearchRequest(question.query, facets=(question.facet,)))
    assert (answer.total, {hit.id for hit in answer.hits}) == (len(ids), ids)
    field, size = question.facet.field, question.facet.size
    assert [(value.value, value.count) for value in answer.facets[field]] == naive.facet(ids, field, size)
    assert [hit.id for hit in walked(drawn, question)] == naive.in_order(ids, question.sort)


def walked(drawn: Collection, question: Question) -> Iterator[Hit]:
    """Go through all hits, a page behind the other."""
    request = SearchRequest(question.query, size=PAGE, sort=question.sort)
    while hits := drawn.search(request).hits:
        yield from hits
        request = SearchRequest(question.query, size=PAGE, sort=question.sort, after=tuple(hits[-1].sort))
