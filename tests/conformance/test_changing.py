"""What is written while others search: replaced and deleted documents, snapshots, and fields that come too late."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from dynalens.errors import NotFoundError, RequestError
from dynalens.search import (
    ID,
    Anywhere,
    Bool,
    Everything,
    Exists,
    Facet,
    Match,
    Query,
    Range,
    SearchRequest,
    SortKey,
    Term,
)
from dynalens.target import SearchSnapshot
from tests.conformance.engines import Collection, Engine
from tests.conformance.typed import typed_item

BY_ID = (SortKey(ID),)
MOST_PATHS = 1000


@pytest.fixture
def changing(engine: Engine) -> Collection:
    """An empty collection of the test's own."""
    return Collection(engine, "changing")


def write(collection: Collection, **items: object) -> None:
    """Write documents whose one attribute is `value`."""
    collection.write({key: typed_item({"value": value}) for key, value in items.items()})


def found(collection: Collection, query: Query) -> list[str]:
    """Give the ids of the matches, and hold the count against them."""
    answer = collection.search(SearchRequest(query, sort=BY_ID, size=1000))
    assert answer.total == collection.count(query) == len(answer.hits)
    return [hit.id for hit in answer.hits]


def test_an_empty_collection(changing: Collection) -> None:
    for query in (Everything(), Anywhere("a"), Term("a", 1), Exists("a"), Range("a", gt=0)):
        assert found(changing, query) == []
    answer = changing.search(SearchRequest(sort=(SortKey("a"),), facets=(Facet("a"),)))
    assert (answer.total, answer.hits, answer.facets) == (0, [], {"a": []})


def test_nothing_of_the_state_before_is_found(changing: Collection) -> None:
    write(changing, a="red apple", b="red pear")
    write(changing, a="green apple")
    assert found(changing, Match("value", "red")) == ["b"]
    assert found(changing, Term("value", "red apple")) == []
    assert found(changing, Match("value", "apple")) == ["a"]
    answer = changing.search(SearchRequest(facets=(Facet("value"),)))
    assert {value.value: value.count for value in answer.facets["value"]} == {"green apple": 1, "red pear": 1}


def test_what_is_deleted_is_found_by_nothing(changing: Collection) -> None:
    write(changing, a="red", b="red", c="red")
    changing.delete("b")
    changing.delete("never written")
    for query in (
        Everything(),
        Match("value", "red"),
        Term("value", "red"),
        Exists("value"),
        Range("value", gte="red"),
    ):
        assert found(changing, query) == ["a", "c"]
    assert found(changing, Bool(must_not=(Term("value", "blue"),))) == ["a", "c"]
    assert changing.document("b") is None
    answer = changing.search(SearchRequest(facets=(Facet("value"),)))
    assert [(value.value, value.count) for value in answer.facets["value"]] == [("red", 2)]


def test_what_is_written_again_is_found_again(changing: Collection) -> None:
    write(changing, a="red")
    changing.delete("a")
    write(changing, a="blue")
    assert found(changing, Everything()) == ["a"]
    assert found(changing, Term("value", "red")) == []


def test_another_kind_in_place_of_the_one_before(changing: Collection) -> None:
    for value in (1, "one", True, {"inner": 1}, ["one", 1], None, frozenset({2, 3}), "2024-01-01"):
        write(changing, a=value, b=1)
        changing.delete("b")
        assert found(changing, Exists("value")) == ([] if value is None else ["a"])
        assert found(changing, Everything()) == ["a"]


@pytest.fixture
def snapshot(changing: Collection) -> Iterator[SearchSnapshot]:
    """The collection as it was before `a` changed, `b` was deleted and `e` came."""
    write(changing, a=1, b=2, c=3, d=3)
    with closing(changing.snapshot()) as taken:
        write(changing, a=9, e=4)
        changing.delete("b")
        yield taken


def test_a_snapshot_sees_no_later_write(snapshot: SearchSnapshot, changing: Collection) -> None:
    assert [hit.id for hit in snapshot.search(SearchRequest(sort=BY_ID)).hits] == ["a", "b", "c", "d"]
    assert snapshot.search(SearchRequest(Term("value", 9))).total == 0
    assert b'"value":1' in snapshot.search(SearchRequest(Term("value", 1))).hits[0].document
    assert found(changing, Everything()) == ["a", "c", "d", "e"]


def test_pages_of_a_snapshot_fit_together(snapshot: SearchSnapshot, changing: Collection) -> None:
    order = (SortKey("value", descending=True), SortKey(ID))
    first = snapshot.search(SearchRequest(sort=order, size=2)).hits
    write(changing, c=0, f=10)
    second = snapshot.search(SearchRequest(sort=order, size=2, offset=2)).hits
    behind = snapshot.search(SearchRequest(sort=order, after=tuple(first[-1].sort))).hits
    assert [hit.id for hit in first] == ["c", "d"]
    assert [hit.id for hit in second] == [hit.id for hit in behind] == ["b", "a"]


def test_a_closed_snapshot_answers_no_more(changing: Collection) -> None:
    taken = changing.snapshot()
    taken.close()
    with pytest.raises(NotFoundError) as refused:
        taken.search(SearchRequest())
    assert refused.value.hint == "Search again from the beginning."


def test_a_field_that_came_too_late(engine: Engine) -> None:
    wide = Collection(engine, "wide", fields=["declared.field"])
    wide.write({"first": typed_item({f"field{number:04}": number for number in range(MOST_PATHS)})})
    wide.write({"second": typed_item({"late": "latecomer", "declared": {"field": "awaited"}})})
    with pytest.raises(RequestError) as refused:
        wide.search(SearchRequest(Term("late", "latecomer")))
    assert refused.value.hint == "Add to dynalens.yaml: collections: {wide: {search: {fields: [late]}}}"
    assert found(wide, Anywhere("latecomer")) == ["second"]
    assert found(wide, Term("declared.field", "awaited")) == ["second"]
    assert found(wide, Term("field0007", 7)) == ["first"]
