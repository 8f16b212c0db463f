"""`dynalens plan` over DynamoDB Local: what it says before, beside and after the worker that applies it."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from dynalens.cli import main
from dynalens.config import CollectionConfig, StoreLocation, dump_settings, fingerprint
from dynalens.errors import EXIT_ATTENTION, EXIT_FAILED, EXIT_OK
from dynalens.position import Copy
from dynalens.position.dynamodb import DynamoStore
from dynalens.position.dynamodb.items import Items
from dynalens.position.dynamodb.table import create_table
from dynalens.retry import STANDARD
from tests.conftest import KeyType, TableFactory
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

KEY: dict[str, KeyType] = {"id": "S"}
METRICS = {"metrics": "valkey://embedded"}

Settings = Mapping[str, Any]


@pytest.fixture
def source(dynamodb_local: DynamoDBLocal, monkeypatch: pytest.MonkeyPatch) -> Settings:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return {"region": "eu-west-1", "endpoint_url": dynamodb_local.endpoint_url, "scan_read_units": 1}


@pytest.fixture
def plan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Write the file and run the command; gives exit code, stdout and stderr."""

    def run(settings: Settings, *options: str) -> tuple[int, str, str]:
        path = tmp_path / "dynalens.yaml"
        path.write_text(yaml.safe_dump({**settings, "server": {"port": 0}}))
        code = main(["-c", str(path), "plan", *options])
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Callable[[Settings], Up]]:
    """Start a worker over settings; it is ended before the next one, and at the end."""
    running: list[Up] = []

    def start(settings: Settings) -> Up:
        for before in running:
            before.end()
            before.stop()
        running[:] = [Up(tmp_path, settings)]
        running[0].start()
        observed(running[0].is_ready)
        return running[0]

    yield start
    for last in running:
        last.stop()


def counted(table: str, **more: object) -> Settings:
    return {"table": table, "metrics": {"all": {"count": True, **more}}}


def put(server: DynamoDBLocal, table: str, size: int) -> None:
    item = {"id": {"S": "a"}, "text": {"S": "x" * size}}
    server.client("dynamodb").put_item(TableName=table, Item=item)


def cells(out: str, table: str) -> list[str]:
    [row] = [re.split(" {2,}", line.strip()) for line in out.splitlines() if line.startswith(table)]
    return row


def test_a_plan_is_applied_by_the_worker_that_starts_with_it(
    plan: Callable[..., tuple[int, str, str]],
    up: Callable[[Settings], Up],
    source: Settings,
    table_factory: TableFactory,
    dynamodb_local: DynamoDBLocal,
) -> None:
    table = table_factory(KEY)
    put(dynamodb_local, table, 10_000)
    before = {
        "source": source,
        "targets": METRICS,
        "collections": {"kept": counted(table), "left": counted(table)},
    }
    code, out, _ = plan(before)
    assert code == EXIT_ATTENTION
    assert out.splitlines()[:2] == ["+ kept in metrics: first copy", "+ left in metrics: first copy"]
    assert cells(out, table) == [table, "eventually consistently", "about 1", "9.8 KiB", "1.5", "1.5 s"]
    assert out.endswith("Plan: 2 to build, 0 to rebuild, 0 to end, 0 unchanged.\n")
    up(before)
    assert plan(before)[0] == EXIT_OK

    after = {**before, "collections": {"kept": counted(table, max="n"), "new": counted(table)}}
    code, out, err = plan(after)
    assert code == EXIT_ATTENTION, err
    assert out.splitlines()[:4] == [
        "~ kept in metrics: built anew as generation 2; generation 1 is served until it has caught up",
        '    metrics.all.max: [] → ["n"]',
        "+ new in metrics: first copy",
        f"- left in metrics: follows {table} no longer; what was copied stays there as it is",
    ]
    assert cells(out, table)[1:] == ["strongly consistently", "about 1", "9.8 KiB", "3.0", "3.0 s"]
    assert out.endswith("Plan: 1 to build, 1 to rebuild, 1 to end, 0 unchanged.\n")
    planned = json.loads(plan(after, "--json")[1])
    assert planned["summary"] == {"build": 1, "rebuild": 1, "end": 1, "keep": 0}

    applied = up(after)
    statuses = {row["collection"]: row for row in applied.get("/api/v1/status")["collections"]}
    rebuilt = [line for line in out.splitlines() if line.startswith(("~", "-", " "))]
    assert set(rebuilt) <= set((applied.folder / "up.log").read_text().splitlines())
    served = {name: row["generation"] for name, row in statuses.items()}
    assert served == {step["collection"]: step["begun"] for step in planned["steps"] if step["begun"]}
    code, out, err = plan(after)
    assert (code, err) == (EXIT_OK, ""), out
    assert out.endswith("Plan: 0 to build, 0 to rebuild, 0 to end, 2 unchanged.\n")


def test_a_stream_that_is_off_is_told_beside_the_plan(
    plan: Callable[..., tuple[int, str, str]], source: Settings, table_factory: TableFactory
) -> None:
    table = table_factory(KEY, view_type=None)
    code, out, err = plan({"source": source, "targets": METRICS, "collections": {"kept": counted(table)}})
    assert code == EXIT_ATTENTION
    assert "+ kept in metrics: first copy" in out
    assert f"Table {table} has no stream." in err


def test_what_a_table_costs_is_unknown_where_it_cannot_be_asked(
    plan: Callable[..., tuple[int, str, str]], source: Settings
) -> None:
    unreachable = {**source, "endpoint_url": "http://127.0.0.1:1"}
    settings = {"source": unreachable, "targets": METRICS, "collections": {"kept": counted("Donations")}}
    code, out, err = plan(settings)
    assert code == EXIT_FAILED
    assert out.splitlines()[0] == "+ kept in metrics: first copy"
    assert cells(out, "Donations")[1:] == ["eventually consistently", "unknown", "unknown", "unknown", "unknown"]
    assert err.startswith("Donations: DescribeTable of Donations failed")
    [scan] = json.loads(plan(settings, "--json")[1])["scans"]
    assert (scan["items"], scan["read_units"], scan["seconds"]) == (None, None, None)


def test_the_store_of_several_workers_is_asked(
    plan: Callable[..., tuple[int, str, str]],
    source: Settings,
    table_factory: TableFactory,
    dynamodb_local: DynamoDBLocal,
) -> None:
    table, name = table_factory(KEY), "dynalens-plan"
    settings = {
        "source": source,
        "store": f"dynamodb://{name}",
        "targets": {"metrics": "valkey://127.0.0.1:6379"},
        "collections": {"kept": counted(table), "new": counted(table)},
    }
    code, out, err = plan(settings)
    assert code == EXIT_ATTENTION
    assert out.startswith("+ kept in metrics: first copy\n+ new in metrics: first copy\n")
    assert f"of the store {name} failed" in err
    assert "Create the table: dynalens store create" in err
    with closing(Items(StoreLocation(name, "eu-west-1", dynamodb_local.endpoint_url), STANDARD)) as items:
        create_table(items)
    try:
        with closing(DynamoStore(StoreLocation(name, "eu-west-1", dynamodb_local.endpoint_url))) as store:
            described = dynamodb_local.client("dynamodb").describe_table(TableName=table)["Table"]
            store.record(table, "metrics", [live("kept", counted(table), described["LatestStreamArn"])])
        code, out, err = plan(settings)
    finally:
        dynamodb_local.client("dynamodb").delete_table(TableName=name)
    assert code == EXIT_ATTENTION
    assert out.startswith("  kept in metrics: unchanged\n+ new in metrics: first copy\n")
    assert "failed" not in err


def live(name: str, settings: Settings, stream: str) -> Copy:
    collection = CollectionConfig.model_validate(settings)
    return Copy(
        collection=name,
        target="metrics",
        number=1,
        state="live",
        fingerprint=fingerprint(collection, "metrics"),
        stream=stream,
        scan="scan",
        segments=1,
        consistent=False,
        started_at=time.time(),
        finished_at=time.time(),
        settings=dump_settings(collection),
    )
