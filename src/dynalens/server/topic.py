"""One metric or collection that somebody watches: heard once, rendered once, read by every viewer.

A metric's topic listens first and reads the snapshot after that, so that no change falls between the two. Revisions
rise by one: where some were left out, changes were lost on the way, and where they step back they are counted anew.
Either way viewers start over, from a new snapshot or with the number of documents that they missed.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from dynalens.errors import DynalensError, TargetError
from dynalens.server.ring import Ring
from dynalens.target import LiveEvent, MetricReader

logger = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS = 0.2
_LONGEST_PAUSE_SECONDS = 5.0


class Snapshot(NamedTuple):
    """A metric rendered as JSON, at one revision."""

    revision: int
    json: bytes


@dataclass(slots=True)
class Place:
    """Where one viewer stands in one topic: all that is kept of it.

    Attributes:
        era: Counts how often the topic began anew; a revision means nothing in another era. -1: not in step yet.
        revision: The newest revision that the viewer has; None before anything was heard.
        cuts: The newest cut that the viewer knows of.
    """

    era: int = -1
    revision: int | None = None
    cuts: int = 0


class Topic:
    """One topic with its subscription, its ring and, for a metric, its newest snapshot.

    Args:
        name: `metric:{collection}.{metric}` or `collection:{collection}`.
        target: Where it is heard.
        snapshot: Reads a metric's snapshot; None for a collection, which has none.

    Attributes:
        sleepers: What is set when there is something new to read.
    """

    def __init__(
        self, name: str, *, target: MetricReader, snapshot: Callable[[], Awaitable[Snapshot]] | None = None
    ) -> None:
        self.name = name
        self.sleepers: set[asyncio.Event] = set()
        self._kind, _, self._subject = name.partition(":")
        self._target = target
        self._read_snapshot = snapshot
        self._ring = Ring()
        self._era = 0
        self._origin: int | None = None  # the revision before the first one heard in this era
        self._snapshot: tuple[int, bytes] | None = None
        self._listening = False
        self._stale: bytes | None = None
        self._cuts = 0
        self._following: asyncio.Task[None] | None = None
        self._renewing: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin to listen."""
        self._following = asyncio.create_task(self._follow(), name=f"follow {self.name}")

    def close(self) -> None:
        """Stop listening, as soon as the event loop comes to it."""
        for task in (self._following, self._renewing):
            if task is not None:
                task.cancel()

    # What viewers do.

    def enter(self) -> Place:
        """Give a new viewer its place: a metric begins with a snapshot, a collection with the next document."""
        if self._read_snapshot is not None:
            return Place()
        return Place(era=self._era, revision=self._ring.last)

    def read(self, place: Place, room: int) -> list[bytes]:
        """Give what is new for a viewer, all or at least `room` bytes of it, and move its place."""
        frames: list[bytes] = []
        if self._stale is not None and place.cuts != self._cuts:
            place.cuts = self._cuts
            frames.append(self._stale)
        if not self._in_step(place):
            beginning = self._begin(place)
            if beginning is None:
                return frames
            frames.append(beginning)
        if place.revision is not None:
            news = self._ring.after(place.revision, room)
            place.revision += len(news)
            frames += news
        return frames

    def _in_step(self, place: Place) -> bool:
        if place.era != self._era:
            return False
        if place.revision is None:
            place.revision = self._origin
        return place.revision is None or self._ring.continues(place.revision)

    def _begin(self, place: Place) -> bytes | None:
        """Put a place in step and give the frame that says so; None while there is none to give."""
        if self._read_snapshot is None:
            return self._begin_collection(place)
        if self._snapshot is None or not self._ring.continues(self._snapshot[0]):
            self._renew()
            return None
        place.era = self._era
        place.revision, beginning = self._snapshot
        return beginning

    def _begin_collection(self, place: Place) -> bytes | None:
        if not self._listening:
            return None
        before, missed = self._ring.before, None
        if place.era == self._era and place.revision is not None and before is not None:
            missed = before - place.revision
        place.era, place.revision = self._era, before
        return render("lagged", None, orjson.dumps({"collection": self._subject, "missed": missed}))

    # What the target says.

    async def _follow(self) -> None:
        attempts = pauses()
        while True:
            try:
                async with self._target.listen([self.name]) as events:
                    attempts = pauses()
                    self._opened()
                    async for event in events:
                        self._hear(event)
                cut: DynalensError = TargetError("The target ended the subscription.")
            except DynalensError as error:
                cut = error
            except Exception:
                logger.exception("Listening to %s failed.", self.name)
                cut = _unexpected()
            self._cut(cut)
            await asyncio.sleep(next(attempts))

    def _opened(self) -> None:
        self._listening = True
        self._stale = None
        self._rouse()

    def _hear(self, event: LiveEvent) -> None:
        if self._ring.last is not None and event.revision <= self._ring.last:
            self._restart()
        if self._origin is None:
            self._origin = event.revision - 1
        kind = "change" if self._read_snapshot is not None else "document"
        self._ring.add(event.revision, render(kind, f"{self.name}:{event.revision}", event.payload))
        self._rouse()

    def _cut(self, cut: DynalensError) -> None:
        self._listening = False
        if self._renewing is not None:
            self._renewing.cancel()
        self._restart()
        self._tell_stale(cut)

    def _tell_stale(self, cut: DynalensError) -> None:
        """Tell viewers once, however often the next attempts fail."""
        if self._stale is None:
            self._cuts += 1
        error = {"code": cut.code, "message": cut.message, "hint": cut.hint}
        self._stale = render("stale", None, orjson.dumps({self._kind: self._subject, "error": error}))
        self._rouse()

    def _restart(self) -> None:
        self._era += 1
        self._ring.clear()
        self._origin = None
        self._snapshot = None

    def _rouse(self) -> None:
        for sleeper in self.sleepers:
            sleeper.set()

    # A metric's snapshot: read once for all who need one.

    def _renew(self) -> None:
        if self._listening and (self._renewing is None or self._renewing.done()):
            self._renewing = asyncio.create_task(self._renew_until_it_fits(), name=f"snapshot of {self.name}")

    async def _renew_until_it_fits(self) -> None:
        for pause in pauses():
            era, heard = self._era, self._ring.last
            try:
                fits = self._fit(await self._snapshot_now(), era, heard)
            except DynalensError as error:
                fits = False
                if self._stale is None:
                    # Whoever is in step now must get a snapshot too, or would look stale until the next change.
                    self._restart()
                self._tell_stale(error)
            if fits:
                return
            await asyncio.sleep(pause)

    async def _snapshot_now(self) -> Snapshot:
        assert self._read_snapshot is not None  # noqa: S101 - only metrics renew
        try:
            return await self._read_snapshot()
        except DynalensError:
            raise
        except Exception as error:
            logger.exception("Reading a snapshot of %s failed.", self.name)
            raise _unexpected() from error

    def _fit(self, snapshot: Snapshot, era: int, heard: int | None) -> bool:
        """Take a snapshot that the ring continues; `era` and `heard` are of the moment before it was read."""
        if era != self._era:
            return False
        if heard is not None and snapshot.revision < heard:
            self._restart()  # revisions are counted anew: what was heard before counts no more
        if not self._ring.continues(snapshot.revision):
            return False  # changes came faster than the snapshot, and the ring dropped some
        frame = render("snapshot", f"{self.name}:{snapshot.revision}", snapshot.json)
        self._snapshot = (snapshot.revision, frame)
        self._stale = None
        self._rouse()
        return True


def render(event: str, event_id: str | None, data: bytes) -> bytes:
    """Render one event, `data` being JSON on as many lines as it likes."""
    if b"\n" in data or b"\r" in data:
        # JSON has line breaks between its tokens only; in a frame they would end the field.
        data = data.replace(b"\r", b" ").replace(b"\n", b" ")
    identity = b"id: %b\n" % event_id.encode() if event_id is not None else b""
    return b"event: %b\n%bdata: %b\n\n" % (event.encode(), identity, data)


def pauses() -> Iterator[float]:
    """Give pauses between attempts, in seconds: twice as long each time, up to a limit, with jitter."""
    pause = _FIRST_PAUSE_SECONDS
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
        pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _unexpected() -> TargetError:
    return TargetError("Reading the target failed unexpectedly.", hint="The server's log has the details.")
