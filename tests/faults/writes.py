"""Random writes from a seed, and what became of each key: puts, updates, deletes and re-inserts, with odd values."""

from __future__ import annotations

import base64
import random
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from dynalens.change import KeySchema, Typed
from dynalens.config import CollectionConfig
from dynalens.partition import Position
from dynalens.testing import Item, ScriptedStreams
from dynalens.testing.oracle import scan

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import StreamSpecificationTypeDef

TABLE = "Donations"
KEYS = KeySchema(("id",))

_VALUES: Mapping[str, Any] = {
    "count": True,
    "avg": {"rating": {"decimals": 2}},
    "min": "rating",
    "max": ["rating", "amount"],
    "distinct": ["campaign", "rating"],
    "total": True,
}
_METRICS: Mapping[str, Any] = {
    "by_key": {"group_by": "id", "count": True, "max": "n"},
    "by_platform": {"group_by": "platform", "sum": {"amount": {"decimals": 2}}, **_VALUES},
    # Kept for a year: a clock that jumps by a day forgets no bucket.
    "over_time": {"every": "1h", "time": "paidAt", "keep": "365d", **_VALUES},
}
COLLECTIONS: Mapping[str, CollectionConfig] = {
    name: CollectionConfig.model_validate(settings)
    for name, settings in {
        "donations": {"table": TABLE, "metrics": _METRICS},
        "gifts": {"table": TABLE, "where": {"kind": "gift"}, "metrics": {"by_key": _METRICS["by_key"]}},
    }.items()
}
"""Items move in and out of `gifts` as they change. Each key is a group of `by_key`, which holds its newest write."""

_PLATFORMS = ("Facebook", "Phone", "Web", "Cash")
_CAMPAIGNS = ("spring", "1", "a\tb\x1fc", "autumn " * 20, "autumn " * 19 + "Autumn ")
_RATINGS = ("1", "1.0", "2.5", "-0", "-3.25", "5")
_RARE_RATINGS = ("1E-130", "-12345678901234567890123456789012345678")
"""What no average can hold: each of them is a dead letter, and the least or not."""
_NOTES: tuple[Typed, ...] = (
    {"NULL": True},
    {"BOOL": False},
    {"S": ""},
    {"S": "\x00 \u2028 \U0001f701"},
    {"N": "9.9999999999999999999999999999999999999E+125"},
    {"B": "AAEC/w=="},
    {"SS": ["x", "y"]},
    {"NS": ["1", "12345678901234567890123456789012345678"]},
    {"L": [{"N": "1"}, {"M": {" ": {"S": "1"}}}, {"NULL": True}]},
    {"M": {"a.b": {"N": "1"}, "a": {"M": {"b": {"N": "2"}}}}},
)
_FIRST_SECOND = 1_760_000_000


class Written(NamedTuple):
    """One write of a key: its number, None for a delete, and where its record stands (nowhere: before the stream)."""

    number: int | None
    shard: str = ""
    sequence_number: int = 0


@dataclass(frozen=True, slots=True)
class Operation:
    """What is to be written to a key; without an item it is deleted."""

    id: str
    number: int
    item: Mapping[str, Typed] | None

    @property
    def key(self) -> Mapping[str, Typed]:
        """The item's key."""
        return {"id": {"S": self.id}}


class Writes:
    """An endless sequence of operations on a few keys, the same for the same seed."""

    def __init__(self, seed: int, keys: int = 24) -> None:
        self._random = random.Random(f"writes {seed}")  # noqa: S311 - a run that can be repeated
        self._keys = [f"donor-{number}" for number in range(keys)]
        self._number = 0
        self._live: set[str] = set()
        self._last: dict[str, Item] = {}

    def next(self) -> Operation:
        """Put, change, delete or put back a random key."""
        id_ = self._random.choice(self._keys)
        if id_ in self._live and self._random.random() < 0.3:
            return self.delete(id_)
        return self.put(id_)

    def first(self, count: int) -> list[Operation]:
        """Put so many keys at most, each once."""
        return [self.put(id_) for id_ in self._random.sample(self._keys, min(count, len(self._keys)))]

    def put(self, id_: str, **attributes: Typed) -> Operation:
        """Put a random item under this key, with these attributes."""
        self._number += 1
        self._live.add(id_)
        item = self._last[id_] = {**self._item(id_), **attributes}
        return Operation(id_, self._number, item)

    def delete(self, id_: str) -> Operation:
        """Delete this key."""
        self._number += 1
        self._live.discard(id_)
        return Operation(id_, self._number, None)

    def forget(self) -> None:
        """The table is empty again."""
        self._live.clear()

    def deleted(self) -> list[Item]:
        """List what was deleted last under each key that does not exist any more."""
        return [item for id_, item in self._last.items() if id_ not in self._live]

    def live(self) -> list[str]:
        """List the keys that exist."""
        return sorted(self._live)

    def _item(self, id_: str) -> dict[str, Typed]:
        chosen = self._random
        amount = chosen.randrange(100_000)
        paid_at = _FIRST_SECOND + chosen.randrange(20_000)
        optional: dict[str, Typed] = {
            "platform": {"S": chosen.choice(_PLATFORMS)},
            "amount": {"N": f"{amount // 100}.{amount % 100:02}"},
            "rating": {"N": chosen.choice(_RARE_RATINGS if chosen.random() < 0.02 else _RATINGS)},
            "campaign": {"S": chosen.choice(_CAMPAIGNS)},
            "paidAt": {"N": str(paid_at)} if paid_at % 2 else {"S": datetime.fromtimestamp(paid_at, UTC).isoformat()},
            "kind": {"S": chosen.choice(("gift", "pledge"))},
            "note": chosen.choice(_NOTES),
        }
        kept = {name: value for name, value in optional.items() if chosen.random() < 0.8}
        return {"id": {"S": id_}, "n": {"N": str(self._number)}, **kept}


class ScriptedTable:
    """The scripted table as keys see it: each in the open shard that its hash falls into, with all that was written.

    A key's records go on in a child of the shard that they were in, as those of DynamoDB do.
    """

    def __init__(self, streams: ScriptedStreams) -> None:
        self.streams = streams
        self._open = {streams.add_shard(): range(1 << 16)}
        self._closed: list[str] = []
        self.history: dict[str, list[Written]] = {}

    def load(self, operations: Iterable[Operation]) -> None:
        """Write items as if long before the stream."""
        for operation in operations:
            assert operation.item is not None
            self.streams.load(operation.item)
            self._wrote(operation, Written(operation.number))

    def write(self, operation: Operation, *, expired: bool = False) -> None:
        """Write to the table and to its stream."""
        shard = self.shard_of(operation.id)
        if operation.item is None:
            sequence_number = self.streams.delete(shard, operation.key, expired=expired)
        else:
            sequence_number = self.streams.put(shard, operation.item)
        number = operation.number if operation.item is not None else None
        self._wrote(operation, Written(number, shard, int(sequence_number)))

    def _wrote(self, operation: Operation, written: Written) -> None:
        self.history.setdefault(operation.id, []).append(written)

    def items(self) -> list[Item]:
        """Give what everything must equal in the end."""
        return self.streams.items()

    @property
    def shards(self) -> list[str]:
        """The open shards."""
        return list(self._open)

    @property
    def closed_shards(self) -> list[str]:
        """The closed shards that can still be read."""
        return list(self._closed)

    def is_read(self, positions: Mapping[str, Position]) -> bool:
        """Say whether every open shard is being read, and every closed one is read to its end."""
        ended = {shard for shard, position in positions.items() if position.ended}
        return self._open.keys() <= positions.keys() and ended.issuperset(self._closed)

    def is_confirmed(self, positions: Mapping[str, Position]) -> bool:
        """Say whether positions cover every record."""
        return all(
            _confirmed(writes, positions) == len(writes) - 1 for writes in self.history.values() if writes[-1].shard
        )

    def shard_of(self, id_: str) -> str:
        """Give the open shard of a key."""
        place = zlib.crc32(id_.encode()) & 0xFFFF
        return next(shard for shard, places in self._open.items() if place in places)

    def split(self, shard: str) -> list[str]:
        """Split an open shard in two; give the children."""
        places = self._open.pop(shard)
        self._closed.append(shard)
        children = self.streams.split(shard)
        middle = len(places) // 2
        self._open.update(zip(children, (places[:middle], places[middle:]), strict=True))
        return children

    def roll_over(self, shard: str) -> str:
        """Close an open shard and go on in one child, as every few hours; give it."""
        places = self._open.pop(shard)
        self._closed.append(shard)
        [child] = self.streams.split(shard, into=1)
        self._open[child] = places
        return child

    def add_shards(self, count: int) -> None:
        """Open shards that no key falls into."""
        for _ in range(count):
            self._open[self.streams.add_shard()] = range(0)

    def spread(self, count: int) -> None:
        """Divide the keys among so many shards without parents; before the first write."""
        assert not self.history, "keys are written already"
        shards = [*self._open, *(self.streams.add_shard() for _ in range(count - len(self._open)))]
        share = (1 << 16) // count
        self._open = {shard: range(number * share, (number + 1) * share) for number, shard in enumerate(shards)}

    def lose_shard(self, shard: str, *, alone: bool) -> str:
        """Let an open shard vanish, alone or with all that are closed; give the one that its keys go on in."""
        places = self._open.pop(shard)
        for gone in [shard, *([] if alone else self._closed)]:
            self.streams.remove_shard(gone)
        if not alone:
            self._closed.clear()
        fresh = self.streams.add_shard()
        self._open[fresh] = places
        return fresh


class EmulatedTable:
    """A table of DynamoDB Local, for faults that only a server has."""

    def __init__(self, client: DynamoDBClient) -> None:
        self._client = client
        self.create()

    def create(self) -> None:
        """Create the table, with a stream."""
        self._client.create_table(
            TableName=TABLE,
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
            StreamSpecification=_STREAM,
        )

    def delete(self) -> None:
        """Delete the table with all that is in it."""
        self._client.delete_table(TableName=TABLE)

    def turn_stream_off(self) -> None:
        """Disable the stream: what is written from now on is in none."""
        self._client.update_table(TableName=TABLE, StreamSpecification={"StreamEnabled": False})

    def turn_stream_on(self) -> None:
        """Enable a stream again: another one."""
        self._client.update_table(TableName=TABLE, StreamSpecification=_STREAM)

    def write(self, operation: Operation) -> None:
        """Write to the table."""
        if operation.item is None:
            self._client.delete_item(TableName=TABLE, Key=_sent(operation.key))
        else:
            self._client.put_item(TableName=TABLE, Item=_sent(operation.item))

    def items(self) -> list[Item]:
        """Give what everything must equal in the end."""
        return scan(self._client, TABLE)

    def is_read(self, positions: Mapping[str, Position]) -> bool:  # noqa: ARG002 - as of the scripted table
        """Say nothing: how far a shard is written is its server's secret."""
        return True


_STREAM: StreamSpecificationTypeDef = {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"}


def _sent(item: Mapping[str, Typed]) -> dict[str, Any]:
    """Give an item as boto3 takes it, where binary is bytes."""
    return {name: _sent_value(typed) for name, typed in item.items()}


def _sent_value(typed: Typed) -> dict[str, Any]:
    ((kind, value),) = typed.items()
    match kind:
        case "B":
            return {"B": base64.b64decode(value)}
        case "BS":
            return {"BS": [base64.b64decode(member) for member in value]}
        case "M":
            return {"M": _sent(value)}
        case "L":
            return {"L": [_sent_value(member) for member in value]}
    return {kind: value}


def gone_back(
    history: Mapping[str, list[Written]], positions: Mapping[str, Position], shown: Mapping[str, int]
) -> list[str]:
    """Name the keys that show an older state than a committed position stands for.

    Only what was not confirmed is replayed, so a key may never show less than what its shard's position covers.

    Args:
        history: The writes of each key, in order.
        positions: The position committed per shard, read before the documents.
        shown: The number of the write that each key shows.
    """
    return [
        f"{id_} shows {shown.get(id_)} below {writes[confirmed]}"
        for id_, writes in history.items()
        if (confirmed := _confirmed(writes, positions)) is not None
        and not any(written.number == shown.get(id_) for written in writes[confirmed:])
    ]


def _confirmed(writes: list[Written], positions: Mapping[str, Position]) -> int | None:
    """Give the index of the last write of a key that is confirmed."""
    covered = [
        index
        for index, written in enumerate(writes)
        if (position := positions.get(written.shard)) is not None
        and (position.ended or written.sequence_number <= position.rank)
    ]
    return max(covered, default=None)
