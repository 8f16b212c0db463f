"""Generations and gaps in the table, and the one step that records both."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict

from dynalens.errors import StaleLeaseError
from dynalens.position import Copy, Gap, PartitionState
from dynalens.position.dynamodb.items import ConditionLostError, Item, Key, Write, delete, in_steps, put
from dynalens.position.dynamodb.layout import padded, position_key, revision_key
from dynalens.position.dynamodb.positions import Positions, raise_revision

_NEW = "attribute_not_exists(#pk)"


class Generations(Positions):
    """Generations, gaps and the revision of `PositionStore`."""

    def copies(self, table: str, target: str) -> list[Copy]:
        """See `PositionStore.copies`."""
        found = self._items.query(f"copy#{table}", prefix=f"{target}#")
        return [_copy(item) for item in found]

    def save_copy(self, table: str, copy: Copy, *, was: Copy) -> None:
        """See `PositionStore.save_copy`."""
        held = self._items.get(_copy_key(table, copy))
        # Compared as records: an older release may have written fewer fields.
        if held is None or _copy(held) != was:
            raise _changed(copy)
        try:
            self._items.write(
                _put_copy(table, copy, "#body = :was", was=held["body"]),
                raise_revision(table),
            )
        except ConditionLostError as error:
            raise _changed(copy) from error

    def forget_copies(self, table: str, copies: Sequence[Copy]) -> None:
        """See `PositionStore.forget_copies`."""
        for step in in_steps([delete(_copy_key(table, copy)) for copy in copies]):
            self._items.write(*step)

    def record(
        self,
        table: str,
        target: str,
        copies: Sequence[Copy],
        gaps: Sequence[Gap] = (),
        forget: Sequence[PartitionState] = (),
    ) -> None:
        """See `PositionStore.record`. What passes `MOST_WRITES` items is forgotten in steps that follow."""
        writes = [
            *(_put_copy(table, copy, _NEW) for copy in copies),
            *([_put_gaps(table, target, gaps)] if gaps else []),
            raise_revision(table),
            *(_forgotten(table, target, state) for state in forget),
        ]
        try:
            for step in in_steps(writes):
                self._items.write(*step)
        except ConditionLostError as error:
            msg = f"Somebody else has decided meanwhile what {table} needs in {target}."
            raise StaleLeaseError(msg) from error

    def revision(self, table: str) -> int:
        """See `PositionStore.revision`."""
        found = self._items.get(revision_key(table))
        return found["number"] if found else 0

    def gaps(self, table: str) -> list[Gap]:
        """See `PositionStore.gaps`."""
        found = [gap for item in self._items.query(f"gap#{table}") for gap in _gaps(item)]
        newest = {(gap.target, gap.partition, gap.reason): gap for gap in sorted(found, key=lambda gap: gap.found_at)}
        return sorted(newest.values(), key=lambda gap: (gap.target, gap.partition, gap.reason))

    def close_gaps(self, table: str, target: str, *, below: int) -> None:
        """See `PositionStore.close_gaps`; gaps that were found together are of one generation."""
        recorded = self._items.query(f"gap#{table}", prefix=f"{target}#")
        found = [item for item in recorded if all(gap.generation < below for gap in _gaps(item))]
        for step in in_steps([delete(Key(item["pk"], item.sk)) for item in found]):
            self._items.write(*step)


def _put_copy(table: str, copy: Copy, condition: str, **values: str) -> Write:
    return put(_copy_key(table, copy), {"body": json.dumps(asdict(copy))}, condition=condition, **values)


def _copy(item: Item) -> Copy:
    return Copy(**json.loads(item["body"]))


def _copy_key(table: str, copy: Copy) -> Key:
    return Key(f"copy#{table}", f"{copy.target}#{copy.collection}#{padded(copy.number)}")


def _gaps(item: Item) -> list[Gap]:
    return [Gap(**gap) for gap in json.loads(zlib.decompress(item["gaps"]))]


def _put_gaps(table: str, target: str, gaps: Sequence[Gap]) -> Write:
    """Keep gaps that were found together in one item: each shard may have one, and a step holds few items.

    Gaps that nobody repairs are found again and again: the same ones take the place of those found before.
    """
    found = json.dumps(sorted((gap.partition, gap.reason) for gap in gaps)).encode()
    key = Key(f"gap#{table}", f"{target}#{hashlib.sha256(found).hexdigest()}")
    return put(key, {"gaps": zlib.compress(json.dumps([asdict(gap) for gap in gaps]).encode())})


def _forgotten(table: str, target: str, state: PartitionState) -> Write:
    key = position_key(table, state.partition.id, target)
    return delete(key, condition="#epoch = :epoch", epoch=state.epoch)


def _changed(copy: Copy) -> StaleLeaseError:
    return StaleLeaseError(f"Generation {copy.number} of {copy.collection} in {copy.target} is recorded otherwise.")
