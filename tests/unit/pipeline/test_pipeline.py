"""One table's pipeline over fakes: what is read arrives, in order, whatever fails in between."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dynalens.config import CollectionConfig
from dynalens.errors import SourceError
from dynalens.pipeline import TablePipeline
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report
from dynalens.testing.memory import MemorySource, MemoryTarget
from tests.pipelines import Bench
from tests.waiting import observed

OTHERS = {"others": CollectionConfig(table="Donations")}


def put(source: MemorySource, shard: str, id_: str, amount: int) -> None:
    source.put(shard, {"id": {"S": id_}, "amount": {"N": str(amount)}})


def equal(source: MemorySource, target: MemoryTarget) -> Callable[[], bool]:
    return lambda: target.documents("donations") == source.documents()


def live(store: SqliteStore, target: str = "sql") -> Callable[[], bool]:
    return lambda: any(copy.state == "live" for copy in store.copies("Donations", target))


def test_items_from_before_and_changes_after_arrive(bench: Bench, source: MemorySource, target: MemoryTarget) -> None:
    for number in range(50):
        source.preload({"id": {"S": f"old-{number}"}})
    with bench.running():
        observed(live(bench.store))
        for number in range(50):
            put(source, "s1", f"new-{number}", number)
        source.delete("s1", {"id": {"S": "old-1"}})
        observed(equal(source, target))


def test_what_was_applied_is_not_read_again_by_the_next_process(
    bench: Bench, source: MemorySource, target: MemoryTarget
) -> None:
    put(source, "s1", "a", 1)
    with bench.running():
        observed(equal(source, target))
        observed(live(bench.store))
    put(source, "s1", "b", 2)
    with bench.running() as pipeline:
        observed(lambda: bench.report(pipeline, "sql").confirmed)
        assert equal(source, target)()
        assert bench.report(pipeline, "sql").confirmed == 1


def test_a_child_is_read_only_when_its_parent_is_drained(
    bench: Bench, source: MemorySource, target: MemoryTarget
) -> None:
    put(source, "s1", "a", 1)
    source.end("s1")
    source.add_shard("s2", parents=["s1"])
    put(source, "s2", "a", 2)
    target.block()
    with bench.running():
        target.unblock()
        observed(equal(source, target))
        observed(live(bench.store))
    epochs = {state.partition.id: state.epoch for state in bench.store.partitions("Donations")}
    assert epochs["s2"] > epochs["s1"]


@pytest.mark.parametrize("landed", [False, True])
@pytest.mark.parametrize("step", ["recall", "raise_epoch", "create", "apply", "mark", "serve"])
def test_a_step_that_fails_is_repeated_until_it_works(
    bench: Bench, source: MemorySource, target: MemoryTarget, step: str, *, landed: bool
) -> None:
    source.preload({"id": {"S": "old"}})
    for number in range(30):
        put(source, "s1", f"new-{number % 7}", number)
    target.fail_next(3, on=step, landed=landed)
    with bench.running():
        observed(equal(source, target))
        observed(live(bench.store))


def test_a_source_that_fails_is_read_again(bench: Bench, source: MemorySource, target: MemoryTarget) -> None:
    source.fail_next(3)
    put(source, "s1", "a", 1)
    with bench.running():
        observed(equal(source, target))


def test_a_target_that_hangs_holds_back_no_other(source: MemorySource, store: SqliteStore) -> None:
    well, ill = MemoryTarget("sql"), MemoryTarget("metrics")
    bench = Bench(source, [well, ill], store)
    put(source, "s1", "a", 1)
    with bench.running() as pipeline:
        observed(live(store, "sql"))
        observed(live(store, "metrics"))
        ill.block()
        for number in range(100):
            put(source, "s1", f"b{number}", number)
        observed(equal(source, well))
        assert not equal(source, ill)()
        observed(lambda: bench.report(pipeline, "metrics").waiting == 100)
        ill.unblock()
        observed(equal(source, ill))


def test_a_target_that_is_down_at_the_start_catches_up_from_its_own_position(
    source: MemorySource, store: SqliteStore
) -> None:
    well, ill = MemoryTarget("sql"), MemoryTarget("metrics")
    bench = Bench(source, [well, ill], store)
    source.preload({"id": {"S": "old"}})
    ill.fail_next(5, on="recall")
    for number in range(100):
        put(source, "s1", f"b{number}", number)
    with bench.running():
        observed(equal(source, well))
        observed(equal(source, ill))


def test_a_poison_record_goes_to_the_dead_letters_whole_and_its_shard_moves_on(
    bench: Bench, source: MemorySource, target: MemoryTarget
) -> None:
    put(source, "s1", "a", 1)
    source.append("s1", {"eventName": "NONSENSE", "dynamodb": {"Keys": {"id": {"S": "x"}}}})
    put(source, "s1", "b", 2)
    with bench.running():
        observed(equal(source, target))
    (letter,) = bench.store.letters()
    assert letter.code == "undecodable"
    assert b"NONSENSE" in letter.record


def test_a_document_that_the_target_refuses_is_redriven_without_overwriting_a_newer_one(
    bench: Bench, source: MemorySource, target: MemoryTarget
) -> None:
    target.refuse("a", code="too_wide")
    with bench.running():
        observed(live(bench.store))
        put(source, "s1", "a", 1)
        put(source, "s1", "b", 1)
        observed(lambda: len(target.documents("donations")) == 1)
        (letter,) = observed(lambda: bench.store.letters(state="waiting"))
        assert letter.code == "too_wide"
        target.accept("a")
        assert bench.store.request_redrive(None) == 1
        observed(equal(source, target))
        put(source, "s1", "a", 2)
        observed(equal(source, target))
        bench.store.add([replace(letter, state="redrive")])
        observed(lambda: not bench.store.letters(state="redrive"))
        assert equal(source, target)()


def test_letters_of_a_target_that_is_gone_hold_up_no_other(
    bench: Bench, source: MemorySource, target: MemoryTarget
) -> None:
    target.refuse("a")
    with bench.running():
        observed(live(bench.store))
        put(source, "s1", "a", 1)
        (letter,) = observed(lambda: bench.store.letters(state="waiting"))
        bench.store.settle(letter.number)
        gone = [replace(letter, target="gone", sequence_number=str(n), state="redrive") for n in range(101)]
        # The same letter once more, behind them.
        bench.store.add([*gone, replace(letter, sequence_number="102", state="redrive")])
        target.accept("a")
        observed(equal(source, target))


def test_a_record_that_can_be_read_at_last_overwrites_no_generation_begun_since(
    bench: Bench, source: MemorySource, target: MemoryTarget
) -> None:
    put(source, "s1", "before", 1)
    source.append("s1", {"eventName": "NONSENSE"})
    with bench.running():
        (poison,) = observed(lambda: bench.store.letters(state="waiting"))
    source.preload({"id": {"S": "a"}, "amount": {"N": "2"}})
    older = {"id": {"S": "a"}, "amount": {"N": "1"}}
    stream = {"Keys": {"id": {"S": "a"}}, "NewImage": older, "SequenceNumber": "1", "StreamViewType": "NEW_IMAGE"}
    record = json.dumps({"eventName": "INSERT", "dynamodb": stream}).encode()
    with replace(bench, fingerprints={"donations": "2"}).running():
        observed(lambda: [copy.state for copy in bench.store.copies("Donations", "sql")] == ["dropped", "live"])
        bench.store.add([replace(poison, sequence_number="1", record=record, state="redrive")])
        observed(lambda: not bench.store.letters(state="redrive"))
    assert equal(source, target)()


def test_a_redrive_that_cannot_read_the_table_waits_with_the_reason(
    bench: Bench, source: MemorySource, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_key: object) -> None:
        raise SourceError("GetItem is not allowed.")

    monkeypatch.setattr(source, "item", refuse)
    source.append("s1", {"eventName": "NONSENSE"})
    with bench.running():
        (poison,) = observed(lambda: bench.store.letters(state="waiting"))
        record = b'{"eventName": "REMOVE", "dynamodb": {"Keys": {"id": {"S": "a"}}, "SequenceNumber": "1"}}'
        bench.store.add([replace(poison, sequence_number="1", record=record, state="redrive")])
        observed(lambda: bench.store.letters()[-1].message == "GetItem is not allowed.")
    assert bench.store.letters()[-1].state == "waiting"


def test_where_a_target_is_is_recorded_of_what_it_holds(bench: Bench) -> None:
    def is_recorded(place: str) -> bool:
        copies = bench.store.copies("Donations", "sql")
        return [(copy.number, copy.state, copy.place) for copy in copies] == [(1, "live", place)]

    for place in ("", "chdb://./data/sql", "chdb://./moved/sql"):
        with replace(bench, place=place).running():
            observed(partial(is_recorded, place))


def test_changes_that_were_trimmed_are_a_gap_that_a_new_generation_closes(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    put(source, "s1", "a", 1)
    with bench.running():
        observed(equal(source, target))
        observed(live(store))
    put(source, "s1", "a", 2)
    put(source, "s1", "lost", 2)
    source.trim("s1")
    put(source, "s1", "b", 3)
    with bench.running():
        observed(equal(source, target))
        observed(lambda: not store.gaps("Donations"))
    numbers = {copy.number: copy.state for copy in store.copies("Donations", "sql")}
    assert numbers == {1: "dropped", 2: "live"}


def test_a_gap_is_on_record_until_it_is_closed(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    put(source, "s1", "a", 1)
    with bench.running():
        observed(live(store))
    put(source, "s1", "a", 2)
    source.trim("s1")
    target.fail_next(10**6, on="apply")
    with bench.running():
        (gap,) = observed(lambda: store.gaps("Donations"))
    assert "gone" in gap.reason
    assert gap.target == "sql"


@pytest.mark.parametrize("fault", ["wipe", "lose_marks"])
def test_a_target_that_forgot_is_built_anew(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore, fault: str
) -> None:
    source.preload({"id": {"S": "old"}})
    put(source, "s1", "a", 1)
    with bench.running():
        observed(equal(source, target))
        observed(live(store))
    getattr(target, fault)()
    put(source, "s1", "b", 1)
    with bench.running():
        observed(equal(source, target))
        observed(lambda: [copy.number for copy in store.copies("Donations", "sql") if copy.state == "live"] == [2])


def test_a_target_that_went_back_a_little_is_replayed(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    put(source, "s1", "a", 1)
    with bench.running():
        observed(equal(source, target))
        observed(live(store))
        earlier = target.snapshot()
        put(source, "s1", "a", 2)
        put(source, "s1", "b", 2)
        observed(equal(source, target))
    target.go_back(earlier)
    with bench.running():
        observed(equal(source, target))
    assert [copy.number for copy in store.copies("Donations", "sql")] == [1]


def test_a_lost_store_starts_above_what_the_target_remembers(
    source: MemorySource, target: MemoryTarget, tmp_path: Path
) -> None:
    source.preload({"id": {"S": "old"}})
    for number in range(20):
        put(source, "s1", "a", number)
    for attempt in range(2):
        with closing(SqliteStore(tmp_path / f"{attempt}.db")) as store, Bench(source, [target], store).running():
            observed(equal(source, target))
            observed(live(store))
        put(source, "s1", "a", 100 + attempt)
        source.delete("s1", {"id": {"S": "old"}})


def test_another_stream_is_a_gap(bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore) -> None:
    put(source, "s1", "a", 1)
    with bench.running():
        observed(live(store))
    source.remove_shard("s1")
    source.add_shard("t1")
    source.preload({"id": {"S": "written while the stream was off"}})
    with replace(bench, stream="stream-2").running():
        observed(equal(source, target))
        observed(lambda: not store.gaps("Donations"))


def test_a_worker_that_was_off_for_more_than_a_day_copies_anew(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    with bench.running():
        observed(live(store))
    (copied,) = store.copies("Donations", "sql")
    store.save_copy("Donations", replace(copied, started_at=time.time() - 30 * 3600), was=copied)
    # Nothing was ever read of the shard, so no position shows that its records came and went.
    put(source, "s1", "a", 1)
    source.trim("s1")
    with replace(bench, read_at=time.time() - 25 * 3600).running():
        observed(equal(source, target))
        observed(lambda: not store.gaps("Donations"))
    assert [copy.number for copy in store.copies("Donations", "sql") if copy.state == "live"] == [2]


def test_changed_settings_build_a_new_generation_beside_the_old(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    source.preload({"id": {"S": "old"}})
    put(source, "s1", "a", 1)
    with bench.running():
        observed(live(store))
    put(source, "s1", "b", 1)
    with replace(bench, fingerprints={"donations": "2"}).running():
        observed(lambda: [copy.state for copy in store.copies("Donations", "sql")] == ["dropped", "live"])
        assert equal(source, target)()


def test_a_collection_that_was_out_of_the_file_for_a_while_is_copied_anew(
    bench: Bench, source: MemorySource, target: MemoryTarget, store: SqliteStore
) -> None:
    both = replace(bench, collections={"donations": CollectionConfig(table="Donations"), **OTHERS})
    put(source, "s1", "a", 1)
    with both.running():
        observed(live(store))
        observed(lambda: target.documents("others") == source.documents())
    put(source, "s1", "b", 1)
    source.delete("s1", {"id": {"S": "a"}})
    with replace(bench, collections=OTHERS).running():
        observed(lambda: target.documents("others") == source.documents())
    with both.running():
        observed(equal(source, target))
    assert [copy.number for copy in store.copies("Donations", "sql") if copy.state == "live"] == [2, 1]


def test_reports_tell_waiting_from_caught_up(bench: Bench, source: MemorySource, target: MemoryTarget) -> None:
    def report(pipeline: TablePipeline) -> Report:
        return bench.report(pipeline, "sql")

    put(source, "s1", "a", 1)
    with bench.running() as pipeline:
        observed(lambda: report(pipeline).caught_up)
        assert report(pipeline).confirmed >= 1
        target.block()
        put(source, "s1", "b", 1)
        observed(lambda: report(pipeline).waiting_since)
        waiting = report(pipeline)
        assert not waiting.caught_up
        assert waiting.behind_seconds > 0
        target.unblock()
        observed(lambda: report(pipeline).caught_up)
        target.fail_next(10**6)
        put(source, "s1", "c", 1)
        observed(lambda: report(pipeline).error_code)
        failed = report(pipeline)
        assert "told to fail" in failed.error_message
        assert not failed.caught_up
