"""The feed: one reader for lanes that stand together, a second for those behind, none for those without room."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dynalens.change import KeySchema
from dynalens.errors import DynalensError
from dynalens.partition import START, Partition, Position
from dynalens.pipeline.delivery import Cursor, Delivery
from dynalens.pipeline.feed import Feed
from dynalens.source import Batch, Reader, Source
from dynalens.testing.memory import FIRST_SEQUENCE_NUMBER, MemorySource
from tests.waiting import observed

SHARD = Partition("s1")


class EmptyPages:
    """A closed shard that gives so many empty pages before its end, as sparse shards do."""

    table = "Donations"
    keys = KeySchema(("id",))

    def __init__(self, pages: int) -> None:
        self._left = pages

    def discover(self) -> Sequence[Partition]:
        return [SHARD]

    def open(self, partition: Partition, position: Position) -> Reader:
        assert (partition, position) == (SHARD, START)
        return self

    def read(self) -> Batch:
        self._left -= 1
        ended = self._left < 0
        return Batch((), (), Position(ended=ended), ended=ended, size=0)


class CountingSource:
    """A source that tells how many readers it opened and how many pages of records it gave."""

    def __init__(self, source: MemorySource) -> None:
        self._source = source
        self.table = source.table
        self.keys: KeySchema = source.keys
        self.pages: Counter[int] = Counter()
        self._lock = threading.Lock()

    def discover(self) -> Sequence[Partition]:
        return self._source.discover()

    def open(self, partition: Partition, position: Position) -> Reader:
        return _Counted(self._source.open(partition, position), self)

    def count(self, batch: Batch) -> None:
        with self._lock:
            self.pages.update([batch.position.rank] if batch.changes else [])


class _Counted:
    def __init__(self, reader: Reader, source: CountingSource) -> None:
        self._reader = reader
        self._source = source

    def read(self) -> Batch:
        batch = self._reader.read()
        self._source.count(batch)
        return batch


class FakeLane:
    """A lane that keeps what it is given, as long as it has room."""

    def __init__(self, name: str, position: Position = START, *, room: int = 10**6) -> None:
        self.name = name
        self.room = room
        self.ranks: list[int] = []
        self.errors: list[DynalensError] = []
        self._cursor = Cursor(SHARD, 1, position, position)

    def cursor(self, partition: str) -> Cursor | None:
        return self._cursor if partition == SHARD.id else None

    def has_room(self) -> bool:
        return len(self.ranks) < self.room

    def deliver(self, delivery: Delivery) -> None:
        self.ranks += [int(change.sequence_number) for _, change in delivery.changes()]

    def source_failed(self, partition: Partition | None, error: DynalensError) -> None:
        assert partition == SHARD
        self.errors.append(error)


@contextmanager
def feeding(source: Source, *lanes: FakeLane) -> Iterator[Feed]:
    feed = Feed({lane.name: lane for lane in lanes}, threads=2)
    feed.start()
    try:
        with feed.lock:
            feed.add(SHARD, source)
        yield feed
    finally:
        feed.stop()
        feed.join(5.0)


def written(records: int) -> tuple[MemorySource, CountingSource, list[int]]:
    source = MemorySource(page_size=10)
    source.add_shard("s1")
    for number in range(records):
        source.put("s1", {"id": {"S": f"id-{number}"}})
    return source, CountingSource(source), [FIRST_SEQUENCE_NUMBER + 1 + number for number in range(records)]


def position(rank: int) -> Position:
    return Position(rank=rank, token=str(rank))


def test_lanes_that_stand_together_share_one_reader() -> None:
    _, source, ranks = written(50)
    lanes = [FakeLane("sql"), FakeLane("metrics"), FakeLane("search")]
    with feeding(source, *lanes):
        observed(lambda: all(lane.ranks == ranks for lane in lanes))
    assert set(source.pages.values()) == {1}


def test_a_lane_behind_catches_up_and_is_read_for_together_again() -> None:
    memory, source, ranks = written(50)
    ahead, behind = FakeLane("sql", position(ranks[33])), FakeLane("metrics", position(ranks[4]))
    with feeding(source, ahead, behind):
        observed(lambda: ahead.ranks == ranks[34:] and behind.ranks == ranks[5:])
        observed(lambda: ahead._cursor.position == behind._cursor.position)
        source.pages.clear()
        memory.put("s1", {"id": {"S": "new"}})
        observed(lambda: ahead.ranks[-1] == behind.ranks[-1] == ranks[-1] + 1)
    assert set(source.pages.values()) == {1}


def test_three_lanes_apart_all_arrive() -> None:
    _, source, ranks = written(60)
    lanes = [FakeLane(name, position(ranks[at])) for name, at in (("a", 45), ("b", 21), ("c", 2))]
    with feeding(source, *lanes):
        observed(lambda: [lane.ranks for lane in lanes] == [ranks[46:], ranks[22:], ranks[3:]])


def test_a_lane_without_room_holds_back_nobody_and_is_not_read_for() -> None:
    _, source, ranks = written(100)
    full, free = FakeLane("metrics", room=20), FakeLane("sql")
    with feeding(source, full, free) as feed:
        observed(lambda: free.ranks == ranks)
        assert full.ranks == ranks[:20]
        with feed.lock:
            full.room = 10**6
            feed.wake_all()
        observed(lambda: full.ranks == ranks)


def test_a_closed_shard_is_read_to_its_end_without_waiting_at_a_tip() -> None:
    lane = FakeLane("sql")
    feed = Feed({lane.name: lane}, threads=1)
    with feed.lock:
        feed.close(frozenset({SHARD.id}))
        feed.add(SHARD, EmptyPages(200))
    feed.start()
    observed(lambda: lane._cursor.position.ended)
    feed.stop()
    feed.join(5.0)


def test_a_lane_hears_that_its_records_are_gone() -> None:
    memory, source, ranks = written(10)
    lane = FakeLane("sql", position(ranks[2]))
    memory.trim("s1")
    with feeding(source, lane):
        observed(lambda: lane.errors)
    assert lane.errors[0].code == "trimmed"


def test_a_poison_record_has_its_place_among_the_ordinals() -> None:
    source = MemorySource(page_size=10)
    source.add_shard("s1")
    source.put("s1", {"id": {"S": "a"}})
    source.append("s1", {"eventName": "NONSENSE", "dynamodb": {}})
    source.put("s1", {"id": {"S": "b"}})
    batch = source.open(SHARD, START).read()
    delivery = Cursor(SHARD, 3, START, START).take(batch, now=1.0)
    assert [version & 0xFFFFFFFF for version, _ in delivery.changes()] == [0, 2]
    assert [version & 0xFFFFFFFF for version, _ in delivery.poison()] == [1]
    assert {version >> 32 for version, _ in delivery.changes()} == {3}
