"""Names made of names."""

from __future__ import annotations

import re

import pytest

from dynalens.inference import Names
from dynalens.inference.names import joined, plural, snake

NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}").fullmatch
"""`dynalens.config.Name`."""


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Donations", "donations"),
        ("UsersTransactions", "users_transactions"),
        ("orderLine", "order_line"),
        ("CRMMaster", "crm_master"),
        ("prod-shop.Orders_2", "prod_shop_orders_2"),
        ("2024-events", "events"),
        ("Café Zentral", "cafe_zentral"),
        ("名前", "other"),
        ("--", "other"),
        ("x" * 80, "x" * 63),
    ],
)
def test_a_text_becomes_a_name(text: str, name: str) -> None:
    assert snake(text, "other") == name
    assert NAME(name)


@pytest.mark.parametrize(
    ("one", "many"),
    [
        ("user", "users"),
        ("company", "companies"),
        ("day", "days"),
        ("address", "addresses"),
        ("box", "boxes"),
        ("batch", "batches"),
        ("orders", "orders"),
        ("a" * 63, "a" * 63),
    ],
)
def test_plurals(one: str, many: str) -> None:
    assert plural(one) == many
    assert NAME(many)


def test_joined_names_keep_their_end_and_their_length() -> None:
    assert joined("shop", "orders") == "shop_orders"
    assert joined("s" * 63, "rest") == "s" * 58 + "_rest"
    assert joined("shop", "o" * 63) == "o" * 63


def test_a_name_is_given_once() -> None:
    names = Names()
    assert [names.take("a", "b") for _ in range(3)] == ["a", "b", "b_2"]
    long = [names.take("x" * 63) for _ in range(3)]
    assert len(set(long)) == 3
    assert all(map(NAME, long))
