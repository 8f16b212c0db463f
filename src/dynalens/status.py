"""Status: the honest summary that the server and the command line show, from reports, generations and gaps.

Whoever reads decides from a report's age what it is worth: a process that moves nothing never looks well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from dynalens.position import Copy, Gap
from dynalens.report import Report

Phase = Literal["backfilling", "streaming", "stalled", "gap", "rebuilding"]

STALLED_AFTER_SECONDS = 10.0
"""No successful poll, or records read and none confirmed, for this long: stalled."""

WORKER_SILENT = "worker_silent"
"""Error code of a worker that has not reported, or not for `STALLED_AFTER_SECONDS`."""
_START = "Start it: dynalens up. If it runs, its log says why it is silent."


class Verified(NamedTuple):
    """A verification that ended: when, in epoch seconds, and how many documents it found to differ and left so."""

    at: float = 0.0
    differences: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionStatus:
    """One collection in one target, as `GET /api/v1/status` shows it."""

    collection: str
    target: str
    table: str
    phase: Phase
    stalled: bool
    """Nothing moves, also where the phase tells of a gap instead."""
    ready: bool
    """The first copy is complete: this target can answer for this collection."""
    caught_up: bool
    generation: int
    progress: float
    """Share of the running scan that is done, 0.0 to 1.0; 1.0 without one."""
    scanned: int
    """Rows of the running scan that are applied; 0 without one."""
    scan_total: int
    """Rows that the running scan may read: the service's estimate, up to six hours old; 0 without a scan."""
    lag_seconds: float
    waiting: int
    dead_letters: int
    gaps: tuple[Gap, ...]
    error_code: str
    error_message: str
    error_hint: str
    verified_at: float = 0.0
    """When the newest verification of the served generation ended, in epoch seconds; 0.0: there is none."""
    differences: int = 0
    """Documents that it found to differ from their items, and did not repair."""


def collection_status(  # noqa: PLR0913 - three names, and what the stores hold of them
    collection: str,
    target: str,
    table: str,
    *,
    report: Report | None,
    copies: Sequence[Copy],
    gaps: Sequence[Gap],
    dead_letters: int,
    now: float,
    verified: Mapping[int, Verified] | None = None,
) -> CollectionStatus:
    """Summarise one collection in one target from what the store holds.

    A gap outweighs everything: it stays until a repair closes it. Then `stalled`, judged by the report's age, its last
    poll and what waits unconfirmed. `copies` are this collection's generations in this target, `verified` what was
    found by the newest verification of each, by its number; None where it is not asked for.
    """
    live = [copy for copy in copies if copy.state == "live"]
    building = [copy for copy in copies if copy.state == "building"]
    stalled = report is None or _stalled(report, now)
    phase: Phase = "streaming"
    if building:
        phase = "rebuilding" if live else "backfilling"
    if stalled:
        phase = "stalled"
    if gaps:
        phase = "gap"
    code, message, hint = _error(report, now)
    served = max((copy.number for copy in live or building), default=0)
    compared = (verified or {}).get(served, Verified())
    return CollectionStatus(
        collection=collection,
        target=target,
        table=table,
        phase=phase,
        stalled=stalled,
        ready=bool(live),
        caught_up=report is not None and report.caught_up and not stalled and not building and not gaps,
        generation=served,
        progress=_progress(report) if building else 1.0,
        scanned=report.scanned if report and building else 0,
        scan_total=report.scan_total if report and building else 0,
        lag_seconds=lag_seconds(report, now),
        waiting=report.waiting if report else 0,
        dead_letters=dead_letters,
        gaps=tuple(gaps),
        error_code=code,
        error_message=message,
        error_hint=hint,
        verified_at=compared.at,
        differences=compared.differences,
    )


def _error(report: Report | None, now: float) -> tuple[str, str, str]:
    """Give code, message and hint of what is wrong now: a silent worker's own last error may be over."""
    if report is None:
        return WORKER_SILENT, "No worker has reported yet.", _START
    silent = now - report.written_at
    if silent > STALLED_AFTER_SECONDS:
        return WORKER_SILENT, f"The worker last reported {silent:.0f} s ago.", _START
    return report.error_code, report.error_message, report.error_hint


def _stalled(report: Report, now: float) -> bool:
    if now - report.written_at > STALLED_AFTER_SECONDS:
        return True
    # A worker that has just started gets the same time for its first poll.
    if now - max(report.polled_at, report.started_at) > STALLED_AFTER_SECONDS:
        return True
    waits = report.waiting_since and now - report.waiting_since > STALLED_AFTER_SECONDS
    return bool(waits) and now - report.confirmed_at > STALLED_AFTER_SECONDS


def lag_seconds(report: Report | None, now: float) -> float:
    """How old what readers see may be: what is known to wait, plus the time since anything was heard."""
    if report is None:
        return 0.0
    return max(report.behind_at(now), now - report.polled_at if report.polled_at else 0.0)


def _progress(report: Report | None) -> float:
    if report is None or not report.scan_total:
        return 0.0
    return min(1.0, report.scanned / report.scan_total)
