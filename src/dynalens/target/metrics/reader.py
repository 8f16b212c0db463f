"""Reading metrics: a consistent snapshot, and every change after it."""

from __future__ import annotations

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

State = Mapping[bytes, bytes]
"""The hash of a metric, as `lua/library.lua` says."""

_ANEW = "Read the metric and listen again."
_TOTAL = TOTAL.encode()


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

    def _read(self, generation: Generation, metric: str) -> tuple[bytes | None, bytes | None, State]:
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
    generation: Generation, name: str, metrics: Mapping[str, MetricConfig], state: State, now: float
) -> MetricSnapshot:
    metric = metrics.get(name)
    if metric is None:
        raise _not_served(generation.collection, name)
    shown = _Shown(metric, state)
    return MetricSnapshot(
        collection=generation.collection,
        metric=name,
        groups=[shown.group(group) for group in _kept(metric, _groups(state), state, now)],
        total=shown.total() if metric.total else None,
        revision=int(state.get(b"revision", b"0")),
    )


def _groups(state: State) -> list[bytes]:
    """Give the groups that a metric holds, as in `lua/library.lua`."""
    return [field[2:] for field in state if field.startswith(b"n:") and field != b"n:" + _TOTAL]


def _kept(metric: MetricConfig, groups: Iterable[bytes], state: State, now: float) -> list[bytes]:
    """Give the groups in their order, without those that nobody has come to forget yet."""
    bounds = buckets(metric)
    if bounds is None:
        return sorted(groups)
    horizon = max(state.get(b"horizon", b""), bounds.horizon(now))
    return sorted(group for group in groups if group[:1] != b'"' or group[: len(horizon)] >= horizon)


class _Shown:
    """Shows the groups of a metric's state. What all groups have in common is found out once: there may be many."""

    def __init__(self, metric: MetricConfig, state: State) -> None:
        self._state = state
        self._members = metric.members
        self._texts = [(value.name, _text_of(value)) for value in values(metric)]

    def group(self, group: bytes) -> MetricGroup:
        return self._shown(group, dict(zip(self._members, group.split(FRAGMENT_END), strict=False)))

    def total(self) -> MetricGroup:
        return self._shown(_TOTAL, {})

    def _shown(self, group: bytes, members: Mapping[str, bytes]) -> MetricGroup:
        return MetricGroup(
            group=members,
            values={name: text(self._state, group) for name, text in self._texts},
            exact=self._state.get(b"x:" + group, b"0") == b"0",
        )


def _text_of(value: Value) -> Callable[[State, bytes], str]:
    """Give how a value of a group is told, as JSON, from the state of its metric."""
    stored, nothing = f"{value.stored}:".encode(), value.nothing.encode()
    added, numbers, decimals = b"s%d:" % value.place, b"s%d:" % value.numbers, value.decimals
    match value.kind:
        case "count":
            return lambda state, group: state.get(b"n:" + group, b"0").decode()
        case "sum":
            return lambda state, group: decimal_text(state.get(added + group, b"0").decode(), decimals)
        case "avg":
            return lambda state, group: average_text(
                state.get(added + group, b"0").decode(), state.get(numbers + group, b"0").decode(), decimals
            )
    return lambda state, group: state.get(stored + group, nothing).decode()


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
