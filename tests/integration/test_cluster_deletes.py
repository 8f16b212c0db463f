"""Deletes on a cluster that stay deleted, through all that makes an engine forget its own.

Beside each of them stands a control: a plain delete of the engine's own, of which the same leaves no trace. Without it
a test would not tell whether anything was survived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from dynalens import clock
from dynalens.target.search.cluster.connection import Address, Connection, read_address
from dynalens.target.search.cluster.target import ClusterTarget
from tests.contract.implementations import ClusterSubject
from tests.contract.writing import delete, put
from tests.integration.cluster_indices import INDEX, change_settings, opened
from tests.services.opensearch.server import OpenSearchCluster, OpenSearchServer
from tests.waiting import observed

CONTROL = "control"
BORN, DELETED, LATE = 5, 7, 6
"""Versions: of a document, of its delete, and of the write that comes too late."""

Fault = Callable[[OpenSearchServer], None]


@pytest.fixture
def subject(opensearch: OpenSearchServer, tmp_path: Path) -> Iterator[ClusterSubject]:
    with opened(opensearch, tmp_path) as subject:
        yield subject


# What makes an engine forget its deletes.


def time_passes(server: OpenSearchServer) -> None:
    change_settings(server, {"gc_deletes": "1s"}, f"{INDEX},{CONTROL}")


def flushed_and_killed(server: OpenSearchServer) -> None:
    flush(server)
    server.kill()
    server.start()


def ended_and_started(server: OpenSearchServer) -> None:
    server.terminate()
    server.start()


def closed_and_opened(server: OpenSearchServer) -> None:
    for step in ("_close", "_open"):
        server.client().post(f"/{INDEX},{CONTROL}/{step}").raise_for_status()
    server.wait_until_healthy()


@pytest.mark.parametrize("fault", [time_passes, flushed_and_killed, ended_and_started, closed_and_opened])
def test_a_late_write_is_refused_after(fault: Fault, subject: ClusterSubject, opensearch: OpenSearchServer) -> None:
    delete_with_control(subject, opensearch)
    fault(opensearch)
    assert_deleted(subject, opensearch)


def test_a_late_write_is_refused_by_a_replica_that_was_copied_after_a_flush(
    opensearch_cluster: OpenSearchCluster, tmp_path: Path
) -> None:
    n1, n2 = opensearch_cluster.n1, opensearch_cluster.n2
    on_n2 = {"number_of_replicas": 0, "routing.allocation.require._name": "n2"}
    with opened(n1, tmp_path, **on_n2) as subject:
        delete_with_control(subject, n1, **on_n2)
        flush(n1)
        settle(opensearch_cluster, {"routing.allocation.require._name": None, "number_of_replicas": 1})
        assert primary(n1) == "n2"

        n2.kill()

        observed(lambda: primary(n1) == "n1", timeout=120)
        assert_deleted(subject, n1)


def test_a_late_write_is_refused_after_a_move_to_another_node(
    opensearch_cluster: OpenSearchCluster, tmp_path: Path
) -> None:
    n1 = opensearch_cluster.n1
    on_n1 = {"number_of_replicas": 0, "routing.allocation.require._name": "n1"}
    with opened(n1, tmp_path, **on_n1) as subject:
        delete_with_control(subject, n1, **on_n1)
        flush(n1)
        settle(opensearch_cluster, {"routing.allocation.require._name": "n2"})
        observed(lambda: primary(n1) == "n2", timeout=120)
        assert_deleted(subject, n1)


def test_a_delete_of_what_never_was_refuses_a_late_write(subject: ClusterSubject) -> None:
    assert subject.target.apply([delete("a", DELETED)]) == []
    assert subject.target.apply([put("a", LATE)]) == []
    assert subject.documents("donations") == {}


def test_a_stub_is_seen_by_nobody_who_reads_by_the_alias(subject: ClusterSubject, opensearch: OpenSearchServer) -> None:
    subject.target.apply([put("a", BORN), put("b", 1), delete("a", DELETED)])
    client = opensearch.client()
    client.post("/donations/_refresh").raise_for_status()
    assert client.get("/donations/_count").json()["count"] == 1
    everything = {"query": {"bool": {"should": [{"match_all": {}}, {"ids": {"values": ["a"]}}]}}}
    found = client.post("/donations/_search", json=everything).json()["hits"]
    assert (found["total"]["value"], [hit["_id"] for hit in found["hits"]]) == (1, ["b"])
    ids = {"aggs": {"ids": {"terms": {"field": "_dynalens.id"}}}, "size": 0}
    buckets = client.post("/donations/_search", json=ids).json()["aggregations"]["ids"]["buckets"]
    assert [bucket["key"] for bucket in buckets] == ["b"]


# Sweeping.


def test_a_stub_is_swept_once_it_is_old(subject: ClusterSubject) -> None:
    subject.target.apply([put("b", 1), *(delete(str(number), DELETED) for number in range(1_500))])
    assert subject.target.sweep(clock.now() - 3600) == 0
    subject.target.apply([put("0", LATE)])
    assert set(subject.documents("donations")) == {"b"}
    assert subject.target.sweep(clock.now() + 1) == 1_500
    assert subject.target.sweep(clock.now() + 1) == 0
    assert set(subject.documents("donations")) == {"b"}


def test_a_document_that_was_born_again_is_not_swept(subject: ClusterSubject) -> None:
    subject.target.apply([put("a", BORN), delete("a", DELETED), put("a", DELETED + 1)])
    assert subject.target.sweep(clock.now() + 1) == 0
    assert set(subject.documents("donations")) == {"a"}


class Interrupted(Connection):
    """Lets something happen just before each bulk request."""

    def __init__(self, address: Address, happens: Callable[[], object]) -> None:
        super().__init__(address)
        self._happens = happens

    def send(self, method: str, path: str, body: bytes = b"", params: Mapping[str, str] | None = None) -> str:
        if path.endswith("/_bulk"):
            self._happens()
        return super().send(method, path, body, params)


@pytest.mark.parametrize("version", [DELETED + 1, DELETED + 2**32])
def test_a_document_that_is_born_again_while_stubs_are_swept_stays(
    version: int, subject: ClusterSubject, opensearch: OpenSearchServer, tmp_path: Path
) -> None:
    subject.target.apply([put("a", BORN), delete("a", DELETED), delete("b", DELETED)])
    address = read_address(opensearch.url, folder=tmp_path)
    sweeper = ClusterTarget(Interrupted(address, lambda: subject.target.apply([put("a", version)])))
    assert sweeper.sweep(clock.now() + 1) == 1
    assert set(subject.documents("donations")) == {"a"}
    sweeper.close()


# Steps.


def delete_with_control(subject: ClusterSubject, server: OpenSearchServer, **settings: object) -> None:
    """Put and delete a document, and the same in a plain index, as the engine itself would have it."""
    subject.target.apply([put("a", BORN), put("b", 1)])
    subject.target.apply([delete("a", DELETED)])
    plain = {"number_of_replicas": 0, **settings, "gc_deletes": "1h"}
    server.client().put(f"/{CONTROL}", json={"settings": {"index": plain}}).raise_for_status()
    assert write_control(server, BORN) == 201
    server.client().delete(f"/{CONTROL}/_doc/a", params=external(DELETED)).raise_for_status()
    assert write_control(server, LATE) == 409


def write_control(server: OpenSearchServer, version: int) -> int:
    return server.client().put(f"/{CONTROL}/_doc/a", params=external(version), json={}).status_code


def external(version: int) -> dict[str, str | int]:
    return {"version": version, "version_type": "external"}


def assert_deleted(subject: ClusterSubject, server: OpenSearchServer) -> None:
    """The engine has forgotten its own delete, and ours counts."""
    observed(lambda: write_control(server, LATE) == 201, timeout=60)
    assert subject.target.apply([put("a", LATE)]) == []
    assert set(subject.documents("donations")) == {"b"}
    assert subject.target.apply([put("a", DELETED + 1)]) == []
    assert set(subject.documents("donations")) == {"a", "b"}


def flush(server: OpenSearchServer) -> None:
    server.client().post("/_flush", params={"force": "true"}).raise_for_status()


def settle(cluster: OpenSearchCluster, settings: dict[str, object]) -> None:
    """Change settings of both indices, and wait until all their shards are where they belong."""
    change_settings(cluster.n1, settings, f"{INDEX},{CONTROL}")
    cluster.n1.wait_until_healthy(nodes=2, status="green")


def primary(server: OpenSearchServer) -> str:
    """Name the node that has the primary shard; nothing while both indices are not on one node."""
    shards = server.client().get(f"/_cat/shards/{INDEX},{CONTROL}", params={"format": "json"}).json()
    nodes = {str(shard["node"]) for shard in shards if shard["prirep"] == "p" and shard["state"] == "STARTED"}
    return nodes.pop() if len(nodes) == 1 else ""
