"""The matrix: every fault there is to survive, what must come of it, and the cell that shows it for each target.

A fault reaches targets that do not exist yet, or cannot be shown by one process; they are named, so that the table says
so instead of keeping quiet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults import calls, clickhouse, fleet, items, metrics, opensearch, processes, server, stream
from tests.faults.child import Kind
from tests.faults.rig import Rig

Cell = Callable[[Rig], None]

EMBEDDED: tuple[Kind, ...] = ("search", "sql", "metrics")
AGGREGATES = "aggregates table"

REAL: tuple[Kind, ...] = (*EMBEDDED, "opensearch", "clickhouse")
"""Targets that hold whatever a worker goes through. What the source does reaches all alike, and is shown on three."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    Attributes:
        number: Its number.
        title: What happens.
        expected: What must come of it, besides that all is equal in the end and no key goes back.
        cells: Shows it, by target.
        missing: Targets that it reaches and that do not exist yet.
    """

    number: int
    title: str
    expected: str
    cells: Mapping[Kind, Sequence[Cell]] = field(default_factory=dict)
    missing: Sequence[str] = ()


def on(kinds: Sequence[Kind], *cells: Cell) -> Mapping[Kind, Sequence[Cell]]:
    """Show a fault on each of these targets by the same cells."""
    return dict.fromkeys(kinds, cells)


FAULTS: tuple[Fault, ...] = (
    Fault(
        1,
        "killed between target acknowledgement and position commit",
        "the batch is applied again; no new generation",
        on(REAL, processes.killed_before_its_commit),
    ),
    Fault(
        2,
        "position committed before acknowledgement",
        "impossible: no position covers a batch that is not acknowledged and marked",
        on(EMBEDDED, processes.position_waits_for_acknowledgement),
    ),
    Fault(
        3,
        "stopped past its lease, then continued",
        "its writes and its commit are refused; no new generation",
        {
            **on(EMBEDDED, processes.stopped_past_its_lease),
            **on(("metrics", "clickhouse"), processes.stopped_past_its_lease, fleet.zombie_writes),
        },
    ),
    Fault(
        4,
        "two workers on one shard",
        "over one folder the second is refused; over a shared store whoever drew last holds the shard",
        {
            **on(EMBEDDED, processes.second_process),
            **on(("metrics",), processes.second_process, fleet.twins),
            **on(("clickhouse",), fleet.twins),
        },
    ),
    Fault(5, "a shard is split, one key on both sides", "no new generation", on(EMBEDDED, stream.shard_is_split)),
    Fault(
        6,
        "a child is discovered before its parent is finished; rollover while lagging",
        "the child waits; no new generation",
        on(EMBEDDED, stream.child_before_its_parent),
    ),
    Fault(7, "more than 100 shards, in several pages", "no new generation", on(EMBEDDED, stream.hundreds_of_shards)),
    Fault(
        8,
        "the list of shards is incomplete, a parent is missing or open beside its children",
        "asked again before it is believed; a parent listed after its children is a gap that a new generation closes",
        on(EMBEDDED, stream.incomplete_list_of_shards, stream.parent_is_listed_late),
    ),
    Fault(
        9,
        "an iterator has expired, also before its first read",
        "read on from the position; no new generation",
        on(EMBEDDED, stream.iterators_expire),
    ),
    Fault(
        10,
        "records are trimmed",
        "a gap, shown in status, that a new generation closes",
        on(EMBEDDED, stream.records_are_trimmed, stream.trimmed_while_reading),
    ),
    Fault(
        11,
        "a shard is not found, or its id invalid",
        "nothing is lost while the stream lists it; else a gap that a new generation closes",
        on(EMBEDDED, stream.shard_is_not_found, stream.shard_vanishes),
    ),
    Fault(
        12, "throttling storms on every call", "waited out; no new generation", on(EMBEDDED, calls.throttling_storms)
    ),
    Fault(
        13,
        "500s, truncated bodies, invalid JSON from the source",
        "read again; no new generation",
        on(EMBEDDED, calls.broken_answers),
    ),
    Fault(
        14,
        "a thousand empty pages with a live iterator",
        "no end is taken for one; no new generation",
        on(EMBEDDED, stream.a_thousand_empty_pages),
    ),
    Fault(
        15,
        "pages replayed, records repeated",
        "applied once; no new generation",
        on(EMBEDDED, stream.records_are_repeated),
    ),
    Fault(
        16,
        "poison items and records",
        "every item is held whole; what cannot be decoded is a dead letter; its shard goes on",
        on(REAL, items.odd_items, items.undecodable_records),
    ),
    Fault(
        17,
        "the stream is turned off and on again",
        "a gap that a new generation closes",
        on(EMBEDDED, items.stream_is_turned_off_and_on),
    ),
    Fault(
        18,
        "the table is deleted and created again",
        "a new generation without what was in it before",
        on(EMBEDDED, items.table_is_created_anew),
    ),
    Fault(19, "time-to-live deletes items", "deleted as by any other delete", on(EMBEDDED, stream.items_expire)),
    Fault(
        20,
        "writes and deletes during a first copy",
        "rows of a scan lose to every change; no new generation",
        on(REAL, processes.writes_during_the_first_copy),
    ),
    Fault(
        21,
        "a first copy is killed in mid-segment, or takes longer than 24 hours",
        "it goes on where it stood; no new generation",
        on(EMBEDDED, processes.first_copy_is_killed, processes.first_copy_takes_days),
    ),
    Fault(
        22,
        "the position store is throttled, a conditional write fails",
        "read again from the position; no new generation",
        on(EMBEDDED, calls.position_store_is_throttled, calls.conditional_write_fails),
        (AGGREGATES,),
    ),
    Fault(
        23,
        "a bulk answer of 200 with some items 429",
        "those items again; no new generation",
        on(("opensearch",), opensearch.items_are_turned_away),
    ),
    Fault(
        24,
        "a whole bulk is answered 429, 413",
        "again, in smaller parts; no new generation",
        on(("opensearch",), opensearch.bodies_are_turned_away),
    ),
    Fault(
        25,
        "mapping conflict; field limit reached",
        "a side field, and no dead letter; no new generation",
        on(("opensearch",), opensearch.fields_do_not_fit),
    ),
    Fault(
        26,
        "an id over 512 bytes",
        "kept under another id, and no dead letter",
        on(("opensearch",), opensearch.long_ids),
    ),
    Fault(
        27,
        "a late write after a delete, its tombstone swept, closed and opened since",
        "refused",
        {**on(REAL, items.late_writes), **on(("opensearch",), items.late_writes, opensearch.deletes_are_forgotten)},
    ),
    Fault(
        28,
        "a connection is reset after the write was applied",
        "applied again, counted once; no new generation",
        {
            **on(("metrics",), metrics.answers_are_lost),
            **on(("opensearch",), opensearch.answers_are_lost),
            **on(("clickhouse",), clickhouse.answers_are_lost),
        },
        (AGGREGATES,),
    ),
    Fault(
        29,
        "latency, slow drip, half-open, one-way partition",
        "caught up from its position; no new generation",
        {
            **on(("metrics",), metrics.network_is_bad),
            **on(("opensearch",), opensearch.network_is_bad),
            **on(("clickhouse",), clickhouse.network_is_bad),
        },
        (AGGREGATES,),
    ),
    Fault(
        30,
        "a search node is killed, paused, read-only; one of two is killed",
        "caught up from its position; no new generation",
        on(
            ("opensearch",),
            opensearch.server_is_killed,
            opensearch.server_is_paused,
            opensearch.indices_are_read_only,
            opensearch.node_is_killed,
        ),
    ),
    Fault(
        31,
        "Valkey is killed, flushed, out of memory",
        "replayed, or built anew and status says so",
        on(("metrics",), metrics.server_is_killed, metrics.server_is_flushed, metrics.server_is_out_of_memory),
    ),
    Fault(
        32,
        "the disk is full; a store is killed in mid-commit",
        "what was confirmed is there",
        {
            **on(EMBEDDED, processes.killed_while_it_applies, processes.disk_is_full),
            **on(("opensearch",), processes.killed_while_it_applies),
            **on(("clickhouse",), clickhouse.server_is_killed),
        },
    ),
    Fault(
        33,
        "the clock jumps; credentials expire in mid-run",
        "no new generation",
        on(EMBEDDED, calls.clock_jumps, calls.credentials_expire),
    ),
    Fault(
        34,
        "a slow viewer, ten thousand reconnects, SIGTERM under load",
        "nobody else waits and it is let go; nothing is left behind; it ends within 10 s and loses nothing",
        on(("server",), server.slow_viewers, server.ten_thousand_reconnects, server.ended_under_load),
    ),
    Fault(
        35,
        "SIGKILL twice a second for a minute",
        "caught up from its position; no new generation",
        on((*REAL, "server"), processes.killed_twice_a_second),
    ),
)


def cells() -> Iterator[tuple[Fault, Kind, Cell]]:
    """Give every cell of the matrix."""
    for fault in FAULTS:
        for kind, shown_by in fault.cells.items():
            for cell in shown_by:
                yield fault, kind, cell


def cell_name(fault: Fault, kind: Kind, cell: Cell) -> str:
    """Name a cell, such as `05 a shard is split, one key on both sides-sql`."""
    [*others] = fault.cells[kind]
    which = f" ({cell.__name__.replace('_', ' ')})" if len(others) > 1 else ""
    return f"{fault.number:02} {fault.title}{which}-{kind}"
