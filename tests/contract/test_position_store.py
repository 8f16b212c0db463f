"""The contract of `PositionStore`: nobody who lost a partition changes anything about it, and nothing is forgotten."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.position import NEW_STORE_EPOCH, Commit, Copy, Draw, Gap, PartitionState, PositionStore
from tests.contract.store_writer import PARTITIONS, killed_after
from tests.contract.stores import full_opener, opener
from tests.contract.together import together

TABLE, OTHER_TABLE = "Donations", "People"
SHARD = Partition("shardId-1")
OTHER_SHARD = Partition("shardId-2", parents=("shardId-0", "shardId-00"))
CHILD = Partition("shardId-3", parents=(SHARD.id, OTHER_SHARD.id))
SEGMENT = Partition("scan-s1-0", "segment")
SEQUENCE = 10**39 + 7
COPY = Copy("donations", "sql", 1, "building", "f00d", "stream-1", "s1", 4, consistent=True, started_at=1_700_000_000.5)
GAP = Gap(TABLE, "sql", "shardId-1", 1.5, 2.5, "records were trimmed", 3.5)

Open = Callable[[], PositionStore]


@pytest.fixture(params=["memory", "sqlite", "dynamodb"])
def reopen(request: pytest.FixtureRequest) -> Iterator[Open]:
    """Open the same store again, as the next process would; the one before is closed."""
    open_one = opener(request, request.param)
    opened: list[PositionStore] = []

    def open_again() -> PositionStore:
        close_all()
        opened.append(open_one())
        return opened[-1]

    def close_all() -> None:
        while opened:
            opened.pop().close()

    yield open_again
    close_all()


@pytest.fixture
def store(reopen: Open) -> PositionStore:
    """An empty store."""
    return reopen()


def drawn(
    store: PositionStore, partition: Partition = SHARD, target: str = "sql", *, owner: str = "w1", remembered: int = 0
) -> Draw:
    """Acquire a partition and draw for it."""
    store.acquire(TABLE, partition, owner)
    return store.draw(TABLE, partition.id, target, owner=owner, remembered=remembered)


def at(rank: int, *, ended: bool = False) -> Position:
    return Position(ended, rank, f"token {rank}")


def stored(store: PositionStore, partition: Partition = SHARD, target: str = "sql") -> Position | None:
    """Give the position held of a partition and target."""
    found = [state for state in store.partitions(TABLE) if (state.partition.id, state.target) == (partition.id, target)]
    assert len(found) <= 1
    return found[0].position if found else None


# Epochs.


def test_a_new_store_starts_far_above_what_a_lost_one_may_have_drawn(store: PositionStore) -> None:
    assert store.counter(TABLE) == NEW_STORE_EPOCH
    assert drawn(store) == Draw(NEW_STORE_EPOCH + 1, START)


def test_each_draw_is_higher_than_any_before_for_whatever_shard_or_target(store: PositionStore) -> None:
    pairs = [(SHARD, "sql"), (SHARD, "metrics"), (OTHER_SHARD, "sql"), (SHARD, "sql"), (SEGMENT, "sql")]
    epochs = [drawn(store, partition, target).epoch for partition, target in pairs]
    assert epochs == [NEW_STORE_EPOCH + n for n in range(1, 6)]
    assert store.counter(TABLE) == epochs[-1]


def test_a_draw_rises_over_what_the_target_remembers(store: PositionStore) -> None:
    remembered = NEW_STORE_EPOCH + 1_000
    far_above = remembered + NEW_STORE_EPOCH
    assert drawn(store, remembered=remembered).epoch == far_above + 1, "more may have been drawn than was told"
    assert drawn(store, remembered=5).epoch == far_above + 2
    assert drawn(store, remembered=far_above + 2).epoch == far_above + 3
    assert store.counter(TABLE) == far_above + 3


def test_tables_draw_from_counters_of_their_own(store: PositionStore) -> None:
    drawn(store, remembered=NEW_STORE_EPOCH + 9)
    assert store.counter(OTHER_TABLE) == NEW_STORE_EPOCH


def test_an_epoch_is_drawn_for_no_partition(store: PositionStore) -> None:
    first = drawn(store).epoch
    assert store.next_epoch(TABLE, remembered=0) == first + 1
    far_above = first + 9 + NEW_STORE_EPOCH
    assert store.next_epoch(TABLE, remembered=first + 9) == far_above + 1
    assert store.counter(TABLE) == far_above + 1
    assert drawn(store).epoch == far_above + 2
    assert store.next_epoch(OTHER_TABLE, remembered=0) == NEW_STORE_EPOCH + 1


def test_many_threads_draw_distinct_epochs(store: PositionStore) -> None:
    partitions = [Partition(f"shardId-{n}") for n in range(8)]
    for partition in partitions:
        store.acquire(TABLE, partition, "w1")
    epochs: list[int] = []

    def draw(partition: Partition) -> None:
        epochs.extend(store.draw(TABLE, partition.id, "sql", owner="w1", remembered=0).epoch for _ in range(25))

    together(*(partial(draw, partition) for partition in partitions))
    assert sorted(epochs) == list(range(NEW_STORE_EPOCH + 1, NEW_STORE_EPOCH + 201))
    assert store.counter(TABLE) == NEW_STORE_EPOCH + 200


# Leases.


def test_nobody_draws_without_the_lease(store: PositionStore) -> None:
    with pytest.raises(StaleLeaseError):
        store.draw(TABLE, SHARD.id, "sql", owner="w1", remembered=0)
    assert store.counter(TABLE) == NEW_STORE_EPOCH
    assert store.partitions(TABLE) == []


def test_whoever_lost_the_lease_draws_no_more(store: PositionStore) -> None:
    drawn(store, owner="w1")
    store.acquire(TABLE, SHARD, "w2")
    with pytest.raises(StaleLeaseError):
        store.draw(TABLE, SHARD.id, "sql", owner="w1", remembered=0)
    assert store.draw(TABLE, SHARD.id, "sql", owner="w2", remembered=0).epoch == NEW_STORE_EPOCH + 2


def test_a_lease_is_taken_over_whoever_is_named_and_nobody_else(store: PositionStore) -> None:
    store.acquire(TABLE, SHARD, "w1", over="")
    for over in ("", "w2"):
        with pytest.raises(StaleLeaseError):
            store.acquire(TABLE, SHARD, "w3", over=over)
    assert drawn_by(store, "w1")
    store.acquire(TABLE, SHARD, "w2", over="w1")
    assert not drawn_by(store, "w1")
    assert drawn_by(store, "w2")
    with pytest.raises(StaleLeaseError):
        store.acquire(TABLE, OTHER_SHARD, "w2", over="w1")


def test_whoever_holds_a_lease_takes_it_again(store: PositionStore) -> None:
    for over in ("", "", "w2"):
        store.acquire(TABLE, SHARD, "w1", over=over)
        assert drawn_by(store, "w1")


def test_one_of_several_rivals_takes_a_free_lease(store: PositionStore) -> None:
    owners = [f"w{number}" for number in range(6)]
    taken: list[str] = []

    def take(owner: str) -> None:
        try:
            store.acquire(TABLE, SHARD, owner, over="")
            taken.append(owner)
        except StaleLeaseError:
            pass

    together(*(partial(take, owner) for owner in owners))
    assert len(taken) == 1
    assert [owner for owner in owners if drawn_by(store, owner)] == taken


def drawn_by(store: PositionStore, owner: str) -> bool:
    """Say whether an owner may draw for the shard."""
    try:
        store.draw(TABLE, SHARD.id, "sql", owner=owner, remembered=0)
    except StaleLeaseError:
        return False
    return True


def test_a_lease_of_one_table_is_none_of_another(store: PositionStore) -> None:
    store.acquire(OTHER_TABLE, SHARD, "w1")
    with pytest.raises(StaleLeaseError):
        store.draw(TABLE, SHARD.id, "sql", owner="w1", remembered=0)


def test_partitions_are_recorded_whole(store: PositionStore) -> None:
    epochs = {partition.id: drawn(store, partition).epoch for partition in (SHARD, OTHER_SHARD, SEGMENT)}
    store.commit(TABLE, "sql", [Commit(SHARD.id, epochs[SHARD.id], at(5, ended=True))])
    states = sorted(store.partitions(TABLE), key=lambda state: state.epoch)
    assert states == [
        PartitionState(SHARD, "sql", epochs[SHARD.id], at(5, ended=True)),
        PartitionState(OTHER_SHARD, "sql", epochs[OTHER_SHARD.id], START),
        PartitionState(SEGMENT, "sql", epochs[SEGMENT.id], START),
    ]
    assert store.partitions(OTHER_TABLE) == []


def test_a_partition_that_was_only_acquired_has_no_position(store: PositionStore) -> None:
    store.acquire(TABLE, SHARD, "w1")
    assert store.partitions(TABLE) == []


# Commits.


@pytest.mark.parametrize("position", [at(SEQUENCE), Position(rank=0), Position(rank=12, token='{"id": {"S": "ü\'"}}')])
def test_the_position_is_read_after_the_draw(store: PositionStore, position: Position) -> None:
    epoch = drawn(store).epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, position)])
    draw = drawn(store, owner="w2")
    assert draw.position == position
    assert draw.position.token == position.token


def test_targets_move_apart(store: PositionStore) -> None:
    sql, metrics = drawn(store, target="sql").epoch, drawn(store, target="metrics").epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, sql, at(9))])
    store.commit(TABLE, "metrics", [Commit(SHARD.id, metrics, at(4))])
    assert drawn(store, target="sql").position == at(9)
    assert drawn(store, target="metrics").position == at(4)


def test_a_commit_under_an_epoch_that_was_drawn_over_is_refused(store: PositionStore) -> None:
    lost = drawn(store, owner="w1").epoch
    holds = drawn(store, owner="w2").epoch
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(SHARD.id, lost, at(9))])
    assert stored(store) == START
    store.commit(TABLE, "sql", [Commit(SHARD.id, holds, at(3))])
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(SHARD.id, lost, at(9))])
    assert stored(store) == at(3)


def test_drawing_again_fences_off_the_same_owner_too(store: PositionStore) -> None:
    first = drawn(store).epoch
    drawn(store)
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(SHARD.id, first, at(9))])


@pytest.mark.parametrize("offset", [-1, 1, 1 << 32])
def test_a_commit_under_an_epoch_that_nobody_drew_is_refused(store: PositionStore, offset: int) -> None:
    epoch = drawn(store).epoch
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(SHARD.id, epoch + offset, at(9))])
    assert stored(store) == START


def test_a_commit_for_a_partition_or_target_without_an_epoch_is_refused(store: PositionStore) -> None:
    epoch = drawn(store).epoch
    store.acquire(TABLE, OTHER_SHARD, "w1")
    for target, partition in (("sql", OTHER_SHARD), ("metrics", SHARD)):
        with pytest.raises(StaleLeaseError):
            store.commit(TABLE, target, [Commit(partition.id, epoch, at(9))])
    assert stored(store) == START


def test_commits_are_stored_all_or_none(store: PositionStore) -> None:
    first, second = drawn(store).epoch, drawn(store, OTHER_SHARD).epoch
    refused = [Commit(SHARD.id, first, at(9)), Commit(OTHER_SHARD.id, second - 1, at(9))]
    for commits in (refused, refused[::-1]):
        with pytest.raises(StaleLeaseError):
            store.commit(TABLE, "sql", commits)
        assert (stored(store), stored(store, OTHER_SHARD)) == (START, START)
    store.commit(TABLE, "sql", [Commit(SHARD.id, first, at(9)), Commit(OTHER_SHARD.id, second, at(8))])
    assert (stored(store), stored(store, OTHER_SHARD)) == (at(9), at(8))


def test_an_empty_commit_changes_nothing(store: PositionStore) -> None:
    store.commit(TABLE, "sql", [])
    assert store.partitions(TABLE) == []


def test_an_earlier_commit_that_arrives_late_does_not_take_the_end_back(store: PositionStore) -> None:
    epoch = drawn(store).epoch
    end = Commit(SHARD.id, epoch, at(9, ended=True))
    for _ in range(2):
        store.commit(TABLE, "sql", [end])
        with pytest.raises(StaleLeaseError):
            store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(4))])
        assert stored(store) == at(9, ended=True)


def test_a_drained_partition_is_never_drawn_for_again(store: PositionStore) -> None:
    epoch = drawn(store).epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(SEQUENCE, ended=True))])
    for owner in ("w1", "w2"):
        store.acquire(TABLE, SHARD, owner)
        with pytest.raises(StaleLeaseError):
            store.draw(TABLE, SHARD.id, "sql", owner=owner, remembered=0)
    assert store.counter(TABLE) == epoch
    assert stored(store) == at(SEQUENCE, ended=True)


def test_a_partition_drained_for_one_target_is_drawn_for_another(store: PositionStore) -> None:
    epoch = drawn(store).epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(5, ended=True))])
    assert drawn(store, target="metrics") == Draw(epoch + 1, START)


def test_only_one_of_two_rivals_commits(store: PositionStore) -> None:
    """Draws and commits of two owners interleave as they like: each commit that is let through is the newest drawn."""
    committed: list[tuple[int, int]] = []
    refused: list[int] = []

    def compete(owner: str) -> None:
        for rank in range(40):
            try:
                epoch = drawn(store, owner=owner).epoch
                store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(rank))])
                committed.append((epoch, rank))
            except StaleLeaseError:
                refused.append(rank)

    together(*(partial(compete, owner) for owner in ("w1", "w2")))
    assert len(committed) + len(refused) == 80
    assert stored(store) == at(max(committed)[1])


# Parents first.


def drained(store: PositionStore, partition: Partition, target: str = "sql") -> int:
    """Draw for a partition and commit its end; give the epoch."""
    epoch = drawn(store, partition, target).epoch
    store.commit(TABLE, target, [Commit(partition.id, epoch, at(5, ended=True))])
    return epoch


def test_a_child_draws_once_all_of_its_parents_are_drained_for_its_target(store: PositionStore) -> None:
    last = drawn(store, OTHER_SHARD).epoch
    for target in ("sql", "metrics"):
        drained(store, SHARD, target)
    counter = store.counter(TABLE)
    with pytest.raises(StaleLeaseError):
        drawn(store, CHILD)
    assert (store.counter(TABLE), stored(store, CHILD)) == (counter, None)
    assert drawn(store, CHILD, "metrics") == Draw(counter + 1, START)
    store.commit(TABLE, "sql", [Commit(OTHER_SHARD.id, last, at(7, ended=True))])
    assert drawn(store, CHILD) == Draw(counter + 2, START)


def test_parents_that_the_store_does_not_hold_for_the_target_hold_nobody_back(store: PositionStore) -> None:
    drawn(store, SHARD, "metrics")
    drawn(store, CHILD)
    store.forget(TABLE, "metrics", [SHARD.id])
    drawn(store, CHILD, "metrics")


def test_a_parent_is_not_rewound_from_its_end_once_a_child_has_drawn(store: PositionStore) -> None:
    epoch = drained(store, SHARD)
    drawn(store, CHILD)
    for _ in range(2):
        with pytest.raises(StaleLeaseError):
            store.rewind(TABLE, SHARD.id, "sql", at(3), epoch=epoch)
        assert stored(store) == at(5, ended=True)
        store.forget(TABLE, "sql", [CHILD.id])
    store.rewind(TABLE, SHARD.id, "sql", at(5, ended=True), epoch=epoch)


def test_a_parent_is_rewound_from_its_end_while_its_children_draw_for_other_targets(store: PositionStore) -> None:
    epoch = drained(store, SHARD)
    drained(store, SHARD, "metrics")
    drawn(store, CHILD, "metrics")
    store.rewind(TABLE, SHARD.id, "sql", at(3), epoch=epoch)
    with pytest.raises(StaleLeaseError):
        drawn(store, CHILD)
    assert stored(store) == at(3)


def test_a_forgotten_parent_starts_over_without_its_seal(store: PositionStore) -> None:
    drained(store, SHARD)
    drawn(store, CHILD)
    store.forget(TABLE, "sql", [SHARD.id, CHILD.id])
    epoch = drained(store, SHARD)
    store.rewind(TABLE, SHARD.id, "sql", START, epoch=epoch)
    assert stored(store) == START


def test_either_the_parent_is_rewound_or_its_child_draws(store: PositionStore) -> None:
    """Both at once would start the child below what its parent applies again."""
    for number in range(20):
        parent = Partition(f"shardId-{number}-parent")
        child = Partition(f"shardId-{number}-child", parents=(parent.id,))
        epoch = drained(store, parent)
        store.acquire(TABLE, child, "w1")
        refused: list[str] = []

        def rewind(parent: Partition = parent, epoch: int = epoch, refused: list[str] = refused) -> None:
            try:
                store.rewind(TABLE, parent.id, "sql", at(3), epoch=epoch)
            except StaleLeaseError:
                refused.append("rewind")

        def draw(child: Partition = child, refused: list[str] = refused) -> None:
            try:
                store.draw(TABLE, child.id, "sql", owner="w1", remembered=0)
            except StaleLeaseError:
                refused.append("draw")

        together(rewind, draw)
        position = stored(store, parent)
        assert (refused, position) in ((["rewind"], at(5, ended=True)), (["draw"], at(3)))


# Going back with a target.


def test_a_position_is_rewound_to_what_the_target_holds(store: PositionStore) -> None:
    epoch = drained(store, SHARD)
    store.rewind(TABLE, SHARD.id, "sql", at(3), epoch=epoch)
    draw = drawn(store)
    assert draw == Draw(epoch + 1, at(3))
    assert draw.position.token == at(3).token


def test_a_position_is_never_rewound_forward(store: PositionStore) -> None:
    epoch = drawn(store).epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(80))])
    for position in (at(100), at(80), at(10, ended=True)):
        store.rewind(TABLE, SHARD.id, "sql", position, epoch=epoch)
    assert stored(store) == at(80)


def test_a_rewind_touches_one_partition_of_one_target(store: PositionStore) -> None:
    pairs = [(OTHER_SHARD, "sql"), (SHARD, "metrics"), (SHARD, "sql")]
    epoch = 0
    for partition, target in pairs:
        epoch = drawn(store, partition, target).epoch
        store.commit(TABLE, target, [Commit(partition.id, epoch, at(100))])
    store.rewind(TABLE, SHARD.id, "sql", START, epoch=epoch)
    assert [stored(store, *pair) for pair in pairs] == [at(100), at(100), START]


def test_only_the_epoch_drawn_last_rewinds(store: PositionStore) -> None:
    lost = drawn(store, owner="w1").epoch
    holds = drawn(store, owner="w2").epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, holds, at(80))])
    for epoch in (lost, holds + 1):
        for position in (at(3), at(100)):
            with pytest.raises(StaleLeaseError):
                store.rewind(TABLE, SHARD.id, "sql", position, epoch=epoch)
    assert stored(store) == at(80)
    with pytest.raises(StaleLeaseError):
        store.rewind(TABLE, "shardId-unknown", "sql", START, epoch=holds)
    with pytest.raises(StaleLeaseError):
        store.rewind(OTHER_TABLE, SHARD.id, "sql", START, epoch=holds)


# Forgetting.


def test_forgotten_partitions_start_over_and_their_holders_are_fenced_off(store: PositionStore) -> None:
    first, second = drawn(store).epoch, drawn(store, OTHER_SHARD).epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, first, at(5, ended=True)), Commit(OTHER_SHARD.id, second, at(6))])
    store.forget(TABLE, "sql", [SHARD.id, "shardId-unknown"])
    assert (stored(store), stored(store, OTHER_SHARD)) == (None, at(6))
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(SHARD.id, first, at(7))])
    assert drawn(store) == Draw(second + 1, START)


def test_forgetting_leaves_other_targets_and_tables_alone(store: PositionStore) -> None:
    epoch = drawn(store, target="metrics").epoch
    store.commit(TABLE, "metrics", [Commit(SHARD.id, epoch, at(5))])
    store.forget(TABLE, "sql", [SHARD.id])
    store.forget(OTHER_TABLE, "metrics", [SHARD.id])
    store.forget(TABLE, "metrics", [])
    assert stored(store, target="metrics") == at(5)


# Generations and gaps.


def state_of(store: PositionStore, partition: Partition = SHARD, target: str = "sql") -> PartitionState:
    [found] = [each for each in store.partitions(TABLE) if (each.partition, each.target) == (partition, target)]
    return found


def test_generations_are_listed_with_all_that_is_known(store: PositionStore) -> None:
    second = replace(COPY, number=2, state="live", finished_at=9.25, settings='{"a": "\u00fc"}', barrier=1 << 40)
    others = [replace(COPY, collection="refunds"), second]
    store.record(TABLE, "sql", [COPY, *others])
    store.record(TABLE, "metrics", [replace(COPY, target="metrics")])
    assert sorted(store.copies(TABLE, "sql"), key=str) == sorted([COPY, *others], key=str)
    assert store.copies(TABLE, "metrics") == [replace(COPY, target="metrics")]
    assert store.copies(OTHER_TABLE, "sql") == []


def test_a_generation_changes_its_state_in_place(store: PositionStore) -> None:
    store.record(TABLE, "sql", [COPY])
    was = COPY
    for state in ("live", "kept", "dropped"):
        copy = replace(was, state=state, finished_at=2.0)
        store.save_copy(TABLE, copy, was=was)
        assert store.copies(TABLE, "sql") == [copy]
        was = copy


def test_a_generation_that_somebody_changed_since_keeps_its_state(store: PositionStore) -> None:
    """Whoever led before was paused in the middle of a switch, and goes on."""
    store.record(TABLE, "sql", [COPY])
    dropped = replace(COPY, state="dropped")
    store.save_copy(TABLE, dropped, was=COPY)
    revision = store.revision(TABLE)
    with pytest.raises(StaleLeaseError):
        store.save_copy(TABLE, replace(COPY, state="live"), was=COPY)
    assert store.copies(TABLE, "sql") == [dropped]
    assert store.revision(TABLE) == revision


def test_a_generation_that_is_not_recorded_has_no_state_to_change(store: PositionStore) -> None:
    store.record(TABLE, "sql", [COPY])
    revision = store.revision(TABLE)
    for other in (replace(COPY, number=2), replace(COPY, target="metrics"), replace(COPY, collection="refunds")):
        with pytest.raises(StaleLeaseError):
            store.save_copy(TABLE, replace(other, state="kept"), was=other)
    with pytest.raises(StaleLeaseError):
        store.save_copy(OTHER_TABLE, replace(COPY, state="kept"), was=COPY)
    assert store.copies(TABLE, "sql") == [COPY]
    assert store.revision(TABLE) == revision


def test_generations_are_forgotten_one_by_one(store: PositionStore) -> None:
    copies = [replace(COPY, collection=name, number=number) for name in ("donations", "refunds") for number in (1, 2)]
    store.record(TABLE, "sql", copies)
    elsewhere = replace(COPY, target="metrics")
    store.record(TABLE, "metrics", [elsewhere])
    for _ in range(2):
        store.forget_copies(TABLE, [copies[0], replace(COPY, number=9)])
    assert sorted(store.copies(TABLE, "sql"), key=str) == sorted(copies[1:], key=str)
    assert store.copies(TABLE, "metrics") == [elsewhere]
    with pytest.raises(StaleLeaseError):
        store.save_copy(TABLE, replace(copies[0], state="kept"), was=copies[0])


def test_a_record_forgets_positions_and_says_why(store: PositionStore) -> None:
    sql, metrics = drawn(store).epoch, drawn(store, target="metrics").epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, sql, at(5, ended=True))])
    store.commit(TABLE, "metrics", [Commit(SHARD.id, metrics, at(6))])
    drawn(store, OTHER_SHARD)
    counter = store.counter(TABLE)
    store.record(TABLE, "sql", [COPY])
    second = replace(COPY, number=2, scan="s2")
    store.record(TABLE, "sql", [second], [GAP], forget=[state_of(store)])
    assert stored(store) is None
    assert stored(store, OTHER_SHARD) == START
    assert stored(store, target="metrics") == at(6)
    assert sorted(store.copies(TABLE, "sql"), key=str) == sorted([COPY, second], key=str)
    assert store.gaps(TABLE) == [GAP]
    assert store.counter(TABLE) == counter


def test_a_record_fences_off_whoever_held_what_it_forgets(store: PositionStore) -> None:
    """A commit from before would jump over all that the new generation still has to read."""
    epoch = drawn(store).epoch
    store.record(TABLE, "sql", [COPY], forget=[state_of(store)])
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(9))])
    assert drawn(store) == Draw(epoch + 1, START)
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(9))])


def test_a_record_is_refused_whole_when_a_generation_exists_already(store: PositionStore) -> None:
    epoch = drawn(store).epoch
    store.record(TABLE, "sql", [COPY])
    before = store.revision(TABLE)
    with pytest.raises(StaleLeaseError):
        store.record(TABLE, "sql", [replace(COPY, number=2), replace(COPY, scan="s2")], [GAP], [state_of(store)])
    assert (store.copies(TABLE, "sql"), store.gaps(TABLE)) == ([COPY], [])
    assert (stored(store), store.revision(TABLE)) == (START, before)
    store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(9))])


def test_a_record_is_refused_whole_when_somebody_has_drawn_since(store: PositionStore) -> None:
    drawn(store, OTHER_SHARD)
    drawn(store)
    planned = [state_of(store, OTHER_SHARD), state_of(store)]
    drawn(store, owner="w2")
    with pytest.raises(StaleLeaseError):
        store.record(TABLE, "sql", [COPY], [GAP], forget=planned)
    assert (store.copies(TABLE, "sql"), store.gaps(TABLE), store.revision(TABLE)) == ([], [], 0)
    assert (stored(store), stored(store, OTHER_SHARD)) == (START, START)


def test_a_record_is_refused_when_somebody_else_has_forgotten_since(store: PositionStore) -> None:
    drawn(store)
    planned = [state_of(store)]
    store.forget(TABLE, "sql", [SHARD.id])
    with pytest.raises(StaleLeaseError):
        store.record(TABLE, "sql", [COPY], [GAP], forget=planned)
    assert (store.copies(TABLE, "sql"), store.gaps(TABLE)) == ([], [])


def test_one_of_several_rivals_records_a_generation(store: PositionStore) -> None:
    recorded: list[str] = []

    def record(scan: str) -> None:
        try:
            store.record(TABLE, "sql", [replace(COPY, scan=scan)])
            recorded.append(scan)
        except StaleLeaseError:
            pass

    together(*(partial(record, f"s{number}") for number in range(6)))
    assert [copy.scan for copy in store.copies(TABLE, "sql")] == recorded


def test_the_revision_rises_with_each_change_of_the_generations_and_each_end(store: PositionStore) -> None:
    assert store.revision(TABLE) == 0
    seen = [0]

    def rose() -> bool:
        seen.append(store.revision(TABLE))
        return seen[-1] > seen[-2]

    store.record(TABLE, "sql", [COPY])
    assert rose()
    store.record(TABLE, "metrics", [], [GAP])
    assert rose()
    store.save_copy(TABLE, replace(COPY, state="live"), was=COPY)
    assert rose()
    epoch = drawn(store).epoch
    store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(5))])
    store.close_gaps(TABLE, "sql", below=1)
    assert not rose()
    store.commit(TABLE, "sql", [Commit(SHARD.id, epoch, at(5, ended=True))])
    assert rose()
    assert store.revision(OTHER_TABLE) == 0


def test_gaps_stay_until_they_are_closed_for_their_target(store: PositionStore) -> None:
    others = [replace(GAP, partition="shardId-2"), replace(GAP, target="metrics")]
    store.record(TABLE, "sql", [], [GAP])
    store.record(TABLE, "sql", [], [others[0], replace(GAP, found_at=9.5)])
    store.record(TABLE, "metrics", [], [others[1]])
    assert sorted(store.gaps(TABLE), key=str) == sorted([replace(GAP, found_at=9.5), *others], key=str)
    assert store.gaps(OTHER_TABLE) == []
    store.close_gaps(TABLE, "sql", below=1)
    assert store.gaps(TABLE) == [others[1]]


def test_a_gap_found_meanwhile_stays_when_those_before_it_are_closed(store: PositionStore) -> None:
    late = replace(GAP, partition="shardId-2", generation=2)
    store.record(TABLE, "sql", [], [replace(GAP, generation=1)])
    store.record(TABLE, "sql", [], [late])
    store.close_gaps(TABLE, "sql", below=2)
    assert store.gaps(TABLE) == [late]
    store.close_gaps(TABLE, "sql", below=3)
    assert store.gaps(TABLE) == []


# Outliving a process.


def test_everything_outlives_a_restart(reopen: Open) -> None:
    store = reopen()
    epoch = drawn(store, OTHER_SHARD, remembered=NEW_STORE_EPOCH + 50).epoch
    store.commit(TABLE, "sql", [Commit(OTHER_SHARD.id, epoch, at(SEQUENCE))])
    store.record(TABLE, "metrics", [replace(COPY, target="metrics")], [GAP])
    before = (store.partitions(TABLE), store.copies(TABLE, "metrics"), store.gaps(TABLE), store.counter(TABLE))
    store = reopen()
    assert (store.partitions(TABLE), store.copies(TABLE, "metrics"), store.gaps(TABLE), store.counter(TABLE)) == before
    assert stored(store, OTHER_SHARD) == at(SEQUENCE)
    store.commit(TABLE, "sql", [Commit(OTHER_SHARD.id, epoch, at(SEQUENCE + 1))])
    assert drawn(store, OTHER_SHARD) == Draw(epoch + 1, at(SEQUENCE + 1))


@pytest.mark.parametrize(("kind", "steps"), [("sqlite", 1), ("sqlite", 7), ("sqlite", 60), ("dynamodb", 5)])
def test_a_killed_process_leaves_all_that_it_was_told_was_stored(
    kind: str, steps: int, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    url = request.getfixturevalue("store_table").url if kind == "dynamodb" else ""
    confirmed = killed_after(steps, url, tmp_path)
    with closing(full_opener(request, kind)()) as store:
        ranks = {state.position.rank for state in store.partitions(TABLE) if state.partition.id in PARTITIONS}
        assert len(ranks) == 1, "commits of one step were torn apart"
        assert ranks.pop() >= confirmed.rank
        assert store.counter(TABLE) >= confirmed.epoch
        assert len(store.letters(limit=100_000)) >= confirmed.rank
        assert next(report.confirmed for report in store.reports()) >= confirmed.rank
