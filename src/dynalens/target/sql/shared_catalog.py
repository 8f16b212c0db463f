"""The catalog of a server, which several processes change.

Nothing there compares and sets, so every rule here stands on something that the server does in one step:

- A column's name is taken once. Whoever adds `c7` second is refused, reads what is there and goes on from that.
- Which generation is served stands in a table of its own, never in the view alone: a process that knows of the
  generation before may still be about to make the view again, for a column of it.
- So whoever makes a view reads afterwards what it should show, and makes it again until that is what it shows. Of two
  who make it at once, the one who made it last reads what the other had read by then, and more.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dynalens.change import Document
from dynalens.errors import TargetError
from dynalens.target import Generation
from dynalens.target.sql.catalog import READ_AGAIN_SECONDS, Build, Catalog
from dynalens.target.sql.engine import literal, rows
from dynalens.target.sql.layout import Layout

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from dynalens.target.sql.engine import Inserts

_COLUMN_EXISTS = 15
_ATTEMPTS = 5
"""Times that adding a column is tried while others add columns too."""


class SharedCatalog(Catalog):
    """Generations and views on a server.

    Args:
        client: A handle that may change definitions.
        layout: What things are called.
        inserts: Writes into the tables.
    """

    def __init__(self, client: Client, layout: Layout, inserts: Inserts) -> None:
        self._inserts = inserts
        self._reading = threading.RLock()
        self._read_at = 0.0
        super().__init__(client, layout)

    def _create_databases(self) -> None:
        names = (self._layout.tables, self._layout.views)
        found = rows(
            self._client,
            f"SELECT name FROM system.databases WHERE name IN ({', '.join(map(literal, names))})",  # noqa: S608 - own
        )
        for name in names:
            if [name] not in found:
                # Only then: who may use a database need not be allowed to make one.
                self._client.command(self._layout.create_database(name))
        served = self._layout.create_remembered("served", "collection String, number UInt64", key="collection")
        self._client.command(served)

    def _clean_up(self) -> None:
        """Leave alone what stands beside our views, and what another process is in the middle of."""

    def _load(self) -> None:
        super()._load()
        self._read_at = time.monotonic()

    def _read_served(self) -> dict[str, Generation]:
        for statement in self._layout.catch_up(self._layout.table("served"), everywhere=False):
            self._client.command(statement)
        recorded = f"SELECT collection, number FROM {self._layout.table('served')} FINAL"  # noqa: S608 - own names
        named = {name: Generation(name, int(number)) for name, number in rows(self._client, recorded)}
        return {name: generation for name, generation in named.items() if generation in self.builds}

    def refresh(self, *, most_age: float = 0.0) -> None:
        """Read again what others may have changed; not in the middle of a change of our own."""
        from clickhouse_connect.driver.exceptions import ClickHouseError

        if time.monotonic() - self._read_at < most_age or not self._reading.acquire(blocking=not most_age):
            return
        try:
            self._load()
        except ClickHouseError:
            if not most_age:
                raise
        finally:
            self._reading.release()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        with self._reading, super()._changing():
            yield

    def build(self, generation: Generation) -> Build:
        """Give a generation as it stands; another process may just have made it."""
        if generation not in self.builds:
            self.refresh()
        return super().build(generation)

    def serve(self, generation: Generation) -> None:
        """Record which generation is served, then point the view at it."""
        with self._changing():
            self._record(generation.collection, generation.number)
            self._show(generation)

    def drop(self, generation: Generation) -> None:
        """Forget a generation, and first that it is served."""
        with self._changing():
            self._load()
            if self.served.get(generation.collection) == generation:
                self._record(generation.collection, 0)
            super().drop(generation)

    def make_room(self, generation: Generation, documents: Sequence[Document]) -> None:
        """Add the columns that these documents ask for, beside others who do the same."""
        self.refresh(most_age=READ_AGAIN_SECONDS)
        super().make_room(generation, documents)

    def _add_columns(self, generation: Generation, documents: Sequence[Document]) -> None:
        from clickhouse_connect.driver.exceptions import DatabaseError

        for _ in range(_ATTEMPTS):
            self._load()
            try:
                super()._add_columns(generation, documents)
            except DatabaseError as error:
                if error.code != _COLUMN_EXISTS:
                    raise
            else:
                return
        raise TargetError(f"Others add columns to {generation} at the same time.", hint="It is tried again by itself.")

    def drop_replaced(self) -> None:
        """Drop columns that were widened; first let views of others name the wider ones."""
        with self._changing():
            self._load()
            for generation in self.served.values():
                if self.builds[generation].replaced:
                    self._show(generation)
            super().drop_replaced()

    def _show(self, generation: Generation) -> None:
        """Let the view of a collection be what is recorded, whatever this process knew of it."""
        collection = generation.collection
        while True:
            self._load()
            served = self.served.get(collection)
            if served is None:
                self._client.command(self._layout.hide(collection))
            else:
                super()._show(served)
            self._load()
            if self.served.get(collection) == served and (served is None or not self._is_behind(served)):
                return

    def _record(self, collection: str, number: int) -> None:
        row = b'{"collection":"%b","number":%d}' % (collection.encode(), number)
        self._inserts.insert("served", row, columns=("collection", "number"), form="JSONEachRow")
