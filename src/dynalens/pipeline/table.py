"""One table's pipeline: its shards discovered, one feed that reads them, one lane for each target."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from dynalens import clock
from dynalens.backfill import Scan
from dynalens.dead_letter import DeadLetterStore
from dynalens.errors import DynalensError
from dynalens.partition import Partition
from dynalens.pipeline.attachment import Attachment
from dynalens.pipeline.delivery import Cursor
from dynalens.pipeline.feed import Feed
from dynalens.pipeline.generations import Generations
from dynalens.pipeline.lane import TargetLane
from dynalens.pipeline.lead import Lead
from dynalens.pipeline.leases import Leases
from dynalens.pipeline.reading import Reading, Table
from dynalens.pipeline.redrive import Fetch, Redriver
from dynalens.pipeline.verifier import Verifier
from dynalens.position import PositionStore
from dynalens.report import Report
from dynalens.request import RequestStore
from dynalens.retry import RetryPolicy
from dynalens.source import Source
from dynalens.target import Target
from dynalens.verification import TableReader

log = logging.getLogger(__name__)

DISCOVERY_SECONDS = 10.0
SHARED_SCAN_SECONDS = 15.0
"""How long a scan waits for every lane's first attempt to attach, so that one scan fills all targets."""

_IMPATIENT_SECONDS = 0.05
_RETRY_SECONDS = 1.0

ScanSources = Callable[[Scan], Source]


class TablePipeline:
    """Keeps all targets of one table up to date, from `start` until `stop`.

    Args:
        table: The table.
        stream: Its stream.
        scans: Opens the scan of the table that a `Scan` describes.
        targets: Where its collections are kept.
        store: Positions.
        requests: What somebody asked for.
        leases: Which partitions this worker reads.
        other_reports: Gives what the other workers of the table, as far as they live, say of a target, by its name.
        reader: Opens the table's side of a comparison with a target, which ends when the event is set.
        dead_letters: Where refused changes go.
        fetch: Reads one item afresh.
        segments: How many segments a new scan has.
        retries: How long a lane waits between attempts to attach.
    """

    def __init__(  # noqa: PLR0913 - the parts of a table, named where they are put together
        self,
        *,
        table: Table,
        stream: Source,
        scans: ScanSources,
        targets: Sequence[Target],
        store: PositionStore,
        requests: RequestStore,
        leases: Leases,
        other_reports: Callable[[str], Sequence[Report]],
        reader: Callable[[threading.Event], TableReader],
        dead_letters: DeadLetterStore,
        fetch: Fetch,
        segments: int,
        retries: RetryPolicy,
    ) -> None:
        """Put the parts together; nothing is read or written yet."""
        self._table = table
        self._stream = stream
        self._scans = scans
        self._segment_count = segments
        self._shards: Sequence[Partition] = ()
        self._scan: Scan | None = None
        self._scans_open = False
        self._held_segments: list[Partition] = []
        self._scan_sources: dict[Scan, Source] = {}
        self._sources: dict[str, Source] = {}
        self._segments: dict[Scan, Sequence[Partition]] = {}
        self._leases = leases
        self._stop = threading.Event()
        self._rediscover = threading.Event()
        self._lanes: dict[str, TargetLane] = {}
        self._feed = Feed(self._lanes)
        for target in targets:
            self._lanes[target.name] = TargetLane(
                table=table,
                target=target,
                attach=partial(self._attachment, target, store, requests, leases),
                reported_as=leases.reported_as,
                other_reports=partial(other_reports, target.name),
                dead_letters=dead_letters,
                lock=self._feed.lock,
                wake=self._feed.wake_all,
                rediscover=self._rediscover.set,
                redriver=Redriver(table, target, dead_letters, fetch),
                verifier=partial(Verifier, table=table, target=target, requests=requests, reader=reader),
                retries=retries,
            )
        self._discovery = threading.Thread(
            target=self._discover_until_stopped, name=f"shards-{table.name}", daemon=True
        )

    def _attachment(self, target: Target, store: PositionStore, requests: RequestStore, leases: Leases) -> Attachment:
        generations = Generations(self._table.name, target, store)
        lead = Lead(self._table.name, target, store, requests, generations, self.new_scan)
        return Attachment(Reading(self._table, target, store, self, leases), generations, lead)

    # Partitions, as lanes see them.

    def shards(self) -> Sequence[Partition]:
        """See `reading.Partitions.shards`."""
        with self._feed.lock:
            return self._shards

    def new_scan(self, consistent: bool) -> Scan:  # noqa: FBT001 - a callback of one argument
        """Give a scan for generations begun now: lanes that begin together share one."""
        with self._feed.lock:
            shared = self._scan
            if shared is None or shared.consistent != consistent or self._scans_open:
                shared = self._scan = Scan(secrets.token_hex(6), self._segment_count, consistent)
            return shared

    def segments(self, scan: Scan) -> Sequence[Partition]:
        """See `reading.Partitions.segments`."""
        with self._feed.lock:
            source = self._scan_sources.get(scan) or self._scans(scan)
            self._scan_sources[scan] = source
            segments = source.discover()
            self._sources.update((segment.id, source) for segment in segments)
            self._segments[scan] = segments
            self._want()
        return segments

    def read(self, cursors: dict[str, Cursor], attached: Iterable[Cursor]) -> None:
        """See `reading.Partitions.read`."""
        with self._feed.lock:
            for cursor in attached:
                partition = cursor.partition
                cursors[partition.id] = cursor
                if partition.kind == "segment" and not self._scans_open:
                    self._held_segments.append(partition)
                else:
                    self._feed.add(partition, self._sources.get(partition.id, self._stream))

    def is_read(self, partition: str) -> bool:
        """Say whether a lane reads a partition now."""
        with self._feed.lock:
            return any(lane.cursor(partition) is not None for lane in self._lanes.values())

    def wake(self) -> None:
        """Let the lanes look at once which partitions are theirs."""
        with self._feed.lock:
            self._feed.lock.notify_all()

    def _want(self) -> None:
        """Tell which partitions there are to be read: a scan that fills no generation any more is none of them."""
        needed = {scan for lane in self._lanes.values() for scan in lane.scans()}
        segments = [segment for scan, parts in self._segments.items() if scan.id in needed for segment in parts]
        self._leases.want([*self._shards, *segments])

    # Running.

    def start(self) -> None:
        """Begin discovering; reading and applying begin with the first shards found."""
        self._discovery.start()

    def stop(self, drain_seconds: float) -> None:
        """Stop reading; let the lanes apply and commit what was read, for at most `drain_seconds`."""
        self._stop.set()
        self._rediscover.set()
        self._feed.stop()
        for lane in self._lanes.values():
            lane.stop(drain_seconds)

    def join(self, timeout: float) -> bool:
        """Wait for the lanes to end; say whether all of them did."""
        deadline = time.monotonic() + timeout
        ended = [lane.join(max(0.0, deadline - time.monotonic())) for lane in self._lanes.values()]
        return all(ended)

    def reports(self) -> list[Report]:
        """Give the report of every lane."""
        now = clock.now()
        return [lane.report(now) for lane in self._lanes.values()]

    def _discover_until_stopped(self) -> None:
        while not self._discover() and not self._stop.wait(_RETRY_SECONDS):
            pass
        if not self._stop.is_set():
            self._begin()
        while not self._stop.is_set():
            self._rediscover.wait(DISCOVERY_SECONDS)
            self._rediscover.clear()
            self._discover()

    def _begin(self) -> None:
        self._feed.start()
        for lane in self._lanes.values():
            lane.start()
        began = time.monotonic()
        # Once every lane has tried to attach the first scans begin: one that is down must not hold them for long.
        while not (self._stop.wait(_IMPATIENT_SECONDS) or all(lane.tried.is_set() for lane in self._lanes.values())):
            if time.monotonic() - began > SHARED_SCAN_SECONDS:
                break
        self._open_scans()

    def _open_scans(self) -> None:
        with self._feed.lock:
            self._scans_open = True
            for partition in self._held_segments:
                self._feed.add(partition, self._sources[partition.id])
            self._held_segments.clear()

    def _discover(self) -> bool:
        try:
            shards = list(self._stream.discover())
        except DynalensError as error:
            log.warning("describing the stream of %s: %s %s", self._table.name, error.message, error.hint)
            with self._feed.lock:
                for lane in self._lanes.values():
                    lane.source_failed(None, error)
            return False
        with self._feed.lock:
            self._shards = shards
            self._want()
            self._feed.close(frozenset(parent for shard in shards for parent in shard.parents))
            # Lanes look for shards that became ready between batches.
            self._feed.lock.notify_all()
        return True
