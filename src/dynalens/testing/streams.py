"""A table and its stream whose every turn a test decides, served over HTTP on loopback.

`ScriptedStreams` speaks the JSON wire of DynamoDB Streams (DescribeStream, GetShardIterator, GetRecords) and of
DynamoDB (DescribeTable, GetItem, Scan) for one table, so that an unchanged client, and a whole pipeline, can be
pointed at it.
Emulators split no shards, trim nothing, repeat nothing and never fail; here each of these is one call.

    with ScriptedStreams("Donations", keys=("email",)) as streams:
        parent = streams.add_shard()
        streams.put(parent, {"email": {"S": "a@test.com"}, "amount": {"N": "10"}})
        left, right = streams.split(parent)
        streams.fail("GetRecords", Fault.CUT_BODY, times=3)
        config = SourceConfig(endpoint_url=streams.endpoint_url)

What is not imitated: permissions, signatures, throughput, and the order in which AWS lists shards of one age.

Sources: the actions' pages in the Amazon DynamoDB and DynamoDB Streams API references.
"""

from __future__ import annotations

import base64
import json
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Literal, NamedTuple, Self

from dynalens.testing.wire import Fault, WireError, WireServer

Item = Mapping[str, Mapping[str, Any]]
"""An item, or its key, in DynamoDB JSON."""

Operation = Literal["DescribeTable", "GetItem", "Scan", "DescribeStream", "GetShardIterator", "GetRecords"]
ViewType = Literal["KEYS_ONLY", "NEW_IMAGE", "OLD_IMAGE", "NEW_AND_OLD_IMAGES"]

UNIT_BYTES = 4096


class Call(NamedTuple):
    """One request that was received, in `ScriptedStreams.calls`."""

    operation: str
    request: dict[str, Any]


class ScriptedStreams:
    """One table with a stream, served while its `with` block runs. Every method may be called from any thread.

    Args:
        table: The table's name.
        keys: Names of the key attributes: partition key, then sort key if there is one.
        view_type: What the records carry; None for a table without a stream.
        shards_per_page: Most shards in one answer of DescribeStream (AWS: 100).
        clock: Gives the epoch seconds that records carry.
    """

    def __init__(
        self,
        table: str = "Scripted",
        *,
        keys: Sequence[str] = ("id",),
        view_type: ViewType | None = "NEW_AND_OLD_IMAGES",
        shards_per_page: int = 100,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.table = table
        self.table_arn = f"arn:aws:dynamodb:us-east-1:000000000000:table/{table}"
        self.stream_arn = f"{self.table_arn}/stream/2020-01-01T00:00:00.000"
        self.endpoint_url = ""
        """Where it listens, as soon as it does: what `source.endpoint_url` takes."""
        self.calls: list[Call] = []
        """Every request received so far, those that were made to fail included."""
        self.shards_per_page = shards_per_page
        self._keys = tuple(keys)
        self._view_type = view_type
        self._clock = clock
        self._lock = threading.RLock()
        self._items: dict[str, Item] = {}
        self._shards: dict[str, _Shard] = {}
        self._shards_made = 0
        self._last_number = 10**20  # the shortest sequence numbers have 21 digits
        self._iterator_age = 0
        self._faults: dict[str, deque[str]] = {}

    def __enter__(self) -> Self:
        """Start to serve, on a free port."""
        self._server = WireServer(self)
        self.endpoint_url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # Writing.

    def put(self, shard: str, item: Item) -> str:
        """Write an item to the table, and its record to a shard; return the sequence number."""
        with self._lock:
            old = self._items.get(self._name(item))
            self._items[self._name(item)] = item
            return self.append(shard, self.record("MODIFY" if old else "INSERT", self._key(item), new=item, old=old))

    def delete(self, shard: str, key: Item, *, expired: bool = False) -> str:
        """Delete an item from the table, and write the record to a shard; return the sequence number.

        Args:
            shard: The shard's id.
            key: The item's key; the item must exist.
            expired: The record says that time-to-live did it ("DynamoDB Streams and Time to Live").
        """
        with self._lock:
            old = self._items.pop(self._name(key))
            return self.append(shard, self.record("REMOVE", self._key(old), old=old, expired=expired))

    def load(self, *items: Item) -> None:
        """Write items to the table alone, as if long before the stream."""
        with self._lock:
            self._items.update((self._name(item), item) for item in items)

    def items(self) -> list[Item]:
        """Give what the table holds now: what everything must equal in the end."""
        with self._lock:
            return list(self._items.values())

    def record(
        self,
        event: Literal["INSERT", "MODIFY", "REMOVE"],
        key: Item,
        *,
        new: Item | None = None,
        old: Item | None = None,
        expired: bool = False,
    ) -> dict[str, Any]:
        """Build a record with the next sequence number and the images that the view type allows; see `append`."""
        stream: dict[str, Any] = {
            "ApproximateCreationDateTime": int(self._clock()),
            "Keys": key,
            "SequenceNumber": self._next_number(),
            "SizeBytes": len(json.dumps([key, new, old])),
            "StreamViewType": self._view_type,
        }
        if new is not None and self._view_type in {"NEW_IMAGE", "NEW_AND_OLD_IMAGES"}:
            stream["NewImage"] = new
        if old is not None and self._view_type in {"OLD_IMAGE", "NEW_AND_OLD_IMAGES"}:
            stream["OldImage"] = old
        record = {
            "eventID": stream["SequenceNumber"],
            "eventName": event,
            "eventVersion": "1.1",
            "eventSource": "aws:dynamodb",
            "awsRegion": "us-east-1",
            "dynamodb": stream,
        }
        if expired:
            record["userIdentity"] = {"PrincipalId": "dynamodb.amazonaws.com", "Type": "Service"}
        return record

    def append(self, shard: str, record: Mapping[str, Any]) -> str:
        """Write a record of your own to a shard, as it is, however odd; return the number it is found under.

        That is its sequence number where it has one, so that it can repeat or contradict what came before.
        """
        with self._lock:
            stream = record.get("dynamodb")
            number = stream.get("SequenceNumber", "") if isinstance(stream, Mapping) else ""
            found = number if str(number).isdigit() else self._next_number()
            self._shards[shard].records.append(_Record(int(found), record))
            return str(found)

    def repeat(self, shard: str, count: int, *, before: int = 0) -> None:
        """Write the last `count` records of a shard once more, as they are; or those that stand `before` so many."""
        with self._lock:
            records = self._shards[shard].records
            end = max(0, len(records) - before)
            records.extend(records[max(0, end - count) : end])

    # Shards.

    def add_shard(self, parent: str = "") -> str:
        """Open a shard, the child of another one or of none; return its id. Ids sort by age."""
        with self._lock:
            self._shards_made += 1
            shard = f"shardId-{self._shards_made:020d}-{zlib.crc32(str(self._shards_made).encode()):08x}"
            self._shards[shard] = _Shard(shard, parent, self._next_number())
            return shard

    def close_shard(self, shard: str) -> None:
        """Close a shard: it takes no more records, and its end can be read."""
        with self._lock:
            self._shards[shard].ending_number = self._next_number()

    def split(self, shard: str, into: int = 2) -> list[str]:
        """Close a shard and open its children; return their ids."""
        with self._lock:
            self.close_shard(shard)
            return [self.add_shard(shard) for _ in range(into)]

    def trim(self, shard: str, count: int | None = None) -> None:
        """Let the oldest `count` records of a shard pass their 24 hours; all that it has by default."""
        with self._lock:
            records = self._shards[shard]
            records.trimmed = len(records.records) if count is None else records.trimmed + count

    def remove_shard(self, shard: str) -> None:
        """Let a shard vanish, from the list and for its readers."""
        with self._lock:
            del self._shards[shard]

    def remove_stream(self) -> None:
        """Let the whole stream vanish, as after its table was deleted; the table stays here, without a stream."""
        with self._lock:
            self._shards.clear()
            self._view_type = None

    # Faults.

    def fail(self, operation: Operation, fault: Fault | str, *, times: int = 1) -> None:
        """Let the next `times` calls of an operation fail. Faults of one operation happen in the order given."""
        with self._lock:
            self._faults.setdefault(operation, deque()).extend([fault] * times)

    def heal(self) -> None:
        """Forget the faults that have not happened yet."""
        with self._lock:
            self._faults.clear()

    def empty_pages(self, shard: str, count: int) -> None:
        """Answer the next `count` reads of a shard without records, though there may be some."""
        with self._lock:
            self._shards[shard].empty_pages = count

    def expire_iterators(self) -> None:
        """Let every iterator handed out so far pass its 15 minutes."""
        with self._lock:
            self._iterator_age += 1

    def hide_shard(self, shard: str, *, listings: int = 1) -> None:
        """Leave a shard out of the next `listings` of DescribeStream, however many pages each has."""
        with self._lock:
            self._shards[shard].hidden = listings

    def show_open(self, shard: str, *, listings: int = 1) -> None:
        """Show a closed shard as still open in the next `listings`."""
        with self._lock:
            self._shards[shard].shown_open = listings

    # Answers. Each takes the request's members and returns those of the answer.

    def answer(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Answer one call; what the HTTP server does with each request.

        Raises:
            WireError: The call fails, with the error's name on the wire.
        """
        with self._lock:
            match operation:
                case "DescribeTable":
                    return self._describe_table(request)
                case "GetItem":
                    return self._get_item(request)
                case "Scan":
                    return self._scan(request)
                case "DescribeStream":
                    return self._describe_stream(request)
                case "GetShardIterator":
                    return self._get_shard_iterator(request)
                case "GetRecords":
                    return self._get_records(request)
        raise WireError("UnknownOperationException", f"{operation} is not scripted")

    def received(self, operation: str, request: dict[str, Any]) -> str:
        """Note a call; return the fault that it meets, or nothing."""
        with self._lock:
            self.calls.append(Call(operation, request))
            faults = self._faults.get(operation)
            return faults.popleft() if faults else ""

    def _describe_table(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check_table(request)
        description: dict[str, Any] = {
            "TableName": self.table,
            "TableArn": self.table_arn,
            "TableStatus": "ACTIVE",
            "KeySchema": self._key_schema(),
            "ItemCount": len(self._items),
            "TableSizeBytes": sum(map(_size, self._items.values())),
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        }
        if self._view_type:
            description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": self._view_type}
            description["LatestStreamArn"] = self.stream_arn
        return {"Table": description}

    def _get_item(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check_table(request)
        item = self._items.get(self._name(request["Key"]))
        return {} if item is None else {"Item": item}

    def _scan(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check_table(request)
        segment, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
        start = self._name(request["ExclusiveStartKey"]) if "ExclusiveStartKey" in request else ""
        names = sorted(name for name in self._items if zlib.crc32(name.encode()) % segments == segment and name > start)
        limit = request.get("Limit", len(names) + 1)
        items = [self._items[name] for name in names[:limit]]
        answer: dict[str, Any] = {"Items": items, "Count": len(items), "ScannedCount": len(items)}
        if items and len(items) == limit:
            answer["LastEvaluatedKey"] = self._key(items[-1])
        if request.get("ReturnConsumedCapacity") == "TOTAL":
            units = -(-sum(map(_size, items)) // UNIT_BYTES) * (1.0 if request.get("ConsistentRead") else 0.5)
            answer["ConsumedCapacity"] = {"TableName": self.table, "CapacityUnits": units}
        return answer

    def _describe_stream(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check_stream(request)
        after = request.get("ExclusiveStartShardId", "")
        if not after:
            for shard in self._shards.values():
                shard.begin_listing()
        listed = [shard.described() for shard in self._shards.values() if shard.id > after and not shard.is_hidden]
        page = listed[: min(self.shards_per_page, request.get("Limit", self.shards_per_page))]
        description: dict[str, Any] = {
            "StreamArn": self.stream_arn,
            "StreamStatus": "ENABLED",
            "StreamViewType": self._view_type,
            "TableName": self.table,
            "KeySchema": self._key_schema(),
            "Shards": page,
        }
        if len(page) < len(listed):
            description["LastEvaluatedShardId"] = page[-1]["ShardId"]
        return {"StreamDescription": description}

    def _get_shard_iterator(self, request: dict[str, Any]) -> dict[str, Any]:
        self._check_stream(request)
        shard = self._shard(request["ShardId"])
        index = shard.index(request["ShardIteratorType"], request.get("SequenceNumber", ""))
        return {"ShardIterator": self._iterator(shard, index)}

    def _get_records(self, request: dict[str, Any]) -> dict[str, Any]:
        try:
            name, index, age = json.loads(base64.b64decode(request["ShardIterator"]))
        except ValueError:
            raise WireError("ValidationException", "Invalid ShardIterator") from None
        if age != self._iterator_age:
            raise WireError("ExpiredIteratorException", "Iterator expired.")
        shard = self._shard(name)
        records = shard.read(index, request.get("Limit", 1000))
        answer: dict[str, Any] = {"Records": [record.content for record in records]}
        if not shard.ends_at(index + len(records)):
            answer["NextShardIterator"] = self._iterator(shard, index + len(records))
        return answer

    def _iterator(self, shard: _Shard, index: int) -> str:
        return base64.b64encode(json.dumps([shard.id, index, self._iterator_age]).encode()).decode()

    def _shard(self, shard: str) -> _Shard:
        if shard not in self._shards:
            raise WireError("ResourceNotFoundException", "Requested resource not found: Shard does not exist")
        return self._shards[shard]

    def _check_table(self, request: dict[str, Any]) -> None:
        if request["TableName"] not in {self.table, self.table_arn}:
            raise WireError("ResourceNotFoundException", f"Requested resource not found: Table: {request['TableName']}")

    def _check_stream(self, request: dict[str, Any]) -> None:
        if request["StreamArn"] != self.stream_arn or not self._view_type:
            message = f"Requested resource not found: Stream: {request['StreamArn']} not found"
            raise WireError("ResourceNotFoundException", message)

    def _key_schema(self) -> list[dict[str, str]]:
        kinds = ("HASH", "RANGE")
        return [{"AttributeName": name, "KeyType": kind} for name, kind in zip(self._keys, kinds, strict=False)]

    def _key(self, item: Item) -> Item:
        return {name: item[name] for name in self._keys}

    def _name(self, item: Item) -> str:
        return json.dumps(self._key(item), sort_keys=True)

    def _next_number(self) -> str:
        with self._lock:
            self._last_number += 1
            return str(self._last_number)


class _Record(NamedTuple):
    number: int
    content: Mapping[str, Any]


@dataclass(slots=True)
class _Shard:
    id: str
    parent: str
    starting_number: str
    ending_number: str = ""
    records: list[_Record] = field(default_factory=list)
    trimmed: int = 0
    empty_pages: int = 0
    hidden: int = 0
    shown_open: int = 0
    is_hidden: bool = False
    is_shown_open: bool = False

    def begin_listing(self) -> None:
        self.is_hidden, self.hidden = self.hidden > 0, max(0, self.hidden - 1)
        self.is_shown_open, self.shown_open = self.shown_open > 0, max(0, self.shown_open - 1)

    def described(self) -> dict[str, Any]:
        numbers = {"StartingSequenceNumber": self.starting_number}
        if self.ending_number and not self.is_shown_open:
            numbers["EndingSequenceNumber"] = self.ending_number
        described: dict[str, Any] = {"ShardId": self.id, "SequenceNumberRange": numbers}
        if self.parent:
            described["ParentShardId"] = self.parent
        return described

    def index(self, kind: str, number: str) -> int:
        """Find the index of the first record that an iterator of this kind gives."""
        match kind:
            case "TRIM_HORIZON":
                return self.trimmed
            case "LATEST":
                return len(self.records)
            case "AT_SEQUENCE_NUMBER":
                index = self._first(int(number))
            case _:
                index = self._first(int(number) + 1)
        if self.trimmed and index <= self.trimmed:
            raise WireError("TrimmedDataAccessException", _TRIMMED)
        return index

    def _first(self, number: int) -> int:
        """Find the first record from this number on; what is repeated behind it is no reason to skip it."""
        indexes = (index for index, record in enumerate(self.records) if record.number >= number)
        return next(indexes, len(self.records))

    def read(self, index: int, limit: int) -> list[_Record]:
        if index < self.trimmed:
            raise WireError("TrimmedDataAccessException", _TRIMMED)
        if self.empty_pages:
            self.empty_pages -= 1
            return []
        return self.records[index : index + limit]

    def ends_at(self, index: int) -> bool:
        return bool(self.ending_number) and not self.empty_pages and index >= len(self.records)


_TRIMMED = "The operation attempted to read past the oldest stream record in a shard."


def _size(item: Item) -> int:
    return len(json.dumps(item))
