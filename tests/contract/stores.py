"""Stores of each kind, by name, for the suites of their protocols."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from dynalens.config import StoreLocation
from dynalens.position.dynamodb import DynamoStore
from dynalens.position.dynamodb.items import Items
from dynalens.position.dynamodb.table import create_table
from dynalens.position.sqlite import SqliteStore
from dynalens.retry import RetryPolicy
from tests.contract.memory_store import MemoryPositionStore
from tests.services.dynamodb_local import DynamoDBLocal

QUICK = RetryPolicy(base_seconds=0.005, cap_seconds=0.1, attempts=400, total_seconds=60.0)

FULL_STORES = ("sqlite", "dynamodb")
"""Those that hold dead letters and reports too."""

FullStore = SqliteStore | DynamoStore


def opener(request: pytest.FixtureRequest, kind: str) -> Callable[[], FullStore | MemoryPositionStore]:
    """Give what opens an empty store of a kind, and the same one again."""
    if kind == "memory":
        store = MemoryPositionStore()
        return lambda: store
    return full_opener(request, kind)


def full_opener(request: pytest.FixtureRequest, kind: str) -> Callable[[], FullStore]:
    """Give what opens an empty store of a kind that holds everything, and the same one again."""
    if kind == "sqlite":
        folder: Path = request.getfixturevalue("tmp_path")
        return partial(SqliteStore, folder / "state.db")
    table: StoreTable = request.getfixturevalue("store_table")
    request.addfinalizer(table.empty)
    return partial(DynamoStore, table.location, retries=QUICK)


class StoreTable:
    """A store's table on DynamoDB Local; emptying it is quicker than making another one."""

    def __init__(self, server: DynamoDBLocal) -> None:
        self.location = StoreLocation(f"store-{uuid.uuid4().hex[:12]}", "eu-west-1", server.endpoint_url)
        self.items = Items(self.location)
        create_table(self.items)

    @property
    def url(self) -> str:
        """The store as the file names it."""
        at = self.location
        return f"dynamodb://{at.table}?region={at.region}&endpoint_url={at.endpoint_url}"

    def empty(self) -> None:
        """Remove all items."""
        client, name = self.items.client, self.location.table
        pages = client.get_paginator("scan").paginate(TableName=name, ProjectionExpression="pk, sk")
        for page in pages:
            for key in page["Items"]:
                client.delete_item(TableName=name, Key=key)

    def delete_and_create(self) -> None:
        """Lose everything."""
        self.items.client.delete_table(TableName=self.location.table)
        create_table(self.items)

    def items_held(self) -> list[dict[str, Any]]:
        """Give all items, as a backup does."""
        pages = self.items.client.get_paginator("scan").paginate(TableName=self.location.table, ConsistentRead=True)
        return [dict(item) for page in pages for item in page["Items"]]

    def restore(self, backup: Sequence[Mapping[str, Any]]) -> None:
        """Replace everything by a backup."""
        self.delete_and_create()
        for item in backup:
            self.items.client.put_item(TableName=self.location.table, Item=item)

    def delete(self) -> None:
        """Remove the table."""
        self.items.client.delete_table(TableName=self.location.table)
        self.items.close()
