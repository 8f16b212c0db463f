"""Fixtures that every test may ask for: servers, tables, and a run that says how much it skipped."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Literal, Protocol

import hypothesis
import pytest
from hypothesis.configuration import set_hypothesis_home_dir

from tests.services.dynamodb_local import DynamoDBLocal
from tests.services.missing import skip_or_fail
from tests.services.opensearch.server import OpenSearchCluster, OpenSearchServer
from tests.services.valkey import ValkeyServer

ViewType = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]
KeyType = Literal["S", "N", "B"]

set_hypothesis_home_dir(Path(__file__).parents[1] / ".cache" / "hypothesis")
# A deadline measures how busy the machine is; the blob lets a failure be replayed elsewhere.
hypothesis.settings.register_profile("dynalens", deadline=None, print_blob=True)
hypothesis.settings.load_profile("dynalens")


class TableFactory(Protocol):
    """Creates tables that are deleted after the test; what `table_factory` gives."""

    def __call__(
        self, keys: Mapping[str, KeyType], *, name: str = "table", view_type: ViewType | None = "NEW_AND_OLD_IMAGES"
    ) -> str:
        """Create a table and return its name, which starts with `name` and is unique.

        Args:
            keys: The key attributes and their types: the partition key, then the sort key if there is one.
            name: What the table's name starts with.
            view_type: What its stream carries; None for a table without a stream.
        """
        ...


@pytest.fixture(scope="session")
def dynamodb_local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DynamoDBLocal]:
    """One DynamoDB Local for the whole session: starting it takes longer than most tests."""
    with skip_or_fail():
        server = DynamoDBLocal(tmp_path_factory.mktemp("dynamodb-local"))
    with server:
        yield server


@pytest.fixture
def table_factory(dynamodb_local: DynamoDBLocal) -> Iterator[TableFactory]:
    """Create tables on DynamoDB Local that are gone after the test."""
    client = dynamodb_local.client("dynamodb")
    with ExitStack() as tables:

        def create(
            keys: Mapping[str, KeyType], *, name: str = "table", view_type: ViewType | None = "NEW_AND_OLD_IMAGES"
        ) -> str:
            unique = f"{name}-{uuid.uuid4().hex[:12]}"
            client.create_table(
                TableName=unique,
                KeySchema=[
                    {"AttributeName": attribute, "KeyType": "RANGE" if place else "HASH"}
                    for place, attribute in enumerate(keys)
                ],
                AttributeDefinitions=[
                    {"AttributeName": attribute, "AttributeType": kind} for attribute, kind in keys.items()
                ],
                BillingMode="PAY_PER_REQUEST",
                StreamSpecification=(
                    {"StreamEnabled": True, "StreamViewType": view_type} if view_type else {"StreamEnabled": False}
                ),
            )
            tables.callback(client.delete_table, TableName=unique)
            return unique

        yield create


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[ValkeyServer]:
    """An empty Valkey of the test's own, so that it may be killed."""
    with skip_or_fail():
        server = ValkeyServer(tmp_path)
    with server:
        yield server


@pytest.fixture(scope="session")
def opensearch_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchServer]:
    """One OpenSearch for the whole session; a test asks for `opensearch`."""
    with skip_or_fail():
        server = OpenSearchServer(tmp_path_factory.mktemp("opensearch"))
    with server:
        yield server


@pytest.fixture
def opensearch(opensearch_server: OpenSearchServer) -> Iterator[OpenSearchServer]:
    """The session's OpenSearch, empty. A test may kill or pause it: the next one finds it running."""
    yield opensearch_server
    opensearch_server.restore()


@pytest.fixture
def opensearch_cluster(tmp_path: Path) -> Iterator[OpenSearchCluster]:
    """Two nodes of the test's own."""
    with skip_or_fail():
        cluster = OpenSearchCluster(tmp_path)
    with cluster:
        yield cluster


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests measured, and the number of skipped tests also when it is zero.

    Pytest keeps quiet about both, and a worker's own output is never seen.
    """
    for report in terminalreporter.stats.get("passed", []):
        for name, said in report.user_properties:
            if name == "measured":
                terminalreporter.write_line(said)
    skipped = len(terminalreporter.stats.get("skipped", []))
    terminalreporter.write_line(f"{skipped} skipped")
