"""Running the application: on loopback, until it is told to stop."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

import uvicorn
from fastapi import FastAPI

from dynalens.errors import ConfigError
from dynalens.server.guard import is_loopback
from dynalens.server.limits import HEAD_BYTES, SHUTDOWN_SECONDS
from dynalens.server.live import Hub
from dynalens.server.patience import Patience
from dynalens.server.protocol import Connection

_BACKLOG = 2048


def check_bind(host: str) -> None:
    """Refuse to listen where other machines could call: there are no keys yet that would say who may.

    Raises:
        ConfigError: The host is not this machine's loopback.
    """
    if not is_loopback(host):
        raise ConfigError(
            f"server.host is {host!r}: beyond loopback anyone could read every document.",
            hint="Write server: {host: 127.0.0.1}, and reach it from elsewhere through a tunnel, such as "
            "ssh -L 7070:127.0.0.1:7070 HOST, or a proxy that asks who is calling.",
        )


class Server:
    """An application on a port. Binds at once, so that a port in use is known before anything else is started.

    Args:
        app: What `create_app` made.
        host: A loopback address or `localhost`.
        port: 0 takes any that is free.

    Raises:
        ConfigError: The host is not loopback, or the port cannot be had.

    Attributes:
        host: As given.
        port: The port that was bound.
    """

    def __init__(self, app: FastAPI, host: str, port: int) -> None:
        check_bind(host)
        self._socket = _bind(host, port)
        self.host = host
        self.port: int = self._socket.getsockname()[1]
        self._uvicorn = _Uvicorn(app)

    def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until `stop`; call `ready` once requests are answered. Installs no signal handlers.

        Ends within `SHUTDOWN_SECONDS` and a little more: streams end at once, other requests get that long.
        """
        self._uvicorn.ready = ready
        try:
            self._uvicorn.run(sockets=[self._socket])
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Have `run` return. From any thread or signal handler, any number of times, before `run` too."""
        self._uvicorn.should_exit = True


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio switches Nagle's algorithm off only where it is: without that, each answer
    # waits for the client's delayed acknowledgement, 40 ms.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        raise ConfigError(
            f"Cannot listen on {host} port {port}: {error.strerror}.",
            hint="Stop what listens there, or choose another port: server: {port: 7071}",
        ) from error
    return listening


class _Uvicorn(uvicorn.Server):
    """uvicorn, with its hooks used: it has no callbacks for what happens here."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=HEAD_BYTES,
                timeout_graceful_shutdown=SHUTDOWN_SECONDS,
            )
        )
        self.ready: Callable[[], None] = lambda: None
        self._hub: Hub | None = app.state.service.hub
        self._patience = Patience()

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override] # uvicorn's is a generator
        """Leave signals to whoever runs the server."""
        return nullcontext()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self._patience.watch(self.server_state.connections)
        self.ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End streams first: uvicorn waits for connections to finish by themselves."""
        if self._hub is not None:
            self._hub.close()
        self._patience.end()
        await super().shutdown(sockets)
