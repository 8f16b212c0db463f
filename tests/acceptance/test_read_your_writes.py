"""What was written to the table is read by the very next query in any target, if it is asked to wait; killed or not."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.donations import document_id, key, put
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.serving import refused
from tests.up import Up
from tests.waiting import observed

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams.type_defs import RecordTypeDef

COLLECTION = "/api/v1/collections/donations"
PAGE = Path(__file__).parents[2] / "docs" / "http-api.md"
WRITES = 50
KILLED_AT = {12, 33}
Parameters = Mapping[str, str]
Totals = tuple[int, Decimal]
"""How many donations there are, and their sum."""


def from_sql(up: Up, parameters: Parameters) -> Totals:
    query = {"query": "SELECT count(), sum(amount) FROM donations"}
    answer = up.client.post("/api/v1/sql", json=query, params=parameters)
    assert answer.is_success, answer.text
    [[count, total]] = answer.json()["rows"]
    return count, Decimal(str(total or 0))


def from_search(up: Up, parameters: Parameters) -> Totals:
    answer = up.client.get("/donations/_search", params={"size": 100, **parameters})
    assert answer.is_success, answer.text
    hits = answer.json()["hits"]
    return hits["total"]["value"], sum((Decimal(str(hit["_source"]["amount"])) for hit in hits["hits"]), Decimal())


def from_metrics(up: Up, parameters: Parameters) -> Totals:
    answer = up.client.get(f"{COLLECTION}/metrics/by_platform", params=parameters)
    assert answer.is_success, answer.text
    total = answer.json()["total"]
    return total["count"], Decimal(str(total["amount_sum"]))


TARGETS: Mapping[str, Callable[[Up, Parameters], Totals]] = {
    "sql": from_sql,
    "search": from_search,
    "metrics": from_metrics,
}


def totals(table: Mapping[int, int]) -> Totals:
    return len(table), Decimal(sum(table.values()))


@pytest.mark.timeout(600)
def test_each_write_is_read_by_the_next_query_in_every_target(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal
) -> None:
    client = dynamodb_local.client("dynamodb")
    chance = random.Random(20261121)  # noqa: S311 - the same writes each time
    up.start()
    observed(up.is_ready)
    held: dict[int, int] = {}
    for turn in range(WRITES):
        number = chance.randrange(12)
        if number in held and chance.random() < 0.4:
            client.delete_item(TableName=donations, Key=key(number))
            del held[number]
            expected = "gone"
        else:
            put(client, donations, number, amount=str(turn + 1))
            held[number] = turn + 1
            expected = f"amount:{turn + 1}"
        if turn in KILLED_AT:
            up.kill()
            up.start()
        wait = {"wait_for": f"document:{document_id(number)}", "expect": expected, "wait_timeout": "30"}
        for target in chance.sample(sorted(TARGETS), len(TARGETS)):
            assert TARGETS[target](up, wait) == totals(held), (turn, target)


@pytest.mark.timeout(600)
def test_a_sequence_number_is_waited_for_in_every_target(up: Up, donations: str, dynamodb_local: DynamoDBLocal) -> None:
    client = dynamodb_local.client("dynamodb")
    up.start()
    observed(up.is_ready)
    for turn in range(1, 11):
        put(client, donations, turn, amount=str(turn))
        shard, record = last_record(donations, dynamodb_local)
        if turn == 5:
            up.kill()
            up.start()
        number = record["dynamodb"]["SequenceNumber"]
        named = number if turn % 2 else f"{number}@{shard}"
        expected = totals({each: each for each in range(1, turn + 1)})
        for target, read in TARGETS.items():
            assert read(up, {"wait_for": f"sequence:{named}", "wait_timeout": "30"}) == expected, (turn, target)


@pytest.mark.timeout(600)
def test_a_position_of_one_target_is_waited_for_in_the_others(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal
) -> None:
    client = dynamodb_local.client("dynamodb")
    up.start()
    observed(up.is_ready)
    for turn in range(1, 11):
        put(client, donations, turn, amount=str(turn))
        shard, record = last_record(donations, dynamodb_local)
        sequence = f"sequence:{record['dynamodb']['SequenceNumber']}@{shard}"
        seen = up.client.get(f"{COLLECTION}/metrics/by_platform", params={"wait_for": sequence, "wait_timeout": "30"})
        assert seen.is_success, seen.text
        position = told(seen.headers["dynalens-freshness"])["position"]
        if turn == 5:
            up.kill()
            up.start()
        expected = totals({each: each for each in range(1, turn + 1)})
        for target in ("sql", "search"):
            wait = {"wait_for": f"position:{position}", "wait_timeout": "30"}
            assert TARGETS[target](up, wait) == expected, (turn, target)


def test_what_is_never_written_is_waited_for_in_vain(up: Up) -> None:
    up.start()
    observed(up.is_ready)
    for wait_for in ("sequence:1@shardId-none", "document:nobody"):
        expect = {"expect": "amount:1"} if wait_for.startswith("document") else {}
        parameters = {"wait_for": wait_for, "wait_timeout": "0.3", **expect}
        error = refused(up.client.get(f"{COLLECTION}/search", params=parameters), 504, "wait_timeout")
        assert error["message"].startswith("donations in search is not there after 0.3 s: ")


def test_the_example_on_the_page_reads_what_it_wrote(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal, tmp_path: Path
) -> None:
    up.start()
    observed(up.is_ready)
    [example] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    program = tmp_path / "example.py"
    program.write_text(
        example.replace("http://127.0.0.1:7070", str(up.client.base_url).rstrip("/")).replace("Donations", donations)
    )
    ran = subprocess.run(
        [sys.executable, str(program)],
        env={**ENVIRONMENT, "AWS_ENDPOINT_URL": dynamodb_local.endpoint_url, "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.split() == ["25", "1"]


def told(header: str) -> dict[str, str]:
    """Give the parts of a value of `Dynalens-Freshness`."""
    return dict(part.split("=", 1) for part in header.split("; "))


def last_record(table: str, server: DynamoDBLocal) -> tuple[str, RecordTypeDef]:
    """Give the newest record of a table's stream, and its shard."""
    arn = server.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    streams = server.client("dynamodbstreams")
    [shard] = streams.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = streams.get_shard_iterator(StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")[
        "ShardIterator"
    ]
    return shard["ShardId"], streams.get_records(ShardIterator=iterator)["Records"][-1]
