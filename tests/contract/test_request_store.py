"""The contract of `RequestStore`: what was asked of a table is seen by whoever leads it, and what came of it by all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Protocol

import pytest

from dynalens.position import PositionStore
from dynalens.request import KEPT_REQUESTS, Request, RequestStore
from tests.contract.stores import opener
from tests.contract.together import together

REQUEST = Request(
    table="Donations",
    collection="donations",
    target="sql",
    kind="rebuild",
    options='{"note": "it\'s \u00fc"}',
    asked_at=1_700_000_000.25,
)


class Store(RequestStore, PositionStore, Protocol):
    """What is asked for stands beside the generations."""


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    """An empty store."""
    opened: Store = opener(request, request.param)()
    yield opened
    opened.close()


def test_a_request_is_kept_whole_under_a_number(store: Store) -> None:
    asked = store.ask(REQUEST)
    assert asked.number > 0
    assert asked == replace(REQUEST, number=asked.number)
    assert store.request(asked.number) == asked
    assert store.requests("Donations") == [asked]
    assert store.requests("People") == []
    assert store.request(asked.number + 1) is None


def test_numbers_rise_for_all_tables_together(store: Store) -> None:
    asked = [store.ask(replace(REQUEST, table=table)) for table in ("Donations", "People", "Donations")]
    numbers = [each.number for each in asked]
    assert numbers == sorted(set(numbers))
    assert store.requests("Donations") == [asked[0], asked[2]]


def test_a_request_changes_its_state_in_place(store: Store) -> None:
    first, second = store.ask(REQUEST), store.ask(replace(REQUEST, kind="verify"))
    running = replace(first, state="running", outcome='{"rows": 3}', changed_at=2.5)
    store.save_request(running)
    assert store.requests("Donations") == [running, second]
    failed = replace(running, state="failed", error='said "no"\n')
    store.save_request(failed)
    assert store.request(first.number) == failed


def test_a_request_that_is_not_held_stays_unknown(store: Store) -> None:
    asked = store.ask(REQUEST)
    store.save_request(replace(asked, number=asked.number + 7, state="done"))
    assert store.request(asked.number + 7) is None
    assert store.requests("Donations") == [asked]


def test_asking_raises_the_revision_of_its_table(store: Store) -> None:
    store.ask(REQUEST)
    first = store.revision("Donations")
    assert first > 0
    store.ask(REQUEST)
    assert store.revision("Donations") > first
    assert store.revision("People") == 0


def test_those_that_ended_are_listed_up_to_a_number_and_the_others_all(store: Store) -> None:
    asked = [store.ask(REQUEST) for _ in range(KEPT_REQUESTS + 3)]
    for each in asked[1:]:
        store.save_request(replace(each, state="done"))
    listed = store.requests("Donations")
    assert [each.number for each in listed] == [each.number for each in (asked[0], *asked[-KEPT_REQUESTS:])]
    assert store.request(asked[1].number) == replace(asked[1], state="done")


def test_those_that_ended_long_ago_are_forgotten_when_somebody_asks(store: Store) -> None:
    elsewhere = store.ask(replace(REQUEST, table="People"))
    store.save_request(replace(elsewhere, state="done"))
    asked = [store.ask(REQUEST) for _ in range(KEPT_REQUESTS + 3)]
    for each in asked[1:]:
        store.save_request(replace(each, state="failed"))
    newest = store.ask(REQUEST)
    assert newest.number > asked[-1].number
    assert [each.number for each in asked if store.request(each.number) is None] == [asked[1].number, asked[2].number]
    store.save_request(replace(asked[1], state="running"))
    assert store.request(asked[1].number) is None
    assert store.request(elsewhere.number) == replace(elsewhere, state="done")


def test_requests_asked_at_once_all_have_numbers_of_their_own(store: Store) -> None:
    numbers: list[int] = []

    def ask(collection: str) -> None:
        numbers.extend(store.ask(replace(REQUEST, collection=collection)).number for _ in range(10))

    together(*(partial(ask, f"c{number}") for number in range(4)))
    assert [each.number for each in store.requests("Donations")] == sorted(numbers)
    assert len(set(numbers)) == 40
