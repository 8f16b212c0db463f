"""`dynalens up`: worker and server in one process, over one locked data folder."""

from __future__ import annotations

import logging
import math
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from dynalens import __version__, clock
from dynalens.config import CollectionConfig, Config, DashboardConfig, load_dashboards
from dynalens.errors import EXIT_OK, DynalensError
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report, ReportStore
from dynalens.retry import RetryPolicy
from dynalens.runtime.folder import locked
from dynalens.runtime.memory import share_freed_memory
from dynalens.runtime.table import Parts, TableWorker
from dynalens.server import Backend, Server, check_bind, create_app
from dynalens.source.aws import Aws
from dynalens.target import Target
from dynalens.target.metrics import MetricsTarget, open_metrics
from dynalens.target.search import open_search
from dynalens.target.sql import SqlTarget, open_sql

if TYPE_CHECKING:
    from dynalens.target.search.target import SearchTarget

log = logging.getLogger(__name__)

DRAIN_SECONDS = 5.0
"""After SIGTERM what was read is applied and committed for so long; the process ends within ten seconds."""
END_SECONDS = 7.0
LEAVE_SECONDS = 8.0
"""After so long it ends whatever is still open: a target that hangs may hang in its closing too."""
REPORT_SECONDS = 1.0
STORE_NAME = "state.db"
_RECONNECT = RetryPolicy(base_seconds=0.2, cap_seconds=5.0, attempts=sys.maxsize, total_seconds=math.inf)


def up(config: Config, *, on_ready: Callable[[str], None]) -> int:
    """Run worker and server until SIGTERM or SIGINT; return the exit code.

    Args:
        config: What to keep, where, and where to answer.
        on_ready: Called once with the server's address, such as `http://127.0.0.1:7070`, when it answers.

    Raises:
        FolderLockedError: Another process works on the same data folder.
        DynalensError: A part could not be started; nothing runs.
    """
    check_bind(config.server.host)
    dashboards = load_dashboards(config)
    share_freed_memory()
    with ExitStack() as stack:
        leaving = stack.enter_context(_leaving())
        announce = stack.enter_context(locked(config.data_folder))
        store = stack.enter_context(closing(SqliteStore(config.data_folder / STORE_NAME)))
        targets = _open_targets(config, stack)
        workers = _workers(config, store, targets.all(), stack)
        backend = _backend(config, dashboards, store, targets, workers)
        server = Server(create_app(backend), config.server.host, config.server.port)
        stack.enter_context(_running(workers, store, leaving))
        address = f"http://{f'[{server.host}]' if ':' in server.host else server.host}:{server.port}"
        announce(address)
        with _stopped_by_signals(server.stop):
            server.run(lambda: on_ready(address))
    return EXIT_OK


@dataclass(frozen=True, slots=True)
class _Targets:
    """The targets that are configured."""

    search: SearchTarget | None
    sql: SqlTarget | None
    metrics: MetricsTarget | None

    def all(self) -> list[Target]:
        return [target for target in (self.search, self.sql, self.metrics) if target is not None]


def _open_targets(config: Config, stack: ExitStack) -> _Targets:
    folder, urls = config.path.parent, config.targets
    search = sql = metrics = None
    if urls.search is not None:
        search = stack.enter_context(closing(open_search(urls.search, folder=folder)))
    if urls.sql is not None:
        sql = stack.enter_context(closing(open_sql(urls.sql, folder=folder)))
    if urls.metrics is not None:
        metrics = stack.enter_context(
            closing(open_metrics(urls.metrics, folder=folder, collections=config.collections))
        )
    return _Targets(search, sql, metrics)


@dataclass(frozen=True, slots=True)
class _Workers:
    """What the workers of this process say of themselves now, without the way through the store."""

    workers: Sequence[TableWorker]

    def reports(self) -> list[Report]:
        return [report for worker in self.workers for report in worker.reports()]


def _backend(
    config: Config,
    dashboards: Mapping[str, DashboardConfig],
    store: SqliteStore,
    targets: _Targets,
    workers: Sequence[TableWorker],
) -> Backend:
    return Backend(
        config=config,
        positions=store,
        dead_letters=store,
        reports=_Workers(workers),
        # SQL knows of each field which column it has.
        documents=targets.sql or targets.search,
        search=targets.search,
        sql=targets.sql,
        metrics=targets.metrics,
        dashboards=dashboards,
        started_at=clock.now(),
        version=__version__,
    )


def _workers(config: Config, store: SqliteStore, targets: Sequence[Target], stack: ExitStack) -> list[TableWorker]:
    tables: dict[str, dict[str, CollectionConfig]] = {}
    for name, collection in config.collections.items():
        tables.setdefault(collection.table, {})[name] = collection
    parts = Parts(
        source=config.source,
        aws=stack.enter_context(closing(Aws(config.source))),
        targets=targets,
        store=store,
        requests=store,
        dead_letters=store,
        reports=store,
        owner=f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}",
        retries=_RECONNECT,
    )
    return [TableWorker(table, collections, parts) for table, collections in tables.items()]


@contextmanager
def _leaving() -> Iterator[threading.Timer]:
    """Give what ends the process some time after it was started, unless all that was opened since is closed by then."""
    timer = threading.Timer(LEAVE_SECONDS, _leave)
    timer.daemon = True
    try:
        yield timer
    finally:
        timer.cancel()


@contextmanager
def _running(workers: Sequence[TableWorker], reports: ReportStore, leaving: threading.Timer) -> Iterator[None]:
    """Run the workers and write their reports; leaving drains them."""
    stop = threading.Event()
    reporter = threading.Thread(target=_report, args=(workers, reports, stop), name="reports", daemon=True)
    for worker in workers:
        worker.start()
    reporter.start()
    try:
        yield
    finally:
        leaving.start()
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


def _report(workers: Sequence[TableWorker], reports: ReportStore, stop: threading.Event) -> None:
    ended = False
    while not ended:
        # Once more after the end, so that the last report says what was confirmed.
        ended = stop.wait(REPORT_SECONDS)
        for worker in workers:
            for report in worker.reports():
                try:
                    reports.save_report(report)
                except DynalensError as error:
                    log.warning("%s %s", error.message, error.hint)


@contextmanager
def _stopped_by_signals(stop: Callable[[], None]) -> Iterator[None]:
    """Stop on SIGTERM and SIGINT."""

    def handle(_number: int, _frame: FrameType | None) -> None:
        stop()

    previous = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
