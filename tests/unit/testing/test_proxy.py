"""The fault proxy between a client and a server that counts what it was asked."""

from __future__ import annotations

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from dynalens.testing.proxy import FaultProxy
from tests.waiting import observed

ANSWER = b"0123456789"


class _Answering(socketserver.BaseRequestHandler):
    """Answers each request of one byte with ten."""

    server: Server

    def handle(self) -> None:
        while asked := self._receive():
            self.server.asked.append(asked)
            self.request.sendall(ANSWER)

    def _receive(self) -> bytes:
        try:
            received: bytes = self.request.recv(1)
        except ConnectionError:
            return b""
        return received


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answering)
        self.asked: list[bytes] = []


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def proxy(server: Server) -> Iterator[FaultProxy]:
    with FaultProxy(("127.0.0.1", server.server_address[1])) as running:
        yield running


@pytest.fixture
def client(proxy: FaultProxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as connected:
        yield connected


def ask(client: socket.socket, question: bytes = b"?") -> bytes:
    client.sendall(question)
    return receive(client)


def ask_anew(proxy: FaultProxy) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=10) as client:
        return ask(client)


def receive(client: socket.socket) -> bytes:
    answer = b""
    while len(answer) < len(ANSWER) and (part := client.recv(len(ANSWER) - len(answer))):
        answer += part
    return answer


def test_without_a_fault_everything_passes(client: socket.socket) -> None:
    assert [ask(client) for _ in range(3)] == [ANSWER] * 3


def test_a_request_is_done_and_its_answer_lost(proxy: FaultProxy, server: Server, client: socket.socket) -> None:
    proxy.reset_after_request()
    with pytest.raises(ConnectionResetError):
        ask(client, b"w")
    assert server.asked == [b"w"]
    assert proxy.pending_cuts == 0


def test_an_answer_is_cut(proxy: FaultProxy, client: socket.socket) -> None:
    ask(client)
    proxy.cut_answer(4)
    with pytest.raises(ConnectionResetError):
        ask(client)


def test_answers_are_silenced_and_arrive_late(proxy: FaultProxy, server: Server, client: socket.socket) -> None:
    proxy.silence("answers")
    client.sendall(b"w")
    observed(lambda: server.asked == [b"w"])
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(1)
    client.settimeout(10)
    proxy.heal()
    assert receive(client) == ANSWER


def test_requests_are_silenced_and_arrive_late(proxy: FaultProxy, server: Server, client: socket.socket) -> None:
    proxy.silence("requests")
    client.sendall(b"w")
    client.settimeout(0.1)
    with pytest.raises(TimeoutError):
        client.recv(1)
    assert server.asked == []
    client.settimeout(10)
    proxy.heal()
    assert receive(client) == ANSWER


def test_a_half_open_peer_drops_what_it_was_sent(proxy: FaultProxy, server: Server, client: socket.socket) -> None:
    ask(client)
    proxy.silence("both")
    client.sendall(b"w")
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    proxy.heal()
    assert server.asked == [b"?"]


def test_new_connections_are_refused_until_it_is_healed(proxy: FaultProxy, client: socket.socket) -> None:
    ask(client)
    proxy.refuse()
    with pytest.raises(ConnectionResetError):
        client.recv(1)
    with pytest.raises(ConnectionError):
        ask_anew(proxy)
    proxy.heal()
    assert ask_anew(proxy) == ANSWER


def test_answers_come_late_and_in_drops(proxy: FaultProxy, client: socket.socket) -> None:
    proxy.delay(0.1)
    started = time.monotonic()
    assert ask(client) == ANSWER
    assert time.monotonic() - started >= 0.1
    proxy.heal()
    proxy.drip(50)
    started = time.monotonic()
    assert ask(client) == ANSWER
    assert time.monotonic() - started >= 0.1
