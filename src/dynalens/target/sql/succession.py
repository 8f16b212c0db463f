"""Sessions that follow one another, where nothing compares and sets (ADR 8).

`begin` must be one step among all sessions of a partition, and a server that only takes rows has none. So a session
announces its epoch, reads the mark, marks where it begins, and reads the announcements again: whoever finds a higher
one is left out. Of two sessions either the lower one sees the announcement of the higher, and writes nothing, or it had
marked its beginning before the higher one read the marks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dynalens.partition import Position
from dynalens.target import NO_MARK, Mark
from dynalens.target.sql.engine import Inserts, literal
from dynalens.target.sql.layout import Layout
from dynalens.target.sql.remembered import Remembered

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


class SharedRemembered(Remembered):
    """Epochs and marks on a server, which several processes write.

    Each row is inserted in one step, and is read by everybody once the insert returned. Rows of a lower epoch change
    nothing, however late they arrive; one of the same epoch that arrives late says less than is applied, which is safe.

    Args:
        client: A handle that may read and define.
        layout: What things are called.
        inserts: Writes into the tables.
    """

    def __init__(self, client: Client, layout: Layout, inserts: Inserts) -> None:
        super().__init__(client, layout, inserts)
        columns = "table_name String, partition_id String, epoch Int64"
        client.command(
            layout.create_remembered("announced", columns, version="epoch", key="(table_name, partition_id)")
        )

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Begin sessions, and give the positions of those that no session of a higher epoch follows already."""
        if not epochs:
            return {}
        self._announce(table, epochs)
        held = self.marks(table)
        begun = {
            id_: Mark(epoch, held.get(id_, NO_MARK).position)
            for id_, epoch in self._last(table, epochs).items()
            if epoch >= held.get(id_, NO_MARK).epoch
        }
        self.mark(table, begun)
        return {id_: begun[id_].position for id_ in self._last(table, epochs) if id_ in begun}

    def _announce(self, table: str, epochs: Mapping[str, int]) -> None:
        announced = [{"table_name": table, "partition_id": id_, "epoch": epoch} for id_, epoch in epochs.items()]
        self._insert("announced", announced)

    def _last(self, table: str, epochs: Mapping[str, int]) -> dict[str, int]:
        """Give those of these sessions that nobody has announced a higher epoch over."""
        asked = f"WHERE table_name = {literal(table)} GROUP BY partition_id"
        announced = dict(self._read("SELECT partition_id, max(epoch)", "announced", asked))
        return {id_: epoch for id_, epoch in epochs.items() if int(announced[id_]) <= epoch}

    def _forget_where(self, condition: str) -> None:
        """Forget the announcements with the marks: whoever made them is long gone."""
        super()._forget_where(condition)
        self._client.command(self._layout.delete(self._layout.table("announced"), condition))

    def _read(self, select: str, name: str, asked: str) -> list[list[Any]]:
        for statement in self._layout.catch_up(self._layout.table(name), everywhere=False):
            self._client.command(statement)
        return super()._read(select, name, asked)
