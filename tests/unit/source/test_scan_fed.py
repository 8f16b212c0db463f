"""A scan in the feed: one that waits for its budget leaves the threads to the shards."""

from __future__ import annotations

import threading

from dynalens.errors import DynalensError
from dynalens.partition import START, Partition
from dynalens.pipeline.delivery import Cursor, Delivery
from dynalens.pipeline.feed import Feed
from dynalens.source.aws import Aws
from dynalens.source.scan import ScanSource
from dynalens.source.table import table_info
from dynalens.testing import ScriptedStreams
from dynalens.testing.memory import MemorySource
from tests.waiting import observed

SHARD = Partition("s1")


class KeepingLane:
    """A lane that reads all partitions, and keeps the ids of what it is given by partition."""

    name = "sql"

    def __init__(self, *partitions: Partition) -> None:
        self.ids: dict[str, list[str]] = {partition.id: [] for partition in partitions}
        self._cursors = {partition.id: Cursor(partition, 1, START, START) for partition in partitions}

    def cursor(self, partition: str) -> Cursor | None:
        return self._cursors.get(partition)

    def has_room(self) -> bool:
        return True

    def deliver(self, delivery: Delivery) -> None:
        self.ids[delivery.cursor.partition.id] += [change.id for _, change in delivery.changes()]

    def source_failed(self, partition: Partition | None, error: DynalensError) -> None:
        raise AssertionError((partition, error))


def test_segments_that_wait_for_their_budget_leave_the_threads_to_the_shards(
    aws: Aws, streams: ScriptedStreams
) -> None:
    streams.load(*({"id": {"S": f"{number:04}"}, "text": {"S": "x" * 3000}} for number in range(40)))
    # A row is paid for at once; the next one only after a thousand seconds.
    scan = ScanSource(
        aws,
        table_info(aws, streams.table),
        copy="7",
        segments=4,
        read_units=0.001,
        consistent=True,
        stop=threading.Event(),
    )
    shard = MemorySource()
    shard.add_shard(SHARD.id)
    lane = KeepingLane(SHARD, *scan.discover())
    feed = Feed({lane.name: lane}, threads=2)
    feed.start()
    with feed.lock:
        for segment in scan.discover():
            feed.add(segment, scan)
    observed(lambda: sum(map(len, lane.ids.values())) == 1)
    with feed.lock:
        feed.add(SHARD, shard)
    shard.put(SHARD.id, {"id": {"S": "first"}})
    observed(lambda: lane.ids[SHARD.id] == ["first"], timeout=10.0)
    shard.put(SHARD.id, {"id": {"S": "second"}})
    observed(lambda: lane.ids[SHARD.id] == ["first", "second"], timeout=10.0)
    feed.stop()
    feed.join(5.0)
    assert not any(thread.is_alive() for thread in feed._threads)
