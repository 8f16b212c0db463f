"""Live events: who watches which topics.

A viewer is no more than its place in each topic, so it costs the same whether it keeps up or not. Topics are heard
while somebody watches them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Protocol

from dynalens.errors import BusyError
from dynalens.server.freshness import Freshness
from dynalens.server.limits import HEARTBEAT_SECONDS, TOPICS, VIEWERS
from dynalens.server.topic import Place, Snapshot, Topic
from dynalens.target import MetricReader


class Watched(Protocol):
    """What a viewer can watch: a `Topic`, or the `Freshness` of a collection."""

    name: str
    sleepers: set[asyncio.Event]

    def open(self) -> None:
        """Begin to hear what there is."""
        ...

    def close(self) -> None:
        """Stop, as soon as the event loop comes to it."""
        ...

    def enter(self) -> Place:
        """Give a new viewer its place."""
        ...

    def read(self, place: Place, room: int) -> list[bytes]:
        """Give what is new for a viewer, all or at least `room` bytes of it, and move its place."""
        ...


class Viewer:
    """One connection and what it watches.

    Attributes:
        wake: Set when there may be something to take, a heartbeat is due, or the stream is to end.
        beat: A heartbeat is due.
        closed: The stream is to end.
    """

    def __init__(self, places: dict[Watched, Place]) -> None:
        self.places = places
        self.wake = asyncio.Event()
        self.beat = False
        self.closed = False

    def take(self, room: int) -> list[bytes]:
        """Take what is new: all, or at least `room` bytes of it; empty when the viewer has everything."""
        return [frame for topic, place in self.places.items() for frame in topic.read(place, room)]

    def remind(self) -> None:
        """Have a heartbeat sent, unless something else is."""
        self.beat = True
        self.wake.set()

    def close(self) -> None:
        """End the stream after what is being sent."""
        self.closed = True
        self.wake.set()


class Hub:
    """All viewers and topics of one process. Lives in one event loop.

    Args:
        target: Where topics are heard.
        snapshot: Reads and renders a metric, by collection and name.
        freshness: Reads and renders how old what is seen of a collection may be, by its name.

    Attributes:
        limit: Viewers at once.
        viewers: Those there are now.
        topics: What they watch, by name.
    """

    def __init__(
        self,
        target: MetricReader,
        snapshot: Callable[[str, str], Awaitable[Snapshot]],
        freshness: Callable[[str], Awaitable[bytes]],
    ) -> None:
        self._target = target
        self._snapshot = snapshot
        self._freshness = freshness
        self._heart: asyncio.Task[None] | None = None
        self._closed = False
        self.limit = VIEWERS
        self.topics: dict[str, Watched] = {}
        self.viewers: set[Viewer] = set()

    def join(self, names: Sequence[str]) -> Viewer:
        """Let a viewer watch topics, named as by `LiveEvent.topic`, and `fresh:{collection}`.

        Raises:
            BusyError: There are as many viewers or topics as there may be, or the server is stopping.
        """
        self._require_room(names)
        topics = [self.topics.get(name) or self._open(name) for name in names]
        viewer = Viewer({topic: topic.enter() for topic in topics})
        for topic in topics:
            topic.sleepers.add(viewer.wake)
        self.viewers.add(viewer)
        if self._heart is None:
            self._heart = asyncio.create_task(self._beat(), name="heartbeat")
        return viewer

    def leave(self, viewer: Viewer) -> None:
        """Let a viewer go; topics that nobody watches any more are closed."""
        self.viewers.discard(viewer)
        for topic in viewer.places:
            topic.sleepers.discard(viewer.wake)
            if not topic.sleepers:
                topic.close()
                del self.topics[topic.name]
        if not self.viewers and self._heart is not None:
            self._heart.cancel()
            self._heart = None

    def close(self) -> None:
        """End all streams and let nobody join any more."""
        self._closed = True
        for viewer in self.viewers:
            viewer.close()

    def _require_room(self, names: Sequence[str]) -> None:
        if self._closed:
            raise BusyError("The server is stopping.", hint="Try again in a second.")
        if len(self.viewers) >= self.limit:
            raise BusyError(
                f"There are {self.limit} viewers of live events already (limit: {self.limit}).",
                hint="Close some, or start another server.",
            )
        if len({*self.topics, *names}) > TOPICS:
            raise BusyError(
                f"Too many metrics and collections are watched at once (limit: {TOPICS}).",
                hint="Watch fewer of them, or start another server.",
            )

    def _open(self, name: str) -> Watched:
        topic = self._made(name)
        self.topics[name] = topic
        topic.open()
        return topic

    def _made(self, name: str) -> Watched:
        kind, _, subject = name.partition(":")
        if kind == "fresh":
            return Freshness(name, partial(self._freshness, subject))
        read = partial(self._snapshot, *subject.split(".", 1)) if kind == "metric" else None
        return Topic(name, target=self._target, snapshot=read)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for viewer in self.viewers:
                viewer.remind()
