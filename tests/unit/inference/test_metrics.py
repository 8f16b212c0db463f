"""Which metrics are proposed, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dynalens.inference import Buckets, Metric, Sum
from tests.inferred import NOW, described, typed

Values = Mapping[str, Sequence[Any]]
"""Values of attributes, repeated as often as it takes; None is a missing attribute."""


def proposed(values: Values, *, keys: tuple[str, ...] = ("id",), number: int = 40) -> dict[str, Metric]:
    """Propose for so many items."""
    items = [
        {
            "id": str(each),
            **{name: row[each % len(row)] for name, row in values.items() if row[each % len(row)] is not None},
        }
        for each in range(number)
    ]
    [collection] = described(typed(*items), keys=keys).collections
    return {metric.name: metric for metric in collection.metrics}


def metrics(**values: Sequence[Any]) -> dict[str, Metric]:
    return proposed(values)


def sums(**values: Sequence[Any]) -> tuple[Sum, ...]:
    return metrics(**values)["everything"].sums


def test_a_category_is_a_group_and_an_amount_a_sum() -> None:
    found = metrics(platform=["Facebook", "Phone", "Web", "Cash"], amount=[10, Decimal("2.5")])
    assert found == {
        "by_platform": Metric(
            name="by_platform",
            evidence=("platform: 4 values in 40 items", "amount: up to 1 decimal in 40 items, 2 kept"),
            group_by="platform",
            sums=(Sum("amount", 2),),
        )
    }


def test_a_truth_value_is_a_group_behind_texts() -> None:
    assert list(metrics(paid=[True, False], city=["Paris", "Rome", "Oslo"])) == ["by_city", "by_paid"]


def test_at_most_three_groups_those_with_the_fewest_values() -> None:
    found = metrics(a=list("abcde"), b=list("abcd"), c=list("abc"), d=list("ab"))
    assert list(found) == ["by_d", "by_c", "by_b"]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("constant", ["x"]),
        ("country", [f"c{each}" for each in range(51)]),
        ("mostly_missing", ["a", "b", None, None, None]),
        ("comment", ["x" * 41, "y" * 41]),
        ("contact", ["a@test.com", "b@test.com"]),
        ("link", ["https://a", "https://b"]),
        ("trace", ["6f9619ff-8b86-d011-b42d-00cf4fc964ff", "7f9619ff-8b86-d011-b42d-00cf4fc964ff"]),
        ("customerId", ["a", "b"]),
        ("email", ["a", "b"]),
        ("birthDate", ["1971-08-07", "1972-08-07"]),
        ("createdAt", ["20.11.2026", "21.11.2026"]),
        ("lastSeen", ["Sat, 21 Nov 2026 10:00:00 GMT", "Sun, 22 Nov 2026 10:00:00 GMT"]),
        ("GSI1PK", ["CUSTOMER#1", "CUSTOMER#2"]),
        ("gsi1sk", ["a", "b"]),
        ("tags", [{"a"}, {"b"}]),
        ("rating", [1, 2, 3]),
    ],
)
def test_what_is_no_group(name: str, values: Sequence[Any]) -> None:
    assert proposed({name: values}, number=120).keys() == {"everything"}


def test_a_text_of_which_hardly_any_value_comes_back_is_no_group() -> None:
    assert proposed({"word": list("abcde")}, number=8).keys() == {"everything"}
    assert "by_word" in proposed({"word": list("abcde")}, number=10)


def test_keys_are_neither_groups_nor_amounts() -> None:
    found = proposed({"platform": ["a", "b"], "amount": [1, 2]}, keys=("platform", "amount"))
    assert found["everything"].sums == ()


@pytest.mark.parametrize(
    ("values", "decimals"),
    [
        ({"amount": [1, 2]}, 2),
        ({"unitPrice": [Decimal("0.125")]}, 3),
        ({"quantity": [1, 2]}, 0),
        ({"delta": [-1, Decimal("0.5")]}, 2),
        ({"foo": [Decimal("1.50")]}, 2),
        ({"amount": [Decimal("1E-18")]}, 18),
    ],
)
def test_decimals_are_those_seen_and_at_least_cents_for_money(values: dict[str, Any], decimals: int) -> None:
    assert [each.decimals for each in sums(**values)] == [decimals]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("accountId", [1, 2]),
        ("zip", [75001]),
        ("stars", [4, 5]),
        ("createdAt", [1_794_000_000]),
        ("seen", [1_794_000_000_000]),
        ("lat", [48.1]),
        ("line2", [1]),
        ("amount", [Decimal("1E-19")]),
        ("total", [Decimal("1E+20")]),
        ("cost", ["1", "2", 3]),
    ],
)
def test_what_is_no_amount(name: str, values: Sequence[Any]) -> None:
    exact = [Decimal(str(value)) if isinstance(value, float) else value for value in values]
    found = proposed({name: exact})
    assert [metric.sums for metric in found.values()] == [()] * len(found)


def test_at_most_three_sums_money_first() -> None:
    found = sums(aaa=[1], quantity=[1], fee=[1], orderTotal=[1], zzz=[1])
    assert [each.attribute for each in found] == ["fee", "orderTotal", "quantity"]


def times(age: timedelta, **more: Sequence[Any]) -> dict[str, Metric]:
    moments = [datetime.fromtimestamp(NOW, UTC) - age * part / 3 for part in range(4)]
    return metrics(donatedAt=[moment.strftime("%Y-%m-%dT%H:%M:%S") for moment in moments], **more)


@pytest.mark.parametrize(
    ("age", "name", "buckets"),
    [
        (timedelta(hours=2), "per_minute", Buckets("1m", "donatedAt", "48h")),
        (timedelta(days=20), "per_hour", Buckets("1h", "donatedAt", "120d")),
        (timedelta(days=61), "per_day", Buckets("1d", "donatedAt", "10000d")),
    ],
)
def test_buckets_are_the_finest_that_keep_the_oldest_item(age: timedelta, name: str, buckets: Buckets) -> None:
    found = times(age, platform=["a", "b"], amount=[1])
    assert list(found) == ["by_platform", name]
    assert found[name].buckets == buckets
    assert (found[name].group_by, found[name].sums) == ("platform", (Sum("amount", 2),))
    assert buckets.keep in found[name].evidence[0]


@pytest.mark.parametrize("value", [NOW - 60, (NOW - 60) * 1e3, (NOW - 60) * 1e6])
def test_a_number_says_when_in_seconds_milliseconds_or_microseconds(value: float) -> None:
    buckets = metrics(at=[int(value)])["per_minute"].buckets
    assert buckets == Buckets("1m", "at", "48h")


@pytest.mark.parametrize("text", ["2026-11-18", "2026-11-18T10:00Z", "2026-11-18 10:00:00.123456789+02:00"])
def test_a_text_says_when_as_a_date_or_with_a_time_and_a_zone(text: str) -> None:
    assert metrics(when=[text]).keys() == {"everything", "per_minute"}


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("expiresAt", [int(NOW) - 60]),
        ("startsAt", [int(NOW) + 999_999]),
        ("code", ["20261118"]),
        ("at", ["2026-13-01"]),
        ("at", ["yesterday"]),
        ("at", [12]),
        ("at", [int(NOW) - 60, None, None]),
        ("at", [int(NOW) - 60, "soon"]),
        ("at", ["1951-08-07"]),
    ],
)
def test_what_says_no_when(name: str, values: Sequence[Any]) -> None:
    assert all(metric.buckets is None for metric in proposed({name: values}).values())


def test_when_something_began_counts_before_when_it_changed_last() -> None:
    at = [int(NOW) - 60]
    buckets = metrics(changedAt=at, placed=at, startedAt=at)["per_minute"].buckets
    assert buckets is not None
    assert buckets.time == "startedAt"


def test_a_group_called_time_is_not_put_beside_the_buckets_own() -> None:
    found = metrics(time=["morning", "evening"], at=[int(NOW) - 60])
    assert found["by_time"].group_by == "time"
    assert found["per_minute"].group_by is None


def test_a_group_of_many_values_has_no_buckets() -> None:
    found = proposed({"town": [f"t{each}" for each in range(30)], "at": [int(NOW) - 60]}, number=90)
    assert found["by_town"].group_by == "town"
    assert found["per_minute"].group_by is None


def test_metrics_have_names_of_their_own() -> None:
    assert list(proposed({name: ["x", "y"] for name in ("a-b", "a_b", "名")})) == ["by_a_b", "by_a_b_2", "by_attribute"]
