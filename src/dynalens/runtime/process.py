"""A process that runs the workers of tables: started together, reported on once a second, drained at the end."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from dynalens.errors import EXIT_OK, DynalensError
from dynalens.report import Report, ReportStore
from dynalens.runtime.table import TableWorker

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
"""After SIGTERM what was read is applied and committed for so long; the process ends within ten seconds."""
END_SECONDS = 7.0
LEAVE_SECONDS = 8.0
"""After so long it ends whatever is still open: a target that hangs may hang in its closing too."""


@dataclass(frozen=True, slots=True)
class Workers:
    """What the workers of this process say of themselves now, without the way through the store."""

    workers: Sequence[TableWorker]

    def reports(self) -> list[Report]:
        """Give their reports."""
        return [report for worker in self.workers for report in worker.reports()]


@contextmanager
def leaving() -> Iterator[threading.Timer]:
    """Give what ends the process some time after it was started, unless all that was opened since is closed by then."""
    timer = threading.Timer(LEAVE_SECONDS, _leave)
    timer.daemon = True
    try:
        yield timer
    finally:
        timer.cancel()


@contextmanager
def running(
    workers: Sequence[TableWorker], reports: ReportStore, timer: threading.Timer, *, report_seconds: float
) -> Iterator[None]:
    """Run the workers and write their reports; leaving drains them.

    Args:
        workers: The workers.
        reports: Where their reports are written.
        timer: What `leaving` gave: started with the draining.
        report_seconds: How often they are written.
    """
    stop = threading.Event()
    reporter = threading.Thread(
        target=_report, args=(workers, reports, stop, report_seconds), name="reports", daemon=True
    )
    for worker in workers:
        worker.start()
    reporter.start()
    try:
        yield
    finally:
        timer.start()
        for worker in workers:
            worker.stop(DRAIN_SECONDS)
        deadline = time.monotonic() + END_SECONDS
        ended = [worker.join(max(0.0, deadline - time.monotonic())) for worker in workers]
        stop.set()
        reporter.join()
        if not all(ended):
            _leave()


def _leave() -> None:
    """End at once: a target that does not answer must not hold the process, and nothing unconfirmed was committed."""
    log.warning("a target did not answer in time; what it has not confirmed is applied again at the next start")
    logging.shutdown()
    os._exit(EXIT_OK)


def _report(workers: Sequence[TableWorker], reports: ReportStore, stop: threading.Event, seconds: float) -> None:
    ended = False
    while not ended:
        # Once more after the end, so that the last report says what was confirmed.
        ended = stop.wait(seconds)
        for report in Workers(workers).reports():
            try:
                reports.save_report(report)
            except DynalensError as error:
                log.warning("%s %s", error.message, error.hint)


@contextmanager
def stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Stop on SIGTERM and SIGINT."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
