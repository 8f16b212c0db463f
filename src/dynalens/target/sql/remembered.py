"""What the target remembers of each table beside the documents: the highest epoch, and the position per partition."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynalens.partition import Position
from dynalens.target import NO_MARK, Mark
from dynalens.target.sql.engine import Inserts, literal, rows
from dynalens.target.sql.layout import Layout

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class Remembered:
    """Epochs and marks, durable when a method returns. One thread at a time uses it.

    Args:
        client: A handle that may read and define.
        layout: What things are called.
        inserts: Writes into the tables.
    """

    def __init__(self, client: Client, layout: Layout, inserts: Inserts) -> None:
        self._client = client
        self._layout = layout
        self._inserts = inserts
        client.command(
            layout.create_remembered("epochs", "table_name String, epoch UInt64", version="epoch", key="table_name")
        )
        # A mark may go back with a replay. Of equal epochs the row inserted last counts ("ReplacingMergeTree").
        columns = "table_name String, partition_id String, epoch Int64, ended Bool, rank String, token String"
        client.command(layout.create_remembered("applied", columns, version="epoch", key="(table_name, partition_id)"))

    def epoch(self, table: str) -> int:
        """Give the highest epoch remembered for a table; 0 when there is none."""
        [[epoch]] = self._read("SELECT max(epoch)", "epochs", f"WHERE table_name = {literal(table)}")
        return int(epoch)

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember an epoch; a lower one changes nothing."""
        self._insert("epochs", [{"table_name": table, "epoch": epoch}])

    def marks(self, table: str) -> dict[str, Mark]:
        """Give the position applied last, by partition."""
        asked = f"FINAL WHERE table_name = {literal(table)}"
        found = self._read("SELECT partition_id, epoch, ended, rank, token", "applied", asked)
        return {
            partition: Mark(int(epoch), Position(ended, int(rank), json.loads(token)))
            for partition, epoch, ended, rank, token in found
        }

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Let marks take the epochs of new sessions; give their positions, but those held under a higher epoch.

        One thread of one process writes here, so that nobody marks in between.
        """
        held = self.marks(table)
        begun = {id_: epoch for id_, epoch in epochs.items() if epoch >= held.get(id_, NO_MARK).epoch}
        positions = {id_: held.get(id_, NO_MARK).position for id_ in begun}
        self.mark(table, {id_: Mark(epoch, positions[id_]) for id_, epoch in begun.items()})
        return positions

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Remember positions; each replaces that of its partition, unless that is of a higher epoch."""
        if not marks:
            return
        self._insert(
            "applied",
            [
                {
                    "table_name": table,
                    "partition_id": partition,
                    "epoch": epoch,
                    "ended": position.ended,
                    "rank": str(position.rank),
                    # As JSON once more: a key in it may hold what is no text to the engine.
                    "token": json.dumps(position.token),
                }
                for partition, (epoch, position) in marks.items()
            ],
        )

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Forget positions, each unless a higher epoch has marked it since."""
        if not marks:
            return
        seen = ", ".join(f"({literal(partition)}, {mark.epoch})" for partition, mark in marks.items())
        # Every row of a partition up to that epoch: an older one would count again.
        has_been_seen = f"arrayExists(mark -> mark.1 = partition_id AND epoch <= mark.2, [{seen}])"
        self._forget_where(f"table_name = {literal(table)} AND {has_been_seen}")

    def forget(self, table: str) -> None:
        """Forget the positions of a table: the documents that they stand for are no longer there."""
        self._forget_where(f"table_name = {literal(table)}")

    def _read(self, select: str, name: str, asked: str) -> list[list[Any]]:
        return rows(self._client, f"{select} FROM {self._layout.table(name)} {asked}")

    def _forget_where(self, condition: str) -> None:
        self._client.command(self._layout.delete(self._layout.table("applied"), condition))

    def _insert(self, table: str, objects: list[dict[str, object]]) -> None:
        block = "\n".join(map(json.dumps, objects)).encode()
        self._inserts.insert(table, block, columns=list(objects[0]), form="JSONEachRow")
