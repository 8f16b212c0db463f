"""Comparing metrics with their table: what a contribution says of its item, and what of it nobody can read again."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from dynalens.target import Write
from dynalens.target.metrics import MetricsTarget
from tests.integration.metrics_writes import BY_PLATFORM, FIRST, Value, delete, put, serving
from tests.services.valkey import ValkeyServer

OWN_TIME = {"group_by": ["platform"], "count": True, "every": "1m"}
TIME_OF_AN_ATTRIBUTE = {"count": True, "every": "1m", "time": "at"}
LARGE = {"count": True, "where": {"large": True}}


def agrees(target: MetricsTarget, write: Write) -> bool:
    assert write.document is not None
    return target.kept(FIRST, [write.id]) == {write.id: target.digest(FIRST, write.document)}


def at(write: Write, created_at: float) -> Write:
    return write._replace(change=replace(write.change, created_at=created_at))


@pytest.mark.parametrize("created_at", [0.0, 1_700_000_000.0])
def test_the_bucket_of_a_changes_own_time_does_not_count(valkey: ValkeyServer, created_at: float) -> None:
    with serving(valkey, own=OWN_TIME, total={"count": True, "every": "1h"}) as target:
        for write in (put(FIRST, "a", 1, platform="p"), put(FIRST, "b", 1)):
            target.apply([at(write, created_at)])
            assert agrees(target, write)
        assert not agrees(target, put(FIRST, "a", 1, platform="q"))


def test_groups_values_and_the_bucket_of_an_attribute_count(valkey: ValkeyServer) -> None:
    metrics = {"by_platform": BY_PLATFORM, "when": TIME_OF_AN_ATTRIBUTE, "large": LARGE}
    with serving(valkey, **metrics, most={"max": ["amount"], "distinct": ["note"]}) as target:
        item: dict[str, Value] = {
            "platform": "p",
            "amount": 1,
            "at": "2020-01-01T00:00:00Z",
            "large": True,
            "note": "x",
        }
        target.apply([put(FIRST, "a", 1, **item)])
        assert agrees(target, put(FIRST, "a", 1, **item))
        others: list[dict[str, Value]] = [
            {"platform": "q"},
            {"amount": 2},
            {"at": "2020-01-01T00:01:00Z"},
            {"large": False},
            {"note": "y"},
        ]
        for other in others:
            assert not agrees(target, put(FIRST, "a", 1, **item | other))
        assert agrees(target, put(FIRST, "a", 1, **{**item, "at": "2020-01-01T00:00:59Z", "unmeasured": 5}))


def test_a_bucket_that_retention_forgot_is_no_difference(valkey: ValkeyServer) -> None:
    with serving(valkey, when={**TIME_OF_AN_ATTRIBUTE, "keep": "1h"}) as target:
        write = put(FIRST, "a", 1, at="2001-01-01T00:00:00Z")
        target.apply([write])
        target.sweep(0.0)
        assert target.metric("donations", "when").groups == []
        assert agrees(target, write)


def test_what_a_sum_cannot_hold_is_no_difference(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        write = put(FIRST, "a", 1, platform="p", amount=Decimal("1.005"))
        assert target.apply([write])
        assert agrees(target, write)


def test_of_a_collection_without_metrics_nothing_is_kept(valkey: ValkeyServer) -> None:
    with serving(valkey) as target:
        write = put(FIRST, "a", 1, platform="p")
        target.apply([write, delete(FIRST, "b", 1)])
        assert write.document is not None
        assert target.digest(FIRST, write.document) is None
        assert target.kept(FIRST, ["a", "b"]) == {}
        assert target.walk(FIRST, "", 10) == ([], "")


def test_a_walk_takes_many_steps(valkey: ValkeyServer) -> None:
    with serving(valkey, all={"count": True}) as target:
        target.apply([put(FIRST, f"key-{n}", 1) for n in range(3000)])
        listed, steps, cursor = set[str](), 0, ""
        while steps == 0 or cursor:
            ids, cursor = target.walk(FIRST, cursor, 100)
            listed.update(ids)
            steps += 1
        assert len(listed) == 3000
        assert 20 < steps < 60
