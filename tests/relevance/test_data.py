"""The corpus and the queries themselves: every document and every expectation means something."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest

from tests.relevance.cases import MOST, Case, cases
from tests.relevance.corpus import Collection, corpus

LEAST_DOCUMENTS, LEAST_QUERIES, LEAST_TYPOS, LEAST_LANGUAGES = 150, 90, 30, 15


def repeated(names: list[str]) -> list[str]:
    return [name for name, times in Counter(names).items() if times > 1]


def test_the_suite_is_as_large_as_it_says() -> None:
    by_file = Counter(case.file for case in cases())
    languages = {case.name.split()[0].rstrip(",") for case in cases() if case.file == "languages"}
    assert sum(len(collection.items) for collection in corpus().values()) >= LEAST_DOCUMENTS
    assert len(cases()) >= LEAST_QUERIES
    assert by_file["typos"] >= LEAST_TYPOS
    assert len(languages) >= LEAST_LANGUAGES


@pytest.mark.parametrize("collection", corpus().values(), ids=lambda collection: collection.name)
def test_ids_are_unique_and_one_page_holds_a_collection(collection: Collection) -> None:
    assert repeated(list(collection.ids().values())) == []
    assert len(collection.items) <= MOST


def test_no_query_is_there_twice() -> None:
    assert repeated([f"{case.file}: {case.name}" for case in cases()]) == []


def test_every_expectation_means_something() -> None:
    wrong = {f"{case.file}: {case.name}": problems for case in cases() if (problems := list(problems_of(case)))}
    assert wrong == {}


def problems_of(case: Case) -> Iterator[str]:
    known = corpus()[case.collection].items
    yield from (f"no document {label}" for label in {*case.labels, *case.marked, *case.marked_words} - set(known))
    yield from (f"{label} is expected twice" for label in repeated(case.labels))
    if not case.expects:
        yield "no answer could fail it"
    if case.only and case.found:
        yield "`only` leaves no hit besides those of `first`"
