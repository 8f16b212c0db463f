"""The real `dynalens up` under the matrix's faults: in a process of its own, judged by what it answers over HTTP."""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import httpx2

from dynalens.config import load
from dynalens.errors import DynalensError
from dynalens.runtime import up as runtime_up
from dynalens.server import patience, protocol
from dynalens.status import CollectionStatus
from dynalens.testing.oracle import from_answer
from tests.faults import child
from tests.faults.child import Served, Start, State, Store
from tests.faults.process import Process, ProcessGoneError
from tests.serving import Stream

HASTE: Mapping[ModuleType, Mapping[str, float]] = {
    **child.HASTE,
    protocol: {"STUCK_SECONDS": 1.0},
    patience: {"_LOOK_SECONDS": 0.1},
    runtime_up: {"REPORT_SECONDS": child.REPORT_SECONDS},
}
END_SECONDS = 10.0
"""After SIGTERM it has ended within this time (`dynalens.runtime.process`)."""
_SHOWN = (
    "collection",
    "target",
    "table",
    "phase",
    "stalled",
    "ready",
    "caught_up",
    "generation",
    "progress",
    "scanned",
    "scan_total",
    "lag_seconds",
    "waiting",
    "dead_letters",
)


def serve(start: Start, connection: Connection) -> None:
    """Run `dynalens up` until SIGTERM, or until whoever started it is gone; say where it answers."""
    child.prepare(start, HASTE)
    threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
    file = start.folder / "dynalens.yaml"
    file.write_text(json.dumps(_settings(start)))  # JSON is YAML
    try:
        code = runtime_up.up(load(file), on_ready=connection.send)
    except DynalensError as error:
        connection.send(error)
    else:
        sys.exit(code)


def _settings(start: Start) -> Mapping[str, Any]:
    return {
        "source": start.source.model_dump(mode="json", exclude_unset=True),
        "targets": {"metrics": start.metrics_url},
        "server": {"port": 0},
        "collections": {
            name: collection.model_dump(mode="json", exclude_unset=True)
            for name, collection in start.collections.items()
        },
    }


def _end_with(connection: Connection) -> None:
    try:
        connection.recv()
    except (EOFError, OSError):
        os._exit(0)


class Held(NamedTuple):
    """What a process holds."""

    descriptors: int
    threads: int
    resident_bytes: int


class ServedProcess(Process):
    """One `dynalens up` over a data folder, being started.

    Args:
        start: What it is started with.
        store: Opens its position store.
    """

    def __init__(self, start: Start, store: Callable[[], Store]) -> None:
        super().__init__(start, serve)
        self._collections = start.collections
        self._store = store
        self.client = httpx2.Client(timeout=30, trust_env=False)

    def _stands(self, said: object) -> None:
        self.client.base_url = str(said)

    def state(self) -> State:
        """See `Process.state`."""
        positions = {held.partition.id: held.position for held in self._store().partitions(self._table)}
        try:
            status = self.client.get("/api/v1/status").raise_for_status().json()
            served = {name: shown for name in self._collections if (shown := self._served(name)) is not None}
        except httpx2.TransportError as error:
            raise ProcessGoneError from error
        return State(
            status={shown["collection"]: _status(shown) for shown in status["collections"]},
            positions=positions,
            dead_letters={},
            served=served,
            peak_bytes=self._number("VmHWM") * 1024,
        )

    def _served(self, collection: str) -> Served | None:
        found = {}
        for name, settings in self._collections[collection].metrics.items():
            answer = self.client.get(f"/api/v1/collections/{collection}/metrics/{name}")
            if not answer.is_success:
                return None
            found[name] = from_answer(answer.content, settings)
        return Served({}, found)

    @property
    def _table(self) -> str:
        return next(iter(self._collections.values())).table

    def viewers(self) -> int:
        """Count those who watch live."""
        lines = self.client.get("/metrics").text.splitlines()
        return int(float(next(line for line in lines if line.startswith("dynalens_live_viewers ")).split()[1]))

    def watch(self, query: str, *, receive_buffer: int | None = None) -> Stream:
        """Open a stream of live events; a small receive buffer, in bytes, makes a slow reader felt soon."""
        connection = socket.socket()
        connection.settimeout(30)
        if receive_buffer is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        connection.connect(self.address)
        return Stream(connection, f"/api/v1/live?{query}")

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens."""
        url = self.client.base_url
        assert url.port is not None
        return url.host, url.port

    def held(self) -> Held:
        """Measure what it holds (proc(5))."""
        descriptors = len(list(Path(f"/proc/{self.pid}/fd").iterdir()))
        return Held(descriptors, self._number("Threads"), self._number("VmRSS") * 1024)

    def _number(self, name: str) -> int:
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])

    def close(self) -> None:
        """See `Process.close`."""
        super().close()
        self.client.close()


def _status(shown: Mapping[str, Any]) -> CollectionStatus:
    error = shown["error"] or {"code": "", "message": "", "hint": ""}
    return CollectionStatus(
        **{name: shown[name] for name in _SHOWN},
        gaps=(),
        error_code=error["code"],
        error_message=error["message"],
        error_hint=error["hint"],
    )
