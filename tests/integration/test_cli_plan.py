"""`dynalens plan` over DynamoDB Local: what it says before, beside and after the worker that applies it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from dynalens.cli import main
from dynalens.errors import EXIT_ATTENTION, EXIT_OK
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
        "- left in metrics: kept up to date no longer; what was copied stays there as it is",
    ]
    assert cells(out, table)[1:] == ["strongly consistently", "about 1", "9.8 KiB", "3.0", "3.0 s"]
    assert out.endswith("Plan: 1 to build, 1 to rebuild, 1 to end, 0 unchanged.\n")
    planned = json.loads(plan(after, "--json")[1])
    assert planned["summary"] == {"build": 1, "rebuild": 1, "end": 1, "keep": 0}

    applied = up(after)
    statuses = {row["collection"]: row for row in applied.get("/api/v1/status")["collections"]}
    served = {name: row["generation"] for name, row in statuses.items()}
    assert served == {step["collection"]: step["begun"] for step in planned["steps"] if step["begun"]}
    code, out, err = plan(after)
    assert (code, err) == (EXIT_OK, ""), out
    assert out.endswith("Plan: 0 to build, 0 to rebuild, 0 to end, 2 unchanged.\n")
