from __future__ import annotations

import socket
import threading

import pytest

from dynalens.errors import ConfigError
from dynalens.server import Server, check_bind, create_app
from tests.fakes import Fakes


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.10", "example.com"])  # noqa: S104
def test_a_host_beyond_loopback_is_refused_with_what_to_write(host: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_bind(host)
    assert host in refused.value.message
    assert "host: 127.0.0.1" in refused.value.hint
    with pytest.raises(ConfigError):
        Server(create_app(Fakes().backend()), host, 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_loopback_is_allowed(host: str) -> None:
    check_bind(host)


def test_a_port_in_use_is_named_before_anything_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1 port {port}") as refused:
            Server(create_app(Fakes().backend()), "127.0.0.1", port)
        assert "port: 7071" in refused.value.hint


def test_a_free_port_is_known_before_it_runs_and_a_stop_before_it_runs_counts() -> None:
    server = Server(create_app(Fakes().backend()), "127.0.0.1", 0)
    assert server.port
    server.stop()
    server.stop()
    thread = threading.Thread(target=server.run)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))
