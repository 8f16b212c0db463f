"""The hub with its topics, in the test's own event loop; a viewer is asked for its frames as a connection would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from dynalens.errors import BusyError, DynalensError, TargetError
from dynalens.server import freshness, live, topic
from dynalens.server.live import Hub, Viewer
from dynalens.server.ring import Ring
from dynalens.server.topic import Snapshot, Topic, render
from tests.fakes import FakeMetrics
from tests.serving import until

METRIC = "metric:donations.by_platform"
COLLECTION = "collection:donations"
ROOM = 1 << 20

Event = tuple[str, str, Any]


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let attempts follow each other quickly."""
    monkeypatch.setattr(topic, "_FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(topic, "_LONGEST_PAUSE_SECONDS", 0.02)
    monkeypatch.setattr(freshness, "FRESH_SECONDS", 0.01)


class Scene:
    """A hub over a fake target, whose snapshots say at which revision they were read."""

    def __init__(self) -> None:
        self.target = FakeMetrics()
        self.hub = Hub(self.target, self.snapshot, self.freshness)
        self.before_answer: Callable[[], Awaitable[None]] | None = None
        """Happens between the read of a snapshot and its arrival."""
        self.snapshots = 0
        self.asked = 0
        """How often it was asked how fresh the collection is."""
        self.unknown: DynalensError | None = None
        """Why that cannot be said."""

    async def snapshot(self, collection: str, metric: str) -> Snapshot:
        self.snapshots += 1
        read = self.target.metric(collection, metric)
        if self.before_answer is not None:
            await self.before_answer()
        return Snapshot(read.revision, b'{"at":%d}' % read.revision)

    async def freshness(self, collection: str) -> bytes:
        self.asked += 1
        if self.unknown is not None:
            raise self.unknown
        return b'{"of":"%s","asked":%d}' % (collection.encode(), self.asked)

    @property
    def heard(self) -> Topic:
        """The metric's topic, while somebody watches it."""
        heard = self.hub.topics[METRIC]
        assert isinstance(heard, Topic)
        return heard

    def change(self, *, lost: bool = False, on: str = METRIC) -> int:
        revision = self.target.revisions[on] + 1
        return self.target.publish(on, b'{"is":%d}' % revision, lost=lost)

    async def join(self, *names: str) -> Viewer:
        viewer = self.hub.join(names)
        await until(lambda: all(self.target.listeners(name) for name in names))
        return viewer


def play(scenario: Callable[[Scene], Coroutine[Any, Any, None]]) -> None:
    async def played() -> None:
        scene = Scene()
        async with asyncio.timeout(30):
            await scenario(scene)

    asyncio.run(played())


async def taken(viewer: Viewer, number: int) -> list[Event]:
    """Take frames until there are so many events."""
    events: list[Event] = []
    while len(events) < number:
        viewer.wake.clear()
        frames = viewer.take(ROOM)
        events += [event for frame in frames for event in parsed(frame)]
        if not frames:
            await viewer.wake.wait()
    return events


async def nothing(viewer: Viewer) -> None:
    """See that there is nothing to take, even after the loop ran for a while."""
    for _ in range(10):
        await asyncio.sleep(0)
        assert viewer.take(ROOM) == []


def parsed(frame: bytes) -> list[Event]:
    events = []
    for block in frame.decode().split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        events.append((fields["event"], fields.get("id", ""), json.loads(fields["data"])))
    return events


def snapshot(at: int) -> Event:
    return ("snapshot", f"{METRIC}:{at}", {"at": at})


def change(revision: int) -> Event:
    return ("change", f"{METRIC}:{revision}", {"is": revision})


def document(revision: int) -> Event:
    return ("document", f"{COLLECTION}:{revision}", {"is": revision})


def lagged(missed: int | None) -> Event:
    return ("lagged", "", {"collection": "donations", "missed": missed})


# In order.


def test_a_metric_begins_with_a_snapshot_and_goes_on_with_each_change() -> None:
    async def scenario(scene: Scene) -> None:
        scene.change()
        viewer = await scene.join(METRIC)
        assert await taken(viewer, 1) == [snapshot(1)]
        scene.change()
        scene.change()
        assert await taken(viewer, 2) == [change(2), change(3)]
        await nothing(viewer)

    play(scenario)


def test_a_collection_begins_with_the_next_document() -> None:
    async def scenario(scene: Scene) -> None:
        scene.change(on=COLLECTION)
        viewer = await scene.join(COLLECTION)
        await nothing(viewer)
        scene.change(on=COLLECTION)
        assert await taken(viewer, 1) == [document(2)]
        late = await scene.join(COLLECTION)
        scene.change(on=COLLECTION)
        assert await taken(late, 1) == [document(3)]
        assert await taken(viewer, 1) == [document(3)]

    play(scenario)


def test_one_viewer_may_watch_several_topics() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC, COLLECTION)
        assert await taken(viewer, 1) == [snapshot(0)]
        scene.change(on=COLLECTION)
        scene.change()
        assert sorted(await taken(viewer, 2)) == [change(1), document(1)]

    play(scenario)


# Subscribe first, then snapshot.


def test_a_change_between_the_snapshots_read_and_its_arrival_follows_it() -> None:
    async def scenario(scene: Scene) -> None:
        async def meanwhile() -> None:
            scene.change()
            scene.change()
            await until(lambda: scene.heard._ring.last == 2)

        scene.before_answer = meanwhile
        viewer = await scene.join(METRIC)
        assert await taken(viewer, 3) == [snapshot(0), change(1), change(2)]

    play(scenario)


def test_a_change_that_the_snapshot_holds_already_is_not_repeated_when_it_arrives_late() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC)
        scene.target.revisions[METRIC] = 5  # made already, heard in a moment
        assert await taken(viewer, 1) == [snapshot(5)]
        scene.target.revisions[METRIC] = 3
        for _ in range(3):  # 4, 5 and 6
            scene.change()
        assert await taken(viewer, 1) == [change(6)]

    play(scenario)


def test_one_snapshot_serves_all_who_come_while_the_ring_continues_it() -> None:
    async def scenario(scene: Scene) -> None:
        first = await scene.join(METRIC)
        await taken(first, 1)
        scene.change()
        await taken(first, 1)
        for _ in range(50):
            viewer = await scene.join(METRIC)
            assert await taken(viewer, 2) == [snapshot(0), change(1)]
        assert scene.snapshots == 1

    play(scenario)


def test_viewers_who_come_together_share_one_read() -> None:
    async def scenario(scene: Scene) -> None:
        viewers = [await scene.join(METRIC) for _ in range(20)]
        assert [await taken(viewer, 1) for viewer in viewers] == [[snapshot(0)]] * 20
        assert scene.snapshots == 1

    play(scenario)


# Lost on the way.


def test_a_jump_in_revisions_is_answered_with_a_new_snapshot() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC)
        await taken(viewer, 1)
        scene.change()
        assert await taken(viewer, 1) == [change(1)]
        scene.change(lost=True)
        scene.change()
        assert await taken(viewer, 1) == [snapshot(3)]
        scene.change()
        assert await taken(viewer, 1) == [change(4)]

    play(scenario)


def test_a_jump_tells_viewers_of_a_collection_how_many_documents_they_missed() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(COLLECTION)
        scene.change(on=COLLECTION)
        await taken(viewer, 1)
        scene.change(on=COLLECTION, lost=True)
        scene.change(on=COLLECTION, lost=True)
        scene.change(on=COLLECTION)
        assert await taken(viewer, 2) == [lagged(2), document(4)]

    play(scenario)


def test_revisions_that_step_back_begin_anew() -> None:
    async def scenario(scene: Scene) -> None:
        for _ in range(100):
            scene.change()
        viewer = await scene.join(METRIC, COLLECTION)
        assert await taken(viewer, 1) == [snapshot(100)]
        scene.change()
        scene.change(on=COLLECTION)
        await taken(viewer, 2)
        scene.target.forget_revisions()
        scene.change()
        assert await taken(viewer, 1) == [snapshot(1)]
        scene.change()
        assert await taken(viewer, 1) == [change(2)]
        scene.change(on=COLLECTION)
        assert await taken(viewer, 2) == [lagged(None), document(1)]

    play(scenario)


def test_a_snapshot_older_than_what_was_heard_before_it_was_read_begins_anew() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC)
        await taken(viewer, 1)
        for _ in range(10):
            scene.change()
        await taken(viewer, 10)
        scene.heard._snapshot = None
        scene.target.forget_revisions()
        late = await scene.join(METRIC)
        assert await taken(late, 1) == [snapshot(0)]
        assert await taken(viewer, 1) == [snapshot(0)]
        scene.change()
        assert await taken(viewer, 1) == [change(1)]

    play(scenario)


def test_a_snapshot_read_before_revisions_began_anew_is_thrown_away() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC)
        await taken(viewer, 1)
        for _ in range(10):
            scene.change()
        await taken(viewer, 10)
        scene.heard._snapshot = None

        async def meanwhile() -> None:
            scene.before_answer = None
            scene.target.forget_revisions()
            scene.change()
            await until(lambda: scene.heard._ring.last == 1)

        scene.before_answer = meanwhile
        late = await scene.join(METRIC)
        assert await taken(late, 1) == [snapshot(1)]
        scene.change()
        assert await taken(late, 1) == [change(2)]

    play(scenario)


# Slow viewers.


@pytest.fixture
def small_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep three frames or so."""
    monkeypatch.setattr(topic, "Ring", lambda: Ring(200))


@pytest.mark.usefixtures("small_ring")
def test_a_viewer_that_fell_behind_the_ring_gets_the_current_snapshot() -> None:
    async def scenario(scene: Scene) -> None:
        slow, quick = await scene.join(METRIC), await scene.join(METRIC)
        await taken(slow, 1)
        await taken(quick, 1)
        for revision in range(1, 101):
            scene.change()
            assert await taken(quick, 1) == [change(revision)]
        assert await taken(slow, 1) == [snapshot(100)]
        scene.change()
        assert await taken(slow, 1) == [change(101)]

    play(scenario)


@pytest.mark.usefixtures("small_ring")
def test_a_viewer_that_fell_behind_a_collection_is_told_how_many_documents_it_missed() -> None:
    async def scenario(scene: Scene) -> None:
        slow = await scene.join(COLLECTION)
        scene.change(on=COLLECTION)
        await taken(slow, 1)
        quick = await scene.join(COLLECTION)
        for _ in range(100):
            scene.change(on=COLLECTION)
            await taken(quick, 1)
        begun, *rest = await taken(slow, 2)
        assert begun == lagged(101 - 1 - len(rest))
        assert rest[-1] == document(101)

    play(scenario)


@pytest.mark.usefixtures("small_ring")
def test_a_snapshot_that_changes_outran_is_read_again() -> None:
    async def scenario(scene: Scene) -> None:
        async def burst() -> None:
            if scene.snapshots < 3:
                for _ in range(50):
                    scene.change()
                await until(lambda: scene.heard._ring.last == scene.target.revisions[METRIC])

        scene.before_answer = burst
        viewer = await scene.join(METRIC)
        assert await taken(viewer, 1) == [snapshot(100)]
        assert scene.snapshots == 3

    play(scenario)


def test_room_limits_what_is_taken_at_once_and_nothing_is_left_out() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC)
        await taken(viewer, 1)
        for _ in range(100):
            scene.change()
        await until(lambda: scene.heard._ring.last == 100)
        first = viewer.take(300)
        assert 300 <= sum(map(len, first)) < 400
        rest = await taken(viewer, 100 - len(first))
        assert [event for frame in first for event in parsed(frame)] + rest == [change(n) for n in range(1, 101)]

    play(scenario)


# Cut off.


def test_a_cut_is_told_with_its_reason_and_ended_by_a_new_snapshot() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC, COLLECTION)
        await taken(viewer, 1)
        scene.change()
        await taken(viewer, 1)
        scene.target.unreachable = TargetError("Valkey is gone.", hint="Start it.")
        scene.target.cut(scene.target.unreachable)
        error = {"code": "target", "message": "Valkey is gone.", "hint": "Start it."}
        stale = [
            ("stale", "", {"collection": "donations", "error": error}),
            ("stale", "", {"metric": "donations.by_platform", "error": error}),
        ]
        assert sorted(await taken(viewer, 2), key=str) == stale
        scene.change(lost=True)
        await nothing(viewer)
        late = scene.hub.join([METRIC])
        assert await taken(late, 1) == [stale[1]]
        scene.target.unreachable = None
        assert sorted(await taken(viewer, 2)) == [lagged(None), snapshot(2)]
        assert await taken(late, 1) == [snapshot(2)]
        scene.change()
        assert await taken(viewer, 1) == [change(3)]
        await nothing(await scene.join(COLLECTION))

    play(scenario)


def test_a_target_that_ends_quietly_counts_as_cut() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC)
        await taken(viewer, 1)
        scene.target.cut(StopAsyncIteration())
        stale, again = await taken(viewer, 2)
        assert stale[0] == "stale"
        assert again == snapshot(0)

    play(scenario)


def test_an_unexpected_failure_to_listen_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        viewer = await scene.join(METRIC)
        await taken(viewer, 1)
        scene.target.cut(ZeroDivisionError("secret"))
        stale, again = await taken(viewer, 2)
        assert "secret" not in str(stale)
        assert again == snapshot(0)

    play(scenario)
    assert "secret" in caplog.text


def test_a_snapshot_that_cannot_be_read_makes_viewers_stale_until_it_can() -> None:
    async def scenario(scene: Scene) -> None:
        early = await scene.join(METRIC)
        await taken(early, 1)
        scene.heard._snapshot = None
        scene.target.failure = TargetError("Valkey is loading.")
        viewer = scene.hub.join([METRIC])
        for watching in (viewer, early):
            [(kind, _, data)] = await taken(watching, 1)
            assert (kind, data["error"]["message"]) == ("stale", "Valkey is loading.")
        await until(lambda: scene.target.reads > 5)
        await nothing(viewer)
        scene.target.failure = None
        assert await taken(viewer, 1) == [snapshot(0)]
        assert await taken(early, 1) == [snapshot(0)]

    play(scenario)


def test_an_unexpected_failure_to_read_a_snapshot_is_logged_and_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario(scene: Scene) -> None:
        scene.target.failure = ZeroDivisionError("secret")
        viewer = scene.hub.join([METRIC])
        assert "secret" not in str(await taken(viewer, 1))
        scene.target.failure = None
        assert await taken(viewer, 1) == [snapshot(0)]

    play(scenario)
    assert "secret" in caplog.text


# Coming and going.


def test_a_topic_is_heard_once_and_while_somebody_watches_it() -> None:
    async def scenario(scene: Scene) -> None:
        one, two = await scene.join(METRIC, COLLECTION), await scene.join(METRIC)
        assert scene.target.listeners(METRIC) == 1
        scene.hub.leave(one)
        await until(lambda: scene.target.listeners(COLLECTION) == 0)
        assert scene.target.listeners(METRIC) == 1
        scene.hub.leave(two)
        await until(lambda: scene.target.listeners(METRIC) == 0)
        assert (scene.hub.topics, scene.hub.viewers, scene.hub._heart) == ({}, set(), None)
        again = await scene.join(METRIC)
        assert await taken(again, 1) == [snapshot(0)]

    play(scenario)


def test_a_viewer_too_many_is_refused_with_the_limit() -> None:
    async def scenario(scene: Scene) -> None:
        scene.hub.limit = 2
        first = scene.hub.join([METRIC])
        scene.hub.join([METRIC])
        with pytest.raises(BusyError, match="limit: 2"):
            scene.hub.join([METRIC])
        scene.hub.leave(first)
        scene.hub.join([METRIC])

    play(scenario)


def test_a_topic_too_many_is_refused_with_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(scene: Scene) -> None:
        monkeypatch.setattr(live, "TOPICS", 2)
        scene.hub.join([METRIC, COLLECTION])
        with pytest.raises(BusyError, match="limit: 2"):
            scene.hub.join([METRIC, "collection:users"])
        scene.hub.join([METRIC])

    play(scenario)


def test_closed_it_ends_all_viewers_and_takes_no_more() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = scene.hub.join([METRIC])
        scene.hub.close()
        assert viewer.closed
        assert viewer.wake.is_set()
        with pytest.raises(BusyError, match="stopping"):
            scene.hub.join([METRIC])

    play(scenario)


def test_quiet_viewers_are_reminded_of_a_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(scene: Scene) -> None:
        monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.01)
        viewer = scene.hub.join([COLLECTION])
        await until(lambda: viewer.beat and viewer.wake.is_set())

    play(scenario)


def test_a_payload_on_several_lines_stays_one_event() -> None:
    assert render("change", "x:1", b'{\r\n"a":\n1}') == b'event: change\nid: x:1\ndata: {  "a": 1}\n\n'


# How fresh it is.

FRESH = "fresh:donations"


def fresh(asked: int) -> Event:
    return ("fresh", "", {"of": "donations", "asked": asked})


def test_a_viewer_hears_again_and_again_how_fresh_a_collection_is() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = scene.hub.join([FRESH])
        words = await taken(viewer, 3)
        asked = [data["asked"] for _, _, data in words]
        assert words == [fresh(number) for number in asked]
        assert asked == sorted(set(asked)), "each word is newer than the one before"
        assert viewer.take(ROOM) == [], "no word twice"

    play(scenario)


def test_viewers_of_one_collection_share_its_words_and_a_new_one_gets_the_newest_at_once() -> None:
    async def scenario(scene: Scene) -> None:
        first = scene.hub.join([FRESH])
        await taken(first, 2)
        second = scene.hub.join([FRESH])
        assert [parsed(frame) for frame in second.take(ROOM)] == [[fresh(scene.asked)]]
        assert len(scene.hub.topics) == 1

    play(scenario)


def test_what_is_not_known_is_not_said() -> None:
    async def scenario(scene: Scene) -> None:
        scene.unknown = TargetError("The store is away.")
        viewer = scene.hub.join([FRESH])
        await until(lambda: scene.asked > 2)
        assert viewer.take(ROOM) == []
        scene.unknown = None
        [(event, _, _)] = await taken(viewer, 1)
        assert event == "fresh"
        scene.unknown = TargetError("Away again.")
        asked = scene.asked
        await until(lambda: scene.asked > asked + 1)
        assert viewer.take(ROOM) == [], "an older word is no longer true"

    play(scenario)


def test_nobody_is_asked_for_viewers_who_left() -> None:
    async def scenario(scene: Scene) -> None:
        viewer = scene.hub.join([FRESH])
        await taken(viewer, 1)
        scene.hub.leave(viewer)
        assert scene.hub.topics == {}
        await nothing(viewer)

    play(scenario)
