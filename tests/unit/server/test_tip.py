from __future__ import annotations

from dataclasses import replace

from dynalens.partition import Partition, Position
from dynalens.position import PartitionState
from dynalens.report import Report
from dynalens.server.tip import Tip

QUIET = Report(table="Donations", target="sql", written_at=100.0, polled_at=100.0)
SHARD = PartitionState(Partition("a"), "sql", 7, Position(rank=1))


class Story:
    """What a worker says, one look after another, once a second from 100 on."""

    def __init__(self) -> None:
        self.tip = Tip(100.0)
        self.now = 100.0

    def look(self, *reports: Report, states: tuple[PartitionState, ...] = (SHARD,)) -> bool:
        self.now += 1
        return self.tip.is_reached(reports, states, self.now)

    def read(self, report: Report = QUIET, *, states: tuple[PartitionState, ...] = (SHARD,)) -> bool:
        """Look at a report of a worker that has read every shard just now."""
        return self.look(replace(report, polled_at=self.now + 0.5, written_at=self.now + 1), states=states)


def test_it_is_reached_once_quiet_reads_that_began_later_were_followed_by_another() -> None:
    story = Story()
    assert [story.read() for _ in range(3)] == [False, False, True]


def test_a_read_from_before_does_not_count_however_often_it_is_told() -> None:
    story = Story()
    assert not any(story.look(replace(QUIET, written_at=story.now)) for _ in range(5))


def test_a_worker_that_has_caught_up_needs_no_proof_that_it_goes_on() -> None:
    story = Story()
    caught_up = replace(QUIET, caught_up=True)
    assert [story.read(caught_up) for _ in range(2)] == [False, True]


def test_changes_that_wait_or_pages_that_bring_some_are_waited_for() -> None:
    story = Story()
    assert not any(story.read(replace(QUIET, waiting=1)) for _ in range(5))
    assert not any(story.read(replace(QUIET, behind_seconds=0.1)) for _ in range(5))
    assert not any(story.read(replace(QUIET, error_code="target")) for _ in range(5))


def test_a_session_that_ends_meanwhile_proves_nothing() -> None:
    story = Story()
    assert [story.read() for _ in range(2)] == [False, False]
    again = (replace(SHARD, epoch=8),)
    assert [story.read(states=again) for _ in range(4)] == [False, False, False, True]


def test_a_worker_that_is_not_attached_and_reads_no_more_is_not_at_the_tip() -> None:
    story = Story()
    story.read()
    story.read()
    read_at = story.now
    assert not any(story.look(replace(QUIET, polled_at=read_at, written_at=story.now + 1)) for _ in range(5))


def test_a_drained_shard_whose_children_are_not_read_yet_is_waited_for() -> None:
    story = Story()
    drained = replace(SHARD, position=Position(ended=True, rank=1))
    child = PartitionState(Partition("b", "shard", ("a",)), "sql", 9, Position())
    assert not any(story.read(states=(drained,)) for _ in range(5))
    assert any(story.read(states=(drained, child)) for _ in range(5))


def test_of_several_workers_each_must_have_caught_up() -> None:
    story = Story()

    def both(*, caught_up: bool) -> bool:
        said = {"polled_at": story.now + 0.5, "written_at": story.now + 1}
        one = replace(QUIET, worker="one", caught_up=True, **said)  # type: ignore[arg-type]
        other = replace(QUIET, worker="two", caught_up=caught_up, **said)  # type: ignore[arg-type]
        return story.look(one, other)

    assert not any(both(caught_up=False) for _ in range(5))
    assert both(caught_up=True)


def test_a_worker_that_comes_or_goes_meanwhile_is_not_overlooked() -> None:
    story = Story()
    caught_up = replace(QUIET, caught_up=True)
    story.read(caught_up)

    def both() -> bool:
        said = replace(caught_up, polled_at=story.now + 0.5, written_at=story.now + 1)
        return story.look(said, replace(said, worker="new"))

    assert [both() for _ in range(3)] == [False, False, True]


def test_silence_is_no_tip() -> None:
    assert not Story().look()
    story = Story()
    story.now = 200.0
    assert not any(story.look(replace(QUIET, polled_at=150.0, written_at=151.0)) for _ in range(3))
