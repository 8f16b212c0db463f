"""`dynalens init` as a shell runs it, and `dynalens up` on the very file that it wrote."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dynalens.config import Config, load
from dynalens.inference import iam_policy
from dynalens.runtime.up import STORE_NAME
from dynalens.testing import ScriptedStreams
from tests.examples import address_of, ran, seed
from tests.inferred import typed
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

COMMAND = Path(sys.executable).with_name("dynalens")
REPOSITORY = Path(__file__).parents[2]


def init(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder."""
    return subprocess.run(
        [COMMAND, "init", *arguments],
        cwd=folder,
        env={**os.environ, **ENVIRONMENT},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@contextmanager
def up_on_written(folder: Path) -> Iterator[Up]:
    """`dynalens up` on the written file, to which only a free port is added; it has copied the tables."""
    written = (folder / "dynalens.yaml").read_text()
    running = Up(folder, {})
    running.file.write_text(written + "server: {port: 0}\n")
    try:
        running.start()
        observed(running.is_ready, timeout=60)
        yield running
        assert running.end() == 0
    finally:
        running.stop()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A short path: the embedded server's socket stands in its folder only where a socket's path may be so long."""
    with tempfile.TemporaryDirectory(dir="/tmp") as path:
        yield Path(path)


def crm_items() -> list[Mapping[str, Any]]:
    """Make scenario 4's items: users with addresses and locations, and what they did."""
    users = [
        {
            "pk": f"user#{number}",
            "sk": "profile",
            "TYPE": "User",
            "name": f"Ada Lovelace {number}",
            "plan": ("free", "pro", "team")[number % 3],
            "address": {"city": "Paris", "lat": Decimal("48.85"), "lon": Decimal("2.35")},
        }
        for number in range(12)
    ]
    events = [
        {
            "pk": f"user#{number % 12}",
            "sk": f"event#{number}",
            "TYPE": "event",
            "event": ("click", "impression")[number % 2],
            "at": 1_795_000_000 + number,
            "cost": Decimal(number) / 100,
        }
        for number in range(48)
    ]
    return [*users, *events]


def create_crm(server: DynamoDBLocal) -> None:
    client = server.client("dynamodb")
    client.create_table(
        TableName="CrmMaster",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[
            {"AttributeName": "pk", "AttributeType": "S"},
            {"AttributeName": "sk", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for item in typed(*crm_items()):
        client.put_item(TableName="CrmMaster", Item=item)


def seeded(example: str, *arguments: str) -> Callable[[DynamoDBLocal], object]:
    return lambda server: seed(example, "--endpoint-url", server.endpoint_url, *arguments)


@dataclass(frozen=True)
class Scenario:
    """Tables as a write-up has them, what must be inferred of them, and a word to search for."""

    fill: Callable[[DynamoDBLocal], object]
    tables: Sequence[str]
    collections: Mapping[str, Sequence[str]]
    """Metrics without time buckets, by collection."""
    searched: tuple[str, str]


SCENARIOS: Mapping[str, Scenario] = {
    "donations": Scenario(
        seeded("donations", "--donations", "60"),
        ["Donations"],
        {"donations": ["by_platform"]},
        ("donations", "Facebok"),
    ),
    "transactions": Scenario(
        seeded("transactions"),
        ["UsersTransactions"],
        {"users_transactions": ["everything"]},
        ("users_transactions", "groceries"),
    ),
    "images": Scenario(seeded("images"), ["Images"], {"images": ["everything"]}, ("images", "lighthouse")),
    "crm": Scenario(create_crm, ["CrmMaster"], {"events": ["by_event"], "users": ["by_plan"]}, ("users", "lovelace")),
    "microservices": Scenario(
        seeded("microservices", "--items", "60"),
        ["Customers", "Catalogue", "Orders", "Warehouse", "Support"],
        {
            "customers": ["everything"],
            "companies": ["everything"],
            "products": ["everything"],
            "gift_cards": ["everything"],
            "catalogue_rest": ["everything"],
            "order_lines": ["everything"],
            "orders": ["everything"],
            "movements": ["everything"],
            "stocks": ["everything"],
            "tickets": ["everything"],
            "surveys": ["everything"],
            "support_rest": ["everything"],
        },
        ("tickets", "scarf"),
    ),
}


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest, dynamodb_local: DynamoDBLocal) -> Iterator[Scenario]:
    """A scenario whose tables are filled."""
    chosen = SCENARIOS[request.param]
    try:
        chosen.fill(dynamodb_local)
        yield chosen
    finally:
        client = dynamodb_local.client("dynamodb")
        for table in set(client.list_tables()["TableNames"]) & set(chosen.tables):
            client.delete_table(TableName=table)


def test_up_runs_on_the_written_file(scenario: Scenario, dynamodb_local: DynamoDBLocal, folder: Path) -> None:
    named = [part for table in scenario.tables for part in ("--table", table)]
    run = init(folder, *named, "--endpoint-url", dynamodb_local.endpoint_url)
    assert run.returncode == 0, run.stderr
    with up_on_written(folder) as up:
        config = load(up.file)
        assert lasting_metrics(config) == scenario.collections
        client = dynamodb_local.client("dynamodb")
        items = sum(client.scan(TableName=table)["Count"] for table in scenario.tables)
        counts = {name: up.sql(f"SELECT count() FROM {name}")[0][0] for name in config.collections}  # noqa: S608
        assert sum(counts.values()) == items
        assert 0 not in counts.values()
        for name, count in counts.items():
            # With time buckets too: they are chosen so that every item that was seen is kept.
            metrics = list(config.collections[name].metrics)
            assert [counted(up, name, metric) for metric in metrics] == [count] * len(metrics)
        collection, word = scenario.searched
        assert up.get(f"/api/v1/collections/{collection}/search?q={word}")["total"] > 0
        assert up.client.get("/readyz").status_code == 200


def lasting_metrics(config: Config) -> dict[str, list[str]]:
    """Give the names of the metrics over all time, by collection."""
    return {
        name: [metric for metric in collection.metrics if not metric.startswith("per_")]
        for name, collection in config.collections.items()
    }


def counted(up: Up, collection: str, metric: str) -> int:
    """Give how many items all groups of a metric count."""
    groups = up.get(f"/api/v1/collections/{collection}/metrics/{metric}")["groups"]
    return sum(group["values"]["count"] for group in groups)


def test_all_that_is_called_is_allowed_and_nothing_else_is(folder: Path) -> None:
    """From the sample over the copy and the stream to a dead letter that is redriven, no other action is called."""
    with ScriptedStreams("Gifts") as streams:
        shard = streams.add_shard()
        streams.load(*typed(*({"id": str(each), "amount": each} for each in range(20))))
        run = init(folder, "--table", "Gifts", "--endpoint-url", streams.endpoint_url)
        assert run.returncode == 0, run.stderr
        assert {call.operation for call in streams.calls} == {"DescribeTable", "Scan"}
        with up_on_written(folder) as up:
            # More decimals than the sum keeps: a dead letter, and an old one is read afresh from the table.
            streams.put(shard, {"id": {"S": "new"}, "amount": {"N": "0.00001"}})
            observed(lambda: up.get("/api/v1/status")["dead_letters"])
            with closing(sqlite3.connect(folder / "data" / STORE_NAME)) as store, store:
                store.execute("UPDATE dead_letters SET stored_at = 0")
            ran(COMMAND, "dlq", "redrive", "--all", "--url", address_of(up))
            observed(lambda: "GetItem" in {call.operation for call in streams.calls})
        called = {f"dynamodb:{call.operation}" for call in streams.calls}
    allowed = {action for each in printed_policy(run.stdout)["Statement"] for action in each["Action"]}
    assert called == allowed


def printed_policy(out: str) -> dict[str, Any]:
    """Read the policy from between the lines."""
    policy: dict[str, Any] = json.loads(out[out.index("\n{") :])
    return policy


def test_the_page_shows_what_is_printed(dynamodb_local: DynamoDBLocal, folder: Path) -> None:
    page = (REPOSITORY / "docs" / "init.md").read_text()
    shown, written = re.findall(r"```(?:text|yaml)\n(.*?)```", page, re.DOTALL)[:2]
    try:
        seed("donations", "--endpoint-url", dynamodb_local.endpoint_url, "--donations", "1500")
        run = init(folder, "--table", "Donations", "--endpoint-url", dynamodb_local.endpoint_url)
    finally:
        dynamodb_local.client("dynamodb").delete_table(TableName="Donations")
    assert (run.returncode, run.stderr.splitlines()) == (0, shown.splitlines()[-2:])
    assert [line.rstrip() for line in run.stdout.splitlines()[:7]] == shown.splitlines()[:7]
    address = "http://127.0.0.1:8000"
    assert (folder / "dynalens.yaml").read_text().replace(dynamodb_local.endpoint_url, address) == written
    assert json.dumps(iam_policy(["arn:aws:dynamodb:eu-west-1:123456789012:table/Donations"]), indent=2) in page
