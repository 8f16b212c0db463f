"""examples/transactions from end to end: put, found, changed, gone, over a stream that carries new images alone."""

from __future__ import annotations

import io
import json
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import redirect_stdout
from decimal import Decimal
from typing import Any

import httpx2
import pytest
from boto3.dynamodb.types import TypeSerializer

from dynalens import failpoint
from dynalens.config import load
from dynalens.errors import EXIT_OK
from tests.examples import (
    ADDRESS,
    EXAMPLES,
    address_of,
    blocks,
    commands,
    curl,
    dynalens,
    opensearch,
    seed,
    up_on,
)
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

TABLE = "UsersTransactions"
SEEDED = 50
MEGA_ID = "N:3|N:51"
MEGA = {"userId": 3, "transactionId": 51, "accountId": 3, "amount": 11, "shortDescription": "Final mega test 2"}
KEY = {"userId": 3, "transactionId": 51}


class Bank:
    """The table, and Dynalens over it."""

    def __init__(self, dynamodb_local: DynamoDBLocal, up: Up) -> None:
        self.endpoint_url = dynamodb_local.endpoint_url
        self.up = up
        self._client = dynamodb_local.client("dynamodb")

    def put(self, transaction: Mapping[str, Any]) -> None:
        self._client.put_item(TableName=TABLE, Item=typed(transaction))

    def delete(self, key: Mapping[str, Any]) -> None:
        self._client.delete_item(TableName=TABLE, Key=typed(key))

    def found(self, query: str, **parameters: str) -> dict[str, dict[str, Any]]:
        """Search, and give the documents by id, best first."""
        answer = self.up.client.get(
            "/api/v1/collections/transactions/search", params={"q": query, "size": "100", **parameters}
        )
        assert answer.is_success, answer.text
        return {hit["id"]: hit["document"] for hit in answer.json()["hits"]}

    def documents(self) -> int:
        with opensearch(self.up) as client:
            return int(client.count(index="transactions")["count"])


def typed(plain: Mapping[str, Any]) -> dict[str, Any]:
    return {name: TypeSerializer().serialize(value) for name, value in plain.items()}


@pytest.fixture(scope="module")
def table(dynamodb_local: DynamoDBLocal) -> Iterator[str]:
    """The table that seed.py creates, filled by it."""
    said = seed("transactions", "--endpoint-url", dynamodb_local.endpoint_url)
    assert said == f"{SEEDED} transactions are in the table {TABLE}.\n"
    yield TABLE
    dynamodb_local.client("dynamodb").delete_table(TableName=TABLE)


@pytest.fixture(scope="module")
def bank(table: str, dynamodb_local: DynamoDBLocal) -> Iterator[Bank]:
    """`dynalens up` on the example's own file; it has copied the table."""
    described = dynamodb_local.client("dynamodb").describe_table(TableName=table)["Table"]
    assert described["StreamSpecification"]["StreamViewType"] == "NEW_IMAGE"
    with up_on("transactions", dynamodb_local.endpoint_url) as up:
        up.start()
        observed(up.is_ready)
        yield Bank(dynamodb_local, up)
        assert up.end() == EXIT_OK


@pytest.fixture
def mega(bank: Bank) -> Iterator[Bank]:
    """The bank with the scenario's transaction, found."""
    bank.put(MEGA)
    observed(lambda: MEGA_ID in bank.found("mega"))
    yield bank
    bank.delete(KEY)
    observed(lambda: bank.documents() == SEEDED)


def test_what_the_table_held_before_is_found(bank: Bank) -> None:
    assert bank.documents() == SEEDED
    assert [document["shortDescription"] for document in bank.found('"Café Zentral"').values()] == [
        "Coffee and croissants, Café Zentral"
    ]
    assert {document["userId"] for document in bank.found("salary", filter="userId:4").values()} == {4}


def test_a_transaction_is_found_a_moment_after_it_was_put(mega: Bank) -> None:
    found = mega.found("final mega test")
    assert next(iter(found.items())) == (MEGA_ID, MEGA), "it has all of the words, so it comes first"
    assert len(found) > 1, "others have one of them"


def test_the_script_puts_and_deletes_what_the_page_says(bank: Bank) -> None:
    _, put, delete = (shlex.split(line)[4:] for line in commands("transactions", "python"))
    assert json.loads(put[1]) == MEGA
    seed("transactions", "--endpoint-url", bank.endpoint_url, *put)
    observed(lambda: bank.found("mega").get(MEGA_ID) == MEGA)
    seed("transactions", "--endpoint-url", bank.endpoint_url, *delete)
    observed(lambda: MEGA_ID not in bank.found("mega"))


def test_the_commands_of_the_page_find_it(mega: Bank) -> None:
    first, misspelt, savings = (shlex.split(line)[1:] for line in commands("transactions", "dynalens search"))
    for arguments in (first, misspelt):
        rows = dynalens(mega.up, *arguments).splitlines()
        assert rows[2].startswith(MEGA_ID)
        assert "shortDescription: Final mega test 2" in rows[2]
    hits, facet = dynalens(mega.up, *savings).split("\n\n")
    assert [row.split()[0] for row in hits.splitlines()[2:]] == ["N:4|N:50", "N:2|N:22", "N:3|N:8"]
    assert [row.split() for row in facet.splitlines()[2:]] == [["2", "1"], ["3", "1"], ["4", "1"]]


def test_the_requests_of_the_page_are_answered(mega: Bank) -> None:
    simple, elasticsearch = (curl(mega.up, line) for line in commands("transactions", "curl"))
    assert simple.json()["hits"][0]["highlight"]["shortDescription"] == ["<em>Final</em> <em>mega</em> <em>test</em> 2"]
    amounts = [hit["_source"]["amount"] for hit in elasticsearch.json()["hits"]["hits"]]
    assert sorted(amounts) == [1830.45, 2490, 2750, 3100]


def test_the_program_of_the_page_finds_it(mega: Bank) -> None:
    [program] = blocks("transactions", "python")
    assert ADDRESS in program
    said = io.StringIO()
    with redirect_stdout(said):
        exec(program.replace(ADDRESS, address_of(mega.up)), {})  # noqa: S102 - what the page tells a reader to run
    assert said.getvalue().splitlines()[0] == f"{MEGA_ID} Final mega test 2"


def test_the_commands_about_all_of_it_work(mega: Bank) -> None:
    [sql] = (shlex.split(line)[1:] for line in commands("transactions", "dynalens sql"))
    [fields] = (shlex.split(line)[1:] for line in commands("transactions", "dynalens fields"))
    observed(lambda: mega.up.sql("SELECT count() FROM transactions") == [[SEEDED + 1]])
    rows = [row.split() for row in dynalens(mega.up, *sql).splitlines()[2:]]
    assert ["55", "2", "-579"] in rows
    assert {row.split()[0] for row in dynalens(mega.up, *fields).splitlines()[2:]} == MEGA.keys()


def test_a_changed_transaction_is_found_by_what_it_says_now(mega: Bank) -> None:
    mega.put({**MEGA, "shortDescription": "Quarterly dividend", "amount": Decimal("12.5")})
    observed(lambda: MEGA_ID in mega.found("quarterly dividend"))
    assert mega.found("quarterly dividend")[MEGA_ID]["amount"] == 12.5
    assert MEGA_ID not in mega.found("final mega test")
    assert mega.documents() == SEEDED + 1


def test_a_deleted_transaction_is_gone_though_the_stream_has_no_old_images(mega: Bank) -> None:
    mega.delete(KEY)
    observed(lambda: MEGA_ID not in mega.found("final mega test"))
    assert mega.documents() == SEEDED
    observed(lambda: mega.up.sql("SELECT count() FROM transactions WHERE transactionId = 51") == [[0]])


def test_changes_that_are_read_twice_count_once(table: str, dynamodb_local: DynamoDBLocal) -> None:
    """It is killed when the index holds the changes and the position does not: the next start reads them again."""
    targets = {"search": "tantivy://./data/search"}
    with up_on("transactions", dynamodb_local.endpoint_url, targets=targets) as up:
        bank = Bank(dynamodb_local, up)
        up.start()
        observed(up.is_ready)
        assert up.end() == EXIT_OK
        bank.put(MEGA)
        bank.put({**MEGA, "transactionId": 52})
        bank.put({**MEGA, "shortDescription": "Quarterly dividend"})
        bank.delete({**KEY, "transactionId": 52})
        up.start(DYNALENS_FAILPOINTS=f"{failpoint.AFTER_APPLY}=kill")
        observed(lambda: up.exit_code is not None)
        assert up.exit_code == -9
        up.start()
        observed(up.is_ready, ignoring=httpx2.TransportError)
        assert list(bank.found("quarterly dividend mega")).count(MEGA_ID) == 1
        assert bank.found("quarterly dividend")[MEGA_ID]["shortDescription"] == "Quarterly dividend"
        assert "N:3|N:52" not in bank.found("final mega test")
        assert bank.documents() == SEEDED + 1
        bank.delete(KEY)
        observed(lambda: bank.documents() == SEEDED)
        assert up.end() == EXIT_OK
    assert table == TABLE


def test_seeding_needs_an_address_so_that_aws_is_never_filled_by_accident() -> None:
    ended = subprocess.run(
        [sys.executable, EXAMPLES / "transactions" / "seed.py"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert "--endpoint-url" in ended.stderr


def test_the_file_is_right_as_it_stands() -> None:
    config = load(EXAMPLES / "transactions" / "dynalens.yaml", {})
    assert {name: collection.table for name, collection in config.collections.items()} == {"transactions": TABLE}
    assert config.targets.search is not None
