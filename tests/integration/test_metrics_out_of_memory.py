"""A pipeline whose metrics server runs out of memory: what is shown meanwhile, and that nothing is lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dynalens.errors import TargetError
from dynalens.pipeline import TablePipeline
from dynalens.position.sqlite import SqliteStore
from dynalens.status import CollectionStatus, collection_status
from dynalens.target.metrics import MetricsTarget
from dynalens.testing.memory import MemorySource
from tests.integration.metrics_writes import BY_PLATFORM, TABLE, collection, seen, server_of
from tests.pipelines import Bench
from tests.services.valkey import ValkeyServer
from tests.waiting import observed


class Running:
    """A source, a pipeline over it, and what a reader and an operator see."""

    def __init__(self, valkey: ValkeyServer, store: SqliteStore) -> None:
        collections = {"donations": collection(by_platform=BY_PLATFORM)}
        self.source = MemorySource(TABLE)
        self.source.add_shard("s1")
        self.target = MetricsTarget(server_of(valkey), collections)
        self.bench = Bench(self.source, [self.target], store, collections)

    def donate(self, first: int, last: int) -> None:
        for number in range(first, last):
            item = {"id": {"S": str(number)}, "platform": {"S": "p"}, "amount": {"N": "1"}}
            self.source.put("s1", item)

    def total(self) -> dict[str, str]:
        return seen(self.target)["*"][0]

    def status(self, pipeline: TablePipeline) -> CollectionStatus:
        return collection_status(
            "donations",
            "metrics",
            TABLE,
            report=self.bench.report(pipeline, "metrics"),
            copies=self.bench.store.copies(TABLE, "metrics"),
            gaps=self.bench.store.gaps(TABLE),
            dead_letters=0,
            now=time.time(),
        )

    def failure(self, pipeline: TablePipeline) -> CollectionStatus | None:
        """Give the status once it tells of an error of the target."""
        found = self.status(pipeline)
        return found if found.error_code == TargetError.code else None


@pytest.fixture
def running(valkey: ValkeyServer, tmp_path: Path) -> Iterator[Running]:
    with closing(SqliteStore(tmp_path / "state.db")) as store:
        made = Running(valkey, store)
        yield made
        made.target.close()


@contextmanager
def full(valkey: ValkeyServer) -> Iterator[None]:
    """Leave the server no byte to take: it refuses every write, since it throws nothing away (`noeviction`)."""
    assert valkey.client().config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
    valkey.client().config_set("maxmemory", 1)
    yield
    valkey.client().config_set("maxmemory", 0)


def totals(donations: int) -> dict[str, str]:
    return {"count": str(donations), "amount_sum": str(donations)}


def test_a_full_server_is_told_with_what_to_do_and_takes_everything_once_it_has_room(
    running: Running, valkey: ValkeyServer
) -> None:
    running.donate(0, 10)
    with running.bench.running() as pipeline:
        observed(lambda: running.total() == totals(10), ignoring=TargetError)
        observed(lambda: running.status(pipeline).ready)
        with full(valkey):
            running.donate(10, 30)
            status = observed(lambda: running.failure(pipeline))
            assert status is not None
            assert "is out of memory and takes no more writes" in status.error_message
            assert "maxmemory" in status.error_hint
            assert not status.caught_up
            assert running.total() == totals(10), "what was confirmed is still read"
            assert running.bench.store.gaps(TABLE) == []
        observed(lambda: running.total() == totals(30))
        observed(lambda: not running.status(pipeline).error_code)
        assert running.status(pipeline).generation == 1, "nothing had to be built anew"


def test_a_process_that_starts_beside_a_full_server_waits_for_room(running: Running, valkey: ValkeyServer) -> None:
    running.donate(0, 10)
    with full(valkey), running.bench.running() as pipeline:
        status = observed(lambda: running.failure(pipeline))
        assert status is not None
        assert (status.ready, status.caught_up) == (False, False)
    with running.bench.running():
        observed(lambda: running.total() == totals(10), ignoring=TargetError)
