"""One table in the worker: described, captured, and begun anew when its stream turns out to be another one."""

from __future__ import annotations

import logging
import math
import os
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dynalens import clock
from dynalens.backfill import Scan, Wanted
from dynalens.config import CollectionConfig, Config, SourceConfig
from dynalens.dead_letter import DeadLetterStore
from dynalens.errors import DynalensError
from dynalens.pipeline import Background, Leases, Table, TablePipeline
from dynalens.position import PositionStore
from dynalens.report import Report, ReportReader
from dynalens.request import RequestStore
from dynalens.retry import RetryPolicy
from dynalens.source import Source
from dynalens.source.aws import Aws
from dynalens.source.scan import ScanSource
from dynalens.source.streams import StreamSource
from dynalens.source.table import TableInfo, require_new_images, require_stream, table_info
from dynalens.status import STALLED_AFTER_SECONDS
from dynalens.target import Target
from dynalens.verification import ScannedTable, TableReader

log = logging.getLogger(__name__)

LOOK_SECONDS = 10.0
"""How often the table is described again: its stream may have been turned off, or the table created anew."""
AGAIN_SECONDS = 2.0
RECONNECT = RetryPolicy(base_seconds=0.2, cap_seconds=5.0, attempts=sys.maxsize, total_seconds=math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What all tables of a worker share."""

    source: SourceConfig
    aws: Aws
    targets: Sequence[Target]
    store: PositionStore
    requests: RequestStore
    dead_letters: DeadLetterStore
    reports: ReportReader
    leases: Callable[[str], Leases]
    """Gives the leases of a table by its name."""
    retries: RetryPolicy = RECONNECT
    """How long is waited between attempts to attach a target."""
    places: Mapping[str, str] = field(default_factory=dict)
    """Where each target is, by its name."""


def worker_name() -> str:
    """Give this process a name in the store that no other has had."""
    return f"{socket.gethostname()}-{os.getpid()}-{time.time_ns()}"


def collections_by_table(config: Config) -> dict[str, dict[str, CollectionConfig]]:
    """Give the collections of each table."""
    tables: dict[str, dict[str, CollectionConfig]] = {}
    for name, collection in config.collections.items():
        tables.setdefault(collection.table, {})[name] = collection
    return tables


def background(
    source: SourceConfig, collections: Mapping[str, CollectionConfig], targets: Iterable[str]
) -> Background | None:
    """Say how the collections of a table are compared with it all the time; None where they are not."""
    if source.verify is None:
        return None
    return Background(
        every_seconds=source.verify.every.seconds,
        rate=source.verify.rate,
        repair=source.verify.repair,
        # Of a collection without metrics nothing is kept there.
        collections={
            target: [name for name, collection in collections.items() if collection.metrics or target != "metrics"]
            for target in targets
        },
    )


class TableWorker:
    """Keeps the collections of one table up to date in a thread of its own, whatever happens to the table.

    Args:
        name: The table's name.
        collections: Its collections.
        parts: What it shares with other tables.
    """

    def __init__(self, name: str, collections: Mapping[str, CollectionConfig], parts: Parts) -> None:
        self._name = name
        self._collections = collections
        self._leases = parts.leases(name)
        self._parts = parts
        self._stop = threading.Event()
        self._drain_seconds = 0.0
        self._pipeline: TablePipeline | None = None
        self._error: DynalensError | None = None
        self._started_at = clock.now()
        # Read before the first report of this process takes its place.
        self._read_at = _polled(parts.reports.reports(), name)
        self._thread = threading.Thread(target=self._run, name=f"table-{name}", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, drain_seconds: float) -> None:
        """Apply and commit what was read, for at most `drain_seconds`, then end. Returns at once."""
        self._drain_seconds = drain_seconds
        self._stop.set()

    def join(self, timeout: float) -> bool:
        """Wait for the end; say whether it came."""
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def reports(self) -> list[Report]:
        """Give a report for each target, with what is wrong with the table itself where nothing else is."""
        pipeline, error = self._pipeline, self._error
        if pipeline is not None:
            reports = pipeline.reports()
        else:
            now = clock.now()
            reports = [
                Report(
                    table=self._name,
                    target=target.name,
                    worker=self._leases.reported_as,
                    written_at=now,
                    started_at=self._started_at,
                    polled_at=self._read_at.get(target.name, 0.0),
                )
                for target in self._parts.targets
            ]
        return reports if error is None else [_with(report, error) for report in reports]

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._capture(self._describe())
            except DynalensError as error:
                self._failed(error)
            except Exception as error:
                # A bug must not end the table in silence: status shows it, the log says where, and it is tried again.
                log.exception("%s failed", self._name)
                self._failed(DynalensError(f"{type(error).__name__}: {error}"))

    def _failed(self, error: DynalensError) -> None:
        log.warning("%s: %s %s", self._name, error.message, error.hint)
        self._error = error
        self._stop.wait(AGAIN_SECONDS)

    def _describe(self) -> TableInfo:
        info = table_info(self._parts.aws, self._name, stop=self._stop)
        require_stream(info)
        require_new_images(info)
        return info

    def _capture(self, info: TableInfo) -> None:
        """Run a pipeline on the table's stream until the worker stops or the stream is another one."""
        self._error = None
        self._pipeline = self._open(info)
        self._leases.serve(is_read=self._pipeline.is_read, notify=self._pipeline.wake)
        self._pipeline.start()
        try:
            while not self._stop.wait(LOOK_SECONDS) and self._is_same(info):
                pass
        finally:
            self._pipeline.stop(self._drain_seconds)
            self._pipeline.join(self._drain_seconds + 1.0)
            self._read_at = _polled(self._pipeline.reports(), self._name)

    def _is_same(self, info: TableInfo) -> bool:
        """Look at the table again. A stream that is off is still drained: its records stay for 24 hours."""
        try:
            found = self._describe()
        except DynalensError as error:
            log.warning("%s: %s %s", self._name, error.message, error.hint)
            self._error = error
            return True
        self._error = None
        return found.stream_arn == info.stream_arn

    def _open(self, info: TableInfo) -> TablePipeline:
        parts = self._parts
        return TablePipeline(
            table=Table(
                name=self._name,
                stream=info.stream_arn,
                keys=info.keys,
                items=info.item_count,
                wanted={
                    target.name: [
                        Wanted.of(name, collection, target.name, parts.places.get(target.name, ""))
                        for name, collection in self._collections.items()
                    ]
                    for target in parts.targets
                },
                repairs=parts.source.repair == "automatic",
                read_at=self._read_at,
                background=background(parts.source, self._collections, [target.name for target in parts.targets]),
            ),
            stream=StreamSource(parts.aws, info, stop=self._stop),
            scans=lambda scan: self._scan(info, scan),
            targets=parts.targets,
            store=parts.store,
            requests=parts.requests,
            leases=self._leases,
            other_reports=self._other_reports,
            reader=lambda stop: self._reader(info, stop),
            dead_letters=parts.dead_letters,
            fetch=lambda key: parts.aws.item(self._name, key),
            segments=parts.source.scan_segments,
            retries=parts.retries,
        )

    def _other_reports(self, target: str) -> list[Report]:
        now = clock.now()
        return [
            report
            for report in self._parts.reports.reports()
            if (report.table, report.target) == (self._name, target)
            and report.worker != self._leases.reported_as
            and now - report.written_at <= STALLED_AFTER_SECONDS
        ]

    def _reader(self, info: TableInfo, stop: threading.Event) -> TableReader:
        scan = ScanSource(
            self._parts.aws,
            info,
            copy="verification",
            segments=1,
            read_units=self._parts.source.scan_read_units,
            consistent=False,
            stop=stop,
        )
        return ScannedTable(scan)

    def _scan(self, info: TableInfo, scan: Scan) -> Source:
        return ScanSource(
            self._parts.aws,
            info,
            copy=scan.id,
            segments=scan.segments,
            read_units=self._parts.source.scan_read_units,
            consistent=scan.consistent,
            stop=self._stop,
        )


def _polled(reports: Iterable[Report], table: str) -> dict[str, float]:
    """Give when the stream of a table was last read for each target, by whichever worker."""
    polled: dict[str, float] = {}
    for report in reports:
        if report.table == table:
            polled[report.target] = max(report.polled_at, polled.get(report.target, 0.0))
    return polled


def _with(report: Report, error: DynalensError) -> Report:
    if report.error_code:
        return report
    return replace(report, caught_up=False, error_code=error.code, error_message=error.message, error_hint=error.hint)
