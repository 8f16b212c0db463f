"""Which tables are split by item type, and which attribute tells."""

from __future__ import annotations

from typing import Any

import pytest

from dynalens.inference import Names
from tests.inferred import described, typed

Items = list[dict[str, Any]]


def shop(attribute: str, *, number: int = 30) -> Items:
    """Orders and users by turns, each with attributes of their own."""
    return [
        {"id": str(each), attribute: "Order", "lines": each, "shipTo": "x"}
        if each % 3
        else {"id": str(each), attribute: "USER", "email": "x", "phone": "x"}
        for each in range(number)
    ]


def collections(items: Items, **more: Any) -> dict[str, str | None]:  # noqa: ANN401 - passed on
    return {each.name: each.item_type for each in described(typed(*items), **more).collections}


@pytest.mark.parametrize("attribute", ["TYPE", "type", "entityType", "_type", "__typename", "doc_kind", "e"])
def test_an_attribute_that_comes_with_others_splits_the_table(attribute: str) -> None:
    description = described(typed(*shop(attribute)))
    assert description.type_attribute == attribute
    assert [(each.name, each.item_type, each.items) for each in description.collections] == [
        ("orders", "order", 20),
        ("users", "user", 10),
    ]
    assert description.rest_name == "things_rest"


@pytest.mark.parametrize("attribute", ["type", "platform"])
def test_a_category_of_items_that_are_all_alike_splits_nothing(attribute: str) -> None:
    items: Items = [{"id": str(each), attribute: "debit" if each % 3 else "credit"} for each in range(30)]
    description = described(typed(*items))
    assert description.type_attribute is None
    [collection] = description.collections
    assert [metric.group_by for metric in collection.metrics] == [attribute]


def test_the_default_type_attribute_is_believed_whatever_the_items_look_like() -> None:
    items: Items = [{"id": "1", "TYPE": "a"}, {"id": "2", "TYPE": "b"}]
    assert collections(items) == {"as": "a", "bs": "b"}


def test_spellings_of_one_type_are_one_collection_named_after_the_usual_one() -> None:
    items: Items = [
        {"id": str(each), "TYPE": kind} for each, kind in enumerate(["orderLine", "orderLine", "ORDERLINE"])
    ]
    assert collections(items) == {"order_lines": "orderline"}


def test_items_without_a_type_of_their_own_have_a_collection() -> None:
    items: Items = [{"id": str(each), "TYPE": "ticket"} for each in range(6)]
    items += [{"id": "6"}, {"id": "7", "TYPE": 7}, {"id": "8", "TYPE": "Default"}, {"id": "9", "TYPE": ""}]
    description = described(typed(*items))
    assert [(each.name, each.item_type, each.items) for each in description.collections] == [
        ("tickets", "ticket", 6),
        ("things_rest", "default", 4),
    ]
    assert description.rest_name is None


def test_a_type_that_most_items_lack_splits_nothing() -> None:
    items: Items = [{"id": str(each), "TYPE": "ticket"} if each < 4 else {"id": str(each)} for each in range(10)]
    assert collections(items) == {"things": None}


def test_a_key_is_no_type() -> None:
    items: Items = [{"TYPE": f"t{each % 2}", "id": str(each)} for each in range(10)]
    assert collections(items, keys=("TYPE", "id")) == {"things": None}


def test_many_types_split_nothing_and_the_file_says_so() -> None:
    items: Items = [{"id": str(each), "entityType": f"t{each % 200}"} for each in range(1000)]
    description = described(typed(*items))
    assert (description.type_attribute, len(description.collections)) == (None, 1)
    [remark] = description.remarks
    assert "entityType has 200 different values: too many" in remark


def test_an_unusual_name_needs_more_than_a_few_items() -> None:
    assert collections(shop("e", number=6)) == {"things": None}


def test_one_optional_attribute_makes_no_types() -> None:
    items: Items = [
        {"id": str(each), "kind": "abc"[each % 3], **({"note": "x"} if each % 4 == 0 else {})} for each in range(60)
    ]
    assert collections(items) == {"things": None}


def test_that_some_items_lack_it_makes_no_type_of_a_category() -> None:
    items: Items = [{"id": str(each), **({"kind": "ab"[each % 2]} if each % 5 < 3 else {})} for each in range(60)]
    assert collections(items) == {"things": None}


def test_times_are_no_types() -> None:
    items: Items = [{"id": str(each), "day": f"2026-11-0{1 + each % 2}", f"only{each % 2}": 1} for each in range(60)]
    assert collections(items) == {"things": None}


def test_collections_of_several_tables_have_names_of_their_own() -> None:
    names = Names()
    items: Items = [{"id": "1", "TYPE": "order"}]
    assert collections(items, table="Shop", names=names) == {"orders": "order"}
    assert collections(items, table="Bar-Shop", names=names) == {"bar_shop_orders": "order"}
    assert collections([{"id": "1"}], table="orders", names=names) == {"orders_items": None}
    assert collections([{"id": "1"}], table="ORDERS", names=names) == {"orders_items_2": None}


def test_an_empty_table_is_one_collection_without_metrics() -> None:
    description = described([])
    [collection] = description.collections
    assert (collection.name, collection.items, collection.metrics) == ("things", 0, ())
    assert "holds no items yet" in description.remarks[0]
