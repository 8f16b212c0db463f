"""Scanning a table in segments: whole, resumable, through faults, and within its budget of read units."""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Sequence

import pytest

from dynalens.errors import SourceError, TableNotFoundError
from dynalens.partition import START, Partition, Position
from dynalens.retry import RetryPolicy
from dynalens.source import Batch
from dynalens.source.aws import AccessError, Aws, TransientError
from dynalens.source.scan import LATE_SECONDS, ReadBudget, ScanSource, rows_read
from dynalens.source.table import table_info
from dynalens.testing import Fault, Item, ScriptedStreams
from tests.unit.source.virtual_time import Clock, Stop

AT_ONCE = RetryPolicy(base_seconds=0.0, attempts=6)
MakeSource = Callable[..., ScanSource]


def item(number: int, size: int = 0) -> Item:
    return {"id": {"S": f"{number:04}"}, "n": {"N": str(number)}, "text": {"S": "x" * size}}


@pytest.fixture
def make_source(aws: Aws, streams: ScriptedStreams) -> MakeSource:
    """Make a scan whose waits take no time, in pages of seven rows."""

    def make(  # noqa: PLR0913 - each test sets another one
        *,
        segments: int = 4,
        read_units: float = 1e9,
        consistent: bool = True,
        page_rows: int = 7,
        clock: Clock | None = None,
        stop: threading.Event | None = None,
    ) -> ScanSource:
        clock = clock or Clock()
        return ScanSource(
            aws,
            table_info(aws, streams.table),
            copy="7",
            segments=segments,
            read_units=read_units,
            consistent=consistent,
            stop=stop or Stop(clock),
            policy=AT_ONCE,
            page_rows=page_rows,
            clock=clock,
        )

    return make


def read(source: ScanSource, positions: dict[str, Position], *, pages: int = 10_000) -> list[Batch]:
    """Read every segment in turn, page by page, and keep its position, as the pipeline does."""
    readers = {
        partition.id: source.open(partition, positions.get(partition.id, START)) for partition in source.discover()
    }
    batches: list[Batch] = []
    while len(batches) < pages and (open_ := [name for name in readers if not positions.get(name, START).ended]):
        for name in open_[: pages - len(batches)]:
            batches.append(readers[name].wait_and_read())
            positions[name] = batches[-1].position
    return batches


def ids(batches: Sequence[Batch]) -> list[str]:
    return sorted(change.id for batch in batches for change in batch.changes)


def test_segments_are_partitions(make_source: MakeSource) -> None:
    assert make_source(segments=2).discover() == [
        Partition("scan-7-0", kind="segment"),
        Partition("scan-7-1", kind="segment"),
    ]


def test_every_row_is_read_once(make_source: MakeSource, streams: ScriptedStreams) -> None:
    streams.load(*map(item, range(100)))
    positions: dict[str, Position] = {}
    batches = read(make_source(), positions)
    assert ids(batches) == [f"{number:04}" for number in range(100)]
    assert {change.kind for batch in batches for change in batch.changes} == {"scan"}
    assert all(len(batch.changes) <= 7 for batch in batches)
    assert all(position.ended for position in positions.values())
    assert rows_read(positions.values()) == 100


def test_an_empty_table_ends_at_once(make_source: MakeSource) -> None:
    positions: dict[str, Position] = {}
    batches = read(make_source(), positions)
    assert ids(batches) == []
    assert set(positions.values()) == {Position(ended=True, rank=0)}


def test_progress_is_rows_against_the_estimate(make_source: MakeSource, streams: ScriptedStreams) -> None:
    streams.load(*map(item, range(50)))
    source = make_source()
    positions: dict[str, Position] = {}
    assert rows_read(positions.values()) == 0
    read(source, positions, pages=3)
    assert 0 < rows_read(positions.values()) <= 21
    assert source.rows_estimate == 50


def test_rows_that_cannot_be_decoded_count_as_rows(make_source: MakeSource, streams: ScriptedStreams) -> None:
    streams.load(item(1), {"id": {"S": "odd"}, "x": {"WHAT": "ever"}}, item(3))
    positions: dict[str, Position] = {}
    batches = read(make_source(segments=1), positions)
    assert ids(batches) == ["0001", "0003"]
    [poison] = [poison for batch in batches for poison in batch.poison]
    assert b'"odd"' in poison.raw
    assert positions["scan-7-0"].rank == 3


@pytest.mark.parametrize("pages", range(1, 20, 3))
def test_a_scan_goes_on_where_it_was_interrupted(make_source: MakeSource, streams: ScriptedStreams, pages: int) -> None:
    streams.load(*map(item, range(100)))
    positions: dict[str, Position] = {}
    before = read(make_source(), positions, pages=pages)
    streams.calls.clear()
    after = read(make_source(), positions)
    assert ids([*before, *after]) == [f"{number:04}" for number in range(100)]
    assert rows_read(positions.values()) == 100


def test_a_position_survives_as_text(make_source: MakeSource, streams: ScriptedStreams) -> None:
    names = [base64.b64encode(bytes([number, 255 - number])).decode() for number in range(40)]
    streams.load(*({"id": {"B": name}} for name in names))
    positions: dict[str, Position] = {}
    before = read(make_source(segments=1), positions, pages=2)
    token = positions["scan-7-0"].token
    assert json.loads(token)["id"]["B"] in names
    stored = {"scan-7-0": Position(rank=positions["scan-7-0"].rank, token=str(token))}
    after = read(make_source(segments=1), stored)
    assert len(ids([*before, *after])) == 40
    assert len(set(ids([*before, *after]))) == 40


def test_a_segment_that_has_ended_asks_nobody(make_source: MakeSource, streams: ScriptedStreams) -> None:
    source = make_source()
    streams.calls.clear()
    ended = Position(ended=True, rank=3)
    assert source.open(source.discover()[0], ended).read() == Batch((), (), ended, ended=True, size=0)
    assert streams.calls == []


@pytest.mark.parametrize("consistent", [True, False])
def test_consistency_is_asked_for(make_source: MakeSource, streams: ScriptedStreams, consistent: bool) -> None:  # noqa: FBT001 - a parameter of the test
    read(make_source(consistent=consistent), {})
    scans = [call.request for call in streams.calls if call.operation == "Scan"]
    assert {scan["ConsistentRead"] for scan in scans} == {consistent}
    assert [(scan["Segment"], scan["TotalSegments"]) for scan in scans] == [(number, 4) for number in range(4)]


# Faults.


@pytest.mark.parametrize(
    "fault",
    [Fault.THROUGHPUT, Fault.THROTTLED, Fault.INTERNAL, Fault.HTML, Fault.CUT_BODY, Fault.CUT_JSON, Fault.INVALID_JSON],
)
def test_trouble_that_passes_loses_no_row(make_source: MakeSource, streams: ScriptedStreams, fault: Fault) -> None:
    streams.load(*map(item, range(30)))
    source = make_source(segments=1)
    reader = source.open(source.discover()[0], START)
    batches = []
    for _ in range(5):
        streams.fail("Scan", fault, times=AT_ONCE.attempts - 1)
        batches.append(reader.read())
    assert ids(batches) == [f"{number:04}" for number in range(30)]
    assert batches[-1].ended


def test_trouble_that_stays_is_reported_and_the_reader_goes_on_later(
    make_source: MakeSource, streams: ScriptedStreams
) -> None:
    streams.load(*map(item, range(10)))
    source = make_source(segments=1)
    reader = source.open(source.discover()[0], START)
    first = reader.read()
    streams.fail("Scan", Fault.THROUGHPUT, times=AT_ONCE.attempts)
    with pytest.raises(TransientError, match="Scan of Donations"):
        reader.read()
    assert ids([first, reader.read()]) == [f"{number:04}" for number in range(10)]


def test_what_somebody_must_change_is_reported_at_once(make_source: MakeSource, streams: ScriptedStreams) -> None:
    source = make_source(segments=1)
    streams.fail("Scan", Fault.DENIED)
    with pytest.raises(AccessError, match="Scan") as raised:
        source.open(source.discover()[0], START).read()
    assert "dynamodb:Scan on Donations" in raised.value.hint


def test_a_table_deleted_meanwhile_is_named(make_source: MakeSource, streams: ScriptedStreams) -> None:
    source = make_source(segments=1)
    streams.fail("Scan", Fault.NOT_FOUND)
    with pytest.raises(TableNotFoundError, match="Donations was deleted"):
        source.open(source.discover()[0], START).read()


# The budget.


def consumed_by(source: ScanSource, streams: ScriptedStreams) -> float:
    """Add up what the server itself has charged."""
    charged = 0.0
    for call in streams.calls:
        if call.operation == "Scan":
            charged += streams.answer("Scan", call.request)["ConsumedCapacity"]["CapacityUnits"]
    assert source.budget.consumed == charged
    return charged


@pytest.mark.parametrize("read_units", [5.0, 50.0, 500.0])
@pytest.mark.parametrize("size", [0, 1000, 20_000])
def test_all_segments_together_stay_within_the_budget(
    make_source: MakeSource, streams: ScriptedStreams, read_units: float, size: int
) -> None:
    streams.load(*(item(number, size) for number in range(200)))
    clock = Clock()
    source = make_source(read_units=read_units, clock=clock, stop=Stop(clock), page_rows=1000)
    started = clock.now
    assert len(ids(read(source, {}))) == 200
    charged = consumed_by(source, streams)
    # A full bucket at the start, and at most one page too much: a row of 20 kB costs 5 units whatever the budget.
    assert charged <= read_units * (1 + clock.now - started) + max(read_units, 10.0)
    # And it is used: what is left over is less than waiting for one more page would have given.
    assert clock.now - started <= charged / read_units + 1


def test_pages_shrink_until_one_costs_less_than_a_second(make_source: MakeSource, streams: ScriptedStreams) -> None:
    streams.load(*(item(number, 4000) for number in range(100)))
    source = make_source(segments=1, read_units=8.0, page_rows=1000)
    batches = read(source, {})
    assert {len(batch.changes) for batch in batches[:-1]} <= {7, 8}


def test_pages_grow_when_rows_turn_out_small(make_source: MakeSource, streams: ScriptedStreams) -> None:
    source = make_source(segments=1, read_units=10.0, page_rows=1000)
    # DynamoDB's estimate is hours old: this table was empty when it was described.
    assert source.rows_estimate == 0
    streams.load(*map(item, range(500)))
    first, second, *_ = (len(batch.changes) for batch in read(source, {}))
    assert first == 10
    assert second == 100


def test_a_wait_for_the_budget_ends_with_a_stop(make_source: MakeSource, streams: ScriptedStreams) -> None:
    streams.load(*(item(number, 4000) for number in range(100)))
    clock = Clock()
    stop = Stop(clock, set_at_wait=1)
    source = make_source(segments=1, read_units=8.0, page_rows=1000, clock=clock, stop=stop)
    reader = source.open(source.discover()[0], START)
    first = reader.wait_and_read()
    streams.calls.clear()
    second = reader.wait_and_read()
    assert len(stop.waits) == 1
    assert (second.changes, second.position, second.ended) == ((), first.position, False)
    assert second.position.token == first.position.token
    assert streams.calls == []


def test_a_page_that_the_budget_does_not_hold_says_how_long_it_will_be(
    make_source: MakeSource, streams: ScriptedStreams
) -> None:
    streams.load(*(item(number, 4000) for number in range(100)))
    clock = Clock()
    stop = Stop(clock)
    source = make_source(segments=1, read_units=8.0, page_rows=1000, clock=clock, stop=stop)
    reader = source.open(source.discover()[0], START)
    first = reader.read()
    streams.calls.clear()
    refused = reader.read()
    assert refused.wait_seconds == pytest.approx(1.0, abs=0.2)
    assert (refused.changes, refused.position, refused.ended) == ((), first.position, False)
    assert (streams.calls, stop.waits) == ([], [])
    clock.now += refused.wait_seconds
    assert reader.read().changes


@pytest.mark.parametrize(("consistent", "units"), [(True, 8.0), (False, 4.0)])
def test_a_server_that_reports_no_units_is_charged_by_bytes(
    make_source: MakeSource,
    streams: ScriptedStreams,
    monkeypatch: pytest.MonkeyPatch,
    consistent: bool,  # noqa: FBT001 - a parameter of the test
    units: float,
) -> None:
    answer = streams._scan
    monkeypatch.setattr(streams, "_scan", lambda request: answer({**request, "ReturnConsumedCapacity": "NONE"}))
    streams.load(*(item(number, 4000) for number in range(8)))
    source = make_source(segments=1, consistent=consistent, page_rows=1000)
    read(source, {})
    assert source.budget.consumed == units


def test_items_cannot_pretend_to_be_the_reported_units(make_source: MakeSource, streams: ScriptedStreams) -> None:
    streams.load(
        {
            "id": {"S": '"CapacityUnits": 1e9'},
            "CapacityUnits": {"N": "1e9"},
            "ConsumedCapacity": {"M": {"CapacityUnits": {"N": "1e9"}}},
            "L": {"L": [{"S": '{"CapacityUnits":1e9}'}]},
        }
    )
    source = make_source(segments=1)
    read(source, {})
    assert source.budget.consumed == 1.0


def test_a_full_bucket_holds_one_second() -> None:
    clock = Clock()
    stop = Stop(clock)
    budget = ReadBudget(10.0, clock=clock)
    clock.now += 3600.0
    assert budget.reserve(10.0, stop)
    assert budget.reserve(5.0, stop)
    assert stop.waits == [pytest.approx(0.5)]


def test_a_page_dearer_than_a_second_waits_for_a_full_bucket_and_leaves_a_debt() -> None:
    clock = Clock()
    stop = Stop(clock)
    budget = ReadBudget(10.0, clock=clock)
    assert budget.reserve(40.0, stop)
    assert budget.reserve(1.0, stop)
    assert sum(stop.waits) == pytest.approx(3.1)


def test_what_was_reserved_and_not_consumed_comes_back() -> None:
    clock = Clock()
    stop = Stop(clock)
    budget = ReadBudget(10.0, clock=clock)
    assert budget.reserve(10.0, stop)
    budget.settle(10.0, 2.0)
    assert budget.reserve(8.0, stop)
    assert stop.waits == []
    assert budget.consumed == 2.0


def test_what_was_consumed_beyond_the_reserve_delays_the_next_page() -> None:
    clock = Clock()
    stop = Stop(clock)
    budget = ReadBudget(10.0, clock=clock)
    assert budget.reserve(1.0, stop)
    budget.settle(1.0, 25.0)
    assert budget.reserve(5.0, stop)
    assert sum(stop.waits) == pytest.approx(2.0)


def test_whoever_has_waited_longest_goes_first() -> None:
    clock = Clock()
    budget = ReadBudget(10.0, clock=clock)
    assert budget.take(10.0, "small") == 0.0
    wait = budget.take(10.0, "large")
    assert wait == pytest.approx(1.0)
    clock.now += wait / 2
    # There is enough for a small one, but it is promised to the one before.
    assert budget.take(1.0, "small") == pytest.approx(0.6)
    clock.now += wait / 2
    assert budget.take(1.0, "small") > 0.0
    assert budget.take(10.0, "large") == 0.0
    clock.now += 0.1
    assert budget.take(1.0, "small") == 0.0


def test_nobody_waits_for_somebody_who_went_away() -> None:
    clock = Clock()
    budget = ReadBudget(10.0, clock=clock)
    assert budget.take(10.0, "gone") == 0.0
    gone_until = clock.now + budget.take(10.0, "gone") + LATE_SECONDS
    while (wait := budget.take(1.0, "here")) and clock.now <= gone_until:
        clock.now += wait
    assert not wait


def test_many_threads_share_one_budget() -> None:
    clock = Clock()
    budget = ReadBudget(100.0, clock=clock)
    stop = threading.Event()
    granted: list[float] = []

    def take() -> None:
        while budget.reserve(1.0, stop):
            budget.settle(1.0, 1.0)
            granted.append(1.0)

    threads = [threading.Thread(target=take, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    # The clock stands still: after the bucket is empty, everyone waits until they are told to stop.
    while len(granted) < 100:
        threads[0].join(0.01)
    stop.set()
    for thread in threads:
        thread.join(30)
    assert not any(thread.is_alive() for thread in threads)
    assert budget.consumed == 100.0


def test_errors_of_a_scan_are_errors_of_the_source() -> None:
    assert issubclass(TableNotFoundError, SourceError)
