"""DynamoDB Streams as a source: every shard of a table's stream, each read in order from its position.

Sources: "DescribeStream", "GetShardIterator" and "GetRecords" in the Amazon DynamoDB Streams API reference; "Change
data capture for DynamoDB Streams" in the developer guide for shards, their parents and the 24 hours of retention.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, NamedTuple, TypeVar
from weakref import WeakSet

from dynalens.change import Change, DecodeError, Page, Poison, decode_records
from dynalens.errors import SourceError, TrimmedError
from dynalens.partition import Partition, Position
from dynalens.retry import STANDARD, RetryPolicy
from dynalens.source import Batch
from dynalens.source.aws import Aws, ExpiredIteratorError, MissingError, TransientError, transient, unreadable
from dynalens.source.table import TableInfo

if TYPE_CHECKING:
    from types_boto3_dynamodbstreams.type_defs import ShardTypeDef

PAGE_RECORDS = 1000
"""Most records that GetRecords gives in one answer."""

SECOND_LOOKS = RetryPolicy(attempts=4, base_seconds=0.3, cap_seconds=2.0)
"""How often a doubtful answer of DescribeStream is asked again before it is believed."""


class VanishedError(TrimmedError):
    """A shard, or its whole stream, is no longer there: what was not read from it is gone."""

    code = "vanished"


class StreamSource:
    """The shards of one table's stream.

    DescribeStream is not consistent: an answer may miss shards, or show a parent still open beside its children. So
    each answer is held against the last one and against itself, and where it is doubtful, asked again before it is
    believed.

    Args:
        aws: The clients.
        table: The table, with an enabled stream.
        stop: When set, waiting inside `discover` and `read` ends at once.
        policy: How failed calls are tried again.
        second_looks: How doubtful lists of shards are asked for again.
        page_records: Most records of one page, up to 1000.
    """

    def __init__(  # noqa: PLR0913 - one place to set each of them, all with defaults but three
        self,
        aws: Aws,
        table: TableInfo,
        *,
        stop: threading.Event,
        policy: RetryPolicy = STANDARD,
        second_looks: RetryPolicy = SECOND_LOOKS,
        page_records: int = PAGE_RECORDS,
    ) -> None:
        self.table = table.name
        self.keys = table.keys
        self.stream_arn = table.stream_arn
        self.aws = aws
        self.stop = stop
        self.policy = policy
        self._second_looks = second_looks
        self.page_records = page_records
        self._lock = threading.Lock()
        self._readers: WeakSet[ShardReader] = WeakSet()
        self._shards: dict[str, _Shard] = {}
        self._believed: frozenset[_Doubt] = frozenset()

    def discover(self) -> Sequence[Partition]:
        """List the shards that exist now, parents before children; `parents` names those that are still listed.

        A shard that is still being read stays in the list when the stream no longer names it. Call it from one
        thread.

        Raises:
            VanishedError: The stream does not exist any more.
            SourceError: It could not be asked beyond the retries.
        """
        listed = self._listed_beyond_doubt()
        with self._lock:
            being_read = {reader.partition.id for reader in self._readers if reader.reading}
        kept = {shard: self._shards[shard] for shard in being_read if shard in self._shards}
        self._shards = kept | listed
        return _partitions(self._shards, self._believed)

    def lists(self, shard: str) -> bool:
        """Ask the stream whether it still names a shard; a stream that is gone names none."""
        try:
            return shard in self._described()
        except VanishedError:
            return False

    def open(self, partition: Partition, position: Position) -> ShardReader:
        """Open a reader behind `position`, or at the oldest record; the first request is sent by its first `read`."""
        reader = ShardReader(self, partition, position)
        with self._lock:
            self._readers.add(reader)
        return reader

    def _listed_beyond_doubt(self) -> dict[str, _Shard]:
        listed = self._described()
        for delay in self._second_looks.delays():
            if self._doubts(listed) <= self._believed:
                break
            if self.stop.wait(delay):
                return listed
            listed = _merged(listed, self._described())
        self._believed = self._doubts(listed)
        return listed

    def _doubts(self, listed: Mapping[str, _Shard]) -> frozenset[_Doubt]:
        parents = [shard.parent for shard in listed.values() if shard.parent]
        missing = {_Doubt(shard, "missing") for shard in (*parents, *self._shards) if shard not in listed}
        unclosed = {_Doubt(shard, "open") for shard in parents if shard in listed and not listed[shard].closed}
        return frozenset(missing | unclosed)

    def _described(self) -> dict[str, _Shard]:
        """Read every page of the stream's shards."""
        listed: dict[str, _Shard] = {}
        after = ""
        while True:
            page = partial(self._described_page, after)
            shards, after = self.policy.run(page, retryable=transient, stop=self.stop)
            listed.update((shard["ShardId"], _shard(shard)) for shard in shards)
            if not after:
                return listed

    def _described_page(self, after: str) -> tuple[Sequence[ShardTypeDef], str]:
        try:
            answer = self.aws.describe_stream(self.stream_arn, after=after)
        except MissingError as error:
            raise VanishedError(
                f"The stream of {self.table} is gone: {self.stream_arn} does not exist any more.",
                hint="It was turned off more than 24 hours ago, or its table was deleted; a new stream starts anew.",
            ) from error
        return answer.get("Shards", []), answer.get("LastEvaluatedShardId", "")


class ShardReader:
    """Reads one shard. It keeps the iterator in hand and falls back on the position when that expires.

    Records at or below the position are dropped: within a shard sequence numbers rise, so they are repetitions, and
    applying them again could bring an older state back.
    """

    def __init__(self, source: StreamSource, partition: Partition, position: Position) -> None:
        self.partition = partition
        self._source = source
        self._position = position
        self._iterator = ""
        self._gone = False

    @property
    def reading(self) -> bool:
        """Whether there is more to come: the shard was neither read to its end nor lost."""
        return not self._position.ended and not self._gone

    def read(self) -> Batch:
        """Read the next page; once the shard has ended, an empty one.

        A page of nothing but poison without readable sequence numbers leaves the position where it was and goes on
        behind itself; a later reader gets it again.

        Raises:
            VanishedError: The shard is no longer there, and it was not read to its end.
            TrimmedError: Records behind the position are gone.
            SourceError: Reading failed beyond the retries; nothing was lost, and the reader may be used again.
        """
        if self._position.ended:
            return Batch((), (), self._position, ended=True, size=0)
        try:
            page, size = self._source.policy.run(self._fetch, retryable=self._passes, stop=self._source.stop)
        except MissingError as error:
            # Never taken for the shard's end, and believed only when the stream does not name the shard either.
            if self._source.lists(self.partition.id):
                raise
            self._gone = True
            raise self._vanished() from error
        batch = _batch(self._position, page, size)
        self._position, self._iterator = batch.position, page.next_token
        return batch

    def _fetch(self) -> tuple[Page, int]:
        if not self._iterator:
            self._iterator = self._source.aws.shard_iterator(
                self._source.stream_arn, self.partition.id, after=self._position.token
            )
        try:
            body = self._source.aws.records(self._source.stream_arn, self._iterator, limit=self._source.page_records)
        except TransientError:
            raise
        except SourceError:
            # Whatever it was, the iterator is of no more use; the position is.
            self._iterator = ""
            raise
        try:
            return decode_records(body, table=self._source.table, keys=self._source.keys), len(body)
        except DecodeError as error:
            raise unreadable("GetRecords", self._source.stream_arn, error) from error

    def _passes(self, error: Exception) -> bool:
        if isinstance(error, TrimmedError):
            return self._starts_anew()
        return transient(error) or isinstance(error, ExpiredIteratorError)

    def _starts_anew(self) -> bool:
        """Tell whether trimming is no gap: nothing was ever read here, and nothing before it was promised to anybody.

        An iterator for the oldest record fails when that record is trimmed before it is read, and DynamoDB Local
        fails one that was taken while the shard was empty. Behind a parent that was drained, the same is a gap.
        """
        return not self._position.token and not self.partition.parents

    def _vanished(self) -> VanishedError:
        return VanishedError(
            f"Shard {self.partition.id} of {self._source.table} is gone and was not read to its end.",
            hint="A stream keeps records for 24 hours; only a scan of the table brings back what they said.",
        )


_GROWTH = 1.1


class Pace:
    """How long to wait before a shard is read again: not at all while it gives records, ever longer while it is quiet.

    Each empty page in a row lengthens the wait by a tenth, so that a change is found within a tenth of the time that
    its shard had been quiet, and a shard that stays quiet costs one request a second.

    Args:
        shortest: Seconds after the first empty page.
        longest: Seconds at most.
        random: Gives a number from 0.0 up to 1.0; each wait is between half and the whole of its length, so that
            quiet shards do not ask in step.
    """

    def __init__(
        self, *, shortest: float = 0.05, longest: float = 1.0, random: Callable[[], float] = random.random
    ) -> None:
        self._shortest = shortest
        self._longest = longest
        self._random = random
        self._next = shortest

    def after(self, records: int) -> float:
        """Give the seconds to wait after a page of so many records."""
        if records:
            self._next = self._shortest
            return 0.0
        wait = self._next
        self._next = min(wait * _GROWTH, self._longest)
        return wait * (1 + self._random()) / 2


# Lists of shards.


@dataclass(frozen=True, slots=True)
class _Shard:
    id: str
    parent: str
    closed: bool


class _Doubt(NamedTuple):
    """What is odd about a list of shards: one that should be there is `missing`, or a parent is still `open`."""

    shard: str
    oddity: str


def _shard(description: ShardTypeDef) -> _Shard:
    numbers = description.get("SequenceNumberRange", {})
    return _Shard(
        description["ShardId"], description.get("ParentShardId", ""), closed=bool(numbers.get("EndingSequenceNumber"))
    )


def _merged(first: Mapping[str, _Shard], second: Mapping[str, _Shard]) -> dict[str, _Shard]:
    """Unite two answers: a shard that either names exists, and one that either shows closed is closed."""
    united = dict(first)
    for shard in second.values():
        known = united.get(shard.id, shard)
        united[shard.id] = replace(shard, closed=shard.closed or known.closed)
    return united


def _partitions(shards: Mapping[str, _Shard], believed: frozenset[_Doubt]) -> list[Partition]:
    continued = {shard.parent for shard in shards.values()}
    broken_off = [shard.id for shard in shards.values() if shard.closed and shard.id not in continued]
    partitions = {}
    for shard in shards.values():
        # Only a parent that is missing beyond doubt is trimmed; until then its children wait for it.
        waits = shard.parent in shards or _Doubt(shard.parent, "missing") not in believed
        parents: tuple[str, ...] = (shard.parent,) if shard.parent else ()
        if not waits:
            # A closed shard has a child. Where none is listed, the parent that is missing may be that child, and what
            # came before it would be read too late. Ids begin with the time at which a shard was opened.
            parents = tuple(sorted(older for older in broken_off if older < shard.id))
        partitions[shard.id] = Partition(shard.id, parents=parents)
    order = TopologicalSorter({partition.id: partition.parents for partition in partitions.values()})
    return [partitions[shard] for shard in order.static_order() if shard in partitions]


# Pages.

Numbered = TypeVar("Numbered", Change, Poison)


def _batch(position: Position, page: Page, size: int) -> Batch:
    changes = list(_new(page.changes, position.rank))
    poison = list(_new(page.poison, position.rank))
    # A page that a shard repeats moves nothing back: what the position says was read stays read.
    last: list[Change | Poison] = [*changes[-1:], *poison]
    readable = [record.sequence_number for record in last if record.sequence_number]
    ended = not page.next_token
    after = _position(max(readable, key=int), ended=ended) if readable else replace(position, ended=ended)
    return Batch(changes, poison, after, ended=ended, size=size)


def _position(sequence_number: str, *, ended: bool) -> Position:
    return Position(ended=ended, rank=int(sequence_number), token=sequence_number)


def _new(records: Iterable[Numbered], rank: int) -> Iterator[Numbered]:
    """Leave out what was read before; a record whose number is unreadable may be anything, and stays."""
    for record in records:
        if not record.sequence_number:
            yield record
        elif (number := int(record.sequence_number)) > rank:
            rank = number
            yield record
