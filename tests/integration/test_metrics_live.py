"""Live metrics: what a viewer hears from the moment it listens."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import TypeVar

import pytest

from dynalens.errors import NotFoundError, TargetError
from dynalens.target import LiveEvent, MetricSnapshot
from dynalens.target.metrics import MetricsTarget, reader
from dynalens.target.metrics.target import TOLD_DOCUMENT_BYTES
from tests.integration.metrics_writes import (
    BY_PLATFORM,
    FIRST,
    SECOND,
    Value,
    collection,
    delete,
    opened,
    put,
    serving,
    write,
)
from tests.services.valkey import ValkeyServer
from tests.waiting import observed

METRIC = "metric:donations.by_platform"
DOCUMENTS = "collection:donations"
PATIENCE = 30.0
HEARTBEATS = 3

Heard = TypeVar("Heard")


def hear(target: MetricsTarget, topics: list[str], then: Callable[[], object], count: int) -> list[LiveEvent]:
    """Listen, do something in this very moment, and give the events that follow."""

    async def listened(events: AsyncIterator[LiveEvent]) -> list[LiveEvent]:
        then()
        return [await anext(events) for _ in range(count)]

    return within(target, topics, listened)


def within(
    target: MetricsTarget, topics: list[str], use: Callable[[AsyncIterator[LiveEvent]], Awaitable[Heard]]
) -> Heard:
    async def run() -> Heard:
        async with asyncio.timeout(PATIENCE), target.listen(topics) as events:
            return await use(events)

    return asyncio.run(run())


def test_a_viewer_hears_every_change_of_a_metric(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        before = target.metric("donations", "by_platform").revision
        writes = [
            put(FIRST, "a", 1, platform='"p"', amount=Decimal("10.50")),
            put(FIRST, "a", 2, platform="q", amount=1),
        ]
        first, left, entered = hear(target, [METRIC], lambda: target.apply(writes), 3)
        assert [event.topic for event in (first, left, entered)] == [METRIC] * 3
        assert [event.revision for event in (first, left, entered)] == [before + 1, before + 2, before + 3]
        assert first.payload == (
            b'{"metric":"donations.by_platform","group":{"platform":"\\"p\\""},"values":{"count":1,"amount_sum":10.5},'
            b'"total":{"count":1,"amount_sum":10.5},"exact":true}'
        )
        total = {"count": 1, "amount_sum": 1}
        assert json.loads(left.payload)["values"] is None
        assert json.loads(left.payload)["total"] == total
        assert json.loads(entered.payload) == {
            "metric": "donations.by_platform",
            "group": {"platform": "q"},
            "values": total,
            "total": total,
            "exact": True,
        }


def test_a_group_of_several_attributes_keeps_their_names(valkey: ValkeyServer) -> None:
    by_two = {"group_by": ["a b", 'x"y'], "sum": {"n": {}}}
    with serving(valkey, by_two=by_two) as target:
        item: dict[str, Value] = {"a b": "1,\x1f}", "n": (1 << 53) + 1}
        [event] = hear(target, ["metric:donations.by_two"], lambda: target.apply([write(FIRST, "a", 1, item)]), 1)
        assert event.payload == (
            b'{"metric":"donations.by_two","group":{"a b":"1,\\u001f}","x\\"y":null},'
            b'"values":{"n_sum":9007199254740993},"total":null,"exact":true}'
        )


def test_a_viewer_hears_that_a_group_is_not_exact(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        bad = put(FIRST, "a", 1, platform="p", amount=Decimal("0.001"))
        [event] = hear(target, [METRIC], lambda: target.apply([bad]), 1)
        assert json.loads(event.payload)["exact"] is False


def test_snapshot_and_events_together_are_the_metric(valkey: ValkeyServer) -> None:
    """A viewer subscribes, reads, and puts later changes after what it read; writes never pause meanwhile."""
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        writing = threading.Thread(target=_write_much, args=(target,))

        async def view(events: AsyncIterator[LiveEvent]) -> tuple[MetricSnapshot, dict[str, object]]:
            writing.start()
            await anext(events)
            snapshot = await asyncio.to_thread(target.metric, "donations", "by_platform")
            shown = _shown(snapshot)
            await asyncio.to_thread(writing.join)
            final = await asyncio.to_thread(target.metric, "donations", "by_platform")
            revision = 0
            while revision < final.revision:
                event = await anext(events)
                assert event.revision > revision
                revision = event.revision
                if revision > snapshot.revision:
                    _show(shown, event)
            return final, shown

        final, shown = within(target, [METRIC], view)
        assert shown == _shown(final)


def _write_much(target: MetricsTarget) -> None:
    for version in range(1, 40):
        target.apply([put(FIRST, str(n), version, platform=f"p{(n * version) % 7}", amount=n) for n in range(60)])
    target.apply([delete(FIRST, str(n), 99) for n in range(0, 60, 2)])


def _shown(snapshot: MetricSnapshot) -> dict[str, object]:
    shown: dict[str, object] = {
        json.loads(group.group["platform"]): {name: json.loads(text) for name, text in group.values.items()}
        for group in snapshot.groups
    }
    assert snapshot.total
    return {**shown, "total": {name: json.loads(text) for name, text in snapshot.total.values.items()}}


def _show(shown: dict[str, object], event: LiveEvent) -> None:
    told = json.loads(event.payload)
    shown["total"] = told["total"]
    shown[told["group"]["platform"]] = told["values"]
    if told["values"] is None:
        del shown[told["group"]["platform"]]


def test_a_generation_that_is_not_served_is_silent(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.create(SECOND, collection(by_platform=BY_PLATFORM))

        def both() -> None:
            target.apply([put(SECOND, "silent", 1, platform="silent", amount=1)])
            target.apply([put(FIRST, "a", 1, platform="p", amount=1)])

        metric, document = hear(target, [METRIC, DOCUMENTS], both, 2)
        assert b"silent" not in metric.payload + document.payload


def test_a_viewer_is_told_to_read_anew_when_another_generation_is_served(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, str(n), 1, platform="p", amount=1) for n in range(5)])
        before = target.metric("donations", "by_platform").revision
        target.create(SECOND, collection(by_platform=BY_PLATFORM))
        with pytest.raises(TargetError, match="another build") as replaced:
            hear(target, [METRIC], lambda: target.serve(SECOND), 1)
        assert "again" in replaced.value.hint
        assert target.metric("donations", "by_platform").revision > before


def test_a_viewer_hears_documents(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        writes = [
            put(FIRST, 'a"/é', 1, platform="é", amount=Decimal("1.10")),
            put(FIRST, "b", 1, platform="\ud800"),
            put(FIRST, "long", 1, text="x" * TOLD_DOCUMENT_BYTES),
            put(FIRST, "b", 0, platform="stale"),
            delete(FIRST, "b", 2),
        ]
        events = hear(target, [DOCUMENTS], lambda: target.apply(writes), 4)
        assert [event.payload for event in events] == [
            '{"collection":"donations","id":"a\\"/é","document":{"platform":"é","amount":1.10}}'.encode(),
            b'{"collection":"donations","id":"b","document":{"platform":"\\ud800"}}',
            b'{"collection":"donations","id":"long","document":null,"truncated":true}',
            b'{"collection":"donations","id":"b","document":null}',
        ]
        first = events[0].revision
        assert [event.revision for event in events] == [first, first + 1, first + 2, first + 3]


def test_a_viewer_that_comes_within_a_batch_hears_of_the_rest(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Documents are sent along only if somebody listened when their batch began; later viewers read them by id."""
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        monkeypatch.setattr(target, "_is_heard", lambda _collection: False)
        [event] = hear(target, [DOCUMENTS], lambda: target.apply([put(FIRST, 'a"/é', 1)]), 1)
        assert json.loads(event.payload) == {
            "collection": "donations",
            "id": 'a"/é',
            "document": None,
            "truncated": True,
        }


def test_documents_of_a_collection_without_metrics_are_heard_in_order(valkey: ValkeyServer) -> None:
    with serving(valkey) as target:

        def change() -> None:
            target.apply([put(FIRST, "a", 2, n=2), put(FIRST, "b", 1, n=1)])
            target.apply([put(FIRST, "a", 1, n=1), put(FIRST, "a", 2, n=2), delete(FIRST, "b", 2)])
            target.apply([put(FIRST, "end", 1)])

        target.apply([put(FIRST, "unheard", 1)])
        events = hear(target, [DOCUMENTS], change, 4)
        told = [json.loads(event.payload) for event in events]
        assert [(event["id"], event["document"]) for event in told] == [
            ("a", {"n": 2}),
            ("b", {"n": 1}),
            ("b", None),
            ("end", {}),
        ]
        assert [event.revision for event in events] == [1, 2, 3, 4]
        # What orders them is forgotten by itself.
        own = [key for key in valkey.client().scan_iter() if ":told:" in key]
        assert own
        assert all(int(valkey.client().ttl(key)) > 0 for key in own)


@pytest.mark.parametrize("how", ["the server dies", "the connection is closed"])
def test_a_viewer_that_is_cut_off_is_told(valkey: ValkeyServer, how: str) -> None:
    def cut() -> None:
        if how == "the server dies":
            valkey.kill()
        else:
            valkey.client().client_kill_filter(_type="pubsub")

    with serving(valkey, by_platform=BY_PLATFORM) as target, pytest.raises(TargetError, match="does not answer"):
        hear(target, [METRIC], cut, 1)


def test_a_silent_server_is_noticed(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "HEARTBEAT_SECONDS", 0.1)
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        try:
            with pytest.raises(TargetError, match="went silent"):
                hear(target, [METRIC], lambda: os.kill(valkey.pid, signal.SIGSTOP), 1)
        finally:
            os.kill(valkey.pid, signal.SIGCONT)


def test_a_quiet_metric_keeps_its_viewer(valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "HEARTBEAT_SECONDS", 0.05)
    with serving(valkey, by_platform=BY_PLATFORM) as target:

        async def view(events: AsyncIterator[LiveEvent]) -> LiveEvent:
            first = asyncio.ensure_future(anext(events))
            # Several heartbeats pass, each answered.
            await asyncio.to_thread(observed, lambda: _pings(valkey) >= HEARTBEATS)
            assert not first.done()
            await asyncio.to_thread(target.apply, [put(FIRST, "a", 1, platform="p", amount=1)])
            return await first

        assert b'"p"' in within(target, [METRIC], view).payload


def _pings(valkey: ValkeyServer) -> int:
    return int(valkey.client().info("commandstats").get("cmdstat_ping", {}).get("calls", 0))


@pytest.mark.parametrize(
    "topic", ["", "donations", "metric:donations", "metric:donations.x", "metric:x.y", "collection:x"]
)
def test_a_topic_that_is_not_configured_is_not_found(valkey: ValkeyServer, topic: str) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target, pytest.raises(NotFoundError):
        hear(target, [METRIC, topic], lambda: None, 0)


def test_listening_to_a_server_that_is_not_there_says_so(valkey: ValkeyServer) -> None:
    with opened(valkey, donations=collection(by_platform=BY_PLATFORM)) as target:
        valkey.kill()
        with pytest.raises(TargetError, match="does not answer"):
            hear(target, [METRIC], lambda: None, 0)


def test_several_viewers_hear_the_same(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:

        async def run() -> list[LiveEvent]:
            async with asyncio.timeout(PATIENCE), target.listen([METRIC]) as one, target.listen([METRIC]) as two:
                await asyncio.to_thread(target.apply, [put(FIRST, "a", 1, platform="p", amount=1)])
                return [await anext(one), await anext(two)]

        one, two = asyncio.run(run())
        assert one == two
