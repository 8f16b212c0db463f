"""The metrics target when its server loses data, refuses writes, dies or was never there."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from dynalens.errors import NotFoundError, TargetError
from dynalens.partition import Position
from dynalens.target import NO_MARK, Mark, Memory
from dynalens.target.metrics import MetricsTarget
from dynalens.target.metrics.connection import Server
from tests.integration.metrics_writes import (
    BY_PLATFORM,
    FIRST,
    PUBLISHED,
    SECOND,
    TABLE,
    collection,
    delete,
    opened,
    put,
    seen,
    server_of,
    serving,
)
from tests.services.valkey import ValkeyServer
from tests.waiting import observed


def exact(count: int, amount: str) -> tuple[dict[str, str], bool]:
    return {"count": str(count), "amount_sum": amount}, True


def test_after_a_flush_nothing_is_remembered_and_nothing_can_be_written(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.raise_epoch(TABLE, 5)
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        valkey.client().flushall()
        with pytest.raises(TargetError, match="has lost data") as lost:
            target.apply([put(FIRST, "b", 2, platform="p", amount=1)])
        assert "built anew" in lost.value.hint
        assert target.recall(TABLE) == Memory()
        with pytest.raises(TargetError, match="has lost data"):
            target.apply([put(FIRST, "b", 2, platform="p", amount=1)])
        with pytest.raises(TargetError, match="has lost data"):
            target.serve(FIRST)
        assert not valkey.client().keys()


def test_a_generation_made_anew_counts_what_it_was_made_for(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target, opened(valkey) as other:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        valkey.client().flushall()
        other.create(FIRST, collection(by_platform={"group_by": ["kind"], "count": True}))
        other.serve(FIRST)
        target.recall(TABLE)
        target.apply([put(FIRST, "a", 1, platform="p", kind="k")])
        assert seen(target) == {'"k"': ({"count": "1"}, True)}


def test_a_collection_without_metrics_notices_a_flush_too(valkey: ValkeyServer) -> None:
    with serving(valkey) as target:
        assert target.apply([put(FIRST, "a", 1)]) == []
        valkey.client().flushall()
        with pytest.raises(TargetError, match="has lost data"):
            target.apply([put(FIRST, "a", 2)])


def test_a_collection_without_metrics_takes_no_memory_per_item(valkey: ValkeyServer) -> None:
    with serving(valkey) as target:
        before = valkey.client().dbsize()
        target.apply([put(FIRST, str(n), 1) for n in range(300)])
        assert valkey.client().dbsize() == before


@contextmanager
def full(valkey: ValkeyServer) -> Iterator[None]:
    valkey.client().config_set("maxmemory", 1)
    yield
    valkey.client().config_set("maxmemory", 0)


def test_a_server_out_of_memory_takes_nothing_by_halves(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target:
        target.create(SECOND, collection(by_platform=PUBLISHED))
        target.apply([put(FIRST, "a", 1, platform="p", amount=1), put(SECOND, "a", 1, platform="q", amount=1)])
        before = seen(target), valkey.client().hgetall("ALL"), valkey.client().hgetall("p")
        with full(valkey):
            for call in (
                lambda: target.apply([put(FIRST, "b", 2, platform="p", amount=1), delete(FIRST, "a", 2)]),
                lambda: target.serve(SECOND),
                lambda: target.mark(TABLE, {"shard": Mark(1, Position(rank=1))}),
                lambda: target.raise_epoch(TABLE, 1),
            ):
                with pytest.raises(TargetError, match="out of memory") as refused:
                    call()
                assert "maxmemory" in refused.value.hint
        assert (seen(target), valkey.client().hgetall("ALL"), valkey.client().hgetall("p")) == before
        target.apply([put(FIRST, "b", 2, platform="p", amount=1), delete(FIRST, "a", 2)])
        assert seen(target) == {'"p"': exact(1, "1"), "*": exact(1, "1")}


def test_memory_can_be_freed_on_a_server_that_is_out_of_it(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.create(SECOND, collection(by_platform=BY_PLATFORM))
        target.apply([delete(FIRST, "a", 1), put(SECOND, "a", 1, platform="p", amount=1)])
        with full(valkey):
            assert target.sweep(time.time() + 1) == 1
            target.drop(SECOND)
        assert target.recall(TABLE).generations == {FIRST}


def test_a_server_that_throws_keys_away_is_refused(valkey: ValkeyServer) -> None:
    valkey.client().config_set("maxmemory", 10**9)
    valkey.client().config_set("maxmemory-policy", "allkeys-lru")
    with opened(valkey) as target, pytest.raises(TargetError, match="throws keys away") as refused:
        target.recall(TABLE)
    assert "noeviction" in refused.value.hint


def test_a_replica_is_refused(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        valkey.client().replicaof("127.0.0.1", "1")
        with pytest.raises(TargetError, match="read-only replica"):
            target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        valkey.client().replicaof("NO", "ONE")
        assert target.apply([put(FIRST, "a", 1, platform="p", amount=1)]) == []


def test_a_server_that_forgets_its_scripts_is_told_them_again(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        valkey.client().script_flush()
        target.apply([put(FIRST, "b", 1, platform="p", amount=1)])
        assert seen(target)["*"] == exact(2, "2")


def test_a_killed_server_leaves_rows_and_marks_that_fit(valkey: ValkeyServer) -> None:
    """Marks follow rows in the log, so whatever part of it is left, a mark never stands for a row that is gone."""
    config = collection(by_platform=BY_PLATFORM)
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        stopped = threading.Event()

        def work() -> None:
            try:
                for rank in range(1, 100_000):
                    target.apply([put(FIRST, str(rank), rank, platform="p", amount=1)])
                    target.mark(TABLE, {"shard": Mark(1, Position(rank=rank, token=str(rank)))})
            except TargetError:
                stopped.set()

        worker = threading.Thread(target=work)
        worker.start()
        observed(lambda: target.recall(TABLE).marks.get("shard", NO_MARK).position.rank >= 50)
        # Behind a slow fsync the newest writes wait in memory; these must be in the log.
        observed(lambda: valkey.client().info("persistence")["aof_buffer_length"] == 0)
        valkey.kill()
        worker.join()
        assert stopped.is_set()
        with pytest.raises(TargetError, match="does not answer"):
            target.ping()
        valkey.start()
        target.ping()
        marked = target.recall(TABLE).marks["shard"].position.rank
        rows = int(seen(target)["*"][0]["count"])
        assert marked >= 50
        assert marked <= rows <= marked + 1
        target.create(FIRST, config)
        target.apply([put(FIRST, str(rank), rank, platform="p", amount=1) for rank in range(1, rows + 10)])
        assert seen(target)["*"] == exact(rows + 9, str(rows + 9))


def test_a_server_that_came_back_is_noticed_before_anything_is_confirmed(valkey: ValkeyServer) -> None:
    """Its newest writes may be gone; the client reconnects without a word."""
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.recall(TABLE)
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        target.mark(TABLE, {"shard": Mark(1, Position(rank=1, token="1"))})
        valkey.kill()
        valkey.start()
        target.apply([put(FIRST, "b", 2, platform="p", amount=1)])
        with pytest.raises(TargetError, match="was started anew"):
            target.mark(TABLE, {"shard": Mark(1, Position(rank=2, token="2"))})
        assert target.recall(TABLE).marks == {"shard": Mark(1, Position(rank=1, token="1"))}
        target.mark(TABLE, {"shard": Mark(1, Position(rank=2, token="2"))})


def test_a_server_that_is_not_there_says_so() -> None:
    target = MetricsTarget(Server("redis://127.0.0.1:1", "127.0.0.1:1"), {"donations": collection()})
    for call in (target.ping, lambda: target.recall(TABLE), lambda: target.sweep(0.0), lambda: target.serve(FIRST)):
        with pytest.raises(TargetError, match=r"127\.0\.0\.1:1 does not answer"):
            call()
    target.close()


@pytest.mark.parametrize(
    ("name", "metric", "message"),
    [("nothing", "by_platform", "no collection 'nothing'"), ("donations", "nothing", "no metric 'nothing'")],
)
def test_what_is_not_configured_is_not_found(valkey: ValkeyServer, name: str, metric: str, message: str) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target, pytest.raises(NotFoundError, match=message) as missing:
        target.metric(name, metric)
    assert "There are: " in missing.value.hint


def test_a_metric_that_is_not_served_yet_says_so(valkey: ValkeyServer) -> None:
    added: Mapping[str, object] = {"count": True}
    config = collection(by_platform=BY_PLATFORM, added=added)
    with opened(valkey, donations=config) as target:
        with pytest.raises(TargetError, match="still being built"):
            target.metric("donations", "by_platform")
        target.create(FIRST, collection(by_platform=BY_PLATFORM))
        target.serve(FIRST)
        assert target.metric("donations", "by_platform").groups == []
        with pytest.raises(TargetError, match=r"donations\.added is still being built"):
            target.metric("donations", "added")


def test_the_server_of_a_test_has_a_name(valkey: ValkeyServer) -> None:
    assert server_of(valkey).name in str(server_of(valkey).failure(ConnectionResetError()))
