"""The contract of `Target`, held by every implementation: generations, swept tombstones, readers beside writers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from dynalens.partition import Position
from dynalens.target import Generation, Mark, Target, version
from tests.contract.implementations import COLLECTIONS, OTHER_TABLE, TABLE, Subject, assert_holds, open_generation
from tests.contract.together import together
from tests.contract.writing import FIRST, SECOND, delete, put
from tests.waiting import observed


def test_a_generation_exists_once_created(subject: Subject) -> None:
    target = subject.target
    target.create(FIRST, COLLECTIONS["donations"])
    target.create(Generation("people", 3), COLLECTIONS["people"])
    assert target.recall(TABLE).generations == {FIRST}
    assert target.recall(OTHER_TABLE).generations == {Generation("people", 3)}


def test_creating_a_generation_again_changes_nothing(subject: Subject, target: Target) -> None:
    write = put("a", version(2, 1))
    target.apply([write, delete("b", version(2, 2))])
    target.create(FIRST, COLLECTIONS["donations"])
    target.apply([put("b", version(1, 1))])
    assert_holds(subject, [write])
    assert target.recall(TABLE).generations == {FIRST}


def test_a_generation_of_another_table_gives_way(subject: Subject, target: Target) -> None:
    """The collection was moved to another table, which has a first generation of its own."""
    target.apply([put("a", version(9, 1)), delete("b", version(9, 2))])
    target.create(FIRST, COLLECTIONS["donations"].model_copy(update={"table": OTHER_TABLE}))
    assert target.recall(TABLE).generations == frozenset()
    assert target.recall(OTHER_TABLE).generations == {FIRST}
    fresh = put("b", version(1, 1))
    target.apply([fresh])
    target.serve(FIRST)
    assert_holds(subject, [fresh])


def test_rows_of_two_generations_stay_apart(subject: Subject, target: Target) -> None:
    target.create(SECOND, COLLECTIONS["donations"])
    old, new = put("a", version(9, 1)), put("a", 0, n=2, generation=SECOND)
    target.apply([old, new, delete("b", version(9, 2)), put("b", 0, n=2, generation=SECOND)])
    assert_holds(subject, [old])
    target.serve(SECOND)
    assert_holds(subject, [new, put("b", 0, n=2)])


def test_collections_of_one_table_stay_apart(subject: Subject, target: Target) -> None:
    refunds = Generation("refunds", 1)
    open_generation(target, refunds)
    refund = put("a", version(1, 1), n=2, generation=refunds)
    target.apply([put("a", version(1, 2)), refund, delete("a", version(1, 3))])
    assert_holds(subject, [])
    assert_holds(subject, [refund], "refunds")


def test_readers_can_switch_back(subject: Subject, target: Target) -> None:
    target.create(SECOND, COLLECTIONS["donations"])
    old, new = put("a", version(1, 1)), put("a", version(1, 1), n=2, generation=SECOND)
    target.apply([old, new])
    target.serve(SECOND)
    assert_holds(subject, [new])
    target.serve(FIRST)
    assert_holds(subject, [old])
    subject.reopen()
    assert_holds(subject, [old])


def test_readers_see_one_generation_or_the_other_and_never_neither(subject: Subject, target: Target) -> None:
    target.create(SECOND, COLLECTIONS["donations"])
    old = [put(f"key-{n}", version(1, n), n=1) for n in range(40)]
    new = [put(f"key-{n}", version(1, n), n=2, generation=SECOND) for n in range(60)]
    target.apply([*old, *new])
    expected = [
        {write.id: subject.seen(write.document) for write in writes if write.document is not None}
        for writes in (old, new)
    ]
    with read_in_a_loop(lambda: subject.documents("donations")) as seen:
        for served in (SECOND, FIRST) * 5:
            target.serve(served)
            observed(reads_after(seen, len(seen) + 1))
    assert [documents for documents in seen if documents not in expected] == []
    assert all(documents in seen for documents in expected), "the reader saw only one of the two"


def reads_after(seen: list[object], count: int) -> Callable[[], bool]:
    return lambda: len(seen) > count


@contextmanager
def read_in_a_loop(read: Callable[[], object]) -> Iterator[list[object]]:
    """Read again and again beside the writer, and give what was seen; an error counts as something seen."""
    seen: list[object] = []
    stopped = threading.Event()

    def loop() -> None:
        while not stopped.is_set():
            try:
                seen.append(read())
            except Exception as error:  # noqa: BLE001 - whatever a reader meets is what the test judges
                seen.append(error)

    reader = threading.Thread(target=loop)
    reader.start()
    try:
        yield seen
    finally:
        stopped.set()
        reader.join()


def test_a_dropped_generation_is_gone(subject: Subject, target: Target) -> None:
    target.create(SECOND, COLLECTIONS["donations"])
    new = put("a", version(1, 1), n=2, generation=SECOND)
    target.apply([put("a", version(1, 1)), put("b", version(1, 2)), new])
    target.serve(SECOND)
    target.drop(FIRST)
    assert_holds(subject, [new])
    assert target.recall(TABLE).generations == {SECOND}
    subject.reopen()
    assert_holds(subject, [new])
    assert subject.target.recall(TABLE).generations == {SECOND}


def test_a_generation_created_again_after_a_drop_is_blank(subject: Subject, target: Target) -> None:
    target.create(SECOND, COLLECTIONS["donations"])
    target.apply([put("a", version(9, 1), generation=SECOND), delete("b", version(9, 2), generation=SECOND)])
    target.drop(SECOND)
    target.create(SECOND, COLLECTIONS["donations"])
    fresh = put("b", version(1, 1), n=2, generation=SECOND)
    target.apply([fresh])
    target.serve(SECOND)
    assert_holds(subject, [fresh])


def test_dropping_one_generation_leaves_the_others(subject: Subject, target: Target) -> None:
    third = Generation("donations", 3)
    for generation in (SECOND, third):
        target.create(generation, COLLECTIONS["donations"])
    kept = [put("a", version(1, 1), n=3, generation=third), put("b", version(1, 2), n=3, generation=third)]
    target.apply([put("a", version(1, 1), generation=SECOND), *kept])
    target.drop(SECOND)
    assert target.recall(TABLE).generations == {FIRST, third}
    target.serve(third)
    assert_holds(subject, kept)


def test_dropping_what_does_not_exist_is_no_error(subject: Subject, target: Target) -> None:
    write = put("a", version(1, 1))
    target.apply([write])
    target.drop(SECOND)
    target.drop(Generation("refunds", 1))
    assert_holds(subject, [write])


# Sweeping tombstones.


def test_a_tombstone_younger_than_asked_stays(subject: Subject, target: Target) -> None:
    target.apply([put("a", version(1, 1)), delete("a", version(1, 2))])
    before = time.time() - 3600
    assert target.sweep(before) == 0
    target.apply([put("a", version(1, 1))])
    assert_holds(subject, [])


def test_only_tombstones_written_before_the_given_time_are_swept(subject: Subject, target: Target) -> None:
    target.apply([delete("old", version(1, 1))])
    between = time.time()
    observed(lambda: time.time() > between)
    target.apply([delete("young", version(1, 2))])
    target.sweep(between)
    target.apply([put("young", version(1, 1))])
    assert_holds(subject, [])


def test_a_sweep_leaves_documents_alone_and_brings_none_back(subject: Subject, target: Target) -> None:
    kept = [put("a", version(1, 1)), put("born again", version(1, 6), n=6)]
    target.apply([kept[0], put("b", version(1, 2)), put("born again", version(1, 3))])
    target.apply([delete("b", version(1, 4)), delete("born again", version(1, 5)), delete("never", version(1, 5))])
    target.apply([kept[1]])
    for _ in range(3):
        # An engine that keeps old rows for a while may need more than one sweep, and no document in any of them.
        target.sweep(time.time() + 3600)
        assert_holds(subject, kept)
    subject.reopen()
    assert_holds(subject, kept)


def test_old_tombstones_do_go_in_the_end(target: Target) -> None:
    target.apply([delete(f"key-{n}", version(1, n)) for n in range(50)])
    later = time.time() + 3600
    swept = [0]

    def all_gone() -> bool:
        swept[0] += target.sweep(later)
        return swept[0] == 50

    observed(all_gone)
    assert target.sweep(later) == 0


def test_a_document_born_again_survives_a_sweep_at_the_same_moment(subject: Subject, target: Target) -> None:
    keys = [f"key-{n}" for n in range(20)]
    stopped = threading.Event()

    def sweep() -> None:
        while not stopped.is_set():
            target.sweep(time.time() + 3600)

    def give_birth_again() -> None:
        try:
            for epoch in range(1, 9):
                target.apply([delete(key, version(epoch, n)) for n, key in enumerate(keys)])
                born = [put(key, version(epoch, 100 + n), n=epoch) for n, key in enumerate(keys)]
                target.apply(born)
                assert_holds(subject, born)
        finally:
            stopped.set()

    together(sweep, give_birth_again)


# Beside one another.


def test_two_tables_are_written_at_once(subject: Subject, target: Target) -> None:
    people = Generation("people", 1)
    open_generation(target, people)

    def write(table: str, generation: Generation) -> None:
        for n in range(1, 25):
            target.apply([put(f"key-{n % 5}", version(1, n), n, generation=generation)])
            target.mark(table, {"p": Mark(1, Position(rank=n, token=str(n)))})

    together(partial(write, TABLE, FIRST), partial(write, OTHER_TABLE, people))
    last = [put(f"key-{n % 5}", 0, n) for n in range(20, 25)]
    assert_holds(subject, last)
    assert_holds(subject, last, "people")
    assert {table: target.recall(table).marks["p"].position.rank for table in (TABLE, OTHER_TABLE)} == {
        TABLE: 24,
        OTHER_TABLE: 24,
    }


def test_a_target_that_answers_pings(subject: Subject) -> None:
    subject.target.ping()
