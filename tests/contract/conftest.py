"""Opens each implementation of a contract in a folder, or in a table, of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dynalens.target import Target
from tests.contract.implementations import IMPLEMENTATIONS, Subject, open_generation, open_subject
from tests.contract.stores import StoreTable
from tests.contract.writing import FIRST
from tests.services.dynamodb_local import DynamoDBLocal


@pytest.fixture(params=IMPLEMENTATIONS)
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    """One implementation of `Target` after the other; one that cannot be opened fails its tests."""
    opened = open_subject(request.param, tmp_path, request)
    yield opened
    opened.target.close()


@pytest.fixture
def target(subject: Subject) -> Target:
    """The implementation's target, serving one empty generation of `donations`."""
    open_generation(subject.target, FIRST)
    return subject.target


@pytest.fixture(scope="session")
def store_table(dynamodb_local: DynamoDBLocal) -> Iterator[StoreTable]:
    """One store's table on DynamoDB Local; every test leaves it empty."""
    table = StoreTable(dynamodb_local)
    yield table
    table.delete()
