"""Every engine that answers searches, and how the suite opens each.

An engine is a search target like any other; what differs is how its server is had.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

import pytest

from dynalens.change import Change, KeySchema, Typed, document_id, render
from dynalens.config import CollectionConfig
from dynalens.search import Query, SearchAnswer, SearchRequest
from dynalens.target import Generation, SearchSnapshot, StoredDocument, Write, version
from dynalens.target.search import SearchTarget, open_search
from tests.services.missing import skip_or_fail
from tests.services.opensearch.server import OpenSearchServer

KEYS = KeySchema(("id",))


class Engine:
    """An engine that was opened.

    Args:
        target: Its target.
    """

    def __init__(self, target: SearchTarget) -> None:
        self.target = target
        self._ordinals = itertools.count(1)

    def next_version(self) -> int:
        """Give a version above all before."""
        return version(1, next(self._ordinals))


class Collection:
    """One collection of an engine, empty at first. Documents are known by their key, the string attribute `id`.

    Args:
        engine: Where it is kept.
        name: Its name; another one of this name takes its place.
        fields: The paths that its configuration declares.
    """

    def __init__(self, engine: Engine, name: str, fields: Sequence[str] = ()) -> None:
        self._engine = engine
        self._name = name
        self._config = CollectionConfig.model_validate({"table": name.title(), "search": {"fields": list(fields)}})
        self.begin()

    def begin(self) -> None:
        """Begin anew: an empty generation takes the place of the one before."""
        target = self._engine.target
        before = target.recall(self._config.table).generations
        self._generation = Generation(self._name, 1 + max((one.number for one in before), default=0))
        target.create(self._generation, self._config)
        target.serve(self._generation)
        for one in before:
            target.drop(one)

    def write(self, items: Mapping[str, Mapping[str, Typed]]) -> None:
        """Write items in DynamoDB JSON by their key, in this order, as one batch."""
        self._apply(self._write(key, {"id": {"S": key}, **item}) for key, item in items.items())

    def delete(self, key: str) -> None:
        """Delete a document."""
        self._apply([self._write(key, None)])

    def _apply(self, writes: Iterable[Write]) -> None:
        assert self._engine.target.apply(list(writes)) == []
        self._engine.target.refresh(self._name)

    def _write(self, key: str, item: Mapping[str, Typed] | None) -> Write:
        typed_key = {"id": {"S": key}}
        document = None if item is None else render(item)
        at = self._engine.next_version()
        change = Change(
            table=self._config.table,
            id=id_of(key),
            key=typed_key,
            kind="modify" if document else "remove",
            new=document,
            sequence_number=str(10**20 + at),
            size=len(document.json) if document else 0,
        )
        return Write(self._generation, change.id, at, document, change)

    def search(self, request: SearchRequest) -> SearchAnswer:
        """Answer a search."""
        return self._engine.target.search(self._name, request)

    def count(self, query: Query) -> int:
        """Count the matches."""
        return self._engine.target.matches(self._name, query)

    def document(self, key: str) -> StoredDocument | None:
        """Read one document."""
        return self._engine.target.document(self._name, id_of(key))

    def snapshot(self) -> SearchSnapshot:
        """Hold the collection as it is."""
        return self._engine.target.snapshot(self._name)


def id_of(key: str) -> str:
    """Give the id of the document with this key."""
    return document_id({"id": {"S": key}}, KEYS)


@contextmanager
def _tantivy(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Open the engine in this process."""
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    with closing(open_search("tantivy://./search", folder=folders.mktemp("conformance"))) as target:
        yield Engine(target)


@contextmanager
def _opensearch(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Open a server of the suite's own: others empty theirs after each test."""
    folders: pytest.TempPathFactory = request.getfixturevalue("tmp_path_factory")
    with skip_or_fail():
        server = OpenSearchServer(folders.mktemp("opensearch"))
    with server, closing(open_search(server.url, folder=Path())) as target:
        yield Engine(target)


ENGINES: Mapping[str, Callable[[pytest.FixtureRequest], AbstractContextManager[Engine]]] = {
    "tantivy": _tantivy,
    "opensearch": _opensearch,
}
"""Openers by name. Each may ask for the fixtures of a session, a server among them."""
