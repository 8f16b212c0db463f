"""What the worker that leads a table does for it: decides which generations there are, finishes them, drops them.

Every step is refused by the store when somebody else decided meanwhile, so that two workers that both believe to lead
can do no harm.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dynalens import clock, failpoint
from dynalens.backfill import Loss, Plan, Scan, Situation, dropped, finished, forgettable, forgotten, is_above, plan
from dynalens.pipeline.generations import DetachedError, Generations
from dynalens.position import Copy, Gap, PositionStore
from dynalens.request import Request, RequestState, RequestStore
from dynalens.target import Generation, Target

log = logging.getLogger(__name__)


@dataclass(slots=True)
class Lead:
    """Decides about the generations of one table in one target.

    Args:
        table: The table's name.
        target: The target.
        store: The positions.
        requests: What was asked for.
        generations: What is fed.
        new_scan: Gives a scan for new generations; its argument says whether it must read strongly consistently.
    """

    table: str
    target: Target
    store: PositionStore
    requests: RequestStore
    generations: Generations
    new_scan: Callable[[bool], Scan]

    def remind(self, known: Sequence[Copy]) -> None:
        """Record generations that this worker feeds and the store has forgotten: it was deleted, or taken back."""
        if missing := forgotten(known, self.store.copies(self.table, self.target.name)):
            log.error("the position store has forgotten generations of %s: they are recorded again", self.table)
            self.store.record(self.table, self.target.name, missing)

    def decide(self, situation: Situation, loss: Loss) -> None:
        """Record what was lost and the generations that are wanted, before an epoch is drawn under that list."""
        asked = self._asked("rebuild")
        situation = replace(situation, rebuild=frozenset(request.collection for request in asked))
        chosen = plan(situation, loss, self.new_scan)
        for copy in chosen.retired:
            self.store.save_copy(self.table, dropped(copy), was=copy)
        self._record(situation, loss, chosen)
        for request in asked:
            self.requests.save_request(replace(request, state="running", changed_at=clock.now()))
        self._set_barriers()

    def record_loss(self, loss: Loss, begun: Sequence[Copy] = ()) -> None:
        """Record what was lost, and the generations that are begun because of it."""
        for gap in loss.gaps:
            log.error("gap in %s for %s (%s): %s", gap.table, gap.target, gap.partition, gap.reason)
        if begun or loss.gaps or loss.forgotten:
            self.store.record(self.table, self.target.name, begun, loss.gaps, loss.forgotten)
            failpoint.hit(failpoint.COPY_RECORDED)

    def _record(self, situation: Situation, loss: Loss, chosen: Plan) -> None:
        self.record_loss(loss, chosen.new)
        begun = {copy.collection for copy in chosen.new}
        places = {wanted.collection: wanted.place for wanted in situation.wanted}
        for copy in situation.copies:
            if copy in chosen.retired:
                continue
            lost = Generation(copy.collection, copy.number) not in situation.memory.generations
            cancelled = copy.state == "building" and copy.collection in begun
            if cancelled or (lost and copy.state in {"live", "kept"}):
                # There is nothing left of it, or nothing is to come of it. A store that was taken back may also call
                # one live that the target has dropped since: fed again it would be kept, and lack all from before.
                self.store.save_copy(self.table, dropped(copy), was=copy)
            elif copy.state != "dropped":
                found = replace(copy, stream=situation.stream, place=places.get(copy.collection, copy.place))
                if found != copy:
                    self.store.save_copy(self.table, found, was=copy)

    def _set_barriers(self) -> None:
        """Say which epochs were drawn before a generation was recorded: a shard that has one does not know of it."""
        for copy in self.store.copies(self.table, self.target.name):
            if copy.state == "building" and not copy.barrier:
                self.store.save_copy(self.table, replace(copy, barrier=self.store.counter(self.table)), was=copy)

    def must_decide(self, situation: Situation) -> bool:
        """Say whether something was recorded or asked for since that a new generation answers."""
        if self._asked("rebuild"):
            return True
        if any(not copy.barrier for copy in self.generations.building()):
            return True
        return bool(plan(situation, Loss(), lambda consistent: Scan("", 1, consistent)).new)

    def finish(self, copy: Copy, segments: Sequence[str]) -> None:
        """Make a complete generation the one that is served, and feed the one before it no more, unless it is kept.

        Args:
            copy: Its record.
            segments: The segments of its scan: how far they were read is forgotten.
        """
        generation = Generation(copy.collection, copy.number)
        failpoint.hit(failpoint.BEFORE_SERVE)
        # Recorded first: whoever leads no more is refused, and must not switch readers back to an older one.
        self.store.save_copy(self.table, finished(copy, clock.now()), was=copy)
        self.target.serve(generation)
        failpoint.hit(failpoint.AFTER_SERVE)
        self._replace_older(copy)
        self.settle()
        if copy.scan not in {other.scan for other in self.generations.building()}:
            self.store.forget(self.table, self.target.name, segments)

    def resume(self) -> None:
        """End a switch that was begun: whoever led before may have died in the middle of it."""
        live = [copy for copy in self.generations.copies() if copy.state == "live"]
        for copy in live:
            if any(other.collection == copy.collection and other.number < copy.number for other in live):
                self._replace_older(copy)
        self.settle()

    def _replace_older(self, copy: Copy) -> None:
        """Feed the generations before one that is served no more, unless the last of them is to be kept."""
        gaps = self.gaps()
        for older in self._others(copy):
            # One that lacks changes is nothing to switch back to: its gap is closed with this step.
            kept = copy.keeps_previous and older.state == "live" and is_above(older, gaps)
            if older.number < copy.number:
                self.store.save_copy(self.table, replace(older, state="kept") if kept else dropped(older), was=older)
        self._end(copy.collection, "rebuild")

    def settle(self) -> None:
        """Drop what nobody feeds, and close the gaps that newer generations have made up for."""
        known, was_read = set(self.generations.fed), self.generations.revision >= 0
        self.generations.read()
        if was_read and self.generations.fed.keys() - known:
            # Somebody else believes to lead, too: every partition has to be drawn for under the new list.
            raise DetachedError("a generation was begun")
        live = {copy.collection: copy for copy in self.generations.copies() if copy.state == "live"}
        held = self.target.recall(self.table).generations
        for collection in live:
            self.generations.drop_unfed(collection, held)
        if len(live) == len({copy.collection for copy in self.generations.copies()}):
            gaps = self.gaps()
            if gaps and all(is_above(copy, gaps) for copy in live.values()):
                below = min(copy.number for copy in live.values())
                self.store.close_gaps(self.table, self.target.name, below=below)

    def forget_dropped(self) -> None:
        """Forget the records of generations that were dropped long ago."""
        old = forgettable(self.store.copies(self.table, self.target.name), clock.now())
        if old:
            self.store.forget_copies(self.table, old)

    def gaps(self) -> list[Gap]:
        """List the gaps of this target that are recorded."""
        return [gap for gap in self.store.gaps(self.table) if gap.target == self.target.name]

    def begin_repair(self, copy: Copy) -> int:
        """Draw an epoch for a repair, and ask every live shard to draw above it; give the epoch."""
        epoch = self.store.next_epoch(self.table, remembered=self.target.recall(self.table).epoch)
        self.target.raise_epoch(self.table, epoch)
        self.store.save_copy(self.table, replace(copy, barrier=epoch), was=copy)
        return epoch

    def answer_requests(self) -> None:
        """Switch back to a kept generation, or drop it, where somebody asked for it."""
        for request in self._asked("back", "release"):
            kept = [copy for copy in self.generations.copies() if self._is_kept(copy, request)]
            if not kept:
                error = f"No generation of {request.collection} is kept in {self.target.name}."
                self._save(request, "failed", error)
                continue
            # Which one is written down first: whoever does it again must not take the other one.
            chosen = json.dumps({"generation": kept[-1].number})
            self.requests.save_request(replace(request, state="running", outcome=chosen, changed_at=clock.now()))
        for request in self._asked("back", "release", state="running"):
            self._answer(request, json.loads(request.outcome)["generation"])
            self._save(request, "done")

    def _answer(self, request: Request, number: int) -> None:
        """Serve a kept generation again, or drop it; one that this was done with already stays as it is."""
        for copy in self.generations.copies():
            if self._is_kept(copy, request) and copy.number == number:
                if request.kind == "back":
                    self._switch_back(copy)
                else:
                    self.store.save_copy(self.table, dropped(copy), was=copy)
        self.settle()

    def _switch_back(self, kept: Copy) -> None:
        # Its number stays the lower one: the next rebuild begins above both.
        self.target.serve(Generation(kept.collection, kept.number))
        # Whoever dies in between leaves two that are live, and `resume` begins again from the newer one.
        self.store.save_copy(self.table, replace(kept, state="live"), was=kept)
        for other in self._others(kept):
            if other.state == "live":
                self.store.save_copy(self.table, replace(other, state="kept"), was=other)

    def _is_kept(self, copy: Copy, request: Request) -> bool:
        return copy.state == "kept" and copy.collection == request.collection

    def _others(self, copy: Copy) -> Sequence[Copy]:
        return [
            other
            for other in self.store.copies(self.table, self.target.name)
            if other.collection == copy.collection and other.number != copy.number and other.state != "dropped"
        ]

    def _asked(self, *kinds: str, state: RequestState = "waiting") -> list[Request]:
        return [
            request
            for request in self.requests.requests(self.table)
            if request.kind in kinds and request.state == state and request.target == self.target.name
        ]

    def _end(self, collection: str, kind: str) -> None:
        for request in self.requests.requests(self.table):
            asked = (request.collection, request.kind, request.target) == (collection, kind, self.target.name)
            if asked and request.state == "running":
                self._save(request, "done")

    def _save(self, request: Request, state: RequestState, error: str = "") -> None:
        self.requests.save_request(replace(request, state=state, error=error, changed_at=clock.now()))
