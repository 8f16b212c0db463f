"""The contract of `Target`, held by every implementation of it, the fake included.

What it promises: per document the highest version stays, deletes included, in whatever order and however often
writes arrive; whatever DynamoDB can hold is kept whole; what is remembered outlives the process; readers switch
between generations in one step. What it does not promise: that a write below a tombstone is still refused after the
tombstone was swept. Sweeping waits for `TOMBSTONE_RETENTION_SECONDS`, and no process may sleep longer than that with a
write unsent.
"""

from __future__ import annotations

import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dynalens.partition import START, Position
from dynalens.target import Mark, Memory, Target, Write, version
from tests.contract.implementations import (
    COLLECTIONS,
    DURABLE,
    OTHER_TABLE,
    TABLE,
    Subject,
    assert_holds,
    open_subject,
)
from tests.contract.writer import PARTITION, key_of
from tests.contract.writing import FIRST, SECOND, delete, put

ROOT = Path(__file__).parents[2]
HIGHEST = (1 << 63) - 1


# Order: the highest version stays.


def test_an_upsert_is_seen_when_apply_returns(subject: Subject, target: Target) -> None:
    write = put("a", version(1, 1))
    assert target.apply([write]) == []
    assert_holds(subject, [write])


def test_a_higher_version_replaces_a_document(subject: Subject, target: Target) -> None:
    later = put("a", version(1, 2), n=2)
    target.apply([put("a", version(1, 1))])
    target.apply([later])
    assert_holds(subject, [later])


def test_a_delete_removes_a_document(subject: Subject, target: Target) -> None:
    other = put("b", version(1, 2))
    target.apply([put("a", version(1, 1)), other])
    assert target.apply([delete("a", version(1, 3))]) == []
    assert_holds(subject, [other])


def test_a_document_is_born_again_after_its_delete(subject: Subject, target: Target) -> None:
    again = put("a", version(1, 3), n=3)
    target.apply([put("a", version(1, 1))])
    target.apply([delete("a", version(1, 2))])
    target.apply([again])
    assert_holds(subject, [again])


@pytest.mark.parametrize(
    ("held", "late"),
    [
        (version(1, 2), version(1, 1)),
        (version(2, 0), version(1, (1 << 32) - 1)),
        # Neighbours that a double cannot tell apart.
        ((1 << 53) + 1, 1 << 53),
        (HIGHEST, HIGHEST - 1),
        # More digits against a higher first digit: versions are no text.
        (version(3, 0), 9),
        (10**18, 9 * 10**17),
        (1, 0),
    ],
)
class TestLateWrites:
    """A write below the version held changes nothing, whichever of the two is a delete."""

    def test_a_late_upsert_is_ignored(self, subject: Subject, target: Target, held: int, late: int) -> None:
        newer = put("a", held, n=2)
        target.apply([newer])
        assert target.apply([put("a", late, n=1)]) == []
        assert_holds(subject, [newer])

    def test_a_late_delete_is_ignored(self, subject: Subject, target: Target, held: int, late: int) -> None:
        newer = put("a", held)
        target.apply([newer])
        target.apply([delete("a", late)])
        assert_holds(subject, [newer])

    def test_a_late_upsert_does_not_bring_a_deleted_document_back(
        self, subject: Subject, target: Target, held: int, late: int
    ) -> None:
        target.apply([delete("a", held)])
        target.apply([put("a", late)])
        assert_holds(subject, [])


def test_a_delete_that_arrives_before_its_document_wins(subject: Subject, target: Target) -> None:
    target.apply([delete("a", version(1, 2))])
    target.apply([delete("a", version(1, 1))])
    target.apply([put("a", version(1, 1))])
    assert_holds(subject, [])


def test_an_equal_version_is_a_repeat(subject: Subject, target: Target) -> None:
    write = put("a", version(1, 1))
    for _ in range(3):
        assert target.apply([write]) == []
    assert_holds(subject, [write])


def test_an_equal_version_repeats_a_delete(subject: Subject, target: Target) -> None:
    target.apply([put("a", version(1, 1)), delete("a", version(1, 2))])
    target.apply([delete("a", version(1, 2))])
    assert_holds(subject, [])


def test_a_whole_batch_may_be_replayed(subject: Subject, target: Target) -> None:
    kept = put("b", version(1, 4), n=4)
    batch = [put("a", version(1, 1)), put("b", version(1, 2)), delete("a", version(1, 3)), kept]
    target.apply(batch)
    target.apply(batch)
    assert_holds(subject, [kept])


def test_a_replay_under_a_higher_epoch_ends_where_it_ended(subject: Subject, target: Target) -> None:
    steps = [("a", 1), ("b", 2), ("a", None), ("b", 3), ("a", 4)]
    for epoch in (1, 2):
        target.apply([step(key, n, version(epoch, ordinal)) for ordinal, (key, n) in enumerate(steps)])
    assert_holds(subject, [put("b", 0, n=3), put("a", 0, n=4)])


def test_two_writes_of_one_document_in_one_batch(subject: Subject, target: Target) -> None:
    later = put("a", version(1, 2), n=2)
    target.apply([put("a", version(1, 1)), later])
    assert_holds(subject, [later])


def test_an_upsert_and_a_delete_of_one_document_in_one_batch(subject: Subject, target: Target) -> None:
    target.apply([put("a", version(1, 1)), delete("a", version(1, 2))])
    assert_holds(subject, [])
    target.apply([put("a", version(1, 1))])
    assert_holds(subject, [])


def test_a_delete_and_an_upsert_of_one_document_in_one_batch(subject: Subject, target: Target) -> None:
    target.apply([put("a", version(1, 1))])
    again = put("a", version(1, 3), n=3)
    target.apply([delete("a", version(1, 2)), again])
    assert_holds(subject, [again])


def test_one_batch_is_judged_document_by_document(subject: Subject, target: Target) -> None:
    newer = put("a", version(2, 1), n=2)
    fresh = put("b", version(1, 9))
    target.apply([newer])
    target.apply([put("a", version(1, 8)), fresh])
    assert_holds(subject, [newer, fresh])


def test_any_order_of_arrival_ends_the_same(subject: Subject, target: Target) -> None:
    order = random.Random(3)  # noqa: S311 - no secret
    keys = [f"key-{number}" for number in range(12)]
    history = [step(order.choice(keys), order.choice([n, n, None]), version(1, n)) for n in range(1, 240)]
    last = {write.id: write for write in history}
    arriving = [*history, *order.sample(history, 60)]
    order.shuffle(arriving)
    for start in range(0, len(arriving), 30):
        # Within a batch one document's writes rise; that much is promised to the target.
        target.apply(sorted(arriving[start : start + 30], key=lambda write: write.version))
    assert_holds(subject, last.values())


def step(key: str, n: int | None, at_version: int) -> Write:
    return delete(key, at_version) if n is None else put(key, at_version, n)


# Rows of a first copy: version 0.


def test_a_scanned_row_is_seen(subject: Subject, target: Target) -> None:
    row = put("a", 0)
    assert target.apply([row]) == []
    target.apply([row])
    assert_holds(subject, [row])


def test_a_scanned_row_loses_to_every_change_whenever_it_arrives(subject: Subject, target: Target) -> None:
    changed = put("b", version(1, 1), n=2)
    target.apply([put("a", 0), put("b", 0), put("c", 0)])
    target.apply([delete("a", version(1, 0)), changed])
    target.apply([put("a", 0), put("b", 0), delete("c", version(1, 2))])
    target.apply([put("c", 0)])
    assert_holds(subject, [changed])


# Batches.


def test_an_empty_batch_changes_nothing(subject: Subject, target: Target) -> None:
    write = put("a", version(1, 1))
    target.apply([write])
    assert target.apply([]) == []
    assert_holds(subject, [write])


def test_a_large_batch_is_applied_whole(subject: Subject, target: Target) -> None:
    batch = [put(f"key-{n % 4_000}", version(1, n), n) for n in range(5_000)]
    assert target.apply(batch) == []
    assert_holds(subject, batch)
    assert target.apply([delete(f"key-{n}", version(2, n)) for n in range(3_999)]) == []
    assert_holds(subject, batch[3_999:4_000])


# What a target remembers.


def test_a_blank_target_remembers_nothing(subject: Subject) -> None:
    assert subject.target.recall(TABLE) == Memory()


def test_the_epoch_is_remembered_and_never_lowered(subject: Subject) -> None:
    subject.target.raise_epoch(TABLE, 7)
    assert subject.target.recall(TABLE).epoch == 7
    subject.target.raise_epoch(TABLE, 3)
    assert subject.target.recall(TABLE).epoch == 7
    subject.target.raise_epoch(TABLE, (1 << 31) - 1)
    assert subject.target.recall(TABLE).epoch == (1 << 31) - 1


def test_an_epoch_is_remembered_for_its_table_alone(subject: Subject) -> None:
    subject.target.raise_epoch(TABLE, 7)
    assert subject.target.recall(OTHER_TABLE).epoch == 0


def test_marks_are_kept_by_partition(subject: Subject) -> None:
    marks = {
        "shardId-00000001": Mark(1, Position(rank=10**20, token=str(10**20))),
        "shardId-00000002": Mark(12, Position(rank=10**40 - 1, token=str(10**40 - 1))),
        "shardId-00000003": Mark((1 << 31) - 1, Position(ended=True, rank=10**39 + 1, token=str(10**39 + 1))),
        "shardId-00000004": Mark(1, Position(ended=True)),
        "shardId-00000005": Mark(1, START),
        "scan-s1-0": Mark(1, Position(rank=250, token='{"id":{"S":"it\'s a \\"key\\" \\ud800"}}')),
    }
    subject.target.mark(TABLE, marks)
    assert_marks(subject, marks)


def test_a_mark_replaces_that_of_its_partition_alone(subject: Subject) -> None:
    kept = Mark(1, Position(rank=5, token="5"))
    subject.target.mark(TABLE, {"p": Mark(1, Position(rank=1, token="1")), "q": kept})
    moved = Mark(1, Position(rank=10**39, token="x"))
    subject.target.mark(TABLE, {"p": moved})
    assert_marks(subject, {"p": moved, "q": kept})
    subject.target.mark(TABLE, {})
    assert_marks(subject, {"p": moved, "q": kept})


def test_a_mark_goes_back_with_a_replay(subject: Subject) -> None:
    """The documents are those of the replayed position again, so a mark that stayed ahead would be a lie."""
    subject.target.mark(TABLE, {"p": Mark(1, Position(ended=True, rank=100, token="100"))})
    for replayed in (Mark(1, Position(rank=80, token="80")), Mark(2, Position(rank=60, token="60"))):
        subject.target.mark(TABLE, {"p": replayed})
        assert_marks(subject, {"p": replayed})


def test_a_mark_of_a_lower_epoch_changes_nothing_and_the_others_of_its_call_count(subject: Subject) -> None:
    """A session that lost one partition says so much of it, and may still hold the others."""
    # As text 9 would be above 10, and as text of JSON as well.
    held = Mark(10, Position(rank=80, token="80"))
    subject.target.mark(TABLE, {"lost": held, "equal": held, "raised": held})
    late = Position(ended=True, rank=10**39, token="x")
    own = {"equal": Mark(10, late), "raised": Mark(11, late), "new": Mark(9, late)}
    subject.target.mark(TABLE, {"lost": Mark(9, late)} | own)
    assert_marks(subject, {"lost": held} | own)
    subject.reopen()
    subject.target.mark(TABLE, {"lost": Mark(2, late)})
    assert_marks(subject, {"lost": held} | own)


def test_a_session_begins_where_the_one_before_ends_and_marks_for_it_no_more(subject: Subject) -> None:
    # As text 9 would be above 10; a token may hold digits, and quotes.
    held = Mark(9, Position(rank=10**39 + 7, token='{"id":{"S":"9 \\"nine\\""}}'))
    drained = Mark(3, Position(ended=True, rank=80, token="80"))
    subject.target.mark(TABLE, {"p": held, "drained": drained, "other": held})
    begun = subject.target.begin(TABLE, {"p": 10, "drained": 10, "new": 11})
    assert begun == {"p": held.position, "drained": drained.position, "new": START}
    assert {id_: position.token for id_, position in begun.items()} == {
        "p": held.position.token,
        "drained": drained.position.token,
        "new": "",
    }
    marks = {"p": held._replace(epoch=10), "drained": drained._replace(epoch=10), "new": Mark(11, START), "other": held}
    assert_marks(subject, marks)
    subject.target.mark(TABLE, {"p": Mark(9, Position(rank=10**39 + 8, token="late"))})
    assert_marks(subject, marks)
    subject.reopen()
    assert_marks(subject, marks)


def test_a_session_does_not_begin_beside_one_of_a_higher_epoch(subject: Subject) -> None:
    held = Mark(10, Position(rank=80, token="80"))
    subject.target.mark(TABLE, {"p": held, "q": held})
    assert subject.target.begin(TABLE, {"p": 9, "q": 11, "r": 9}) == {"q": held.position, "r": START}
    marks = {"p": held, "q": held._replace(epoch=11), "r": Mark(9, START)}
    assert_marks(subject, marks)
    # The answer may have been lost: then it is asked again.
    assert subject.target.begin(TABLE, {"q": 11}) == {"q": held.position}
    assert subject.target.begin(TABLE, {}) == {}
    assert_marks(subject, marks)


def test_marks_are_forgotten_as_they_were_recalled(subject: Subject) -> None:
    """Whoever has drawn for a partition since goes on from its own mark."""
    replaced, seen = Mark(9, Position(rank=1, token="1")), Mark(10, Position(ended=True, rank=80, token="80"))
    subject.target.mark(TABLE, {"gone": replaced, "gone too": seen, "drawn for": seen, "kept": seen})
    subject.target.mark(TABLE, {"gone": seen})
    subject.target.mark(OTHER_TABLE, {"gone": seen})
    drawn = Mark(11, Position(rank=2, token="2"))
    subject.target.mark(TABLE, {"drawn for": drawn})
    for _ in range(2):
        subject.target.forget_marks(TABLE, {"gone": seen, "gone too": seen, "drawn for": seen, "unknown": seen})
        subject.target.forget_marks(TABLE, {})
        assert_marks(subject, {"drawn for": drawn, "kept": seen})
    subject.reopen()
    assert_marks(subject, {"drawn for": drawn, "kept": seen})
    assert subject.target.recall(OTHER_TABLE).marks == {"gone": seen}
    subject.target.mark(TABLE, {"gone": replaced})
    assert_marks(subject, {"gone": replaced, "drawn for": drawn, "kept": seen})


def test_marks_are_kept_for_their_table_alone(subject: Subject) -> None:
    subject.target.mark(TABLE, {"p": Mark(1, Position(rank=1, token="1"))})
    assert subject.target.recall(OTHER_TABLE).marks == {}


def assert_marks(subject: Subject, marks: dict[str, Mark]) -> None:
    recalled = subject.target.recall(TABLE).marks
    assert recalled == marks
    # A position compares without its token, and the token is what the source goes on from.
    assert {partition: mark.position.token for partition, mark in recalled.items()} == {
        partition: mark.position.token for partition, mark in marks.items()
    }


def test_everything_outlives_a_restart(subject: Subject, target: Target) -> None:
    kept = put("a", version(5, 1), n=5)
    marks = {"p": Mark(5, Position(rank=10**39, token=str(10**39)))}
    target.raise_epoch(TABLE, 5)
    target.apply([kept, put("b", version(5, 2)), delete("b", version(5, 3))])
    target.create(SECOND, COLLECTIONS["donations"])
    target.apply([put("a", version(5, 1), 2, generation=SECOND)])
    target.mark(TABLE, marks)
    subject.reopen()
    assert_holds(subject, [kept])
    assert_marks(subject, marks)
    recalled = subject.target.recall(TABLE)
    assert recalled.epoch == 5
    assert recalled.generations == {FIRST, SECOND}
    subject.target.apply([put("a", version(4, 9), n=9), put("b", version(5, 2))])
    assert_holds(subject, [kept])
    later = put("a", version(6, 0), n=6)
    subject.target.apply([later])
    assert_holds(subject, [later])


@pytest.mark.parametrize("implementation", DURABLE)
@pytest.mark.parametrize("steps", [3, 60])
def test_marks_never_outlive_the_rows_they_stand_for(
    implementation: str, steps: int, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """A process is killed while it writes: what it confirmed is there, and what is marked is there."""
    subject = open_subject(implementation, tmp_path, request)
    subject.target.close()
    confirmed = killed_after(steps, implementation, tmp_path)
    subject.reopen()
    try:
        marked = subject.target.recall(TABLE).marks[PARTITION].position.rank
        assert marked >= confirmed
        found = subject.documents("donations")
        for step_ in range(max(1, marked - 19), marked + 1):
            held = found[key_of(step_)]
            later = [put(key_of(n), version(1, n), n) for n in range(step_, marked + 40, 20)]
            assert held in [subject.seen(write.document) for write in later if write.document is not None]
    finally:
        subject.target.close()


def killed_after(steps: int, implementation: str, folder: Path) -> int:
    """Run the writer until it has confirmed some steps, kill it, and give the last step that it confirmed."""
    command = [sys.executable, "-m", "tests.contract.writer", implementation, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            lines = [writer.stdout.readline() for _ in range(steps)]
        finally:
            writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    return int([line for line in lines if line.endswith("\n")][-1])
