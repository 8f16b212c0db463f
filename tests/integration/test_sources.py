"""The sources against a real DynamoDB: every kind of record, throttling storms, interrupted scans, other streams."""

from __future__ import annotations

import base64
import io
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from types_boto3_dynamodb import DynamoDBClient

from dynalens.change import Change
from dynalens.config import SourceConfig
from dynalens.errors import StreamDisabledError, TableNotFoundError, ViewTypeError
from dynalens.partition import START, Partition, Position
from dynalens.retry import RetryPolicy
from dynalens.source import Batch, Reader
from dynalens.source.aws import Aws, TransientError
from dynalens.source.scan import ScanSource, rows_read
from dynalens.source.streams import StreamSource, VanishedError
from dynalens.source.table import describe, require_new_images, table_info
from tests.conftest import KeyType, TableFactory
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.unit.source.virtual_time import Clock, Stop
from tests.waiting import observed

# As boto3 takes them: binary is bytes.
ITEMS: dict[str, dict[str, Any]] = {
    "every type": {
        "s": {"S": "text"},
        "n": {"N": "12.5"},
        "b": {"B": b"\x00\xff"},
        "t": {"BOOL": True},
        "f": {"BOOL": False},
        "z": {"NULL": True},
        "l": {"L": [{"S": "a"}, {"N": "1"}, {"L": []}, {"B": b"deep"}]},
        "m": {"M": {"a": {"M": {"b": {"NS": ["1", "2.5"]}}}, "c": {"L": [{"BS": [b"\x00"]}]}}},
        "ss": {"SS": ["a", "b"]},
        "ns": {"NS": ["1", "2.5"]},
        "bs": {"BS": [b"\x00", b"q"]},
    },
    "numbers": {
        "longest": {"N": "12345678901234567890123456789012345678"},
        "largest": {"N": "9.9999999999999999999999999999999999999E+125"},
        "smallest": {"N": "1E-130"},
        "negative": {"N": "-0.000000000000000000000000000000000000001"},
    },
    "empty": {"s": {"S": ""}, "b": {"B": b""}, "l": {"L": []}},
    "odd names": {"a.b": {"N": "1"}, "a": {"M": {"b": {"N": "2"}}}, "$x": {"S": "'\""}, " ": {"S": "\x00\n"}},
    "large": {"text": {"S": "x" * 390_000}},
}


@pytest.fixture
def aws(dynamodb_local: DynamoDBLocal, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    with closing(Aws(SourceConfig(endpoint_url=dynamodb_local.endpoint_url))) as aws:
        yield aws


@pytest.fixture
def client(dynamodb_local: DynamoDBLocal) -> DynamoDBClient:
    return dynamodb_local.client("dynamodb")


def stream_of(aws: Aws, table: str, *, policy: RetryPolicy | None = None) -> StreamSource:
    return StreamSource(aws, table_info(aws, table), stop=threading.Event(), policy=policy or RetryPolicy())


def changes_until(reader: Reader, count: int) -> list[Change]:
    """Read until so many changes have come; an empty page means nothing."""
    changes: list[Change] = []

    def enough() -> bool:
        batch = reader.read()
        assert batch.poison == []
        changes.extend(batch.changes)
        return len(changes) >= count

    observed(enough)
    assert len(changes) == count
    return changes


def canonical(item: Mapping[str, Any]) -> dict[str, Any]:
    """Give an item as boto3 or the wire has it in one form: binary as base64, numbers as numbers, sets as sets."""
    return {name: {kind: CANONICAL[kind](value)} for name, typed in item.items() for kind, value in typed.items()}


def base64_text(value: bytes | str) -> str:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


CANONICAL: dict[str, Callable[[Any], Any]] = {
    "S": str,
    "N": Decimal,
    "B": base64_text,
    "BOOL": bool,
    "NULL": bool,
    "L": lambda members: [canonical({"": member}) for member in members],
    "M": canonical,
    "SS": set,
    "NS": lambda members: set(map(Decimal, members)),
    "BS": lambda members: set(map(base64_text, members)),
}


# The stream.


def test_every_kind_of_record_arrives_whole_and_in_order(
    aws: Aws, client: DynamoDBClient, table_factory: TableFactory
) -> None:
    table = table_factory({"id": "S", "part": "B"})
    keys: dict[str, Any] = {name: {"id": {"S": name}, "part": {"B": name.encode()}} for name in ITEMS}
    for name, item in ITEMS.items():
        client.put_item(TableName=table, Item={**keys[name], **item})
    client.put_item(TableName=table, Item={**keys["empty"], "now": {"S": "full"}})
    for key in keys.values():
        client.delete_item(TableName=table, Key=key)

    source = stream_of(aws, table)
    [partition] = source.discover()
    changes = changes_until(source.open(partition, START), 2 * len(ITEMS) + 1)

    assert [change.kind for change in changes] == ["insert"] * len(ITEMS) + ["modify"] + ["remove"] * len(ITEMS)
    inserted = changes[: len(ITEMS)]
    for change, (name, item) in zip(inserted, ITEMS.items(), strict=True):
        assert change.new is not None
        assert canonical(change.new.typed()) == canonical({**keys[name], **item})
        assert json.loads(change.new.json)["id"] == name
    modified = changes[len(ITEMS)]
    assert modified.old is not None
    assert canonical(modified.old.typed()) == canonical({**keys["empty"], **ITEMS["empty"]})
    assert [change.id for change in changes[-len(ITEMS) :]] == [change.id for change in inserted]
    numbers = [int(change.sequence_number) for change in changes]
    assert numbers == sorted(set(numbers))


def test_empty_maps_arrive_although_dynamodb_local_leaves_their_type_out(
    aws: Aws, client: DynamoDBClient, table_factory: TableFactory
) -> None:
    # Its stream records say `"m": {}` where AWS says `"m": {"M": {}}`, on every level; its scans do not.
    table = table_factory({"id": "S"})
    empty: dict[str, Any] = {"M": {}}
    client.put_item(
        TableName=table, Item={"id": {"S": "a"}, "m": empty, "deep": {"M": {"m": empty, "l": {"L": [empty]}}}}
    )
    source = stream_of(aws, table)
    [partition] = source.discover()
    [change] = changes_until(source.open(partition, START), 1)
    assert change.new is not None
    assert json.loads(change.new.json) == {"id": "a", "m": {}, "deep": {"m": {}, "l": [{}]}}
    assert change.new.typed() == aws.item(table, {"id": {"S": "a"}})


def test_reading_goes_on_from_every_position(aws: Aws, client: DynamoDBClient, table_factory: TableFactory) -> None:
    table = table_factory({"id": "S"})
    for number in range(12):
        client.put_item(TableName=table, Item={"id": {"S": f"{number:02}"}})
    source = stream_of(aws, table)
    [partition] = source.discover()
    for change in changes_until(source.open(partition, START), 12):
        at = Position(rank=int(change.sequence_number), token=change.sequence_number)
        rest = 11 - int(change.id)
        assert [later.id for later in changes_until(source.open(partition, at), rest)] == [
            f"{number:02}" for number in range(12 - rest, 12)
        ]


def test_the_first_record_of_an_empty_shard_is_no_gap(
    aws: Aws, client: DynamoDBClient, table_factory: TableFactory
) -> None:
    table = table_factory({"id": "S"})
    source = stream_of(aws, table)
    [partition] = source.discover()
    readers = [source.open(partition, START) for _ in range(3)]
    assert [readers[0].read().changes, readers[1].read().changes, readers[1].read().changes] == [[], [], []]
    client.put_item(TableName=table, Item={"id": {"S": "first"}})
    for reader in readers:
        assert [change.id for change in changes_until(reader, 1)] == ["first"]


def test_more_records_than_a_page_holds(aws: Aws, client: DynamoDBClient, table_factory: TableFactory) -> None:
    table = table_factory({"id": "S"})
    written = [f"{number:04}" for number in range(2300)]
    put_all(client, table, [{"id": {"S": name}, "text": {"S": "x" * 200}} for name in written])
    source = stream_of(aws, table)
    [partition] = source.discover()
    reader = source.open(partition, START)
    batches: list[Batch] = []

    def all_read() -> bool:
        batches.append(reader.read())
        return sum(len(batch.changes) for batch in batches) >= len(written)

    observed(all_read)
    assert max(len(batch.changes) for batch in batches) == 1000
    assert sorted(change.id for batch in batches for change in batch.changes) == written


# Storms.


@contextmanager
def throttled(aws: Aws, *, calls: int) -> Iterator[list[str]]:
    """Throttle each operation's first so many calls; give the names of the operations that were throttled."""
    counts: dict[str, int] = {}
    throttled: list[str] = []

    def storm(request: AWSPreparedRequest, **_: object) -> Any:  # noqa: ANN401 - an answer, or None to go on
        operation = str(request.headers["X-Amz-Target"]).rpartition(".")[2].rstrip("'")
        counts[operation] = counts.get(operation, 0) + 1
        if counts[operation] % (calls + 1) == 0:
            return None
        throttled.append(operation)
        body = b'{"__type":"com.amazon.coral.availability#ThrottlingException","message":"Rate exceeded"}'
        return AWSResponse(request.url, 400, HTTPHeaders(), Raw(body))

    events = [(aws._dynamodb, "before-send.dynamodb"), (aws._streams, "before-send.dynamodb-streams")]
    for owner, event in events:
        owner.meta.events.register(event, storm)
    try:
        yield throttled
    finally:
        for owner, event in events:
            owner.meta.events.unregister(event, storm)


class Raw(io.BytesIO):
    """A body as botocore takes it from urllib3."""

    def stream(self) -> Iterator[bytes]:
        yield self.read()


def test_a_throttling_storm_on_every_call_loses_nothing(
    aws: Aws, client: DynamoDBClient, table_factory: TableFactory
) -> None:
    table = table_factory({"id": "S"})
    written = [f"{number:02}" for number in range(40)]
    put_all(client, table, [{"id": {"S": name}} for name in written])
    at_once = RetryPolicy(base_seconds=0.0, attempts=12)
    clock = Clock()
    with throttled(aws, calls=5) as calls:
        info = table_info(aws, table, policy=at_once)
        source = StreamSource(aws, info, stop=threading.Event(), policy=at_once)
        [partition] = source.discover()
        changes = changes_until(source.open(partition, START), 40)
        scan = scan_of(aws, table, clock=clock, policy=at_once)
        rows = [change.id for batch in read_scan(scan, {}) for change in batch.changes]
    assert sorted(change.id for change in changes) == written
    assert sorted(rows) == written
    assert set(calls) == {"DescribeTable", "DescribeStream", "GetShardIterator", "GetRecords", "Scan"}


def test_a_storm_that_stays_is_reported(aws: Aws, table_factory: TableFactory) -> None:
    table = table_factory({"id": "S"})
    source = stream_of(aws, table, policy=RetryPolicy(base_seconds=0.0, attempts=3))
    [partition] = source.discover()
    with throttled(aws, calls=99) as calls, pytest.raises(TransientError, match="Rate exceeded"):
        source.open(partition, START).read()
    assert calls == ["GetShardIterator"] * 3


# Scans.


def put_all(client: DynamoDBClient, table: str, items: Sequence[dict[str, Any]]) -> None:
    for first in range(0, len(items), 25):
        requests: Any = [{"PutRequest": {"Item": item}} for item in items[first : first + 25]]
        answer = client.batch_write_item(RequestItems={table: requests})
        assert answer["UnprocessedItems"] == {}


def scan_of(  # noqa: PLR0913 - each test sets another one
    aws: Aws,
    table: str,
    *,
    clock: Clock,
    segments: int = 4,
    read_units: float = 1e9,
    consistent: bool = True,
    policy: RetryPolicy | None = None,
    page_rows: int = 17,
) -> ScanSource:
    return ScanSource(
        aws,
        table_info(aws, table, policy=policy or RetryPolicy()),
        copy="1",
        segments=segments,
        read_units=read_units,
        consistent=consistent,
        stop=Stop(clock),
        policy=policy or RetryPolicy(),
        page_rows=page_rows,
        clock=clock,
    )


def read_scan(source: ScanSource, positions: dict[Partition, Position], *, pages: int = 10_000) -> list[Batch]:
    """Read all segments in turn, page by page, keeping positions as a store would: as text."""
    readers = {partition: source.open(partition, positions.get(partition, START)) for partition in source.discover()}
    batches: list[Batch] = []
    while len(batches) < pages and (open_ := [one for one in readers if not positions.get(one, START).ended]):
        for partition in open_[: pages - len(batches)]:
            batch = readers[partition].wait_and_read()
            batches.append(batch)
            positions[partition] = Position(batch.position.ended, batch.position.rank, str(batch.position.token))
    return batches


@pytest.mark.parametrize("kind", ["S", "N", "B"])
@pytest.mark.parametrize("segments", [1, 5])
def test_a_scan_interrupted_in_the_middle_of_its_segments_equals_the_table(
    aws: Aws,
    client: DynamoDBClient,
    table_factory: TableFactory,
    kind: KeyType,
    segments: int,
) -> None:
    table = table_factory({"id": kind, "sort": "N"})
    values: dict[str, Any] = {"S": "key {}".format, "N": str, "B": lambda number: bytes([number // 256, number % 256])}
    items = [{"id": {kind: values[kind](number // 3)}, "sort": {"N": str(number)}} for number in range(300)]
    put_all(client, table, items)
    positions: dict[Partition, Position] = {}
    batches: list[Batch] = []
    while not batches or not all(position.ended for position in positions.values()):
        # A new source each time, as after a crash: the positions are all that is left.
        batches += read_scan(scan_of(aws, table, clock=Clock(), segments=segments), positions, pages=4)
    seen = [change.id for batch in batches for change in batch.changes]
    assert len(seen) == len(set(seen)) == 300
    assert rows_read(positions.values()) == 300
    rows = [change.new.typed() for batch in batches for change in batch.changes if change.new is not None]
    by_sort_key = sorted(map(canonical, rows), key=lambda row: row["sort"]["N"])
    assert by_sort_key == list(map(canonical, items))


@pytest.mark.parametrize("consistent", [True, False])
def test_a_scan_stays_within_the_units_that_the_service_counts(
    aws: Aws,
    client: DynamoDBClient,
    table_factory: TableFactory,
    consistent: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    table = table_factory({"id": "S"})
    put_all(client, table, [{"id": {"S": str(number)}, "text": {"S": "x" * 3000}} for number in range(200)])
    clock = Clock()
    source = scan_of(aws, table, clock=clock, read_units=20.0, consistent=consistent, page_rows=1000)
    counted: list[float] = []
    settle = source.budget.settle

    def count(reserved: float, consumed: float) -> None:
        counted.append(consumed)
        settle(reserved, consumed)

    source.budget.settle = count  # type: ignore[method-assign]
    started = clock.now
    rows = [change for batch in read_scan(source, {}) for change in batch.changes]
    assert len(rows) == 200
    # 200 rows of 3 kB are 600 kB: 147 units, half as many for eventual consistency, and a rounding for each page.
    least = 147 if consistent else 73
    assert least <= source.budget.consumed == sum(counted) <= 1.4 * least
    assert source.budget.consumed <= 20.0 * (clock.now - started) + 2 * 20.0
    assert max(counted) <= 20.0


# Tables and streams that change.


def test_tables_are_described_as_they_are(aws: Aws, dynamodb_local: DynamoDBLocal, table_factory: TableFactory) -> None:
    config = SourceConfig(endpoint_url=dynamodb_local.endpoint_url)
    table = table_factory({"customer": "S", "number": "N"}, name="Orders")
    info = describe(config, table)
    assert info.keys.names == ("customer", "number")
    assert (info.view_type, info.billing, info.enabled) == ("NEW_AND_OLD_IMAGES", "PAY_PER_REQUEST", True)
    with pytest.raises(TableNotFoundError, match="Nowhere"):
        describe(config, "Nowhere")
    with pytest.raises(StreamDisabledError):
        describe(config, table_factory({"id": "S"}, view_type=None))
    with pytest.raises(ViewTypeError, match="KEYS_ONLY"):
        require_new_images(table_info(aws, table_factory({"id": "S"}, view_type="KEYS_ONLY")))


def test_one_item_is_read_by_its_key(aws: Aws, client: DynamoDBClient, table_factory: TableFactory) -> None:
    table = table_factory({"id": "B"})
    client.put_item(TableName=table, Item={"id": {"B": b"\x00"}, "n": {"N": "12345678901234567890123456789012345678"}})
    key = {"id": {"B": "AA=="}}
    assert aws.item(table, key) == {**key, "n": {"N": "12345678901234567890123456789012345678"}}
    assert aws.item(table, {"id": {"B": "AQ=="}}) is None


def test_a_stream_turned_off_and_on_is_another_one_and_the_old_one_is_read_to_its_end(
    aws: Aws, client: DynamoDBClient, table_factory: TableFactory
) -> None:
    table = table_factory({"id": "S"})
    old = stream_of(aws, table)
    client.put_item(TableName=table, Item={"id": {"S": "before"}})
    client.update_table(TableName=table, StreamSpecification={"StreamEnabled": False})
    observed(lambda: not table_info(aws, table).enabled)
    client.update_table(
        TableName=table, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}
    )
    client.put_item(TableName=table, Item={"id": {"S": "after"}})
    new = stream_of(aws, table)
    assert new.stream_arn != old.stream_arn
    for source, expected in ((old, "before"), (new, "after")):
        [partition] = source.discover()
        assert [change.id for change in changes_until(source.open(partition, START), 1)] == [expected]


def test_the_stream_of_a_deleted_table_is_read_to_its_end_beside_that_of_the_new_one(
    aws: Aws, client: DynamoDBClient, table_factory: TableFactory
) -> None:
    table = table_factory({"id": "S"})
    old = stream_of(aws, table)
    client.put_item(TableName=table, Item={"id": {"S": "before"}})
    description = client.describe_table(TableName=table)["Table"]
    client.delete_table(TableName=table)
    with pytest.raises(TableNotFoundError):
        table_info(aws, table)
    client.create_table(
        TableName=table,
        KeySchema=description["KeySchema"],
        AttributeDefinitions=description["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    client.put_item(TableName=table, Item={"id": {"S": "after"}})
    new = stream_of(aws, table)
    assert new.stream_arn != old.stream_arn
    [partition] = old.discover()
    reader = old.open(partition, START)
    assert [change.id for change in changes_until(reader, 1)] == ["before"]
    assert observed(reader.read).ended
    [partition] = new.discover()
    assert [change.id for change in changes_until(new.open(partition, START), 1)] == ["after"]


def test_a_stream_that_never_existed_is_a_gap(aws: Aws, table_factory: TableFactory) -> None:
    info = table_info(aws, table_factory({"id": "S"}))
    nowhere = replace(info, stream_arn=info.stream_arn[:-23] + "2020-01-01T00:00:00.000")
    source = StreamSource(aws, nowhere, stop=threading.Event())
    with pytest.raises(VanishedError):
        source.discover()
    with pytest.raises(VanishedError):
        source.open(Partition("shardId-00000001700000000000-12345678"), START).read()
