"""Reports: what a worker says of itself, once a second while it lives, per table and target."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

FRESH_SECONDS = 10.0
"""Reports younger than this are those of workers that work now: each writes one a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a worker knows of one table and target at one moment. Times are epoch seconds, 0.0: never.

    Attributes:
        worker: Who says it; empty for the only worker of a local store.
        written_at: When the report was made.
        started_at: When the worker began to report.
        polled_at: When every open shard had been read last, by this worker or the one before.
        confirmed_at: Last time the target confirmed a batch.
        waiting_since: Since when changes have been read and none of them confirmed; 0.0 when nothing waits.
        waiting: Changes read and not yet confirmed.
        applied_at: Creation time of the newest change confirmed.
        behind_seconds: Age of the oldest change known to be unconfirmed; 0.0 when caught up.
        caught_up: DESIGN's first strength: empty pages for 3 s or newest record under 10 s old, and all confirmed.
        scanned: Rows scanned so far by the running scan; `scan_total` is the service's estimate, 0 without a scan.
        confirmed: Changes confirmed since the worker started.
        owners: The workers that hold partitions of the table, as far as this one knows; empty for the only one.
        error_code: Code, message and hint of the last error, empty when the last attempt went well.
    """

    table: str
    target: str
    worker: str = ""
    written_at: float
    started_at: float = 0.0
    polled_at: float = 0.0
    confirmed_at: float = 0.0
    waiting_since: float = 0.0
    waiting: int = 0
    applied_at: float = 0.0
    behind_seconds: float = 0.0
    caught_up: bool = False
    scanned: int = 0
    scan_total: int = 0
    confirmed: int = 0
    owners: Sequence[str] = field(default_factory=list)
    error_code: str = ""
    error_message: str = ""
    error_hint: str = ""

    def behind_at(self, now: float) -> float:
        """Give `behind_seconds` as it is some time after the report was written: what waited may wait still."""
        return self.behind_seconds + max(0.0, now - self.written_at) if self.behind_seconds else 0.0


class ReportReader(Protocol):
    """The newest report of each table, target and worker."""

    def reports(self) -> list[Report]:
        """List them."""
        ...


class ReportStore(ReportReader, Protocol):
    """The newest report of each table, target and worker, kept."""

    def save_report(self, report: Report) -> None:
        """Replace the report of its table, target and worker."""
        ...


def merged(reports: Iterable[Report], now: float) -> list[Report]:
    """Give one report for each table and target: what its workers say together, or what was said last.

    Args:
        reports: Those of all workers, the ones that are gone too.
        now: Epoch seconds.
    """
    groups: dict[tuple[str, str], list[Report]] = {}
    for report in sorted(reports, key=lambda report: report.worker):
        groups.setdefault((report.table, report.target), []).append(report)
    return [
        _together([report for report in group if now - report.written_at < FRESH_SECONDS] or _newest(group))
        for group in groups.values()
    ]


def silent(owners: Iterable[str], reports: Iterable[Report]) -> set[str]:
    """Give the owners that say nothing: whoever holds a shard and is silent may be behind with it."""
    return set(owners) - {report.worker for report in reports}


def _newest(group: Sequence[Report]) -> Sequence[Report]:
    return [max(group, key=lambda report: report.written_at)]


def _together(group: Sequence[Report]) -> Report:
    first = group[0]
    owners = {owner for report in group for owner in report.owners}
    caught_up = not silent(owners, group) and all(report.caught_up for report in group)
    if len(group) == 1:
        return replace(first, caught_up=caught_up)
    failed = next((report for report in group if report.error_code), first)
    written_at = max(report.written_at for report in group)
    return replace(
        first,
        worker="",
        written_at=written_at,
        started_at=min(report.started_at for report in group),
        # Every shard counts: it was all read when the last of them had read its part.
        polled_at=min(report.polled_at for report in group),
        confirmed_at=max(report.confirmed_at for report in group),
        waiting_since=min((report.waiting_since for report in group if report.waiting_since), default=0.0),
        waiting=sum(report.waiting for report in group),
        applied_at=max(report.applied_at for report in group),
        behind_seconds=max(report.behind_at(written_at) for report in group),
        caught_up=caught_up,
        scanned=sum(report.scanned for report in group),
        scan_total=max(report.scan_total for report in group),
        confirmed=sum(report.confirmed for report in group),
        owners=sorted(owners),
        error_code=failed.error_code,
        error_message=failed.error_message,
        error_hint=failed.error_hint,
    )
