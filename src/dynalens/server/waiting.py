"""Reading your own writes: a request waits until what it asks for is applied, and hears how fresh its answer is.

Whoever waits holds no thread: the event loop looks again and again how far the table is, once for all who wait for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

from fastapi import Depends, Query, Request
from starlette.requests import ClientDisconnect

from dynalens import clock
from dynalens.errors import DynalensError, NotFoundError, RequestError
from dynalens.partition import Position
from dynalens.position import PartitionState
from dynalens.server.applied import Applied
from dynalens.server.awaited import Awaited, AwaitedDocument, AwaitedSequence, read_awaited
from dynalens.server.backend import Backend, shortened
from dynalens.server.guard import FRESHNESS
from dynalens.server.limits import LOOK_SECONDS, MOST_WAIT_SECONDS, WAIT_SECONDS
from dynalens.server.position_token import Lineage, PositionToken, behind, last_shards, said
from dynalens.server.service import Here, Service
from dynalens.server.tip import Tip
from dynalens.status import lag_seconds
from dynalens.target import DocumentReader


class WaitTimeoutError(DynalensError):
    """What a request waited for was not applied in time."""

    code = "wait_timeout"
    http_status = 504


@dataclass(frozen=True, slots=True)
class Reading:
    """One request's reading of a target: waits first, where it was asked to, and tells how fresh the answer is."""

    here: Service
    request: Request
    awaited: tuple[Awaited, ...]
    seconds: float

    async def of(self, target: str, collections: Sequence[str], *, about: str | None = None) -> None:
        """Wait for what was asked for, then note how far the collections are applied. Before the target is read.

        A request's body must have been read: what is heard of the client from then on is that it went away.

        Args:
            target: The target that will be read.
            collections: The collections that will be read in it.
            about: The one that `wait_for` is about, where there may be several.

        Raises:
            WaitTimeoutError: It was not applied in time.
            RequestError: It cannot be waited for here.
            BusyError: Too many wait already.
            ClientDisconnect: The client went away.
        """
        if self.awaited:
            wait = Wait(self.here, target, [about] if about else collections)
            conditions = [wait.condition(one) for one in self.awaited]
            with self.here.waits.one_more():
                await self._until(wait, conditions)
            if target == "search":
                await self._refresh([about] if about else collections)
        self.request.scope[FRESHNESS] = await self.here.tables.freshness(target, collections)

    async def _refresh(self, collections: Sequence[str]) -> None:
        """Have searches see what was waited for: a cluster shows it a moment after it was applied."""
        search = self.here.backend.search
        if search is not None:
            for collection in collections:
                await self.here.searches.run(search.refresh, collection)

    async def _until(self, wait: Wait, conditions: Sequence[Callable[[], Awaitable[str]]]) -> None:
        lacking = "the stores do not tell in time how far it is"
        limit = asyncio.timeout(self.seconds)
        try:
            async with limit:
                for condition in conditions:
                    while lacking := await condition():
                        if await self.request.is_disconnected():
                            raise ClientDisconnect
                        await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            if not limit.expired():
                raise
            raise WaitTimeoutError(
                f"{wait.named} is not there after {self.seconds:g} s: {lacking}.",
                hint=f"Ask again, with a wait_timeout of up to {MOST_WAIT_SECONDS:g} s; "
                "GET /api/v1/status shows what holds it up.",
            ) from None


async def _reading(
    here: Here,
    request: Request,
    wait_for: Annotated[
        list[str] | None,
        Query(
            description="Wait until this is applied: `position:TOKEN`, `sequence:NUMBER@SHARD` or `document:ID`.",
            examples=[["document:a@test.com"]],
        ),
    ] = None,
    expect: Annotated[
        str | None,
        Query(description="What the document holds: `field:value` as in `filter=`, or `gone`.", examples=["amount:10"]),
    ] = None,
    wait_timeout: Annotated[
        float, Query(gt=0, le=MOST_WAIT_SECONDS, allow_inf_nan=False, description="Seconds to wait at most.")
    ] = WAIT_SECONDS,
) -> Reading:
    return Reading(here, request, read_awaited(wait_for or [], expect), wait_timeout)


Fresh = Annotated[Reading, Depends(_reading)]
"""The parameters that say what to wait for, as a parameter of a route that reads a target."""


class Wait:
    """What one request waits for in one target. Each condition says what is lacking, nothing once it holds.

    Args:
        here: The service.
        target: The target's name.
        collections: The collections that it may be about.

    Attributes:
        named: What is waited for, in words.
    """

    def __init__(self, here: Service, target: str, collections: Sequence[str]) -> None:
        self._here = here
        self._target = target
        self._collections = collections
        self._since = clock.now()
        self.named = f"{', '.join(collections)} in {target}"

    def condition(self, awaited: Awaited) -> Callable[[], Awaitable[str]]:
        """Give what tells whether something that is waited for is there.

        Raises:
            RequestError: It cannot be waited for here.
        """
        match awaited:
            case PositionToken():
                return self._position(awaited)
            case AwaitedSequence():
                return self._sequence(awaited)
        return self._document(awaited)

    def _tables(self) -> dict[str, list[str]]:
        tables: dict[str, list[str]] = {}
        for name in self._collections:
            tables.setdefault(self._here.backend.collection(name).table, []).append(name)
        return tables

    # Positions and sequence numbers.

    def _position(self, token: PositionToken) -> Callable[[], Awaitable[str]]:
        tables = self._tables()
        if token.table not in tables:
            raise RequestError(
                f"The position is one of the table {shortened(token.table)}, which is not read here.",
                hint=f"Give one of {' or '.join(tables)}.",
            )

        async def lacking() -> str:
            applied = await self._looked(token.table)
            missing = list(behind(token, self._target, applied.states))
            if missing:
                return f"{_first(missing)}; {_how_far(applied, self._target)}"
            return await self._damage(applied, tables[token.table])

        return lacking

    def _sequence(self, awaited: AwaitedSequence) -> Callable[[], Awaitable[str]]:
        tables = self._tables()
        if len(tables) != 1:
            raise _which_one(self._collections)
        [(table, collections)] = tables.items()
        tip = Tip(self._since)

        async def lacking() -> str:
            applied = await self._looked(table)
            states = applied.of(self._target)
            if awaited.shard:
                missing = _behind_in(awaited, Lineage(self._target, applied.states))
            elif tip.is_reached(applied.said_of(self._target), states, clock.now()) or _are_beyond(awaited, states):
                missing = ""
            else:
                missing = f"not every shard has reached sequence number {awaited.number}"
            return (
                f"{missing}; {_how_far(applied, self._target)}" if missing else await self._damage(applied, collections)
            )

        return lacking

    async def _looked(self, table: str) -> Applied:
        return await self._here.tables.applied(table, self._here.tables.look_seconds)

    async def _damage(self, applied: Applied, collections: Sequence[str]) -> str:
        """Say what is lacking of what the positions stand for: positions pass a gap once it is recorded, not before."""
        whole = await self._here.tables.whole(applied.table, self._target, applied.read_at)
        return next((lack for name in collections if (lack := whole.lacks(name))), "")

    # Documents.

    def _document(self, awaited: AwaitedDocument) -> Callable[[], Awaitable[str]]:
        if len(self._collections) != 1:
            raise _which_one(self._collections)
        [collection] = self._collections
        kept_in = self._here.backend.kept_in
        if self._target in kept_in:
            return partial(self._document_in, self._target, collection, awaited)
        if not kept_in:
            raise RequestError(
                f"{self._target} keeps no documents that could be waited for, and no other target is configured.",
                hint=f"Wait for a position: GET /api/v1/collections/{collection}/position?target={self._target}",
            )
        return self._document_counted(next(iter(kept_in)), collection, awaited)

    def _document_counted(self, keeper: str, collection: str, awaited: AwaitedDocument) -> Callable[[], Awaitable[str]]:
        """Wait for a document in the target that keeps it, then for this one to have all that was there by then."""
        table = self._here.backend.collection(collection).table
        tip: Tip | None = None

        async def lacking() -> str:
            nonlocal tip
            if tip is None:
                if missing := await self._document_in(keeper, collection, awaited):
                    return missing
                tip = Tip(clock.now())
            applied = await self._looked(table)
            if not tip.is_reached(applied.said_of(self._target), applied.of(self._target), clock.now()):
                return f"{keeper} has the document; {_how_far(applied, self._target)}"
            return await self._damage(applied, [collection])

        return lacking

    async def _document_in(self, keeper: str, collection: str, awaited: AwaitedDocument) -> str:
        reader = self._here.backend.kept_in[keeper]
        pool = self._here.searches if keeper == "search" else self._here.documents
        async with self._here.waits.looking[keeper]:
            if await pool.run(_meets, reader, collection, awaited):
                return ""
        return f"the document {shortened(awaited.id)!r} is not as expected in {keeper}"


def keeper_of(backend: Backend) -> str:
    """Name the target that gives documents back; there must be one."""
    return next(iter(backend.kept_in))


def _meets(reader: DocumentReader, collection: str, awaited: AwaitedDocument) -> bool:
    try:
        stored = reader.document(collection, awaited.id)
    except NotFoundError:
        return False  # the collection is not served yet
    return awaited.expectation.met_by(stored.json if stored else None)


def _behind_in(awaited: AwaitedSequence, lineage: Lineage) -> str:
    at = lineage.held.get(awaited.shard)
    if at is None:
        known = lineage.is_replaced(awaited.shard)
        return "" if known else f"shard {shortened(awaited.shard)} is not read, or not yet"
    if at >= Position(rank=awaited.number):
        return ""
    return f"shard {awaited.shard} stands at {said(at)}, before sequence number {awaited.number}"


def _are_beyond(awaited: AwaitedSequence, states: Sequence[PartitionState]) -> bool:
    """Say whether every shard that it may belong to is beyond it; of a drained one the children are not known yet."""
    last = last_shards(states)
    return bool(last) and all(not state.position.ended and state.position.rank >= awaited.number for state in last)


def _which_one(collections: Sequence[str]) -> RequestError:
    return RequestError(
        f"wait_for may be about several collections: {', '.join(collections[:20])}.",
        hint=f"Say which one: collection={next(iter(collections), 'NAME')}",
    )


def _first(missing: Sequence[str]) -> str:
    return missing[0] if len(missing) == 1 else f"{missing[0]}, and {len(missing) - 1} more"


def _how_far(applied: Applied, target: str) -> str:
    now = clock.now()
    report = applied.report(target, now)
    if report is None:
        return "no worker has reported yet"
    return f"{report.waiting:,} changes wait, {lag_seconds(report, now):.1f} s behind"
