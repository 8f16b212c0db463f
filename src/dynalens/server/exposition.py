"""`GET /metrics`: what the stores and reports say at the moment of the scrape, as Prometheus reads it.

Source: "Exposition formats" in the Prometheus documentation, text format 0.0.4. Written by hand: every value is read
from somewhere else, so that a client library's registry of counters would hold nothing.

Names follow "Metric and label naming" there: base units, `_total` for counters, `_info` for what labels alone tell.
Times are seconds since 1970. No label grows without bound: shards come and go by the day, so how far they are is told
by times and their number, and one by one in the status. A partition is named only while it has a gap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Literal, get_args

from dynalens.position import Gap
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
    ("stalled", "1 when nothing was polled, or what was read not confirmed, for 10 s.", lambda status: status.stalled),
    ("gap", "Gaps that no repair has closed.", lambda status: len(status.gaps)),
    (
        "verified_timestamp_seconds",
        "When the newest verification ended; 0 without one.",
        lambda status: status.verified_at,
    ),
    (
        "verified_differences",
        "Documents that it found to differ from the table and did not repair.",
        lambda status: status.differences,
    ),
    ("progress_ratio", "Share of the running scan that is done.", lambda status: status.progress),
)

_OF_A_TABLE: Sequence[tuple[str, Kind, str, Callable[[Report], float]]] = (
    ("waiting_changes", "gauge", "Changes read and not yet confirmed.", lambda report: report.waiting),
    ("confirmed_changes_total", "counter", "Changes confirmed by the worker.", lambda report: report.confirmed),
    ("scan_rows", "gauge", "Rows read by the running scan.", lambda report: report.scanned),
    ("scan_rows_expected", "gauge", "Rows that the running scan may read.", lambda report: report.scan_total),
    (
        "last_report_timestamp_seconds",
        "gauge",
        "When the worker last said how it is.",
        lambda report: report.written_at,
    ),
    (
        "last_poll_timestamp_seconds",
        "gauge",
        "When every open shard had been read last; 0 before the first time.",
        lambda report: report.polled_at,
    ),
    (
        "last_confirmation_timestamp_seconds",
        "gauge",
        "When the target last confirmed changes; 0 before the first.",
        lambda report: report.confirmed_at,
    ),
    (
        "last_change_timestamp_seconds",
        "gauge",
        "When the newest confirmed change was made; 0 before the first.",
        lambda report: report.applied_at,
    ),
)


def exposition(backend: Backend, *, requests: Counter[tuple[str, str, int]], viewers: int, now: float) -> bytes:
    """Render all families as of `now` in epoch seconds. Blocks on the stores."""
    families = [
        _family("build_info", "gauge", "Version of Dynalens.", [({"version": backend.version}, 1)]),
        _family("start_time_seconds", "gauge", "When this process started.", [({}, backend.started_at)]),
        *_collections(backend.statuses(now)),
        *_tables(backend.reports.reports()),
        *_gaps(backend),
        _family("open_partitions", "gauge", "Shards and scan segments being read.", _open_partitions(backend)),
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
    errors = [({**_place(status), "code": status.error_code}, 1) for status in statuses if status.error_code]
    yield _family("last_error_info", "gauge", "1 with the code of what is wrong; nothing while all is well.", errors)


def _place(status: CollectionStatus) -> dict[str, object]:
    return {"table": status.table, "collection": status.collection, "target": status.target}


def _tables(reports: Sequence[Report]) -> Iterable[str]:
    for name, kind, description, value in _OF_A_TABLE:
        samples = [({"table": report.table, "target": report.target}, value(report)) for report in reports]
        yield _family(name, kind, description, samples)


def _gaps(backend: Backend) -> Iterable[str]:
    """Tell the time range of each partition's gaps; of several, the range that holds them all."""
    found: dict[tuple[str, str, str], list[Gap]] = {}
    for table in backend.tables():
        for gap in backend.positions.gaps(table):
            found.setdefault((table, gap.target, gap.partition), []).append(gap)
    since = [(_partition(gaps[0]), min(gap.since for gap in gaps)) for gaps in found.values()]
    until = [(_partition(gaps[0]), max(gap.until for gap in gaps)) for gaps in found.values()]
    yield _family("gap_since_seconds", "gauge", "From when on changes were lost; 0 where unknown.", since)
    yield _family("gap_until_seconds", "gauge", "Until when changes were lost.", until)


def _partition(gap: Gap) -> dict[str, object]:
    return {"table": gap.table, "target": gap.target, "partition": gap.partition}


def _open_partitions(backend: Backend) -> Samples:
    counted = Counter((table, state.target, state.partition.kind) for table, state in backend.open_positions())
    for (table, target, kind), count in sorted(counted.items()):
        yield {"table": table, "target": target, "kind": kind}, count


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
