"""Verifications of one target, whoever asked for them: compared in a thread of their own, repaired by the lane.

A repair of single documents writes what the table holds at an epoch R of its own: R is drawn, then every live shard
draws above it, and only then are the items read, strongly consistently. So whatever was under way from before loses to
R, and whatever is written after the reading wins.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from dynalens import clock
from dynalens.change import Change, Typed, render
from dynalens.errors import DynalensError
from dynalens.pipeline.background import Schedule, is_background
from dynalens.pipeline.generations import Fed
from dynalens.pipeline.reading import Table
from dynalens.pipeline.redrive import Fetch
from dynalens.request import Request, RequestState, RequestStore
from dynalens.source.scan import ReadBudget
from dynalens.target import Comparable, Target, Write, version
from dynalens.verification import Comparison, Difference, Outcome, Sample, TableReader, verify

log = logging.getLogger(__name__)

SAVED_EVERY_SECONDS = 1.0
REPAIR_SECONDS = 120.0
"""How long a verification waits for what it found to be repaired."""


class Repairer(Protocol):
    """The lane: it alone writes to its target."""

    def applied(self, stop: threading.Event) -> None:
        """Return when the target holds every change that stood in the stream before the call, or `stop` is set."""
        ...

    def served(self, collection: str) -> Fed | None:
        """Give the generation of a collection that is served and fed."""
        ...


@dataclass(slots=True, eq=False)
class Repair:
    """Documents to be written anew, as their items are.

    Attributes:
        fed: Their generation.
        differences: The documents.
        epoch: Drawn for it; 0 before.
        done: Set once they are written, or cannot be.
        repaired: How many were written.
    """

    fed: Fed
    differences: Sequence[Difference]
    epoch: int = 0
    done: threading.Event = field(default_factory=threading.Event)
    repaired: int = 0


class Verifier:
    """Runs the verifications of one table and target, one after the other.

    Args:
        lane: The lane of the target.
        table: The table.
        target: The target.
        requests: What was asked for.
        reader: Opens the table's side of a comparison, which ends when the event is set.
    """

    def __init__(
        self,
        lane: Repairer,
        *,
        table: Table,
        target: Target,
        requests: RequestStore,
        reader: Callable[[threading.Event], TableReader],
    ) -> None:
        self._table = table
        self._target = target
        self._requests = requests
        self._reader = reader
        self._lane = lane
        self._schedule = Schedule(
            table.background,
            table=table.name,
            target=target.name,
            requests=requests,
            is_served=lambda collection: lane.served(collection) is not None,
        )
        self._thread: threading.Thread | None = None
        self._running: Request | None = None
        self._stop = threading.Event()
        self._asked = True
        self.repairs: list[Repair] = []
        """What the lane is to write anew, oldest first."""

    def stop(self) -> None:
        """End what runs; whoever leads next begins it again."""
        self._stop.set()
        for repair in self.repairs:
            repair.done.set()
        self.repairs.clear()

    def join(self, timeout: float) -> bool:
        """Wait for what runs to end; say whether it did."""
        if self._thread is not None:
            self._thread.join(timeout)
        return not self._is_alive()

    def hear(self) -> None:
        """Hear that something may have been asked for: one that runs in the background gives way to it."""
        self._asked = True
        if self._is_alive() and self._running and is_background(self._running):
            first = next(iter(self._not_ended()), None)
            if first is not None and not is_background(first):
                self._stop.set()

    def run(self) -> None:
        """Begin the next verification, unless one runs. What a worker that is gone left running is begun again.

        The store is read only after `hear`, and when one has ended: others may wait behind it. Those of the background
        are asked for here, too, and come last.
        """
        self._schedule.ask()
        if not self._asked or self._is_alive():
            return
        self._running = next(iter(self._not_ended()), None)
        self._asked = self._running is not None
        if self._running is not None:
            self._stop = threading.Event()
            self._thread = threading.Thread(
                target=self._verify, args=(self._running, self._stop), name="verify", daemon=True
            )
            self._thread.start()

    def _is_alive(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _not_ended(self) -> list[Request]:
        """List what is to be done, in that order."""
        asked = [
            request
            for request in self._requests.requests(self._table.name)
            if (request.kind, request.target) == ("verify", self._target.name) and not request.has_ended
        ]
        return sorted(asked, key=is_background)

    def _verify(self, request: Request, stop: threading.Event) -> None:
        run = _Run(request, self._requests, self._table.items)
        try:
            outcome = self._compared(request, run, stop)
            if not stop.is_set():
                run.save("done", outcome)
        except DynalensError as error:
            run.save("failed", error=error.message)
        except Exception as error:
            log.exception("verifying %s failed", request.collection)
            run.save("failed", error=f"{type(error).__name__}: {error}")

    def _compared(self, request: Request, run: _Run, stop: threading.Event) -> Outcome:
        options = json.loads(request.options)
        fed = self._lane.served(request.collection)
        if fed is None or not isinstance(self._target, Comparable):
            raise DynalensError(f"{request.collection} has no complete copy in {self._target.name} to be compared.")
        run.generation = fed.generation.number

        def differing(differences: Sequence[Difference]) -> None:
            if options.get("repair"):
                run.repaired += self._repaired(fed, differences)

        return verify(
            Comparison(
                target=self._target,
                generation=fed.generation,
                route=fed.route,
                keys=self._table.keys,
                table=self._reader(stop),
                applied=lambda: self._lane.applied(stop),
                pace=ReadBudget(float(options.get("rate", 1000.0))),
                stop=stop,
                sample=Sample(float(options.get("sample", 1.0)), str(request.number)),
                progress=lambda outcome: run.save("running", outcome, at_once=False),
                differing=differing,
            )
        )

    def _repaired(self, fed: Fed, differences: Sequence[Difference]) -> int:
        repair = Repair(fed, differences)
        self.repairs.append(repair)
        repair.done.wait(REPAIR_SECONDS)
        return repair.repaired


@dataclass(slots=True)
class _Run:
    """One request while it is answered."""

    request: Request
    requests: RequestStore
    items: int
    generation: int = 0
    repaired: int = 0
    saved_at: float = 0.0

    def save(
        self, state: RequestState, outcome: Outcome | None = None, *, error: str = "", at_once: bool = True
    ) -> None:
        now = clock.now()
        if not at_once and abs(now - self.saved_at) < SAVED_EVERY_SECONDS:
            return
        self.saved_at = now
        told = self._told(outcome) if outcome else self.request.outcome
        self.request = replace(self.request, state=state, outcome=told, error=error, changed_at=now)
        self.requests.save_request(self.request)

    def _told(self, outcome: Outcome) -> str:
        return outcome.as_json(generation=self.generation, repaired=self.repaired, items=self.items)


def repairing_writes(repair: Repair, table: str, fetch: Fetch) -> list[Write]:
    """Read the items of a repair, strongly consistently, and make the writes that put the documents right.

    Every live shard must have drawn an epoch above the repair's before.

    Raises:
        SourceError: The table cannot be read.
    """
    return [
        _write(repair, version(repair.epoch, ordinal), difference, fetch(difference.key), table)
        for ordinal, difference in enumerate(repair.differences)
    ]


def _write(repair: Repair, at: int, difference: Difference, item: Mapping[str, Typed] | None, table: str) -> Write:
    document = None if item is None else render(item)
    change = Change(
        table=table,
        id=difference.id,
        key=difference.key,
        kind="remove" if document is None else "scan",
        new=document,
        size=len(document.json) if document else 0,
    )
    belongs = document is not None and repair.fed.route.takes(document)
    return Write(repair.fed.generation, difference.id, at, document if belongs else None, change)
