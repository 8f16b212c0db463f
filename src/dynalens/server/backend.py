"""What the server reads from: the configuration, the stores that a worker writes, and the targets."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from dynalens.config import CollectionConfig, Config, DashboardConfig, MetricConfig
from dynalens.dead_letter import DeadLetterStore
from dynalens.errors import DynalensError, NotFoundError
from dynalens.position import PartitionState, PositionStore
from dynalens.report import Report, ReportReader
from dynalens.request import RequestStore
from dynalens.search import Everything
from dynalens.server.verified import Compared, newest_verified
from dynalens.status import CollectionStatus, Verified, collection_status
from dynalens.target import DocumentReader, MetricReader, SearchReader, SqlReader

_NAMES_IN_A_HINT = 20
_CHARACTERS_OF_A_NAME = 100


@dataclass(frozen=True, kw_only=True)
class Backend:
    """Everything that the server may read. It writes nothing but what is asked of a worker.

    Attributes:
        config: The configuration that the worker runs with.
        positions: Positions, generations and gaps.
        dead_letters: Dead letters.
        reports: What the workers of each table say together.
        workers: What each worker says by itself.
        kept_in: The targets that give documents back, by name, the best first.
        sql: The target that answers SQL; None where none is configured.
        search: The target that answers searches; None where none is configured.
        metrics: The target that keeps metrics and tells what changes; None where none is configured.
        dashboards: The dashboards of the files, by name.
        started_at: When this process started, in epoch seconds.
        version: Version of Dynalens.
        requests: What is asked of workers; None where nobody would hear of it.
        shared_store: The store is shared by several workers, elsewhere: each reading of it costs.
    """

    config: Config
    positions: PositionStore
    dead_letters: DeadLetterStore
    reports: ReportReader
    workers: ReportReader
    kept_in: Mapping[str, DocumentReader]
    sql: SqlReader | None
    metrics: MetricReader | None
    search: SearchReader | None
    dashboards: Mapping[str, DashboardConfig]
    started_at: float
    version: str
    requests: RequestStore | None = None
    shared_store: bool = False

    @property
    def documents(self) -> DocumentReader | None:
        """The target that gives documents back: the first of `kept_in`; None where there is none."""
        return next(iter(self.kept_in.values()), None)

    def collection(self, name: str) -> CollectionConfig:
        """Give a collection's configuration.

        Raises:
            NotFoundError: There is none of that name; the hint lists those that exist.
        """
        found = self.config.collections.get(name)
        if found is None:
            raise unknown("collection", name, self.config.collections)
        return found

    def metric(self, collection: str, name: str) -> MetricConfig:
        """Give a metric's configuration.

        Raises:
            NotFoundError: There is no such collection, or it has no such metric.
        """
        metrics = self.collection(collection).metrics
        found = metrics.get(name)
        if found is None:
            raise unknown("metric", name, metrics, of=f" of collection {collection}")
        return found

    def statuses(self, now: float) -> list[CollectionStatus]:
        """Summarise every collection in every target, as of `now` in epoch seconds. Blocks on the stores."""
        reports = self._reports()
        waiting = self.dead_letters.waiting_counts()
        verified = {table: self._verified(table) for table in self.tables()}
        return [
            self._status(name, target, reports=reports, waiting=waiting, verified=verified, now=now)
            for name in self.config.collections
            for target in self.targets_of(name)
        ]

    def _verified(self, table: str) -> dict[Compared, Verified]:
        return newest_verified(self.requests.requests(table) if self.requests is not None else [])

    def _reports(self) -> dict[tuple[str, str], Report]:
        return {(report.table, report.target): report for report in self.reports.reports()}

    def _status(
        self,
        name: str,
        target: str,
        *,
        reports: Mapping[tuple[str, str], Report],
        waiting: Mapping[tuple[str, str, str], int],
        verified: Mapping[str, Mapping[Compared, Verified]],
        now: float,
    ) -> CollectionStatus:
        table = self.config.collections[name].table
        return collection_status(
            name,
            target,
            table,
            report=reports.get((table, target)),
            copies=[copy for copy in self.positions.copies(table, target) if copy.collection == name],
            gaps=[gap for gap in self.positions.gaps(table) if gap.target == target],
            dead_letters=waiting.get((table, target, name), 0),
            verified={
                compared.generation: found
                for compared, found in verified[table].items()
                if (compared.collection, compared.target) == (name, target)
            },
            now=now,
        )

    def open_positions(self) -> list[tuple[str, PartitionState]]:
        """List table and position of every partition that is still read. Blocks on the store."""
        return [
            (table, state)
            for table in self.tables()
            for state in self.positions.partitions(table)
            if not state.position.ended
        ]

    def tables(self) -> list[str]:
        """List the tables that collections are copies of, in the order of the configuration."""
        return list(dict.fromkeys(collection.table for collection in self.config.collections.values()))

    def document_counts(self, target: str) -> dict[str, int]:
        """Count the documents of each collection in `sql` or `search`; those that it cannot count now are missing.

        Blocks on the target.
        """
        counts: dict[str, int] = {}
        try:
            for name in self.config.collections:
                count = self._count(target, name)
                if count is not None:
                    counts[name] = count
        except DynalensError:
            # The status says why a target is down. Asking it again for each collection would only add time-outs.
            return counts
        return counts

    def _count(self, target: str, collection: str) -> int | None:
        """Count in one target; None where the target, or the collection in it, is not there to be counted."""
        try:
            if target == "search" and self.search is not None:
                return self.search.matches(collection, Everything())
            if target == "sql" and self.sql is not None and self.documents is not None:
                return self.documents.count(collection)
        except NotFoundError:
            return None
        return None

    def targets_of(self, name: str) -> list[str]:
        """List the targets that a collection is kept in. Blocks on the store."""
        return list(self._targets(name, self.collection(name)))

    def _targets(self, name: str, collection: CollectionConfig) -> Iterator[str]:
        if self.sql is not None:
            yield "sql"
        if self.search is not None:
            yield "search"
        # A collection without metrics has nothing to be ready there, unless the worker keeps a copy all the same.
        if self.metrics is not None and (
            collection.metrics
            or any(copy.collection == name for copy in self.positions.copies(collection.table, "metrics"))
        ):
            yield "metrics"


def unknown(kind: str, name: str, known: Iterable[str], *, of: str = "") -> NotFoundError:
    """Make the error for a name that does not exist, with the closest one that does, and all of them."""
    names = list(known)
    closest = difflib.get_close_matches(name, names, n=1)
    guess = f"Did you mean {closest[0]!r}? " if closest else ""
    listed = ", ".join(names[:_NAMES_IN_A_HINT]) or "none"
    more = f" and {len(names) - _NAMES_IN_A_HINT} more" if len(names) > _NAMES_IN_A_HINT else ""
    return NotFoundError(f"There is no {kind} {shortened(name)!r}{of}.", hint=f"{guess}{kind}s: {listed}{more}")


def shortened(name: str) -> str:
    """Give what a client sent in a length that fits an error message."""
    return name if len(name) <= _CHARACTERS_OF_A_NAME else f"{name[:_CHARACTERS_OF_A_NAME]}…"


def missing_target(kind: str, url: str) -> NotFoundError:
    """Make the error for a question that only a target that is not configured can answer."""
    return NotFoundError(
        f"No {kind} target is configured.", hint=f"Add it to dynalens.yaml: targets: {{{kind}: {url!r}}}"
    )
