"""A model of the protocol: workers that come, go and come back late, over the fakes of a table, a target and a store.

Everything that can be delayed is a step of its own: a session asks the store, then the target, judges what was lost,
draws, tells the target, asks it again, marks where it begins, reads, sends, hears, marks and commits, one step at a
time; a request lands when the test says so, once or twice, before or after its sender is gone. What the worker that
leads decides is the product's own code (`dynalens.backfill`, `dynalens.pipeline.lead`), in steps as well. `Rules` says
which parts of the protocol are kept, so that a test can break one and see what it was for.
"""

from __future__ import annotations

from collections import deque
from dataclasses import replace

from dynalens.backfill import is_gone
from dynalens.errors import StaleLeaseError, TrimmedError
from dynalens.partition import START, Partition, Position
from dynalens.position import Commit, Gap, PartitionState
from dynalens.source import Batch
from dynalens.target import NO_MARK, VERSION_BITS, Mark, Memory, Write, version
from tests.contract.memory_store import Held
from tests.property.model_lead import COLLECTION, SETTINGS, LedTable, generation_of
from tests.property.model_rules import (
    Request,
    Rules,
    Seen,
    Session,
    Snapshot,
    StaleHolderRefusedError,
    WentBackError,
    Worker,
)
from tests.property.model_table import TABLE

REDELIVERABLE = 6
DAY = 25 * 3600.0
ROUNDS = 12
"""A last worker needs a few: a loss found while reading begins another generation."""


class World(LedTable):
    """A table, its streams, a store, a target, and everything under way between them."""

    def __init__(self, rules: Rules, *, alone: bool = False) -> None:
        super().__init__(rules, alone=alone)
        self.workers = {name: Worker(name) for name in ("w0", "w1", "w2")}
        self.sessions: list[Session] = []
        self.in_flight: list[Request] = []
        self.delivered: deque[Request] = deque(maxlen=REDELIVERABLE)
        self.snapshots: list[Snapshot] = []
        self.backups: list[Held] = []
        self.told = 0
        """The highest epoch that the target was told, as far as it has not gone back since."""
        self.highest_drawn = 0
        self.confirmed: dict[str, int] = {}
        """How far each shard was committed."""
        self.notice_all()

    def trim(self, shard: str) -> None:
        """Let a day pass: a shard's records go, after those of the shards that it came from (assumption 7).

        Where no position shows that, only the worker's absence does.
        """
        for older in self.lineage(shard):
            self.source.trim(older)
            if self.states_held().get(older) is None or self.held_mark(older).position == START:
                self.clock.advance(DAY)
        self.let_replicas_hear()

    # Workers.

    def notice(self, worker: Worker) -> None:
        """Let a worker describe the table and its stream."""
        worker.stream = self.stream
        worker.listed = tuple(shard for shard in self.shards if self.streams[shard.id] == self.stream)

    def notice_all(self) -> None:
        """Let every worker look."""
        for worker in self.workers.values():
            self.notice(worker)

    def approachable(self, worker: Worker) -> list[Partition]:
        """Give the partitions that a worker may go for now."""
        memory = self.target.recall(TABLE)
        drained = {id_ for id_, state in self.states_held().items() if self._is_applied(state, memory)}
        listed = {shard.id for shard in worker.listed}
        waits = listed - drained if self.rules.parents_first else set()
        shards = [shard for shard in worker.listed if shard.id not in drained and not waits.intersection(shard.parents)]
        return [*shards, *(segment for segment in self.segments(worker) if segment.id not in drained)]

    def _is_applied(self, state: PartitionState, memory: Memory) -> bool:
        return state.position.ended and memory.marks.get(state.partition.id, NO_MARK).position.ended

    def segments(self, worker: Worker) -> list[Partition]:
        """Give the segments of scans that may begin, as far as a worker can tell."""
        states = self.states_held()
        listed = {shard.id for shard in worker.listed}
        live = [state for state in states.values() if state.partition.kind == "shard" and not state.position.ended]
        if self.rules.waits_for_unlisted_shards:
            waited_for = [state for state in live if not is_gone(state, states, listed)]
        else:
            waited_for = [state for state in live if state.partition.id in listed]
        lowest = min((state.epoch for state in waited_for), default=self.store.counter(TABLE) + 1)
        return [
            segment
            for copy in self.copies()
            if copy.state == "building" and (lowest > copy.barrier > 0 or not self.rules.draws_before_scanning)
            for segment in self.scan_of(copy).discover()
        ]

    def approach(self, partition: Partition, worker: Worker) -> Session:
        """Let a worker go for a partition."""
        session = Session(worker, partition)
        self.sessions.append(session)
        return session

    def advance(self, session: Session) -> None:
        """Let a session do its next step; one that lost its partition is dropped with all that it holds."""
        try:
            getattr(self, f"_{session.step}")(session)
        except StaleLeaseError:
            self.drop(session)

    def drop(self, session: Session) -> None:
        """Let a session end, with all that it holds."""
        if session in self.sessions:
            self.sessions.remove(session)

    def _look(self, session: Session) -> None:
        if self.rules.reminds_the_store:
            self.lead().remind(session.worker.known)
        session.stored = self.states_held()
        session.step = "recall"

    def _recall(self, session: Session) -> None:
        session.memory = self.target.recall(TABLE)
        session.step = "judge"

    def _judge(self, session: Session) -> None:
        self.require_stream(session.worker, leads=False)
        situation = self.situation(session.worker, session.stored, session.memory, session.lost)
        session.loss = self.losses_of(situation, session.partition.id)
        self.record_loss(session.loss)
        session.lost = ()
        session.step = "pass_over"

    def _pass_over(self, session: Session) -> None:
        self.pass_over(session.loss, session.memory)
        session.memory = self.target.recall(TABLE)
        session.step = "draw"

    def _draw(self, session: Session) -> None:
        shard, known = session.partition, session.known
        if known is not None and known.position.ended:
            if session.mark.position.ended and self.rules.refuses_the_drained:
                raise StaleLeaseError(f"{shard.id} is drained.")
            if not session.mark.position.ended:
                self.store.rewind(TABLE, shard.id, self.target.name, session.mark.position, epoch=known.epoch)
        self.store.acquire(TABLE, shard, session.worker.name)
        session.epoch, session.drawn = self._draw_epoch(session)
        self.highest_drawn = max(self.highest_drawn, session.epoch)
        session.step = "tell"

    def _draw_epoch(self, session: Session) -> tuple[int, Position]:
        shard, target = session.partition.id, self.target.name
        held = self.states_held().get(shard)
        if held is not None and not self.rules.draws_on_acquire:
            return held.epoch, held.position
        remembered = session.memory.epoch if self.rules.draws_over_remembered else 0
        if held is not None and held.position.ended and not self.rules.refuses_the_drained:
            # As if the store gave the end of a partition back to whoever asks: to what was read before.
            epoch = self.store.next_epoch(TABLE, remembered=remembered)
            position = session.known.position if session.known else START
            self.store._held.positions[TABLE, shard, target] = (epoch, position)
            return epoch, position
        return self.store.draw(TABLE, shard, target, owner=session.worker.name, remembered=remembered)

    def _tell(self, session: Session) -> None:
        if self.rules.raises_epoch:
            self.target.raise_epoch(TABLE, session.epoch)
        self.told = max(self.told, session.epoch)
        session.step = "recall_again"

    def _recall_again(self, session: Session) -> None:
        if self.rules.asks_after_drawing:
            session.memory = self.target.recall(TABLE)
        session.step = "begin"

    def _begin(self, session: Session) -> None:
        rules = self.rules
        in_one_step = rules.begins_in_one_step and rules.marks_the_beginning and rules.asks_after_drawing
        if in_one_step:
            self._take_over(session)
        session.position = self._start(session)
        if rules.marks_the_beginning and not in_one_step:
            self._send_mark(session)
            self.deliver(self.in_flight[-1])
        if session.position.ended:
            self._commit(session)
            self.drop(session)
        session.step = "enlist"

    def _take_over(self, session: Session) -> None:
        shard = session.partition.id
        if shard not in self.target.begin(TABLE, {shard: session.epoch}):
            raise StaleLeaseError("A session of a higher epoch has begun.")
        session.memory = self.target.recall(TABLE)

    def _start(self, session: Session) -> Position:
        mark, rules = session.mark.position, self.rules
        if session.drawn > START == mark:
            if rules.passes_over_what_was_lost:
                raise StaleLeaseError("The target has just lost what it had confirmed.")
            return START
        if not rules.replays_from_lower_marks:
            return session.drawn
        return mark if rules.reads_on_from_higher_marks else min(session.drawn, mark)

    def _enlist(self, session: Session) -> None:
        """Learn which generations are fed: whoever drew above a barrier knows of its generation."""
        self.require_stream(session.worker, leads=False)
        copies = tuple(copy for copy in self.copies() if copy.state != "kept" or self.rules.feeds_kept_generations)
        session.worker.known = session.copies = copies
        for copy in copies:
            self.target.create(generation_of(copy), SETTINGS)
        session.step = "read"

    def _read(self, session: Session) -> None:
        try:
            batch = self._page(session)
        except TrimmedError as error:
            now = self.clock()
            session.lost = (Gap(TABLE, self.target.name, session.partition.id, 0.0, now, error.message, now),)
            session.step = "look"
            return
        if batch.position != session.position:
            self._take_page(session, batch)
            session.step = "send"

    def _page(self, session: Session) -> Batch:
        if session.partition.kind == "shard":
            return self.source.open(session.partition, session.position).read()
        filled = [copy for copy in session.copies if session.partition in self.scan_of(copy).discover()]
        if not filled:
            raise StaleLeaseError("The scan was cancelled.")
        copy = filled[0]
        batch = self.scan_of(copy).open(session.partition, session.position).read()
        if copy.consistent and self.rules.scans_consistently:
            return batch
        return replace(batch, changes=self.replica, position=replace(batch.position, ended=True))

    def _take_page(self, session: Session, batch: Batch) -> None:
        """Count what was read, and make its writes."""
        for change in batch.changes:
            at, copies = version(session.epoch, session.ordinal), session.copies
            if session.partition.kind == "segment":
                at = 0 if self.rules.scans_at_version_zero else at
                copies = tuple(copy for copy in copies if copy.scan in session.partition.id)
            session.writes += [Write(generation_of(copy), change.id, at, change.new, change) for copy in copies]
            session.ordinal += 1
        session.position = batch.position

    def _send(self, session: Session) -> None:
        self.in_flight.append(Request(writes=session.writes, session=session))
        session.writes, session.then = [], "mark"
        session.step = "hear" if self.rules.commits_after_acknowledgement else "mark"

    def _hear(self, session: Session) -> None:
        """Nothing to do before the answer: `deliver` moves the session on."""

    def _mark(self, session: Session) -> None:
        self._send_mark(session)
        session.step, session.then = "hear", "commit"

    def _send_mark(self, session: Session) -> None:
        shard, epoch = session.partition.id, session.epoch
        if not self.rules.fences_marks:
            epoch = max(epoch, self.held_mark(shard).epoch)
        self.in_flight.append(Request(marks={shard: Mark(epoch, session.position)}, session=session))

    def _commit(self, session: Session) -> None:
        epoch, shard = session.epoch, session.partition.id
        if not self.rules.fences_commits:
            epoch = self.states_held()[shard].epoch
        self.store.commit(TABLE, self.target.name, [Commit(shard, epoch, session.position)])
        self.confirmed[shard] = max(self.confirmed.get(shard, 0), session.position.rank)
        session.step = "read"
        if session.position.ended:
            self.drop(session)

    # The network.

    def deliver(self, request: Request) -> None:
        """Let a request land; its sender, if it still waits for it, hears that it is confirmed."""
        if request in self.in_flight:
            self.in_flight.remove(request)
            if request.writes:  # a mark does not arrive again behind a later one of its session (assumption 4)
                self.delivered.append(request)
        session = request.session if request.session in self.sessions else None
        there = self.target.recall(TABLE).generations
        writes = [write for write in request.writes if write.generation in there]
        if session and len(writes) < len(request.writes):
            self.drop(session)  # its batch is refused: a generation that it feeds was dropped
        elif session:
            self._assert_not_refused(request)
        self.target.apply(writes)
        self.target.mark(TABLE, request.marks)
        self._observe(writes)
        if session and session in self.sessions and session.step == "hear":
            session.step = session.then
            request.session = None
        if not self.rules.keeps_tombstones:
            self.clock.advance(1)
            self.target.sweep(self.clock())

    def _assert_not_refused(self, request: Request) -> None:
        """Hold what DESIGN asserts at run time: the shard's holder finds nothing of a higher epoch in its way."""
        for write in request.writes:
            held = self.target.rows(write.generation).get(write.id)
            drawn = {state.epoch for state in self.store.partitions(TABLE)}
            epoch = write.version >> VERSION_BITS
            if held and epoch in drawn and held.version >> VERSION_BITS > epoch:
                raise StaleHolderRefusedError(f"{write.id}: holder {epoch}, held {held.version >> VERSION_BITS}")

    def _observe(self, writes: list[Write]) -> None:
        """Look as a reader: an older state than one that was seen may only be of a batch that was not committed."""
        for write in writes:
            row = self.target.rows(write.generation).get(write.id)
            shown = write.generation == self.served() and row is not None and row.version == write.version
            if shown and write.change.sequence_number:
                self._see(write.id, int(write.change.sequence_number))

    def _see(self, key: str, rank: int) -> None:
        state, before = self.states[rank], self.seen.get(key, Seen(-1, by_change=False))
        is_replay = before.by_change and rank > self.confirmed.get(self.shard_of_record[rank], -1)
        if state < before.state and not is_replay:
            raise WentBackError(f"{key} shows state {state} after {before.state}.")
        self.seen[key] = Seen(state, by_change=True)

    # What goes wrong.

    def snapshot(self) -> None:
        """Keep what the target holds now."""
        self.snapshots.append(Snapshot(self.target.snapshot(), self.told, dict(self.seen), dict(self.confirmed)))

    def go_back(self, snapshot: Snapshot) -> None:
        """Take the target back; every worker notices, and marks under way are lost: their connections broke."""
        self.target.go_back(snapshot.contents)
        self.told = snapshot.told
        self.seen, self.confirmed = dict(snapshot.seen), dict(snapshot.confirmed)
        self.sessions.clear()
        self.decisions.clear()
        self.in_flight = [request for request in self.in_flight if not request.marks]

    def may_go_back(self, snapshot: Snapshot) -> bool:
        """Say whether the target may go back: not if the store forgot what was drawn since, too."""
        return max(self.store.counter(TABLE), snapshot.told) >= self.highest_drawn

    def back_up(self) -> None:
        """Keep what the store holds now."""
        self.backups.append(self.store.backup())

    def may_restore(self, backup: Held) -> bool:
        """Say whether the store may go back: not if the target forgot what was drawn since, too."""
        return max(backup.counters.get(TABLE, 0), self.told) >= self.highest_drawn

    def restore(self, backup: Held) -> None:
        """Take the store back while workers run; an empty backup is a new store.

        A worker that had lost a partition by then must not believe that it holds it again (assumption 3).
        """
        epochs = {id_: state.epoch for id_, state in self.states_held().items()}
        self.sessions = [session for session in self.sessions if epochs.get(session.partition.id) == session.epoch]
        self.store.restore(backup)

    def holds_tombstones(self) -> bool:
        """Say whether there is anything to sweep."""
        return any(
            row.document is None for copy in self.copies() for row in self.target.rows(generation_of(copy)).values()
        )

    def let_a_week_pass(self) -> None:
        """Let everything under way end one way or the other, then sweep: nothing sleeps longer than the retention."""
        self.sessions.clear()
        self.decisions.clear()
        self.in_flight.clear()
        self.delivered.clear()
        self.clock.advance(1)
        self.target.sweep(self.clock())

    # The end.

    def settle(self) -> None:
        """Let one last worker finish everything undisturbed; what is under way stays under way."""
        late, self.in_flight = self.in_flight, []
        last = Worker("last")
        self.notice(last)
        for _ in range(ROUNDS):
            self.sessions.clear()
            self.decisions.clear()
            self.decide_undisturbed(last)
            self.read_all(last)
            for copy in self.finishable()[-1:]:
                self.finish(copy)
            if self._is_settled():
                break
        else:
            raise AssertionError(f"never settles: {self.copies()}, {self.store.gaps(TABLE)}")
        self.in_flight = late

    def decide_undisturbed(self, worker: Worker) -> None:
        """Let a worker that leads decide whatever there is to be decided."""
        decision = self.decide(worker)
        while decision in self.decisions:
            self.advance_decision(decision)

    def read_all(self, worker: Worker) -> None:
        """Let a worker read all that it may up to the tip, undisturbed."""
        done: set[str] = set()
        while todo := [partition for partition in self.approachable(worker) if partition.id not in done]:
            for partition in todo:
                done.add(partition.id)
                session = self.approach(partition, worker)
                while session in self.sessions and not self._is_done(session):
                    self.work(session)

    def work(self, session: Session) -> None:
        """Let a session do its next step, or let what it waits for land."""
        own = [request for request in self.in_flight if request.session is session]
        if own:
            self.deliver(own[0])
        else:
            self.advance(session)

    def _is_done(self, session: Session) -> bool:
        shard = session.partition.kind == "shard"
        return session.step == "read" and shard and self.is_at_tip(session.partition, session.position)

    def _is_settled(self) -> bool:
        states = [copy.state for copy in self.copies()]
        return "building" not in states and not self.store.gaps(TABLE) and self.is_caught_up()

    def assert_ends_well(self) -> None:
        """Let the faults stop, and after that whatever is still under way land: neither leaves a difference."""
        self.settle()
        self.assert_equal()
        for request in [*self.in_flight, *self.delivered]:
            self.deliver(request)
            self.assert_equal()

    def assert_equal(self) -> None:
        """Readers see what the table holds, and every generation that is fed holds it too: nothing else."""
        assert self.target.documents(COLLECTION) == self.source.documents(), "readers see something else"
        for generation in map(generation_of, self.copies()):
            rows = self.target.rows(generation)
            held = {id_: row.document.json for id_, row in rows.items() if row.document is not None}
            assert held == self.source.documents(), f"{generation} differs from the table"
