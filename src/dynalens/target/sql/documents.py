"""Documents: one of a served generation by its id, how many there are, their fields; what any generation keeps."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from dynalens.change import document_digest
from dynalens.errors import NotFoundError, TargetError
from dynalens.target import Field, Generation, StoredDocument, Walked
from dynalens.target.sql.catalog import READ_AGAIN_SECONDS, Build, Catalog
from dynalens.target.sql.engine import INTERNAL_LIMITS, Engine, Handles, literal, rows
from dynalens.target.sql.schema import DOCUMENT, view_names

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

_T = TypeVar("_T")

_HANDLES = 4
_MOST_TYPES = 10_000
"""Pairs of a field and a JSON type that are listed at most, the most frequent ones."""

_TYPES: Mapping[str, str] = {'"': "string", "{": "map", "[": "array", "t": "bool", "f": "bool", "n": "null"}
"""JSON types by the first byte of a fragment; every other one is a number."""


class Documents:
    """Reads the physical tables, beside the writer.

    Args:
        engine: The engine.
        catalog: What exists in it.
    """

    def __init__(self, engine: Engine, catalog: Catalog) -> None:
        self._engine = engine
        self._layout = engine.layout
        self._catalog = catalog
        self._handles = Handles(engine, _HANDLES, INTERNAL_LIMITS, role="owner")

    def close(self) -> None:
        """Close the handles."""
        self._handles.close()

    def document(self, collection: str, document_id: str) -> StoredDocument | None:
        """Read one live document, bytes exactly."""
        found = self._of_served(collection, partial(self._document, document_id))
        return StoredDocument(document_id, found[0][0].encode(), found[0][1].encode()) if found else None

    def _document(self, document_id: str, client: Client, generation: Generation) -> list[list[str]]:
        live = self._live_of(generation)
        return rows(client, f"SELECT {DOCUMENT}, _types {live} AND _id = {literal(document_id)}")

    def count(self, collection: str) -> int:
        """Count the live documents."""
        return self._of_served(collection, self._count)

    def _count(self, client: Client, generation: Generation) -> int:
        [[count]] = rows(client, f"SELECT count() {self._live_of(generation)}")
        return int(count)

    def fields(self, collection: str) -> list[Field]:
        """List the fields with the JSON types seen and the columns they have, most frequent first."""
        return self._of_served(collection, self._fields)

    def _fields(self, client: Client, generation: Generation) -> list[Field]:
        live = self._live_of(generation)
        build = self._catalog.build(generation)
        counted = rows(client, _COUNT_TYPES.format(live=live, most=_MOST_TYPES))
        fitting = _count_fitting(client, live, build)
        return _fields(counted, fitting, build)

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        """Give the digests of live documents of a generation."""
        with self._reading() as client:
            live = self._live_of(generation)
            query = f"SELECT _id, {DOCUMENT}, _types {live} AND _id IN ({', '.join(map(literal, ids))})"
            found = rows(client, query) if ids else []
        return {id_: document_digest(json.encode(), types.encode()) for id_, json, types in found}

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        """List ids of live documents of a generation in their order, behind the id `cursor`."""
        with self._reading() as client:
            live = self._live_of(generation)
            query = f"SELECT _id {live} AND _id > {literal(cursor)} ORDER BY _id LIMIT {limit}"
            ids = [id_ for (id_,) in rows(client, query)]
        return Walked(ids, ids[-1] if len(ids) == limit else "")

    def _of_served(self, collection: str, read: Callable[[Client, Generation], _T]) -> _T:
        """Read from the generation that is served; from the next one where another process has switched meanwhile."""
        self._catalog.refresh(most_age=READ_AGAIN_SECONDS)
        generation = self._served(collection)
        try:
            with self._reading() as client:
                return read(client, generation)
        except TargetError:
            with self._translated():
                self._catalog.refresh()
            if self._served(collection) == generation:
                raise
        with self._reading() as client:
            return read(client, self._served(collection))

    def _served(self, collection: str) -> Generation:
        try:
            return self._catalog.served[collection]
        except KeyError:
            served = ", ".join(sorted(self._catalog.served)) or "none yet"
            raise NotFoundError(f"There is no collection {collection}.", hint=f"Collections: {served}.") from None

    def _live_of(self, generation: Generation) -> str:
        self._catalog.build(generation)
        return f"FROM {self._layout.whole(generation)} FINAL WHERE NOT _deleted"

    @contextmanager
    def _reading(self) -> Iterator[Client]:
        with self._translated(), self._handles.lend() as client:
            yield client

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from clickhouse_connect.driver.exceptions import Error as EngineError

        try:
            yield
        except EngineError as error:
            raise self._engine.failure("read", error) from error


_COUNT_TYPES = (
    "SELECT key, if(fragment = '[]', '[]', substring(fragment, 1, 1)) AS first, count() AS documents"
    " FROM (SELECT mapKeys(_attributes) AS keys, mapValues(_attributes) AS fragments {live})"
    " ARRAY JOIN keys AS key, fragments AS fragment"
    " GROUP BY key, first ORDER BY documents DESC, key LIMIT {most}"
)


def _count_fitting(client: Client, live: str, build: Build) -> dict[str, int]:
    """Count, by attribute, the documents whose value stands in its column."""
    if not build.columns:
        return {}
    counts = ", ".join(column.fitting for column in build.columns.values())
    [found] = rows(client, f"SELECT {counts} {live}")
    return dict(zip(build.columns, map(int, found), strict=True))


def _fields(counted: list[list[object]], fitting: Mapping[str, int], build: Build) -> list[Field]:
    types: defaultdict[str, dict[str, int]] = defaultdict(dict)
    must_fit: defaultdict[str, int] = defaultdict(int)
    for key, first, documents in counted:
        name, count = json.loads(str(key)), int(str(documents))
        type_ = _TYPES.get(str(first)[:1], "number")
        types[name][type_] = types[name].get(type_, 0) + count
        column = build.columns.get(name)
        empty_in_array = first == "[]" and column is not None and column.kind in {"strings", "numbers", "array"}
        if column is not None and type_ != "null" and not empty_in_array:
            must_fit[name] += count
    labels = view_names(build.columns)
    fields = [
        Field(name, seen, _column_text(build, name, labels), max(0, must_fit[name] - fitting.get(name, 0)))
        for name, seen in types.items()
    ]
    return sorted(fields, key=lambda field: -sum(field.types.values()))


def _column_text(build: Build, name: str, labels: Mapping[str, str]) -> str:
    """Give the column's type, behind its name where that is not the attribute's own; empty without a column."""
    column = build.columns.get(name)
    if column is None:
        return ""
    return column.type if labels[name] == name else f"{labels[name]} {column.type}"
