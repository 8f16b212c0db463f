"""A small hand-written replicator, as they are written into functions everywhere, and the mistakes that they make.

Without a mistake it survives the schedules of `test_wild.py`. Each mistake is one branch, and a test shows that its
schedule finds it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from http import HTTPStatus
from itertools import count
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from dynalens.change import Typed
from dynalens.testing import ScriptedStreams
from tests.services.dynamodb_local import ENVIRONMENT

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient

_END = "end"
_QUIET_ROUNDS = 3


class Mistake(StrEnum):
    """What was found in the wild."""

    POISON_BLOCKS = "a poison record blocks its shard"
    ERROR_IS_END = "an error of GetShardIterator is taken for the shard's end"
    LATEST_ON_CHILDREN = "LATEST is used on child shards"
    COMMIT_BEFORE_ACKNOWLEDGEMENT = "the position moves past unacknowledged records"
    ONE_PAGE_OF_SHARDS = "DescribeStream is read without pages"
    COUNTER_RESTARTS = "a version counter in memory restarts within one second"
    DELETES_LAST = "a delete and a re-insert in one batch are applied in the wrong order"
    STATUSES_IGNORED = "a 429 inside a 200 is dropped"
    SCAN_REVIVES = "a deleted item is brought back by a scan"


class BulkIndex:
    """A server with a bulk call and external versions, as search servers have them."""

    def __init__(self) -> None:
        self._rows: dict[str, tuple[int, Mapping[str, Typed] | None]] = {}
        self._throttled = 0
        self._failing = 0

    def throttle(self) -> None:
        """Answer the first item of the next bulk with 429."""
        self._throttled += 1

    def fail(self) -> None:
        """Do nothing of the next bulk, and break its connection."""
        self._failing += 1

    def bulk(self, writes: Sequence[tuple[str, int, Mapping[str, Typed] | None]]) -> list[int]:
        """Apply writes of id, version and item, None to delete; give a status for each."""
        if self._failing:
            self._failing -= 1
            raise ConnectionError
        return [self._apply(*write) for write in writes]

    def _apply(self, id_: str, version: int, item: Mapping[str, Typed] | None) -> int:
        if self._throttled:
            self._throttled -= 1
            return HTTPStatus.TOO_MANY_REQUESTS
        if id_ in self._rows and self._rows[id_][0] >= version:
            return HTTPStatus.CONFLICT
        self._rows[id_] = (version, item)
        return HTTPStatus.OK

    def documents(self) -> dict[str, Mapping[str, Typed]]:
        """Give what is there, by id."""
        return {id_: item for id_, (_, item) in self._rows.items() if item is not None}


class NaiveReplica:
    """Scans once, then reads every shard in turn. What survives a crash is the index and the positions."""

    def __init__(self, streams: ScriptedStreams, mistakes: frozenset[Mistake] = frozenset()) -> None:
        self._mistakes = mistakes
        self._table, self._stream = streams.table, streams.stream_arn
        self._index = BulkIndex()
        self._positions: dict[str, str] = {}
        options = Config(retries={"total_max_attempts": 1})
        session = boto3.Session(ENVIRONMENT["AWS_ACCESS_KEY_ID"], ENVIRONMENT["AWS_SECRET_ACCESS_KEY"])
        self._dynamodb: DynamoDBClient = session.client(
            "dynamodb", region_name="eu-west-1", endpoint_url=streams.endpoint_url, config=options
        )
        self._streams: DynamoDBStreamsClient = session.client(
            "dynamodbstreams", region_name="eu-west-1", endpoint_url=streams.endpoint_url, config=options
        )
        self._counter = count(1)

    # What a schedule does with a replica.

    def start(self, while_scanning: Callable[[], None]) -> None:
        """Copy what is there; something may happen between the scan's page and its rows."""
        rows = self._dynamodb.scan(TableName=self._table, ConsistentRead=True)["Items"]
        while_scanning()
        self.catch_up()
        # Versions begin at 1, so that those of a scan lose to every change.
        version = 10**30 if Mistake.SCAN_REVIVES in self._mistakes else 0
        self._index.bulk([(item["id"]["S"], version, item) for item in rows])

    def catch_up(self) -> None:
        """Read until nothing comes any more."""
        for _ in range(_QUIET_ROUNDS):
            while sum(self._read(shard) for shard in self._shards()):
                pass

    def crash(self) -> None:
        """Lose what is in memory."""
        self._counter = count(1)

    def fail_write(self) -> None:
        """Let the next write of the target fail as a whole."""
        self._index.fail()

    def throttle_write(self) -> None:
        """Let the target refuse a part of the next write for now."""
        self._index.throttle()

    def equals(self, items: Mapping[str, Mapping[str, Typed]]) -> bool:
        """Say whether the copy equals the table."""
        return self._index.documents() == items

    def close(self) -> None:
        """End."""
        self._dynamodb.close()
        self._streams.close()

    # Reading.

    def _shards(self) -> list[dict[str, Any]]:
        shards: list[dict[str, Any]] = []
        request = {"StreamArn": self._stream}
        while True:
            described: Any = self._streams.describe_stream(**request)["StreamDescription"]  # type: ignore[arg-type]
            shards += described["Shards"]
            last = described.get("LastEvaluatedShardId")
            if not last or Mistake.ONE_PAGE_OF_SHARDS in self._mistakes:
                return [shard for shard in shards if self._positions.get(shard.get("ParentShardId", ""), _END) == _END]
            request["ExclusiveStartShardId"] = last

    def _read(self, shard: Mapping[str, Any]) -> bool:
        """Read one page of a shard and apply it; say whether there was one."""
        name = shard["ShardId"]
        position = self._positions.setdefault(name, "")
        if position == _END:
            return False
        try:
            iterator = self._iterator(name, position, is_child="ParentShardId" in shard)
            page: Any = self._streams.get_records(ShardIterator=iterator)
        except (ClientError, BotoCoreError):
            if Mistake.ERROR_IS_END in self._mistakes:
                self._positions[name] = _END
            return False
        records = page["Records"]
        after = records[-1]["dynamodb"]["SequenceNumber"] if records else position
        after = after if "NextShardIterator" in page else _END
        return self._apply_page(name, records, after)

    def _iterator(self, shard: str, position: str, *, is_child: bool) -> str:
        if position:
            answer = self._streams.get_shard_iterator(
                StreamArn=self._stream,
                ShardId=shard,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                SequenceNumber=position,
            )
        else:
            latest = is_child and Mistake.LATEST_ON_CHILDREN in self._mistakes
            answer = self._streams.get_shard_iterator(
                StreamArn=self._stream, ShardId=shard, ShardIteratorType="LATEST" if latest else "TRIM_HORIZON"
            )
        return answer["ShardIterator"]

    # Applying.

    def _apply_page(self, shard: str, records: Sequence[Mapping[str, Any]], after: str) -> bool:
        try:
            writes = [write for record in records for write in self._writes(record)]
        except LookupError:
            # Poison: everything behind it waits until it expires.
            return False
        if Mistake.DELETES_LAST in self._mistakes:
            writes = [
                (id_, version, item)
                for (id_, _, item), (_, version, _) in zip(
                    sorted(writes, key=lambda write: write[2] is None), writes, strict=True
                )
            ]
        if Mistake.COMMIT_BEFORE_ACKNOWLEDGEMENT in self._mistakes:
            self._positions[shard] = after
        try:
            statuses = self._index.bulk(writes)
        except ConnectionError:
            return bool(records)
        if HTTPStatus.TOO_MANY_REQUESTS not in statuses or Mistake.STATUSES_IGNORED in self._mistakes:
            self._positions[shard] = after
        return bool(records)

    def _writes(self, record: Mapping[str, Any]) -> list[tuple[str, int, Mapping[str, Typed] | None]]:
        try:
            stream = record["dynamodb"]
            return [(stream["Keys"]["id"]["S"], self._version(stream), stream.get("NewImage"))]
        except LookupError:
            if Mistake.POISON_BLOCKS in self._mistakes:
                raise
            # Put aside; the rest goes on.
            return []

    def _version(self, stream: Mapping[str, Any]) -> int:
        if Mistake.COUNTER_RESTARTS in self._mistakes:
            return next(self._counter)
        return int(stream["SequenceNumber"])
