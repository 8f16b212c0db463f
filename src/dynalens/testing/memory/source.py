"""A table and its stream, written by a test while they are being read."""

from __future__ import annotations

import json
import threading
import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dynalens.change import Change, KeySchema, Poison, Typed, decode_records, decode_scan, document_id, render
from dynalens.errors import SourceError, TrimmedError
from dynalens.partition import Partition, Position
from dynalens.source import Batch, Reader

KEYS = KeySchema(("id",))
"""The key schema of a `MemorySource` that is given none."""
FIRST_SEQUENCE_NUMBER = 10**20
"""Sequence numbers of `MemorySource` rise from here: 21 digits, the fewest that DynamoDB Streams gives."""


@dataclass(slots=True)
class _Shard:
    partition: Partition
    records: list[tuple[int, Change | Poison]] = field(default_factory=list)
    trimmed: int = -1
    ended: bool = False


class MemorySource:
    """A scripted `Source`: a table and its stream, written by the test while it is being read.

    Every record goes through the decoder of real streams. Safe to use from several threads.

    Args:
        table: The table's name.
        keys: Its key schema.
        page_size: Records a `read` returns at most.
        clock: Epoch seconds, for the creation time of changes.
    """

    def __init__(
        self,
        table: str = "Donations",
        keys: KeySchema = KEYS,
        *,
        page_size: int = 100,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.table = table
        self.keys = keys
        self.page_size = page_size
        """Records that a `read` returns at most; may be changed between reads."""
        self._clock = clock
        self._lock = threading.RLock()
        self._shards: dict[str, _Shard] = {}
        self._items: dict[str, Mapping[str, Typed]] = {}
        self._failures: list[SourceError] = []
        self._sequence = FIRST_SEQUENCE_NUMBER

    # The script: shards.

    def add_shard(self, shard: str, *, parents: Sequence[str] = ()) -> Partition:
        """Open a shard, after its parents."""
        with self._lock:
            self._shards[shard] = _Shard(Partition(shard, parents=tuple(parents)))
            return self._shards[shard].partition

    def end(self, shard: str) -> None:
        """Close a shard: it takes no more records, and its readers come to its end."""
        with self._lock:
            self._shards[shard].ended = True

    def trim(self, shard: str) -> None:
        """Lose every record written to a shard so far: a reader that stands before the last one meets a gap."""
        with self._lock:
            lost = self._shards[shard]
            if lost.records:
                lost.trimmed = lost.records[-1][0]
                lost.records.clear()

    def remove_shard(self, shard: str) -> None:
        """Let a shard disappear, as it does 24 hours after it was closed; whoever still reads it meets a gap."""
        with self._lock:
            del self._shards[shard]

    def fail_next(self, times: int = 1, error: SourceError | None = None) -> None:
        """Let the next reads, of any shard, and the next discoveries raise `error`, a `SourceError` by default."""
        with self._lock:
            self._failures += [error or SourceError(f"{self.table} was told to fail.")] * times

    # The script: the table. Items and keys are DynamoDB JSON.

    def preload(self, item: Mapping[str, Typed]) -> None:
        """Put an item without a record, as one from before the stream was enabled."""
        with self._lock:
            self._items[document_id(item, self.keys)] = item

    def put(self, shard: str, item: Mapping[str, Typed]) -> None:
        """Put an item, and append the record of it to a shard."""
        with self._lock:
            id_ = document_id(item, self.keys)
            old = self._items.get(id_)
            self._items[id_] = item
            self._append(shard, "MODIFY" if old else "INSERT", item, {"NewImage": item}, old)

    def delete(self, shard: str, key: Mapping[str, Typed]) -> None:
        """Delete an item, and append the record of it to a shard; an item that does not exist leaves no record."""
        with self._lock:
            old = self._items.pop(document_id(key, self.keys), None)
            if old is not None:
                self._append(shard, "REMOVE", key, {}, old)

    def append(self, shard: str, raw: Mapping[str, object]) -> None:
        """Append a whole stream record to a shard as it is, even one that cannot be decoded; the table stays.

        The record's sequence number is replaced by the next one, so that the shard's records rise.
        """
        with self._lock:
            open_shard = self._shards[shard]
            if open_shard.ended:
                msg = f"{shard} is closed; records go to its children"
                raise ValueError(msg)
            self._sequence += 1
            stream = raw.get("dynamodb")
            numbered = {**(stream if isinstance(stream, Mapping) else {}), "SequenceNumber": str(self._sequence)}
            body = json.dumps({"Records": [{**raw, "dynamodb": numbered}]}).encode()
            page = decode_records(body, table=self.table, keys=self.keys)
            decoded: list[Change | Poison] = [*page.changes, *page.poison]
            open_shard.records += [(self._sequence, record) for record in decoded]

    def documents(self) -> dict[str, bytes]:
        """Give the table as it is now: plain JSON by document id, what a target should hold in the end."""
        with self._lock:
            return {id_: render(item).json for id_, item in self._items.items()}

    def item(self, key: Mapping[str, Typed]) -> Mapping[str, Typed] | None:
        """Give an item by its key, as a strongly consistent read does; None when there is none."""
        with self._lock:
            return self._items.get(document_id(key, self.keys))

    def scan(self, scan: str, segments: int = 1) -> MemoryScan:
        """Give the source of a strongly consistent scan of the table, with partitions `scan-{scan}-{segment}`."""
        return MemoryScan(self, scan, segments, self.page_size)

    # Source.

    def discover(self) -> Sequence[Partition]:
        """See `Source.discover`."""
        with self._lock:
            self._fail()
            return [shard.partition for shard in self._shards.values()]

    def open(self, partition: Partition, position: Position) -> Reader:
        """See `Source.open`."""
        return _Reader(lambda at: self._read_shard(partition.id, at), position)

    def _append(
        self,
        shard: str,
        event: str,
        item: Mapping[str, Typed],
        images: Mapping[str, object],
        old: Mapping[str, Typed] | None,
    ) -> None:
        stream = {
            "Keys": {name: item[name] for name in self.keys.names},
            "ApproximateCreationDateTime": self._clock(),
            "StreamViewType": "NEW_AND_OLD_IMAGES",
            **images,
            **({"OldImage": old} if old else {}),
        }
        self.append(shard, {"eventName": event, "dynamodb": stream})

    def _fail(self) -> None:
        if self._failures:
            raise self._failures.pop(0)

    def _read_shard(self, shard_id: str, position: Position) -> Batch:
        with self._lock:
            self._fail()
            shard = self._shards.get(shard_id)
            # From TRIM_HORIZON (no rank yet) the service starts at the oldest record left and reports no loss.
            if shard is None or 0 <= position.rank < shard.trimmed:
                raise TrimmedError(f"Records of {shard_id} after {position.token} are gone from the stream.")
            rest = [(rank, record) for rank, record in shard.records if rank > position.rank]
            page = rest[: self.page_size]
            ended = shard.ended and len(page) == len(rest)
        rank = page[-1][0] if page else position.rank
        token = str(rank) if page else position.token
        return _batch([record for _, record in page], Position(ended, rank, token))

    def _items_after(self, last: str, scan: MemoryScan, segment: int) -> list[Mapping[str, Typed]]:
        with self._lock:
            self._fail()
            ids = sorted(id_ for id_ in self._items if id_ > last and scan.segment_of(id_) == segment)
            return [self._items[id_] for id_ in ids]


class MemoryScan:
    """The scan of a `MemorySource`, as a `Source`: each page shows the table as it is when it is read.

    Made by `MemorySource.scan`.
    """

    def __init__(self, source: MemorySource, scan: str, segments: int, page_size: int) -> None:
        self.table = source.table
        self.keys = source.keys
        self._source = source
        self._page_size = page_size
        self._segments = {f"scan-{scan}-{segment}": segment for segment in range(segments)}

    def discover(self) -> Sequence[Partition]:
        """See `Source.discover`."""
        return [Partition(id_, "segment") for id_ in self._segments]

    def open(self, partition: Partition, position: Position) -> Reader:
        """See `Source.open`."""
        segment = self._segments[partition.id]
        return _Reader(lambda at: self._read_segment(segment, at), position)

    def segment_of(self, document_id: str) -> int:
        """Say which segment scans an item; `crc32`, because a string's `hash` differs from process to process."""
        return zlib.crc32(document_id.encode()) % len(self._segments)

    def _read_segment(self, segment: int, position: Position) -> Batch:
        rest = self._source._items_after(position.token, self, segment)  # noqa: SLF001 - the same module
        items = rest[: self._page_size]
        body = json.dumps({"Items": items}).encode()
        page = decode_scan(body, table=self.table, keys=self.keys)
        token = document_id(items[-1], self.keys) if items else position.token
        ended = len(items) == len(rest)
        return _batch([*page.changes, *page.poison], Position(ended, max(position.rank, 0) + len(items), token))


class _Reader:
    """Goes on from page to page; a page that failed is read again by the next call."""

    def __init__(self, read: Callable[[Position], Batch], position: Position) -> None:
        self._read = read
        self._position = position

    def read(self) -> Batch:
        """See `Reader.read`."""
        batch = self._read(self._position)
        self._position = replace(batch.position, ended=False)
        return batch


def _batch(records: Sequence[Change | Poison], position: Position) -> Batch:
    changes = [record for record in records if isinstance(record, Change)]
    poison = [record for record in records if isinstance(record, Poison)]
    size = sum(change.size or len(change.new.json if change.new else b"") for change in changes)
    return Batch(changes, poison, position, position.ended, size)
