"""A table on DynamoDB Local with `dynalens up` beside it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TableFactory
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import DONATION_METRICS, Up

StartUp = Callable[..., Up]


@pytest.fixture
def donations(table_factory: TableFactory) -> str:
    """Create scenario 1's table; give its name."""
    return table_factory({"email": "S", "donatedAt": "S"}, name="Donations")


@pytest.fixture
def up(donations: str, dynamodb_local: DynamoDBLocal, tmp_path: Path) -> Iterator[Up]:
    """`dynalens up` over the donations, not yet started."""
    running = Up(tmp_path, settings(donations, dynamodb_local))
    yield running
    running.stop()


def settings(table: str, server: DynamoDBLocal) -> Mapping[str, Any]:
    """Give the configuration of scenario 1 for a table on DynamoDB Local."""
    return {
        "source": {"endpoint_url": server.endpoint_url, "region": "eu-west-1"},
        "collections": {"donations": {"table": table, "metrics": DONATION_METRICS}},
    }
