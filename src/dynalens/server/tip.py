"""Whether a target has all that was in a stream at some moment, as the workers' reports tell it.

DynamoDB Streams does not say how far behind a reader is. What comes closest: every shard was read since the moment,
the last reads came back empty, and all that was read is confirmed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from dynalens.position import PartitionState
from dynalens.report import FRESH_SECONDS, Report
from dynalens.server.position_token import last_shards


class Tip:
    """Watches the reports of one table and target until all that was in the stream before `since` is committed.

    A read that ended after a moment may have begun before it, so it takes the one after that, too.

    Args:
        since: Epoch seconds. Compared with the clocks of the workers.
    """

    def __init__(self, since: float) -> None:
        self._begin(since)

    def _begin(self, since: float) -> None:
        self._since = since
        self._read_once: Mapping[str, float] = {}
        self._quiet: Mapping[str, float] = {}
        self._epochs: Mapping[str, int] = {}

    def is_reached(self, reports: Sequence[Report], states: Sequence[PartitionState], now: float) -> bool:
        """Look at what is said now; the states must have been read after the reports."""
        living = [report for report in reports if now - report.written_at < FRESH_SECONDS]
        epochs = _epochs(states)
        if self._read_once and (epochs != self._epochs or {one.worker for one in living} != self._read_once.keys()):
            # A session ended, whose changes may be read again and do not wait meanwhile; or a worker came or went.
            self._begin(now)
        if not self._read_once:
            if _all_read(living, {report.worker: self._since for report in living}):
                self._read_once, self._epochs = _written(living), epochs
            return False
        if not _all_read(living, self._read_once) or not all(map(_is_quiet, living)) or _awaits_children(states):
            return False
        # It holds if they were attached then. Caught up they are; else the next read, in the same session, proves it.
        if all(report.caught_up for report in living):
            return True
        if not self._quiet:
            self._quiet = _written(living)
            return False
        return _all_read(living, self._quiet) and not any(report.worker for report in living)


def _epochs(states: Iterable[PartitionState]) -> dict[str, int]:
    return {state.partition.id: state.epoch for state in states if state.partition.kind == "shard"}


def _written(reports: Iterable[Report]) -> dict[str, float]:
    return {report.worker: report.written_at for report in reports}


def _all_read(reports: Sequence[Report], after: Mapping[str, float]) -> bool:
    """Say whether the same workers have read all of their shards since; each compared with its own clock."""
    return (
        bool(reports)
        and {report.worker for report in reports} == after.keys()
        and all(report.polled_at > after[report.worker] for report in reports)
    )


def _is_quiet(report: Report) -> bool:
    return not report.error_code and not report.waiting and not report.behind_seconds


def _awaits_children(states: Iterable[PartitionState]) -> bool:
    """Say whether a drained shard's children are still to be found."""
    return any(state.position.ended for state in last_shards(states))
