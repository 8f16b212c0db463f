"""A thousand viewers of one metric: from an event's being published to its arrival, against a bare uvicorn loop.

Both servers run in a process of their own and publish the same events at the same pace from a thread, each with the
time at which it was published; one client process holds all connections and notes when each event arrived. `bare
uvicorn` is what one would write without us: an ASGI application with a queue for each viewer and one send for each
event. `dynalens` is our server over a target in memory, with snapshots, revisions and a ring for viewers that fall
behind.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import threading
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import uvicorn

from bench.measure import Spread
from dynalens.server import Server, create_app
from tests.fakes import FakeMetrics, Fakes

VIEWERS = 1_000
EVENTS = 40
EVENTS_PER_SECOND = 10
ROUNDS = 5
PATH = "/api/v1/live?metrics=donations.by_platform"
TOPIC = "metric:donations.by_platform"
MARK = b'"published_at":'

Publish = Callable[[bytes], None]


@dataclass(frozen=True)
class Delays:
    """How long events took to arrive, over all viewers, in milliseconds."""

    median: float
    slow: float


def run() -> str:
    """Measure, and give the table as markdown."""
    servers = {"bare uvicorn": _bare, "dynalens": _dynalens}
    measured: dict[str, list[Delays]] = {name: [] for name in servers}
    for number in range(ROUNDS + 1):
        for name, serve in servers.items():
            delays = _measured(serve)
            if number:  # the first round does not count
                measured[name].append(delays)
    base = measured["bare uvicorn"]
    return "\n".join(
        [
            f"{VIEWERS:,} viewers, {EVENTS} events at {EVENTS_PER_SECOND} a second, {ROUNDS} rounds; milliseconds.",
            "",
            "| | p50 | p99 | ratio of p50 | ratio of p99 |",
            "|---|---:|---:|---:|---:|",
            *(_row(name, rounds, base) for name, rounds in measured.items()),
        ]
    )


def _row(name: str, rounds: list[Delays], base: list[Delays]) -> str:
    pairs = list(zip(rounds, base, strict=True))
    figures = (
        Spread.of([delays.median for delays in rounds]).median,
        Spread.of([delays.slow for delays in rounds]).median,
        Spread.of([ours.median / theirs.median for ours, theirs in pairs]).median,
        Spread.of([ours.slow / theirs.slow for ours, theirs in pairs]).median,
    )
    return f"| {name} | {figures[0]:.1f} | {figures[1]:.1f} | {figures[2]:.2f} | {figures[3]:.2f} |"


def _measured(serve: Callable[[Connection], None]) -> Delays:
    """Run a server in a process of its own, watch it with all viewers, and end it."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        port: int = ours.recv()
        return asyncio.run(_watch(port, lambda: ours.send("publish")))
    finally:
        process.kill()  # a stream without end would hold up a server that ends politely
        process.join()


# The client.


async def _watch(port: int, publish: Callable[[], None]) -> Delays:
    streams = [await asyncio.open_connection("127.0.0.1", port) for _ in range(VIEWERS)]
    for _, writer in streams:
        writer.write(f"GET {PATH} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    await asyncio.gather(*(reader.readuntil(b"event: snapshot") for reader, _ in streams))
    publish()
    delays = await asyncio.gather(*(_arrivals(reader) for reader, _ in streams))
    for _, writer in streams:
        writer.close()
    every = [delay * 1000 for of_one in delays for delay in of_one]
    return Delays(statistics.median(every), statistics.quantiles(every, n=100)[98])


async def _arrivals(reader: asyncio.StreamReader) -> list[float]:
    delays = []
    for _ in range(EVENTS):
        await reader.readuntil(MARK)
        published_at = float((await reader.readuntil(b"}"))[:-1])
        # The clock is the same in all processes of a machine.
        delays.append(time.monotonic() - published_at)
    return delays


# The servers, each in a process of its own.


def _publish_when_told(pipe: Connection, publish: Publish) -> None:
    def work() -> None:
        pipe.recv()
        for _ in range(EVENTS):
            publish(b'{"metric":"donations.by_platform",%b%.6f}' % (MARK, time.monotonic()))
            time.sleep(1 / EVENTS_PER_SECOND)

    threading.Thread(target=work, daemon=True).start()


def _dynalens(pipe: Connection) -> None:
    metrics = FakeMetrics()
    server = Server(create_app(Fakes(metrics=metrics).backend()), "127.0.0.1", 0)
    _publish_when_told(pipe, lambda payload: (metrics.publish(TOPIC, payload), None)[1])
    server.run(lambda: pipe.send(server.port))


def _bare(pipe: Connection) -> None:
    queues: list[asyncio.Queue[bytes]] = []
    loop: asyncio.AbstractEventLoop | None = None

    async def application(
        scope: MutableMapping[str, Any],
        _receive: Callable[[], Awaitable[MutableMapping[str, Any]]],
        send: Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ) -> None:
        nonlocal loop
        if scope["type"] != "http":
            return
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[bytes] = asyncio.Queue()
        queues.append(queue)
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]})
        await send({"type": "http.response.body", "body": b"event: snapshot\ndata: {}\n\n", "more_body": True})
        while True:
            await send({"type": "http.response.body", "body": await queue.get(), "more_body": True})

    def tell_all(frame: bytes) -> None:
        for queue in queues:
            queue.put_nowait(frame)

    def publish(payload: bytes) -> None:
        if loop is not None:
            loop.call_soon_threadsafe(tell_all, b"event: change\ndata: " + payload + b"\n\n")

    _publish_when_told(pipe, publish)
    listening = socket.create_server(("127.0.0.1", 0), backlog=2048)
    pipe.send(listening.getsockname()[1])
    uvicorn.Server(uvicorn.Config(application, log_level="error", lifespan="off")).run(sockets=[listening])
