"""What the worker that leads a table does for one target between batches."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping

from dynalens import clock
from dynalens.errors import SourceError
from dynalens.pipeline.attachment import Attachment
from dynalens.pipeline.generations import DetachedError
from dynalens.pipeline.redrive import Redriver
from dynalens.pipeline.verifier import Repair, Verifier, repairing_writes
from dynalens.target import TOMBSTONE_RETENTION_SECONDS, Mark, Target

log = logging.getLogger(__name__)

SWEEP_EVERY_SECONDS = 3600.0


class Duties:
    """Finishes complete generations, answers requests, redrives dead letters, clears away what is no longer needed.

    Args:
        table: The table's name.
        target: The target.
        redriver: Applies dead letters again when asked.
        verifier: Compares the target with the table when asked.
        have_caught_up: Says whether all workers have applied what the stream holds.
    """

    def __init__(
        self, table: str, target: Target, redriver: Redriver, verifier: Verifier, have_caught_up: Callable[[], bool]
    ) -> None:
        self._table = table
        self._target = target
        self._redriver = redriver
        self._verifier = verifier
        self._have_caught_up = have_caught_up
        self._swept_at = time.monotonic()
        self._answered: tuple[Attachment, int] | None = None
        """The revision up to which requests and redrives are answered; some may be left from an attachment before."""
        self._unneeded: Mapping[str, Mark] = {}

    def stop(self) -> None:
        """End what runs; whoever leads next begins it again."""
        self._verifier.stop()

    def join(self, timeout: float) -> bool:
        """Wait for what runs to end; say whether it did."""
        return self._verifier.join(timeout)

    def do(self, attachment: Attachment) -> None:
        """Do what is due.

        Raises:
            DetachedError: Every partition has to be drawn for again.
        """
        for copy in attachment.scans.complete():
            if not attachment.replaces(copy) or self._have_caught_up():
                attachment.lead.finish(copy, attachment.scans.segments_of(copy))
        self._answer(attachment)
        self._verifier.run()
        if self._verifier.repairs:
            self._repair(self._verifier.repairs[0], attachment)
        if time.monotonic() - self._swept_at > SWEEP_EVERY_SECONDS:
            self._swept_at = time.monotonic()
            self._clear_away(attachment)

    def _answer(self, attachment: Attachment) -> None:
        """Do what was asked for since: whatever is asked raises the revision, so that nobody has to look."""
        at = (attachment, attachment.reading.leases.revision())
        if at == self._answered:
            return
        attachment.lead.answer_requests()
        self._verifier.hear()
        if not self._redriver.run(attachment.generations):
            # There may be more of them than are read at once.
            self._answered = at

    def _clear_away(self, attachment: Attachment) -> None:
        """Forget what nothing asks for any more."""
        attachment.reading.forget_gone()
        fed = attachment.generations.copies()
        before, self._unneeded = self._unneeded, attachment.reading.unneeded_marks(fed)
        # What was so an hour ago as well: a list of shards may lack one for a while.
        old = {partition: mark for partition, mark in self._unneeded.items() if partition in before}
        if old:
            self._target.forget_marks(self._table, old)
        attachment.lead.forget_dropped()
        self._target.sweep(clock.now() - TOMBSTONE_RETENTION_SECONDS)

    def _repair(self, repair: Repair, attachment: Attachment) -> None:
        """Write documents anew that a verification found to differ, once every shard has drawn above the repair."""
        fed = attachment.generations.fed.get(str(repair.fed.generation))
        if fed is not None and not repair.epoch:
            repair.epoch = attachment.lead.begin_repair(fed.copy)
            message = "documents are repaired"
            raise DetachedError(message)
        if fed is not None and not attachment.reading.all_drew_above(repair.epoch):
            return
        try:
            writes = [] if fed is None else repairing_writes(repair, self._table, self._redriver.fetch)
        except SourceError as error:
            # A table that cannot be read now must not hold up what is applied; the verification tells of it.
            log.warning("repairing %s: %s %s", repair.fed.generation, error.message, error.hint)
            writes = []
        if writes:
            repair.repaired = len(writes) - len(self._target.apply(writes))
        self._verifier.repairs.remove(repair)
        repair.done.set()
