"""Leases, epochs and positions in the table: the fence, by conditional writes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dynalens.errors import StaleLeaseError
from dynalens.partition import START, Partition, Position
from dynalens.position import NEW_STORE_EPOCH, Commit, Draw, PartitionState, epoch_after
from dynalens.position.dynamodb.items import (
    ConditionLostError,
    InTable,
    Item,
    Key,
    Write,
    check,
    delete,
    in_steps,
    update,
)
from dynalens.position.dynamodb.layout import counter_key, lease_changes_key, lease_key, position_key, revision_key

_RISE = "ADD #number :one"


class Positions(InTable):
    """Leases, epochs and positions of `PositionStore`."""

    def acquire(self, table: str, partition: Partition, owner: str, *, over: str | None = None) -> None:
        """See `PositionStore.acquire`."""
        free = " OR attribute_not_exists(#owner)" if over == "" else ""
        lease = update(
            lease_key(table, partition.id),
            "SET #owner = :owner, #kind = :kind, #parents = :parents",
            condition="" if over is None else f"#owner IN (:owner, :over){free}",
            owner=owner,
            kind=partition.kind,
            parents=list(partition.parents),
            **({} if over is None else {"over": over}),
        )
        try:
            self._items.write(lease, update(lease_changes_key(table), _RISE, one=1))
        except ConditionLostError as error:
            msg = f"{partition.id} of {table} is not held by {over or 'nobody'} any more."
            raise StaleLeaseError(msg) from error

    def draw(self, table: str, partition: str, target: str, *, owner: str, remembered: int) -> Draw:
        """See `PositionStore.draw`."""
        lease = self._lease(table, partition, owner)
        key = position_key(table, partition, target)
        parents = [position_key(table, parent, target) for parent in lease["parents"]]
        # Refused before an epoch is drawn for it: the transaction decides, but most refusals cost nothing this way.
        held = self._items.get_all([key, *parents])
        if key in held and held[key]["ended"]:
            raise _drained(table, partition, target)
        if not all(held[parent]["ended"] for parent in parents if parent in held):
            raise _waits(table, partition, target)
        epoch = self.next_epoch(table, remembered=remembered)
        try:
            self._items.write(
                check(lease_key(table, partition), "#owner = :owner", owner=owner),
                _drawn(key, epoch, lease),
                *(_sealed(parent, is_held=parent in held) for parent in parents),
            )
        except ConditionLostError as error:
            raise self._refused(error, table, partition, target) from error
        # Read after the draw: whoever held the partition before may have committed until then.
        found = self._items.get(key)
        if found is None or found["epoch"] != epoch:
            raise _lost(epoch, table, partition, target)
        return Draw(epoch, _position(found))

    def _lease(self, table: str, partition: str, owner: str) -> Item:
        lease = self._items.get(lease_key(table, partition))
        if lease is None or lease["owner"] != owner:
            raise _not_held(table, partition)
        return lease

    @staticmethod
    def _refused(error: ConditionLostError, table: str, partition: str, target: str) -> StaleLeaseError:
        if 0 in error.lost:
            return _not_held(table, partition)
        return _drained(table, partition, target) if 1 in error.lost else _waits(table, partition, target)

    def next_epoch(self, table: str, *, remembered: int) -> int:
        """See `PositionStore.next_epoch`."""
        key = counter_key(table)
        while True:
            try:
                return int(self._items.write(_counted(key, remembered))["epoch"])
            except ConditionLostError:
                # Some other draw may raise it between the two: then the first one holds.
                try:
                    return int(self._items.write(_raised(key, remembered))["epoch"])
                except ConditionLostError:
                    continue

    def rewind(self, table: str, partition: str, target: str, position: Position, *, epoch: int) -> None:
        """See `PositionStore.rewind`."""
        key = position_key(table, partition, target)
        while True:
            found = self._items.get(key)
            if found is None or found["epoch"] != epoch:
                raise _lost(epoch, table, partition, target)
            if not position < _position(found):
                return
            if found["sealed"]:
                msg = f"{partition} of {table} is not read again for {target}: a child of it is being read."
                raise StaleLeaseError(msg)
            try:
                self._items.write(_rewound(key, found, position))
            except ConditionLostError:
                # It has moved, or the answer to the first attempt was lost: look again.
                continue

    def commit(self, table: str, target: str, commits: Sequence[Commit]) -> None:
        """See `PositionStore.commit`."""
        writes = [_committed(position_key(table, commit.partition, target), commit) for commit in commits]
        if any(commit.position.ended for commit in commits):
            writes.append(raise_revision(table))
        for step in in_steps(writes):
            try:
                self._items.write(*step)
            except ConditionLostError as error:
                commit = commits[writes.index(step[error.lost[0]])]
                raise _lost(commit.epoch, table, commit.partition, target) from error

    def counter(self, table: str) -> int:
        """See `PositionStore.counter`."""
        found = self._items.get(counter_key(table))
        return found["epoch"] if found else NEW_STORE_EPOCH

    def partitions(self, table: str) -> list[PartitionState]:
        """See `PositionStore.partitions`."""
        return [_state(item) for item in self._items.query(f"position#{table}")]

    def forget(self, table: str, target: str, partitions: Sequence[str]) -> None:
        """See `PositionStore.forget`. Leases of partitions that no target knows any more are dropped, too."""
        for step in in_steps([delete(position_key(table, partition, target)) for partition in partitions]):
            self._items.write(*step)
        held = {state.partition.id for state in self.partitions(table)} if partitions else set()
        unknown = [delete(lease_key(table, partition)) for partition in partitions if partition not in held]
        for step in in_steps(unknown):
            self._items.write(*step)


def raise_revision(table: str) -> Write:
    """Raise `PositionStore.revision` of a table."""
    return update(revision_key(table), _RISE, one=1)


def _counted(key: Key, remembered: int) -> Write:
    fresh = "attribute_not_exists(#epoch) OR " if remembered <= NEW_STORE_EPOCH else ""
    return update(
        key,
        "SET #epoch = if_not_exists(#epoch, :base) + :one",
        condition=f"{fresh}#epoch >= :remembered",
        base=NEW_STORE_EPOCH,
        one=1,
        remembered=remembered,
    )


def _raised(key: Key, remembered: int) -> Write:
    return update(
        key,
        "SET #epoch = :next",
        condition="attribute_not_exists(#epoch) OR #epoch < :remembered",
        next=epoch_after(0, remembered),
        remembered=remembered,
    )


def _drawn(key: Key, epoch: int, lease: Item) -> Write:
    return update(
        key,
        "SET #epoch = :epoch, #kind = :kind, #parents = :parents, #ended = if_not_exists(#ended, :no),"
        " #rank = if_not_exists(#rank, :rank), #token = if_not_exists(#token, :token),"
        " #sealed = if_not_exists(#sealed, :no)",
        condition="attribute_not_exists(#epoch) OR (#epoch < :epoch AND #ended = :no)",
        epoch=epoch,
        kind=lease["kind"],
        parents=lease["parents"],
        no=False,
        rank=str(START.rank),
        token=START.token,
    )


def _sealed(parent: Key, *, is_held: bool) -> Write:
    """Hold a draw to its parent's end, and keep that end: the child's epoch is to stay above its parent's."""
    if is_held:
        return update(parent, "SET #sealed = :yes", condition="#ended = :yes", yes=True)
    return check(parent, "attribute_not_exists(#ended) OR #ended = :yes", yes=True)


def _rewound(key: Key, found: Item, position: Position) -> Write:
    return update(
        key,
        "SET #ended = :ended, #rank = :rank, #token = :token",
        condition="#epoch = :epoch AND #ended = :was_ended AND #rank = :was_rank AND #sealed = :no",
        epoch=found["epoch"],
        was_ended=found["ended"],
        was_rank=found["rank"],
        no=False,
        **_attributes(position),
    )


def _committed(key: Key, commit: Commit) -> Write:
    # The end stays the end: an earlier commit of the same holder may arrive after it.
    stays = "" if commit.position.ended else " AND #ended = :ended"
    return update(
        key,
        "SET #ended = :ended, #rank = :rank, #token = :token",
        condition=f"#epoch = :epoch{stays}",
        epoch=commit.epoch,
        **_attributes(commit.position),
    )


def _attributes(position: Position) -> dict[str, Any]:
    """Ranks have up to 40 digits, two more than DynamoDB's numbers."""
    return {"ended": position.ended, "rank": str(position.rank), "token": position.token}


def _position(item: Item) -> Position:
    return Position(item["ended"], int(item["rank"]), item["token"])


def _state(item: Item) -> PartitionState:
    target, _, partition = item.sk.partition("#")
    return PartitionState(
        Partition(partition, item["kind"], tuple(item["parents"])), target, item["epoch"], _position(item)
    )


def _not_held(table: str, partition: str) -> StaleLeaseError:
    return StaleLeaseError(f"The lease of {partition} of {table} is held by somebody else.")


def _drained(table: str, partition: str, target: str) -> StaleLeaseError:
    return StaleLeaseError(f"{partition} of {table} is drained for {target}, or somebody has drawn for it since.")


def _waits(table: str, partition: str, target: str) -> StaleLeaseError:
    return StaleLeaseError(f"{partition} of {table} waits for its parents to be drained for {target}.")


def _lost(epoch: int, table: str, partition: str, target: str) -> StaleLeaseError:
    return StaleLeaseError(f"Epoch {epoch} no longer holds {partition} of {table} for {target}.")
