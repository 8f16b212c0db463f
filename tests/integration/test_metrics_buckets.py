"""Time buckets over a real server: which one an item belongs to, how long it is kept, and who hears that it is gone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import pytest

from dynalens.target import Write
from dynalens.target.metrics import MetricsTarget
from dynalens.target.metrics import target as target_module
from tests.integration.metrics_writes import FIRST, SECOND, Value, collection, delete, put, seen, server_of
from tests.integration.test_metrics_live import hear
from tests.services.valkey import ValkeyServer

METRIC = "metric:donations.per_minute"
START = 1_795_273_200.0
"""2026-11-21T15:00:00Z."""
BY_TIME: Mapping[str, object] = {"every": "1m", "time": "at", "keep": "5m", "count": True, "total": True}
BY_CHANGE: Mapping[str, object] = {"every": "1m", "count": True, "sum": {"amount": {}}}
TOKENS: Mapping[str, object] = {"min": "amount", "distinct": "email"}


@dataclass
class Clock:
    now: float = START

    def __call__(self) -> float:
        return self.now


@contextmanager
def serving(valkey: ValkeyServer, clock: Clock, **metrics: Mapping[str, object]) -> Iterator[MetricsTarget]:
    config = collection(**metrics)
    target = MetricsTarget(server_of(valkey), {"donations": config}, clock=clock)
    try:
        target.create(FIRST, config)
        target.serve(FIRST)
        yield target
    finally:
        target.close()


def at(minute: int, second: int = 0) -> str:
    return f"2026-11-21T15:{minute:02}:{second:02}Z"


def written(document_id: str, version: int, seconds: float, **attributes: Value) -> Write:
    """Write a document, its change made so many seconds after the start."""
    made = put(FIRST, document_id, version, **attributes)
    return made._replace(change=replace(made.change, created_at=START + seconds))


def counts(target: MetricsTarget) -> dict[str, str]:
    return {group: values["count"] for group, (values, _) in seen(target, "per_minute").items()}


# Which bucket.


def test_items_are_counted_in_the_buckets_of_their_time(valkey: ValkeyServer) -> None:
    with serving(valkey, Clock(), per_minute=BY_TIME) as target:
        times: list[Value] = [at(0, 59), at(1), at(1, 59), "soon", None]
        target.apply([put(FIRST, str(n), 1, at=time) for n, time in enumerate(times)])
        expected = {f'"{at(0)}"': "1", f'"{at(1)}"': "2", "null": "2", "*": "5"}
        assert counts(target) == expected


def test_the_bucket_stands_before_the_attributes_of_a_group(valkey: ValkeyServer) -> None:
    with serving(valkey, Clock(), per_minute={**BY_TIME, "group_by": "platform"}) as target:
        item = put(FIRST, "a", 1, at=at(1), platform="Phone")
        [event] = hear(target, [METRIC], lambda: target.apply([item]), 1)
        [group] = target.metric("donations", "per_minute").groups
        assert list(group.group.items()) == [("time", b'"2026-11-21T15:01:00Z"'), ("platform", b'"Phone"')]
        assert event.payload == (
            b'{"metric":"donations.per_minute","group":{"time":"2026-11-21T15:01:00Z","platform":"Phone"},'
            b'"values":{"count":1},"total":{"count":1},"exact":true}'
        )


def test_without_an_attribute_the_change_itself_says_when(valkey: ValkeyServer) -> None:
    with serving(valkey, Clock(), per_minute=BY_CHANGE) as target:
        target.apply([written("a", 1, 59.9, amount=1), written("b", 1, 60, amount=1), put(FIRST, "scanned", 1)])
        assert counts(target) == {f'"{at(0)}"': "1", f'"{at(1)}"': "1", "null": "1"}


def test_an_item_stays_in_the_bucket_of_its_change_until_it_counts_otherwise(valkey: ValkeyServer) -> None:
    with serving(valkey, Clock(), per_minute=BY_CHANGE) as target:
        target.apply([written("a", 1, 0, amount=1)])
        target.apply([written("a", 2, 120, amount=1, comment="new")])
        target.apply([put(FIRST, "a", 3, amount=1)])
        assert counts(target) == {f'"{at(0)}"': "1"}
        target.apply([written("a", 4, 180, amount=2)])
        assert counts(target) == {f'"{at(3)}"': "1"}
        target.apply([put(FIRST, "a", 5, amount=3)])
        assert counts(target) == {"null": "1"}


def test_a_metric_that_counts_only_keeps_items_in_their_buckets_too(valkey: ValkeyServer) -> None:
    first = {"every": "1m", "count": True, "where": {"state": "paid"}}
    with serving(valkey, Clock(), per_minute=first) as target:
        target.apply([put(FIRST, "a", 1, state="open")])
        assert counts(target) == {}
        target.apply([written("a", 2, 60, state="paid")])
        target.apply([written("a", 3, 120, state="paid")])
        assert counts(target) == {f'"{at(1)}"': "1"}


def test_a_replay_under_higher_versions_ends_where_the_first_run_did(valkey: ValkeyServer) -> None:
    story = [(0, 1), (70, 2), (130, 2), (190, 1), (250, 1)]
    with serving(valkey, Clock(), per_minute=BY_CHANGE) as target:
        target.apply([written("a", n, seconds, amount=amount) for n, (seconds, amount) in enumerate(story)])
        once = seen(target, "per_minute")
        assert once == {f'"{at(3)}"': ({"count": "1", "amount_sum": "1"}, True)}
        for first in range(len(story)):
            base = 100 * (first + 1)
            replayed = [written("a", base + n, seconds, amount=amount) for n, (seconds, amount) in enumerate(story)]
            target.apply(replayed[first:])
            assert seen(target, "per_minute") == once, first


# How long.


def test_buckets_past_their_time_are_hidden_at_once_and_forgotten_with_the_next_write(valkey: ValkeyServer) -> None:
    clock = Clock()
    with serving(valkey, clock, per_minute=BY_TIME) as target:
        target.apply([put(FIRST, str(n), 1, at=at(n)) for n in range(4)])
        clock.now = START + 7 * 60
        assert counts(target) == {f'"{at(2)}"': "1", f'"{at(3)}"': "1", "*": "4"}
        assert len(kept_groups(valkey)) == 4
        target.apply([put(FIRST, "new", 1, at=at(7))])
        assert kept_groups(valkey) == [f'"{at(n)}"' for n in (2, 3, 7)]


def kept_groups(valkey: ValkeyServer) -> list[str]:
    key = "dynalens:{donations}:1:metric:per_minute"
    index = list(map(str, valkey.client().zrange(f"{key}:index", 0, -1)))
    fields = list(map(str, valkey.client().hkeys(key)))
    assert index == sorted(field[2:] for field in fields if field.startswith('n:"'))
    return index


def test_a_group_that_is_left_leaves_the_index(valkey: ValkeyServer) -> None:
    with serving(valkey, Clock(), per_minute=BY_TIME) as target:
        target.apply([put(FIRST, "a", 1, at=at(1)), put(FIRST, "b", 1, at=at(1)), put(FIRST, "a", 2, at=at(2))])
        assert kept_groups(valkey) == [f'"{at(1)}"', f'"{at(2)}"']
        target.apply([delete(FIRST, "a", 3), delete(FIRST, "b", 3)])
        assert kept_groups(valkey) == []


def test_items_of_forgotten_buckets_neither_add_nor_subtract(valkey: ValkeyServer) -> None:
    clock = Clock()
    with serving(valkey, clock, per_minute={**BY_TIME, **TOKENS}) as target:
        target.apply([put(FIRST, name, 1, at=at(0), amount=n, email=name) for n, name in enumerate("abc")])
        clock.now = START + 600
        target.apply([put(FIRST, "d", 1, at=at(9), amount=7, email="d")])
        target.apply(
            [delete(FIRST, "a", 2), put(FIRST, "b", 2, at=at(8), amount=5, email="c"), put(FIRST, "e", 1, at=at(1))]
        )
        one = {"count": "1", "amount_min": "7", "email_distinct": "1"}
        assert seen(target, "per_minute") == {
            f'"{at(8)}"': ({**one, "amount_min": "5"}, True),
            f'"{at(9)}"': (one, True),
            "*": ({"count": "4", "amount_min": "2", "email_distinct": "2"}, True),
        }
        # A clock that is set back brings nothing back.
        clock.now = START
        target.apply([put(FIRST, "f", 1, at=at(0), amount=1, email="f")])
        assert set(counts(target)) == {f'"{at(8)}"', f'"{at(9)}"', "*"}


def test_a_bucket_below_the_horizon_is_hidden_before_it_is_forgotten(valkey: ValkeyServer) -> None:
    """Another worker's clock may be ahead of the reader's, and many groups are forgotten in several steps."""
    with serving(valkey, Clock(), per_minute=BY_TIME) as target:
        target.apply([put(FIRST, str(n), 1, at=at(n)) for n in range(2)])
        valkey.client().hset("dynalens:{donations}:1:metric:per_minute", "horizon", f'"{at(1)}"')
        assert counts(target) == {f'"{at(1)}"': "1", "*": "2"}


def test_the_bucket_of_what_has_no_time_is_kept_for_ever(valkey: ValkeyServer) -> None:
    clock = Clock()
    with serving(valkey, clock, per_minute=BY_TIME) as target:
        target.apply([put(FIRST, "a", 1)])
        clock.now = START + 10**9
        target.sweep(0)
        assert counts(target) == {"null": "1", "*": "1"}


def test_viewers_hear_of_a_bucket_that_is_forgotten(valkey: ValkeyServer) -> None:
    clock = Clock()
    with serving(valkey, clock, per_minute=BY_TIME) as target:
        target.apply([put(FIRST, "a", 1, at=at(0))])
        clock.now = START + 600
        gone, after = hear(target, [METRIC], lambda: (target.sweep(0), target.apply([delete(FIRST, "a", 2)])), 2)
        head = b'{"metric":"donations.per_minute","group":{"time":"2026-11-21T15:00:00Z"},"values":null,"total":'
        assert gone.payload == head + b'{"count":1},"exact":true}'
        assert after.payload == head + b'{"count":0},"exact":true}', "the total has changed all the same"


def test_many_groups_are_forgotten_in_steps(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(target_module, "COUNTS_PER_STEP", 10)
    clock = Clock()
    metrics = {"per_minute": {**BY_TIME, "group_by": "id"}, "other": {**BY_TIME, **TOKENS, "group_by": "id"}}
    with serving(valkey, clock, **metrics) as target:
        target.apply([put(FIRST, str(n), 1, id=str(n), at=at(n % 3), amount=n, email=str(n)) for n in range(35)])
        keys = len(list(valkey.client().scan_iter()))
        clock.now = START + 600
        steps: list[object] = []
        expire = target._scripts.expire

        def count(*given: object) -> object:
            steps.append(expire(*given))  # type: ignore[arg-type]
            return steps[-1]

        monkeypatch.setattr(target._scripts, "expire", count)
        target.sweep(0)
        assert steps == [10] * 7 + [0]
        assert kept_groups(valkey) == []
        assert len(list(valkey.client().scan_iter())) == keys - 2 * 35 - 2, "their tokens are gone, and both indexes"


def test_the_horizon_is_moved_once_for_each_bucket(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    with serving(valkey, clock, per_minute=BY_TIME) as target:
        asked: list[float] = []
        expire = target._scripts.expire

        def ask(*given: object) -> object:
            asked.append(clock.now)
            return expire(*given)  # type: ignore[arg-type]

        monkeypatch.setattr(target._scripts, "expire", ask)
        for second in (0, 1, 59, 60, 61):
            clock.now = START + second
            target.apply([put(FIRST, str(second), 1, at=at(0))])
        assert asked == [START, START + 1, START + 61]
        target.recall("Donations")
        target.sweep(0)
        assert len(asked) == 4, "what was known of a server that may be another one is asked again"


def test_published_buckets_disappear_with_their_time(valkey: ValkeyServer) -> None:
    clock = Clock()
    publish = {"key": "minute/{time}", "channel": "minutes"}
    with serving(valkey, clock, per_minute={**BY_TIME, **TOKENS, "total": False, "publish": publish}) as target:
        target.apply([put(FIRST, "a", 1, at=at(0), email="a"), put(FIRST, "b", 1, at=at(4), amount=1)])
        client = valkey.client()
        assert client.hgetall(f"minute/{at(0)}") == {"count": "1", "amount_min": "", "email_distinct": "1"}
        subscriber = client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        subscriber.subscribe("minutes")
        assert subscriber.get_message(timeout=10) is None
        clock.now = START + 6 * 60
        target.sweep(0)
        assert [key for key in client.scan_iter() if not key.startswith("dynalens:")] == [f"minute/{at(4)}"]
        heard = [json.loads(subscriber.get_message(timeout=10)["data"]) for _ in range(2)]
        assert heard == [
            {"key": f"minute/{at(0)}:count", "value": 0, "delta": -1},
            {"key": f"minute/{at(0)}:email_distinct", "value": 0, "delta": -1},
        ]
        subscriber.close()


# Generations.


def test_another_generation_takes_the_place_and_a_dropped_one_leaves_no_key(valkey: ValkeyServer) -> None:
    clock = Clock()
    config = {**BY_TIME, **TOKENS}
    with serving(valkey, clock, per_minute=config) as target:
        target.apply([put(FIRST, "a", 1, at=at(0), amount=1, email="a")])
        target.create(SECOND, collection(per_minute=config))
        target.apply([put(SECOND, "a", 1, at=at(1), amount=2, email="a")])
        target.serve(SECOND)
        assert set(counts(target)) == {f'"{at(1)}"', "*"}
        target.drop(FIRST)
        assert not [key for key in valkey.client().scan_iter() if "}:1:" in key]


@pytest.mark.parametrize("is_known", [False, True])
def test_a_drop_that_was_interrupted_leaves_the_others_to_be_swept(valkey: ValkeyServer, *, is_known: bool) -> None:
    clock = Clock()
    with serving(valkey, clock, per_minute=BY_TIME) as target:
        target.create(SECOND, collection(per_minute=BY_TIME))
        target.apply([put(generation, "a", 1, at=at(0)) for generation in (FIRST, SECOND)])
        if not is_known:
            target.recall("Donations")
        # What a drop does before it takes the generation off the list.
        target._scripts.drop(["dynalens:{donations}"], [FIRST.number])
        clock.now = START + 600
        target.sweep(0)
        assert not valkey.client().exists("dynalens:{donations}:2:metric:per_minute:index")
