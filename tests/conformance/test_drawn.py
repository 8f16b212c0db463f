"""Any documents and any exact queries: engines answer as one that reads every document does."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from itertools import islice

import pytest
from hypothesis import Phase, given, note, seed, settings
from hypothesis import strategies as st

from dynalens.search import Hit, SearchRequest
from tests.conformance.drawn import KEYS, Question, items, questions
from tests.conformance.engines import Collection, Engine
from tests.conformance.naive import Item, Naive
from tests.conformance.typed import typed_item

PAGE = 3

SEEDS = (*range(15), *(pytest.param(number, marks=pytest.mark.soak) for number in range(15, 300)))


@pytest.fixture(scope="module")
def drawn(engine: Engine) -> Collection:
    """A collection that every example begins anew."""
    return Collection(engine, "drawn")


@pytest.mark.parametrize("number", SEEDS)
def test_answers(drawn: Collection, number: int) -> None:
    # Of one seed the first example is the simplest one, the next is drawn, and further ones are like those before.
    # Both are small: making a failure smaller still would ask an engine for minutes.
    @seed(number)
    @settings(max_examples=2, phases=[Phase.generate], database=None)
    @given(
        items=items(),
        gone=st.sets(st.sampled_from(KEYS), max_size=2),
        asked=st.lists(questions(), min_size=12, max_size=12),
    )
    def hold(items: dict[str, Item], gone: set[str], asked: Sequence[Question]) -> None:
        assert_answers(drawn, items, gone, asked)

    hold()


def assert_answers(
    drawn: Collection, items: dict[str, Item], gone: AbstractSet[str], asked: Sequence[Question]
) -> None:
    """Write items, delete some of them, and hold every answer against the naive one."""
    drawn.begin()
    drawn.write({key: typed_item(item) for key, item in items.items()})
    for key in sorted(gone & items.keys()):
        drawn.delete(key)
    naive = Naive({key: {"id": key, **item} for key, item in items.items() if key not in gone})
    for question in dict.fromkeys(asked):
        assert_answer(drawn, naive, question)


def assert_answer(drawn: Collection, naive: Naive, question: Question) -> None:
    """Hold ids, number, order, pages and facets of one answer."""
    note(f"asked: {question}")
    ids, facet = naive.found(question.query), question.facet
    answer = drawn.search(SearchRequest(question.query, size=len(KEYS), sort=question.sort, facets=(facet,)))
    assert {hit.id for hit in answer.hits} == ids
    assert answer.total == drawn.count(question.query) == len(ids)
    assert [hit.id for hit in answer.hits] == naive.in_order(ids, question.sort)
    counted = [(value.value, value.count) for value in answer.facets[facet.field]]
    assert counted == naive.facet(ids, facet.field, facet.size)
    # One hit more than there can be: an engine that goes round in circles is told, too.
    assert list(islice(walked(drawn, question), len(KEYS) + 1)) == answer.hits


def walked(drawn: Collection, question: Question) -> Iterator[Hit]:
    """Go through all hits, a page behind the other."""
    request = SearchRequest(question.query, size=PAGE, sort=question.sort)
    while hits := drawn.search(request).hits:
        yield from hits
        request = replace(request, after=tuple(hits[-1].sort))
