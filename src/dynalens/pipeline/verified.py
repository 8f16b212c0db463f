"""A lane as a verification sees it, from its own thread: what is served, and when all that was captured is applied."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from dynalens import clock
from dynalens.partition import START
from dynalens.pipeline.attachment import Attachment
from dynalens.pipeline.delivery import Cursor
from dynalens.pipeline.generations import Fed
from dynalens.report import Report, silent

APPLIED_LOOK_SECONDS = 0.05


class VerifiedLane:
    """What a lane answers to a verification.

    Args:
        attachment: Gives the lane's attachment of now.
        other_reports: Gives what the other workers of the table, as far as they live, say of the target.
        lock: The feed's lock, which guards the cursors.
    """

    def __init__(
        self,
        attachment: Callable[[], Attachment],
        other_reports: Callable[[], Sequence[Report]],
        lock: threading.Condition,
    ) -> None:
        self._attachment = attachment
        self._other_reports = other_reports
        self._lock = lock

    def served(self, collection: str) -> Fed | None:
        """See `verifier.Repairer.served`."""
        fed = [one for one in self._attachment().generations.fed.values() if one.copy.collection == collection]
        return next((one for one in fed if one.copy.state == "live"), None)

    def applied(self, stop: threading.Event) -> None:
        """See `verifier.Repairer.applied`."""
        began = clock.now()
        while not (stop.is_set() or self._has_applied(stop)):
            stop.wait(APPLIED_LOOK_SECONDS)
        while not (stop.is_set() or self._others_have_applied(began)):
            stop.wait(APPLIED_LOOK_SECONDS)

    def _others_have_applied(self, began: float) -> bool:
        reports, leases = self._other_reports(), self._attachment().reading.leases
        quiet = silent(leases.owners(), reports) - {leases.owner}
        return not quiet and all(_applied_until(report) > began for report in reports)

    def _has_applied(self, stop: threading.Event) -> bool:
        """Read every shard once more, and wait until that is applied; False when the lane attached again meanwhile."""
        attachment = self._attachment()
        reading = attachment.reading
        with self._lock:
            # The first may have been under way already.
            polls = {id_: cursor.polls + 2 for id_, cursor in reading.open_shards().items()}
        if not self._await(stop, lambda cursor: cursor.polls >= polls.get(cursor.partition.id, 0), attachment):
            return False
        with self._lock:
            positions = {id_: cursor.position for id_, cursor in reading.open_shards().items()}
        reached = self._await(
            stop, lambda cursor: cursor.committed >= positions.get(cursor.partition.id, START), attachment
        )
        return reached and reading.has_all_shards()

    def _await(self, stop: threading.Event, reached: Callable[[Cursor], bool], attachment: Attachment) -> bool:
        while not stop.is_set() and attachment is self._attachment() and attachment.attached:
            with self._lock:
                if all(map(reached, attachment.reading.open_shards().values())):
                    return True
            stop.wait(APPLIED_LOOK_SECONDS)
        return False


def _applied_until(report: Report) -> float:
    """Give the time before which everything that was written is confirmed, as far as a worker knows."""
    return min(report.polled_at, report.written_at - report.behind_seconds)
