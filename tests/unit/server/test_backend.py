from __future__ import annotations

import time
from dataclasses import replace

import pytest

from dynalens.config import CollectionConfig, Config
from dynalens.errors import NotFoundError, TargetError
from dynalens.position import Gap
from dynalens.server.backend import shortened, unknown
from tests.fakes import Fakes, copy, world

ELSEWHERE = [("CrmMaster", "metrics"), ("Donations", "sql")]


def test_an_unknown_name_is_answered_with_the_closest_and_at_most_twenty() -> None:
    error = unknown("collection", "c07x", [f"c{number:02}" for number in range(30)])
    assert error.message == "There is no collection 'c07x'."
    assert error.hint.startswith("Did you mean 'c07'? collections: c00, c01, ")
    assert error.hint.endswith("c19 and 10 more")


def test_a_long_name_is_shortened_in_messages() -> None:
    assert shortened("x" * 100) == "x" * 100
    assert shortened("x" * 101) == "x" * 100 + "…"
    with pytest.raises(NotFoundError) as refused:
        Fakes().backend().collection("x" * 10_000)
    assert len(refused.value.message) < 200


def test_a_collection_without_metrics_counts_in_the_metrics_target_only_with_a_copy_there() -> None:
    fakes = Fakes()
    backend = fakes.backend(config=Config(collections={"users": CollectionConfig(table="CrmMaster")}))
    assert [status.target for status in backend.statuses(time.time())] == ["sql", "search"]
    fakes.stores.saved_copies.append(("CrmMaster", copy("users", "metrics", state="building")))
    assert [status.target for status in backend.statuses(time.time())] == ["sql", "search", "metrics"]


def test_copies_and_gaps_of_others_do_not_count() -> None:
    fakes = world(time.time())
    fakes.stores.saved_copies.append(("CrmMaster", copy("events", "sql", state="live")))
    fakes.stores.open_gaps += [Gap(table, target, "s", 1.0, 2.0, "trimmed", 3.0) for table, target in ELSEWHERE]
    [users, _] = [status for status in fakes.backend().statuses(time.time()) if status.collection == "users"]
    assert (users.phase, users.ready) == ("backfilling", False)


def test_counting_documents_asks_a_target_that_fails_only_once() -> None:
    fakes = world(time.time())
    asked = []

    def count(collection: str) -> int:
        asked.append(collection)
        raise TargetError("chDB is closed.")

    fakes.documents.count = count  # type: ignore[method-assign]
    assert fakes.backend().document_counts("sql") == {}
    assert asked == ["donations"]


def test_documents_are_counted_in_each_target_for_itself() -> None:
    fakes = world(time.time())
    fakes.search.put("donations", "b@test.com", b"{}")
    backend = fakes.backend()
    assert backend.document_counts("sql") == {"donations": 1, "users": 0}
    assert backend.document_counts("search") == {"donations": 2, "users": 0}
    assert backend.document_counts("metrics") == {}


def test_a_collection_that_is_not_searchable_yet_hides_no_other() -> None:
    fakes = world(time.time())
    del fakes.search.documents["donations"]
    assert fakes.backend().document_counts("search") == {"users": 0}


def test_what_only_search_keeps_is_not_said_to_be_in_sql() -> None:
    fakes = world(time.time())
    backend = replace(fakes.backend(), sql=None, metrics=None)
    assert [(status.collection, status.target) for status in backend.statuses(time.time())] == [
        ("donations", "search"),
        ("users", "search"),
    ]
    assert backend.document_counts("sql") == {}
    assert backend.document_counts("search") == {"donations": 1, "users": 0}
