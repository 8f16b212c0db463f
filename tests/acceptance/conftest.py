"""A table on DynamoDB Local with `dynalens up` beside it; and a server over fakes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import TableFactory
from tests.fakes import Fakes, world
from tests.services.dynamodb_local import DynamoDBLocal
from tests.serving import Running, running
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


@pytest.fixture
def fakes() -> Fakes:
    """Everything behind a server, and well."""
    return world(time.time())


@pytest.fixture
def served(fakes: Fakes) -> Iterator[Running]:
    """A server over the fakes."""
    with running(fakes.backend()) as run:
        yield run


def settings(table: str, server: DynamoDBLocal) -> Mapping[str, Any]:
    """Give the configuration of scenario 1 for a table on DynamoDB Local."""
    return {
        "source": {"endpoint_url": server.endpoint_url, "region": "eu-west-1"},
        "collections": {"donations": {"table": table, "metrics": DONATION_METRICS}},
    }
