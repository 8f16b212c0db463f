"""Random writers of scenario 1's table, and the wait for everything to equal it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.crash.comparison import differences
from tests.donations import PLATFORMS, donation, key
from tests.up import Up
from tests.waiting import observed

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

TABLE = "Donations"


class Donors:
    """Random puts, updates, deletes and re-inserts, from a seed."""

    def __init__(self, client: DynamoDBClient, seed: int, donors: int) -> None:
        self._client = client
        self._random = random.Random(seed)  # noqa: S311 - a test that can be repeated
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


def assert_equal_in_the_end(client: DynamoDBClient, up: Up) -> None:
    observed(up.is_ready, timeout=120)
    observed(lambda: not differences(client, TABLE, up) or None, timeout=60)
