"""Random writes, shards, restarts and faults: in the end every target equals the table."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from dynalens import failpoint
from dynalens.errors import TargetError
from dynalens.position.sqlite import SqliteStore
from dynalens.testing.failpoints import armed, at_hit
from dynalens.testing.memory import Contents, MemorySource, MemoryTarget
from tests.pipelines import Bench
from tests.waiting import observed

IDS = st.sampled_from([f"id-{number}" for number in range(8)])
STEPS = st.sampled_from(["recall", "raise_epoch", "create", "serve", "apply", "mark"])
MOMENTS = st.sampled_from(
    [
        failpoint.BEFORE_APPLY,
        failpoint.AFTER_APPLY,
        failpoint.AFTER_MARK,
        failpoint.AFTER_COMMIT,
        failpoint.AFTER_DRAW,
        failpoint.AFTER_RAISE_EPOCH,
        failpoint.COPY_RECORDED,
        failpoint.SEGMENT_PAGE,
        failpoint.BEFORE_SERVE,
        failpoint.AFTER_SERVE,
    ]
)


def _break() -> None:
    raise TargetError("the failpoint broke here")


class Replication(RuleBasedStateMachine):
    """Two targets of one table, over any order of writes and faults."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = self.stack.enter_context(tempfile.TemporaryDirectory())
        self.source = MemorySource(page_size=5)
        self.targets = [MemoryTarget("sql"), MemoryTarget("metrics")]
        self.store = SqliteStore(Path(folder) / "state.db")
        self.bench = Bench(self.source, self.targets, self.store)
        self.process = ExitStack()
        self.earlier: list[Contents] = []
        self.shard = ""
        self.shards = 0

    @initialize(items=st.lists(IDS, max_size=6))
    def begin(self, items: list[str]) -> None:
        for item in items:
            self.source.preload({"id": {"S": item}, "old": {"BOOL": True}})
        self.split()
        self.start()

    def start(self) -> None:
        self.process.enter_context(self.bench.running(drain_seconds=0.0))

    @rule(item=IDS, amount=st.integers(0, 99))
    def put(self, item: str, amount: int) -> None:
        self.source.put(self.shard, {"id": {"S": item}, "amount": {"N": str(amount)}})

    @rule(item=IDS)
    def delete(self, item: str) -> None:
        self.source.delete(self.shard, {"id": {"S": item}})

    @rule()
    def split(self) -> None:
        parent = self.shard
        self.shards += 1
        self.shard = f"shard-{self.shards}"
        self.source.add_shard(self.shard, parents=[parent] if parent else [])
        if parent:
            self.source.end(parent)

    @rule(which=st.integers(0, 1), step=STEPS, times=st.integers(1, 3), landed=st.booleans())
    def fail(self, which: int, step: str, times: int, *, landed: bool) -> None:
        self.targets[which].fail_next(times, on=step, landed=landed)

    @rule(moment=MOMENTS, nth=st.integers(1, 3))
    def break_at(self, moment: str, nth: int) -> None:
        self.process.enter_context(armed(moment, at_hit(nth, _break)))

    @rule()
    def restart(self) -> None:
        self.process.close()
        self.start()

    @rule()
    def remember(self) -> None:
        self.earlier = [self.targets[0].snapshot()]

    @precondition(lambda self: self.earlier)
    @rule()
    def go_back(self) -> None:
        self.process.close()
        self.targets[0].go_back(self.earlier[0])
        self.start()

    @rule(which=st.integers(0, 1))
    def wipe(self, which: int) -> None:
        self.process.close()
        self.targets[which].wipe()
        self.start()

    @rule()
    def lose_the_store(self) -> None:
        self.process.close()
        self.store.close()
        for file in Path(self.store.path).parent.glob("state.db*"):
            file.unlink()
        self.store = SqliteStore(self.store.path)
        self.bench = Bench(self.source, self.targets, self.store)
        self.start()

    def teardown(self) -> None:
        try:
            if self.shard:
                for target in self.targets:
                    observed(lambda target=target: target.documents("donations") == self.source.documents())  # type: ignore[misc]
        finally:
            self.process.close()
            self.store.close()
            self.stack.close()


TestReplication = Replication.TestCase
TestReplication.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
