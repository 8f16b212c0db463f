"""Reading one shard: in order, from any position, through every fault, without a loss and without a repetition."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable

import pytest

from dynalens.errors import SourceError, TrimmedError
from dynalens.partition import START, Partition, Position
from dynalens.retry import RetryPolicy
from dynalens.source import Batch
from dynalens.source.aws import AccessError, Aws, TransientError
from dynalens.source.streams import ShardReader, StreamSource, VanishedError
from dynalens.source.table import table_info
from dynalens.testing import Fault, Operation, ScriptedStreams
from tests.unit.source.virtual_time import Clock, Stop

AT_ONCE = RetryPolicy(base_seconds=0.0, attempts=6)
PASSING = [
    Fault.THROTTLED,
    Fault.TOO_MANY_READERS,
    Fault.INTERNAL,
    Fault.HTML,
    Fault.CUT_BODY,
    Fault.CUT_JSON,
    Fault.INVALID_JSON,
    Fault.WRONG_CHECKSUM,
    Fault.RESET,
]


@pytest.fixture
def make_source(aws: Aws, streams: ScriptedStreams) -> Callable[..., StreamSource]:
    info = table_info(aws, "Donations")
    streams.calls.clear()

    def make(*, stop: threading.Event | None = None, policy: RetryPolicy = AT_ONCE) -> StreamSource:
        return StreamSource(
            aws, info, stop=stop or threading.Event(), policy=policy, second_looks=AT_ONCE, page_records=10
        )

    return make


@pytest.fixture
def source(make_source: Callable[..., StreamSource]) -> StreamSource:
    return make_source()


@pytest.fixture
def shard(streams: ScriptedStreams) -> str:
    return streams.add_shard()


def write(streams: ScriptedStreams, shard: str, *names: str) -> list[str]:
    return [streams.put(shard, {"id": {"S": name}}) for name in names]


def ids(*batches: Batch) -> list[str]:
    return [change.id for batch in batches for change in batch.changes]


def read_to_end(reader: ShardReader) -> list[Batch]:
    batches = [reader.read()]
    while not batches[-1].ended:
        batches.append(reader.read())
        assert len(batches) < 10_000, "the reader comes to no end"
    return batches


def operations(streams: ScriptedStreams) -> list[str]:
    return [call.operation for call in streams.calls]


# In order, from a position.


def test_nothing_is_asked_before_the_first_read(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    source.open(Partition(shard), START)
    assert streams.calls == []


def test_a_shard_is_read_page_by_page_to_its_end(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    names = [f"{number:02}" for number in range(25)]
    numbers = write(streams, shard, *names)
    streams.close_shard(shard)
    batches = read_to_end(source.open(Partition(shard), START))
    assert [ids(batch) for batch in batches] == [names[:10], names[10:20], names[20:]]
    assert [batch.position for batch in batches] == [
        Position(rank=int(numbers[9]), token=numbers[9]),
        Position(rank=int(numbers[19]), token=numbers[19]),
        Position(ended=True, rank=int(numbers[24]), token=numbers[24]),
    ]
    assert [batch.position.token for batch in batches] == [numbers[9], numbers[19], numbers[24]]
    assert [batch.ended for batch in batches] == [False, False, True]
    assert all(batch.size > 1000 for batch in batches)


def test_a_reader_goes_on_behind_any_position(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    numbers = write(streams, shard, "a", "b", "c")
    for index, number in enumerate(numbers):
        batch = source.open(Partition(shard), Position(rank=int(number), token=number)).read()
        assert ids(batch) == ["a", "b", "c"][index + 1 :]


def test_the_end_stays_the_end(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    write(streams, shard, "a")
    streams.close_shard(shard)
    reader = source.open(Partition(shard), START)
    [last] = read_to_end(reader)
    streams.calls.clear()
    assert reader.read() == Batch((), (), last.position, ended=True, size=0)
    again = source.open(Partition(shard), last.position).read()
    assert (again.ended, again.position, ids(again)) == (True, last.position, [])
    assert streams.calls == []


def test_a_shard_that_never_held_anything_ends(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    streams.close_shard(shard)
    batch = source.open(Partition(shard), START).read()
    assert (batch.ended, batch.position) == (True, Position(ended=True))


def test_records_written_meanwhile_are_read(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    reader = source.open(Partition(shard), START)
    assert ids(reader.read()) == []
    write(streams, shard, "a")
    assert ids(reader.read()) == ["a"]
    assert operations(streams).count("GetShardIterator") == 1


def test_a_thousand_empty_pages_are_no_end_and_move_nothing(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    [number] = write(streams, shard, "a")
    reader = source.open(Partition(shard), START)
    before = reader.read().position
    streams.empty_pages(shard, 1000)
    write(streams, shard, "b")
    streams.close_shard(shard)
    batches = read_to_end(reader)
    assert len(batches) == 1001
    assert ids(*batches) == ["b"]
    assert {batch.position for batch in batches[:-1]} == {before}
    assert batches[999].position.token == number


def test_user_identity_survives(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    write(streams, shard, "a", "b")
    streams.delete(shard, {"id": {"S": "a"}}, expired=True)
    streams.delete(shard, {"id": {"S": "b"}})
    *_, expired, deleted = source.open(Partition(shard), START).read().changes
    assert (expired.kind, expired.expired) == ("remove", True)
    assert (deleted.kind, deleted.expired) == ("remove", False)


# Iterators.


def test_an_iterator_that_expires_is_renewed_from_the_position(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    reader = source.open(Partition(shard), START)
    [number] = write(streams, shard, "a")
    assert ids(reader.read()) == ["a"]
    streams.expire_iterators()
    write(streams, shard, "b")
    assert ids(reader.read()) == ["b"]
    iterators = [call.request for call in streams.calls if call.operation == "GetShardIterator"]
    assert [request["ShardIteratorType"] for request in iterators] == ["TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER"]
    assert iterators[1]["SequenceNumber"] == number


def test_an_iterator_that_expires_before_its_first_read_is_renewed(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a")
    after_iterator(streams, streams.expire_iterators)
    assert ids(source.open(Partition(shard), START).read()) == ["a"]
    assert operations(streams) == ["GetShardIterator", "GetRecords"] * 2


def test_an_iterator_that_expires_while_the_shard_is_still_empty_loses_nothing(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    reader = source.open(Partition(shard), START)
    reader.read()
    write(streams, shard, "a")
    streams.expire_iterators()
    assert ids(reader.read()) == ["a"]


def test_iterators_that_always_expire_are_an_error_in_the_end(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a")
    streams.fail("GetRecords", Fault.EXPIRED_ITERATOR, times=AT_ONCE.attempts)
    reader = source.open(Partition(shard), START)
    with pytest.raises(SourceError, match="ExpiredIterator"):
        reader.read()
    assert ids(reader.read()) == ["a"]


def test_the_latest_record_is_never_where_reading_starts(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a")
    [child] = streams.split(shard, into=1)
    write(streams, child, "b")
    for partition in source.discover():
        source.open(partition, START).read()
    kinds = {call.request["ShardIteratorType"] for call in streams.calls if call.operation == "GetShardIterator"}
    assert kinds == {"TRIM_HORIZON"}


# Faults that pass.


@pytest.mark.parametrize("operation", ["GetShardIterator", "GetRecords"])
@pytest.mark.parametrize("fault", PASSING)
def test_trouble_that_passes_loses_nothing(
    source: StreamSource, streams: ScriptedStreams, shard: str, operation: Operation, fault: Fault
) -> None:
    names = [f"{number:02}" for number in range(25)]
    write(streams, shard, *names)
    streams.close_shard(shard)
    reader = source.open(Partition(shard), START)
    batches = []
    for _ in range(3):
        streams.fail(operation, fault, times=AT_ONCE.attempts - 2)
        streams.expire_iterators()  # so that both operations are needed; it costs one attempt more
        batches.append(reader.read())
    assert ids(*batches) == names
    assert batches[-1].ended


@pytest.mark.parametrize("fault", PASSING)
def test_trouble_that_stays_is_reported_and_the_reader_goes_on_later(
    source: StreamSource, streams: ScriptedStreams, shard: str, fault: Fault
) -> None:
    write(streams, shard, "a")
    reader = source.open(Partition(shard), START)
    assert ids(reader.read()) == ["a"]
    write(streams, shard, "b")
    streams.fail("GetRecords", fault, times=AT_ONCE.attempts)
    with pytest.raises(TransientError):
        reader.read()
    assert ids(reader.read()) == ["b"]
    # The iterator in hand was good all the time.
    assert operations(streams).count("GetShardIterator") == 1


def test_waits_between_attempts_grow_and_end_with_a_stop(
    make_source: Callable[..., StreamSource], streams: ScriptedStreams, shard: str
) -> None:
    clock = Clock()
    stop = Stop(clock, set_at_wait=4)
    policy = RetryPolicy(base_seconds=0.5, cap_seconds=60.0, total_seconds=600.0, random=lambda: 1.0, clock=clock)
    streams.fail("GetRecords", Fault.THROTTLED, times=99)
    with pytest.raises(TransientError, match="ThrottlingException"):
        make_source(stop=stop, policy=policy).open(Partition(shard), START).read()
    assert stop.waits == [0.5, 1.0, 2.0, 4.0]
    assert operations(streams).count("GetRecords") == 4


@pytest.mark.parametrize("operation", ["GetShardIterator", "GetRecords"])
@pytest.mark.parametrize("fault", [Fault.DENIED, Fault.EXPIRED_TOKEN, Fault.INVALID])
def test_what_somebody_must_change_is_reported_at_once_and_is_no_end(
    source: StreamSource, streams: ScriptedStreams, shard: str, operation: Operation, fault: Fault
) -> None:
    write(streams, shard, "a")
    streams.close_shard(shard)
    reader = source.open(Partition(shard), START)
    streams.fail(operation, fault)
    with pytest.raises(SourceError) as raised:
        reader.read()
    assert type(raised.value) is (SourceError if fault == Fault.INVALID else AccessError)
    assert operations(streams).count(operation) == 1
    batch = reader.read()
    assert (ids(batch), batch.ended) == (["a"], True)


# Gaps.


def test_a_trimmed_position_is_a_gap(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    numbers = write(streams, shard, "a", "b", "c")
    streams.trim(shard, 2)
    with pytest.raises(TrimmedError, match="GetShardIterator") as raised:
        source.open(Partition(shard), Position(rank=int(numbers[0]), token=numbers[0])).read()
    assert "24 hours" in raised.value.hint


def test_records_trimmed_under_a_waiting_reader_are_a_gap(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a")
    reader = source.open(Partition(shard), START)
    assert ids(reader.read()) == ["a"]
    write(streams, shard, "b", "c")
    streams.trim(shard, 2)
    with pytest.raises(TrimmedError, match="GetRecords"):
        reader.read()
    # And stay one: nothing is skipped because somebody asks again.
    with pytest.raises(TrimmedError, match="GetShardIterator"):
        reader.read()


def test_the_oldest_record_trimmed_before_its_first_read_is_no_gap(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a", "b")
    after_iterator(streams, lambda: streams.trim(shard, 1))
    assert ids(source.open(Partition(shard), START).read()) == ["b"]


def test_an_iterator_that_an_emulator_spoils_on_an_empty_shard_is_no_gap(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    reader = source.open(Partition(shard), START)
    reader.read()
    write(streams, shard, "a")
    streams.fail("GetRecords", Fault.TRIMMED)
    assert ids(reader.read()) == ["a"]
    assert operations(streams).count("GetShardIterator") == 2


def test_a_start_that_fails_forever_is_a_gap_in_the_end(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    streams.fail("GetRecords", Fault.TRIMMED, times=AT_ONCE.attempts)
    with pytest.raises(TrimmedError):
        source.open(Partition(shard), START).read()


def test_records_trimmed_between_a_drained_parent_and_its_child_are_a_gap(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    [child] = streams.split(shard, into=1)
    write(streams, child, "a", "b")
    after_iterator(streams, lambda: streams.trim(child, 1))
    with pytest.raises(TrimmedError):
        source.open(Partition(child, parents=(shard,)), START).read()


def test_a_shard_that_vanished_is_a_gap_and_no_end(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    write(streams, shard, "a")
    reader = source.open(Partition(shard), START)
    reader.read()
    streams.remove_shard(shard)
    with pytest.raises(VanishedError, match=shard) as raised:
        reader.read()
    assert isinstance(raised.value, TrimmedError)


def test_a_shard_that_is_not_found_but_listed_is_only_an_error(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a")
    streams.fail("GetShardIterator", Fault.NOT_FOUND)
    reader = source.open(Partition(shard), START)
    with pytest.raises(SourceError) as raised:
        reader.read()
    assert not isinstance(raised.value, TrimmedError)
    assert ids(reader.read()) == ["a"]


def test_a_shard_of_a_stream_that_vanished_is_a_gap(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    reader = source.open(Partition(shard), START)
    reader.read()
    streams.remove_stream()
    with pytest.raises(VanishedError):
        reader.read()


def test_an_id_that_no_shard_can_have_is_an_error_and_no_end(source: StreamSource) -> None:
    with pytest.raises(SourceError, match="nonsense"):
        source.open(Partition("nonsense"), START).read()


# Repetitions.


def test_records_that_a_shard_repeats_are_read_once(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    write(streams, shard, "a", "b", "c")
    streams.repeat(shard, 2)
    write(streams, shard, "d")
    streams.close_shard(shard)
    assert ids(*read_to_end(source.open(Partition(shard), START))) == ["a", "b", "c", "d"]


def test_a_page_that_is_repeated_moves_nothing_back(source: StreamSource, streams: ScriptedStreams, shard: str) -> None:
    names = [f"{number:02}" for number in range(10)]
    numbers = write(streams, shard, *names)
    reader = source.open(Partition(shard), START)
    first = reader.read()
    streams.repeat(shard, 10)
    second = reader.read()
    assert (ids(first), ids(second)) == (names, [])
    assert second.position == first.position
    assert second.position.token == numbers[-1]


def test_the_end_of_a_repeated_page_does_not_pull_the_position_back(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a", "b")
    older = {**streams._shards[shard].records[0].content}
    streams.append(shard, older)
    batch = source.open(Partition(shard), START).read()
    assert ids(batch) == ["a", "b"]
    assert batch.position.rank == int(streams._shards[shard].records[1].number)


# Poison.


def poisoned(streams: ScriptedStreams, **changes: object) -> dict[str, object]:
    record = streams.record("INSERT", {"id": {"S": "poison"}}, new={"id": {"S": "poison"}})
    return {**record, **changes}


def test_poison_is_passed_on_and_the_position_moves_past_it(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a")
    number = streams.append(shard, poisoned(streams, eventName="EXPLODE"))
    batch = source.open(Partition(shard), START).read()
    assert ids(batch) == ["a"]
    [poison] = batch.poison
    assert (poison.sequence_number, json.loads(poison.raw)["eventName"]) == (number, "EXPLODE")
    assert batch.position == Position(rank=int(number), token=number)
    write(streams, shard, "b")
    assert ids(source.open(Partition(shard), batch.position).read()) == ["b"]


def test_unreadable_poison_at_the_end_leaves_the_position_at_the_last_readable_record(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    write(streams, shard, "a")
    number = streams.append(shard, poisoned(streams, eventName="EXPLODE"))
    streams.append(shard, {"dynamodb": "nothing of this makes sense"})
    batch = source.open(Partition(shard), START).read()
    assert [poison.sequence_number for poison in batch.poison] == [number, ""]
    assert batch.position.token == number


def test_pages_of_nothing_but_unreadable_poison_are_passed(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    for number in range(35):
        streams.append(shard, {"eventID": str(number)})
    write(streams, shard, "a")
    reader = source.open(Partition(shard), START)
    batches = [reader.read() for _ in range(4)]
    poison = [json.loads(record.raw)["eventID"] for batch in batches for record in batch.poison]
    assert poison == [str(number) for number in range(35)]
    assert [batch.position for batch in batches[:3]] == [START] * 3
    assert ids(*batches) == ["a"]
    assert operations(streams).count("GetShardIterator") == 1


def test_a_shard_that_ends_in_unreadable_poison_ends(
    source: StreamSource, streams: ScriptedStreams, shard: str
) -> None:
    streams.append(shard, {"eventID": "0"})
    streams.close_shard(shard)
    batch = source.open(Partition(shard), START).read()
    assert (batch.ended, batch.position, len(batch.poison)) == (True, Position(ended=True), 1)


def after_iterator(streams: ScriptedStreams, act: Callable[[], None]) -> None:
    """Act when the next iterator has been given, once."""
    answer = streams._get_shard_iterator

    def answer_and_act(request: dict[str, object]) -> dict[str, object]:
        streams._get_shard_iterator = answer  # type: ignore[method-assign]
        given = answer(request)
        act()
        return given

    streams._get_shard_iterator = answer_and_act  # type: ignore[method-assign]
