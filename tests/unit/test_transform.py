from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import pytest

from dynalens.change import Change, Document, render
from dynalens.config import CollectionConfig, Config, Scalar
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


def kept_in_and_deleted_from(change: Change, routes: Sequence[Route] = ALL) -> tuple[set[str], set[str]]:
    routed = route(change, routes)
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


# Item types.


def routes_of(**collections: CollectionConfig) -> list[Route]:
    """Give the routes of a table's collections, as a file with them has it."""
    return [Route.of(name, collection) for name, collection in Config(collections=collections).collections.items()]


SHOP = routes_of(
    orders=CollectionConfig(table="Shop", item_type="order"),
    users=CollectionConfig(table="Shop", item_type="user"),
    rest=CollectionConfig(table="Shop", item_type="default"),
)

ORDER = {"id": {"S": "1"}, "TYPE": {"S": "Order"}}


def taken_by(typed: Item | None, routes: Sequence[Route] = SHOP) -> set[str]:
    """Give the collections that take an item of this type; None is one without a type."""
    item: Mapping[str, Item] = {**OTHER, "tags": {"SS": ["order"]}, **({"TYPE": typed} if typed else {})}
    image = render(item)
    return {candidate.collection for candidate in routes if candidate.takes(image)}


@pytest.mark.parametrize("text", ["order", "Order", "ORDER", "oRdEr"])
def test_an_item_goes_where_its_type_in_lower_case_belongs(text: str) -> None:
    assert taken_by({"S": text}) == {"orders"}


@pytest.mark.parametrize(
    "typed",
    [
        None,
        {"S": "invoice"},
        {"S": "default"},
        {"S": "DEFAULT"},
        {"S": ""},
        {"S": " order"},
        {"S": "order "},
        {"S": '"order"'},
        {"S": "orders"},
        {"N": "1"},
        {"BOOL": True},
        {"NULL": True},
        {"SS": ["order"]},
        {"L": [{"S": "order"}]},
        {"M": {"S": {"S": "order"}}},
    ],
)
def test_what_names_no_item_type_of_the_table_goes_to_default(typed: Item | None) -> None:
    assert taken_by(typed) == {"rest"}


def test_binary_that_reads_like_a_type_is_none() -> None:
    # The bytes b"user" would be dXNlcg==; these bytes are user in base64.
    [users, rest] = routes_of(
        users=CollectionConfig(table="Shop", item_type="user"), rest=CollectionConfig(table="Shop", item_type="default")
    )
    assert not users.takes(render({"TYPE": {"B": "user"}}))
    assert rest.takes(render({"TYPE": {"B": "user"}}))
    # Binary elsewhere, also under the same name, changes nothing.
    beside: Mapping[str, Item] = {"TYPE": {"S": "user"}, "other": {"B": "user"}, "deep": {"M": {"TYPE": {"B": "user"}}}}
    assert users.takes(render(beside))


@pytest.mark.parametrize(
    ("item_type", "text", "same"),
    [
        ("straße", "STRAßE", True),
        ("straße", "STRASSE", False),
        ("strasse", "Straße", False),
        ("i\u0307", "\u0130", True),
        ("i", "\u0130", False),
        ("\u0131", "I", False),
        ("οδος", "ΟΔΟΣ", True),
        ("é", "E\u0301", False),
        ("ж", "Ж", True),
        ('a"b\\c\n', 'A"B\\C\n', True),
        ("a\ud800", "A\ud800", True),
    ],
)
def test_lower_case_is_that_of_unicode_and_nothing_more(item_type: str, text: str, same: bool) -> None:  # noqa: FBT001 - a parameter
    assert Route("c", item_type=item_type).takes(render({"TYPE": {"S": text}})) is same


def test_an_unknown_type_belongs_nowhere_without_a_default_collection() -> None:
    assert taken_by({"S": "invoice"}, SHOP[:2]) == set()
    assert taken_by(None, SHOP[:2]) == set()


def test_a_default_collection_alone_takes_the_whole_table() -> None:
    alone = routes_of(rest=CollectionConfig(table="Shop", item_type="default"))
    assert taken_by(None, alone) == taken_by({"S": "order"}, alone) == {"rest"}


def test_types_of_another_table_are_not_the_own_ones() -> None:
    routes = routes_of(
        rest=CollectionConfig(table="Shop", item_type="default"),
        orders=CollectionConfig(table="Other", item_type="order"),
    )
    assert taken_by({"S": "order"}, routes[:1]) == {"rest"}


def test_another_attribute_may_name_the_type() -> None:
    [users, rest] = routes_of(
        users=CollectionConfig(table="Shop", item_type="user", type_attribute="a.b"),
        rest=CollectionConfig(table="Shop", item_type="default", type_attribute="a.b"),
    )
    named, typed = render({"a.b": {"S": "USER"}}), render({"TYPE": {"S": "user"}})
    assert (users.takes(named), rest.takes(named)) == (True, False)
    assert (users.takes(typed), rest.takes(typed)) == (False, True)


def test_where_holds_beside_the_item_type() -> None:
    routes = routes_of(
        paid=CollectionConfig(table="Shop", item_type="order", where={"paid": True}),
        late=CollectionConfig(table="Shop", item_type="order", where={"late": True}),
        rest=CollectionConfig(table="Shop", item_type="default", where={"paid": True}),
        all=CollectionConfig(table="Shop"),
    )

    def takers(item: Item) -> set[str]:
        return {candidate.collection for candidate in routes if candidate.takes(render(item))}

    yes = {"BOOL": True}
    assert takers({**ORDER, "paid": yes}) == {"paid", "all"}
    assert takers({**ORDER, "paid": yes, "late": yes}) == {"paid", "late", "all"}
    assert takers(ORDER) == {"all"}, "an order that no `where` takes is still no item for default"
    assert takers({**USER, "paid": yes}) == {"rest", "all"}
    assert takers(USER) == {"all"}


@pytest.mark.parametrize(
    ("after", "before", "kept", "deleted"),
    [
        (ORDER, USER, {"orders"}, {"users"}),
        (USER, OTHER, {"users"}, {"rest"}),
        (OTHER, USER, {"rest"}, {"users"}),
        ({**OTHER, "TYPE": {"B": "user"}}, USER, {"rest"}, {"users"}),
        ({**OTHER, "TYPE": {"S": "USER"}}, USER, {"users"}, set()),
        (EVENT, OTHER, {"rest"}, set()),
        (None, ORDER, set(), {"orders"}),
        (None, OTHER, set(), {"rest"}),
        (None, {"id": {"S": "1"}, "TYPE": {"N": "1"}}, set(), {"rest"}),
    ],
)
def test_an_item_that_changes_its_type_moves(
    after: Item | None, before: Item, kept: set[str], deleted: set[str]
) -> None:
    changed = change("modify" if after else "remove", after, before)
    assert kept_in_and_deleted_from(changed, SHOP) == (kept, deleted)


def test_without_old_images_an_item_leaves_every_other_type() -> None:
    assert kept_in_and_deleted_from(change("modify", ORDER, old_known=False), SHOP) == ({"orders"}, {"users", "rest"})
    assert kept_in_and_deleted_from(change("remove", old_known=False), SHOP) == (set(), {"orders", "users", "rest"})


def test_a_default_collection_alone_is_deleted_from_too() -> None:
    [rest] = [candidate for candidate in SHOP if candidate.collection == "rest"]
    assert route(change("remove", old=ORDER), [rest]) == []
    assert route(change("remove", old=OTHER), [rest]) == [Routed("rest", None)]
    assert route(change("insert", ORDER), [rest]) == []


def test_routes_are_values() -> None:
    assert Route("users", {"TYPE": "user"}) == USERS
    assert USERS != EVENTS
    assert Route("users", item_type="user") != Route("users")
    assert repr(USERS) == (
        "Route(collection='users', where={'TYPE': 'user'}, item_type=None, type_attribute='TYPE', "
        "named_types=frozenset())"
    )
