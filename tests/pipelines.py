"""A real pipeline over fakes: what the tests of the pipeline and of its faults run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from dynalens.backfill import Scan, Wanted
from dynalens.change import Change, Document, Typed, render
from dynalens.config import CollectionConfig, dump_settings
from dynalens.partition import START
from dynalens.pipeline import Background, SoleLeases, Table, TablePipeline
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report
from dynalens.retry import RetryPolicy
from dynalens.runtime.table import Parts
from dynalens.source import Source
from dynalens.source.aws import Aws
from dynalens.target import Target
from dynalens.testing.memory import MemorySource

IMPATIENT = RetryPolicy(base_seconds=0.01, cap_seconds=0.05, attempts=1_000_000, total_seconds=3600.0)
DONATIONS = {"donations": CollectionConfig(table="Donations")}


def parts(aws: Aws, target: Target, store: SqliteStore) -> Parts:
    """Give what the worker of a table needs, over one store and one target."""
    return Parts(
        source=aws.config,
        aws=aws,
        targets=[target],
        store=store,
        requests=store,
        dead_letters=store,
        reports=store,
        leases=lambda table: SoleLeases(table, store, "worker"),
        retries=IMPATIENT,
    )


class MemoryTable:
    """The table's side of a comparison, over a source in memory."""

    read_units = 0.0

    def __init__(self, source: MemorySource) -> None:
        self._source = source

    def pages(self) -> Iterator[Sequence[Change]]:
        scan = self._source.scan("verification")
        for segment in scan.discover():
            batch = scan.open(segment, START).read()
            while batch.changes:
                yield batch.changes
                batch = scan.open(segment, batch.position).read()

    def items(self, keys: Mapping[str, Mapping[str, Typed]], /) -> dict[str, Document]:
        items = {id_: self._source.item(key) for id_, key in keys.items()}
        return {id_: render(item) for id_, item in items.items() if item is not None}


@dataclass(frozen=True)
class Bench:
    """One table, its targets and the store, which outlive the pipelines that are run over them."""

    source: MemorySource
    targets: Sequence[Target]
    store: SqliteStore
    collections: Mapping[str, CollectionConfig] = field(default_factory=lambda: DONATIONS)
    fingerprints: Mapping[str, str] = field(default_factory=dict)
    segments: int = 2
    stream: str = "stream-1"
    place: str = ""
    read_at: float = 0.0
    """When an earlier process last read the stream; a moment ago by default."""
    background: Background | None = None

    def pipeline(self) -> TablePipeline:
        """Make a pipeline, not yet started, as a new process would."""
        wanted = [
            Wanted(name, self.fingerprints.get(name, "1"), dump_settings(collection), self.place)
            for name, collection in self.collections.items()
        ]
        return TablePipeline(
            table=Table(
                name=self.source.table,
                stream=self.stream,
                keys=self.source.keys,
                items=0,
                wanted={target.name: wanted for target in self.targets},
                read_at={target.name: self.read_at or time.time() for target in self.targets},
                background=self.background,
            ),
            stream=self.source,
            scans=self._scan,
            targets=self.targets,
            store=self.store,
            requests=self.store,
            leases=SoleLeases(self.source.table, self.store, f"worker-{id(object())}"),
            other_reports=lambda _target: [],
            reader=lambda _stop: MemoryTable(self.source),
            dead_letters=self.store,
            fetch=self._fetch,
            segments=self.segments,
            retries=IMPATIENT,
        )

    @contextmanager
    def running(self, *, drain_seconds: float = 5.0) -> Iterator[TablePipeline]:
        """Run a pipeline; leaving drains and ends it."""
        pipeline = self.pipeline()
        pipeline.start()
        try:
            yield pipeline
        finally:
            pipeline.stop(drain_seconds)
            assert pipeline.join(10.0), "a lane did not end"

    def report(self, pipeline: TablePipeline, target: str) -> Report:
        """Give one lane's report."""
        (found,) = [report for report in pipeline.reports() if report.target == target]
        return found

    def _scan(self, scan: Scan) -> Source:
        return self.source.scan(scan.id, scan.segments)

    def _fetch(self, key: Mapping[str, Typed]) -> Mapping[str, Typed] | None:
        return self.source.item(key)
