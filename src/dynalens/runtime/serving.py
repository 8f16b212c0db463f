"""What a server of this process reads from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dynalens import __version__, clock
from dynalens.config import Config, DashboardConfig
from dynalens.dead_letter import DeadLetterStore
from dynalens.position import PositionStore
from dynalens.report import Report, ReportReader, merged
from dynalens.request import RequestStore
from dynalens.runtime.targets import Targets
from dynalens.server import Backend, Server


class Store(PositionStore, DeadLetterStore, RequestStore, Protocol):
    """What a server reads of a store, and where it writes what somebody asks for."""


class MergedReports:
    """What all workers of a table say together.

    Args:
        reports: What each of them says.
    """

    def __init__(self, reports: ReportReader) -> None:
        self._reports = reports

    def reports(self) -> list[Report]:
        """Give one report for each table and target."""
        return merged(self._reports.reports(), clock.now())


def backend(
    config: Config,
    dashboards: Mapping[str, DashboardConfig],
    *,
    store: Store,
    workers: ReportReader,
    targets: Targets,
) -> Backend:
    """Put together what the server reads from.

    Args:
        config: The configuration that the workers run with.
        dashboards: The dashboards of its files, by name.
        store: Positions, generations, gaps, dead letters and requests.
        workers: What each worker says by itself.
        targets: The targets.
    """
    return Backend(
        config=config,
        positions=store,
        dead_letters=store,
        requests=store,
        reports=MergedReports(workers),
        workers=workers,
        # SQL knows of each field which column it has.
        kept_in={target.name: target for target in (targets.sql, targets.search) if target is not None},
        search=targets.search,
        sql=targets.sql,
        metrics=targets.metrics,
        dashboards=dashboards,
        started_at=clock.now(),
        version=__version__,
    )


def address_of(server: Server) -> str:
    """Give the address that a server answers at, such as `http://127.0.0.1:7070`."""
    return f"http://{f'[{server.host}]' if ':' in server.host else server.host}:{server.port}"
