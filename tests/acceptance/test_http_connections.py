"""Connections to the HTTP API: live streams, clients that are slow, silent or speak no HTTP, and the server's end."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest

from dynalens.errors import TargetError
from dynalens.server import listener, live, patience, protocol, topic
from dynalens.server.limits import PIECE_BYTES
from dynalens.target import MetricGroup
from tests.fakes import Fakes, world
from tests.serving import Running, refused, running
from tests.waiting import observed

BY_PLATFORM = "/api/v1/collections/donations/metrics/by_platform"


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One server for all tests that change nothing."""
    with running(world(time.time()).backend()) as run:
        yield run


def test_what_is_not_http_is_answered_in_the_one_shape(shared: Running) -> None:
    for garbage in (b"\x16\x03\x01\x02\x00\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", b"x" * 100_000):
        with shared.connect() as connection:
            connection.sendall(garbage)
            head, _, body = connection.makefile("rb").read().partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 ")
        assert json.loads(body)["error"]["code"] == "bad_request"


def test_a_client_that_breaks_off_its_body_leaves_no_trace(served: Running, caplog: pytest.LogCaptureFixture) -> None:
    with served.connect() as connection:
        connection.sendall(
            b"POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b'Content-Length: 100\r\n\r\n{"query'
        )
    observed(lambda: 'status="0"' in served.client.get("/metrics").text)
    assert caplog.records == []


def test_a_broken_chunk_after_the_head_is_answered_once(shared: Running) -> None:
    with shared.connect() as connection:
        connection.sendall(
            b"POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Transfer-Encoding: chunked\r\n\r\nnonsense\r\n"
        )
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1 400") == 1


def test_small_answers_are_sent_at_once(served: Running) -> None:
    # With Nagle's algorithm each answer takes the 40 ms of a delayed acknowledgement.
    with served.connect() as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        connection.recv(1)
        [open_connection] = served.server._uvicorn.server_state.connections
        accepted = open_connection.transport.get_extra_info("socket")
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_connection_buffers_no_more_than_one_piece(served: Running) -> None:
    with served.connect():
        [connection] = observed(lambda: list(served.server._uvicorn.server_state.connections))
        assert connection.transport.get_write_buffer_limits()[1] == PIECE_BYTES


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(protocol, "STUCK_SECONDS", 0.3)
    monkeypatch.setattr(patience, "_LOOK_SECONDS", 0.05)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /healthz HT",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\nGET /heal",
        b"POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{",
    ],
    ids=["nothing", "half a head", "half a second head", "half a body that nobody waits for"],
)
def test_a_client_that_lets_the_server_wait_is_cut_off(sent: bytes, served: Running) -> None:
    with served.connect() as connection:
        connection.sendall(sent)
        try:
            while connection.recv(65536):
                pass
        except ConnectionResetError:
            pass


@pytest.mark.usefixtures("impatient")
def test_a_client_that_drips_a_body_after_its_answer_is_cut_off(served: Running) -> None:
    with served.connect() as connection:
        connection.sendall(b"POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n")
        assert connection.recv(12) == b"HTTP/1.1 415"

        def cut_off() -> bool:
            try:
                connection.sendall(b"x")
            except ConnectionError:
                return True
            return False

        observed(cut_off)


@pytest.mark.usefixtures("impatient")
def test_a_viewer_is_not_cut_off_while_nothing_happens(served: Running, fakes: Fakes) -> None:
    stream = served.watch("collections=donations")
    stream.event()
    observed(lambda: fakes.metrics.listeners("collection:donations"))
    sacrificed = served.connect()
    assert sacrificed.recv(1) == b""  # later than the viewer came
    fakes.metrics.publish("collection:donations", b"{}")
    assert stream.event()["event"] == "document"
    stream.close()
    sacrificed.close()


# Live.


def test_live_gives_a_snapshot_then_each_change_and_documents(served: Running, fakes: Fakes) -> None:
    stream = served.watch("metrics=donations.by_platform&collections=donations")
    assert stream.event() == {"retry": "2000"}
    first = stream.event()
    assert (first["event"], first["id"]) == ("snapshot", "metric:donations.by_platform:0")
    assert json.loads(first["data"]) == served.client.get(BY_PLATFORM).json()
    change = b'{"metric":"donations.by_platform","group":{"platform":"Phone"},"values":{"count":3},"total":null}'
    fakes.metrics.publish("metric:donations.by_platform", change)
    assert stream.event() == {"event": "change", "id": "metric:donations.by_platform:1", "data": change.decode()}
    observed(lambda: fakes.metrics.listeners("collection:donations"))
    fakes.metrics.publish("collection:donations", b'{"collection":"donations","id":"x","document":null}')
    document = stream.event()
    assert (document["event"], json.loads(document["data"])["document"]) == ("document", None)
    assert "dynalens_live_viewers 1" in served.client.get("/metrics").text
    stream.close()
    observed(lambda: "dynalens_live_viewers 0" in served.client.get("/metrics").text)
    observed(lambda: fakes.metrics.listeners("metric:donations.by_platform") == 0)


def test_a_metric_named_twice_comes_once(served: Running, fakes: Fakes) -> None:
    stream = served.watch("metrics=donations.everything,%20donations.everything,")
    assert [event.get("event") for event in stream.events(2)] == [None, "snapshot"]
    fakes.metrics.publish("metric:donations.everything", b"{}")
    fakes.metrics.publish("metric:donations.everything", b"{}")
    assert [event["id"] for event in stream.events(2)] == [
        "metric:donations.everything:1",
        "metric:donations.everything:2",
    ]
    stream.close()


def test_a_viewer_too_many_is_refused_before_the_stream_begins(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "TOPICS", 1)
    with running(fakes.backend()) as run:
        stream = run.watch("collections=donations")
        answer = run.client.get("/api/v1/live?collections=users")
        assert "limit: 1" in refused(answer, 503, "busy")["message"]
        assert answer.headers["retry-after"] == "1"
        stream.close()


def test_viewers_hear_of_a_cut_and_of_its_end(served: Running, fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic, "_FIRST_PAUSE_SECONDS", 0.01)
    stream = served.watch("metrics=donations.by_platform")
    stream.events(2)
    fakes.metrics.cut(TargetError("Valkey is gone.", hint="It is being started again."))
    stale, again = stream.events(2)
    assert stale["event"] == "stale"
    assert json.loads(stale["data"])["error"]["message"] == "Valkey is gone."
    assert again["event"] == "snapshot"
    stream.close()


def test_a_viewer_that_stops_reading_holds_nobody_up_and_then_gets_the_newest_state(
    served: Running, fakes: Fakes
) -> None:
    name = "metric:donations.by_platform"
    slow = served.watch("metrics=donations.by_platform", receive_buffer=4096)
    quick = served.watch("metrics=donations.by_platform")
    assert [event.get("event") for event in slow.events(2) + quick.events(2)] == [None, "snapshot"] * 2
    payload = b'{"padding":"%s"}' % (b"x" * 60_000)
    # More than the ring and the socket's buffers hold, in steps that the quick one keeps up with.
    for revision in range(1, 101):
        fakes.metrics.publish(name, payload)
        assert quick.event()["id"] == f"{name}:{revision}"
    fakes.metrics.groups["donations.by_platform"] = [MetricGroup({"platform": b'"now"'}, {"count": "100"})]
    heard = [slow.event()]
    while heard[-1]["event"] != "snapshot":
        heard.append(slow.event())
    assert len(heard) < 90
    assert heard[-1]["id"] == f"{name}:100"
    assert "now" in heard[-1]["data"]
    slow.close()
    quick.close()


@pytest.mark.usefixtures("impatient")
def test_a_viewer_that_takes_nothing_for_long_is_cut_off(served: Running, fakes: Fakes) -> None:
    stuck = served.watch("collections=donations", receive_buffer=4096)
    observed(lambda: fakes.metrics.listeners("collection:donations"))
    payload = b'{"padding":"%s"}' % (b"x" * 500_000)

    def gone() -> bool:
        fakes.metrics.publish("collection:donations", payload)
        return "dynalens_live_viewers 0" in served.client.get("/metrics").text

    observed(gone)
    stuck.close()


def test_a_thousand_viewers_get_the_same_and_end_with_the_server(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    with running(fakes.backend()) as run:
        streams = [run.watch("metrics=donations.by_platform") for _ in range(1000)]
        for stream in streams:
            assert stream.events(2)[1]["event"] == "snapshot"
        assert fakes.metrics.reads == 1
        assert fakes.metrics.listeners("metric:donations.by_platform") == 1
        fakes.metrics.publish("metric:donations.by_platform", b'{"n":1}')
        assert {stream.event()["data"] for stream in streams} == {'{"n":1}'}
        run.server.stop()
        for stream in streams:
            with pytest.raises(EOFError):
                stream.event()
            stream.close()
    assert caplog.records == []  # none had to be cancelled


def test_a_viewer_that_does_not_read_does_not_hold_the_end_up(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    with running(fakes.backend()) as run:
        stuck = run.watch("collections=donations", receive_buffer=4096)
        observed(lambda: fakes.metrics.listeners("collection:donations"))
        [connection] = run.server._uvicorn.server_state.connections
        assert isinstance(connection, protocol.Connection)
        flow = connection.flow

        def full() -> bool:
            fakes.metrics.publish("collection:donations", b'"%s"' % (b"x" * 500_000))
            return flow.write_paused

        observed(full)
    assert caplog.records == []  # it did not have to be cancelled
    stuck.close()


def test_a_query_that_hangs_is_told_that_the_server_stopped(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listener, "SHUTDOWN_SECONDS", 1)
    fakes.sql.gate.clear()
    with running(fakes.backend()) as run, run.connect() as asking:
        asking.sendall(
            b"POST /api/v1/sql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b'Content-Length: 20\r\n\r\n{"query":"SELECT 1"}'
        )
        observed(lambda: fakes.sql.asked)
        run.server.stop()
        answer = asking.makefile("rb").read()
    # And `running` saw the server end.
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["code"] == "stopping"
    fakes.sql.gate.set()
