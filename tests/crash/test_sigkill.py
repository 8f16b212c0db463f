"""`dynalens up` killed at its worst moments, over real engines: afterwards everything equals the table."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest

from dynalens import failpoint
from tests.crash.comparison import differences
from tests.donations import PLATFORMS, donation, key
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import DONATION_METRICS, Up
from tests.waiting import observed

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

TABLE = "Donations"


class Donors:
    """Random puts, updates, deletes and re-inserts, from a seed."""

    def __init__(self, client: DynamoDBClient, seed: int, donors: int) -> None:
        self._client = client
        self._random = random.Random(seed)
        self._donors = donors

    def fill(self, count: int) -> None:
        """Put the first `count` donations in batches."""
        for first in range(0, count, 25):
            numbers = range(first, min(first + 25, count))
            self._client.batch_write_item(
                RequestItems={TABLE: [{"PutRequest": {"Item": self._donation(number)}} for number in numbers]}
            )

    def act(self, times: int) -> None:
        """Put, change, delete or put back so many random donations."""
        for _ in range(times):
            number = self._random.randrange(self._donors)
            if self._random.random() < 0.3:
                self._client.delete_item(TableName=TABLE, Key=key(number))
            else:
                self._client.put_item(TableName=TABLE, Item=self._donation(number))

    def _donation(self, number: int) -> dict[str, AttributeValueTypeDef]:
        amount = self._random.randrange(100_000)
        return donation(number, platform=self._random.choice(PLATFORMS), amount=f"{amount // 100}.{amount % 100:02}")


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[DynamoDBLocal]:
    """A DynamoDB Local of its own: it slows down as it fills."""
    with DynamoDBLocal(tmp_path) as server:
        server.client("dynamodb").create_table(
            TableName=TABLE,
            KeySchema=[
                {"AttributeName": "email", "KeyType": "HASH"},
                {"AttributeName": "donatedAt", "KeyType": "RANGE"},
            ],
            AttributeDefinitions=[
                {"AttributeName": "email", "AttributeType": "S"},
                {"AttributeName": "donatedAt", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        )
        yield server


@pytest.fixture
def up(emulator: DynamoDBLocal, tmp_path: Path) -> Iterator[Up]:
    folder = tmp_path / "up"
    folder.mkdir()
    running = Up(
        folder,
        {
            "source": {"endpoint_url": emulator.endpoint_url, "region": "eu-west-1"},
            "collections": {"donations": {"table": TABLE, "metrics": DONATION_METRICS}},
        },
    )
    yield running
    running.stop()


def assert_equal_in_the_end(client: DynamoDBClient, up: Up) -> None:
    observed(up.is_ready, timeout=120)
    observed(lambda: not differences(client, TABLE, up) or None, timeout=60)


def confirmed(up: Up) -> int:
    """Give how many changes the slowest target has confirmed since the process started."""
    counts = [
        float(line.rpartition(" ")[2])
        for line in up.client.get("/metrics").text.splitlines()
        if line.startswith("dynalens_confirmed_changes_total{")
    ]
    return int(min(counts, default=0.0))


@pytest.mark.timeout(600)
def test_a_table_that_is_written_while_dynalens_is_killed_twice(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=7, donors=10_500)
    donors.fill(10_000)
    up.start()
    donors.act(700)
    observed(lambda: confirmed(up) > 2_000)
    up.kill()
    donors.act(600)
    up.start()
    donors.act(700)
    observed(lambda: confirmed(up) > 200)
    up.kill()
    up.start()
    assert_equal_in_the_end(client, up)


# A dead letter is stored only when a target refuses something; that moment has a test of its own.
@pytest.mark.parametrize("moment", sorted(failpoint.NAMES - {failpoint.DEAD_LETTER_STORED}))
def test_killed_at(moment: str, emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=len(moment), donors=60)
    donors.fill(40)
    donors.act(20)
    up.start(DYNALENS_FAILPOINTS=f"{moment}=kill:2")
    donors.act(60)
    observed(lambda: up.exit_code is not None or up.is_ready(), ignoring=httpx2.TransportError)
    if up.exit_code is None:
        # Nothing more was due of this moment; the next change brings it.
        donors.act(30)
    observed(lambda: up.exit_code is not None)
    assert up.exit_code == -9
    donors.act(20)
    up.start()
    assert_equal_in_the_end(client, up)


def test_killed_right_after_a_dead_letter_was_stored(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    up.start(DYNALENS_FAILPOINTS=f"{failpoint.DEAD_LETTER_STORED}=kill")
    client.put_item(TableName=TABLE, Item=donation(1, amount="1.005"))
    observed(lambda: up.exit_code is not None)
    up.start()
    observed(up.is_ready)
    observed(lambda: len(up.get("/api/v1/dead-letters")["dead_letters"]) == 1)
    client.put_item(TableName=TABLE, Item=donation(1, amount="1"))
    assert_equal_in_the_end(client, up)
