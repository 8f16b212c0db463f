"""A real server on loopback, in a thread of the test, with fakes behind it."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx2

from dynalens.server import Backend, Server, create_app
from tests.waiting import observed


class Running:
    """A server that answers, and a client for it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.url = f"http://127.0.0.1:{server.port}"
        self.client = httpx2.Client(base_url=self.url, timeout=30, trust_env=False)

    def connect(self, *, receive_buffer: int | None = None) -> socket.socket:
        """Open a connection; a small receive buffer, in bytes, makes a client that does not read felt soon."""
        connection = socket.socket()
        connection.settimeout(30)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(("127.0.0.1", self.server.port))
        return connection

    def watch(self, query: str, *, receive_buffer: int | None = None) -> Stream:
        """Open a stream of live events."""
        return Stream(self.connect(receive_buffer=receive_buffer), f"/api/v1/live?{query}")


class Stream:
    """One viewer, reading events from its socket as it is asked for them."""

    def __init__(self, connection: socket.socket, path: str) -> None:
        self.connection = connection
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        self._file = connection.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        while self._file.readline().strip():
            pass
        self._buffer = b""

    def event(self) -> dict[str, str]:
        """Give the fields of the next event; empty for a comment. Fails with EOFError at the end of the stream."""
        while b"\n\n" not in self._buffer:
            self._buffer += self._chunk()
        event, _, self._buffer = self._buffer.partition(b"\n\n")
        pairs = (line.partition(":") for line in event.decode().split("\n"))
        return {name: value.strip() for name, _, value in pairs if name}

    def events(self, number: int) -> list[dict[str, str]]:
        return [self.event() for _ in range(number)]

    def close(self) -> None:
        self._file.close()
        self.connection.close()

    def _chunk(self) -> bytes:
        size = int(self._file.readline() or b"0", 16)
        chunk = self._file.read(size)
        self._file.readline()
        if not size:
            raise EOFError
        return chunk


@contextmanager
def running(backend: Backend) -> Iterator[Running]:
    """Run a server until the block ends, then stop it and see that it did."""
    server = Server(create_app(backend), "127.0.0.1", 0)
    ready = threading.Event()
    thread = threading.Thread(target=server.run, kwargs={"ready": ready.set}, daemon=True)
    thread.start()
    observed(lambda: ready.is_set() or not thread.is_alive())
    run = Running(server)
    try:
        yield run
    finally:
        run.client.close()
        server.stop()
        thread.join(30)
        assert not thread.is_alive()


async def until(predicate: Callable[[], object]) -> None:
    """Wait in an event loop until `predicate` returns something true; fails with TimeoutError after 30 s."""
    async with asyncio.timeout(30):
        while not predicate():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.005)


def refused(answer: httpx2.Response, status: int, code: str) -> dict[str, str]:
    """See that an answer is an error in the one shape, and give it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/json"
    error: dict[str, str] = answer.json()["error"]
    assert set(error) == {"code", "message", "hint"}
    assert error["code"] == code
    assert error["message"]
    assert error["hint"]
    assert "Traceback" not in answer.text
    return error
