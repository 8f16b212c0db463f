"""`GET /metrics`: what the stores and reports say at the moment of the scrape, as Prometheus reads it.

Source: "Exposition formats" in the Prometheus documentation, text format 0.0.4. Written by hand: every value is read
from somewhere else, so that a client library's registry of counters would hold nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

from dynalens.report import Report
from dynalens.server.backend import Backend
from dynalens.status import CollectionStatus, Phase

MEDIA_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Kind = Literal["gauge", "counter"]
Samples = Iterable[tuple[Mapping[str, object], float]]

_OF_A_COLLECTION: Sequence[tuple[str, str, Callable[[CollectionStatus], float]]] = (
    ("ready", "1 when the first copy is complete.", lambda status: status.ready),
    ("caught_up", "1 when everything known is confirmed.", lambda status: status.caught_up),
    ("lag_seconds", "Age of the oldest change that may be unconfirmed.", lambda status: status.lag_seconds),
    ("gap", "Gaps that no repair has closed.", lambda status: len(status.gaps)),
    ("progress_ratio", "Share of the running scan that is done.", lambda status: status.progress),
)

_OF_A_TABLE: Sequence[tuple[str, Kind, str, Callable[[Report], float]]] = (
    ("waiting_changes", "gauge", "Changes read and not yet confirmed.", lambda report: report.waiting),
    ("confirmed_changes_total", "counter", "Changes confirmed by the worker.", lambda report: report.confirmed),
    ("scan_rows", "gauge", "Rows read by the running scan.", lambda report: report.scanned),
    ("scan_rows_expected", "gauge", "Rows that the running scan may read.", lambda report: report.scan_total),
    ("reported_at_seconds", "gauge", "When the worker last said how it is.", lambda report: report.written_at),
)


def exposition(backend: Backend, *, requests: Counter[tuple[str, str, int]], viewers: int, now: float) -> bytes:
    """Render all families as of `now` in epoch seconds. Blocks on the stores."""
    families = [
        _family("build_info", "gauge", "Version of Dynalens.", [({"version": backend.version}, 1)]),
        _family("start_time_seconds", "gauge", "When this process started.", [({}, backend.started_at)]),
        *_collections(backend.statuses(now)),
        *_tables(backend.reports.reports()),
        _family("dead_letters", "gauge", "Dead letters that wait.", _dead_letters(backend)),
        _family("http_requests_total", "counter", "Requests answered.", _requests(requests)),
        _family("live_viewers", "gauge", "Viewers of live events now.", [({}, viewers)]),
    ]
    return "".join(families).encode()


def _collections(statuses: Sequence[CollectionStatus]) -> Iterable[str]:
    for name, description, value in _OF_A_COLLECTION:
        yield _family(name, "gauge", description, [(_place(status), value(status)) for status in statuses])
    phases = [
        ({**_place(status), "phase": phase}, status.phase == phase) for status in statuses for phase in get_args(Phase)
    ]
    yield _family("phase", "gauge", "1 for the phase that a collection is in, 0 for the others.", phases)


def _place(status: CollectionStatus) -> dict[str, object]:
    return {"table": status.table, "collection": status.collection, "target": status.target}


def _tables(reports: Sequence[Report]) -> Iterable[str]:
    for name, kind, description, value in _OF_A_TABLE:
        samples = [({"table": report.table, "target": report.target}, value(report)) for report in reports]
        yield _family(name, kind, description, samples)


def _dead_letters(backend: Backend) -> Samples:
    for (table, target, collection), count in sorted(backend.dead_letters.waiting_counts().items()):
        yield {"table": table, "collection": collection, "target": target}, count


def _requests(requests: Counter[tuple[str, str, int]]) -> Samples:
    # A copy: scrapes are rendered in a thread while the event loop goes on counting.
    for (method, route, status), count in sorted(requests.copy().items()):
        yield {"method": method, "route": route, "status": status}, count


def _family(name: str, kind: Kind, description: str, samples: Samples) -> str:
    lines = [f"# HELP dynalens_{name} {description}", f"# TYPE dynalens_{name} {kind}"]
    lines += [f"dynalens_{name}{_labels(labels)} {float(value):.15g}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, object]) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(str(value))}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
