"""Bulk requests: bodies of the right size, as many at once as the cluster bears, and what became of each write.

A 200 says nothing of the single writes ("Bulk", OpenSearch documentation): every item is read. One that was turned away
for a while is sent again, one that the mapping refuses is sent without attributes at the root, and one whose version
is not above the one that is held is done.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from dynalens.errors import TargetError
from dynalens.retry import RetryPolicy
from dynalens.target import Rejection
from dynalens.target.search.cluster.connection import ClusterError, Connection, quoted
from dynalens.target.search.cluster.lines import Line, joined

_CONFLICT, _TOO_LARGE, _BUSY, _UNAVAILABLE, _BAD = 409, 413, 429, 503, 400
PASSING = frozenset({_BUSY, 502, _UNAVAILABLE, 504})
"""Statuses of what is turned away for a while."""
_FIRST_REFUSAL = 300
_CLOSED = "index_closed_exception"
"""Answered with the status of writes that cannot be held, and says nothing of them."""

MOST_WRITES = 2_000
"""Writes of one body."""
_FEWEST_BYTES, _FIRST_BYTES, _MOST_BYTES = 64 * 1024, 1024 * 1024, 8 * 1024 * 1024
_MOST_AT_ONCE = 8
_SLOW_SECONDS = 2.0
"""A body that takes longer than this is too large, or one of too many at once."""
PATIENCE = RetryPolicy(base_seconds=0.1, cap_seconds=5.0, attempts=100, total_seconds=30.0)
"""How long writes that are turned away are sent again before the batch as a whole fails."""

_HELD_VERSION = re.compile(r"current version \[(\d+)\]")


class Refused(Protocol):
    """Renders a write anew that the mapping refused; None where there is no other way."""

    def __call__(self, line: Line, /) -> Line | None:
        """Give the other rendering."""
        ...


@dataclass
class Pace:
    """How much is sent at once: it grows little by little while answers are quick, and halves when they are not.

    Additive increase, multiplicative decrease (Chiu and Jain, 1989), of bodies at once and of their size.
    """

    at_once: float = 2.0
    size: int = _FIRST_BYTES
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def took(self, seconds: float) -> None:
        """Learn that a body was taken whole."""
        if seconds > _SLOW_SECONDS:
            self.refused()
            return
        with self._lock:
            self.at_once = min(_MOST_AT_ONCE, self.at_once + 1 / self.at_once)
            self.size = min(_MOST_BYTES, self.size + _FEWEST_BYTES)

    def refused(self) -> None:
        """Learn that the cluster turned writes away, or was slow."""
        with self._lock:
            self.at_once = max(1.0, self.at_once / 2)
            self.size = max(_FEWEST_BYTES, self.size // 2)


@dataclass
class _Outcome:
    again: list[Line] = field(default_factory=list)
    refused: list[tuple[Line, str, str]] = field(default_factory=list)
    held: list[int] = field(default_factory=list)
    """Versions above the ones that were sent."""
    busy: str = ""


class Bulk:
    """Writes of one process to a cluster; several threads may send at once.

    Args:
        connection: The cluster.
        patience: How long writes that are turned away are sent again.

    Attributes:
        pace: How much it sends at once.
    """

    def __init__(self, connection: Connection, patience: RetryPolicy = PATIENCE) -> None:
        self._connection = connection
        self._patience = patience
        self.pace = Pace()
        self._senders = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="bulk")
        self._closing = threading.Event()

    def close(self) -> None:
        """End what waits to be sent again."""
        self._closing.set()
        self._senders.shutdown(cancel_futures=True)

    def send(self, alias: str, lines: Iterable[Line], refused: Refused) -> tuple[list[Rejection], int]:
        """Write to the index behind an alias; return when all is durable.

        Lines are taken from their iterable while bodies before them are on their way.

        Args:
            alias: An alias of the index: one that is gone is refused, where an index would be made anew.
            lines: What to write.
            refused: Renders anew what the mapping refused.

        Returns:
            The writes that the cluster cannot hold, and the highest version that it holds above one that was sent
            (-1 where there is none).

        Raises:
            TargetError: It does not answer, or turns writes away for too long; any part of them may have been written.
        """
        rejections: list[Rejection] = []
        highest = -1
        delays = self._patience.delays()
        due: Iterable[Line] = lines
        while True:
            outcome = self._send_once(alias, due)
            highest = max([highest, *outcome.held])
            again = list(outcome.again)
            for line, code, reason in outcome.refused:
                other = refused(line)
                if other is None:
                    rejections.append(Rejection(line.write, code, f"The search cluster cannot hold it: {reason:.500}"))
                else:
                    again.append(other)
            if not again:
                return rejections, highest
            if outcome.again:
                self._wait(next(delays, None), outcome.busy)
            due = again

    def _wait(self, seconds: float | None, reason: str) -> None:
        if seconds is None or self._closing.wait(seconds):
            raise TargetError(
                f"The search cluster {self._connection.address.name} turns writes away: {reason:.300}",
                hint="Look at its disk, its write queue and index.blocks.read_only_allow_delete.",
            )

    def _send_once(self, alias: str, lines: Iterable[Line]) -> _Outcome:
        """Send each line once, bodies side by side; every body has ended when it returns or raises."""
        outcome = _Outcome()
        under_way: set[Future[_Outcome]] = set()
        try:
            for body in _bodies(lines, lambda: self.pace.size):
                under_way.add(self._senders.submit(self._post, alias, body))
                while len(under_way) >= int(self.pace.at_once):
                    under_way = _gather(under_way, outcome)
            while under_way:
                under_way = _gather(under_way, outcome)
        finally:
            wait(under_way)
        return outcome

    def _post(self, alias: str, lines: Sequence[Line]) -> _Outcome:
        began = time.monotonic()
        try:
            answer = self._connection.send("POST", quoted(alias) + "/_bulk", joined(lines), _PARAMETERS)
        except ClusterError as error:
            return self._post_failed(alias, lines, error)
        parsed = orjson.loads(answer)
        outcome = _read(lines, parsed["items"]) if parsed.get("errors") else _Outcome()
        if outcome.again:
            self.pace.refused()
        else:
            self.pace.took(time.monotonic() - began)
        return outcome

    def _post_failed(self, alias: str, lines: Sequence[Line], error: ClusterError) -> _Outcome:
        if error.type == _CLOSED:
            raise error
        if error.status == _TOO_LARGE or (error.status == _BAD and len(lines) > 1):
            # A body that is refused as a whole, for its size or for one line, is halved until that one stands alone.
            self.pace.refused()
            return self._halved(alias, lines, error)
        if error.status == _BAD:
            return _Outcome(refused=[(lines[0], "refused", error.message)])
        if error.status in PASSING:
            self.pace.refused()
            return _Outcome(again=list(lines), busy=error.message)
        raise error

    def _halved(self, alias: str, lines: Sequence[Line], error: ClusterError) -> _Outcome:
        if len(lines) == 1:
            return _Outcome(refused=[(lines[0], "too_large", error.message)])
        middle = len(lines) // 2
        first, second = self._post(alias, lines[:middle]), self._post(alias, lines[middle:])
        _add(first, second)
        return first


_PARAMETERS = {"require_alias": "true", "filter_path": "errors,items.*.status,items.*.error"}


def _bodies(lines: Iterable[Line], size: Callable[[], int]) -> Iterator[list[Line]]:
    body: list[Line] = []
    length = 0
    for line in lines:
        if body and (length + len(line.body) > size() or len(body) >= MOST_WRITES):
            yield body
            body, length = [], 0
        body.append(line)
        length += len(line.body)
    if body:
        yield body


def _gather(under_way: set[Future[_Outcome]], into: _Outcome) -> set[Future[_Outcome]]:
    done, rest = wait(under_way, return_when="FIRST_COMPLETED")
    for future in done:
        _add(into, future.result())
    return rest


def _add(into: _Outcome, outcome: _Outcome) -> None:
    into.again += outcome.again
    into.refused += outcome.refused
    into.held += outcome.held
    into.busy = outcome.busy or into.busy


def _read(lines: Sequence[Line], items: Sequence[dict[str, Any]]) -> _Outcome:
    """Read what became of each line."""
    outcome = _Outcome()
    for line, item in zip(lines, items, strict=True):
        [told] = item.values()
        status = told["status"]
        if status < _FIRST_REFUSAL:
            continue
        error = told.get("error") or {}
        type_, reason = str(error.get("type", "refused")), _reason(error)
        if status == _CONFLICT:
            held = _HELD_VERSION.search(reason)
            outcome.held += [int(held[1])] if held else []
        elif status in PASSING:
            outcome.again.append(line)
            outcome.busy = reason
        elif status == _BAD and type_ != _CLOSED:
            outcome.refused.append((line, type_, reason))
        else:
            raise ClusterError(
                f"The search cluster refused a write: {reason:.300} (HTTP {status}).",
                hint="Look at the index, its alias and its blocks; start dynalens again to build what is gone.",
                status=status,
                type_=type_,
            )
    return outcome


def _reason(error: dict[str, Any]) -> str:
    cause = (error.get("caused_by") or {}).get("reason")
    return ": ".join(filter(None, (str(error.get("reason", "")), cause)))
