"""The oracle of the crash tests: equal is equal however it is written, and every difference is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import pytest

from dynalens.change import KeySchema, Typed, render
from dynalens.config import CollectionConfig, MetricConfig, Scalar
from dynalens.target import MetricGroup, MetricSnapshot
from dynalens.testing.oracle import (
    Counted,
    Differences,
    compare_documents,
    compare_metric,
    differences,
    expected_items,
    expected_metric,
    from_answer,
    from_snapshot,
)

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEYS = KeySchema(("id",))
METRIC = MetricConfig.model_validate(
    {
        "group_by": ["platform"],
        "count": True,
        "sum": {"amount": {"decimals": 2}},
        "total": True,
    }
)
ITEMS: list[dict[str, Typed]] = [
    {"id": {"S": "1"}, "platform": {"S": "Facebook"}, "amount": {"N": "10"}},
    {"id": {"S": "2"}, "platform": {"S": "Phone"}, "amount": {"N": "50.50"}},
    {"id": {"S": "3"}, "platform": {"S": "Facebook"}, "amount": {"N": "2.5E-1"}},
]
ANSWER = {
    "metric": "by_platform",
    "groups": [
        {"group": {"platform": "Facebook"}, "values": {"count": 2, "amount_sum": 10.25}},
        {"group": {"platform": "Phone"}, "values": {"count": 1, "amount_sum": 50.5}},
    ],
    "total": {"count": 3, "amount_sum": 60.75},
}
EVERY_TYPE: dict[str, Typed] = {
    "id": {"S": "x"},
    "n": {"N": "12345678901234567890.123456789012345678"},
    "b": {"B": "AAE="},
    "t": {"BOOL": True},
    "z": {"NULL": True},
    "m": {"M": {"l": {"L": [{"N": "1"}, {"S": "1"}, {"M": {}}, {"NULL": True}]}}},
    "ss": {"SS": ["y", "x"]},
    "ns": {"NS": ["2.0", "1"]},
    "bs": {"BS": ["/w==", "AA=="]},
}


def judged(item: Mapping[str, Typed], document: str | bytes) -> Differences:
    return compare_documents({"x": item}, {"x": document})


# Documents.


def test_an_item_is_what_it_was_rendered_to() -> None:
    assert not judged(EVERY_TYPE, render(EVERY_TYPE).json)


@pytest.mark.parametrize(
    "document",
    [
        '{"id": "x", "a": {"c": [1, 2.50], "b": null}, "s": ["p", "q"]}',
        '{"s":["q","p"],"a":{"b":null,"c":[1.0,25e-1]},"id":"x"}',
    ],
)
def test_order_and_spelling_do_not_matter(document: str) -> None:
    item: dict[str, Typed] = {
        "id": {"S": "x"},
        "a": {"M": {"b": {"NULL": True}, "c": {"L": [{"N": "1"}, {"N": "2.5"}]}}},
        "s": {"SS": ["p", "q"]},
    }
    assert not judged(item, document)


@pytest.mark.parametrize(
    ("attribute", "wrong"),
    [
        ("n", "12345678901234567890.123456789012345679"),
        ("n", '"12345678901234567890.123456789012345678"'),
        ("n", "12345678901234567000"),
        ("b", '"AAE"'),
        ("t", "1"),
        ("t", "false"),
        ("z", "false"),
        ("m", '{"l": [1, "1", {}]}'),
        ("m", '{"l": ["1", 1, {}, null]}'),
        ("m", '{"l": [1, "1", [], null]}'),
        ("ss", '["x"]'),
        ("ss", '["x", "x", "y"]'),
        ("ns", '["1", "2.0"]'),
        ("id", "null"),
    ],
)
def test_one_wrong_value_is_stale(attribute: str, wrong: str) -> None:
    fragments = {name: fragment.decode() for name, fragment in render(EVERY_TYPE).fragments.items()}
    fragments[attribute] = wrong
    document = "{" + ",".join(f"{json.dumps(name)}:{fragment}" for name, fragment in fragments.items()) + "}"
    assert judged(EVERY_TYPE, document).stale == ["x"]


def test_a_missing_or_unknown_attribute_is_stale() -> None:
    item: dict[str, Typed] = {"id": {"S": "x"}, "a": {"NULL": True}}
    assert judged(item, '{"id": "x"}').stale == ["x"]
    assert judged(item, '{"id": "x", "a": null, "b": null}').stale == ["x"]
    assert judged(item, "[]").stale == ["x"]


def test_lost_and_extra_documents_are_named() -> None:
    item = {"id": {"S": "x"}}
    found = compare_documents({"a": item, "b": item}, {"b": '{"id": "x"}', "c": "{}"})
    assert (found.lost, found.extra, found.stale) == (["a"], ["c"], [])
    assert found
    assert not Differences()


@pytest.mark.parametrize(
    ("where", "ids"),
    [
        ({}, ["1", "2", "3"]),
        ({"platform": "Phone"}, ["2"]),
        ({"amount": 10}, ["1"]),
        ({"amount": 0.25}, ["3"]),
        ({"amount": "10"}, []),
        ({"platform": None}, []),
        ({"missing": None}, []),
        ({"platform": "Facebook", "amount": 10.0}, ["1"]),
    ],
)
def test_a_collection_takes_what_meets_its_where(where: dict[str, Scalar], ids: list[str]) -> None:
    assert sorted(expected_items(ITEMS, KEYS, where)) == ids


# Metrics.


def test_a_metric_is_counted_exactly() -> None:
    expected = expected_metric(ITEMS, METRIC)
    assert expected.total == {"count": 3, "amount_sum": Decimal("60.75")}
    assert compare_metric(expected, from_answer(json.dumps(ANSWER), METRIC)) == []


def test_a_snapshot_reads_like_an_answer() -> None:
    groups = [
        MetricGroup({"platform": json.dumps(group["group"]["platform"]).encode()}, _texts(group["values"]))
        for group in cast("list[dict[str, Any]]", ANSWER["groups"])
    ]
    total = MetricGroup({}, _texts(cast("dict[str, Any]", ANSWER["total"])))
    snapshot = MetricSnapshot("donations", "by_platform", groups, total, revision=1)
    assert from_snapshot(snapshot, METRIC) == from_answer(json.dumps(ANSWER), METRIC)


def _texts(values: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("10.25", "10.26", "Facebook"),
        ('"count": 2', '"count": 1', "Facebook"),
        ("60.75", "60.7", "the total"),
        ('"Phone"', '"Telephone"', "Telephone"),
        ('"Phone"', "null", "None"),
        ('"count": 1,', "", "Phone"),
    ],
)
def test_a_wrong_value_is_named_by_its_group(old: str, new: str, said: str) -> None:
    body = json.dumps(ANSWER)
    assert old in body
    wrong = compare_metric(expected_metric(ITEMS, METRIC), from_answer(body.replace(old, new), METRIC))
    assert any(said in difference for difference in wrong)


def test_groups_are_told_apart_by_type_and_not_by_spelling() -> None:
    values: list[Typed] = [{"S": "1"}, {"N": "1"}, {"N": "1.0"}, {"BOOL": True}, {"NULL": True}, {"B": "MQ=="}]
    items: list[dict[str, Typed]] = [{"id": {"S": "x"}, "platform": value} for value in values]
    items.append({"id": {"S": "y"}})
    counted = expected_metric(items, MetricConfig(group_by=("platform",), count=True))
    assert counted.groups == {
        (("string", "1"),): {"count": 1},
        (("number", Decimal(1)),): {"count": 2},
        (("bool", True),): {"count": 1},
        (("null", None),): {"count": 2},
        (("string", "MQ=="),): {"count": 1},
    }
    assert counted.total is None


def test_what_is_no_number_adds_nothing_and_what_does_not_fit_makes_a_group_inexact() -> None:
    amounts: list[Typed] = [{"N": "1"}, {"S": "5"}, {"NULL": True}, {"N": "0.005"}, {"N": "92233720368547758.08"}]
    items = [{"id": {"S": "x"}, "platform": {"S": "Web"}, "amount": amount} for amount in amounts]
    counted = expected_metric(items, METRIC)
    web = (("string", "Web"),)
    assert counted.groups == {web: {"count": 5, "amount_sum": 1}}
    assert counted.inexact == {web}
    assert "wrongly marked as exact" in compare_metric(counted, Counted(counted.groups, counted.total))[0]
    exact = Counted(counted.groups, counted.total)
    assert "wrongly marked as not exact" in compare_metric(exact, counted)[0]


def test_every_value_is_computed_and_old_buckets_are_left_out() -> None:
    asked = {"avg": {"n": {"decimals": 2}}, "min": "n", "max": "n", "distinct": "n", "total": True}
    metric = MetricConfig.model_validate({"every": "1m", "time": "at", "keep": "2m", **asked})
    times = ["2026-11-21T15:01:59.9Z", "2026-11-21T15:02", "1795273379999", "1795273379", "soon"]
    numbers = ["7", "1.5", "1.50", "-2", "0.001"]
    items: list[dict[str, Typed]] = [
        {"id": {"S": at}, "at": {"N": at} if at.isdecimal() else {"S": at}, "n": {"N": number}}
        for at, number in zip(times, numbers, strict=True)
    ]
    counted = expected_metric([*items, {"id": {"S": "x"}}], metric, now=1_795_273_440.0)
    assert counted.groups == {
        (("string", "2026-11-21T15:02:00Z"),): {
            "n_avg": Decimal("0.333333333333333"),
            "n_min": -2,
            "n_max": Decimal("1.5"),
            "n_distinct": 2,
        },
        (("null", None),): {"n_avg": None, "n_min": Decimal("0.001"), "n_max": Decimal("0.001"), "n_distinct": 1},
    }
    assert counted.inexact == {(("null", None),)}
    assert counted.total == {"n_avg": Decimal(2), "n_min": Decimal(-2), "n_max": Decimal(7), "n_distinct": Decimal(4)}


def test_sums_keep_every_digit() -> None:
    amounts = ["92233720368547758.07"] * 1_000 + ["0.01"]
    items = [{"id": {"S": "x"}, "platform": {"S": "Web"}, "amount": {"N": amount}} for amount in amounts]
    assert expected_metric(items, METRIC).total == {
        "count": Decimal(1_001),
        "amount_sum": Decimal("92233720368547758070.01"),
    }


# All of it.


class Scanned:
    """The part of a client that the oracle uses."""

    def __init__(self, items: list[dict[str, Typed]]) -> None:
        self._items = items

    def get_paginator(self, operation: str) -> Scanned:
        assert operation == "scan"
        return self

    def paginate(self, *, TableName: str, ConsistentRead: bool) -> list[dict[str, Any]]:  # noqa: N803 - boto3's names
        assert (TableName, ConsistentRead) == ("Donations", True)
        return [{"Items": self._items[:2]}, {"Items": self._items[2:]}]


class Served:
    """A served side that is right, but for what a test changes."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {item["id"]["S"]: render(item).json for item in ITEMS}
        self.answer = json.dumps(ANSWER)

    def documents(self, collection: str) -> Mapping[str, bytes]:
        assert collection == "donations"
        return self.held

    def metric(self, collection: str, metric: str) -> Counted:
        assert (collection, metric) == ("donations", "by_platform")
        return from_answer(self.answer, METRIC)


def test_a_collection_is_compared_with_its_table() -> None:
    client = cast("DynamoDBClient", Scanned(ITEMS))
    collection = CollectionConfig(table="Donations", metrics={"by_platform": METRIC})
    served = Served()
    assert not differences(client, KEYS, "donations", collection, served)
    served.held = {"1": b'{"id":"1"}', "2": served.held["2"], "9": b"{}"}
    served.answer = served.answer.replace("60.75", "60.74")
    found = differences(client, KEYS, "donations", collection, served)
    assert (found.lost, found.extra, found.stale) == (["3"], ["9"], ["1"])
    assert [difference.partition(": ")[0] for difference in found.wrong_metrics] == ["by_platform"]
