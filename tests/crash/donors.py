"""Random writers of scenario 1's table, and the wait for everything to equal it."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from dynalens.change import KeySchema
from dynalens.config import CollectionConfig
from dynalens.testing.oracle import Counted, Differences, Plain, differences, exact_json, from_answer
from tests.donations import PLATFORMS, donation, key
from tests.up import DONATION_METRICS, Up
from tests.waiting import observed

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

Kept = Literal["sql", "search"]
SERVED: tuple[Kept, ...] = ("sql", "search")
"""Targets that give whole documents back."""

TABLE = "Donations"
KEYS = KeySchema(("email", "donatedAt"))


def _with_values(**settings: str) -> Mapping[str, Any]:
    """Give a metric of every kind of value that needs to know each number or text that is there."""
    values = {"avg": {"rating": {"decimals": 2}}, "min": "rating", "max": ["rating", "amount"]}
    return {**settings, "count": True, **values, "distinct": ["campaign", "rating"], "total": True}


METRICS: Mapping[str, Any] = {
    **DONATION_METRICS,
    "values": _with_values(group_by="platform"),
    "over_time": _with_values(every="5s", time="paidAt", keep="10h"),
    "of_late": _with_values(every="5s", time="paidAt", keep="1m", group_by="campaign"),
}
"""Buckets of `over_time` are all kept, those of `of_late` are forgotten one after another while a test runs."""
DONATIONS = CollectionConfig.model_validate({"table": TABLE, "metrics": METRICS})

RATINGS = ("1", "1.0", "2.5", "-0", "-3.25", "5")
"""Few, so that several donations share the least and the greatest."""
RARE_RATINGS = ("1E-130", "-12345678901234567890123456789012345678")
"""What no average can hold: each of them is a dead letter, and the least or not."""
CAMPAIGNS = ("spring", "1", "a\tb\x1fc", "autumn " * 20, "autumn " * 19 + "Autumn ")
SPREAD_SECONDS = 90
"""How far from now, in either direction, donations are paid."""


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

    def change(self, times: int) -> None:
        """Change so many random donations, and delete none."""
        for _ in range(times):
            self._client.put_item(TableName=TABLE, Item=self._donation(self._random.randrange(self._donors)))

    def _donation(self, number: int) -> dict[str, AttributeValueTypeDef]:
        amount = self._random.randrange(100_000)
        made = donation(number, platform=self._random.choice(PLATFORMS), amount=f"{amount // 100}.{amount % 100:02}")
        return {**made, **self._some_attributes()}

    def _some_attributes(self) -> dict[str, AttributeValueTypeDef]:
        """Give what an item may have or lack: a rating, a campaign, and the time at which it was paid."""
        paid_at = round(time.time()) + self._random.randint(-SPREAD_SECONDS, SPREAD_SECONDS)
        attributes: dict[str, AttributeValueTypeDef] = {
            "rating": {"N": self._random.choice(RARE_RATINGS if self._random.random() < 0.02 else RATINGS)},
            "campaign": {"S": self._random.choice(CAMPAIGNS)},
            "paidAt": {"N": str(paid_at)} if paid_at % 2 else {"S": datetime.fromtimestamp(paid_at, UTC).isoformat()},
        }
        return {name: value for name, value in attributes.items() if self._random.random() < 0.9}


class Served:
    """What a running `dynalens up` serves, for the oracle: documents as one of its targets gives them, and metrics."""

    def __init__(self, up: Up, target: Kept) -> None:
        self._up = up
        self._target = target

    def documents(self, collection: str) -> Mapping[str, Plain]:
        if self._target == "search":
            return searched(self._up, collection)
        return {row[0]: row[1] for row in self._up.sql(f"SELECT _id, _doc FROM {collection}")}  # noqa: S608 - own names

    def metric(self, collection: str, metric: str) -> Counted:
        answer = self._up.client.get(f"/api/v1/collections/{collection}/metrics/{metric}")
        return from_answer(answer.content, DONATIONS.metrics[metric])


def searched(up: Up, collection: str) -> dict[str, Plain]:
    """Give all documents that search knows of, page by page."""
    found: dict[str, Plain] = {}
    after: dict[str, Any] = {}
    while True:
        body = {"size": 5_000, "sort": ["_id"], **after}
        answer = up.client.post(f"/{collection}/_search", json=body).raise_for_status()
        hits = exact_json(answer.content)["hits"]["hits"]
        if not hits:
            return found
        assert not found.keys() & {hit["_id"] for hit in hits}, "a document is shown twice"
        found |= {hit["_id"]: hit["_source"] for hit in hits}
        after = {"search_after": hits[-1]["sort"]}


def assert_equal_in_the_end(client: DynamoDBClient, up: Up) -> None:
    """Documents in search and SQL, columns of SQL and metrics come to equal the table, as the oracle computes it."""
    observed(up.is_ready, timeout=120)
    found: dict[str, Differences] = {}

    def equal() -> bool:
        for target in SERVED:
            found[target] = differences(client, KEYS, "donations", DONATIONS, Served(up, target))
        return not any(found.values())

    observed(equal, timeout=60)
    answer = up.get("/api/v1/collections/donations/metrics/by_platform")
    total = answer["total"]
    assert up.sql("SELECT count(), sum(amount) FROM donations") == [[total["count"], total["amount_sum"]]]
    for group in answer["groups"]:
        query = {"query": {"term": group["group"]}}
        counted = up.client.post("/donations/_count", json=query).raise_for_status().json()["count"]
        assert counted == group["values"]["count"]
