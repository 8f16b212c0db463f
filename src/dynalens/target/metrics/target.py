"""The metrics target: continuous aggregates in Valkey or Redis, kept exact by one contribution per item.

Durability: the server acknowledges a write once it stands in memory and, with `appendonly`, on its way into a log that
has the order of execution. A server that dies, or a replica that takes over, may forget the newest of what it
acknowledged, but only the newest: a prefix is left. A mark is sent after its rows were acknowledged, so a mark that
survived stands for rows that survived, and `recall` never promises more than is there.
"""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import cast

import orjson
from redis.typing import EncodableT

from dynalens import clock
from dynalens.change import Document, digest_of
from dynalens.config import CollectionConfig
from dynalens.partition import START, Position
from dynalens.target import Generation, LiveEvent, Mark, Memory, MetricSnapshot, Rejection, Walked, Write
from dynalens.target.metrics.connection import Server, check_server
from dynalens.target.metrics.contribution import VERSION_DIGITS, Contribution, Tally, comparable, contribution, tallies
from dynalens.target.metrics.layout import (
    collection_key,
    contributions_key,
    dump_metrics,
    layout,
    live_channel,
    load_metrics,
    table_key,
)
from dynalens.target.metrics.reader import MetricsReader
from dynalens.target.metrics.script import Scripts

log = logging.getLogger(__name__)

COUNTS_PER_STEP = 200
"""Writes, times metrics and what they keep (`Tally.work`), that the server applies in one step, and groups that it
forgets in one: about 6 ms in which it answers nobody else."""
TOLD_DOCUMENT_BYTES = 64 << 10
"""Longer documents are announced without their content: every viewer would be sent a copy."""
TOLD_WINDOW_SECONDS = 300
"""How long, at least, the version of a document told to viewers is remembered where nothing else keeps it."""
_SWEEP_LIMIT = 1_000


class MetricsTarget:
    """Implements `Target`, `MetricReader` and `Comparable`. Safe to use from several threads.

    Args:
        server: The server, version 7 or newer, that keeps everything and throws nothing away.
        collections: The configured collections, by name.
        release: Called by `close`, for what was started for this target.
        clock: Epoch seconds, for the age of tombstones and of time buckets.
    """

    name = "metrics"

    def __init__(
        self,
        server: Server,
        collections: Mapping[str, CollectionConfig],
        *,
        release: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = clock.now,
    ) -> None:
        self._server = server
        self._client = server.client()
        self._scripts = Scripts(self._client)
        self._reader = MetricsReader(server, self._client, collections, clock)
        self._tables = {config.table for config in collections.values()}
        self._release = release
        self._clock = clock
        self._tallies: dict[Generation, tuple[Tally, ...]] = {}
        self._horizons: dict[Generation, list[str | bytes]] = {}
        self._taken: set[bytes] = set()
        self._runs: dict[str, str] = {}

    # What is remembered of a table.

    def recall(self, table: str) -> Memory:
        """See `Target.recall`. After a flush nothing is remembered, generations included.

        Raises:
            TargetError: The server does not answer, or cannot keep what it is given (`check_server`).
        """
        self._runs[table] = check_server(self._server, self._client)
        # What a generation counts is read again: it may have been lost and made anew.
        self._tallies.clear()
        self._horizons.clear()
        epoch, marks, generations = 0, {}, set()
        with self._server.answering():
            remembered = self._client.hgetall(table_key(table))
        for field, value in remembered.items():
            kind, _, name = _text(field).partition(":")
            if kind == "epoch":
                epoch = int(value)
            elif kind == "applied":
                marks[name] = _mark(value)
            else:
                generations.add(_generation(name))
        return Memory(epoch, marks, frozenset(generations))

    def raise_epoch(self, table: str, epoch: int) -> None:
        """See `Target.raise_epoch`."""
        with self._server.answering():
            self._scripts.raise_epoch([table_key(table)], [epoch])

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """See `Target.begin`. Raises as `mark` does."""
        arguments: list[EncodableT] = []
        for partition, epoch in epochs.items():
            arguments += [f"applied:{partition}", epoch, _mark_text(Mark(epoch, START))]
        if not arguments:
            return {}
        with self._server.answering():
            marks = self._scripts.begin([table_key(table)], [self._run_for(table), *arguments])
        if not marks:
            raise self._server.started_anew()
        return {id_: _mark(mark).position for id_, mark in zip(epochs, marks, strict=True) if mark}

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """See `Target.mark`.

        Raises:
            TargetError: The server does not answer, or is not the one that `recall` asked: it was started anew, or a
                replica took over. The client reconnects without a word, and what was acknowledged may be gone.
        """
        arguments: list[EncodableT] = []
        for partition, mark in marks.items():
            arguments += [f"applied:{partition}", _mark_text(mark)]
        if not arguments:
            return
        # Asked behind the rows and in one step with the marks: the run that takes them has taken all rows before.
        with self._server.answering():
            marked = self._scripts.mark([table_key(table)], [self._run_for(table), *arguments])
        if not marked:
            raise self._server.started_anew()

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """See `Target.forget_marks`."""
        arguments: list[EncodableT] = []
        for partition, mark in marks.items():
            arguments += [f"applied:{partition}", mark.epoch]
        with self._server.answering():
            self._scripts.forget_marks([table_key(table)], arguments)

    def _run_for(self, table: str) -> str:
        """Give the run of the server that `recall` asked; without one before, nothing can have been forgotten."""
        if table not in self._runs:
            self._runs[table] = check_server(self._server, self._client)
        return self._runs[table]

    # Generations.

    def create(self, generation: Generation, collection: CollectionConfig) -> None:
        """See `Target.create`. What the generation counts is kept with it; its layout is that of this release."""
        own, counted = collection_key(generation.collection), f"metrics:{generation.number}"
        self._give_way(generation, collection.table)
        with self._server.answering():
            self._client.hsetnx(own, counted, dump_metrics(collection.metrics).decode())
            stored = self._client.hget(own, counted)
            if stored is None:
                raise self._server.lost(f"it has no generation {generation}")
            described = layout(generation.collection, load_metrics(stored))
            self._client.hset(own, mapping={"table": collection.table, f"layout:{generation.number}": described})
            # Listed last: a generation that is listed is there.
            self._client.hset(table_key(collection.table), f"generation:{generation}", "1")
        self._forget(generation)

    def _give_way(self, generation: Generation, table: str) -> None:
        """Drop the generation where it was made for another table."""
        with self._server.answering():
            before = self._client.hget(collection_key(generation.collection), "table")
        if before is not None and _text(before) != table:
            self.drop(generation)

    def serve(self, generation: Generation) -> None:
        """See `Target.serve`. Published keys change with it in the same step."""
        with self._server.answering():
            taken = self._scripts.serve([collection_key(generation.collection)], [generation.number])
        self._warn(generation, taken)

    def drop(self, generation: Generation) -> None:
        """See `Target.drop`."""
        own = collection_key(generation.collection)
        with self._server.answering():
            table = self._client.hget(own, "table")
            self._scripts.drop([own], [generation.number])
            # Unlisted last: until then a drop that failed can be found and repeated.
            if table is not None:
                self._client.hdel(table_key(_text(table)), f"generation:{generation}")
        self._forget(generation)

    def _forget(self, generation: Generation) -> None:
        self._tallies.pop(generation, None)
        self._horizons.pop(generation, None)

    def sweep(self, older_than: float) -> int:
        """See `Target.sweep`. Time buckets that are no longer kept are forgotten too."""
        generations = [generation for table in sorted(self._tables) for generation in self._listed(table)]
        for generation in generations:
            # A drop that was interrupted leaves a generation on the list that is not there.
            self._expire(generation, self._found(generation) or ())
        return sum(self._sweep(generation, older_than) for generation in generations)

    def _expire(self, generation: Generation, counted_by: Sequence[Tally]) -> None:
        """Forget the time buckets that are no longer kept; asks nobody until the next of them has come of age."""
        now = self._clock()
        horizons: list[str | bytes] = []
        for tally in counted_by:
            if tally.buckets:
                horizons += [tally.name.partition(".")[2], tally.buckets.horizon(now)]
        if not horizons or self._horizons.get(generation) == horizons:
            return
        forgotten = COUNTS_PER_STEP
        while forgotten == COUNTS_PER_STEP:
            with self._server.answering():
                forgotten = self._scripts.expire(
                    [collection_key(generation.collection)], [generation.number, COUNTS_PER_STEP, *horizons]
                )
        self._horizons[generation] = horizons

    def _listed(self, table: str) -> list[Generation]:
        with self._server.answering():
            fields = [_text(field) for field in self._client.hkeys(table_key(table))]
        return sorted(_generation(field.partition(":")[2]) for field in fields if field.startswith("generation:"))

    def _sweep(self, generation: Generation, older_than: float) -> int:
        forgotten, seen = 0, _SWEEP_LIMIT
        while seen == _SWEEP_LIMIT:
            with self._server.answering():
                seen, removed = self._scripts.sweep(
                    [collection_key(generation.collection)], [generation.number, repr(older_than), _SWEEP_LIMIT]
                )
            forgotten += removed
        return forgotten

    # Writes.

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        """See `Target.apply`. A number that a sum cannot hold is rejected; everything else of its write counts.

        Raises:
            TargetError: The server does not answer or takes no writes, or has lost the generation.
        """
        by_generation: dict[Generation, list[Write]] = {}
        for write in writes:
            by_generation.setdefault(write.generation, []).append(write)
        rejections: list[Rejection] = []
        for generation, own in by_generation.items():
            rejections += self._apply(generation, own)
        return rejections

    def _apply(self, generation: Generation, writes: Sequence[Write]) -> Iterator[Rejection]:
        counted_by = self._counted_by(generation)
        is_heard = self._is_heard(generation.collection)
        if not counted_by:
            self._tell(generation, writes if is_heard else ())
            return
        self._expire(generation, counted_by)
        length = max(1, COUNTS_PER_STEP // sum(tally.work for tally in counted_by))
        for first in range(0, len(writes), length):
            step = writes[first : first + length]
            yield from self._apply_step(generation, counted_by, step, is_heard=is_heard)

    def _counted_by(self, generation: Generation) -> tuple[Tally, ...]:
        found = self._found(generation)
        if found is None:
            raise self._server.lost(f"it has no generation {generation}")
        return found

    def _found(self, generation: Generation) -> tuple[Tally, ...] | None:
        known = self._tallies.get(generation)
        if known is None:
            with self._server.answering():
                stored = self._client.hget(collection_key(generation.collection), f"metrics:{generation.number}")
            if stored is not None:
                known = self._tallies[generation] = tallies(generation.collection, load_metrics(stored))
        return known

    def _apply_step(
        self, generation: Generation, counted_by: Sequence[Tally], writes: Sequence[Write], *, is_heard: bool
    ) -> Iterator[Rejection]:
        contributions = [
            contribution(counted_by, write.version, write.document, write.change.created_at) for write in writes
        ]
        arguments: list[bytes | str | int] = [generation.number, repr(self._clock()), len(contributions[0].keys)]
        for write, made in zip(writes, contributions, strict=True):
            arguments += [write.id, made.text, _event(write) if is_heard else b"", *made.keys]
        with self._server.answering():
            answers, *taken = self._scripts.apply([collection_key(generation.collection)], arguments)
        self._warn(generation, taken)
        for write, made, answer in zip(writes, contributions, answers.decode(), strict=True):
            if made.problems and answer == _APPLIED:
                yield _rejection(write, made)

    def _tell(self, generation: Generation, writes: Sequence[Write]) -> None:
        """Tell viewers of a collection without metrics. Nothing else is kept of it: its items would fill memory."""
        window = int(self._clock() // TOLD_WINDOW_SECONDS)
        channel = live_channel(f"collection:{generation.collection}")
        arguments: list[bytes | str | int] = [generation.number, channel, window, TOLD_WINDOW_SECONDS]
        for write in writes:
            arguments += [write.id, str(write.version).zfill(VERSION_DIGITS), _event(write)]
        with self._server.answering():
            self._scripts.tell([collection_key(generation.collection)], arguments)

    def _is_heard(self, collection: str) -> bool:
        with self._server.answering():
            [(_, listeners)] = self._client.pubsub_numsub(live_channel(f"collection:{collection}"))
        return bool(listeners)

    def _warn(self, generation: Generation, taken: Sequence[bytes]) -> None:
        for key in set(taken) - self._taken:
            self._taken.add(key)
            log.warning(
                "a group of %s is not published: the key %r exists already and is not ours. "
                "Delete or rename it, or begin the metric's publish key with a name of its own.",
                generation,
                key.decode(errors="replace"),
            )

    # Comparing.

    def digest(self, generation: Generation, item: Document) -> bytes | None:
        """See `Comparable.digest`. None in a collection without metrics, of which nothing is kept."""
        counted_by = self._counted_by(generation)
        if not counted_by:
            return None
        return digest_of(comparable(counted_by, contribution(counted_by, 0, item, 0.0).text))

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """See `Comparable.kept`: what is kept of a document is its contribution."""
        counted_by = self._counted_by(generation)
        if not ids:
            return {}
        with self._server.answering():
            held = cast("list[bytes | None]", self._client.hmget(contributions_key(generation), list(ids)))
        return {
            id_: digest_of(comparable(counted_by, text))
            for id_, text in zip(ids, held, strict=True)
            if text is not None and _is_live(text)
        }

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """See `Comparable.walk`. In no order: "SCAN", Valkey documentation, says what it promises."""
        self._counted_by(generation)
        with self._server.answering():
            answer = self._client.hscan(contributions_key(generation), int(cursor or 0), count=limit)
        behind, found = cast("tuple[int, dict[bytes, bytes]]", answer)
        return Walked([_text(id_) for id_, text in found.items() if _is_live(text)], str(behind) if behind else "")

    # Reading, and the rest.

    def metric(self, collection: str, metric: str) -> MetricSnapshot:
        """See `MetricReader.metric`."""
        return self._reader.metric(collection, metric)

    def listen(self, topics: Sequence[str]) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        """See `MetricReader.listen`."""
        return self._reader.listen(topics)

    def ping(self) -> None:
        """See `Target.ping`."""
        with self._server.answering():
            self._client.ping()

    def close(self) -> None:
        """See `Target.close`."""
        self._client.close()
        self._release()


_APPLIED = "1"


def _text(answer: bytes | str) -> str:
    return answer.decode() if isinstance(answer, bytes) else answer


def _is_live(contribution: bytes) -> bool:
    """Tell a contribution from the bare version that a delete leaves."""
    return len(contribution) > VERSION_DIGITS


def _generation(name: str) -> Generation:
    collection, _, number = name.rpartition("@")
    return Generation(collection, int(number))


def _event(write: Write) -> bytes:
    """Give what viewers are told of a write, as JSON."""
    document = write.document
    if document is not None and len(document.json) > TOLD_DOCUMENT_BYTES:
        content = b'null,"truncated":true'
    else:
        content = document.json if document else b"null"
    head = b'{"collection":"%s","id":%s,"document":' % (write.generation.collection.encode(), orjson.dumps(write.id))
    return head + content + b"}"


def _rejection(write: Write, made: Contribution) -> Rejection:
    return Rejection(write, made.problems[0].code, " ".join(problem.message for problem in made.problems))


def _mark_text(mark: Mark) -> str:
    """Write a mark. The epoch stands first, where scripts read it."""
    return json.dumps([mark.epoch, mark.position.ended, mark.position.rank, mark.position.token])


def _mark(text: str | bytes) -> Mark:
    epoch, *position = json.loads(text)
    return Mark(epoch, Position(*position))
