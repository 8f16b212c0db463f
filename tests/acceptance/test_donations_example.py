"""examples/donations from end to end, with its own scripts: seeded, copied, followed, published and heard."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import redis
import yaml

from dynalens.config import load
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

EXAMPLE = Path(__file__).parents[2] / "examples" / "donations"
DONATIONS = 500


@contextmanager
def script(name: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of the example's scripts, for no longer than the `with` block."""
    with subprocess.Popen(
        [sys.executable, EXAMPLE / name, *arguments],
        env={**os.environ, **ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said_by(process: subprocess.Popen[str], *, exit_code: int = 0) -> str:
    """Wait for a script to end as it should, and give what it printed."""
    said, _ = process.communicate(timeout=60)
    assert process.returncode == exit_code, said
    return said


@pytest.fixture
def table(dynamodb_local: DynamoDBLocal) -> Iterator[str]:
    """The table that seed.py creates, filled by it."""
    with script("seed.py", "--endpoint-url", dynamodb_local.endpoint_url, "--donations", str(DONATIONS)) as seed:
        assert said_by(seed) == f"{DONATIONS} donations are in the table Donations.\n"
    yield "Donations"
    dynamodb_local.client("dynamodb").delete_table(TableName="Donations")


@pytest.fixture
def fundraiser(table: str, dynamodb_local: DynamoDBLocal) -> Iterator[Up]:
    """`dynalens up` on the example's own file, but for the address of DynamoDB; it has copied the table."""
    settings = yaml.safe_load((EXAMPLE / "dynalens.yaml").read_text())
    assert settings["collections"]["donations"]["table"] == table
    settings["source"]["endpoint_url"] = dynamodb_local.endpoint_url
    # A short path: the embedded server's socket stands in its folder only where the path of a socket may be so long.
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        running = Up(Path(folder), settings)
        try:
            running.start()
            observed(running.is_ready)
            yield running
            assert running.end() == 0
        finally:
            running.stop()


@contextmanager
def aggregates(up: Up) -> Iterator[redis.Redis]:
    """A client of the server that the aggregates are published in."""
    with redis.Redis(unix_socket_path=str(up.valkey_socket), decode_responses=True) as client:
        yield client


def items(dynamodb_local: DynamoDBLocal) -> list[dict[str, Any]]:
    pages = dynamodb_local.client("dynamodb").get_paginator("scan").paginate(TableName="Donations", ConsistentRead=True)
    return [item for page in pages for item in page["Items"]]


def raised(donations: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """Compute from the table what the hashes must hold: scenario 1's keys and fields."""
    sums: dict[str, tuple[int, Decimal]] = {}
    for item in donations:
        for key in (item["platform"]["S"], "ALL"):
            count, amount = sums.get(key, (0, Decimal(0)))
            sums[key] = (count + 1, amount + Decimal(item["amount"]["N"]))
    return {key: {"count": str(count), "amount": plain(amount)} for key, (count, amount) in sums.items()}


def plain(amount: Decimal) -> str:
    text = format(amount, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def published(client: redis.Redis) -> dict[str, Any]:
    keys: Any = client.keys("*")
    return {key: client.hgetall(key) for key in keys if not key.startswith("dynalens:")}


def test_what_the_table_held_before_is_counted(fundraiser: Up, dynamodb_local: DynamoDBLocal) -> None:
    with aggregates(fundraiser) as client:
        assert published(client) == raised(items(dynamodb_local))
    assert fundraiser.sql("SELECT count() FROM donations") == [[DONATIONS]]


def test_a_subscriber_hears_each_value_that_a_donation_changes(fundraiser: Up, dynamodb_local: DynamoDBLocal) -> None:
    before = raised(items(dynamodb_local))
    donation = {"email": {"S": "a@test.com"}, "donatedAt": {"S": "2019-08-07T07:26:56"}}
    donation |= {"platform": {"S": "Facebook"}, "amount": {"N": "10"}}
    url = f"unix://{fundraiser.valkey_socket}"
    with aggregates(fundraiser) as client, script("subscriber.py", "--url", url, "--messages", "4") as subscriber:
        observed(lambda: client.pubsub_numsub("aggregates") == [("aggregates", 1)])
        dynamodb_local.client("dynamodb").put_item(TableName="Donations", Item=donation)
        heard = [json.loads(line, parse_float=Decimal) for line in said_by(subscriber).splitlines()]
    assert sorted(heard, key=lambda message: str(message["key"])) == [
        message_of(before, key, field) for key in ("ALL", "Facebook") for field in ("amount", "count")
    ]


def test_corrections_and_donations_taken_back_count_too(fundraiser: Up, dynamodb_local: DynamoDBLocal) -> None:
    follow = ("--endpoint-url", dynamodb_local.endpoint_url, "--donations", "0", "--seed", "2", "--follow")
    with script("seed.py", *follow, "--rate", "200") as donors:
        assert donors.stdout is not None
        changes = [donors.stdout.readline() for _ in range(100)]
        donors.send_signal(signal.SIGINT)
        assert "Enough." in said_by(donors)
    assert any("took" in change for change in changes)
    assert any("made it" in change for change in changes)
    table = items(dynamodb_local)
    with aggregates(fundraiser) as client:
        observed(lambda: published(client) == raised(table))
    observed(lambda: fundraiser.sql("SELECT count() FROM donations") == [[len(table)]])


def message_of(before: dict[str, dict[str, str]], key: str, field: str) -> dict[str, Any]:
    """Give the message for a donation of 10."""
    delta = 1 if field == "count" else 10
    return {"key": f"{key}:{field}", "value": Decimal(before[key][field]) + delta, "delta": delta}


def test_the_same_seed_makes_the_same_donations() -> None:
    seed = example_module()
    assert list(islice(seed.donations(7), 50)) == list(islice(seed.donations(7), 50))
    assert list(islice(seed.donations(7), 50)) != list(islice(seed.donations(8), 50))


def test_a_donation_has_the_shape_of_the_scenario() -> None:
    for donation in islice(example_module().donations(), 200):
        assert donation.keys() == {"email", "donatedAt", "platform", "amount"}
        assert donation["amount"] > 0
        assert donation["amount"].as_tuple().exponent >= -2


def test_seeding_needs_an_address_so_that_aws_is_never_filled_by_accident() -> None:
    with script("seed.py") as process:
        assert "--endpoint-url" in said_by(process, exit_code=2)


def test_the_file_is_right_as_it_stands() -> None:
    publish = load(EXAMPLE / "dynalens.yaml", {}).collections["donations"].metrics["by_platform"].publish
    assert publish is not None
    assert (publish.key, publish.total_key, publish.channel) == ("{platform}", "ALL", "aggregates")


def test_the_files_that_the_page_names_exist() -> None:
    page = (EXAMPLE / "README.md").read_text()
    for name in ("dynalens.yaml", "seed.py", "subscriber.py"):
        assert name in page
        assert (EXAMPLE / name).is_file()


def example_module() -> Any:  # noqa: ANN401 - a script that is imported from its path
    import importlib.util

    spec = importlib.util.spec_from_file_location("seed", EXAMPLE / "seed.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
