"""Layout: what things are called in the engine, and the statements that make, change and remove them.

Embedded and on one server a generation is one table. On a cluster each shard has a replicated table of that name, and
a Distributed table over them sends each row to the shard that the hash of its id names: all versions of a document meet
on one shard, where FINAL keeps the highest ("Distributed table engine", ClickHouse documentation).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from dynalens.target import Generation
from dynalens.target.sql.engine import literal, quoted
from dynalens.target.sql.schema import Column, document_expression, view_names

_ROWS = (
    "(_id String, _version UInt64, _deleted Bool, _written DateTime64(6, 'UTC'), _types String,"
    " _attributes Map(String, String))"
)
# What an insert returned for is on the disk, not only handed to the operating system.
_DURABLE = "SETTINGS fsync_after_insert = 1, fsync_part_directory = 1"


@dataclass(frozen=True, slots=True)
class Layout:
    """Names and statements of one target.

    Attributes:
        views: The database of the views, where queries run.
        definer: As whom views read, as SQL: the user who may read the physical tables.
        cluster: The cluster that everything stands on; empty where it is one engine.
    """

    views: str
    definer: str = "CURRENT_USER"
    cluster: str = ""

    @property
    def tables(self) -> str:
        """The database of the physical tables."""
        return f"_{self.views}"

    # Names, as SQL.

    def table(self, name: str) -> str:
        """Name a physical table."""
        return f"{quoted(self.tables)}.{quoted(name)}"

    def stored(self, generation: Generation) -> str:
        """Name the table that keeps a generation; on a cluster the part of it that one shard keeps."""
        return self.table(str(generation))

    def written(self, generation: Generation) -> str:
        """Give the bare name of the table that takes a generation's rows, and gives all of them back."""
        return f"{generation} distributed" if self.cluster else str(generation)

    def whole(self, generation: Generation) -> str:
        """Name the table that gives all rows of a generation back."""
        return self.table(self.written(generation))

    def view(self, collection: str) -> str:
        """Name the view of a collection."""
        return f"{quoted(self.views)}.{quoted(collection)}"

    @property
    def _everywhere(self) -> str:
        return f" ON CLUSTER {quoted(self.cluster)}" if self.cluster else ""

    # Statements.

    def create_database(self, name: str) -> str:
        """Make a database. Atomic: its views and columns change in one step, for readers and on the disk."""
        return f"CREATE DATABASE IF NOT EXISTS {quoted(name)}{self._everywhere} ENGINE = Atomic"

    def create_remembered(self, name: str, columns: str, *, key: str, version: str = "") -> str:
        """Make a table of what is remembered beside the documents; of one key the highest version stays.

        Of equal versions, and without one, the row inserted last does. On a cluster every node keeps all of it.
        """
        engine = self._engine(name, version, shard="all", replica="{shard}-{replica}")
        return (
            f"CREATE TABLE IF NOT EXISTS {self.table(name)}{self._everywhere} ({columns})"
            f" ENGINE = {engine} ORDER BY {key} {_DURABLE}"
        )

    def create_generation(self, generation: Generation, table: str) -> list[str]:
        """Make room for a generation of a collection of `table`."""
        engine = self._engine(str(generation), "_version", shard="{shard}", replica="{replica}")
        stored = (
            f"CREATE TABLE IF NOT EXISTS {self.stored(generation)}{self._everywhere} {_ROWS} ENGINE = {engine}"
            f" ORDER BY _id {_DURABLE} COMMENT {literal(json.dumps({'table': table}))}"
        )
        if not self.cluster:
            return [stored]
        names = ", ".join(map(literal, (self.cluster, self.tables, str(generation))))
        distributed = (
            f"CREATE TABLE IF NOT EXISTS {self.whole(generation)}{self._everywhere} {_ROWS}"
            f" ENGINE = Distributed({names}, cityHash64(_id))"
        )
        return [stored, distributed]

    def _engine(self, name: str, version: str, *, shard: str, replica: str) -> str:
        if not self.cluster:
            return f"ReplacingMergeTree({version})"
        # A path of our own: with the server's, which has the table's id, a repeated CREATE ON CLUSTER would give nodes
        # that missed the first one replicas of another table.
        path = f"/clickhouse/dynalens/{shard}/{self.tables}/{name}"
        arguments = filter(None, (literal(path), literal(replica), version))
        return f"ReplicatedReplacingMergeTree({', '.join(arguments)})"

    def drop_generation(self, generation: Generation) -> list[str]:
        """Remove a generation."""
        tables = dict.fromkeys((self.whole(generation), self.stored(generation)))
        # At once: until then the replicas' path is taken.
        at_once = " SYNC" if self.cluster else ""
        return [f"DROP TABLE IF EXISTS {table}{self._everywhere}{at_once}" for table in tables]

    def add_columns(self, generation: Generation, columns: Iterable[Column]) -> str:
        """Add columns where rows are kept. Fails where one is there already: somebody else was faster."""
        added = ", ".join(f"ADD COLUMN {column.definition()}" for column in columns)
        return f"ALTER TABLE {self.stored(generation)}{self._everywhere} {added}"

    def drop_columns(self, generation: Generation, columns: Iterable[Column]) -> list[str]:
        """Remove columns."""
        dropped = ", ".join(f"DROP COLUMN IF EXISTS {column.physical}" for column in columns)
        tables = dict.fromkeys((self.whole(generation), self.stored(generation)))
        return [f"ALTER TABLE {table}{self._everywhere} {dropped}" for table in tables]

    def delete(self, table: str, condition: str) -> str:
        """Delete rows, on every replica before it returns ("ALTER TABLE ... DELETE")."""
        replicas = 2 if self.cluster else 1
        return f"ALTER TABLE {table}{self._everywhere} DELETE WHERE {condition} SETTINGS mutations_sync = {replicas}"

    def merge(self, generation: Generation) -> str:
        """Merge a generation to one part per shard."""
        return f"OPTIMIZE TABLE {self.stored(generation)}{self._everywhere} FINAL"

    def catch_up(self, table: str, *, everywhere: bool) -> list[str]:
        """Let this node's replica, or all of them, have what was written to a table before; nothing without any."""
        if not self.cluster:
            return []
        return [f"SYSTEM SYNC REPLICA{self._everywhere if everywhere else ''} {table} LIGHTWEIGHT"]

    def show(self, generation: Generation, columns: Mapping[str, Column]) -> list[str]:
        """Let readers see a generation under its collection's name.

        The view's comment says which generation is served.
        """
        create = (
            f"CREATE OR REPLACE VIEW {self.view(generation.collection)}{self._everywhere}"
            f" DEFINER = {self.definer} SQL SECURITY DEFINER"
            f" AS {self._select(generation, columns)} COMMENT {literal(str(generation))}"
        )
        return [*self._extend(generation, columns.values()), create]

    def _extend(self, generation: Generation, columns: Iterable[Column]) -> Sequence[str]:
        """Give the Distributed table the columns that the shards have."""
        added = ", ".join(f"ADD COLUMN IF NOT EXISTS {column.definition()}" for column in columns)
        if not (self.cluster and added):
            return []
        return [f"ALTER TABLE {self.whole(generation)}{self._everywhere} {added}"]

    def _select(self, generation: Generation, columns: Mapping[str, Column]) -> str:
        """Inside, every column is qualified by a prefix that no column of the view starts with.

        An attribute may be called like a physical column.
        """
        names = view_names(columns)
        prefix = "k"
        while any(name.startswith(prefix) for name in names.values()):
            prefix += "k"
        selected = [f"{prefix}._id AS `_id`", f"{document_expression(f'{prefix}._attributes', prefix)} AS `_doc`"]
        selected += [f"{prefix}.{columns[name].physical} AS {quoted(label)}" for name, label in names.items()]
        live = f"FROM {self.whole(generation)} AS {prefix} FINAL WHERE NOT {prefix}._deleted"
        return f"SELECT {', '.join(selected)} {live}"

    def hide(self, collection: str) -> str:
        """Remove the view of a collection."""
        return f"DROP VIEW IF EXISTS {self.view(collection)}{self._everywhere}"
