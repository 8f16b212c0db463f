"""Metrics under names of the user's own: hashes that other applications read, and messages that they hear."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal

import pytest

from dynalens.target import Generation
from tests.integration.metrics_writes import (
    BY_PLATFORM,
    FIRST,
    PUBLISHED,
    SECOND,
    collection,
    delete,
    opened,
    put,
    seen,
    serving,
)
from tests.services.valkey import ValkeyServer

END = "the end"


class Subscriber:
    """Another application, listening on channel `aggregates`."""

    def __init__(self, valkey: ValkeyServer) -> None:
        self._client = valkey.client()
        self._subscription = self._client.pubsub()  # type: ignore[no-untyped-call]
        self._subscription.subscribe("aggregates")
        self._subscription.get_message(timeout=10)

    def heard(self) -> list[str]:
        """Give the messages since the last call."""
        self._client.publish("aggregates", END)
        messages: list[str] = []
        while (message := self._subscription.get_message(timeout=10)["data"]) != END:
            messages.append(message)
        return messages

    def close(self) -> None:
        self._subscription.close()


@contextmanager
def listening(valkey: ValkeyServer) -> Iterator[Subscriber]:
    subscriber = Subscriber(valkey)
    yield subscriber
    subscriber.close()


def published(valkey: ValkeyServer) -> dict[str, dict[str, str]]:
    """Give every hash that is not Dynalens' own."""
    client = valkey.client()
    keys = [key for key in client.scan_iter() if not key.startswith("dynalens:") and client.type(key) == "hash"]
    return {key: {str(name): str(value) for name, value in client.hgetall(key).items()} for key in keys}


def message(key: str, value: str, delta: str) -> str:
    return f'{{"key": "{key}", "value": {value}, "delta": {delta}}}'


def test_scenario_one_comes_out_under_its_own_names(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        donations = [put(FIRST, str(n), n, platform="Facebook", amount=10) for n in range(1, 12)]
        target.apply([*donations, put(FIRST, "phone", 20, platform="Phone", amount=Decimal("50.00"))])
        assert published(valkey) == {
            "Facebook": {"count": "11", "amount": "110"},
            "Phone": {"count": "1", "amount": "50"},
            "ALL": {"count": "12", "amount": "160"},
        }
        subscriber.heard()
        target.apply([put(FIRST, "12", 30, platform="Facebook", amount=Decimal("0.5"))])
        assert subscriber.heard() == [
            message("Facebook:count", "12", "1"),
            message("Facebook:amount", "110.5", "0.5"),
            message("ALL:count", "13", "1"),
            message("ALL:amount", "160.5", "0.5"),
        ]


def test_each_write_of_a_batch_is_heard(valkey: ValkeyServer) -> None:
    counted = {"count": True, "publish": {"key": "donations", "channel": "aggregates"}}
    with serving(valkey, counted=counted) as target, listening(valkey) as subscriber:
        target.apply([put(FIRST, str(n), 1) for n in range(3)])
        assert subscriber.heard() == [message("donations:count", str(n), "1") for n in (1, 2, 3)]


def test_only_values_that_changed_are_heard(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        subscriber.heard()
        target.apply([put(FIRST, "a", 2, platform="p", amount=1, comment="new")])
        target.apply([put(FIRST, "a", 1, platform="q", amount=7)])
        assert subscriber.heard() == []
        target.apply([put(FIRST, "a", 3, platform="p", amount=Decimal("0.75"))])
        assert subscriber.heard() == [message("p:amount", "0.75", "-0.25"), message("ALL:amount", "0.75", "-0.25")]


def test_a_group_that_is_left_disappears(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        subscriber.heard()
        target.apply([put(FIRST, "a", 2, platform="q", amount=1)])
        assert published(valkey) == {"q": {"count": "1", "amount": "1"}, "ALL": {"count": "1", "amount": "1"}}
        assert subscriber.heard() == [
            message("p:count", "0", "-1"),
            message("p:amount", "0", "-1"),
            message("q:count", "1", "1"),
            message("q:amount", "1", "1"),
        ]
        target.apply([delete(FIRST, "a", 3)])
        assert published(valkey) == {"ALL": {"count": "0", "amount": "0"}}


def test_an_empty_total_is_there_from_the_start(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED):
        assert published(valkey) == {"ALL": {"count": "0", "amount": "0"}}


@pytest.mark.parametrize(
    ("platform", "key"),
    [
        ("ALL", '~"ALL"'),
        ("dynalens:{donations}", '~"dynalens:{donations}"'),
        ("", '~""'),
        ('quoted "/" \\', 'quoted "/" \\'),
        ("a\nb", '~"a\\nb"'),
        ("é💶", "é💶"),
        ("\ud800", '~"\\ud800"'),
        (1, "~1"),
        (None, "~null"),
        ("~1", '~"~1"'),
    ],
)
def test_a_hostile_group_has_a_key_of_its_own(valkey: ValkeyServer, platform: str | int | None, key: str) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        target.apply([put(FIRST, "a", 1, platform=platform, amount=2), put(FIRST, "b", 1, platform="p", amount=1)])
        assert published(valkey) == {
            key: {"count": "1", "amount": "2"},
            "p": {"count": "1", "amount": "1"},
            "ALL": {"count": "2", "amount": "3"},
        }
        assert json.loads(subscriber.heard()[0]) == {"key": f"{key}:count", "value": 1, "delta": 1}
        target.apply([delete(FIRST, "a", 2), delete(FIRST, "b", 2)])
        assert published(valkey) == {"ALL": {"count": "0", "amount": "0"}}


def test_a_large_value_is_heard_to_its_last_digit(valkey: ValkeyServer) -> None:
    largest = Decimal("92233720368547758.07")
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        target.apply(
            [put(FIRST, "a", 1, platform="p", amount=-largest), put(FIRST, "b", 1, platform="p", amount=-largest)]
        )
        target.apply([put(FIRST, "a", 2, platform="p", amount=largest)])
        assert subscriber.heard()[-2:] == [
            message("p:amount", "0", "184467440737095516.14"),
            message("ALL:amount", "0", "184467440737095516.14"),
        ]


def test_somebody_elses_key_is_never_touched(valkey: ValkeyServer, caplog: pytest.LogCaptureFixture) -> None:
    valkey.client().hset("session", "user", "7")
    valkey.client().set("text", "7")
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        names = ("session", "text", "p")
        with caplog.at_level(logging.WARNING):
            target.apply([put(FIRST, name, 1, platform=name, amount=1) for name in names])
            target.apply([put(FIRST, name, 2, platform=name, amount=2) for name in names])
        assert valkey.client().hgetall("session") == {"user": "7"}
        assert valkey.client().get("text") == "7"
        assert published(valkey)["p"] == {"count": "1", "amount": "2"}
        assert not [said for said in subscriber.heard() if "session" in said or "text" in said]
        warnings = [record.getMessage() for record in caplog.records]
        assert len(warnings) == 2
        assert all("exists already and is not ours" in warning for warning in warnings)
        valkey.client().delete("session")
        target.apply([put(FIRST, "session", 3, platform="session", amount=3)])
        assert published(valkey)["session"] == {"count": "1", "amount": "3"}
        target.apply([delete(FIRST, name, 4) for name in names])
        assert valkey.client().get("text") == "7"
        assert published(valkey) == {"ALL": {"count": "0", "amount": "0"}}


def test_whoever_overwrites_a_published_key_breaks_no_count(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        valkey.client().set("p", "mine now")
        target.apply([put(FIRST, "b", 1, platform="p", amount=1)])
        assert seen(target)['"p"'] == ({"count": "2", "amount_sum": "2"}, True)
        valkey.client().delete("p")
        target.apply([put(FIRST, "c", 1, platform="p", amount=1)])
        assert published(valkey)["p"] == {"count": "3", "amount": "3"}


def test_a_generation_that_is_not_served_publishes_nothing(valkey: ValkeyServer) -> None:
    config = collection(by_platform=PUBLISHED)
    with opened(valkey, donations=config) as target, listening(valkey) as subscriber:
        target.create(FIRST, config)
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        assert (published(valkey), subscriber.heard()) == ({}, [])
        target.serve(FIRST)
        assert published(valkey) == {"p": {"count": "1", "amount": "1"}, "ALL": {"count": "1", "amount": "1"}}
        assert subscriber.heard() == [
            message("p:count", "1", "1"),
            message("p:amount", "1", "1"),
            message("ALL:count", "1", "1"),
            message("ALL:amount", "1", "1"),
        ]
        target.serve(FIRST)
        assert subscriber.heard() == []


def test_another_generation_takes_the_place_of_the_served_one(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        target.create(SECOND, collection(by_platform=PUBLISHED))
        target.apply([put(FIRST, "a", 1, platform="old", amount=1), put(FIRST, "b", 1, platform="both", amount=2)])
        subscriber.heard()
        target.apply([put(SECOND, "b", 1, platform="both", amount=5), put(SECOND, "c", 1, platform="new", amount=1)])
        assert subscriber.heard() == []
        target.serve(SECOND)
        assert published(valkey) == {
            "both": {"count": "1", "amount": "5"},
            "new": {"count": "1", "amount": "1"},
            "ALL": {"count": "2", "amount": "6"},
        }
        assert sorted(subscriber.heard()) == [
            message("ALL:amount", "6", "3"),
            message("both:amount", "5", "3"),
            message("new:amount", "1", "1"),
            message("new:count", "1", "1"),
            message("old:amount", "0", "-1"),
            message("old:count", "0", "-1"),
        ]
        target.apply([delete(FIRST, "a", 2), delete(SECOND, "c", 2)])
        assert published(valkey) == {"both": {"count": "1", "amount": "5"}, "ALL": {"count": "1", "amount": "5"}}
        target.serve(FIRST)
        assert published(valkey) == {"both": {"count": "1", "amount": "2"}, "ALL": {"count": "1", "amount": "2"}}


def test_a_generation_with_other_names_leaves_none_of_the_old_ones(valkey: ValkeyServer) -> None:
    renamed: Mapping[str, object] = {
        "group_by": ["platform"],
        "sum": {"amount": {"decimals": 3}},
        "publish": {"key": "platform:{platform}", "channel": "aggregates", "fields": {"amount_sum": "amount"}},
    }
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        subscriber.heard()
        target.create(SECOND, collection(renamed=renamed))
        target.apply([put(SECOND, "a", 1, platform="p", amount=1)])
        target.serve(SECOND)
        assert published(valkey) == {"platform:p": {"amount": "1"}}
        assert message("p:count", "0", "-1") in subscriber.heard()


def test_a_change_of_decimals_is_told_exactly(valkey: ValkeyServer) -> None:
    finer = {**PUBLISHED, "sum": {"amount": {"decimals": 4}}}
    with serving(valkey, by_platform=PUBLISHED) as target, listening(valkey) as subscriber:
        target.apply([put(FIRST, "a", 1, platform="p", amount=Decimal("1.5"))])
        subscriber.heard()
        target.create(SECOND, collection(by_platform=finer))
        target.apply([put(SECOND, "a", 1, platform="p", amount=Decimal("1.5001"))])
        target.serve(SECOND)
        assert [said for said in subscriber.heard() if "p:amount" in said] == [
            message("p:amount", "0", "-1.5"),
            message("p:amount", "1.5001", "1.5001"),
        ]


def test_a_served_generation_that_is_dropped_takes_its_names_along(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        target.drop(FIRST)
        assert published(valkey) == {}


def test_two_metrics_publish_side_by_side(valkey: ValkeyServer) -> None:
    by_kind: Mapping[str, object] = {
        "group_by": ["kind", "platform"],
        "count": True,
        "publish": {"key": "kind/{platform}/{kind}", "channel": "kinds"},
    }
    users = Generation("users", 1)
    config = collection(by_platform=BY_PLATFORM, by_kind=by_kind)
    with serving(valkey, by_platform=PUBLISHED) as target, opened(valkey, users=config) as other:
        other.create(users, config)
        other.serve(users)
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        other.apply([put(users, "a", 1, platform="x/y", kind=1), put(users, "b", 1, platform="x", kind="1")])
        assert {key: fields["count"] for key, fields in published(valkey).items()} == {
            "p": "1",
            "ALL": "1",
            'kind/~"x/y"/~1': "1",
            "kind/x/1": "1",
        }
