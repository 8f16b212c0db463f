"""The protocol of leases, epochs and versions, run against every schedule that hypothesis thinks of.

The machine ends when faults stop: one worker finishes undisturbed, then whatever is still under way lands. Each
generation must equal the table after both. Rules of the protocol are also broken on purpose, and the same machine must
find a schedule that shows what each is for: a model that cannot fail proves nothing.
"""

from __future__ import annotations

from dataclasses import replace

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from dynalens.partition import Partition
from dynalens.request import RequestKind
from tests.contract.memory_store import Held
from tests.property.model_rules import Rules, Session
from tests.property.model_table import KEYS
from tests.property.version_model import World

PICK = st.integers(0, 11)
WORKER = st.sampled_from(["w0", "w1", "w2"])
PROTOCOL = Rules()


class Machine(RuleBasedStateMachine):
    """Everything that may happen, in any order. A `pick` chooses among what is there when its turn comes."""

    rules_kept = PROTOCOL

    def __init__(self) -> None:
        super().__init__()
        self.world = World(self.rules_kept)

    @initialize(complete=st.booleans())
    def first_copy(self, complete: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        if complete:
            self.world.settle()

    # The table.

    @rule(key=st.sampled_from(KEYS))
    def put(self, key: str) -> None:
        self.world.put(key)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        self.world.delete(key)

    @precondition(lambda self: len(self.world.shards) < 6)
    @rule(pick=PICK, children=st.integers(1, 2))
    def roll_over(self, pick: int, children: int) -> None:
        shards = sorted(self.world.open_shards)
        keys = len(self.world.open_shards[shards[pick % len(shards)]])
        self.world.roll_over(shards[pick % len(shards)], min(children, keys))

    @precondition(lambda self: len(self.world.shards) < 6)
    @rule(key=st.sampled_from(KEYS), delete=st.booleans())
    def stream_is_switched(self, key: str, delete: bool) -> None:  # noqa: FBT001 - hypothesis passes it by name
        self.world.switch_stream(key, delete=delete)

    @rule(pick=PICK)
    def trim(self, pick: int) -> None:
        self.world.trim(self.world.shards[pick % len(self.world.shards)].id)

    # Workers.

    @rule(worker=WORKER)
    def notice(self, worker: str) -> None:
        self.world.notice(self.world.workers[worker])

    def _approachable(self, worker: str) -> list[Partition]:
        return self.world.approachable(self.world.workers[worker]) if len(self.world.sessions) < 4 else []

    @rule(pick=PICK, worker=WORKER)
    def approach(self, pick: int, worker: str) -> None:
        partitions = self._approachable(worker)
        if partitions:
            self.world.approach(partitions[pick % len(partitions)], self.world.workers[worker])

    @rule(pick=PICK, worker=WORKER)
    def take(self, pick: int, worker: str) -> None:
        """Approach and take in one: most workers are not interrupted in between."""
        partitions = self._approachable(worker)
        if partitions:
            session = self.world.approach(partitions[pick % len(partitions)], self.world.workers[worker])
            while session in self.world.sessions and session.step != "read":
                self.world.work(session)

    @rule(worker=WORKER)
    def decide(self, worker: str) -> None:
        self.world.decide_undisturbed(self.world.workers[worker])

    @precondition(lambda self: len(self.world.decisions) < 2)
    @rule(worker=WORKER)
    def begin_to_decide(self, worker: str) -> None:
        self.world.decide(self.world.workers[worker])

    @precondition(lambda self: self.world.decisions)
    @rule(pick=PICK)
    def go_on_deciding(self, pick: int) -> None:
        self.world.advance_decision(self.world.decisions[pick % len(self.world.decisions)])

    @precondition(lambda self: self.world.finishable())
    @rule()
    def finish(self) -> None:
        self.world.finish(self.world.finishable()[0])

    @precondition(lambda self: len(self.world.copies()) < 3)
    @rule(kind=st.sampled_from(["rebuild", "release"]))
    def ask(self, kind: RequestKind) -> None:
        self.world.ask(kind)

    @rule()
    def answer(self) -> None:
        self.world.answer()

    def _movable(self) -> list[Session]:
        return [session for session in self.world.sessions if session.step != "hear"]

    @precondition(lambda self: self._movable())
    @rule(pick=PICK, steps=st.integers(1, 3))
    def advance(self, pick: int, steps: int) -> None:
        session = self._movable()[pick % len(self._movable())]
        for _ in range(steps):
            if session in self._movable():
                self.world.advance(session)

    @precondition(lambda self: self.world.sessions)
    @rule(pick=PICK, pages=st.integers(1, 4))
    def work_undisturbed(self, pick: int, pages: int) -> None:
        """A worker that is let alone moves page by page: deep states come sooner so."""
        session = self.world.sessions[pick % len(self.world.sessions)]
        for _ in range(pages * 6):
            if session in self.world.sessions:
                self.world.work(session)

    @rule(worker=WORKER)
    def read_all_undisturbed(self, worker: str) -> None:
        self.world.read_all(self.world.workers[worker])

    @precondition(lambda self: self.world.sessions)
    @rule(pick=PICK)
    def crash(self, pick: int) -> None:
        self.world.sessions.pop(pick % len(self.world.sessions))

    # The network.

    @precondition(lambda self: self.world.in_flight)
    @rule(pick=PICK)
    def deliver(self, pick: int) -> None:
        self.world.deliver(self.world.in_flight[pick % len(self.world.in_flight)])

    @precondition(lambda self: self.world.delivered)
    @rule(pick=PICK)
    def deliver_again(self, pick: int) -> None:
        self.world.deliver(self.world.delivered[pick % len(self.world.delivered)])

    # What is forgotten.

    @precondition(lambda self: len(self.world.snapshots) < 3)
    @rule()
    def snapshot_of_the_target(self) -> None:
        self.world.snapshot()

    @precondition(lambda self: any(map(self.world.may_go_back, self.world.snapshots)))
    @rule(pick=PICK)
    def target_goes_back(self, pick: int) -> None:
        snapshots = list(filter(self.world.may_go_back, self.world.snapshots))
        self.world.go_back(snapshots[pick % len(snapshots)])

    @precondition(lambda self: len(self.world.backups) < 2)
    @rule()
    def backup_of_the_store(self) -> None:
        self.world.back_up()

    def _restorable(self) -> list[Held]:
        return list(filter(self.world.may_restore, [Held(), *self.world.backups]))

    @precondition(lambda self: self._restorable())
    @rule(pick=PICK)
    def store_is_lost_or_restored(self, pick: int) -> None:
        self.world.restore(self._restorable()[pick % len(self._restorable())])

    @precondition(lambda self: self.world.holds_tombstones())
    @rule()
    def a_week_passes(self) -> None:
        self.world.let_a_week_pass()

    def teardown(self) -> None:
        self.world.assert_ends_well()


SLOW = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
SEARCH = settings(stateful_step_count=60, suppress_health_check=SLOW, deadline=None)


QUICKLY_FOUND = ["draws_on_acquire", "raises_epoch", "keeps_tombstones"]
"""Rules whose loss a search of seconds shows; `test_model_schedules` breaks every one."""


def test_every_schedule_ends_with_what_the_table_holds() -> None:
    run_state_machine_as_test(Machine, settings=settings(SEARCH, max_examples=400))


@pytest.mark.parametrize("broken", QUICKLY_FOUND)
def test_a_broken_rule_is_found(broken: str) -> None:
    class Broken(Machine):
        rules_kept = replace(PROTOCOL, **{broken: False})

    found = settings(SEARCH, max_examples=6_000, derandomize=True, database=None, phases=[Phase.generate])
    with pytest.raises(AssertionError):
        run_state_machine_as_test(Broken, settings=found)
