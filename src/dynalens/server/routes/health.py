"""How this process and its collections are: for people, orchestrators and Prometheus."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from fastapi import APIRouter
from starlette.responses import Response

from dynalens import clock
from dynalens.errors import DynalensError
from dynalens.server.answers import error_answer, json_answer
from dynalens.server.backend import Backend
from dynalens.server.documented import answers
from dynalens.server.exposition import MEDIA_TYPE, exposition
from dynalens.server.limits import COUNT_SECONDS
from dynalens.server.models import (
    Alive,
    ErrorDetail,
    GapStatus,
    NotReady,
    NotReadyReason,
    PositionStatus,
    Ready,
    StatusAnswer,
    TargetStatus,
)
from dynalens.server.readers import Readers
from dynalens.server.service import Here
from dynalens.status import CollectionStatus

router = APIRouter(tags=["health"])

_REASON = {
    "collection": "donations",
    "target": "sql",
    "phase": "backfilling",
    "reason": "4,000 of about 10,000 rows of the first copy are done.",
    "hint": "",
}
_NOT_READY = {
    "error": {"code": "not_ready", "message": "1 of 2 are not ready.", "hint": "Wait, or see GET /api/v1/status."},
    "reasons": [_REASON],
}
_STATUS = {
    "version": "1.0.0",
    "started_at": 1754550000.0,
    "now": 1754550060.5,
    "collections": [
        {
            "collection": "donations",
            "target": "sql",
            "table": "Donations",
            "phase": "streaming",
            "ready": True,
            "caught_up": True,
            "generation": 1,
            "stalled": False,
            "progress": 1.0,
            "scanned": 0,
            "scan_total": 0,
            "lag_seconds": 0.4,
            "documents": 10000,
            "waiting": 0,
            "dead_letters": 0,
            "gaps": [],
            "verified_at": 1754546400.0,
            "differences": 0,
            "error": None,
        }
    ],
    "positions": [
        {
            "table": "Donations",
            "target": "sql",
            "partition": "shardId-1",
            "kind": "shard",
            "position": "111100000000000000000000001",
        }
    ],
    "dead_letters": 0,
}


@router.get("/healthz", summary="Is the process alive?", responses=answers({"status": "ok", "version": "1.0.0"}))
async def healthz(here: Here) -> Alive:
    """Answer, whatever state the collections are in."""
    return Alive(status="ok", version=here.backend.version)


@router.get(
    "/readyz",
    summary="Can this process answer?",
    response_model=Ready,
    responses={
        **answers({"ready": True, "caught_up": True}, 400),
        503: {
            "description": "Not ready, with the reasons.",
            "model": NotReady,
            "content": {"application/json": {"example": _NOT_READY}},
        },
    },
)
async def readyz(here: Here, *, caught_up: bool = False) -> Response:
    """Answer 200 once every first copy is complete; with `caught_up=true`, only while everything is caught up."""
    statuses = await here.stores.run(here.backend.statuses, clock.now())
    reasons = [
        NotReadyReason(
            collection=status.collection,
            target=status.target,
            phase=status.phase,
            reason=" ".join(_reasons(status)),
            hint=status.error_hint,
        )
        for status in statuses
        if not status.ready or (caught_up and not status.caught_up)
    ]
    if statuses and not reasons:
        return json_answer({"ready": True, "caught_up": all(status.caught_up for status in statuses)})
    return error_answer(
        503,
        "not_ready",
        f"{len(reasons)} of {len(statuses)} are not {'caught up' if caught_up else 'ready'}.",
        "Wait, or see GET /api/v1/status.",
        reasons=[reason.model_dump() for reason in reasons],
    )


def _reasons(status: CollectionStatus) -> Iterator[str]:
    """Say what keeps a collection from being ready or caught up, as sentences."""
    for gap in status.gaps:
        since, until = (_moment(seconds) if seconds else "an unknown time" for seconds in (gap.since, gap.until))
        yield f"Changes from {since} to {until} were lost: {gap.reason.rstrip('.')}."
    if status.error_message:
        yield status.error_message
    if status.scan_total:
        copy = "new" if status.ready else "first"
        yield f"{status.scanned:,} of about {status.scan_total:,} rows of the {copy} copy are done."
    elif not status.ready:
        yield "The first copy is not complete."
    if status.ready or status.waiting:
        yield f"{status.waiting:,} changes wait, {status.lag_seconds:.1f} s behind."


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


@router.get(
    "/metrics",
    summary="Prometheus metrics",
    response_class=Response,
    responses=answers(
        'dynalens_lag_seconds{table="Donations",collection="donations",target="sql"} 0.4\n', 503, media_type=MEDIA_TYPE
    ),
)
async def metrics(here: Here) -> Response:
    """Give lag, phases, dead letters and more in Prometheus' text format."""
    text = await here.stores.run(
        exposition,
        here.backend,
        requests=here.traffic.requests,
        viewers=len(here.hub.viewers) if here.hub else 0,
        now=clock.now(),
    )
    return Response(text, media_type=MEDIA_TYPE)


@router.get("/api/v1/status", summary="Status of every collection and target", responses=answers(_STATUS, 503))
async def status(here: Here) -> StatusAnswer:
    """Give phase, progress, lag, gaps, dead letters and positions."""
    sql, search = await asyncio.gather(
        _document_counts(here, "sql", here.documents), _document_counts(here, "search", here.searches)
    )
    return await here.stores.run(_status, here.backend, {"sql": sql, "search": search})


async def _document_counts(here: Here, target: str, readers: Readers) -> dict[str, int]:
    """Count documents where the target answers soon: status is asked for when one does not."""
    try:
        async with asyncio.timeout(COUNT_SECONDS):
            return await readers.run(here.backend.document_counts, target)
    except (TimeoutError, DynalensError):
        return {}


def _status(backend: Backend, documents: Mapping[str, Mapping[str, int]]) -> StatusAnswer:
    now = clock.now()
    return StatusAnswer(
        version=backend.version,
        started_at=backend.started_at,
        now=now,
        collections=[_target(status, documents) for status in backend.statuses(now)],
        positions=[
            PositionStatus(
                table=table,
                target=state.target,
                partition=state.partition.id,
                kind=state.partition.kind,
                position=state.position.token,
            )
            for table, state in backend.open_positions()
        ],
        dead_letters=sum(backend.dead_letters.waiting_counts().values()),
    )


def _target(status: CollectionStatus, documents: Mapping[str, Mapping[str, int]]) -> TargetStatus:
    failed = status.error_code or status.error_message
    return TargetStatus(
        collection=status.collection,
        target=status.target,
        table=status.table,
        phase=status.phase,
        ready=status.ready,
        caught_up=status.caught_up,
        generation=status.generation,
        stalled=status.stalled,
        progress=status.progress,
        scanned=status.scanned,
        scan_total=status.scan_total,
        lag_seconds=status.lag_seconds,
        documents=documents.get(status.target, {}).get(status.collection),
        waiting=status.waiting,
        dead_letters=status.dead_letters,
        gaps=[
            GapStatus(
                partition=gap.partition, since=gap.since, until=gap.until, reason=gap.reason, found_at=gap.found_at
            )
            for gap in status.gaps
        ],
        verified_at=status.verified_at,
        differences=status.differences,
        error=ErrorDetail(code=status.error_code or "error", message=status.error_message, hint=status.error_hint)
        if failed
        else None,
    )
