"""Every case of every topic, on every engine."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dynalens.search import Hit
from tests.conformance.case import Case, tiers
from tests.conformance.engines import Collection, id_of
from tests.conformance.topics import CASES, DOCUMENTS

KEYS = {id_of(key): key for key in DOCUMENTS}


def of(name: str) -> pytest.MarkDecorator:
    """Run a test for each case that says what `name` must be."""
    return _each([(title, case) for title, case in CASES if getattr(case, name) is not None])


def _each(titled: Sequence[tuple[str, Case]]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [case for _, case in titled], ids=[title for title, _ in titled])


@_each([(title, case) for title, case in CASES if case.refused is None])
def test_hits_and_their_number(corpus: Collection, case: Case) -> None:
    request = case.request()
    answer = corpus.search(request)
    found = [KEYS[hit.id] for hit in answer.hits]
    rest = iter(found)
    expected = tiers(case.hits)
    assert [{key for _, key in zip(tier, rest, strict=False)} for tier in expected] == expected, found
    assert len(found) == sum(map(len, expected)), found
    assert answer.total == (len(found) if case.total is None else case.total)
    if request.min_score is None:
        assert corpus.count(request.query) == answer.total


@of("scores")
def test_scores(corpus: Collection, case: Case) -> None:
    answer = corpus.search(case.request())
    assert [hit.score for hit in answer.hits] == case.scores
    assert answer.max_score == max(case.scores or [])


@of("sort")
def test_sort_values(corpus: Collection, case: Case) -> None:
    answer = corpus.search(case.request())
    assert [hit.sort for hit in answer.hits] == case.sort
    assert all(_same_kinds(hit, values) for hit, values in zip(answer.hits, case.sort or (), strict=True))


def _same_kinds(hit: Hit, expected: Sequence[object]) -> bool:
    """Tell true from 1, which Python calls equal."""
    return [type(value) is bool for value in hit.sort] == [type(value) is bool for value in expected]


@of("facets")
def test_facets(corpus: Collection, case: Case) -> None:
    answer = corpus.search(case.request())
    assert {
        name: [(value.value, value.count) for value in values] for name, values in answer.facets.items()
    } == case.facets


@of("highlight")
def test_highlights(corpus: Collection, case: Case) -> None:
    answer = corpus.search(case.request())
    assert {KEYS[hit.id]: dict(hit.highlight) for hit in answer.hits} == case.highlight


@of("refused")
def test_refusals(corpus: Collection, case: Case) -> None:
    assert case.refused is not None
    with pytest.raises(case.refused.error) as refused:
        corpus.search(case.request())
    assert type(refused.value) is case.refused.error
    assert refused.value.hint == case.refused.hint
