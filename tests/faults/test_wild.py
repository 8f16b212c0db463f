"""Mistakes found in the wild: the pipeline survives the schedule of each, a naive replicator that makes it does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Protocol

import pytest

from dynalens import failpoint
from dynalens.change import Typed
from dynalens.config import CollectionConfig, SourceConfig
from dynalens.position.sqlite import SqliteStore
from dynalens.runtime.table import TableWorker
from dynalens.source.aws import Aws
from dynalens.testing import Fault, ScriptedStreams
from dynalens.testing.failpoints import armed, at_hit
from dynalens.testing.memory import MemoryTarget
from dynalens.testing.oracle import compare_documents
from tests.faults.naive import Mistake, NaiveReplica
from tests.pipelines import parts
from tests.waiting import NotObservedError, observed

DOCUMENTS = "donations"


class Replica(Protocol):
    """What a schedule does with a copy of the table, whoever keeps it."""

    def start(self, while_scanning: Callable[[], None]) -> None:
        """Copy what is there; something happens between the scan's page and its rows."""
        ...

    def catch_up(self) -> None:
        """Apply all that was written."""
        ...

    def crash(self) -> None:
        """Lose what is in memory, and begin again."""
        ...

    def fail_write(self) -> None:
        """Let the next write of the target fail as a whole."""
        ...

    def throttle_write(self) -> None:
        """Let the target refuse a part of the next write for now."""
        ...

    def equals(self, items: Mapping[str, Mapping[str, Typed]]) -> bool:
        """Say whether the copy equals the table."""
        ...


class Pipeline:
    """The real pipeline over the wire, into the target in memory."""

    def __init__(self, streams: ScriptedStreams, store: SqliteStore, aws: Aws) -> None:
        self._streams = streams
        self._target = MemoryTarget("search")
        self._parts = parts(aws, self._target, store)
        self._worker: TableWorker | None = None

    def start(self, while_scanning: Callable[[], None]) -> None:
        with armed(failpoint.SEGMENT_PAGE, at_hit(1, while_scanning)):
            self._run()
            self.catch_up()

    def catch_up(self) -> None:
        if self._worker is None:
            self._run()
        # Whoever asks for equality finds out whether it was ever reached.
        with suppress(NotObservedError):
            observed(lambda: self.equals(_items(self._streams)), timeout=15)

    def crash(self) -> None:
        self.close()
        self._run()

    def fail_write(self) -> None:
        self._target.fail_next(on="apply")

    def throttle_write(self) -> None:
        # Part of it lands, and the whole is reported as failed.
        self._target.fail_next(on="apply", landed=True)

    def equals(self, items: Mapping[str, Mapping[str, Typed]]) -> bool:
        return not compare_documents(items, self._target.documents(DOCUMENTS))

    def close(self) -> None:
        if self._worker is not None:
            self._worker.stop(0.0)
            assert self._worker.join(10.0), "the worker did not end"

    def _run(self) -> None:
        self._worker = TableWorker(
            self._streams.table, {DOCUMENTS: CollectionConfig(table=self._streams.table)}, self._parts
        )
        self._worker.start()


# Schedules, each with the one mistake that it finds.


def _put(streams: ScriptedStreams, shard: str, id_: str, number: int) -> None:
    streams.put(shard, {"id": {"S": id_}, "n": {"N": str(number)}})


def poison(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    _put(streams, shard, "a", 1)
    record = streams.record("INSERT", {"id": {"S": "p"}}, new={"id": {"S": "p"}})
    del record["dynamodb"]["Keys"]
    streams.append(shard, record)
    _put(streams, shard, "b", 2)
    replica.catch_up()


def iterator_error(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    _put(streams, shard, "a", 1)
    replica.catch_up()
    streams.fail("GetShardIterator", Fault.INTERNAL)
    streams.expire_iterators()
    _put(streams, shard, "b", 2)
    replica.catch_up()


def children(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    _put(streams, shard, "a", 1)
    replica.catch_up()
    child, _ = streams.split(shard)
    _put(streams, child, "a", 2)
    replica.catch_up()


def failed_write(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    _put(streams, shard, "a", 1)
    replica.catch_up()
    replica.fail_write()
    _put(streams, shard, "b", 2)
    replica.catch_up()


def pages_of_shards(streams: ScriptedStreams, replica: Replica) -> None:
    streams.shards_per_page = 1
    for number, shard in enumerate([streams.add_shard() for _ in range(3)]):
        _put(streams, shard, f"key-{number}", number)
    replica.catch_up()


def restart(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    for number in range(3):
        _put(streams, shard, "a", number)
    replica.catch_up()
    replica.crash()
    _put(streams, shard, "a", 3)
    replica.catch_up()


def reinsert(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    _put(streams, shard, "a", 1)
    streams.delete(shard, {"id": {"S": "a"}})
    _put(streams, shard, "a", 2)
    replica.catch_up()


def throttled_item(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    _put(streams, shard, "a", 1)
    replica.catch_up()
    replica.throttle_write()
    _put(streams, shard, "b", 2)
    _put(streams, shard, "c", 3)
    replica.catch_up()


def deleted_while_scanned(streams: ScriptedStreams, replica: Replica) -> None:
    shard = streams.add_shard()
    streams.load({"id": {"S": "a"}, "n": {"N": "1"}}, {"id": {"S": "b"}, "n": {"N": "1"}})

    def delete() -> None:
        streams.delete(shard, {"id": {"S": "a"}})

    replica.start(delete)
    replica.catch_up()


SCHEDULES: Mapping[Mistake, Callable[[ScriptedStreams, Replica], None]] = {
    Mistake.POISON_BLOCKS: poison,
    Mistake.ERROR_IS_END: iterator_error,
    Mistake.LATEST_ON_CHILDREN: children,
    Mistake.COMMIT_BEFORE_ACKNOWLEDGEMENT: failed_write,
    Mistake.ONE_PAGE_OF_SHARDS: pages_of_shards,
    Mistake.COUNTER_RESTARTS: restart,
    Mistake.DELETES_LAST: reinsert,
    Mistake.STATUSES_IGNORED: throttled_item,
    Mistake.SCAN_REVIVES: deleted_while_scanned,
}
each_mistake = pytest.mark.parametrize("mistake", Mistake, ids=str)


@pytest.fixture
def streams() -> Iterator[ScriptedStreams]:
    with ScriptedStreams("Donations") as serving:
        yield serving


@each_mistake
def test_the_pipeline_survives(mistake: Mistake, streams: ScriptedStreams, tmp_path: Path) -> None:
    config = SourceConfig(endpoint_url=streams.endpoint_url, scan_segments=1)
    with (
        closing(SqliteStore(tmp_path / "state.db")) as store,
        closing(Aws(config)) as aws,
        closing(Pipeline(streams, store, aws)) as pipeline,
    ):
        SCHEDULES[mistake](streams, pipeline)
        assert pipeline.equals(_items(streams))


@each_mistake
def test_a_naive_replicator_with_the_mistake_does_not(mistake: Mistake, streams: ScriptedStreams) -> None:
    with closing(NaiveReplica(streams, frozenset({mistake}))) as naive:
        SCHEDULES[mistake](streams, naive)
        assert not naive.equals(_items(streams))


@each_mistake
def test_it_is_that_mistake_alone(mistake: Mistake, streams: ScriptedStreams) -> None:
    with closing(NaiveReplica(streams)) as naive:
        SCHEDULES[mistake](streams, naive)
        assert naive.equals(_items(streams))


def _items(streams: ScriptedStreams) -> dict[str, Mapping[str, Typed]]:
    return {str(item["id"]["S"]): item for item in streams.items()}
