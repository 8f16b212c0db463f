"""The table's side of a comparison, over the wire of a scripted table."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence

import pytest

from dynalens.change import KeySchema, Typed, decode_scan
from dynalens.config import CollectionConfig
from dynalens.errors import SourceError
from dynalens.retry import RetryPolicy
from dynalens.source.aws import Aws
from dynalens.source.scan import ReadBudget, ScanSource
from dynalens.source.table import table_info
from dynalens.target import Generation, Write
from dynalens.testing import Fault, ScriptedStreams
from dynalens.testing.memory import MemoryTarget
from dynalens.transform import Route
from dynalens.verification import Comparison, Finding, Outcome, ScannedTable, verify
from tests.unit.source.virtual_time import Clock, Stop

KEYS = KeySchema(("id",))
GENERATION = Generation("donations", 1)
AT_ONCE = RetryPolicy(base_seconds=0.0, attempts=6)


def item(key: str, size: int = 0) -> dict[str, Typed]:
    return {"id": {"S": key}, "text": {"S": "x" * size}}


def scanned(
    aws: Aws, streams: ScriptedStreams, stop: threading.Event, read_units: float = 1e9, clock: Clock | None = None
) -> ScannedTable:
    return ScannedTable(
        ScanSource(
            aws,
            table_info(aws, streams.table),
            copy="7",
            segments=3,
            read_units=read_units,
            clock=clock or Clock(),
            consistent=False,
            stop=stop,
            policy=AT_ONCE,
            page_rows=7,
        )
    )


def compared(  # noqa: PLR0913 - the world of a comparison
    aws: Aws,
    streams: ScriptedStreams,
    held: Sequence[dict[str, Typed]],
    stop: threading.Event,
    *,
    read_units: float = 1e9,
    clock: Clock | None = None,
) -> Outcome:
    """Compare the scripted table with a target that holds these items."""
    target = MemoryTarget()
    target.create(GENERATION, CollectionConfig(table="Donations"))
    table = scanned(aws, streams, stop, read_units, clock)
    page = decode_scan(json.dumps({"Items": held}).encode(), table="Donations", keys=KEYS)
    target.apply([Write(GENERATION, change.id, 1, change.new, change) for change in page.changes])
    return verify(
        Comparison(
            target=target,
            generation=GENERATION,
            route=Route("donations"),
            keys=KEYS,
            table=table,
            applied=lambda: None,
            pace=ReadBudget(1e9),
            settling_seconds=0.0,
            stop=stop,
        )
    )


ITEMS = [item(f"key-{number:03}") for number in range(40)]


def test_a_real_scan_and_single_reads_find_what_differs(aws: Aws, streams: ScriptedStreams) -> None:
    streams.load(*ITEMS)
    outcome = compared(aws, streams, [item("beyond"), item("key-003", 5), *ITEMS[4:]], Stop(Clock()))
    assert outcome.scanned == 40
    assert sorted(outcome.lost.examples) == ["key-000", "key-001", "key-002"]
    assert outcome.extra == Finding(1, ("beyond",))
    assert outcome.stale == Finding(1, ("key-003",))
    assert outcome.complete


def test_single_reads_count_as_read_units(aws: Aws, streams: ScriptedStreams) -> None:
    streams.load(item("small"), item("large", 9000))
    table = scanned(aws, streams, Stop(Clock()))
    found = table.items({key: {"id": {"S": key}} for key in ("small", "large", "nobody")})
    assert sorted(found) == ["large", "small"]
    assert table.read_units == 1 + 3 + 1


def test_a_throttled_table_is_asked_again(aws: Aws, streams: ScriptedStreams) -> None:
    streams.load(*ITEMS)
    streams.fail("GetItem", Fault.THROTTLED, times=3)
    streams.fail("Scan", Fault.THROTTLED, times=3)
    outcome = compared(aws, streams, ITEMS[1:], Stop(Clock()))
    assert (outcome.lost, outcome.complete) == (Finding(1, ("key-000",)), True)


def test_a_table_that_cannot_be_read_is_an_error_and_no_difference(aws: Aws, streams: ScriptedStreams) -> None:
    streams.load(*ITEMS)
    streams.fail("GetItem", "AccessDeniedException")
    with pytest.raises(SourceError, match="GetItem"):
        compared(aws, streams, ITEMS[1:], Stop(Clock()))


@pytest.mark.parametrize("wait", range(1, 30, 2))
def test_stopped_while_it_waits_it_says_nothing_of_what_was_not_read(
    aws: Aws, streams: ScriptedStreams, wait: int
) -> None:
    """An item that was not read any more looks like one that is not there."""
    streams.load(*ITEMS)
    clock = Clock()
    stop = Stop(clock, set_at_wait=wait)
    stale = [item(f"key-{number:03}", 5) for number in range(10)]
    outcome = compared(aws, streams, [*stale, *ITEMS[10:]], stop, read_units=3.0, clock=clock)
    assert (outcome.lost, outcome.extra) == (Finding(), Finding())
    assert outcome.complete is not stop.is_set()


def test_stopped_a_scan_gives_no_more_pages(aws: Aws, streams: ScriptedStreams) -> None:
    streams.load(*ITEMS)
    stop = threading.Event()
    pages = scanned(aws, streams, stop).pages()
    assert next(pages)
    stop.set()
    assert list(pages) == []
