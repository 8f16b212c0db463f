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
from tests.property.version_model import KEYS, Rules, Session, World

PICK = st.integers(0, 11)
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
            self.world.complete_scan()

    @rule(key=st.sampled_from(KEYS))
    def put(self, key: str) -> None:
        self.world.put(key)

    @rule(key=st.sampled_from(KEYS))
    def delete(self, key: str) -> None:
        self.world.delete(key)

    @precondition(lambda self: len(self.world.shards) < 6)
    @rule(pick=PICK, children=st.integers(1, 2))
    def roll_over(self, pick: int, children: int) -> None:
        shards = list(self.world.open_shards)
        self.world.roll_over(shards[pick % len(shards)], children)

    def _approachable(self) -> list[Partition]:
        return self.world.approachable() if len(self.world.sessions) < 4 else []

    @precondition(lambda self: self._approachable())
    @rule(pick=PICK, owner=st.sampled_from(["w1", "w2"]))
    def approach(self, pick: int, owner: str) -> None:
        shards = self._approachable()
        self.world.approach(shards[pick % len(shards)], owner)

    @precondition(lambda self: self._approachable())
    @rule(pick=PICK)
    def take(self, pick: int) -> None:
        """Approach and take in one: most workers are not interrupted in between."""
        shards = self._approachable()
        self.world.advance(self.world.approach(shards[pick % len(shards)], "w3"))

    def _movable(self) -> list[Session]:
        return [session for session in self.world.sessions if session.step != "hear"]

    @precondition(lambda self: self._movable())
    @rule(pick=PICK, steps=st.integers(1, 3))
    def advance(self, pick: int, steps: int) -> None:
        session = self._movable()[pick % len(self._movable())]
        for _ in range(steps):
            if session in self._movable():
                self.world.advance(session)

    @precondition(lambda self: self.world.in_flight)
    @rule(pick=PICK)
    def deliver(self, pick: int) -> None:
        self.world.deliver(self.world.in_flight[pick % len(self.world.in_flight)])

    @precondition(lambda self: self.world.sessions)
    @rule(pick=PICK, pages=st.integers(1, 4))
    def work_undisturbed(self, pick: int, pages: int) -> None:
        """A worker that is let alone moves page by page: deep states come sooner so."""
        session = self.world.sessions[pick % len(self.world.sessions)]
        for _ in range(pages * 5):
            if session in self.world.sessions:
                own = [request for request in self.world.in_flight if request.session is session]
                self.world.deliver(own[0]) if own else self.world.advance(session)

    @precondition(lambda self: self.world.delivered)
    @rule(pick=PICK)
    def deliver_again(self, pick: int) -> None:
        self.world.deliver(self.world.delivered[pick % len(self.world.delivered)])

    @precondition(lambda self: self.world.sessions)
    @rule(pick=PICK)
    def crash(self, pick: int) -> None:
        self.world.sessions.pop(pick % len(self.world.sessions))

    @precondition(lambda self: self.world.may_scan())
    @rule(key=st.sampled_from(KEYS))
    def scan(self, key: str) -> None:
        self.world.scan(key)

    @precondition(lambda self: len(self.world.generations) < 2)
    @rule()
    def begin_generation(self) -> None:
        self.world.begin_generation()

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

    @precondition(lambda self: any(map(self.world.may_restore, self.world.backups)))
    @rule(pick=PICK)
    def store_is_restored(self, pick: int) -> None:
        backups = list(filter(self.world.may_restore, self.world.backups))
        self.world.restore(backups[pick % len(backups)])

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
