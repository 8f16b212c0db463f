"""Which shards there are: long lists, families, and answers that are not to be believed."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dynalens.errors import SourceError, TrimmedError
from dynalens.partition import START, Partition
from dynalens.retry import RetryPolicy
from dynalens.source.aws import Aws
from dynalens.source.streams import StreamSource, VanishedError
from dynalens.source.table import table_info
from dynalens.testing import Fault, ScriptedStreams

AT_ONCE = RetryPolicy(base_seconds=0.0, attempts=4)
SECOND_LOOKS = 3


@pytest.fixture
def source(aws: Aws, streams: ScriptedStreams, stop: threading.Event) -> StreamSource:
    info = table_info(aws, "Donations")
    streams.calls.clear()
    return StreamSource(
        aws, info, stop=stop, policy=AT_ONCE, second_looks=RetryPolicy(base_seconds=0.0, attempts=SECOND_LOOKS + 1)
    )


def parents(partitions: list[Partition] | tuple[Partition, ...] | object) -> dict[str, tuple[str, ...]]:
    assert isinstance(partitions, list)
    return {partition.id: partition.parents for partition in partitions}


def listings(streams: ScriptedStreams) -> int:
    """How often the stream was asked for its shards, not counting further pages."""
    described = [call.request for call in streams.calls if call.operation == "DescribeStream"]
    return sum("ExclusiveStartShardId" not in request for request in described)


def test_a_stream_without_shards_has_no_partitions(source: StreamSource) -> None:
    assert source.discover() == []


def test_one_shard_is_one_partition(source: StreamSource, streams: ScriptedStreams) -> None:
    shard = streams.add_shard()
    assert source.discover() == [Partition(shard)]
    assert listings(streams) == 1


@pytest.mark.parametrize("shards", [100, 101, 250, 1234])
def test_every_page_is_read(source: StreamSource, streams: ScriptedStreams, shards: int) -> None:
    made = [streams.add_shard() for _ in range(shards)]
    assert [partition.id for partition in source.discover()] == made
    assert len(streams.calls) == -(-shards // 100)
    assert listings(streams) == 1


def test_parents_come_before_their_children(source: StreamSource, streams: ScriptedStreams) -> None:
    first = streams.add_shard()
    left, right = streams.split(first)
    other = streams.add_shard()
    [grandchild] = streams.split(left, into=1)
    found = source.discover()
    assert parents(found) == {first: (), other: (), left: (first,), right: (first,), grandchild: (left,)}
    order = [partition.id for partition in found]
    assert order.index(first) < order.index(left) < order.index(grandchild)
    assert order.index(first) < order.index(right)


def test_children_that_are_listed_before_their_parents_still_come_after_them(
    source: StreamSource, streams: ScriptedStreams, monkeypatch: pytest.MonkeyPatch
) -> None:
    grandchild = streams.add_shard()
    child = streams.add_shard()
    parent = streams.add_shard()
    streams.close_shard(parent)
    streams.close_shard(child)
    monkeypatch.setattr(streams._shards[grandchild], "parent", child)
    monkeypatch.setattr(streams._shards[child], "parent", parent)
    assert [partition.id for partition in source.discover()] == [parent, child, grandchild]


def test_a_long_family_keeps_its_order_over_pages(source: StreamSource, streams: ScriptedStreams) -> None:
    family = [streams.add_shard()]
    for _ in range(300):
        family += streams.split(family[-1], into=1)
    assert [partition.id for partition in source.discover()] == family


def test_a_parent_that_is_trimmed_is_no_parent_any_more(source: StreamSource, streams: ScriptedStreams) -> None:
    parent = streams.add_shard()
    [child] = streams.split(parent, into=1)
    streams.remove_shard(parent)
    assert source.discover() == [Partition(child)]
    assert listings(streams) == 1 + SECOND_LOOKS
    # What was believed is not doubted again: every old stream begins with children of trimmed shards.
    assert source.discover() == [Partition(child)]
    assert listings(streams) == 2 + SECOND_LOOKS


def test_a_parent_missing_from_one_answer_is_not_believed_gone(source: StreamSource, streams: ScriptedStreams) -> None:
    parent = streams.add_shard()
    [child] = streams.split(parent, into=1)
    streams.hide_shard(parent, listings=SECOND_LOOKS)
    assert parents(source.discover()) == {parent: (), child: (parent,)}


def test_a_parent_missing_on_a_further_page_is_not_believed_gone(
    source: StreamSource, streams: ScriptedStreams
) -> None:
    for _ in range(120):
        streams.add_shard()
    parent = streams.add_shard()
    [child] = streams.split(parent, into=1)
    streams.hide_shard(parent)
    assert parents(source.discover())[child] == (parent,)


def test_a_child_missing_from_one_answer_comes_with_the_next(source: StreamSource, streams: ScriptedStreams) -> None:
    parent = streams.add_shard()
    [child] = streams.split(parent, into=1)
    streams.hide_shard(child)
    assert parents(source.discover()) == {parent: ()}
    assert parents(source.discover()) == {parent: (), child: (parent,)}


def test_an_open_parent_with_children_is_asked_about_again(source: StreamSource, streams: ScriptedStreams) -> None:
    parent = streams.add_shard()
    [child] = streams.split(parent, into=1)
    streams.show_open(parent)
    assert parents(source.discover()) == {parent: (), child: (parent,)}
    assert listings(streams) == 2


def test_an_open_parent_with_children_is_believed_in_the_end(source: StreamSource, streams: ScriptedStreams) -> None:
    parent = streams.add_shard()
    child = streams.add_shard(parent)
    for _ in range(2):
        assert parents(source.discover()) == {parent: (), child: (parent,)}
    assert listings(streams) == 2 + SECOND_LOOKS


def test_a_known_shard_missing_from_one_answer_is_not_forgotten(source: StreamSource, streams: ScriptedStreams) -> None:
    known = [streams.add_shard() for _ in range(3)]
    source.discover()
    streams.hide_shard(known[1])
    assert sorted(parents(source.discover())) == known
    assert listings(streams) == 3


def test_answers_that_miss_different_shards_make_a_whole_one(source: StreamSource, streams: ScriptedStreams) -> None:
    known = [streams.add_shard() for _ in range(3)]
    source.discover()
    streams.hide_shard(known[0])
    after_first_page(streams, lambda: streams.hide_shard(known[1], listings=1000))
    assert sorted(parents(source.discover())) == known
    assert listings(streams) == 3


def test_a_shard_that_either_answer_shows_closed_is_closed(source: StreamSource, streams: ScriptedStreams) -> None:
    parent = streams.add_shard()
    [child] = streams.split(parent, into=1)
    missing = streams.add_shard()
    source.discover()
    streams.hide_shard(missing)
    after_first_page(streams, lambda: streams.show_open(parent, listings=1000))
    assert parents(source.discover()) == {parent: (), missing: (), child: (parent,)}
    assert listings(streams) == 3


def test_a_known_shard_that_stays_away_is_forgotten(source: StreamSource, streams: ScriptedStreams) -> None:
    gone, kept = streams.add_shard(), streams.add_shard()
    source.discover()
    streams.remove_shard(gone)
    assert source.discover() == [Partition(kept)]
    assert source.discover() == [Partition(kept)]
    assert listings(streams) == 3 + SECOND_LOOKS


def test_a_shard_that_is_being_read_is_never_forgotten(source: StreamSource, streams: ScriptedStreams) -> None:
    parent = streams.add_shard()
    streams.put(parent, {"id": {"S": "a"}})
    [child] = streams.split(parent, into=1)
    source.discover()
    reader = source.open(Partition(parent), START)
    streams.hide_shard(parent, listings=1000)
    for _ in range(3):
        assert parents(source.discover()) == {parent: (), child: (parent,)}
    # Until it has ended.
    assert reader.read().ended
    assert parents(source.discover()) == {child: ()}


def test_a_shard_whose_reader_was_dropped_may_be_forgotten(source: StreamSource, streams: ScriptedStreams) -> None:
    shard = streams.add_shard()
    source.discover()
    reader = source.open(Partition(shard), START)
    streams.remove_shard(shard)
    assert [partition.id for partition in source.discover()] == [shard]
    del reader
    assert source.discover() == []


def test_a_shard_that_its_reader_found_gone_may_be_forgotten(source: StreamSource, streams: ScriptedStreams) -> None:
    shard = streams.add_shard()
    source.discover()
    reader = source.open(Partition(shard), START)
    streams.remove_shard(shard)
    with pytest.raises(VanishedError):
        reader.read()
    assert source.discover() == []


def test_a_stop_between_two_looks_believes_nothing(
    source: StreamSource, streams: ScriptedStreams, stop: threading.Event
) -> None:
    parent = streams.add_shard()
    [child] = streams.split(parent, into=1)
    streams.remove_shard(parent)
    stop.set()
    assert parents(source.discover()) == {child: (parent,)}
    assert listings(streams) == 1


@pytest.mark.parametrize(
    "fault",
    [Fault.THROTTLED, Fault.INTERNAL, Fault.HTML, Fault.CUT_BODY, Fault.CUT_JSON, Fault.INVALID_JSON, Fault.RESET],
)
def test_trouble_on_any_page_is_waited_out(source: StreamSource, streams: ScriptedStreams, fault: Fault) -> None:
    made = [streams.add_shard() for _ in range(150)]
    streams.fail("DescribeStream", fault, times=3)
    assert [partition.id for partition in source.discover()] == made
    # A second time on its second page alone.
    after_first_page(streams, lambda: streams.fail("DescribeStream", fault, times=3))
    assert [partition.id for partition in source.discover()] == made


def test_trouble_that_stays_is_reported_and_passes(source: StreamSource, streams: ScriptedStreams) -> None:
    shard = streams.add_shard()
    streams.fail("DescribeStream", Fault.THROTTLED, times=AT_ONCE.attempts)
    with pytest.raises(SourceError, match=streams.stream_arn):
        source.discover()
    assert source.discover() == [Partition(shard)]


def test_a_stream_that_is_gone_is_a_gap(source: StreamSource, streams: ScriptedStreams) -> None:
    streams.add_shard()
    source.discover()
    streams.remove_stream()
    with pytest.raises(VanishedError, match="stream of Donations is gone") as raised:
        source.discover()
    assert isinstance(raised.value, TrimmedError)
    assert raised.value.code == "vanished"


def after_first_page(streams: ScriptedStreams, act: Callable[[], None]) -> None:
    """Act when the first page of shards has been given, once."""
    answer = streams._describe_stream

    def answer_and_act(request: dict[str, object]) -> dict[str, object]:
        streams._describe_stream = answer  # type: ignore[method-assign]
        given = answer(request)
        act()
        return given

    streams._describe_stream = answer_and_act  # type: ignore[method-assign]


def test_a_child_of_a_missing_shard_waits_for_the_lineage_that_breaks_off(
    source: StreamSource, streams: ScriptedStreams
) -> None:
    """The shard between them may be the one that is missing: what came before it must not be read after its child."""
    first = streams.add_shard()
    [missing] = streams.split(first, into=1)
    [child] = streams.split(missing, into=1)
    streams.hide_shard(missing, listings=100)
    assert {shard.id: shard.parents for shard in source.discover()} == {first: (), child: (first,)}
