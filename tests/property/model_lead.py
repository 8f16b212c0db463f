"""The worker that leads, in the model: what it decides is the product's own code, one step at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from dynalens.backfill import Loss, Scan, Situation, Wanted, losses, plan
from dynalens.config import CollectionConfig, dump_settings
from dynalens.errors import StaleLeaseError, TrimmedError
from dynalens.partition import START, Partition, Position
from dynalens.pipeline.generations import Generations
from dynalens.pipeline.lead import Lead
from dynalens.position import Copy, Gap, PartitionState
from dynalens.request import Request, RequestKind
from dynalens.target import NO_MARK, Generation, Mark, Memory
from dynalens.testing.memory import MemoryScan, MemoryTarget
from tests.contract.memory_store import MemoryPositionStore
from tests.property.model_rules import Decision, Rules, Seen, Worker
from tests.property.model_table import TABLE, ScriptedTable

COLLECTION = "donations"
SETTINGS = CollectionConfig(table=TABLE)
WANTED = (Wanted(COLLECTION, "1", dump_settings(SETTINGS)),)


class LedTable(ScriptedTable):
    """A table with its store and target, and the workers that believe to lead it."""

    def __init__(self, rules: Rules, *, alone: bool = False) -> None:
        super().__init__()
        self.rules = rules
        self.alone = alone
        """There is one worker alone."""
        self.store = MemoryPositionStore(parents_first=rules.parents_first)
        self.target = MemoryTarget(clock=self.clock)
        self.decisions: list[Decision] = []
        self.scans = 0
        self.read_at = self.clock()
        self.seen: dict[str, Seen] = {}
        """The newest state of each item that readers of a caught-up generation were shown."""

    def lead(self) -> Lead:
        """Give the product's own decisions."""
        generations = Generations(TABLE, self.target, self.store)
        generations.read()
        return Lead(TABLE, self.target, self.store, self.store, generations, self._new_scan)

    def _new_scan(self, consistent: bool) -> Scan:  # noqa: FBT001 - a callback of one argument
        self.scans += 1
        return Scan(f"scan{self.scans}.", 1, consistent)

    def decide(self, worker: Worker) -> Decision:
        """Let a worker believe that it leads: it asks the store."""
        decision = Decision(worker)
        self.decisions.append(decision)
        return decision

    def advance_decision(self, decision: Decision) -> None:
        """Let it do its next step; whoever comes second is refused by the store."""
        try:
            getattr(self, f"_decide_{decision.step}")(decision)
        except StaleLeaseError:
            self.decisions.remove(decision)

    def _decide_look(self, decision: Decision) -> None:
        if self.rules.reminds_the_store:
            self.lead().remind(decision.worker.known)
        decision.stored = self.states_held()
        decision.step = "recall"

    def _decide_recall(self, decision: Decision) -> None:
        decision.memory = self.target.recall(TABLE)
        decision.step = "record"

    def _decide_record(self, decision: Decision) -> None:
        self.require_stream(decision.worker, leads=True)
        situation = self.situation(decision.worker, decision.stored, decision.memory)
        decision.loss = self.losses_of(situation)
        if not self.rules.closes_gaps_by_number:
            situation = replace(situation, recorded=())
            decision.loss = replace(decision.loss, gaps=())
            self.store.close_gaps(TABLE, self.target.name, below=1_000_000)
        if not self.rules.drops_what_the_target_dropped:
            held = situation.memory.generations.union(map(generation_of, self.copies()))
            situation = replace(situation, memory=replace(situation.memory, generations=held))
        lead = self.lead()
        asked = lead._asked("rebuild")
        situation = replace(situation, rebuild=frozenset(request.collection for request in asked))
        lead._record(situation, decision.loss, plan(situation, decision.loss, self._new_scan))
        for request in asked:
            self.store.save_request(replace(request, state="running"))
        self.read_at = self.clock()
        decision.step = "pass_over"

    def _decide_pass_over(self, decision: Decision) -> None:
        self.pass_over(decision.loss, decision.memory)
        decision.step = "barrier"

    def _decide_barrier(self, decision: Decision) -> None:
        self.lead()._set_barriers()
        decision.step = "open"

    def _decide_open(self, decision: Decision) -> None:
        lead = self.lead()
        lead.generations.open(leads=True, held=self.target.recall(TABLE).generations)
        lead.resume()
        self.decisions.remove(decision)

    def situation(
        self,
        worker: Worker,
        stored: Mapping[str, PartitionState],
        memory: Memory,
        lost: tuple[Gap, ...] = (),
    ) -> Situation:
        """Give what a worker knows when it judges what was lost."""
        return Situation(
            table=TABLE,
            stream=worker.stream,
            target=self.target.name,
            wanted=WANTED,
            copies=self.store.copies(TABLE, self.target.name),
            recorded=self.store.gaps(TABLE),
            memory=memory,
            stored=stored,
            shards=worker.listed,
            lost=lost,
            read_at=self.read_at,
            alone=self.alone,
            now=self.clock(),
        )

    def losses_of(self, situation: Situation, partition: str = "") -> Loss:
        """Find what was lost, of one partition or of all."""
        loss = losses(situation, leads=not partition, holds=lambda id_: partition in {"", id_})
        recorded = [gap for gap in loss.gaps if self.rules.judges_scans or not gap.partition.startswith("scan")]
        return replace(loss, gaps=tuple(recorded) if self.rules.records_gaps else ())

    def require_stream(self, worker: Worker, *, leads: bool) -> None:
        """Refuse to go on from another stream than is recorded; whoever leads may record a newer one."""
        others = {copy.stream for copy in self.copies()} - {worker.stream}
        if self.rules.leaves_old_streams and any(stream > worker.stream or not leads for stream in others):
            raise StaleLeaseError("Another stream is captured by the others.")

    def record_loss(self, loss: Loss) -> None:
        self.lead().record_loss(loss)
        self.read_at = self.clock()

    def pass_over(self, loss: Loss, memory: Memory) -> None:
        forgotten = [state.partition.id for state in loss.forgotten if state.partition.id in memory.marks]
        passed = loss.passed if self.rules.passes_over_what_was_lost else {}
        self.target.mark(TABLE, {**{id_: Mark(memory.marks[id_].epoch, START) for id_ in forgotten}, **passed})

    def copies(self) -> list[Copy]:
        """Give the records of the generations that are fed."""
        return [copy for copy in self.store.copies(TABLE, self.target.name) if copy.state != "dropped"]

    def finishable(self) -> list[Copy]:
        """Give the generations that may be served: scanned to the end, and every shard applied up to its tip."""
        drained = {id_ for id_, state in self.states_held().items() if state.position.ended}
        caught_up = self.is_caught_up() or not self.rules.switches_when_caught_up
        return [
            copy
            for copy in self.copies()
            if copy.state == "building"
            and caught_up
            and drained.issuperset(segment.id for segment in self.scan_of(copy).discover())
            and generation_of(copy) in self.target.recall(TABLE).generations
        ]

    def is_caught_up(self) -> bool:
        shards = [shard for shard in self.shards if self.streams[shard.id] == self.stream]
        return all(self.is_at_tip(shard, self.held_mark(shard.id).position) for shard in shards)

    def is_at_tip(self, shard: Partition, position: Position) -> bool:
        try:
            return position.ended or self.source.open(shard, position).read().position == position
        except TrimmedError:
            return False

    def finish(self, copy: Copy) -> None:
        """Let readers see a generation; what they see from now on goes forward."""
        self.lead().finish(copy, [segment.id for segment in self.scan_of(copy).discover()])
        self.look_again()

    def look_again(self) -> None:
        served = self.served()
        rows = self.target.rows(served) if served else {}
        self.seen = {
            id_: Seen(int(row.document.fragments["n"]), by_change=row.version > 0)
            for id_, row in rows.items()
            if row.document is not None
        }

    def ask(self, kind: RequestKind) -> None:
        """Ask for something."""
        self.store.ask(Request(table=TABLE, collection=COLLECTION, target=self.target.name, kind=kind))

    def answer(self) -> None:
        """Let the worker that leads answer what was asked."""
        self.lead().answer_requests()
        self.look_again()

    def served(self) -> Generation | None:
        live = [generation_of(copy) for copy in self.copies() if copy.state == "live"]
        return live[-1] if live else None

    # The store and the target, as they are now.

    def states_held(self) -> dict[str, PartitionState]:
        return {state.partition.id: state for state in self.store.partitions(TABLE)}

    def held_mark(self, partition: str) -> Mark:
        return self.target.recall(TABLE).marks.get(partition, NO_MARK)

    def scan_of(self, copy: Copy) -> MemoryScan:
        return MemoryScan(self.source, copy.scan, copy.segments, page_size=1)


def generation_of(copy: Copy) -> Generation:
    """Give a generation's name in the target."""
    return Generation(copy.collection, copy.number)
