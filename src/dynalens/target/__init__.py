"""Targets: where collections are kept. The contract that every target fulfils, and the rows that it is given.

A target orders writes to one document by version alone: the higher one stays, whatever order they arrive in, deletes
included. It remembers beside the documents what the position store may forget: the highest epoch ever drawn for it
and the position applied per partition.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol, runtime_checkable

from dynalens.change import Change, Document
from dynalens.config import CollectionConfig
from dynalens.partition import START, Position
from dynalens.search import Query, SearchAnswer, SearchRequest

VERSION_BITS = 32
"""Low bits of a version: the ordinal; the epoch stands above them."""

TOMBSTONE_RETENTION_SECONDS = 7 * 24 * 3600
"""How long deletes are remembered: the assumption is that no process sleeps longer with a request unsent."""


def version(epoch: int, ordinal: int) -> int:
    """Give the 63-bit fencing version of the `ordinal`-th change read under `epoch`.

    Raises:
        ValueError: A part is out of range: the epoch must fit 31 bits, the ordinal 32.
    """
    if not (0 <= epoch < 1 << 31 and 0 <= ordinal < 1 << VERSION_BITS):
        msg = f"version parts out of range: epoch {epoch}, ordinal {ordinal}"
        raise ValueError(msg)
    return (epoch << VERSION_BITS) | ordinal


@dataclass(frozen=True, slots=True, order=True)
class Generation:
    """One complete build of a collection in one target; its text form is `donations@1`."""

    collection: str
    number: int

    def __str__(self) -> str:
        """Give the name that the target keeps it under."""
        return f"{self.collection}@{self.number}"


class Write(NamedTuple):
    """One upsert (a document) or delete (None) of one document, ordered by its version."""

    generation: Generation
    id: str
    version: int
    document: Document | None
    change: Change


class Rejection(NamedTuple):
    """A write that the target cannot hold; the rest of its batch was applied. It goes to the dead-letter store."""

    write: Write
    code: str
    message: str


class Mark(NamedTuple):
    """The position that a target has applied of one partition, and the epoch of the session that said so."""

    epoch: int
    position: Position


NO_MARK = Mark(-1, START)
"""What counts for a partition of which a target remembers nothing."""


@dataclass(frozen=True, slots=True)
class Memory:
    """What a target remembers of a table.

    Attributes:
        epoch: The highest epoch ever raised for the table; 0 when none was.
        marks: The position applied, by partition id.
        generations: The generations that exist in the target, complete or being built.
    """

    epoch: int = 0
    marks: Mapping[str, Mark] = field(default_factory=dict)
    generations: frozenset[Generation] = frozenset()


class Target(Protocol):
    """One place that keeps collections. Called by one writer thread per table; readers may run beside it.

    Every method raises `TargetError` when the target cannot be reached or refuses the request as a whole; then
    nothing of that call counts as confirmed, whatever part of it may have landed.
    """

    name: str
    """`sql`, `metrics` or `search`."""

    def recall(self, table: str) -> Memory:
        """Read what the target remembers of `table`. Called on start and after every failure, before any write."""
        ...

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember `epoch` durably, before the first write under it. Never lowers what is remembered."""
        ...

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        """Make room for a generation. Called before its first write; doing it again changes nothing.

        One of the same name that was made for another table gives way to it: the collection was moved.
        """
        ...

    def serve(self, generation: Generation) -> None:
        """Let readers see this generation of its collection from now on, in one atomic step."""
        ...

    def drop(self, generation: Generation) -> None:
        """Forget a generation that is no longer served. One that does not exist is no error."""
        ...

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        """Apply a batch; return when it is durable, with the writes that the target cannot hold.

        A write at or below the version that the target holds for its id is ignored (equal versions only repeat).
        Two writes of one id may stand in one batch, in rising order of version. An empty batch is allowed.
        """
        ...

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Begin a session for each of these partitions, under the epoch that was drawn for it: give what is applied.

        In one atomic step the mark of a partition takes the epoch and keeps its position, so that marks of the session
        before change nothing from then on, and whoever begins after this one reads on from what this one says. Called
        before the first write under an epoch, and after `raise_epoch`. `START` is given where nothing is marked; a
        partition for which a session of a higher epoch has begun already is left out.
        """
        ...

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Remember the positions applied, by partition id. Called after `apply` returned, before the store's commit.

        A mark of a lower epoch than the one that is held changes nothing: its session lost the partition, whose next
        holder may be in the middle of a replay. Any other replaces it, one that goes back included.
        """
        ...

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Forget positions, by partition id, as they were recalled; one marked under a higher epoch since stays."""
        ...

    def sweep(self, older_than: float) -> int:
        """Remove tombstones written before `older_than` (epoch seconds); return how many.

        Each only at exactly the version seen and only once no older row of its id is left, in one atomic step.
        """
        ...

    def ping(self) -> None:
        """Return when the target answers."""
        ...

    def close(self) -> None:
        """Release what the target holds open. What was applied stays."""
        ...


class StoredDocument(NamedTuple):
    """One document as a target gives it back: plain JSON, and its type hints (`dynalens.change.typed_item`)."""

    id: str
    json: bytes
    types: bytes


@dataclass(frozen=True, slots=True)
class Field:
    """One top-level attribute of a collection: JSON types seen in live documents, with counts.

    `types` maps `string`, `number`, `bool`, `null`, `array`, `map` to document counts; `drift` counts documents whose
    value does not fit the column of the field.
    """

    name: str
    types: Mapping[str, int]
    column: str = ""
    drift: int = 0


class DocumentReader(Protocol):
    """A target that gives whole documents back."""

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """Read one live document of the served generation by id; None when there is none."""
        ...

    def count(self, collection: str) -> int:
        """Count the live documents of the served generation."""
        ...

    def fields(self, collection: str) -> list[Field]:
        """List the top-level attributes with the types seen, most frequent first."""
        ...


@dataclass(frozen=True, slots=True)
class SqlResult:
    """The answer to one SQL query, rendered: `body` is sent as it is, so that every digit the engine gave arrives."""

    content_type: str
    body: bytes
    rows: int


class SearchSnapshot(Protocol):
    """A collection as it was at one moment, for paging through a changing one."""

    def search(self, request: SearchRequest) -> SearchAnswer:
        """Answer as `SearchReader.search` does; `offset` is not limited."""
        ...

    def close(self) -> None:
        """Let go of it. A target gives up what was not closed when it closes itself."""
        ...


class SearchReader(Protocol):
    """A target that answers searches. Writes are seen once `Target.apply` returned; by a cluster, a moment later."""

    def search(self, collection: str, request: SearchRequest) -> SearchAnswer:
        """Answer one search over the live documents of the served generation.

        Raises:
            NotFoundError: The collection is not served yet.
            RequestError: It asks for what the engine cannot do; the hint names the line of the file to add.
            QueryLimitError: It passes a limit that the message names.
            TargetError: The engine does not answer.
        """
        ...

    def matches(self, collection: str, query: Query) -> int:
        """Count the live documents that match. Raises what `search` raises."""
        ...

    def refresh(self, collection: str) -> None:
        """Let searches of a collection see all that was applied; for whoever waits for a write, since it costs.

        Raises:
            NotFoundError: The collection is not served yet.
            TargetError: The engine does not answer.
        """
        ...

    def snapshot(self, collection: str) -> SearchSnapshot:
        """Hold the collection as it is now; for a few minutes at most, for it holds disk space."""
        ...


class SqlReader(Protocol):
    """A target that answers SQL over the collections' views, read-only and within limits."""

    def query(self, query: str, parameters: Mapping[str, object], *, output: str = "json") -> SqlResult:
        """Run one SELECT (or DESCRIBE of a view) with `{name:Type}` parameters.

        `output`: `json` (`{"columns": [{"name", "type"}], "rows": [[...]], "statistics": {...}}`), `ndjson`, `csv`
        or `parquet`.

        Raises:
            QueryRefusedError: It reads or calls what queries may not touch.
            RequestError: The engine cannot parse or run it; the message is the engine's, without its stack.
            QueryLimitError: It passed the limit of time, memory, rows or bytes that the message names.
            BusyError: Too many queries are running.
        """
        ...


@dataclass(frozen=True, slots=True)
class MetricGroup:
    """One group of a metric. Values are JSON number texts, every digit kept, or `null`.

    `exact` is False after a dead letter.
    """

    group: Mapping[str, bytes]
    """Group attribute to its value as plain JSON; the time bucket, if there is one, comes first as `time`."""
    values: Mapping[str, str]
    exact: bool = True


@dataclass(frozen=True, slots=True)
class MetricSnapshot:
    """A metric at one moment. `revision` rises by one with each change, so that changes can be put after it."""

    collection: str
    metric: str
    groups: Sequence[MetricGroup]
    total: MetricGroup | None
    revision: int


class LiveEvent(NamedTuple):
    """Something that just changed: `topic` is `metric:{collection}.{metric}` or `collection:{collection}`.

    `payload` is JSON, sent to viewers as it is. Metric: `{"metric", "group", "values", "total", "exact"}` (absolute
    values, never differences). Collection: `{"collection", "id", "document"}`, document null after a delete.
    `revision` counts the changes of the topic.
    """

    topic: str
    revision: int
    payload: bytes


class MetricReader(Protocol):
    """A target that keeps metrics and tells what changes."""

    def metric(self, collection: str, metric: str) -> MetricSnapshot:
        """Read all groups of a metric of the served generation, and its total, in one consistent step."""
        ...

    def listen(self, topics: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        """Hear the changes of topics from the moment the context is entered. Ends with `TargetError` when cut off."""
        ...


class Walked(NamedTuple):
    """Ids of live documents, and the cursor to go on behind them; an empty one at the end."""

    ids: Sequence[str]
    cursor: str


@runtime_checkable
class Comparable(Protocol):
    """A target whose content can be compared with its table, while both change.

    Digests are equal where the content is, whatever the form in which table and target write it. Versions and
    tombstones do not count. Called from any thread, beside the writer. Every method raises `TargetError` when the
    target cannot be read, or when it has no such generation.
    """

    def digest(self, generation: Generation, item: Document, /) -> bytes | None:
        """Give the digest of what the generation keeps of an item of its collection; None where it keeps nothing."""
        ...

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digest of what is kept under each of these ids that has a live document; in one query."""
        ...

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """List ids of live documents behind a cursor, from the beginning with an empty one; in one query.

        Each document that is live throughout is listed at least once, also while others come and go. There may be more
        than `limit`, and none before the end.
        """
        ...
