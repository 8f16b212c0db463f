"""The metrics target over a real server: what it counts, remembers, refuses and survives."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import pytest

from dynalens.partition import Position
from dynalens.target import Generation, Mark, Memory, Write
from dynalens.target.metrics.reader import MetricsReader
from tests.integration.metrics_writes import (
    BY_PLATFORM,
    FIRST,
    PUBLISHED,
    SECOND,
    TABLE,
    Value,
    collection,
    delete,
    opened,
    put,
    seen,
    serving,
)
from tests.services.valkey import ValkeyServer

LARGEST = Decimal("92233720368547758.07")
SMALLEST = Decimal("-92233720368547758.08")
"""The 64-bit limits of a sum with two decimals."""


def exact(count: int, amount: str) -> tuple[dict[str, str], bool]:
    return {"count": str(count), "amount_sum": amount}, True


# Counting.


def test_a_metric_counts_and_sums_by_group_and_in_all(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        writes = [
            put(FIRST, "a", 1, platform="Facebook", amount=10),
            put(FIRST, "b", 2, platform="Phone", amount=Decimal("50.50")),
            put(FIRST, "c", 3, platform="Phone", amount=Decimal("-0.5")),
        ]
        assert target.apply(writes) == []
        assert seen(target) == {'"Facebook"': exact(1, "10"), '"Phone"': exact(2, "50"), "*": exact(3, "60")}


def test_a_changed_item_leaves_its_old_group(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "a", 1, platform="Facebook", amount=10)])
        target.apply([put(FIRST, "a", 2, platform="Phone", amount=12)])
        assert seen(target) == {'"Phone"': exact(1, "12"), "*": exact(1, "12")}


def test_a_deleted_item_leaves_nothing(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "a", 1, platform="Facebook", amount=10), delete(FIRST, "a", 2)])
        assert seen(target) == {"*": exact(0, "0")}


def test_a_late_write_is_refused_after_a_delete_too(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([delete(FIRST, "a", 5)])
        target.apply([put(FIRST, "a", 4, platform="Late", amount=1), put(FIRST, "b", 7, platform="New", amount=1)])
        target.apply([put(FIRST, "b", 6, platform="Late", amount=1)])
        assert seen(target) == {'"New"': exact(1, "1"), "*": exact(1, "1")}


def test_versions_are_compared_beyond_the_precision_of_doubles(valkey: ValkeyServer) -> None:
    newest = (1 << 63) - 1
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "a", newest - 1, platform="Old", amount=1)])
        target.apply([put(FIRST, "a", newest, platform="New", amount=1)])
        target.apply([put(FIRST, "a", newest - 1, platform="Old", amount=1)])
        assert seen(target) == {'"New"': exact(1, "1"), "*": exact(1, "1")}


def test_a_whole_batch_may_be_repeated(valkey: ValkeyServer) -> None:
    batch = [put(FIRST, str(n), n, platform="p", amount=n) for n in range(1, 451)]
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply(batch)
        once = target.metric("donations", "by_platform")
        target.apply(batch)
        assert target.metric("donations", "by_platform") == once
        assert seen(target)["*"] == exact(450, "101475")


def test_an_empty_batch_is_allowed(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        assert target.apply([]) == []


def test_sums_are_exact_beyond_64_bits_and_back(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        assert target.apply([put(FIRST, str(n), 1, platform="p", amount=LARGEST) for n in range(200)]) == []
        assert seen(target)['"p"'] == exact(200, "18446744073709551614")
        assert target.apply([put(FIRST, str(n), 2, platform="p", amount=SMALLEST) for n in range(199)]) == []
        assert seen(target)['"p"'] == exact(200, f"{SMALLEST * 199 + LARGEST:f}")
        target.apply([delete(FIRST, str(n), 3) for n in range(199)])
        assert seen(target)["*"] == exact(1, str(LARGEST))


@pytest.mark.parametrize(
    "name",
    [
        "ALL",
        "dynalens:x",
        "",
        " ",
        '"',
        "\\",
        "'",
        "a\nb",
        "a\tb",
        "\x1f",
        "\x00",
        "é💶",
        "\ud800",
        "*",
        "-",
        "n:x",
        "{}",
    ],
)
def test_a_group_may_have_any_name(valkey: ValkeyServer, name: str) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target:
        target.apply([put(FIRST, "a", 1, platform=name, amount=1), put(FIRST, "b", 1, platform="other", amount=2)])
        snapshot = target.metric("donations", "by_platform")
        written = put(FIRST, "a", 1, platform=name).document
        assert written
        groups = {group.group["platform"]: group.values["amount_sum"] for group in snapshot.groups}
        assert groups == {written.fragments["platform"]: "1", b'"other"': "2"}
        target.apply([delete(FIRST, "a", 2)])
        assert seen(target) == {'"other"': exact(1, "2"), "*": exact(1, "2")}


def test_values_of_different_types_are_different_groups(valkey: ValkeyServer) -> None:
    values: list[Value] = ["1", 1, "true", True, "null", None]
    with serving(valkey, by_platform=PUBLISHED) as target:
        target.apply([put(FIRST, str(n), 1, platform=value, amount=1) for n, value in enumerate(values)])
        target.apply([put(FIRST, "again", 1, platform=Decimal("1.0"), amount=1), put(FIRST, "none", 1, amount=1)])
        counts = {group: values["count"] for group, (values, _) in seen(target).items()}
        assert counts == {'"1"': "1", "1": "2", '"true"': "1", "true": "1", '"null"': "1", "null": "2", "*": "8"}


def test_a_metric_may_have_no_groups(valkey: ValkeyServer) -> None:
    with serving(valkey, everything={"count": True}) as target:
        assert target.metric("donations", "everything").groups == []
        target.apply([put(FIRST, "a", 1), put(FIRST, "b", 2)])
        [group] = target.metric("donations", "everything").groups
        assert (group.group, group.values, group.exact) == ({}, {"count": "2"}, True)
        assert target.metric("donations", "everything").total is None


def test_a_metric_counts_the_items_that_its_where_names(valkey: ValkeyServer) -> None:
    paid = {**BY_PLATFORM, "where": {"state": "paid"}}
    with serving(valkey, paid=paid, by_platform=BY_PLATFORM) as target:
        target.apply(
            [put(FIRST, "a", 1, platform="p", amount=1, state="paid"), put(FIRST, "b", 1, platform="p", amount=2)]
        )
        assert seen(target, "paid") == {'"p"': exact(1, "1"), "*": exact(1, "1")}
        target.apply(
            [put(FIRST, "a", 2, platform="p", amount=1), put(FIRST, "b", 2, platform="p", amount=2, state="paid")]
        )
        assert seen(target, "paid") == {'"p"': exact(1, "2"), "*": exact(1, "2")}
        assert seen(target) == {'"p"': exact(2, "3"), "*": exact(2, "3")}


def test_a_metric_that_sums_only_forgets_empty_groups_too(valkey: ValkeyServer) -> None:
    summed = {"group_by": ["platform"], "sum": {"amount": {}}}
    with serving(valkey, summed=summed) as target:
        target.apply([put(FIRST, "a", 1, platform="p", amount=0)])
        [group] = target.metric("donations", "summed").groups
        assert group.values == {"amount_sum": "0"}
        target.apply([delete(FIRST, "a", 2)])
        assert target.metric("donations", "summed").groups == []


def test_each_change_of_a_group_raises_the_revision(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:

        def revision(write: Write) -> int:
            target.apply([write])
            return target.metric("donations", "by_platform").revision

        first = revision(put(FIRST, "a", 1, platform="p", amount=1))
        assert revision(put(FIRST, "a", 2, platform="p", amount=1)) == first
        assert revision(put(FIRST, "a", 3, platform="p", amount=2)) == first + 1
        assert revision(put(FIRST, "a", 4, platform="q", amount=2)) == first + 3


# Numbers that a sum cannot hold.


@pytest.mark.parametrize(
    ("amount", "code"),
    [(Decimal("0.005"), "out_of_scale"), (LARGEST + Decimal("0.01"), "overflow"), (10**37, "overflow")],
)
def test_a_number_that_cannot_be_summed_is_rejected_and_marks_its_group(
    valkey: ValkeyServer, amount: Decimal, code: str
) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        good, bad = put(FIRST, "a", 1, platform="p", amount=1), put(FIRST, "b", 2, platform="p", amount=amount)
        [rejection] = target.apply([good, bad, put(FIRST, "c", 3, platform="q", amount=1)])
        assert (rejection.write, rejection.code) == (bad, code)
        assert "donations.by_platform: amount is" in rejection.message
        inexact = ({"count": "2", "amount_sum": "1"}, False)
        assert seen(target) == {'"p"': inexact, '"q"': exact(1, "1"), "*": ({"count": "3", "amount_sum": "2"}, False)}


def test_the_mark_is_taken_back_by_a_good_value_a_move_or_a_delete(valkey: ValkeyServer) -> None:
    bad = Decimal("0.005")
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, name, 1, platform="p", amount=bad) for name in "abc"])
        target.apply([put(FIRST, "a", 2, platform="p", amount=1), put(FIRST, "b", 2, platform="q", amount=bad)])
        found = seen(target)
        assert (found['"p"'][1], found['"q"'][1]) == (False, False)
        target.apply([delete(FIRST, "c", 2)])
        found = seen(target)
        assert (found['"p"'], found['"q"'][1], found["*"][1]) == (exact(1, "1"), False, False)
        target.apply([delete(FIRST, "b", 3)])
        assert seen(target) == {'"p"': exact(1, "1"), "*": exact(1, "1")}


def test_a_repeated_batch_is_rejected_again(valkey: ValkeyServer) -> None:
    """The answer to the first attempt may have been lost: its rejections must reach the dead letters all the same."""
    bad = put(FIRST, "a", 1, platform="p", amount=Decimal("0.005"))
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([bad])
        once = target.metric("donations", "by_platform")
        assert [rejection.write for rejection in target.apply([bad])] == [bad]
        assert target.metric("donations", "by_platform") == once


def test_a_redrive_of_the_same_version_mends_what_was_rejected(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "a", 1, platform="p", amount=Decimal("0.005"))])
        assert target.apply([put(FIRST, "a", 1, platform="p", amount=Decimal("0.01"))]) == []
        assert seen(target) == {'"p"': exact(1, "0.01"), "*": exact(1, "0.01")}


def test_a_rejected_write_that_is_stale_is_not_rejected(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "a", 2, platform="p", amount=1)])
        assert target.apply([put(FIRST, "a", 1, platform="p", amount=Decimal("0.005"))]) == []


# What is remembered.


def test_a_fresh_server_remembers_nothing(valkey: ValkeyServer) -> None:
    with opened(valkey) as target:
        assert target.recall(TABLE) == Memory()


def test_epochs_marks_and_generations_are_remembered(valkey: ValkeyServer) -> None:
    marks = {
        "shard:1": Mark(5, Position(ended=False, rank=10**39, token="1" * 40)),
        "scan-x-0": Mark(4, Position(ended=True, rank=7, token='{"a":"ü"}')),
    }
    config = collection(by_platform=BY_PLATFORM)
    with opened(valkey, donations=config) as target:
        target.raise_epoch(TABLE, 5)
        target.create(FIRST, config)
        target.mark(TABLE, marks)
        target.mark(TABLE, {})
    with opened(valkey, donations=config) as target:
        memory = target.recall(TABLE)
        assert memory == Memory(5, marks, frozenset({FIRST}))
        assert memory.marks["shard:1"].position.token == "1" * 40
        assert target.recall("Others") == Memory()


def test_an_epoch_is_never_lowered(valkey: ValkeyServer) -> None:
    with opened(valkey) as target:
        target.raise_epoch(TABLE, (1 << 31) - 1)
        target.raise_epoch(TABLE, 7)
        assert target.recall(TABLE).epoch == (1 << 31) - 1


def test_creating_again_changes_nothing(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        target.create(FIRST, collection(by_platform={"group_by": ["other"], "count": True}))
        target.apply([put(FIRST, "b", 1, platform="p", amount=1)])
        assert seen(target) == {'"p"': exact(2, "2"), "*": exact(2, "2")}


def test_two_collections_and_two_targets_share_a_server(valkey: ValkeyServer) -> None:
    users = Generation("users", 1)
    config, other = (
        collection(by_platform=BY_PLATFORM),
        collection(by_platform=BY_PLATFORM).model_copy(update={"table": "Users"}),
    )
    with opened(valkey, donations=config) as one, opened(valkey, users=other) as two:
        for target, generation, made in ((one, FIRST, config), (two, users, other)):
            target.create(generation, made)
            target.serve(generation)
        one.apply([put(FIRST, "a", 1, platform="p", amount=1)])
        two.apply([put(users, "a", 9, platform="p", amount=7), put(users, "b", 9, platform="q", amount=7)])
        assert seen(one) == {'"p"': exact(1, "1"), "*": exact(1, "1")}
        users_total = two.metric("users", "by_platform").total
        assert users_total
        assert users_total.values == {"count": "2", "amount_sum": "14"}
        assert [one.recall(TABLE).generations, two.recall("Users").generations] == [{FIRST}, {users}]
        two.drop(users)
        assert seen(one) == {'"p"': exact(1, "1"), "*": exact(1, "1")}


def test_writes_of_several_generations_may_share_a_batch(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.create(SECOND, collection(by_platform=BY_PLATFORM))
        writes = [put(generation, name, 1, platform="p", amount=1) for name in "ab" for generation in (FIRST, SECOND)]
        target.apply([*writes, put(SECOND, "c", 1, platform="p", amount=1)])
        assert seen(target)["*"] == exact(2, "2")
        target.serve(SECOND)
        assert seen(target)["*"] == exact(3, "3")
        target.serve(FIRST)
        assert seen(target)["*"] == exact(2, "2")


def test_a_reader_that_is_overtaken_by_a_switch_reads_again(
    valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.create(SECOND, collection(by_platform=BY_PLATFORM))
        target.apply([put(FIRST, "a", 1, platform="p", amount=1), put(SECOND, "a", 1, platform="q", amount=1)])
        read = MetricsReader._read

        def overtaken(self: MetricsReader, generation: Generation, metric: str) -> object:
            target.serve(SECOND)
            target.drop(FIRST)
            return read(self, generation, metric)

        monkeypatch.setattr(MetricsReader, "_read", overtaken)
        assert seen(target) == {'"q"': exact(1, "1"), "*": exact(1, "1")}


def test_a_dropped_generation_leaves_no_key(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=PUBLISHED) as target:
        target.apply([put(FIRST, "a", 1, platform="p", amount=1), delete(FIRST, "b", 1)])
        target.create(SECOND, collection(by_platform=PUBLISHED))
        target.apply([put(SECOND, "a", 1, platform="p", amount=1)])
        target.serve(SECOND)
        target.drop(FIRST)
        target.drop(FIRST)
        assert target.recall(TABLE).generations == {SECOND}
        assert not [key for key in valkey.client().scan_iter() if ":1" in str(key)]
        assert seen(target) == {'"p"': exact(1, "1"), "*": exact(1, "1")}


def test_dropping_what_never_was_is_no_error(valkey: ValkeyServer) -> None:
    with opened(valkey) as target:
        target.drop(SECOND)
        assert target.recall(TABLE) == Memory()


# Tombstones.


def test_old_tombstones_are_swept_and_young_ones_stay(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([put(FIRST, "live", 1, platform="p", amount=1), delete(FIRST, "a", 5), delete(FIRST, "b", 5)])
        assert target.sweep(time.time() - 3600) == 0
        target.apply([put(FIRST, "a", 4, platform="late", amount=1)])
        assert seen(target) == {'"p"': exact(1, "1"), "*": exact(1, "1")}
        assert target.sweep(time.time() + 1) == 2
        assert target.sweep(time.time() + 1) == 0
        target.apply([put(FIRST, "a", 4, platform="late", amount=1)])
        assert '"late"' in seen(target)


def test_many_tombstones_are_swept_in_steps(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([delete(FIRST, str(n), 1) for n in range(2_500)])
        assert target.sweep(time.time() + 1) == 2_500


def test_a_write_that_lands_before_the_sweep_stays(valkey: ValkeyServer) -> None:
    """The sweeper reads tombstone 5, a put at 9 lands, the sweeper removes: it must not remove the put."""
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        target.apply([delete(FIRST, "a", 5)])
        target.apply([put(FIRST, "a", 9, platform="p", amount=1)])
        assert not valkey.client().zcard("dynalens:{donations}:1:tombstones")
        # As a sweeper saw it before the put: the entry alone must not be believed.
        valkey.client().zadd("dynalens:{donations}:1:tombstones", {"a": 1.0})
        assert target.sweep(time.time() + 1) == 0
        assert seen(target) == {'"p"': exact(1, "1"), "*": exact(1, "1")}
        target.apply([put(FIRST, "a", 8, platform="late", amount=1)])
        assert seen(target) == {'"p"': exact(1, "1"), "*": exact(1, "1")}
        assert target.sweep(time.time() + 1) == 0


def test_writes_and_sweeps_may_run_at_once(valkey: ValkeyServer) -> None:
    with serving(valkey, by_platform=BY_PLATFORM) as target:
        done = threading.Event()
        swept: list[int] = []

        def sweep() -> None:
            while not done.is_set():
                swept.append(target.sweep(time.time() + 1))

        sweeper = threading.Thread(target=sweep)
        sweeper.start()
        for round_ in range(1, 41, 2):
            target.apply([delete(FIRST, str(n), round_) for n in range(50)])
            target.apply([put(FIRST, str(n), round_ + 1, platform="p", amount=1) for n in range(50)])
        done.set()
        sweeper.join()
        assert seen(target) == {'"p"': exact(50, "50"), "*": exact(50, "50")}
