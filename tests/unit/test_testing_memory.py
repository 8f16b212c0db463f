"""The fakes that users test their pipelines with: they keep the contracts, and fail exactly as told."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from dynalens.change import Change, KeySchema, Typed, document_id
from dynalens.config import CollectionConfig
from dynalens.errors import SourceError, TargetError, TrimmedError
from dynalens.partition import START, Partition, Position
from dynalens.source import Batch
from dynalens.target import Field, Generation, Mark, Memory, Write, version
from dynalens.testing.memory import ManualClock, MemorySource, MemoryTarget
from tests.waiting import observed

GENERATION = Generation("donations", 1)
COLLECTION = CollectionConfig(table="Donations")


def item(key: str, n: int = 1) -> dict[str, Typed]:
    return {"id": {"S": key}, "n": {"N": str(n)}}


def writes(*changes: Change, first: int = version(1, 0)) -> list[Write]:
    return [Write(GENERATION, change.id, at, change.new, change) for at, change in enumerate(changes, first)]


@pytest.fixture
def source() -> MemorySource:
    """A table with one open shard, read two records at a time."""
    source = MemorySource(page_size=2)
    source.add_shard("s1")
    return source


@pytest.fixture
def target() -> MemoryTarget:
    """A target that serves one generation."""
    target = MemoryTarget("sql")
    target.create(GENERATION, COLLECTION)
    target.serve(GENERATION)
    return target


def read_all(source: MemorySource, shard: str = "s1", position: Position = START) -> list[Change]:
    """Read a shard from a position to its tip or end."""
    reader = source.open(Partition(shard), position)
    changes: list[Change] = []
    while (batch := reader.read()).changes:
        changes += batch.changes
    return changes


# The clock.


def test_a_manual_clock_moves_when_told() -> None:
    clock = ManualClock(100.0)
    assert clock() == clock() == 100.0
    clock.advance(1.5)
    clock.sleep(2)
    assert clock() == 103.5


# The source.


def test_records_tell_the_story_of_the_table(source: MemorySource) -> None:
    source.put("s1", item("a"))
    source.put("s1", item("a", 2))
    source.delete("s1", {"id": {"S": "a"}})
    source.delete("s1", {"id": {"S": "never"}})
    source.put("s1", item("b"))
    changes = read_all(source)
    assert [change.kind for change in changes] == ["insert", "modify", "remove", "insert"]
    assert [change.id for change in changes] == ["a", "a", "a", "b"]
    assert [change.old.json if change.old else None for change in changes[:3]] == [
        None,
        b'{"id":"a","n":1}',
        b'{"id":"a","n":2}',
    ]
    assert all(change.old_known for change in changes)
    sequence_numbers = [int(change.sequence_number) for change in changes]
    assert sequence_numbers == sorted(set(sequence_numbers))
    assert source.documents() == {"b": b'{"id":"b","n":1}'}


def test_a_reader_goes_on_from_any_position(source: MemorySource) -> None:
    for n in range(5):
        source.put("s1", item(f"k{n}"))
    first = source.open(Partition("s1"), START).read()
    assert [change.id for change in first.changes] == ["k0", "k1"]
    assert not first.ended
    assert first.size > 0
    assert [change.id for change in read_all(source, position=first.position)] == ["k2", "k3", "k4"]


def test_records_may_be_added_while_a_reader_waits_at_the_tip(source: MemorySource) -> None:
    reader = source.open(Partition("s1"), START)
    assert reader.read() == Batch([], [], START, ended=False, size=0)
    source.put("s1", item("a"))
    assert [change.id for change in reader.read().changes] == ["a"]
    position = reader.read().position
    assert (position.rank, position.token) == (10**20 + 1, str(10**20 + 1))


def test_a_closed_shard_ends_with_its_last_page(source: MemorySource) -> None:
    for n in range(3):
        source.put("s1", item(f"k{n}"))
    source.end("s1")
    reader = source.open(Partition("s1"), START)
    pages = [reader.read(), reader.read(), reader.read()]
    assert [(len(page.changes), page.ended, page.position.ended) for page in pages] == [
        (2, False, False),
        (1, True, True),
        (0, True, True),
    ]
    with pytest.raises(ValueError, match="s1 is closed"):
        source.put("s1", item("late"))


def test_a_shard_without_records_ends_empty(source: MemorySource) -> None:
    source.end("s1")
    assert source.open(Partition("s1"), START).read().position == Position(ended=True)


def test_children_name_their_parents_and_go_on_counting(source: MemorySource) -> None:
    source.put("s1", item("a"))
    source.end("s1")
    source.add_shard("s2", parents=["s1"])
    source.put("s2", item("a", 2))
    assert source.discover() == [Partition("s1"), Partition("s2", parents=("s1",))]
    assert int(read_all(source, "s2")[0].sequence_number) > int(read_all(source)[0].sequence_number)
    source.remove_shard("s1")
    assert [partition.id for partition in source.discover()] == ["s2"]
    with pytest.raises(TrimmedError):
        source.open(Partition("s1"), START).read()


def test_trimmed_records_are_a_gap_for_whoever_stands_before_them(source: MemorySource) -> None:
    source.put("s1", item("a"))
    early = source.open(Partition("s1"), START).read().position
    source.put("s1", item("b"))
    late = source.open(Partition("s1"), early).read().position
    source.trim("s1")
    source.put("s1", item("c"))
    with pytest.raises(TrimmedError):
        source.open(Partition("s1"), early).read()
    assert [change.id for change in read_all(source, position=late)] == ["c"]
    # TRIM_HORIZON is the oldest record left, whatever was there before.
    assert [change.id for change in read_all(source)] == ["c"]


def test_a_read_that_failed_may_be_tried_again(source: MemorySource) -> None:
    source.put("s1", item("a"))
    source.fail_next(2)
    source.fail_next(error=TrimmedError("told to"))
    reader = source.open(Partition("s1"), START)
    for expected in (SourceError, SourceError, TrimmedError):
        with pytest.raises(expected):
            reader.read()
    assert [change.id for change in reader.read().changes] == ["a"]


def test_a_record_that_cannot_be_decoded_is_poison(source: MemorySource) -> None:
    source.append("s1", {"eventName": "ODD", "dynamodb": {"Keys": {"id": {"S": "a"}}}})
    source.append("s1", {"eventName": "INSERT"})
    batch = source.open(Partition("s1"), START).read()
    assert batch.changes == []
    assert [poison.sequence_number for poison in batch.poison] == [str(10**20 + 1), str(10**20 + 2)]
    assert batch.position.rank == 10**20 + 2


def test_a_scan_shows_each_item_once_in_its_segment_as_it_is_when_read(source: MemorySource) -> None:
    for n in range(20):
        source.preload(item(f"k{n:02}"))
    source.put("s1", item("k00", 9))
    scan = source.scan("first", segments=3)
    assert [partition.id for partition in scan.discover()] == ["scan-first-0", "scan-first-1", "scan-first-2"]
    rows: list[Change] = []
    for partition in scan.discover():
        position = START
        while not position.ended:
            batch = scan.open(partition, position).read()
            assert batch.position.rank == max(position.rank, 0) + len(batch.changes)
            rows += batch.changes
            position = batch.position
    assert sorted(row.id for row in rows) == [f"k{n:02}" for n in range(20)]
    assert {row.kind for row in rows} == {"scan"}
    assert {row.id: row.new.json for row in rows if row.new} == source.documents()


def test_a_scan_goes_on_behind_its_cursor_whatever_was_written_before_it() -> None:
    source = MemorySource(page_size=2)
    source.add_shard("s1")
    for key in "bdf":
        source.preload(item(key))
    scan = source.scan("x")
    [partition] = scan.discover()
    reader = scan.open(partition, START)
    assert [row.id for row in reader.read().changes] == ["b", "d"]
    source.put("s1", item("a"))
    source.delete("s1", item("f"))
    source.put("s1", item("g"))
    rest = reader.read()
    assert [row.id for row in rest.changes] == ["g"]
    assert rest.ended


def test_keys_of_two_parts_have_ids_of_their_own() -> None:
    keys = KeySchema(("email", "at"))
    source = MemorySource(keys=keys)
    source.add_shard("s1")
    row: dict[str, Typed] = {"email": {"S": "a|b"}, "at": {"N": "7"}, "amount": {"N": "1.50"}}
    source.put("s1", row)
    assert list(source.documents()) == [document_id(row, keys)] == [read_all(source)[0].id]
    assert dict(read_all(source)[0].key) == {"email": {"S": "a|b"}, "at": {"N": "7"}}


# The target.


def test_calls_fail_as_often_as_told(source: MemorySource, target: MemoryTarget) -> None:
    source.put("s1", item("a"))
    target.fail_next(2)
    for call in (target.ping, lambda: target.recall("Donations")):
        with pytest.raises(TargetError):
            call()
    target.apply(writes(*read_all(source)))
    assert target.documents("donations") == source.documents()


def test_one_method_may_be_told_to_fail(target: MemoryTarget) -> None:
    target.fail_next(on="mark", error=TargetError("the disk is full"))
    target.ping()
    target.apply([])
    with pytest.raises(TargetError, match="the disk is full"):
        target.mark("Donations", {})
    target.mark("Donations", {})


def test_a_write_may_land_although_its_call_fails(source: MemorySource, target: MemoryTarget) -> None:
    source.put("s1", item("a"))
    for landed in (False, True):
        assert target.documents("donations") == {}
        target.fail_next(on="apply", landed=landed)
        with pytest.raises(TargetError):
            target.apply(writes(*read_all(source)))
    assert target.documents("donations") == source.documents()


def in_thread(work: Callable[[], object]) -> tuple[threading.Thread, list[object]]:
    """Run in a thread what is expected to hang; its outcome, or its error, comes into the list."""
    outcome: list[object] = []

    def run() -> None:
        try:
            outcome.append(work())
        except TargetError as error:
            outcome.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, outcome


def test_a_blocked_target_answers_once_unblocked(target: MemoryTarget) -> None:
    target.block()
    waiting, outcome = in_thread(lambda: target.recall("Donations"))
    observed(lambda: target._changed._waiters)  # type: ignore[attr-defined]  # the condition's own list
    assert outcome == []
    target.unblock()
    waiting.join(timeout=30)
    assert outcome == [Memory(generations=frozenset({GENERATION}))]


def test_closing_a_blocked_target_frees_whoever_waits(target: MemoryTarget) -> None:
    target.block()
    waiting, outcome = in_thread(target.ping)
    observed(lambda: target._changed._waiters)  # type: ignore[attr-defined]  # the condition's own list
    target.close()
    waiting.join(timeout=30)
    assert isinstance(outcome[0], TargetError)
    target.unblock()
    target.ping()


def test_a_refused_document_is_rejected_and_the_rest_applied(source: MemorySource, target: MemoryTarget) -> None:
    source.put("s1", item("odd"))
    source.put("s1", item("b"))
    batch = writes(*read_all(source))
    target.refuse("odd", "too_long", "its name is odd")
    [rejection] = target.apply(batch)
    assert (rejection.write, rejection.code, rejection.message) == (batch[0], "too_long", "its name is odd")
    assert list(target.documents("donations")) == ["b"]
    source.delete("s1", item("odd"))
    assert target.apply(writes(read_all(source)[-1], first=version(1, 2))) == []
    target.accept("odd")
    assert target.apply([batch[0]._replace(version=version(1, 3))]) == []
    assert sorted(target.documents("donations")) == ["b", "odd"]


def test_a_target_may_forget(source: MemorySource, target: MemoryTarget) -> None:
    source.put("s1", item("a"))
    target.raise_epoch("Donations", 5)
    target.mark("Donations", {"s1": Mark(1, Position(rank=1))})
    early = target.snapshot()
    target.apply(writes(*read_all(source)))
    target.mark("Donations", {"s1": Mark(1, Position(rank=2))})
    target.go_back(early)
    assert target.documents("donations") == {}
    assert target.recall("Donations") == Memory(5, {"s1": Mark(1, Position(rank=1))}, frozenset({GENERATION}))
    target.apply(writes(*read_all(source)))
    target.lose_marks()
    assert target.recall("Donations").marks == {}
    assert target.documents("donations") == source.documents()
    target.wipe()
    assert target.recall("Donations") == Memory()
    assert target.documents("donations") == {}
    target.go_back(early)
    assert target.recall("Donations").epoch == 5


def test_a_snapshot_stays_what_it_was(source: MemorySource, target: MemoryTarget) -> None:
    source.put("s1", item("a"))
    early = target.snapshot()
    for _ in range(2):
        target.apply(writes(*read_all(source)))
        target.go_back(early)
        assert target.rows(GENERATION) == {}


def test_rows_show_tombstones_until_they_are_swept(source: MemorySource) -> None:
    clock = ManualClock()
    target = MemoryTarget(clock=clock)
    target.create(GENERATION, COLLECTION)
    source.put("s1", item("a"))
    source.delete("s1", item("a"))
    target.apply(writes(*read_all(source)))
    row = target.rows(GENERATION)["a"]
    assert (row.version, row.document, row.written_at) == (version(1, 1), None, clock())
    assert target.sweep(clock()) == 0
    clock.advance(1)
    assert target.sweep(clock()) == 1
    assert target.rows(GENERATION) == {}


def test_what_the_contract_forbids_is_refused(target: MemoryTarget) -> None:
    missing = Generation("donations", 2)
    with pytest.raises(TargetError, match="holds no donations@2"):
        target.serve(missing)
    with pytest.raises(TargetError, match="still served"):
        target.drop(GENERATION)


def test_fields_are_counted_by_type(source: MemorySource, target: MemoryTarget) -> None:
    source.put("s1", {"id": {"S": "a"}, "v": {"N": "-1"}})
    source.put("s1", {"id": {"S": "b"}, "v": {"NULL": True}})
    target.apply(writes(*read_all(source)))
    assert target.fields("donations") == [Field("id", {"string": 2}), Field("v", {"number": 1, "null": 1})]
    assert target.count("donations") == 2
    stored = target.document("donations", "a")
    assert stored is not None
    assert stored.json == b'{"id":"a","v":-1}'
    assert target.document("donations", "c") is None
