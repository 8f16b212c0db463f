"""Reading metrics: a consistent snapshot, and every change after it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import redis
from redis.asyncio.client import PubSub
from redis.exceptions import RedisError

from dynalens.config import CollectionConfig, MetricConfig
from dynalens.errors import NotFoundError, TargetError
from dynalens.target import Generation, LiveEvent, MetricGroup, MetricSnapshot
from dynalens.target.metrics.bucket import buckets
from dynalens.target.metrics.connection import Server
from dynalens.target.metrics.contribution import FRAGMENT_END
from dynalens.target.metrics.kept import Value, values
from dynalens.target.metrics.layout import (
    REPLACED,
    TOTAL,
    collection_key,
    live_channel,
    load_metrics,
    metric_key,
)

HEARTBEAT_SECONDS = 15.0
"""A listener that has heard nothing for this long asks whether the server is still there."""

_ANEW = "Read the metric and listen again."


class MetricsReader:
    """Reads what a server keeps. `metric` may be called from any thread, `listen` from any event loop.

    Args:
        server: The server.
        client: A client of it.
        collections: The configured collections, by name.
        clock: Epoch seconds, for the age of time buckets.
    """

    def __init__(
        self,
        server: Server,
        client: redis.Redis,
        collections: Mapping[str, CollectionConfig],
        clock: Callable[[], float],
    ) -> None:
        self._clock = clock
        self._server = server
        self._client = client
        self._collections = collections

    def metric(self, collection: str, metric: str) -> MetricSnapshot:
        """Read all groups of a metric of the served generation, and its total, in one consistent step.

        Raises:
            NotFoundError: No such metric is configured.
            TargetError: The server does not answer, or no generation that has the metric is served yet.
        """
        self._check_metric(collection, metric)
        while True:
            with self._server.answering():
                served = self._client.hget(collection_key(collection), "serving")
                if served is None:
                    raise _not_served(collection, metric)
                generation = Generation(collection, int(served))
                again, stored, state = self._read(generation, metric)
            if again == served and stored is not None:
                return _snapshot(generation, metric, load_metrics(stored), state, self._clock())

    def _read(self, generation: Generation, metric: str) -> tuple[bytes | None, bytes | None, Mapping[bytes, bytes]]:
        """Read in one step which generation is served, what a generation counts, and the state of one metric."""
        with self._client.pipeline(transaction=True) as step:
            step.hmget(collection_key(generation.collection), ["serving", f"metrics:{generation.number}"])
            step.hgetall(metric_key(generation, metric))
            (served, stored), state = step.execute()
        return served, stored, state

    @asynccontextmanager
    async def listen(self, topics: Sequence[str]) -> AsyncIterator[AsyncIterator[LiveEvent]]:
        """Hear the changes of topics from the moment the context is entered.

        Raises:
            NotFoundError: A topic names nothing that is configured.
            TargetError: The server does not answer; raised by the iterator when it was cut off, or when another
                generation is served and what was read of the metric before is void.
        """
        for topic in topics:
            self._check_topic(topic)
        channels = {live_channel(topic).encode(): topic for topic in topics}
        client = self._server.async_client()
        try:
            async with client.pubsub() as subscriber:
                await self._subscribe(subscriber, channels)
                yield self._events(subscriber, channels)
        finally:
            await client.aclose()

    async def _subscribe(self, subscriber: PubSub, channels: Mapping[bytes, str]) -> None:
        try:
            await subscriber.subscribe(*channels)
        except (RedisError, OSError) as error:
            raise self._server.failure(error) from error
        missing = set(channels)
        while missing:
            message = await self._next(subscriber)
            if message["type"] == "subscribe":
                missing.remove(message["channel"])

    async def _events(self, subscriber: PubSub, channels: Mapping[bytes, str]) -> AsyncIterator[LiveEvent]:
        while True:
            message = await self._next(subscriber)
            if message["type"] != "message":
                continue
            topic = channels[message["channel"]]
            if message["data"] == REPLACED:
                raise TargetError(f"{topic} is served from another build now.", hint=_ANEW)
            revision, _, payload = message["data"].partition(b" ")
            yield LiveEvent(topic, int(revision), payload)

    async def _next(self, subscriber: PubSub) -> Mapping[str, Any]:
        try:
            message: Mapping[str, Any] | None = await subscriber.get_message(timeout=HEARTBEAT_SECONDS)
            if message is None:
                await subscriber.ping()
                message = await subscriber.get_message(timeout=HEARTBEAT_SECONDS)
        except (RedisError, OSError) as error:
            raise self._server.failure(error) from error
        if message is None:
            raise TargetError(f"The metrics server {self._server.name} went silent.", hint=_ANEW)
        return message

    def _check_topic(self, topic: str) -> None:
        kind, _, name = topic.partition(":")
        collection, _, metric = name.partition(".")
        if kind == "metric":
            self._check_metric(collection, metric)
        elif kind != "collection" or name not in self._collections:
            raise NotFoundError(
                f"There is no topic {topic!r}.", hint="Write metric:COLLECTION.METRIC or collection:COLLECTION."
            )

    def _check_metric(self, collection: str, metric: str) -> None:
        config = self._collections.get(collection)
        if config is None:
            raise NotFoundError(
                f"There is no collection {collection!r}.", hint=f"There are: {', '.join(self._collections)}."
            )
        if metric not in config.metrics:
            known = ", ".join(config.metrics) or "none"
            raise NotFoundError(f"There is no metric {metric!r} in {collection}.", hint=f"There are: {known}.")


def _not_served(collection: str, metric: str) -> TargetError:
    return TargetError(
        f"Metric {collection}.{metric} is still being built.", hint="Its progress: dynalens status --watch"
    )


def _snapshot(
    generation: Generation, name: str, metrics: Mapping[str, MetricConfig], state: Mapping[bytes, bytes], now: float
) -> MetricSnapshot:
    metric = metrics.get(name)
    if metric is None:
        raise _not_served(generation.collection, name)
    groups: dict[bytes, dict[bytes, bytes]] = defaultdict(dict)
    for field, value in state.items():
        part, colon, group = field.partition(b":")
        if colon:
            groups[group][part] = value
    total = groups.pop(TOTAL.encode(), {})
    shown = values(metric)
    return MetricSnapshot(
        collection=generation.collection,
        metric=name,
        groups=[_group(metric, shown, group, groups[group]) for group in _kept(metric, groups, state, now)],
        total=_group(metric, shown, None, total) if metric.total else None,
        revision=int(state.get(b"revision", b"0")),
    )


def _kept(metric: MetricConfig, groups: Iterable[bytes], state: Mapping[bytes, bytes], now: float) -> list[bytes]:
    """Give the groups in their order, without those that nobody has come to forget yet."""
    bounds = buckets(metric)
    if bounds is None:
        return sorted(groups)
    horizon = max(state.get(b"horizon", b""), bounds.horizon(now))
    return sorted(group for group in groups if group[:1] != b'"' or group[: len(horizon)] >= horizon)


def _group(
    metric: MetricConfig, shown: Sequence[Value], group: bytes | None, held: Mapping[bytes, bytes]
) -> MetricGroup:
    fragments = () if group is None else group.split(FRAGMENT_END)
    return MetricGroup(
        group=dict(zip(metric.members, fragments, strict=False)),
        values={value.name: _text(value, held) for value in shown},
        exact=held.get(b"x", b"0") == b"0",
    )


def _text(value: Value, held: Mapping[bytes, bytes]) -> str:
    if value.stored:
        return held.get(value.stored.encode(), value.nothing.encode()).decode()
    if value.kind == "count":
        return held.get(b"n", b"0").decode()
    digits = held.get(b"s%d" % value.place, b"0").decode()
    if value.kind == "sum":
        return decimal_text(digits, value.decimals)
    return average_text(digits, held.get(b"s%d" % value.numbers, b"0").decode(), value.decimals)


def average_text(digits: str, numbers: str, decimals: int) -> str:
    """Write an average as JSON, in 15 digits, rounded to a double at each step as `lua/library.lua` does.

    Args:
        digits: The sum, a scaled integer.
        numbers: How many numbers were summed; `null` is the average of none.
        decimals: The sum's scale.
    """
    return "null" if numbers == "0" else f"{float(digits) / float(numbers) / float(f'1e{decimals}'):.15g}"


def decimal_text(digits: str, decimals: int) -> str:
    """Write a scaled integer as a plain JSON number: `6050` with 2 decimals is `60.5`."""
    if not decimals:
        return digits
    sign, digits = ("-", digits[1:]) if digits.startswith("-") else ("", digits)
    digits = digits.zfill(decimals + 1)
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}".rstrip("0").rstrip(".")
