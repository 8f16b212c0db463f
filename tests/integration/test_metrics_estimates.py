"""Approximate numbers of different values over a real server: how far off, and that nothing is ever taken out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from decimal import Decimal

import pytest

from dynalens.target import Write
from dynalens.target.metrics import MetricsTarget
from tests.integration.metrics_writes import FIRST, SECOND, Value, collection, delete, put, seen, serving
from tests.integration.test_metrics_buckets import BY_TIME, START, Clock, at
from tests.integration.test_metrics_buckets import serving as serving_by_time
from tests.integration.test_metrics_live import METRIC, hear
from tests.integration.test_metrics_publication import listening, message, published
from tests.services.valkey import ValkeyServer

BY_PLATFORM: Mapping[str, object] = {
    "group_by": "platform",
    "count": True,
    "approximate_distinct": "email",
    "total": True,
}
STANDARD_ERROR = 0.0081
"""Of a HyperLogLog as Valkey keeps it ("PFCOUNT" in its documentation)."""


def estimates(target: MetricsTarget, metric: str = "by_platform") -> dict[str, int]:
    return {group: int(values["email_approximate_distinct"]) for group, (values, _) in seen(target, metric).items()}


def emails(items: Iterable[int], version: int = 1, **attributes: str) -> list[Write]:
    return [put(FIRST, str(n), version, platform="p", email=f"{n}@example.org", **attributes) for n in items]


def test_ten_thousand_values_are_estimated_within_four_standard_errors(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform={**BY_PLATFORM, "distinct": "platform"}) as target:
        target.apply(emails(range(10_000)))
        target.apply(emails(range(5_000), version=2, comment="the same values again"))
        found = estimates(target)
        assert found['"p"'] == found["*"] == pytest.approx(10_000, rel=4 * STANDARD_ERROR)
        assert seen(target)["*"][0]["platform_distinct"] == "1", "exact values stay exact beside it"


def test_deletes_and_changes_do_not_lower_it(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply(emails(range(5)))
        target.apply([delete(FIRST, "0", 2), put(FIRST, "1", 2, platform="p", email="0@example.org")])
        target.apply([put(FIRST, "2", 2, platform="q", email="2@example.org"), put(FIRST, "3", 2, platform="p")])
        assert estimates(target) == {'"p"': 5, '"q"': 1, "*": 5}
        assert seen(target)['"p"'][0]["count"] == "3"


def test_a_group_that_comes_back_has_seen_what_it_saw(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([*emails(range(3)), *[delete(FIRST, str(n), 2) for n in range(3)]])
        assert estimates(target) == {"*": 3}
        target.apply(emails([1], version=3))
        assert estimates(target) == {'"p"': 3, "*": 3}
        target.apply(emails([7]))
        assert estimates(target) == {'"p"': 4, "*": 4}


def test_a_replay_under_higher_versions_changes_nothing(valkey: ValkeyServer) -> None:
    def story(base: int) -> list[Write]:
        return [
            put(FIRST, "a", base, platform="p", email="x"),
            put(FIRST, "b", base, platform="p", email="y"),
            put(FIRST, "a", base + 1, platform="q", email="z"),
            delete(FIRST, "b", base + 1),
            put(FIRST, "c", base, platform="p", email="y"),
        ]

    def run(target: MetricsTarget, writes: Iterable[Write]) -> None:
        for one in writes:
            assert target.apply([one]) == []

    with serving(valkey, by_platform=BY_PLATFORM) as target:
        run(target, story(1))
        once = seen(target)
        assert estimates(target) == {'"p"': 2, '"q"': 1, "*": 3}
        for first in range(len(story(1))):
            run(target, story(100 * (first + 1))[first:])
            assert seen(target) == once, first
        run(target, story(1))
        assert seen(target) == once, "late writes are refused"


def test_a_bucket_takes_its_estimate_along_also_when_it_is_empty(valkey: ValkeyServer) -> None:
    clock = Clock()
    metric = {**BY_TIME, "approximate_distinct": "email"}
    with serving_by_time(valkey, clock, per_minute=metric) as target:
        target.apply([put(FIRST, name, 1, at=at(n), email=name) for n, name in enumerate("abc")])
        target.apply([delete(FIRST, "a", 2)])
        assert estimates(target, "per_minute") == {f'"{at(1)}"': 1, f'"{at(2)}"': 1, "*": 3}
        assert len(kept(valkey)) == 4
        clock.now = START + 6.5 * 60
        target.apply([put(FIRST, "late", 1, at=at(0), email="late")])
        assert estimates(target, "per_minute") == {f'"{at(2)}"': 1, "*": 4}
        assert len(kept(valkey)) == 2
        assert valkey.client().zrange("dynalens:{donations}:1:metric:per_minute:index", 0, -1) == [f'"{at(2)}"']


def kept(valkey: ValkeyServer) -> list[str]:
    """Give the keys of estimates, each of which a field of its metric must know."""
    keys = sorted(key for key in valkey.client().scan_iter() if ":approximate_distinct" in key)
    fields = valkey.client().hkeys("dynalens:{donations}:1:metric:per_minute")
    assert sorted(key.rpartition(":metric:per_minute:")[2] for key in keys) == sorted(
        field for field in map(str, fields) if field.startswith("approximate_distinct")
    )
    return keys


def test_viewers_are_not_told_again_of_an_empty_bucket(valkey: ValkeyServer) -> None:
    clock = Clock()
    with serving_by_time(valkey, clock, per_minute={**BY_TIME, "approximate_distinct": "email"}) as target:
        target.apply([put(FIRST, "a", 1, at=at(0), email="a"), delete(FIRST, "a", 2)])
        before = target.metric("donations", "per_minute").revision
        clock.now = START + 600
        target.sweep(0)
        assert target.metric("donations", "per_minute").revision == before
        assert len(kept(valkey)) == 1, "the total's"


def test_a_dropped_generation_leaves_no_estimate(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([*emails(range(2)), delete(FIRST, "0", 2), delete(FIRST, "1", 2)])
        target.create(SECOND, collection(by_platform=BY_PLATFORM))
        target.serve(SECOND)
        target.drop(FIRST)
        assert not [key for key in valkey.client().scan_iter() if "}:1:" in key]
        assert estimates(target) == {"*": 0}, "what is built anew has seen nothing yet"


def test_viewers_and_subscribers_hear_it(valkey: ValkeyServer) -> None:
    publish = {"key": "{platform}", "total_key": "ALL", "channel": "aggregates"}
    settings = {**BY_PLATFORM, "count": False, "publish": publish}
    with serving(valkey, by_platform=settings) as target, listening(valkey) as subscriber:
        [event] = hear(target, [METRIC], lambda: target.apply(emails([1])), 1)
        assert json.loads(event.payload)["values"] == {"email_approximate_distinct": 1}
        assert published(valkey)["p"] == {"email_approximate_distinct": "1"}
        name = "email_approximate_distinct"
        assert subscriber.heard() == [message(f"{key}:{name}", "1", "1") for key in ("p", "ALL")]
        target.apply([delete(FIRST, "1", 2)])
        assert subscriber.heard() == [message(f"p:{name}", "0", "-1")]


def test_a_number_that_cannot_be_summed_is_a_dead_letter_and_its_item_is_seen(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform={**BY_PLATFORM, "sum": {"amount": {"decimals": 2}}}) as target:
        bad = put(FIRST, "a", 1, platform="p", amount=Decimal("0.005"), email="x")
        assert [rejection.code for rejection in target.apply([bad])] == ["out_of_scale"]
        values, is_exact = seen(target)['"p"']
        assert (values["email_approximate_distinct"], is_exact) == ("1", False)


def test_any_value_counts_and_none_is_refused(valkey: ValkeyServer) -> None:
    with serving(valkey, m={"approximate_distinct": "v"}) as target:
        values: list[Value] = [1, Decimal("1.0"), "1", True, "x" * 4_000, "", Decimal("1e125"), None]
        assert target.apply([put(FIRST, str(n), 1, v=value) for n, value in enumerate(values)]) == []
        [group] = target.metric("donations", "m").groups
        assert group.values == {"v_approximate_distinct": "6"}
