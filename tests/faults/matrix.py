"""The matrix: every fault there is to survive, what must come of it, and the cell that shows it for each target.

A fault reaches targets that do not exist yet, or cannot be shown by one process; they are named, so that the table says
so instead of keeping quiet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tests.faults import stream
from tests.faults.child import Kind
from tests.faults.rig import Rig

Cell = Callable[[Rig], None]

EMBEDDED: tuple[Kind, ...] = ("search", "sql", "metrics")
OPENSEARCH, CLICKHOUSE, AGGREGATES = "OpenSearch", "ClickHouse over HTTP", "aggregates table"


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
        "no new generation",
        on(EMBEDDED, stream.incomplete_list_of_shards),
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
    Fault(19, "time-to-live deletes items", "deleted like by any other delete", on(EMBEDDED, stream.items_expire)),
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
