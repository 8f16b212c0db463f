"""What is found, what goes first and what is marked, judged from outside: each query of `queries/` by a user's eyes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import pytest

from dynalens.search import ID, Highlight, SearchAnswer, SearchRequest, SortKey
from dynalens.target.search import SearchTarget, open_search
from tests.relevance.cases import Case, cases
from tests.relevance.corpus import Collection, corpus

LONGEST_FRAGMENT = 160
"""Characters of a fragment of a long text, without its marks: the 100 asked for, and the words that they cut."""


@dataclass(frozen=True)
class Searched:
    """The corpus, in the target."""

    target: SearchTarget
    labels: Mapping[str, Mapping[str, str]]
    """Labels by id, by collection."""

    def ask(self, case: Case, request: SearchRequest) -> SearchAnswer:
        return self.target.search(case.collection, request)

    def hits(self, case: Case, answer: SearchAnswer) -> list[str]:
        """Give the labels of the hits, in their order."""
        return [self.labels[case.collection][hit.id] for hit in answer.hits]


@pytest.fixture(scope="module")
def searched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Searched]:
    target = open_search("tantivy://./search", folder=tmp_path_factory.mktemp("relevance"))
    for collection in corpus().values():
        fill(target, collection)
    labels = {name: {i: label for label, i in collection.ids().items()} for name, collection in corpus().items()}
    yield Searched(target, labels)
    target.close()


def fill(target: SearchTarget, collection: Collection) -> None:
    target.create(collection.generation, collection.config)
    assert target.apply(collection.writes()) == []
    target.serve(collection.generation)


def of(name: str) -> pytest.MarkDecorator:
    """Run a test for each query that sets `name`."""
    chosen = [case for case in cases() if getattr(case, name)]
    return pytest.mark.parametrize("case", chosen, ids=lambda case: f"{case.file}: {case.name}")


@pytest.mark.parametrize("case", cases(), ids=lambda case: f"{case.file}: {case.name}")
def test_hits(searched: Searched, case: Case) -> None:
    answer = searched.ask(case, case.request())
    hits = searched.hits(case, answer)
    assert leading(hits, case.ranks) == case.ranks, hits
    assert set(case.found) - set(hits) == set(), hits
    assert set(case.absent) & set(hits) == set(), hits
    assert not case.only or set(hits) == set().union(*case.ranks), hits
    assert answer.total == len(hits)
    assert case.total in {None, answer.total}


def leading(hits: Sequence[str], ranks: Sequence[set[str]]) -> list[set[str]]:
    """Cut the first hits into pieces of the ranks' sizes."""
    rest = iter(hits)
    return [{label for _, label in zip(rank, rest, strict=False)} for rank in ranks]


@of("facets")
def test_facets(searched: Searched, case: Case) -> None:
    answer = searched.ask(case, case.request())
    counts = {name: [[value.value, value.count] for value in values] for name, values in answer.facets.items()}
    assert counts == case.facets


@of("marked")
def test_highlights(searched: Searched, case: Case) -> None:
    shown = highlights(searched, case)
    assert {label: shown.get(label) for label in case.marked} == case.marked


@of("marked_words")
def test_highlights_of_long_texts(searched: Searched, case: Case) -> None:
    shown = highlights(searched, case)
    for label, fields in case.marked_words.items():
        assert {name: marked(fragments) for name, fragments in shown[label].items()} == fields
        for fragment in (fragment for fragments in shown[label].values() for fragment in fragments):
            assert len(re.sub(r"</?em>", "", fragment)) <= LONGEST_FRAGMENT


def highlights(searched: Searched, case: Case) -> dict[str, dict[str, list[str]]]:
    answer = searched.ask(case, replace(case.request(), highlight=Highlight()))
    shown = [{name: list(fragments) for name, fragments in hit.highlight.items()} for hit in answer.hits]
    return dict(zip(searched.hits(case, answer), shown, strict=True))


def marked(fragments: Sequence[str]) -> list[str]:
    return [word for fragment in fragments for word in re.findall(r"<em>(.*?)</em>", fragment)]


@of("page")
def test_pages_are_all_hits_each_once(searched: Searched, case: Case) -> None:
    assert case.page
    request = case.request()
    whole = searched.hits(case, searched.ask(case, request))
    pages = [
        searched.hits(case, searched.ask(case, replace(request, offset=start, size=case.page)))
        for start in range(0, len(whole) + case.page, case.page)
    ]
    assert [label for page in pages for label in page] == whole
    assert [len(page) for page in pages[:-2]] == [case.page] * (len(pages) - 2)


@pytest.mark.parametrize(
    "case", [case for case in cases() if case.page and not case.ask], ids=lambda case: f"{case.file}: {case.name}"
)
def test_going_on_behind_the_last_hit_gives_all_hits_each_once(searched: Searched, case: Case) -> None:
    assert case.page
    request = replace(case.request(), sort=(*case.request().sort, SortKey(ID)))
    whole = searched.hits(case, searched.ask(case, request))
    seen: list[str] = []
    page = searched.ask(case, replace(request, size=case.page))
    while page.hits and len(seen) <= len(whole):
        seen += searched.hits(case, page)
        page = searched.ask(case, replace(request, size=case.page, after=page.hits[-1].sort))
    assert seen == whole
