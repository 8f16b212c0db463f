"""`dynalens store` against a real DynamoDB: the table made, what it is allowed, and who works with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from dynalens.cli import main, store
from dynalens.config import StoreLocation
from dynalens.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from dynalens.partition import Partition
from dynalens.position.dynamodb import DynamoStore
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.waiting import observed

TABLE = "dynalens-cli"


class Command:
    """Runs `dynalens store` with a file that names a store of its own."""

    def __init__(self, file: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._file = file
        self._capsys = capsys

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        """Give exit code, stdout and stderr."""
        code = main(["-c", str(self._file), "store", *arguments])
        return code, *self._capsys.readouterr()


@pytest.fixture
def command(
    tmp_path: Path,
    dynamodb_local: DynamoDBLocal,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Command]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    file = tmp_path / "dynalens.yaml"
    file.write_text(
        f"source: {{region: eu-west-1, endpoint_url: '{dynamodb_local.endpoint_url}'}}\n"
        f"store: dynamodb://{TABLE}\n"
        "collections:\n  donations: {table: Donations}\n  people: {table: People}\n"
    )
    yield Command(file, capsys)
    client = dynamodb_local.client("dynamodb")
    if TABLE in client.list_tables()["TableNames"]:
        client.delete_table(TableName=TABLE)


@pytest.fixture
def opened(command: Command, dynamodb_local: DynamoDBLocal) -> Iterator[DynamoStore]:
    """The store, once it is made."""
    assert command("create")[0] == EXIT_OK
    with closing(DynamoStore(StoreLocation(TABLE, "eu-west-1", dynamodb_local.endpoint_url))) as opened:
        yield opened


@contextmanager
def beating(opened: DynamoStore, workers: Sequence[str]) -> Iterator[None]:
    """Let workers live."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.is_set():
            for worker in workers:
                opened.beat(worker)

    thread = threading.Thread(target=beat)
    thread.start()
    try:
        observed(lambda: opened.pulse().beats.keys() >= set(workers))
        yield
    finally:
        stop.set()
        thread.join()


def test_the_table_is_made_once(command: Command) -> None:
    code, out, err = command("show")
    assert (code, out) == (EXIT_FAILED, "")
    assert "Create the table: dynalens store create." in err
    assert command("create") == (EXIT_OK, "", f"The table {TABLE} is made.\n")
    assert command("create") == (EXIT_OK, "", f"The table {TABLE} exists already.\n")


def test_a_table_that_is_something_else_is_refused(command: Command, dynamodb_local: DynamoDBLocal) -> None:
    dynamodb_local.client("dynamodb").create_table(
        TableName=TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    code, out, err = command("create")
    assert (code, out) == (EXIT_FAILED, "")
    assert f"The table {TABLE} exists and is no store" in err


def test_the_policy_allows_what_a_worker_does_and_nothing_else(command: Command, opened: DynamoStore) -> None:
    code, out, err = command("policy")
    [statement] = json.loads(out)["Statement"]
    assert (code, err) == (EXIT_OK, "")
    assert statement["Resource"] == opened._items.client.describe_table(TableName=TABLE)["Table"]["TableArn"]
    assert statement["Action"] == [
        f"dynamodb:{action}"
        for action in ("ConditionCheckItem", "DeleteItem", "GetItem", "PutItem", "Query", "UpdateItem")
    ]
    created = json.loads(command("policy", "--create")[1])["Statement"]
    assert created[0] == statement
    assert created[1]["Action"][0] == "dynamodb:CreateTable"
    assert created[1]["Resource"] == statement["Resource"]


def test_the_policy_of_a_table_that_is_not_there_leaves_the_account_open(command: Command) -> None:
    code, out, err = command("policy")
    [statement] = json.loads(out)["Statement"]
    assert (code, statement["Resource"]) == (EXIT_OK, f"arn:aws:dynamodb:eu-west-1:*:table/{TABLE}")
    assert "the account is left open" in err


def test_workers_are_shown_with_what_they_hold(
    command: Command, opened: DynamoStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOK_SECONDS", 1.0)
    for number, owner in enumerate(("w1", "w1", "w2", "")):
        shard = Partition(f"shardId-{number}")
        opened.acquire("Donations", shard, owner or "w3")
        opened.draw("Donations", shard.id, "sql", owner=owner or "w3", remembered=0)
    opened.release("Donations", ["shardId-3"], "w3")
    opened.beat("w2")
    with beating(opened, ["w1", "w3"]):
        code, out, err = command("show", "--json")
    assert (code, err) == (EXIT_OK, "")
    assert json.loads(out) == {
        "workers": [
            {"worker": "w1", "alive": True, "leases": {"Donations": 2, "People": 0}},
            {"worker": "w2", "alive": False, "leases": {"Donations": 1, "People": 0}},
            {"worker": "w3", "alive": True, "leases": {"Donations": 0, "People": 0}},
        ],
        "tables": [
            {"table": "Donations", "positions": 4, "free_leases": 1},
            {"table": "People", "positions": 0, "free_leases": 0},
        ],
    }
    code, out, err = command("show")
    assert (code, err) == (EXIT_OK, "")
    assert [line.split() for line in out.splitlines() if "Donations" in line or "w1" in line] == [
        ["Donations", "4", "3", "1"],
        ["worker", "alive", "Donations", "People"],
        ["w1", "no", "2", "0"],
    ]


def test_without_a_store_there_is_nothing_to_make(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "dynalens.yaml"
    file.write_text("collections:\n  donations: {table: Donations}\n")
    for name in ("create", "policy", "show"):
        assert main(["-c", str(file), "store", name]) == EXIT_USAGE
        out, err = capsys.readouterr()
        assert out == ""
        assert "Write: store: dynamodb://dynalens" in err
