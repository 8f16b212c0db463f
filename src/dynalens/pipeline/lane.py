"""A lane: one target of one table. It applies what is read for it, and commits what was confirmed.

The order is the promise: apply, then mark in the target, then commit in the store. Any failure drops all that is in
memory; the lane attaches again from what the target and the store both hold, under newly drawn epochs.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence

from dynalens import clock, failpoint
from dynalens.dead_letter import DeadLetter, DeadLetterStore
from dynalens.errors import DynalensError, TrimmedError
from dynalens.partition import Partition
from dynalens.pipeline.attachment import Attachment
from dynalens.pipeline.delivery import ORDINAL_LIMIT, Cursor, Delivery
from dynalens.pipeline.duties import Duties
from dynalens.pipeline.generations import DetachedError
from dynalens.pipeline.progress import Progress
from dynalens.pipeline.queue import Queue
from dynalens.pipeline.reading import Table
from dynalens.pipeline.redrive import Redriver, poison_letter, rejection_letter
from dynalens.pipeline.verified import VerifiedLane
from dynalens.pipeline.verifier import Repairer, Verifier
from dynalens.position import Commit, Copy, Gap
from dynalens.report import Report, merged
from dynalens.retry import RetryPolicy
from dynalens.target import Mark, Rejection, Target, Write

log = logging.getLogger(__name__)

LINGER_SECONDS = 0.05
"""How long a batch may wait for company: less would make many small parts, more would be seen."""
IDLE_SECONDS = 0.25
LOOK_SECONDS = 3.0
"""How often the target is asked whether it still holds what it confirmed: a quiet table would not find out."""


class TargetLane:
    """Applies one table to one target, in a thread of its own, until it is stopped.

    Args:
        table: The table.
        target: The target; the lane is its only writer for this table.
        attach: Makes a new, unattached `Attachment`.
        reported_as: The worker's name in reports.
        other_reports: Gives what the other workers of the table, as far as they live, say of this target.
        dead_letters: Where refused changes go.
        lock: The feed's lock, which guards the queue and the cursors.
        wake: Called with the lock held when the lane has room again.
        rediscover: Called when a shard was drained, so that its children are found at once.
        redriver: Applies dead letters again when asked.
        verifier: Makes what compares the target with the table when asked.
        retries: How long to wait between attempts to attach.
    """

    def __init__(  # noqa: PLR0913 - made in one place, by `TablePipeline`
        self,
        *,
        table: Table,
        target: Target,
        attach: Callable[[], Attachment],
        reported_as: str,
        other_reports: Callable[[], Sequence[Report]],
        dead_letters: DeadLetterStore,
        lock: threading.Condition,
        wake: Callable[[], None],
        rediscover: Callable[[], None],
        redriver: Redriver,
        verifier: Callable[[Repairer], Verifier],
        retries: RetryPolicy,
    ) -> None:
        """Prepare; `start` begins."""
        self.name = target.name
        self.tried = threading.Event()
        """Set once the first attempt to attach has failed, or its scans are to be read."""
        self._table = table
        self._target = target
        self._new_attachment = attach
        self._other_reports = other_reports
        self._dead_letters = dead_letters
        self._lock = lock
        self._wake = wake
        self._rediscover = rediscover
        self._retries = retries
        self._attachment = attach()
        compared = verifier(VerifiedLane(lambda: self._attachment, other_reports, lock))
        self._duties = Duties(table.name, target, redriver, compared, self._have_caught_up)
        self._queue = Queue()
        self._lost: list[Gap] = []
        self._known: list[Copy] = []
        self._progress = Progress(table.name, target.name, reported_as, read_at=table.read_at.get(target.name, 0.0))
        self._stop = threading.Event()
        self._drain_until = 0.0
        self._looked_at = time.monotonic()
        self._tended_at = -math.inf
        self._thread = threading.Thread(target=self._run, name=f"lane-{table.name}-{target.name}", daemon=True)

    # What the feed calls, with the lock held.

    def cursor(self, partition: str) -> Cursor | None:
        """See `feed.Lane.cursor`."""
        return self._attachment.reading.cursors.get(partition)

    def scans(self) -> set[str]:
        """Give the ids of the scans that fill generations which are being built."""
        return {copy.scan for copy in self._attachment.generations.building()}

    def has_room(self) -> bool:
        """See `feed.Lane.has_room`."""
        return self._queue.has_room()

    def deliver(self, delivery: Delivery) -> None:
        """See `feed.Lane.deliver`."""
        self._progress.source_error = None
        if delivery.batch.position == delivery.cursor.committed and not len(delivery):
            return
        self._progress.read(len(delivery))
        self._queue.add(delivery)
        self._lock.notify_all()

    def source_failed(self, partition: Partition | None, error: DynalensError) -> None:
        """See `feed.Lane.source_failed`."""
        self._progress.source_error = error
        if partition is not None and isinstance(error, TrimmedError):
            cursor = self._attachment.reading.cursors.get(partition.id)
            self._lost.append(self._gap(partition, cursor.newest if cursor else 0.0, error))
            self._lock.notify_all()

    def _gap(self, partition: Partition, since: float, error: DynalensError) -> Gap:
        now = clock.now()
        return Gap(
            table=self._table.name,
            target=self.name,
            partition=partition.id,
            since=since,
            until=now,
            reason=error.message,
            found_at=now,
        )

    # The thread.

    def start(self) -> None:
        """Begin attaching and applying."""
        self._thread.start()

    def stop(self, drain_seconds: float) -> None:
        """Apply and commit what has been read, for at most `drain_seconds`, then end. Returns at once."""
        self._drain_until = time.monotonic() + drain_seconds
        self._stop.set()
        self._duties.stop()
        with self._lock:
            self._lock.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait for the lane, and for a verification of its target; say whether both ended."""
        deadline = time.monotonic() + timeout
        if self._thread.is_alive():
            self._thread.join(timeout)
        verified = self._duties.join(max(0.0, deadline - time.monotonic()))
        return verified and not self._thread.is_alive()

    def _run(self) -> None:
        delays, confirmed = self._retries.delays(), 0
        while not self._stop.is_set():
            try:
                self._attach()
                self._work_until_stopped()
            except DynalensError as error:
                self._failed(error)
            except Exception as error:
                log.exception("%s to %s failed", self._table.name, self.name)
                self._failed(DynalensError(f"{type(error).__name__}: {error}"))
            finally:
                self._detach()
                self.tried.set()
            if self._progress.confirmed > confirmed:
                # It worked for a while: the next failure is a new one.
                delays, confirmed = self._retries.delays(), self._progress.confirmed
            self._stop.wait(next(delays))

    def _failed(self, error: DynalensError) -> None:
        if isinstance(error, DetachedError):
            log.warning("%s to %s: %s", self._table.name, self.name, error.message)
            return
        log.warning("%s to %s: %s %s", self._table.name, self.name, error.message, error.hint)
        self._progress.target_error = error

    def _attach(self) -> None:
        with self._lock:
            lost, self._lost = self._lost, []
            attachment = self._attachment = self._new_attachment()
        try:
            attachment.attach(lost, self._read_at(), self._known)
        except BaseException:
            if not attachment.decided:
                with self._lock:
                    self._lost = [*lost, *self._lost]
            raise
        self._progress.target_error = None
        self._tended_at = -math.inf

    def _read_at(self) -> float:
        """Say when the stream was last read for the target, here or, while this process slept, by another worker."""
        return max([self._progress.read_at, *(report.polled_at for report in self._other_reports())])

    def _detach(self) -> None:
        """Drop all that is in memory: what was not committed is read again."""
        with self._lock:
            self._progress.note_reads(self._attachment, clock.now())
            self._known = self._attachment.generations.copies() or self._known
            self._attachment = self._new_attachment()
            self._queue.clear()
            self._progress.forget()

    def _work_until_stopped(self) -> None:
        while not self._drained():
            deliveries = self._collect()
            if deliveries:
                self._apply(deliveries)
            if self._lost:
                message = f"changes were lost: {self._lost[0].reason}"
                raise DetachedError(message)
            if not self._stop.is_set() and time.monotonic() - self._tended_at >= IDLE_SECONDS:
                self._tended_at = time.monotonic()
                self._tend()

    def _drained(self) -> bool:
        if not self._stop.is_set():
            return False
        return not self._queue or time.monotonic() > self._drain_until

    def _collect(self) -> list[Delivery]:
        """Wait for pages, a little longer for company, then take a batch of them."""
        with self._lock:
            if not self._queue and not self._stop.is_set():
                self._lock.wait(IDLE_SECONDS)
            if self._queue:
                deadline = time.monotonic() + LINGER_SECONDS
                while not self._has_batch() and (left := deadline - time.monotonic()) > 0:
                    self._lock.wait(left)
            return list(self._queue.take())

    def _has_batch(self) -> bool:
        return self._stop.is_set() or self._queue.has_batch()

    def _apply(self, deliveries: Sequence[Delivery]) -> None:
        """Apply, mark, commit: in this order, so that a position never stands for what was not confirmed."""
        writes = [write for delivery in deliveries for write in self._writes(delivery)]
        if any(delivery.cursor.partition.kind == "segment" for delivery in deliveries):
            failpoint.hit(failpoint.SEGMENT_PAGE)
        failpoint.hit(failpoint.BEFORE_APPLY)
        rejections = self._target.apply(writes) if writes else []
        failpoint.hit(failpoint.AFTER_APPLY)
        self._bury(deliveries, rejections)
        positions = {delivery.cursor.partition.id: delivery for delivery in deliveries}
        self._target.mark(
            self._table.name,
            {name: Mark(last.cursor.epoch, last.batch.position) for name, last in positions.items()},
        )
        failpoint.hit(failpoint.AFTER_MARK)
        self._attachment.reading.store.commit(
            self._table.name,
            self.name,
            [Commit(name, last.cursor.epoch, last.batch.position) for name, last in positions.items()],
        )
        failpoint.hit(failpoint.AFTER_COMMIT)
        self._confirm(deliveries)

    def _writes(self, delivery: Delivery) -> Iterator[Write]:
        scan = self._attachment.scans.scan_of(delivery.cursor.partition.id)
        for version, change in delivery.changes():
            yield from self._attachment.generations.writes(change, version, scan=scan)

    def _bury(self, deliveries: Sequence[Delivery], rejections: Sequence[Rejection]) -> None:
        """Store what cannot be applied, before the position moves past it."""
        letters: list[DeadLetter] = [
            rejection_letter(rejection, self.name, self._attachment.reading.partition_of(rejection.write.version))
            for rejection in rejections
        ]
        for delivery in deliveries:
            letters += [
                poison_letter(poison, self.name, version, delivery.cursor.partition.id)
                for version, poison in delivery.poison()
            ]
        if letters:
            self._dead_letters.add(letters)
            failpoint.hit(failpoint.DEAD_LETTER_STORED)

    def _confirm(self, deliveries: Sequence[Delivery]) -> None:
        drained = False
        with self._lock:
            for delivery in deliveries:
                delivery.cursor.committed = delivery.batch.position
                self._attachment.reading.committed[delivery.cursor.partition.id] = delivery.batch.position
                drained = drained or delivery.batch.position.ended
            self._queue.confirm(deliveries)
            self._progress.confirm(deliveries)
            self._wake()
        if drained:
            self._rediscover()

    def _tend(self) -> None:
        """What needs doing between batches: partitions lost and new, and what the leading worker does for the table."""
        attachment = self._attachment
        self._let_go()
        if attachment.reading.leases.revision() != attachment.generations.revision:
            attachment.refresh()
        attachment.extend()
        if attachment.has_begun():
            self.tried.set()
        if attachment.reading.leases.leads():
            self._duties.do(attachment)
        else:
            self._duties.stop()
        if time.monotonic() - self._looked_at > LOOK_SECONDS:
            self._looked_at = time.monotonic()
            attachment.look_after()
        if any(cursor.ordinal > ORDINAL_LIMIT for cursor in self._attachment.reading.cursors.values()):
            message = "the ordinals of an epoch run out"
            raise DetachedError(message)

    def _let_go(self) -> None:
        """Read no more for partitions that another worker may take; what was read and not applied is dropped."""
        lost = self._attachment.reading.not_held()
        if not lost:
            return
        with self._lock:
            for partition in lost:
                del self._attachment.reading.cursors[partition]
            self._progress.drop(self._queue.drop(lost))
            self._wake()

    def _have_caught_up(self) -> bool:
        now = clock.now()
        [together] = merged([self.report(now), *self._other_reports()], now)
        return together.caught_up

    def report(self, now: float) -> Report:
        """Say how far this lane is, and what holds it up."""
        with self._lock:
            return self._progress.report(self._attachment, self._queue, now)
