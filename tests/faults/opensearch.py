"""Cells over an OpenSearch and the network before it: faults 23 to 30."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import httpx2

from dynalens.change import Typed
from dynalens.testing.proxy import FaultProxy
from tests.contract.hostile import ATTRIBUTES
from tests.faults import child
from tests.faults.metrics import lose_answers, worsen_network
from tests.faults.rig import Rig
from tests.services.opensearch.server import OpenSearchCluster, OpenSearchServer

GENERATIONS = "donations@1,gifts@1"
NO_ROOM = "network.breaker.inflight_requests.limit"
_CLIENTS = 8


def _proxied(rig: Rig) -> FaultProxy:
    proxy = rig.stack.enter_context(FaultProxy(("127.0.0.1", rig.opensearch.port)))
    rig.search_url = f"http://127.0.0.1:{proxy.port}"
    return proxy


def _change_indices(server: OpenSearchServer, settings: dict[str, object]) -> None:
    server.client().put(f"/{GENERATIONS}/_settings", json={"index": settings}).raise_for_status()


def items_are_turned_away(rig: Rig) -> None:
    """Others fill the queue of the node, which turns single writes away within answers of 200."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 4):
        rig.write(1, 30)
        before = _turned_away(rig.opensearch)
        with _full_queue(rig.opensearch):
            rig.write(5, 60)
            rig.spend(0.5)
            rig.write(5, 60)
        assert _turned_away(rig.opensearch) > before, "the queue was never full"
    rig.settle()
    assert rig.generations() == {1}


@contextmanager
def _full_queue(server: OpenSearchServer) -> Iterator[None]:
    """Let clients write elsewhere without a pause."""
    stop = threading.Event()
    body = '{"index":{}}\n{"n":1}\n' * 2_000

    def write() -> None:
        with httpx2.Client(base_url=server.url, timeout=60, trust_env=False) as client:
            while not stop.is_set():
                client.post("/noise/_bulk", content=body, headers={"content-type": "application/x-ndjson"})

    threads = [threading.Thread(target=write, daemon=True) for _ in range(_CLIENTS)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


def _turned_away(server: OpenSearchServer) -> int:
    [node] = server.client().get("/_nodes/stats/thread_pool").json()["nodes"].values()
    return int(node["thread_pool"]["write"]["rejected"])


def bodies_are_turned_away(rig: Rig) -> None:
    """The node has no memory for any request (429), and takes no bodies as large as they are (413)."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 3):
        rig.write(1, 30)
        for limit in ("1b", None):
            changed = {"transient": {NO_ROOM: limit}}
            rig.opensearch.client().put("/_cluster/settings", json=changed).raise_for_status()
            rig.write_unseen(1, 30)
            rig.spend(0.5)
        for number in range(rig.random.randint(20, 60)):
            rig.perform(rig.writes.put(f"large-{number}", text={"S": "x y " * 25_000}))
    rig.settle()
    assert rig.generations() == {1}


def fields_do_not_fit(rig: Rig) -> None:
    """Attributes change their types, and there are more of them than the index takes."""
    rig.load(1, 20)
    rig.start()
    rig.catch_up()
    _change_indices(rig.opensearch, {"mapping.total_fields.limit": 80})
    values: list[Typed] = [
        {"S": "text"},
        {"N": "1"},
        {"BOOL": True},
        {"M": {"a": {"N": "1"}}},
        {"L": [{"N": "1"}, {"S": "a"}]},
    ]
    for number in range(rig.random.randint(30, 120)):
        attributes = {f"attribute {number % 40}": rig.random.choice(values)}
        rig.perform(rig.writes.put(f"field-{rig.random.randrange(50)}", **attributes))
    rig.perform(rig.writes.put("many", **ATTRIBUTES["600 attributes"]))
    rig.write(1, 20)
    rig.settle()
    assert not any(rig.state.dead_letters.values())
    assert rig.generations() == {1}


def long_ids(rig: Rig) -> None:
    """Keys as long as DynamoDB takes them are put, changed and deleted."""
    # Keys are watched by their ids, and these have another one.
    rig.watched = False
    rig.load(1, 20)
    rig.start()
    for _ in range(rig.random.randint(10, 40)):
        # They differ in their last byte alone.
        id_ = "k" * 2047 + rig.random.choice("abcde")
        rig.perform(rig.writes.delete(id_) if rig.random.random() < 0.3 else rig.writes.put(id_))
    rig.write(1, 20)
    rig.settle()
    assert not any(rig.state.dead_letters.values())
    assert rig.generations() == {1}


def deletes_are_forgotten(rig: Rig) -> None:
    """Puts that are older than a delete arrive after the node has forgotten all deletes of its own."""
    rig.load(10, 24)
    rig.start()
    rig.catch_up()
    _change_indices(rig.opensearch, {"gc_deletes": "1ms"})
    for _ in rig.rounds(1, 2):
        rig.write(5, 40)
        for id_ in rig.writes.live():
            if rig.random.random() < 0.4:
                rig.perform(rig.writes.delete(id_))
        rig.catch_up()
        rig.opensearch.client().post("/_flush", params={"force": "true"}).raise_for_status()
        if rig.random.random() < 0.5:
            rig.opensearch.kill()
        else:
            rig.opensearch.terminate()
        rig.opensearch.start()
        rig.catch_up()
        records = [rig.streams.record("INSERT", {"id": item["id"]}, new=item) for item in rig.writes.deleted()]
        rig.process.ask(partial(child.write_late, records=records))
        rig.kill()
        rig.start()
    rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}


def answers_are_lost(rig: Rig) -> None:
    """Connections are reset after writes were done, before their answer came."""
    lose_answers(rig, _proxied(rig))


def network_is_bad(rig: Rig) -> None:
    """Latency, slow drip, half-open connections, and partitions in one direction or both."""
    worsen_network(rig, _proxied(rig))


def server_is_killed(rig: Rig) -> None:
    """The node is killed while it is written, over and over, and started again over its data."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 3):
        rig.write(1, 30)
        rig.opensearch.kill()
        rig.write_unseen(1, 30)
        rig.spend(0.4)
        rig.opensearch.start()
        rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}


def server_is_paused(rig: Rig) -> None:
    """The node stops in the middle of whatever it does, and goes on."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 5):
        rig.write(1, 30)
        rig.opensearch.pause()
        rig.write_unseen(1, 30)
        rig.spend(1.0)
        rig.opensearch.resume()
        rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}


def indices_are_read_only(rig: Rig) -> None:
    """Indices are made read-only, as by a disk that is full, and writable again."""
    rig.load(1, 20)
    rig.start()
    rig.catch_up()
    for _ in rig.rounds(1, 4):
        rig.write(1, 30)
        block = f"blocks.{rig.random.choice(['read_only_allow_delete', 'read_only', 'write'])}"
        _change_indices(rig.opensearch, {block: True})
        rig.write(1, 30)
        rig.spend(0.5)
        _change_indices(rig.opensearch, {block: None})
        rig.write(0, 20)
    rig.settle()
    assert not any(rig.state.dead_letters.values())
    assert rig.generations() == {1}


def node_is_killed(rig: Rig) -> None:
    """Of two nodes one is killed, with whatever primaries it has, and comes back."""
    # They take the place of the one that every other cell has.
    rig.opensearch.kill()
    cluster = rig.stack.enter_context(OpenSearchCluster(rig.folder / "nodes"))
    rig.search_url = cluster.n1.url
    rig.load(1, 20)
    rig.start()
    rig.catch_up()
    for _ in rig.rounds(1, 2):
        cluster.n1.wait_until_healthy(nodes=2, status="green")
        rig.write(1, 30)
        cluster.n2.kill()
        rig.write_unseen(1, 30)
        rig.spend(0.5)
        cluster.n2.start()
        rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}
