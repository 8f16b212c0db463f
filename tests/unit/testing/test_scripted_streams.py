"""The scripted table and stream, as an unchanged boto3 client sees it."""

from __future__ import annotations

import json
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import closing
from email.message import Message
from http.client import HTTPConnection, IncompleteRead
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError
from types_boto3_dynamodb import DynamoDBClient
from types_boto3_dynamodbstreams import DynamoDBStreamsClient

from dynalens.testing import Fault, ScriptedStreams
from dynalens.testing.wire import WireServer

A = {"id": {"S": "a"}}
B = {"id": {"S": "b"}}


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[WireServer, str, DynamoDBClient, DynamoDBStreamsClient]]:
    """One server and its clients for all tests, each with a script of its own: clients take long to make."""
    session = boto3.Session(aws_access_key_id="local", aws_secret_access_key="local", region_name="eu-west-1")
    config = Config(retries={"total_max_attempts": 1})
    with ScriptedStreams() as front:
        dynamodb = session.client("dynamodb", endpoint_url=front.endpoint_url, config=config)
        streams = session.client("dynamodbstreams", endpoint_url=front.endpoint_url, config=config)
        yield front._server, front.endpoint_url, dynamodb, streams
        dynamodb.close()
        streams.close()


@pytest.fixture
def script(served: tuple[WireServer, str, DynamoDBClient, DynamoDBStreamsClient]) -> ScriptedStreams:
    script = ScriptedStreams("Donations", clock=lambda: 1_700_000_000.0)
    served[0].script = script
    return script


@pytest.fixture
def dynamodb(served: tuple[WireServer, str, DynamoDBClient, DynamoDBStreamsClient]) -> DynamoDBClient:
    return served[2]


@pytest.fixture
def client(served: tuple[WireServer, str, DynamoDBClient, DynamoDBStreamsClient]) -> DynamoDBStreamsClient:
    return served[3]


def iterator(client: DynamoDBStreamsClient, script: ScriptedStreams, shard: str, after: str = "") -> str:
    if after:
        answer = client.get_shard_iterator(
            StreamArn=script.stream_arn,
            ShardId=shard,
            ShardIteratorType="AFTER_SEQUENCE_NUMBER",
            SequenceNumber=after,
        )
    else:
        answer = client.get_shard_iterator(StreamArn=script.stream_arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    return answer["ShardIterator"]


def events(answer: Any) -> list[str]:  # noqa: ANN401 - the answer to GetRecords
    return [f"{record['eventName']} {record['dynamodb']['Keys']['id']['S']}" for record in answer["Records"]]


def read(client: DynamoDBStreamsClient, script: ScriptedStreams, shard: str, after: str = "") -> list[str]:
    return events(client.get_records(ShardIterator=iterator(client, script, shard, after)))


def name_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


# The table.


def test_the_table_describes_itself(script: ScriptedStreams, dynamodb: DynamoDBClient) -> None:
    script.load(A, B)
    table = dynamodb.describe_table(TableName="Donations")["Table"]
    assert table["KeySchema"] == [{"AttributeName": "id", "KeyType": "HASH"}]
    assert table["LatestStreamArn"] == script.stream_arn
    assert table["StreamSpecification"] == {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    assert (table["ItemCount"], table["TableStatus"]) == (2, "ACTIVE")


def test_another_table_does_not_exist(script: ScriptedStreams, dynamodb: DynamoDBClient) -> None:
    for call in (
        lambda: dynamodb.describe_table(TableName="Gifts"),
        lambda: dynamodb.scan(TableName="Gifts"),
        lambda: dynamodb.get_item(TableName="Gifts", Key=A),
    ):
        with pytest.raises(dynamodb.exceptions.ResourceNotFoundException):
            call()
    assert [call.operation for call in script.calls] == ["DescribeTable", "Scan", "GetItem"]


def test_items_are_the_table_after_all_writes(script: ScriptedStreams, dynamodb: DynamoDBClient) -> None:
    shard = script.add_shard()
    script.load(A)
    script.put(shard, {**B, "n": {"N": "1"}})
    script.put(shard, {**B, "n": {"N": "2"}})
    script.delete(shard, A)
    assert script.items() == [{**B, "n": {"N": "2"}}]
    assert dynamodb.scan(TableName="Donations")["Items"] == script.items()
    assert dynamodb.get_item(TableName="Donations", Key=B)["Item"] == script.items()[0]
    assert "Item" not in dynamodb.get_item(TableName="Donations", Key=A)


def test_a_scan_in_segments_and_pages_gives_each_item_once(script: ScriptedStreams, dynamodb: DynamoDBClient) -> None:
    script.load(*({"id": {"S": str(number)}} for number in range(60)))
    seen = []
    for segment in range(3):
        pages = dynamodb.get_paginator("scan").paginate(
            TableName="Donations", Segment=segment, TotalSegments=3, PaginationConfig={"PageSize": 7}
        )
        seen += [item["id"]["S"] for page in pages for item in page["Items"]]
    assert sorted(seen, key=int) == [str(number) for number in range(60)]


@pytest.mark.parametrize(("consistent", "units"), [(True, 3.0), (False, 1.5)])
def test_a_scan_says_what_it_consumed(
    script: ScriptedStreams,
    dynamodb: DynamoDBClient,
    consistent: bool,  # noqa: FBT001 - a parameter of the test
    units: float,
) -> None:
    script.load({**A, "text": {"S": "x" * 10_000}})
    answer = dynamodb.scan(TableName="Donations", ConsistentRead=consistent, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"]["CapacityUnits"] == units


def test_a_sort_key_is_part_of_the_key() -> None:
    with ScriptedStreams("Orders", keys=("customer", "number")) as script:
        shard = script.add_shard()
        first = {"customer": {"S": "c"}, "number": {"N": "1"}}
        second = {"customer": {"S": "c"}, "number": {"N": "2"}, "note": {"S": "x"}}
        script.put(shard, first)
        script.put(shard, second)
        script.delete(shard, first)
        assert script.items() == [second]


# Records.


def test_writes_become_records(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    number = script.put(shard, {**A, "n": {"N": "1"}})
    script.put(shard, {**A, "n": {"N": "2"}})
    script.delete(shard, A)
    answer = client.get_records(ShardIterator=iterator(client, script, shard))
    assert events(answer) == ["INSERT a", "MODIFY a", "REMOVE a"]
    inserted, modified, removed = (record["dynamodb"] for record in answer["Records"])
    assert inserted["SequenceNumber"] == number
    assert inserted["ApproximateCreationDateTime"].timestamp() == 1_700_000_000
    assert (inserted["NewImage"]["n"], "OldImage" in inserted) == ({"N": "1"}, False)
    assert (modified["NewImage"]["n"], modified["OldImage"]["n"]) == ({"N": "2"}, {"N": "1"})
    assert (removed["OldImage"]["n"], "NewImage" in removed) == ({"N": "2"}, False)


@pytest.mark.parametrize(
    ("view_type", "images"),
    [
        ("KEYS_ONLY", set()),
        ("NEW_IMAGE", {"NewImage"}),
        ("OLD_IMAGE", {"OldImage"}),
        ("NEW_AND_OLD_IMAGES", {"NewImage", "OldImage"}),
    ],
)
def test_records_carry_what_the_view_type_allows(view_type: Any, images: set[str]) -> None:  # noqa: ANN401 - a literal
    script = ScriptedStreams("Donations", view_type=view_type)
    record = script.record("MODIFY", A, new=A, old=A)["dynamodb"]
    assert {"NewImage", "OldImage"} & set(record) == images
    assert record["StreamViewType"] == view_type


def test_time_to_live_is_a_user(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.load(A, B)
    script.delete(shard, A, expired=True)
    script.delete(shard, B)
    expired, deleted = client.get_records(ShardIterator=iterator(client, script, shard))["Records"]
    assert expired["userIdentity"] == {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
    assert "userIdentity" not in deleted


def test_deleting_what_does_not_exist_is_a_mistake_in_the_test(script: ScriptedStreams) -> None:
    shard = script.add_shard()
    with pytest.raises(KeyError):
        script.delete(shard, A)


def test_sequence_numbers_rise_over_all_shards(script: ScriptedStreams) -> None:
    first = script.add_shard()
    numbers = [script.put(first, A)]
    left, right = script.split(first)
    numbers += [script.put(right, A), script.put(left, B), script.put(right, B)]
    assert [int(number) for number in numbers] == sorted({int(number) for number in numbers})
    assert {len(number) for number in numbers} == {21}


def test_reading_goes_on_behind_a_number(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    number = script.put(shard, A)
    script.put(shard, B)
    assert read(client, script, shard, after=number) == ["INSERT b"]
    at = client.get_shard_iterator(
        StreamArn=script.stream_arn, ShardId=shard, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=number
    )
    assert events(client.get_records(ShardIterator=at["ShardIterator"])) == ["INSERT a", "INSERT b"]
    latest = client.get_shard_iterator(StreamArn=script.stream_arn, ShardId=shard, ShardIteratorType="LATEST")
    script.put(shard, B)
    assert events(client.get_records(ShardIterator=latest["ShardIterator"])) == ["MODIFY b"]


def test_records_can_be_repeated_and_invented(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.put(shard, A)
    script.put(shard, B)
    script.repeat(shard, 2)
    number = script.append(shard, script.record("REMOVE", A, old=A))
    script.put(shard, A)
    assert read(client, script, shard) == ["INSERT a", "INSERT b", "INSERT a", "INSERT b", "REMOVE a", "MODIFY a"]
    assert read(client, script, shard, after=number) == ["MODIFY a"]


# Shards.


def test_a_shard_ends_when_it_is_closed(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.put(shard, A)
    answer = client.get_records(ShardIterator=iterator(client, script, shard))
    assert "NextShardIterator" in answer
    script.close_shard(shard)
    last = client.get_records(ShardIterator=answer["NextShardIterator"])
    assert (last["Records"], "NextShardIterator" in last) == ([], False)


def test_a_closed_shard_with_more_to_read_has_not_ended(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.put(shard, A)
    script.put(shard, B)
    script.close_shard(shard)
    first = client.get_records(ShardIterator=iterator(client, script, shard), Limit=1)
    assert "NextShardIterator" in first
    assert "NextShardIterator" not in client.get_records(ShardIterator=first["NextShardIterator"])


def listed(client: DynamoDBStreamsClient, script: ScriptedStreams) -> dict[str, tuple[str, bool]]:
    """Each shard's parent, and whether it is closed, over all pages."""
    shards: dict[str, tuple[str, bool]] = {}
    after: dict[str, Any] = {}
    while True:
        page = client.describe_stream(StreamArn=script.stream_arn, **after)["StreamDescription"]
        for shard in page["Shards"]:
            closed = "EndingSequenceNumber" in shard["SequenceNumberRange"]
            shards[shard["ShardId"]] = (shard.get("ParentShardId", ""), closed)
        if "LastEvaluatedShardId" not in page:
            return shards
        after = {"ExclusiveStartShardId": page["LastEvaluatedShardId"]}


def test_a_split_has_parent_and_children(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    parent = script.add_shard()
    left, right = script.split(parent)
    assert listed(client, script) == {parent: ("", True), left: (parent, False), right: (parent, False)}


def test_long_lists_come_in_pages(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    made = [script.add_shard() for _ in range(250)]
    assert list(listed(client, script)) == made
    assert len(script.calls) == 3


def test_the_size_of_a_page_of_shards_can_be_set(client: DynamoDBStreamsClient, served: tuple[WireServer, Any]) -> None:
    script = ScriptedStreams(shards_per_page=2)
    served[0].script = script
    made = [script.add_shard() for _ in range(5)]
    assert list(listed(client, script)) == made
    assert len(script.calls) == 3


def test_a_list_can_be_incomplete_for_a_while(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    made = [script.add_shard() for _ in range(120)]
    script.hide_shard(made[110], listings=2)
    for _ in range(2):
        assert list(listed(client, script)) == [shard for shard in made if shard != made[110]]
    assert list(listed(client, script)) == made


def test_a_closed_shard_can_be_shown_open_for_a_while(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.close_shard(shard)
    script.show_open(shard)
    assert listed(client, script) == {shard: ("", False)}
    assert listed(client, script) == {shard: ("", True)}


def test_what_is_trimmed_cannot_be_read(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    numbers = [script.put(shard, A), script.put(shard, B), script.put(shard, A)]
    waiting = iterator(client, script, shard)
    script.trim(shard, 2)
    assert read(client, script, shard) == ["MODIFY a"]
    for number in numbers[:2]:
        with pytest.raises(client.exceptions.TrimmedDataAccessException):
            iterator(client, script, shard, after=number)
    with pytest.raises(client.exceptions.TrimmedDataAccessException):
        client.get_records(ShardIterator=waiting)
    assert read(client, script, shard, after=numbers[2]) == []
    script.trim(shard)
    assert read(client, script, shard) == []


def test_a_shard_can_vanish(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    gone, kept = script.add_shard(), script.add_shard()
    waiting = iterator(client, script, gone)
    script.remove_shard(gone)
    assert list(listed(client, script)) == [kept]
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        iterator(client, script, gone)
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.get_records(ShardIterator=waiting)


def test_a_stream_can_vanish(script: ScriptedStreams, client: DynamoDBStreamsClient, dynamodb: DynamoDBClient) -> None:
    script.add_shard()
    script.remove_stream()
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.describe_stream(StreamArn=script.stream_arn)
    assert "LatestStreamArn" not in dynamodb.describe_table(TableName="Donations")["Table"]


# Faults.


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        (Fault.THROTTLED, 400),
        (Fault.TOO_MANY_READERS, 400),
        (Fault.INTERNAL, 500),
        (Fault.EXPIRED_ITERATOR, 400),
        (Fault.DENIED, 400),
        ("SomethingElse", 400),
    ],
)
def test_errors_come_as_often_as_asked_and_in_order(
    script: ScriptedStreams, client: DynamoDBStreamsClient, fault: str, status: int
) -> None:
    script.fail("DescribeStream", fault, times=2)
    script.fail("DescribeStream", Fault.INVALID)
    for expected in (fault, fault, Fault.INVALID):
        with pytest.raises(ClientError) as raised:
            client.describe_stream(StreamArn=script.stream_arn)
        assert name_of(raised) == expected
        expected_status = 400 if expected == Fault.INVALID else status
        assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == expected_status
    assert listed(client, script) == {}


def test_errors_meet_only_their_operation(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.fail("GetRecords", Fault.THROTTLED)
    waiting = iterator(client, script, shard)
    with pytest.raises(ClientError):
        client.get_records(ShardIterator=waiting)
    assert client.get_records(ShardIterator=waiting)["Records"] == []


def test_a_load_balancer_answers_in_html(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    script.fail("DescribeStream", Fault.HTML)
    with pytest.raises(ClientError) as raised:
        client.describe_stream(StreamArn=script.stream_arn)
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 503


def test_a_connection_can_break_without_an_answer(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    script.fail("DescribeStream", Fault.RESET)
    with pytest.raises(ConnectionClosedError):
        client.describe_stream(StreamArn=script.stream_arn)
    assert len(script.calls) == 1


def raw_answer(url: str, script: ScriptedStreams) -> tuple[bytes, Message]:
    """Ask for the list of shards without a client that might repair the answer."""
    connection = HTTPConnection(url.removeprefix("http://"))
    with closing(connection):
        request = json.dumps({"StreamArn": script.stream_arn})
        connection.request("POST", "/", request, {"X-Amz-Target": "DynamoDBStreams_20120810.DescribeStream"})
        answer = connection.getresponse()
        assert answer.status == 200
        return answer.read(), answer.headers


def test_answers_can_arrive_broken(
    script: ScriptedStreams, served: tuple[WireServer, str, DynamoDBClient, DynamoDBStreamsClient]
) -> None:
    script.add_shard()
    url = served[1]
    whole, headers = raw_answer(url, script)
    assert headers["x-amz-crc32"] == str(zlib.crc32(whole))

    script.fail("DescribeStream", Fault.CUT_BODY)
    with pytest.raises(IncompleteRead) as raised:
        raw_answer(url, script)
    assert raised.value.partial == whole[: len(whole) // 2]

    script.fail("DescribeStream", Fault.CUT_JSON)
    body, headers = raw_answer(url, script)
    assert (body, headers["x-amz-crc32"]) == (whole[: len(whole) // 2], str(zlib.crc32(body)))

    script.fail("DescribeStream", Fault.INVALID_JSON)
    body, headers = raw_answer(url, script)
    with pytest.raises(ValueError, match="Expecting property name"):
        json.loads(body)
    assert headers["x-amz-crc32"] == str(zlib.crc32(body))

    script.fail("DescribeStream", Fault.WRONG_CHECKSUM)
    body, headers = raw_answer(url, script)
    assert body == whole
    assert headers["x-amz-crc32"] != str(zlib.crc32(body))


def test_iterators_can_expire(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.put(shard, A)
    unused = iterator(client, script, shard)
    used = client.get_records(ShardIterator=iterator(client, script, shard))["NextShardIterator"]
    script.expire_iterators()
    for old in (unused, used):
        with pytest.raises(client.exceptions.ExpiredIteratorException):
            client.get_records(ShardIterator=old)
    assert read(client, script, shard) == ["INSERT a"]


def test_an_iterator_that_was_never_given_is_refused(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    with pytest.raises(ClientError) as raised:
        client.get_records(ShardIterator="bm90aGluZw==")
    assert name_of(raised) == "ValidationException"
    assert len(script.calls) == 1


def test_pages_can_be_empty_with_records_waiting(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()
    script.put(shard, A)
    script.close_shard(shard)
    script.empty_pages(shard, 3)
    waiting = iterator(client, script, shard)
    for _ in range(3):
        answer = client.get_records(ShardIterator=waiting)
        assert answer["Records"] == []
        waiting = answer["NextShardIterator"]
    last = client.get_records(ShardIterator=waiting)
    assert (events(last), "NextShardIterator" in last) == (["INSERT a"], False)


def test_a_closed_shard_gives_its_empty_pages_before_its_end(
    script: ScriptedStreams, client: DynamoDBStreamsClient
) -> None:
    shard = script.add_shard()
    script.close_shard(shard)
    script.empty_pages(shard, 2)
    first = client.get_records(ShardIterator=iterator(client, script, shard))
    assert "NextShardIterator" in first
    assert "NextShardIterator" not in client.get_records(ShardIterator=first["NextShardIterator"])


def test_an_operation_that_is_not_scripted_says_so(script: ScriptedStreams, dynamodb: DynamoDBClient) -> None:
    with pytest.raises(ClientError) as raised:
        dynamodb.list_tables()
    assert name_of(raised) == "UnknownOperationException"
    assert script.calls[-1].operation == "ListTables"


@pytest.fixture
def eager_threads() -> Iterator[None]:
    """Let threads take turns as often as they can, so that what is not locked shows."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("eager_threads")
def test_many_threads_may_write_and_read(script: ScriptedStreams, client: DynamoDBStreamsClient) -> None:
    shard = script.add_shard()

    def write() -> None:
        for number in range(200):
            script.put(shard, {"id": {"S": str(number)}})

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    seen: list[str] = []
    waiting = iterator(client, script, shard)
    while len(seen) < 800:
        answer = client.get_records(ShardIterator=waiting)
        seen += events(answer)
        waiting = answer["NextShardIterator"]
    for thread in threads:
        thread.join()
    # Whoever came first inserted, and everybody else saw that.
    assert sorted(seen) == sorted([f"{event} {n}" for n in range(200) for event in ("INSERT", *["MODIFY"] * 3)])
    numbers = [record.number for record in script._shards[shard].records]
    assert numbers == sorted(numbers)
