"""`dynalens up` with its search on a real OpenSearch; `rebuild`, `verify` and the cluster's own clients beside it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from opensearchpy import OpenSearch

from tests.acceptance.conftest import settings
from tests.services.dynamodb_local import DynamoDBLocal
from tests.services.opensearch.server import OpenSearchServer
from tests.up import Up
from tests.waiting import observed

SEARCH = "/api/v1/collections/donations/search"


@pytest.fixture
def up(donations: str, dynamodb_local: DynamoDBLocal, opensearch: OpenSearchServer, tmp_path: Path) -> Iterator[Up]:
    """`dynalens up` over the donations, not yet started, with search on the cluster alone."""
    running = Up(
        tmp_path,
        {
            **settings(donations, dynamodb_local),
            "targets": {"search": opensearch.url},
            "collections": {"donations": {"table": donations}},
        },
    )
    yield running
    running.stop()


@pytest.fixture
def donations(donations: str, dynamodb_local: DynamoDBLocal) -> str:
    for number in range(20):
        put(dynamodb_local, donations, number, number)
    return donations


def put(server: DynamoDBLocal, table: str, number: int, amount: int) -> None:
    item = {"email": {"S": f"donor{number}@test.com"}, "donatedAt": {"S": "2026-01-02"}, "amount": {"N": str(amount)}}
    server.client("dynamodb").put_item(TableName=table, Item=item)


def found(up: Up, number: int, **wait: str) -> list[Mapping[str, Any]]:
    parameters = {"filter": f"email:donor{number}@test.com", **wait}
    answer = up.client.get(SEARCH, params=parameters)
    assert answer.status_code == 200, answer.text
    hits: list[Mapping[str, Any]] = answer.json()["hits"]
    return [hit["document"] for hit in hits]


def waits(number: int, expected: str) -> dict[str, str]:
    wait_for = f"document:S:donor{number}@test.com|S:2026-01-02"
    return {"wait_for": wait_for, "expect": expected, "wait_timeout": "30"}


@pytest.mark.timeout(600)
def test_up_with_its_search_on_a_cluster(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal, opensearch: OpenSearchServer
) -> None:
    up.start()
    observed(up.is_ready)
    put(dynamodb_local, donations, 3, 300)
    [document] = found(up, 3, **waits(3, "amount:300"))
    assert document["amount"] == 300
    key = {"email": {"S": "donor4@test.com"}, "donatedAt": {"S": "2026-01-02"}}
    dynamodb_local.client("dynamodb").delete_item(TableName=donations, Key=key)
    assert found(up, 4, **waits(4, "gone")) == []
    up.kill()
    put(dynamodb_local, donations, 5, 500)
    up.start()
    assert found(up, 5, **waits(5, "amount:500"))[0]["amount"] == 500

    # The cluster's own clients see the alias: live documents alone, their attributes at the root.
    client = OpenSearch([opensearch.url])
    assert client.count(index="donations")["count"] == 19
    body = {"query": {"term": {"email.keyword": "donor5@test.com"}}, "aggs": {"sum": {"sum": {"field": "amount"}}}}
    answer = client.search(index="donations", body=body)
    assert answer["hits"]["hits"][0]["_source"]["amount"] == 500
    assert answer["aggregations"]["sum"]["value"] == 500
    client.close()

    assert cli(up, "verify", "donations") == 0
    assert cli(up, "rebuild", "donations") == 0
    observed(lambda: list(opensearch.client().get("/_alias/donations").json()) == ["donations@2"])
    assert up.client.get(SEARCH).json()["total"] == 19


def cli(up: Up, *arguments: str) -> int:
    command = [sys.executable, "-m", "dynalens", *arguments, "--config", str(up.file), "--url", str(up.client.base_url)]
    return subprocess.run(command, check=False, timeout=300).returncode
