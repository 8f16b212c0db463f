"""A proxy that breaks: put it in front of a source or a target, and let the network between do its worst.

It works on connections and bytes, so that it fits whatever speaks over TCP in requests and answers: DynamoDB, Valkey,
OpenSearch, ClickHouse.

    with FaultProxy(("127.0.0.1", 6379)) as proxy:
        url = f"valkey://127.0.0.1:{proxy.port}"
        proxy.reset_after_request()      # the next request is delivered, its answer lost
        proxy.silence("answers")         # a partition in one direction
        proxy.heal()                     # what was held back arrives, late
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

Direction = Literal["requests", "answers"]
Silenced = Literal["requests", "answers", "both"]

_CHUNK_BYTES = 1 << 16
_BOTH: tuple[Direction, ...] = ("requests", "answers")
# SO_LINGER with no time to linger: closing sends RST (socket(7)).
_AT_ONCE = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class _Conditions:
    """How the network behaves now; as by default it does no harm.

    Attributes:
        latency_seconds: Wait before each part of an answer.
        bytes_per_second: How fast answers drip; 0.0 for no limit.
        silenced: Directions in which nothing arrives, while connections stay open.
        refusing: New connections are reset.
    """

    latency_seconds: float = 0.0
    bytes_per_second: float = 0.0
    silenced: tuple[Direction, ...] = ()
    refusing: bool = False


class FaultProxy:
    """A TCP proxy on a free port of loopback, alive inside its `with` block. Any thread may call its methods.

    Args:
        upstream: Where it passes connections on to: host and port, or the path of a socket on this machine.
    """

    def __init__(self, upstream: tuple[str, int] | Path) -> None:
        self._upstream = upstream
        self._changed = threading.Condition()
        self._conditions = _Conditions()
        self._cuts: list[int] = []
        self._connections: set[_Connection] = set()
        self._closed = False
        self.port = 0
        """Where it listens, as soon as it does."""

    def __enter__(self) -> Self:
        """Start to listen."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="fault-proxy", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Reset every connection and stop listening."""
        with self._changed:
            self._closed = True
        # Closing alone would leave the accepting thread in its call.
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.reset()

    # Faults.

    def delay(self, seconds: float) -> None:
        """Let each part of an answer arrive so much later."""
        self._become(lambda now: replace(now, latency_seconds=seconds))

    def drip(self, bytes_per_second: float) -> None:
        """Let answers arrive in drops."""
        self._become(lambda now: replace(now, bytes_per_second=bytes_per_second))

    def silence(self, direction: Silenced) -> None:
        """Let nothing arrive in one direction or both, on connections old and new: a partition, or a half-open peer.

        What is sent meanwhile is held back. `heal` delivers it late, `reset` drops it.
        """
        silenced = _BOTH if direction == "both" else (direction,)
        self._become(lambda now: replace(now, silenced=silenced))

    def refuse(self) -> None:
        """Reset every connection, and each new one, until `heal`."""
        self._become(lambda now: replace(now, refusing=True))
        self.reset()

    def cut_answer(self, after: int, *, times: int = 1) -> None:
        """Reset the connection of each of the next `times` answers after so many bytes of it.

        Whatever was asked for is done by then: an answer has begun. With `after=0` none of it arrives.
        """
        with self._changed:
            self._cuts.extend([after] * times)

    def reset_after_request(self, *, times: int = 1) -> None:
        """Let each of the next `times` requests be done, and its answer be lost with its connection."""
        self.cut_answer(0, times=times)

    def reset(self) -> None:
        """Reset every open connection (RST); what is held back is dropped."""
        with self._changed:
            connections = list(self._connections)
        for connection in connections:
            connection.reset()
        with self._changed:
            self._changed.notify_all()

    def heal(self) -> None:
        """End every fault; what was held back arrives now."""
        with self._changed:
            self._conditions = _Conditions()
            self._cuts.clear()
            self._changed.notify_all()

    @property
    def pending_cuts(self) -> int:
        """How many answers are still to be cut."""
        with self._changed:
            return len(self._cuts)

    def _become(self, change: Callable[[_Conditions], _Conditions]) -> None:
        with self._changed:
            self._conditions = change(self._conditions)
            self._changed.notify_all()

    # Connections.

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        with self._changed:
            refused = self._closed or self._conditions.refusing
        try:
            if refused:
                raise ConnectionRefusedError
            connection = _Connection(client, _connected(self._upstream))
        except OSError:
            _reset(client)
            return
        with self._changed:
            self._connections.add(connection)
        for direction in _BOTH:
            threading.Thread(
                target=self._pump, args=(connection, direction), name=f"fault-proxy-{direction}", daemon=True
            ).start()

    def _pump(self, connection: _Connection, direction: Direction) -> None:
        source, sink = connection.ends(direction)
        try:
            while (data := source.recv(_CHUNK_BYTES)) and self._pass(connection, direction, data, sink):
                pass
        except OSError:
            connection.reset()
        else:
            connection.close()
        with self._changed:
            self._connections.discard(connection)
            self._changed.notify_all()

    def _pass(self, connection: _Connection, direction: Direction, data: bytes, sink: socket.socket) -> bool:
        """Pass on what was received, as conditions are; say whether the connection goes on."""
        self._hold(connection, direction)
        if direction == "requests":
            connection.asked = True
            sink.sendall(data)
            return True
        cut = self._cut(connection)
        data = data if cut is None else data[:cut]
        self._trickle(connection, data, sink)
        if cut is not None:
            connection.reset()
        return cut is None

    def _hold(self, connection: _Connection, direction: Direction) -> None:
        with self._changed:
            self._changed.wait_for(lambda: direction not in self._conditions.silenced or connection.is_over)
        if connection.is_over:
            raise ConnectionResetError

    def _cut(self, connection: _Connection) -> int | None:
        """Give after how many bytes an answer that begins here is cut; None to let it pass."""
        with self._changed:
            begins, connection.asked = connection.asked, False
            return self._cuts.pop(0) if begins and self._cuts else None

    def _trickle(self, connection: _Connection, data: bytes, sink: socket.socket) -> None:
        with self._changed:
            conditions = self._conditions
        self._wait(connection, conditions.latency_seconds)
        step = len(data) if not conditions.bytes_per_second else max(1, int(conditions.bytes_per_second / 10))
        for start in range(0, len(data), step or 1):
            sink.sendall(data[start : start + step])
            if conditions.bytes_per_second:
                self._wait(connection, step / conditions.bytes_per_second)
                if self._conditions is not conditions:
                    sink.sendall(data[start + step :])
                    return

    def _wait(self, connection: _Connection, seconds: float) -> None:
        """Wait, unless conditions change or the connection ends."""
        with self._changed:
            conditions = self._conditions
            self._changed.wait_for(lambda: self._conditions is not conditions or connection.is_over, seconds)


@dataclass(eq=False)
class _Connection:
    client: socket.socket
    upstream: socket.socket
    asked: bool = False
    is_over: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ends(self, direction: Direction) -> tuple[socket.socket, socket.socket]:
        return (self.client, self.upstream) if direction == "requests" else (self.upstream, self.client)

    def reset(self) -> None:
        """End both sides with RST."""
        self._end(_reset)

    def close(self) -> None:
        """End both sides in order."""
        self._end(_close)

    def _end(self, end: Callable[[socket.socket], None]) -> None:
        with self.lock:
            if self.is_over:
                return
            self.is_over = True
        for side in (self.client, self.upstream):
            end(side)


def _connected(upstream: tuple[str, int] | Path) -> socket.socket:
    if not isinstance(upstream, Path):
        return socket.create_connection(upstream)
    connected = socket.socket(socket.AF_UNIX)
    try:
        connected.connect(str(upstream))
    except OSError:
        connected.close()
        raise
    return connected


def _reset(side: socket.socket) -> None:
    with suppress(OSError):
        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        # Wakes the thread that waits for more; the whole shutdown would send FIN before the RST.
        side.shutdown(socket.SHUT_RD)
    side.close()


def _close(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)
    side.close()
