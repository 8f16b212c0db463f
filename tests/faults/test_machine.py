"""Writes, crashes and faults of every kind in an order that Hypothesis picks: in the end all equals the table."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dynalens import failpoint
from dynalens.testing import Fault, Operation
from tests.faults.calls import BREAKS, OPERATIONS, THROTTLES, draw_over
from tests.faults.child import Kind
from tests.faults.matrix import REAL
from tests.faults.rig import Rig

MOMENTS = st.sampled_from(sorted(failpoint.NAMES))
CALLS = st.sampled_from(OPERATIONS)
FAULTS = st.sampled_from([*THROTTLES, *BREAKS, Fault.EXPIRED_ITERATOR])


class Faults(RuleBasedStateMachine):
    """One process over a real target, and whatever may happen to it."""

    kinds: Sequence[Kind] = REAL

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.rig: Rig | None = None
        self.paused = False

    @initialize(which=st.integers(0, 2**16), seed=st.integers(0, 2**16))
    def begin(self, which: int, seed: int) -> None:
        kind = self.kinds[which % len(self.kinds)]
        folder = self.stack.enter_context(tempfile.TemporaryDirectory(prefix="machine-"))
        self.rig = self.stack.enter_context(Rig(kind, seed, Path(folder)))
        self.rig.load(0, 20)
        self.rig.start()

    @property
    def running(self) -> Rig:
        assert self.rig is not None
        return self.rig

    @rule()
    def write(self) -> None:
        if self.paused:
            self.running.write_unseen(1, 40)
        else:
            self.running.write(1, 40)

    @rule()
    def split(self) -> None:
        self.running.table.split(self.running.some_shard())

    @rule()
    def roll_over(self) -> None:
        self.running.table.roll_over(self.running.some_shard())

    @rule(listings=st.integers(1, 2))
    def hide(self, listings: int) -> None:
        self.running.streams.hide_shard(self.running.some_shard(), listings=listings)

    @rule(count=st.integers(1, 20), before=st.integers(0, 10))
    def repeat(self, count: int, before: int) -> None:
        self.running.streams.repeat(self.running.some_shard(), count, before=before)

    @rule()
    def expire_iterators(self) -> None:
        self.running.streams.expire_iterators()

    @rule(operation=CALLS, fault=FAULTS, times=st.integers(1, 2))
    def fail(self, operation: Operation, fault: Fault, times: int) -> None:
        self.running.streams.fail(operation, fault, times=times)

    @rule()
    def lose_leases(self) -> None:
        draw_over(self.running)

    @precondition(lambda self: not self.paused)
    @rule()
    def pause(self) -> None:
        if self.running.process.alive:
            self.running.process.pause()
            self.paused = True

    @precondition(lambda self: self.paused)
    @rule()
    def go_on(self) -> None:
        self.running.process.go_on()
        self.paused = False

    @rule()
    def kill(self) -> None:
        self._kill("")

    @rule(moment=MOMENTS, nth=st.integers(1, 3))
    def kill_at(self, moment: str, nth: int) -> None:
        """Start it anew, to die at a moment of its own."""
        self._kill(f"{moment}=kill:{nth}")

    def _kill(self, failpoints: str) -> None:
        self.running.kill()
        self.paused = False
        self.running.start(failpoints)

    def teardown(self) -> None:
        with self.stack:
            if self.rig is not None:
                # Whatever is still armed must not happen any more.
                self._kill("")
                self.rig.streams.heal()
                self.rig.settle()


class OpenSearchFaults(Faults):
    """The same over an OpenSearch each time."""

    kinds = ("opensearch",)


TestFaults = Faults.TestCase
TestOpenSearchFaults = OpenSearchFaults.TestCase
TestFaults.settings = TestOpenSearchFaults.settings = settings(
    max_examples=3,
    stateful_step_count=15,
    deadline=None,
    # Each example starts a process or several, and what it draws decides how many.
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
