"""The OpenSearch that other tests stand on: it is a real one, and does what tests ask of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from tests.services.missing import skip_or_fail
from tests.services.opensearch.server import OpenSearchCluster, OpenSearchServer
from tests.waiting import observed

INDEX = "donations"


def test_it_answers_as_the_release_that_is_installed(opensearch: OpenSearchServer) -> None:
    answer = opensearch.client().get("/").json()
    assert answer["version"]["distribution"] == "opensearch"
    assert answer["version"]["number"] == opensearch.version


def test_it_has_its_modules(opensearch: OpenSearchServer) -> None:
    client = opensearch.client()
    analyzed = client.post("/_analyze", json={"analyzer": "english", "text": "the donations"}).json()
    assert [token["token"] for token in analyzed["tokens"]] == ["donat"]
    bulk(opensearch, index("1", 1, {"amount": 2}))
    client.post(f"/{INDEX}/_refresh").raise_for_status()

    script = {"source": "ctx._source.amount *= 3", "lang": "painless"}
    client.post(f"/{INDEX}/_update_by_query", json={"script": script}).raise_for_status()
    assert document(opensearch, "1") == {"amount": 6}


class TestExternalVersions:
    def test_a_late_lower_write_is_refused_and_the_rest_goes_on(self, opensearch: OpenSearchServer) -> None:
        bulk(opensearch, index("a", 7, {"state": "new"}))
        late, equal, other = bulk(opensearch, index("a", 6, {}), index("a", 7, {}), index("b", 1, {}))
        assert [late["status"], equal["status"], other["status"]] == [409, 409, 201]
        assert late["error"]["type"] == equal["error"]["type"] == "version_conflict_engine_exception"
        assert document(opensearch, "a") == {"state": "new"}

    def test_an_equal_one_is_taken_as_greater_or_equal(self, opensearch: OpenSearchServer) -> None:
        bulk(opensearch, index("a", 7, {"state": "new"}))
        [equal] = bulk(opensearch, index("a", 7, {"state": "again"}, version_type="external_gte"))
        assert equal["status"] == 200
        assert document(opensearch, "a") == {"state": "again"}

    def test_a_delete_of_what_is_missing_refuses_a_late_write(self, opensearch: OpenSearchServer) -> None:
        [deleted] = bulk(opensearch, delete("a", 7))
        [late] = bulk(opensearch, index("a", 6, {}))
        assert [deleted["status"], late["status"]] == [404, 409]


def test_an_id_that_is_too_long_fails_the_whole_request(opensearch: OpenSearchServer) -> None:
    answer = post_bulk(opensearch, index("a", 1, {}), index("x" * 513, 1, {}))
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "action_request_validation_exception"
    assert not opensearch.client().head(f"/{INDEX}").is_success
    [longest] = bulk(opensearch, index("x" * 512, 1, {}))
    assert longest["status"] == 201


def test_a_full_disk_refuses_writes_until_it_is_lifted(opensearch: OpenSearchServer) -> None:
    bulk(opensearch, index("a", 1, {}))
    block = "index.blocks.read_only_allow_delete"
    settings = f"/{INDEX}/_settings"
    opensearch.client().put(settings, json={block: True}).raise_for_status()
    refused = bulk(opensearch, index("b", 1, {}), delete("a", 2))
    opensearch.client().put(settings, json={block: None}).raise_for_status()

    assert [(item["status"], item["error"]["type"]) for item in refused] == [(429, "cluster_block_exception")] * 2
    [taken] = bulk(opensearch, index("b", 1, {}))
    assert taken["status"] == 201


def test_what_was_acknowledged_survives_a_kill(opensearch: OpenSearchServer) -> None:
    acknowledged: list[str] = []
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write_until_killed, opensearch, acknowledged)
        observed(lambda: len(acknowledged) > 500 or writing.done())
        first = opensearch.pid
        opensearch.kill()
        writing.result()
    opensearch.start()

    assert opensearch.pid != first
    opensearch.client().post(f"/{INDEX}/_refresh").raise_for_status()
    found = opensearch.client().post(f"/{INDEX}/_mget", json={"ids": acknowledged}).json()["docs"]
    assert [doc["_id"] for doc in found if not doc["found"]] == []
    assert len(found) > 500


def test_what_was_acknowledged_survives_an_orderly_end(opensearch: OpenSearchServer) -> None:
    bulk(opensearch, index("a", 7, {"state": "new"}))
    opensearch.terminate()
    opensearch.start()
    assert document(opensearch, "a") == {"state": "new"}


def test_nobody_answers_while_it_is_paused(opensearch: OpenSearchServer) -> None:
    opensearch.pause()
    with pytest.raises(httpx2.TimeoutException):
        opensearch.client().get("/", timeout=0.2)
    opensearch.resume()
    assert opensearch.client().get("/").is_success


@pytest.mark.parametrize("fault", ["kill", "pause"])
def test_the_next_test_finds_it_running_and_empty(opensearch: OpenSearchServer, fault: str) -> None:
    client = opensearch.client()
    bulk(opensearch, index("a", 1, {}))
    client.put("/_index_template/any", json={"index_patterns": ["any*"]}).raise_for_status()
    unwanted = {"persistent": {"action.auto_create_index": "false"}}
    client.put("/_cluster/settings", json=unwanted).raise_for_status()
    {"kill": opensearch.kill, "pause": opensearch.pause}[fault]()

    opensearch.restore()

    assert client.get("/_cat/indices", params={"expand_wildcards": "all"}).text == ""
    assert client.get("/_index_template").json() == {"index_templates": []}
    assert client.get("/_cluster/settings").json() == {"persistent": {}, "transient": {}}


@pytest.fixture(scope="module")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchServer]:
    """A node with little room, which must say so."""
    settings = {"http.max_content_length": "1mb", "thread_pool.write.size": 1, "thread_pool.write.queue_size": 1}
    with skip_or_fail():
        server = OpenSearchServer(tmp_path_factory.mktemp("tight"), settings=settings)
    with server:
        yield server


def test_a_body_that_is_too_large(tight: OpenSearchServer) -> None:
    assert post_bulk(tight, index("a", 1, {"text": "x" * 2**20})).status_code == 413


def test_a_full_queue(tight: OpenSearchServer) -> None:
    # While an index is created by its first write, whole requests are refused.
    tight.client().put(f"/{INDEX}").raise_for_status()

    def write(client: int) -> set[int]:
        items = bulk(tight, *(index(f"{client}-{place}", 1, {"place": place}) for place in range(500)))
        return {item["status"] for item in items}

    with ThreadPoolExecutor(16) as clients:
        observed(lambda: 429 in set().union(*clients.map(write, range(16))), timeout=120)


def test_a_replica_is_promoted_when_a_node_is_killed(opensearch_cluster: OpenSearchCluster) -> None:
    n1, n2 = opensearch_cluster.n1, opensearch_cluster.n2
    only_on_n2 = {"index.routing.allocation.require._name": "n2", "index.number_of_replicas": 0}
    n1.client().put(f"/{INDEX}", json={"settings": only_on_n2}).raise_for_status()
    anywhere = {"index.routing.allocation.require._name": None, "index.number_of_replicas": 1}
    n1.client().put(f"/{INDEX}/_settings", json=anywhere).raise_for_status()
    wait_for(n1, "green")
    assert primary(n1) == "n2"
    bulk(n1, *(index(str(number), 7, {"number": number}) for number in range(100)))

    n2.kill()

    observed(lambda: primary(n1) == "n1")
    assert [document(n1, str(number)) for number in range(100)] == [{"number": number} for number in range(100)]
    late, new = bulk(n1, index("0", 6, {}), index("100", 1, {}))
    assert [late["status"], new["status"]] == [409, 201]
    n2.start()
    wait_for(n1, "green")


def index(
    identifier: str, version: int, source: dict[str, object], *, version_type: str = "external"
) -> list[dict[str, object]]:
    return [{"index": {"_id": identifier, "version": version, "version_type": version_type}}, source]


def delete(identifier: str, version: int) -> list[dict[str, object]]:
    return [{"delete": {"_id": identifier, "version": version, "version_type": "external"}}]


def post_bulk(server: OpenSearchServer, *actions: list[dict[str, object]]) -> httpx2.Response:
    body = "".join(json.dumps(line) + "\n" for action in actions for line in action)
    return server.client().post(f"/{INDEX}/_bulk", content=body, headers={"content-type": "application/x-ndjson"})


def bulk(server: OpenSearchServer, *actions: list[dict[str, object]]) -> list[dict[str, Any]]:
    """Give the answer to each action, without the action's name."""
    answer = post_bulk(server, *actions)
    answer.raise_for_status()
    return [next(iter(item.values())) for item in answer.json()["items"]]


def document(server: OpenSearchServer, identifier: str) -> dict[str, Any]:
    source: dict[str, Any] = server.client().get(f"/{INDEX}/_source/{identifier}").json()
    return source


def write_until_killed(server: OpenSearchServer, acknowledged: list[str]) -> None:
    """Write batches of ten, and name what was acknowledged."""
    with suppress(httpx2.TransportError):
        for start in range(0, 1_000_000, 10):
            items = bulk(server, *(index(str(number), 1, {"number": number}) for number in range(start, start + 10)))
            acknowledged += [item["_id"] for item in items if item["status"] == 201]


def wait_for(server: OpenSearchServer, status: str) -> None:
    asked = {"wait_for_status": status, "wait_for_nodes": "2", "timeout": "1s"}
    observed(lambda: server.client().get("/_cluster/health", params=asked).is_success, timeout=120)


def primary(server: OpenSearchServer) -> str:
    """Name the node that has the primary shard."""
    shards = server.client().get(f"/_cat/shards/{INDEX}", params={"format": "json"}).json()
    return next((str(shard["node"]) for shard in shards if shard["prirep"] == "p"), "")
