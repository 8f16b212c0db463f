"""What the benchmarks of whole pipelines share: an emulator of their own, a filled table, a worker on it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

from bench.decode import item
from dynalens.config import CollectionConfig, SourceConfig
from dynalens.position.sqlite import SqliteStore
from dynalens.retry import RetryPolicy
from dynalens.runtime.table import Parts, TableWorker
from dynalens.source.aws import Aws
from dynalens.target import Target
from tests.donations import create_table
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.waiting import observed

TABLE = "Donations"
COLLECTIONS: Mapping[str, CollectionConfig] = {
    "donations": CollectionConfig.model_validate(
        {
            "table": TABLE,
            "metrics": {
                "by_platform": {
                    "group_by": "platform",
                    "count": True,
                    "sum": {"amount": {"decimals": 2}},
                    "total": True,
                }
            },
        }
    )
}
_PATIENT = RetryPolicy(attempts=1_000, total_seconds=600.0)


@contextmanager
def emulator() -> Iterator[DynamoDBLocal]:
    """Start a fresh DynamoDB Local with an empty table: it slows down as it fills, so no two rounds share one."""
    os.environ.update(ENVIRONMENT)
    # Both compilers: the emulator shall not be what is measured.
    with tempfile.TemporaryDirectory() as folder, DynamoDBLocal(Path(folder), java_options=()) as server:
        create_table(server.client("dynamodb"), TABLE)
        yield server


def fill(server: DynamoDBLocal, count: int) -> None:
    """Put so many donations of 0.75 KB."""
    client = server.client("dynamodb")
    for first in range(0, count, 25):
        puts = [{"PutRequest": {"Item": item(number, "12.25")}} for number in range(first, min(first + 25, count))]
        client.batch_write_item(RequestItems={TABLE: puts})


def source(server: DynamoDBLocal) -> SourceConfig:
    """Give the configuration of the emulator."""
    return SourceConfig(endpoint_url=server.endpoint_url, region="eu-west-1", scan_read_units=1e6)


@contextmanager
def worker(server: DynamoDBLocal, folder: Path, targets: Sequence[Target]) -> Iterator[TableWorker]:
    """Run a worker whose first copy, of the table as it stands, is complete; leaving drains and ends it."""
    config = source(server)
    with ExitStack() as stack:
        store = stack.enter_context(closing(SqliteStore(folder / "state.db")))
        parts = Parts(
            source=config,
            aws=stack.enter_context(closing(Aws(config))),
            targets=targets,
            store=store,
            dead_letters=store,
            reports=store,
            owner="bench",
            retries=_PATIENT,
        )
        running = TableWorker(TABLE, COLLECTIONS, parts)
        running.start()
        try:
            observed(lambda: all(_is_live(store, target.name) for target in targets), timeout=120)
            yield running
        finally:
            running.stop(5.0)
            running.join(10.0)


def _is_live(store: SqliteStore, target: str) -> bool:
    return any(copy.state == "live" for copy in store.copies(TABLE, target))


def seconds_until(confirmed: int, running: TableWorker) -> float:
    """Give the seconds until every target has confirmed so many changes since its worker started."""
    began = time.perf_counter()
    observed(lambda: all(report.confirmed >= confirmed for report in running.reports()), timeout=300)
    return time.perf_counter() - began
