"""ClickHouse over HTTP, which a test may kill and start again over the same data."""

from __future__ import annotations

import atexit
import os
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from ssl import create_default_context
from types import TracebackType
from typing import Self

from tests.services.clickhouse.front import Options
from tests.services.process import ServerProcess, free_port

_ROOT = Path(__file__).parents[3]
_SHARED_PORT = "DYNALENS_TEST_CLICKHOUSE"
"""Holds the port of the server that this process, or the one that started it, shares among its tests."""


class ClickHouseServer:
    """One server on loopback, alive inside its `with` block.

    Args:
        folder: Takes the data and the log.
        profile: Settings of its user's profile.
        grants: What its user may do beside reading views; everything by default.
        filters: Conditions on rows, by view: `dynalens.donations`.
        certificate: A file of certificate and key: then it speaks TLS.
    """

    def __init__(
        self,
        folder: Path,
        *,
        profile: Mapping[str, str] | None = None,
        grants: Sequence[str] = ("GRANT ALL ON *.*",),
        filters: Mapping[str, str] | None = None,
        certificate: Path | None = None,
    ) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.options = Options(
            str(folder),
            free_port(),
            profile=profile or {},
            grants=grants,
            filters=filters or {},
            certificate=str(certificate or ""),
        )
        self._certificate = certificate

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()

    @property
    def port(self) -> int:
        return self.options.port

    def start(self) -> None:
        """Start over the data that is in the folder."""
        command = [sys.executable, "-m", "tests.services.clickhouse.front", self.options.text()]
        self.process = ServerProcess(command, cwd=_ROOT, log=self._folder / "front.log")
        self.process.wait_until(self._answers, ignoring=OSError)

    def kill(self) -> None:
        """Kill the server with SIGKILL; clients lose their connections."""
        self.process.kill()

    def url(self, database: str = "dynalens", *, port: int = 0, password: str = "", more: str = "") -> str:
        """Give the URL of a target on it, through another port where one is given."""
        return server_url(port or self.port, database, password=password, more=more)

    def _answers(self) -> bool:
        scheme = "https" if self._certificate else "http"
        context = create_default_context(cafile=str(self._certificate)) if self._certificate else None
        with urllib.request.urlopen(f"{scheme}://127.0.0.1:{self.port}/ping", context=context) as answer:  # noqa: S310
            return bool(answer.read() == b"Ok.\n")


def server_url(port: int, database: str, *, password: str = "", more: str = "") -> str:
    """Give the URL of a target on a server of these tests."""
    login = Options("", port)
    return f"clickhouse://{login.user}:{password or login.password}@127.0.0.1:{port}/{database}?role=reader{more}"


def shared_port() -> int:
    """Give the port of a server for tests that use databases of their own; it ends with the process that started it."""
    if _SHARED_PORT not in os.environ:
        os.environ[_SHARED_PORT] = str(_shared_server().port)
    return int(os.environ[_SHARED_PORT])


@cache
def _shared_server() -> ClickHouseServer:
    server = ClickHouseServer(Path(tempfile.mkdtemp(prefix="clickhouse-")))
    server.start()
    atexit.register(server.kill)
    return server
