"""A collection that is moved to another table: what is kept of it is that table's alone."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import TableFactory
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up
from tests.waiting import observed


def test_metrics_of_a_collection_that_follows_another_table_are_those_of_that_table(
    tmp_path: Path, table_factory: TableFactory, dynamodb_local: DynamoDBLocal
) -> None:
    tables = {name: table_factory({"id": "S"}, name=name) for name in ("Before", "After")}
    client = dynamodb_local.client("dynamodb")
    for name, count in (("Before", 3), ("After", 2)):
        for number in range(count):
            client.put_item(TableName=tables[name], Item={"id": {"S": f"{name}{number}"}, "t": {"S": name}})
    for name, count in (("Before", 3), ("After", 2)):
        up = Up(
            tmp_path,
            {
                "source": {"region": "eu-west-1", "endpoint_url": dynamodb_local.endpoint_url},
                "targets": {"metrics": "valkey://embedded"},
                "collections": {"one": {"table": tables[name], "metrics": {"m": {"group_by": "t", "count": True}}}},
            },
        )
        try:
            up.start()
            observed(up.is_ready)
            groups = up.get("/api/v1/collections/one/metrics/m")["groups"]
            assert groups == [{"group": {"t": name}, "values": {"count": count}}]
        finally:
            up.end()
            up.stop()
