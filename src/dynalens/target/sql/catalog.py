"""What the engine durably knows: the generations, their columns, and which one is served.

There is no record beside the tables that could say something else. A generation is a table whose comment names the
source table; a column's comment names its attribute; a view's comment names the generation that it shows. Each changes
in one atomic step of the engine and is read back from it, so a process may be killed between any two steps.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dynalens.change import Document
from dynalens.errors import TargetError
from dynalens.target import Generation
from dynalens.target.sql.engine import literal, rows
from dynalens.target.sql.layout import Layout
from dynalens.target.sql.schema import Column, changed_columns, read_column

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger(__name__)

READ_AGAIN_SECONDS = 1.0
"""How old what a process knows of others' changes may be."""


@dataclass(frozen=True, slots=True)
class Build:
    """One generation as it stands in the engine.

    Attributes:
        table: The source table.
        columns: The column of each attribute.
        replaced: Columns that a wider one took the place of, and that are still to be dropped.
    """

    table: str
    columns: Mapping[str, Column] = field(default_factory=dict)
    replaced: tuple[Column, ...] = ()

    def with_columns(self, changed: Mapping[str, Column]) -> Build:
        """Give the build with these columns, each under the next free number."""
        before = [*self.columns.values(), *self.replaced]
        last = max((column.number for column in before), default=0)
        numbered = {
            name: replace(column, number=number) for number, (name, column) in enumerate(changed.items(), last + 1)
        }
        replaced = tuple(self.columns[name] for name in changed if name in self.columns)
        return replace(self, columns={**self.columns, **numbered}, replaced=self.replaced + replaced)


class Catalog:
    """Generations and views. One thread at a time changes it; `served` and `builds` may be read beside that.

    Args:
        client: A handle that may change definitions.
        layout: What things are called.
    """

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client = client
        self._layout = layout
        self._unsure = False
        # What each view was made for: a view behind its build is made again with the next write.
        self._shown: dict[str, Build] = {}
        self.builds: Mapping[Generation, Build] = {}
        self.served: Mapping[str, Generation] = {}
        self._create_databases()
        self._load()
        self._clean_up()

    def _create_databases(self) -> None:
        for database in (self._layout.tables, self._layout.views):
            self._client.command(self._layout.create_database(database))

    def refresh(self, *, most_age: float = 0.0) -> None:
        """Read again what others may have changed, unless that was read within `most_age` seconds.

        Nobody else changes an engine of this process. Where some age is allowed, what is known goes on to count while
        the engine does not answer: whatever is asked of it next says so.
        """

    def _load(self) -> None:
        self.builds = _read_builds(self._client, self._layout.tables)
        self.served = self._read_served()
        self._unsure = False

    def _read_served(self) -> dict[str, Generation]:
        shown = {name: read_generation(comment) for name, comment in self._views()}
        return {
            name: generation
            for name, generation in shown.items()
            if generation is not None and generation in self.builds and generation.collection == name
        }

    def _views(self) -> list[list[str]]:
        where = f"WHERE database = {literal(self._layout.views)}"
        return rows(self._client, f"SELECT name, comment FROM system.tables {where}")  # noqa: S608 - own names

    def _run(self, statements: Iterable[str]) -> None:
        for statement in statements:
            self._client.command(statement)

    def _clean_up(self) -> None:
        """End what a killed process left half done: a view's replacement, a drop, a widening."""
        for name, _ in self._views():
            if name not in self.served:
                self._client.command(self._layout.hide(name))
        for generation in self.served.values():
            self._show(generation)
        self.drop_replaced()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Read everything back after a failed change, before the next one: it may have happened or not."""
        if self._unsure:
            self._load()
            self._shown = {}
        try:
            yield
        except BaseException:
            self._unsure = True
            raise

    def build(self, generation: Generation) -> Build:
        """Give a generation as it stands.

        Raises:
            TargetError: It does not exist.
        """
        try:
            return self.builds[generation]
        except KeyError:
            raise TargetError(
                f"There is no generation {generation} in the SQL target.",
                hint=f"Build it: dynalens rebuild {generation.collection}",
            ) from None

    def create(self, generation: Generation, table: str) -> None:
        """Make an empty generation, unless it exists."""
        with self._changing():
            self._run(self._layout.create_generation(generation, table))
            if generation not in self.builds:
                self.builds = {**self.builds, generation: Build(table)}

    def serve(self, generation: Generation) -> None:
        """Point the collection's view at a generation."""
        with self._changing():
            self._show(generation)
            self.served = {**self.served, generation.collection: generation}

    def drop(self, generation: Generation) -> None:
        """Forget a generation, and the view if it still shows it."""
        with self._changing():
            if self.served.get(generation.collection) == generation:
                self._client.command(self._layout.hide(generation.collection))
                self.served = {name: served for name, served in self.served.items() if served != generation}
            self._run(self._layout.drop_generation(generation))
            self.builds = {held: build for held, build in self.builds.items() if held != generation}

    def drop_undefined(self, names: Iterable[str]) -> None:
        """Drop generations whose definition is lost, by the names of their tables: they are missed, and built anew."""
        for generation in filter(None, map(read_generation, names)):
            log.error("the definition of %s is empty: what it held is lost, and built anew", generation)
            self.drop(generation)

    def make_room(self, generation: Generation, documents: Sequence[Document]) -> None:
        """Add the columns that these documents ask for, before they are inserted; readers see them from then on."""
        with self._changing():
            if changed_columns(self.build(generation).columns, documents):
                self._add_columns(generation, documents)
            if self.served.get(generation.collection) == generation and self._is_behind(generation):
                self._show(generation)

    def _add_columns(self, generation: Generation, documents: Sequence[Document]) -> None:
        build = self.build(generation)
        changed = changed_columns(build.columns, documents)
        if changed:
            build = build.with_columns(changed)
            self._client.command(self._layout.add_columns(generation, [build.columns[name] for name in changed]))
            self.builds = {**self.builds, generation: build}

    def drop_replaced(self) -> None:
        """Drop the columns that wider ones took the place of, once no view names them."""
        with self._changing():
            for generation, build in self.builds.items():
                if build.replaced:
                    self._run(self._layout.drop_columns(generation, build.replaced))
                    self.builds = {**self.builds, generation: replace(build, replaced=())}

    def _show(self, generation: Generation) -> None:
        build = self.build(generation)
        self._run(self._layout.show(generation, build.columns))
        self._shown = {**self._shown, generation.collection: build}

    def _is_behind(self, generation: Generation) -> bool:
        shown = self._shown.get(generation.collection)
        return shown is None or not _same(shown.columns, self.builds[generation].columns)


def _read_builds(client: Client, database: str) -> dict[Generation, Build]:
    where = f"WHERE database = {literal(database)}"
    tables = f"SELECT name, comment FROM system.tables {where}"  # noqa: S608 - own names
    columns = (
        f"SELECT table, name, type, comment FROM system.columns {where}"  # noqa: S608 - own names
        " AND comment != '' ORDER BY table, position"
    )
    builds: dict[Generation, Build] = {}
    for name, comment in rows(client, tables):
        generation = read_generation(name)
        if generation is not None:
            builds[generation] = Build(json.loads(comment)["table"])
    for table, physical, type_, comment in rows(client, columns):
        generation, column = read_generation(table), read_column(physical, type_, comment)
        if generation in builds and column is not None:
            builds[generation] = _with_column(builds[generation], column)
    return builds


def _same(one: Mapping[str, Column], other: Mapping[str, Column]) -> bool:
    return one is other or one == other


def _with_column(build: Build, column: Column) -> Build:
    """Of two columns of one attribute the later one is the wider: the process ended before the other was dropped."""
    held = build.columns.get(column.name)
    if held is not None and held.number > column.number:
        return replace(build, replaced=(*build.replaced, column))
    replaced = build.replaced if held is None else (*build.replaced, held)
    return replace(build, columns={**build.columns, column.name: column}, replaced=replaced)


def read_generation(text: str) -> Generation | None:
    """Read a generation's name, `donations@1`; None when it is none."""
    collection, _, number = text.rpartition("@")
    return Generation(collection, int(number)) if collection and number.isdecimal() else None
