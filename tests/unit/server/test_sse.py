from __future__ import annotations

import asyncio

import pytest
from starlette.types import Message

from dynalens.errors import BusyError
from dynalens.server.limits import PIECE_BYTES
from dynalens.server.live import Hub
from dynalens.server.sse import HEARTBEAT, OPENING, LiveAnswer, pieces
from dynalens.server.topic import Snapshot, Topic
from tests.fakes import FakeMetrics
from tests.serving import until


@pytest.mark.parametrize(
    ("frames", "size", "expected"),
    [
        ([], 4, []),
        ([b"abc"], 4, [b"abc"]),
        ([b"ab", b"cd"], 4, [b"abcd"]),
        ([b"abcdefghij"], 4, [b"abcd", b"efgh", b"ij"]),
        ([b"abc", b"def", b"g"], 4, [b"abcd", b"efg"]),
    ],
)
def test_frames_are_joined_and_cut_into_pieces(frames: list[bytes], size: int, expected: list[bytes]) -> None:
    assert list(pieces(frames, size)) == expected


class Connection:
    """The ASGI side of one client, which may stop reading and may leave."""

    def __init__(self) -> None:
        self.sent: list[Message] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        await self.reading.wait()
        self.sent.append(message)

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.sent)


def hub(target: FakeMetrics, size: int = 10) -> Hub:
    async def snapshot(collection: str, metric: str) -> Snapshot:
        return Snapshot(target.metric(collection, metric).revision, b'"' + b"s" * size + b'"')

    async def freshness(collection: str) -> bytes:
        return b'"%s is fresh"' % collection.encode()

    return Hub(target, snapshot, freshness)


def stream(hub: Hub, connection: Connection, *names: str) -> asyncio.Task[None]:
    answer = LiveAnswer(lambda: hub.join(names), hub.leave)
    return asyncio.create_task(answer({"type": "http"}, connection.receive, connection.send))


def test_a_client_that_leaves_is_noticed_though_nothing_happens() -> None:
    async def scenario() -> None:
        shared, connection = hub(FakeMetrics()), Connection()
        task = stream(shared, connection, "collection:donations")
        await until(lambda: shared.viewers)
        connection.gone.set()
        await task
        assert shared.viewers == set()
        assert connection.body == OPENING

    asyncio.run(scenario())


def test_the_stream_opens_at_once_and_is_not_to_be_buffered() -> None:
    async def scenario() -> None:
        shared, connection = hub(FakeMetrics()), Connection()
        task = stream(shared, connection, "collection:donations")
        await until(lambda: connection.body)
        headers = dict(connection.sent[0]["headers"])
        assert headers[b"content-type"] == b"text/event-stream; charset=utf-8"
        assert headers[b"cache-control"] == b"no-cache"
        assert headers[b"x-accel-buffering"] == b"no"
        assert b"content-length" not in headers
        shared.close()
        await task
        assert connection.sent[-1] == {"type": "http.response.body", "body": b"", "more_body": False}

    asyncio.run(scenario())


def test_a_quiet_viewer_gets_a_heartbeat_and_a_busy_one_does_not() -> None:
    async def scenario() -> None:
        target, connection = FakeMetrics(), Connection()
        shared = hub(target)
        task = stream(shared, connection, "collection:donations")
        await until(lambda: target.listeners("collection:donations"))
        [viewer] = shared.viewers
        viewer.remind()
        await until(lambda: connection.body == OPENING + HEARTBEAT)
        viewer.beat = True
        target.publish("collection:donations", b"{}")
        await until(lambda: b"document" in connection.body)
        shared.close()
        await task
        assert connection.body.count(HEARTBEAT) == 1

    asyncio.run(scenario())


def test_a_client_that_stops_reading_is_handed_one_piece_however_large_the_frame() -> None:
    async def scenario() -> None:
        target, connection = FakeMetrics(), Connection()
        shared = hub(target, size=10 * PIECE_BYTES)
        task = stream(shared, connection, "metric:donations.by_platform")
        await until(lambda: b"snapshot" in connection.body)
        await until(lambda: connection.body.count(b"s") > 10 * PIECE_BYTES)
        assert max(len(message.get("body", b"")) for message in connection.sent) <= PIECE_BYTES
        connection.reading.clear()
        for _ in range(1000):
            target.publish("metric:donations.by_platform", b"{}")
        handed = len(connection.sent)
        heard = shared.topics["metric:donations.by_platform"]
        assert isinstance(heard, Topic)
        await until(lambda: heard._ring.last == 1000)
        assert len(connection.sent) == handed
        connection.reading.set()
        await until(lambda: b":1000\n" in connection.body)
        assert connection.body.count(b"event: change") == 1000
        shared.close()
        await task

    asyncio.run(scenario())


def test_what_joining_raises_comes_before_the_answer_begins() -> None:
    async def scenario() -> None:
        shared, connection = hub(FakeMetrics()), Connection()
        shared.close()
        with pytest.raises(BusyError):
            await stream(shared, connection, "collection:donations")
        assert connection.sent == []

    asyncio.run(scenario())


def test_a_client_lost_while_sending_leaves_the_hub() -> None:
    async def scenario() -> None:
        shared, connection = hub(FakeMetrics()), Connection()

        async def fail(message: Message) -> None:
            raise OSError(message["type"])

        answer = LiveAnswer(lambda: shared.join(["collection:donations"]), shared.leave)
        with pytest.raises(OSError, match="start"):
            await answer({"type": "http"}, connection.receive, fail)
        assert shared.viewers == set()

    asyncio.run(scenario())


def test_a_stream_that_is_cancelled_ends_like_any_other() -> None:
    async def scenario() -> None:
        shared, connection = hub(FakeMetrics()), Connection()
        task = stream(shared, connection, "collection:donations")
        await until(lambda: connection.body)
        task.cancel()
        await task
        assert connection.sent[-1]["more_body"] is False
        assert shared.viewers == set()

    asyncio.run(scenario())
