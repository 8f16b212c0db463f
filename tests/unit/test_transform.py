from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

import pytest

from dynalens.change import Change, Document, render
from dynalens.config import Scalar
from dynalens.errors import ConfigError
from dynalens.transform import Route, Routed, route

Item = Mapping[str, Any]

USER = {"id": {"S": "1"}, "TYPE": {"S": "user"}}
EVENT = {"id": {"S": "1"}, "TYPE": {"S": "event"}}
OTHER = {"id": {"S": "1"}}

EVERYTHING = Route("everything")
USERS = Route("users", {"TYPE": "user"})
EVENTS = Route("events", {"TYPE": "event"})
ALL = (EVERYTHING, USERS, EVENTS)


def change(
    kind: Literal["insert", "modify", "remove", "scan"],
    new: Item | None = None,
    old: Item | None = None,
    *,
    old_known: bool = True,
) -> Change:
    return Change(
        table="t",
        id="1",
        key={"id": {"S": "1"}},
        kind=kind,
        new=render(new) if new is not None else None,
        old=Document.unrendered(old) if old is not None else None,
        old_known=old_known,
        sequence_number="1",
        created_at=0.0,
        user_identity="",
        size=1,
    )


def kept_in_and_deleted_from(change: Change) -> tuple[set[str], set[str]]:
    routed = route(change, ALL)
    assert all(document in (None, change.new) for _, document in routed)
    kept = {collection for collection, document in routed if document is not None}
    return kept, {collection for collection, document in routed if document is None}


# A change of which the old image is known.


def test_an_insert_goes_where_its_new_image_belongs() -> None:
    assert kept_in_and_deleted_from(change("insert", USER)) == ({"everything", "users"}, set())
    assert kept_in_and_deleted_from(change("insert", OTHER)) == ({"everything"}, set())


def test_a_modified_item_leaves_only_those_that_it_was_in() -> None:
    assert kept_in_and_deleted_from(change("modify", EVENT, USER)) == ({"everything", "events"}, {"users"})
    assert kept_in_and_deleted_from(change("modify", USER, USER)) == ({"everything", "users"}, set())
    assert kept_in_and_deleted_from(change("modify", OTHER, USER)) == ({"everything"}, {"users"})
    assert kept_in_and_deleted_from(change("modify", USER, OTHER)) == ({"everything", "users"}, set())


def test_a_removed_item_leaves_only_those_that_it_was_in() -> None:
    assert kept_in_and_deleted_from(change("remove", old=USER)) == (set(), {"everything", "users"})


# One of which it is not.


@pytest.mark.parametrize("kind", ["insert", "modify"])
def test_without_old_images_an_item_leaves_all_others(kind: Literal["insert", "modify"]) -> None:
    unknown = change(kind, USER, old_known=False)
    assert kept_in_and_deleted_from(unknown) == ({"everything", "users"}, {"events"})


@pytest.mark.parametrize("old_known", [False, True])
def test_without_its_old_image_a_removed_item_leaves_all(old_known: bool) -> None:  # noqa: FBT001 - a parameter
    removed = change("remove", old_known=old_known)
    assert kept_in_and_deleted_from(removed) == (set(), {"everything", "users", "events"})


def test_an_unreadable_old_image_is_an_unknown_one() -> None:
    unreadable = {**USER, "x": {"X": "of a later kind"}}
    assert kept_in_and_deleted_from(change("modify", EVENT, unreadable)) == ({"everything", "events"}, {"users"})


def test_a_scanned_row_only_upserts() -> None:
    assert kept_in_and_deleted_from(change("scan", USER, old_known=False)) == ({"everything", "users"}, set())
    assert kept_in_and_deleted_from(change("scan", USER)) == ({"everything", "users"}, set())


# The order and the shapes.


def test_collections_come_in_the_order_of_the_routes() -> None:
    routed = route(change("modify", EVENT, USER), ALL)
    assert [collection for collection, _ in routed] == ["everything", "users", "events"]


def test_a_whole_table_in_one_collection_takes_everything() -> None:
    written = change("modify", USER, EVENT)
    assert route(written, [EVERYTHING]) == [Routed("everything", written.new)]
    assert route(change("remove"), [EVERYTHING]) == [Routed("everything", None)]
    assert route(change("scan", USER), [EVERYTHING]) == [Routed("everything", render(USER))]


def test_one_item_type_in_one_collection_still_leaves_the_rest_out() -> None:
    assert route(change("insert", EVENT), [USERS]) == []
    assert route(change("remove", old=EVENT), [USERS]) == []
    assert route(change("remove", old=USER), [USERS]) == [Routed("users", None)]


def test_no_collection_takes_nothing() -> None:
    assert route(change("insert", USER), []) == []


# What `where` compares.


@pytest.mark.parametrize(
    ("value", "typed", "meets"),
    [
        ("user", {"S": "user"}, True),
        ("user", {"S": "User"}, False),
        ("user", {"S": "user "}, False),
        ("user", {"SS": ["user"]}, False),
        ("user", {"L": [{"S": "user"}]}, False),
        ("", {"S": ""}, True),
        ("", {"NULL": True}, False),
        ("é", {"S": "é"}, True),
        ("é", {"S": "e\u0301"}, False),
        ('"\\\n', {"S": '"\\\n'}, True),
        ("\ud800", {"S": "\ud800"}, True),
        ("dXNlcg==", {"S": "dXNlcg=="}, True),
        ("dXNlcg==", {"B": "dXNlcg=="}, False),
        ("1", {"S": "1"}, True),
        ("1", {"N": "1"}, False),
        ("true", {"BOOL": True}, False),
        ("null", {"NULL": True}, False),
        (1, {"N": "1"}, True),
        (1, {"N": "1.0"}, True),
        (1, {"N": "1E0"}, True),
        (1, {"N": "10"}, False),
        (1, {"N": "1.00000000000000000000000000000000000001"}, False),
        (1, {"S": "1"}, False),
        (1, {"BOOL": True}, False),
        (1, {"NS": ["1"]}, False),
        (0, {"N": "-0"}, True),
        (0, {"NULL": True}, False),
        (-1, {"N": "-1"}, True),
        (10**37 + 1, {"N": str(10**37 + 1)}, True),
        (10**37 + 1, {"N": str(10**37)}, False),
        (1000, {"N": "1E+3"}, True),
        (1.0, {"N": "1"}, True),
        (0.1, {"N": "0.1"}, True),
        (0.1, {"N": "0.1000000000000000055511151231257827"}, False),
        (1e-7, {"N": "0.0000001"}, True),
        (1e22, {"N": "1" + "0" * 22}, True),
        (True, {"BOOL": True}, True),
        (True, {"BOOL": False}, False),
        (True, {"N": "1"}, False),
        (True, {"S": "true"}, False),
        (False, {"BOOL": False}, True),
        (False, {"N": "0"}, False),
        (False, {"NULL": True}, False),
        (None, {"NULL": True}, True),
        (None, {"S": ""}, False),
        (None, {"S": "null"}, False),
        (None, {"BOOL": False}, False),
    ],
)
def test_where_compares_type_and_value(value: Scalar, typed: Item, meets: bool) -> None:  # noqa: FBT001 - a parameter
    taking = Route("c", {"a": value})
    assert taking.takes(render({"a": typed})) is meets
    # A set beside it gives the document type hints; an attribute of the same name deeper down is another one.
    assert taking.takes(render({"a": typed, "s": {"SS": ["x"]}})) is meets
    assert not taking.takes(render({"b": {"M": {"a": typed}}}))


@pytest.mark.parametrize("value", ["", 0, False, None])
def test_a_missing_attribute_equals_nothing(value: Scalar) -> None:
    assert not Route("c", {"missing": value}).takes(render(USER))


def test_every_attribute_of_where_must_be_equal() -> None:
    both = Route("c", {"TYPE": "user", "level": 2})
    assert both.takes(render({**USER, "level": {"N": "2"}}))
    assert not both.takes(render(USER))
    assert not both.takes(render({**EVENT, "level": {"N": "2"}}))


def test_an_attribute_may_have_any_name() -> None:
    name = 'a.b "c" \ud800'
    assert Route("c", {name: "x"}).takes(render({name: {"S": "x"}}))


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_a_number_that_dynamodb_does_not_hold_is_refused(value: float) -> None:
    with pytest.raises(ConfigError, match="DynamoDB holds no such number") as failure:
        Route("c", {"a": value})
    assert "Write a finite number" in failure.value.hint


def test_routes_are_values() -> None:
    assert Route("users", {"TYPE": "user"}) == USERS
    assert USERS != EVENTS
    assert repr(USERS) == "Route(collection='users', where={'TYPE': 'user'})"
