"""A fresh DynamoDB Local with scenario 1's table, and `dynalens up` beside it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.donors import METRICS, TABLE
from tests.donations import create_table
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[DynamoDBLocal]:
    """A DynamoDB Local of its own: it slows down as it fills."""
    with DynamoDBLocal(tmp_path) as server:
        create_table(server.client("dynamodb"), TABLE)
        yield server


@pytest.fixture
def up(emulator: DynamoDBLocal, tmp_path: Path) -> Iterator[Up]:
    folder = tmp_path / "up"
    folder.mkdir()
    running = Up(
        folder,
        {
            "source": {"endpoint_url": emulator.endpoint_url, "region": "eu-west-1"},
            "collections": {"donations": {"table": TABLE, "metrics": METRICS}},
        },
    )
    yield running
    running.stop()
