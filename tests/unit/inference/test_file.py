"""The written file: it loads, says why, and holds nothing of what items hold."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from dynalens.config import Config, load
from dynalens.inference import Names, iam_policy
from tests.inferred import NOW, described, rendered, typed

A_DATE = "2019-08-07"
"""A value that is a time and no type."""

ODD_NAMES = [
    "with space",
    "a.b",
    "it's",
    'say "x"',
    "back\\slash",
    "${HOME}",
    "$${HOME}",
    "# no comment",
    "key: value",
    "{flow: [x]}",
    "- item",
    "true",
    "Yes",
    "null",
    "~",
    "12",
    "1e5",
    "0x1F",
    A_DATE,
    "*alias",
    "!tag",
    "a\nbreak",
    "tab\t",
    "next\x85row",
    "a\u2028separator",
    "\ufeff",
    "\x00",
    " ",
    "名前",
    "😀",
    "n" * 100,
    "😀" * 100,
]


def loaded(text: str, folder: Path) -> Config:
    file = folder / "dynalens.yaml"
    file.write_text(text, encoding="utf-8")
    return load(file, {})


def items(**values: Any) -> list[Mapping[str, Mapping[str, Any]]]:  # noqa: ANN401 - of any type
    return typed(*({"id": str(number), **values} for number in range(10)))


@pytest.mark.parametrize("name", ODD_NAMES)
def test_names_of_any_characters_come_back_as_they_are(name: str, tmp_path: Path) -> None:
    several = typed(*({"id": str(number), name: "ab"[number % 2]} for number in range(10)))
    metrics = loaded(rendered(described(several)), tmp_path).collections["things"].metrics
    assert [metric.group_by for metric in metrics.values()] == [(name,)]
    metrics = loaded(rendered(described(items(**{name: 12}))), tmp_path).collections["things"].metrics
    assert [list(metric.sum) for metric in metrics.values()] == [[name]]
    if "." not in name:
        search = loaded(rendered(described(items(**{name: {"x": "text"}}))), tmp_path).collections["things"].search
        assert search.fields == ((f"{name}.x",) if len(name) < 99 else ())


@pytest.mark.parametrize("name", [name for name in ODD_NAMES if len(name) < 20 and name != A_DATE])
def test_types_of_any_characters_come_back_as_they_are(name: str, tmp_path: Path) -> None:
    [collection] = loaded(rendered(described(items(TYPE=name))), tmp_path).collections.values()
    assert collection.item_type == name.lower()


def test_a_type_attribute_of_any_name_comes_back_as_it_is(tmp_path: Path) -> None:
    several = [{"id": str(each), "${x}: kind": "ab"[each % 2], f"only{each % 2}": {"m"}} for each in range(20)]
    collections = loaded(rendered(described(typed(*several))), tmp_path).collections
    assert {each.type_attribute for each in collections.values()} == {"${x}: kind"}


@pytest.mark.parametrize("name", ["n" * 101, "\ud800"])
def test_names_that_no_text_file_takes_are_left_alone(name: str, tmp_path: Path) -> None:
    text = rendered(described(items(**{name: 12}, TYPE=name)))
    assert [list(metric.sum) for metric in loaded(text, tmp_path).collections["things"].metrics.values()] == [[]]


def test_the_file_says_why(tmp_path: Path) -> None:
    several = [
        {"id": str(number), "TYPE": "gift", "platform": "ab"[number % 2], "amount": number, "at": {"lat": 1, "lon": 2}}
        for number in range(9)
    ]
    text = rendered(described(typed(*several)), endpoint_url="http://127.0.0.1:8000")
    assert text == (
        "# Written by dynalens init from a sample of items: every choice below is a guess with its reason beside it.\n"
        "# Change what you like, then run: dynalens check\n"
        "source:\n"
        "  region: eu-west-1\n"
        "  endpoint_url: http://127.0.0.1:8000 # an emulator; remove this line for AWS itself\n"
        "collections:\n"
        "  # Table Things: 7 items; key id. All of them were looked at.\n"
        "  # TYPE names 1 item type, compared in lower case; each has its own collection.\n"
        "  gifts:\n"
        "    # Seen in 9 items: TYPE (S), amount (N), at (M), id (S), platform (S).\n"
        "    table: Things\n"
        "    item_type: gift\n"
        "    search:\n"
        "      # These look like places; searches by distance ask for them by name.\n"
        "      geo:\n"
        "        at: [at.lat, at.lon]\n"
        "    metrics:\n"
        "      # platform: 2 values in 9 items.\n"
        "      # amount: whole numbers in 9 items, 2 kept.\n"
        "      by_platform:\n"
        "        group_by: platform\n"
        "        count: true\n"
        "        sum:\n"
        "          amount: {decimals: 2}\n"
        "        total: true\n"
        "  # Every item looked at has one of these types. To keep others too, remove the # below.\n"
        "  # things_rest:\n"
        "  #   table: Things\n"
        "  #   item_type: default\n"
    )
    assert loaded(text, tmp_path).source.endpoint_url == "http://127.0.0.1:8000"


def test_the_rest_can_be_turned_on_as_the_file_says(tmp_path: Path) -> None:
    text = rendered(described(items(TYPE="gift")))
    turned_on = re.sub(r"^  # (things_rest:|  )", r"  \1", text, flags=re.MULTILINE)
    assert loaded(turned_on, tmp_path).collections["things_rest"].item_type == "default"


def test_time_buckets_are_written(tmp_path: Path) -> None:
    text = rendered(described(items(at=int(NOW) - 60, amount=1)))
    assert (
        "      # at says when, in 10 items; buckets older than 48h are dropped.\n"
        "      per_minute:\n"
        "        every: 1m\n"
        "        time: at\n"
        "        keep: 48h\n"
        "        count: true\n"
        "        sum:\n"
        "          amount: {decimals: 2}\n"
    ) in text
    assert "everything" in loaded(text, tmp_path).collections["things"].metrics


def test_shares_are_never_rounded_up_to_all_or_down_to_nothing() -> None:
    several = [{"id": str(number)} | ({"rare": 1} if number == 0 else {"most": 1}) for number in range(1000)]
    assert "id (S), most (N 99 %), rare (N <1 %)." in rendered(described(typed(*several)))


def test_many_attributes_are_counted_not_listed() -> None:
    assert re.search(r"and 39\s+(# )?more\.", rendered(described(items(**{f"a{each:02}": None for each in range(50)}))))


def test_no_value_of_an_item_is_written_but_its_type() -> None:
    several = [
        {
            "id": f"secret-{each}",
            "TYPE": "gift",
            "platform": f"secret{each % 2}",
            "amount": 987654,
            "m": {"t": "secret"},
        }
        for each in range(10)
    ]
    text = rendered(described(typed(*several)))
    assert "by_platform" in text
    assert "secret" not in text
    assert "987654" not in text


def test_several_tables_stand_in_one_file(tmp_path: Path) -> None:
    names = Names()
    tables = [described(items(n=1), table=table, names=names) for table in ("Orders", "orders", "Shop.Orders")]
    config = loaded(rendered(*tables), tmp_path)
    assert {name: each.table for name, each in config.collections.items()} == {
        "orders": "Orders",
        "orders_items": "orders",
        "shop_orders": "Shop.Orders",
    }


def test_an_empty_table_has_a_file_that_loads(tmp_path: Path) -> None:
    assert list(loaded(rendered(described([])), tmp_path).collections) == ["things"]


def test_the_policy_allows_each_table_and_its_streams() -> None:
    arns = ["arn:aws:dynamodb:eu-west-1:1:table/A", "arn:aws:dynamodb:eu-west-1:1:table/B"]
    tables, streams = iam_policy(arns)["Statement"]
    assert tables["Resource"] == arns
    assert streams["Resource"] == [f"{arn}/stream/*" for arn in arns]
    assert {tables["Effect"], streams["Effect"]} == {"Allow"}
