"""What has been applied of each table: read from the stores for all requests together, and told with every answer."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from dynalens import clock
from dynalens.errors import DynalensError
from dynalens.position import Copy, Gap, PartitionState
from dynalens.report import Report, merged
from dynalens.server.backend import Backend
from dynalens.server.latest import Latest
from dynalens.server.limits import (
    FRESHNESS_SECONDS,
    FRESHNESS_WAIT_SECONDS,
    LOOK_SECONDS,
    POSITION_BYTES,
    SHARED_STORE_SECONDS,
)
from dynalens.server.position_token import PositionToken, token_of
from dynalens.server.readers import Readers
from dynalens.status import CollectionStatus, collection_status, lag_seconds


@dataclass(frozen=True, slots=True)
class Applied:
    """What the workers of a table say, and what the store has of it, read in this order.

    `read_at` is when both had been read, in seconds that never go back.
    """

    table: str
    reports: Sequence[Report]
    states: Sequence[PartitionState]
    read_at: float

    def of(self, target: str) -> list[PartitionState]:
        """Give the states of one target."""
        return [state for state in self.states if state.target == target]

    def said_of(self, target: str) -> list[Report]:
        """Give what each worker says of one target."""
        return [report for report in self.reports if report.target == target]

    def token(self, target: str) -> PositionToken:
        """Give how far one target has been committed."""
        return token_of(self.table, self.of(target))

    def report(self, target: str, now: float) -> Report | None:
        """Give what the workers say together of one target; None where nobody has said anything."""
        return next(iter(merged(self.said_of(target), now)), None)


@dataclass(frozen=True, slots=True)
class Wholeness:
    """The generations and the gaps of one table in one target: whether what is served holds what its position says."""

    copies: Sequence[Copy]
    gaps: Sequence[Gap]

    def lacks(self, collection: str) -> str:
        """Say what a collection lacks; empty where it lacks nothing."""
        live = [copy for copy in self.copies if copy.collection == collection and copy.state == "live"]
        if not live:
            return f"the first copy of {collection} is not complete"
        lost = [gap for gap in self.gaps if all(copy.number <= gap.generation for copy in live)]
        return f"changes of {collection} were lost and are not repaired yet: {lost[0].reason}" if lost else ""


class Tables:
    """How far each table is applied, each read once for all who ask within a moment.

    Args:
        backend: Where it is read from.
        stores: The threads that read it.

    Attributes:
        look_seconds: How old what is known may be for those who wait for more.
    """

    def __init__(self, backend: Backend, stores: Readers) -> None:
        self._backend = backend
        self._stores = stores
        self._share_seconds = SHARED_STORE_SECONDS if backend.shared_store else 0.0
        self.look_seconds = max(LOOK_SECONDS, self._share_seconds)
        self._reports: Latest[list[Report]] = Latest(self._read_reports)
        self._applied: dict[str, Latest[Applied]] = {}
        self._whole: dict[tuple[str, str], Latest[Wholeness]] = {}

    async def applied(self, table: str, max_age: float) -> Applied:
        """Give how far a table is applied, read at most `max_age` seconds ago; what workers say may be older by a look.

        Raises:
            DynalensError: The stores do not answer.
        """
        return await self._applied.setdefault(table, Latest(partial(self._read_applied, table))).get(max_age)

    async def whole(self, table: str, target: str, since: float) -> Wholeness:
        """Give generations and gaps of a table in a target, read since a moment (`Applied.read_at`).

        Raises:
            DynalensError: The stores do not answer.
        """
        return await self._latest_whole(table, target).since(since)

    async def status(self, collection: str, target: str) -> CollectionStatus:
        """Summarise a collection in a target; its dead letters are not counted.

        Raises:
            DynalensError: The stores do not answer.
        """
        table = self._backend.collection(collection).table
        reports = await self._reports.get(self._share_seconds)
        whole = await self._latest_whole(table, target).get(self._share_seconds)
        now = clock.now()
        said = (report for report in reports if (report.table, report.target) == (table, target))
        return collection_status(
            collection,
            target,
            table,
            report=next(iter(merged(said, now)), None),
            copies=[copy for copy in whole.copies if copy.collection == collection],
            gaps=whole.gaps,
            dead_letters=0,
            now=now,
        )

    async def freshness(self, target: str, collections: Sequence[str]) -> list[str]:
        """Give the header's value for each collection that is about to be read in a target.

        Those of which the stores do not tell at once are left out: they must not hold up an answer.
        """
        named = {name: self._backend.collection(name).table for name in collections}
        known: dict[str, Applied] = {}
        for table in dict.fromkeys(named.values()):
            try:
                async with asyncio.timeout(FRESHNESS_WAIT_SECONDS):
                    known[table] = await self.applied(table, max(FRESHNESS_SECONDS, self._share_seconds))
            except (DynalensError, TimeoutError):
                continue
        now = clock.now()
        return [freshness(name, target, known[table], now) for name, table in named.items() if table in known]

    def _latest_whole(self, table: str, target: str) -> Latest[Wholeness]:
        return self._whole.setdefault((table, target), Latest(partial(self._read_whole, table, target)))

    async def _read_reports(self) -> list[Report]:
        return await self._stores.run(self._backend.workers.reports)

    async def _read_applied(self, table: str) -> Applied:
        reports = await self._reports.get(self.look_seconds)
        states = await self._stores.run(self._backend.positions.partitions, table)
        return Applied(table, [report for report in reports if report.table == table], states, time.monotonic())

    async def _read_whole(self, table: str, target: str) -> Wholeness:
        return await self._stores.run(_read_whole, self._backend, table, target)


def freshness(collection: str, target: str, applied: Applied, now: float) -> str:
    """Give the header's value for one collection; what nobody knows is left out."""
    report = applied.report(target, now)
    parts: Mapping[str, object] = {"collection": collection, "target": target}
    if report is not None:
        parts = {**parts, **_age(report, now)}
    token = str(applied.token(target))
    if len(token) <= POSITION_BYTES:
        parts = {**parts, "position": token}
    return "; ".join(f"{name}={value}" for name, value in parts.items())


def _age(report: Report, now: float) -> dict[str, object]:
    applied = {"applied": _moment(report.applied_at)} if report.applied_at else {}
    return {**applied, "age_ms": age_ms(report, now)}


def age_ms(report: Report, now: float) -> int:
    """Say how old what is read may be, in milliseconds."""
    return round(lag_seconds(report, now) * 1000)


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _read_whole(backend: Backend, table: str, target: str) -> Wholeness:
    # Gaps first: one that is closed meanwhile leaves generations that are complete.
    gaps = [gap for gap in backend.positions.gaps(table) if gap.target == target]
    return Wholeness(backend.positions.copies(table, target), gaps)
