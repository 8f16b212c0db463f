"""Who works with the table: beats, leases given back, and all numbers that rise in one read."""

from __future__ import annotations

from collections.abc import Sequence

from dynalens import clock
from dynalens.position import Pulse
from dynalens.position.dynamodb.items import MOST_WRITES, ConditionLostError, Write, delete, update
from dynalens.position.dynamodb.layout import lease_changes_key, lease_key, worker_key
from dynalens.position.dynamodb.positions import Positions

FORGOTTEN_AFTER_SECONDS = 24 * 3600
"""A worker that has not shown that it lives for so long is taken off the list by DynamoDB itself."""


class Members(Positions):
    """`Fleet` in the table."""

    def beat(self, worker: str) -> None:
        """See `Fleet.beat`: one write."""
        expires = int(clock.now()) + FORGOTTEN_AFTER_SECONDS
        self._items.write(
            update(worker_key(worker), "SET #expires = :expires ADD #number :one", expires=expires, one=1)
        )

    def leave(self, worker: str) -> None:
        """See `Fleet.leave`."""
        self._items.write(delete(worker_key(worker)))

    def pulse(self) -> Pulse:
        """See `Fleet.pulse`: one query, however many partitions there are."""
        numbers: dict[str, dict[str, int]] = {"worker": {}, "revision": {}, "lease": {}}
        for item in self._items.query("fleet"):
            what, _, name = item.sk.partition("#")
            numbers[what][name] = item["number"]
        return Pulse(numbers["worker"], numbers["revision"], numbers["lease"])

    def leases(self, table: str) -> dict[str, str]:
        """See `Fleet.leases`."""
        return {item.sk: item["owner"] for item in self._items.query(f"lease#{table}")}

    def release(self, table: str, partitions: Sequence[str], owner: str) -> None:
        """See `Fleet.release`."""
        asked = set(partitions)
        while held := [each for each, of in self.leases(table).items() if of == owner and each in asked]:
            # One place is for the number that tells others.
            releases = [_released(table, partition, owner) for partition in held[: MOST_WRITES - 1]]
            try:
                self._items.write(*releases, update(lease_changes_key(table), "ADD #number :one", one=1))
            except ConditionLostError:
                # Somebody took one of them meanwhile: look again which are left.
                continue


def _released(table: str, partition: str, owner: str) -> Write:
    return update(
        lease_key(table, partition), "SET #owner = :nobody", condition="#owner = :owner", owner=owner, nobody=""
    )
