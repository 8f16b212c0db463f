"""Cells over `dynalens up` and those who watch it: fault 34."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from random import Random

import httpx2

from tests.faults.rig import Rig
from tests.faults.served import END_SECONDS, Held, ServedProcess
from tests.serving import Stream
from tests.waiting import observed

WATCHED = "metrics=donations.by_key&collections=donations"
RECONNECTS = 10_000
PART = 500
AT_ONCE = 50
ROOM = Held(descriptors=4, threads=2, resident_bytes=16 * 2**20)
"""What a process may hold more than before: allocators keep some of what was freed."""


def slow_viewers(rig: Rig) -> None:
    """Viewers that take nothing are let go, and nobody waits for them: another one sees every write meanwhile."""
    rig.load(1, 20)
    rig.start()
    rig.catch_up()
    with closing(rig.served.watch("collections=donations")) as quick:
        slow = [rig.served.watch(WATCHED, receive_buffer=4096) for _ in rig.rounds(1, 5)]
        observed(lambda: rig.served.viewers() == 1 + len(slow))

        def are_let_go() -> bool:
            texts = ["x" * rig.random.randint(20_000, 40_000) for _ in range(10)]
            written = [rig.writes.put(f"large-{key}", text={"S": text}) for key, text in enumerate(texts)]
            for operation in written:
                rig.perform(operation)
            _hear(quick, written[-1].number)
            return rig.served.viewers() == 1

        observed(are_let_go)
        for stream in slow:
            stream.close()
    rig.write(1, 20)
    rig.settle()
    assert rig.generations() == {1}


def _hear(stream: Stream, number: int) -> None:
    """Read events until that of a write; of several to one key the last may stand for all."""
    heard = -1
    while heard < number:
        event = stream.event()
        if event.get("event") == "document":
            document = json.loads(event["data"])["document"]
            heard = max(heard, document["n"] if document else -1)


def ten_thousand_reconnects(rig: Rig) -> None:
    """Viewers come and go, politely or not, while it is written: no thread, descriptor or memory stays behind."""
    rig.load(1, 20)
    rig.start()
    rig.catch_up()
    # The first ones fill caches and pools.
    _reconnect(rig)
    before = _at_rest(rig.served)
    for _ in rig.rounds(RECONNECTS // PART, RECONNECTS // PART):
        rig.write_unseen(1, 20)
        _reconnect(rig)
    rig.settle()
    after = _at_rest(rig.served)
    grown = Held(*(now - then for now, then in zip(after, before, strict=True)))
    assert all(more <= most for more, most in zip(grown, ROOM, strict=True)), f"{before} grew by {grown}"
    assert rig.generations() == {1}


def _at_rest(process: ServedProcess) -> Held:
    observed(lambda: process.viewers() == 0)
    return process.held()


def _reconnect(rig: Rig) -> None:
    """Come and go so many times."""
    asyncio.run(_come_and_go(rig.served.address, rig.random))


async def _come_and_go(address: tuple[str, int], random: Random) -> None:
    turns = iter(range(PART))

    async def one_after_another() -> None:
        for _ in turns:
            await _visit(
                address, random.choice(["nothing", "head", "snapshot", "events"]), politely=random.random() < 0.5
            )

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))


async def _visit(address: tuple[str, int], until: str, *, politely: bool) -> None:
    """Watch until some moment, then close the connection, or break it off with what was not read."""
    reader, writer = await asyncio.open_connection(*address)
    with suppress(ConnectionError):
        writer.write(f"GET /api/v1/live?{WATCHED} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        match until:
            case "head":
                await reader.readuntil(b"\r\n\r\n")
            case "snapshot":
                await reader.readuntil(b"event: snapshot")
            case "events":
                await reader.readuntil(b"event: snapshot")
                await reader.readuntil(b"\n\n")
        if politely:
            writer.close()
            await writer.wait_closed()
        else:
            writer.transport.abort()


def ended_under_load(rig: Rig) -> None:
    """SIGTERM while it is written, watched and asked: it ends in time, and what it confirmed is there."""
    rig.load(1, 20)
    for _ in rig.rounds(1, 3):
        rig.start()
        rig.write(20, 60)
        viewers = [rig.served.watch(WATCHED, receive_buffer=4096) for _ in range(rig.random.randint(1, 20))]
        after, ended = rig.random.uniform(0.0, 0.5), threading.Event()
        with _beside(_ask, str(rig.served.client.base_url), ended), _beside(_write, rig, ended):
            ended.wait(after)
            began = time.monotonic()
            code = rig.process.end(END_SECONDS)
            seconds = time.monotonic() - began
            ended.set()
        assert code == 0, f"{code} after {seconds:.1f} s"
        for viewer in viewers:
            viewer.close()
        rig.kill()
    rig.settle()
    assert rig.generations() == {1}


@contextmanager
def _beside(work: Callable[..., None], *arguments: object) -> Iterator[None]:
    """Do this in a thread."""
    thread = threading.Thread(target=work, args=arguments, daemon=True)
    thread.start()
    yield
    thread.join()


def _ask(url: str, ended: threading.Event) -> None:
    """Ask without a pause, until nobody answers any more."""
    with httpx2.Client(base_url=url, trust_env=False) as client, suppress(httpx2.TransportError):
        while not ended.is_set():
            client.get("/api/v1/collections/donations/metrics/by_platform")


def _write(rig: Rig, ended: threading.Event) -> None:
    """Write all the time."""
    while not ended.wait(0.005):
        rig.write_unseen(1, 3)
