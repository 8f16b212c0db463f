"""Every implementation of `Target`, and how the contract suite looks into each.

An adapter opens an implementation in a folder, and gives what its readers see as `{document id: observation}`. What can
be observed differs: `sql`, `search` and the fake give whole documents back; `metrics` keeps only what it was asked to
count, so there each document's id is a group of its own, and every value of its attribute `n` tells which document
stands behind it: all of them the same one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Protocol

import pytest

from dynalens.change import Document, KeySchema, document_id
from dynalens.config import CollectionConfig
from dynalens.search import SearchRequest
from dynalens.target import DocumentReader, Generation, MetricReader, SearchReader, SqlReader, Target, Write
from dynalens.testing.memory import MemoryTarget
from tests.services.clickhouse.server import server_url, shared_port
from tests.services.opensearch.server import OpenSearchServer

TABLE, OTHER_TABLE = "Donations", "People"
KEYS = KeySchema(("id",))

_COUNTED = {"by_id": {"group_by": ["id"], "count": True, "sum": {"n": {}}}}
# No document has a time: all stand in the one bucket that is kept for ever.
_BUCKETS = {"every": "1m", "time": "at"}
_BY_ID = {"by_id": {**_COUNTED["by_id"], **_BUCKETS, "avg": {"n": {}}, "min": "n", "max": "n", "distinct": "n"}}
COLLECTIONS: Mapping[str, CollectionConfig] = {
    "donations": CollectionConfig.model_validate({"table": TABLE, "metrics": _BY_ID}),
    "refunds": CollectionConfig.model_validate({"table": TABLE, "metrics": _COUNTED}),
    "people": CollectionConfig.model_validate({"table": OTHER_TABLE, "metrics": _BY_ID}),
}
"""The collections that every test may use. Each document of the suite has a string `id`, its key, and a number `n`."""


class Subject(Protocol):
    """One implementation, opened in a folder of its own."""

    target: Target

    def documents(self, collection: str) -> dict[str, object]:
        """Give what readers see of each live document of the served generation, by document id."""
        ...

    def seen(self, document: Document) -> object:
        """Give what readers must see of a document that is there."""
        ...

    def settle(self) -> None:
        """Let readers see what was applied, where that takes a target a while."""
        ...

    def reopen(self) -> None:
        """Close the target and open it again, as the next process would."""
        ...


class MemorySubject:
    """The fake that users test their pipelines with."""

    def __init__(self, _folder: Path) -> None:
        self._memory = MemoryTarget()
        self.target: Target = self._memory

    def documents(self, collection: str) -> dict[str, object]:
        return dict(self._memory.documents(collection))

    def seen(self, document: Document) -> object:
        return document.json

    def settle(self) -> None:
        """Readers see what was applied at once."""

    def reopen(self) -> None:
        """Close it; the fake outlives that, as a server would."""
        self._memory.close()


class SqlTarget(Target, DocumentReader, SqlReader, Protocol):
    """What `open_sql` gives."""


class SqlSubject:
    """chDB in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.target: Target = self._open()

    def _open(self) -> Target:
        from dynalens.target.sql import open_sql

        self._sql: SqlTarget = open_sql(self._url(), folder=self._folder)
        return self._sql

    def _url(self) -> str:
        return "chdb://./sql"

    def documents(self, collection: str) -> dict[str, object]:
        result = self._sql.query(f"SELECT _id, _doc FROM {collection}", {})  # noqa: S608 - own names
        rows = json.loads(result.body)["rows"]
        assert len({row[0] for row in rows}) == len(rows), "a document is shown twice"
        return {row[0]: row[1].encode() for row in rows}

    def seen(self, document: Document) -> object:
        return document.json

    def settle(self) -> None:
        """Readers see what was applied at once."""

    def reopen(self) -> None:
        self.target.close()
        self.target = self._open()


class ClickHouseSubject(SqlSubject):
    """ClickHouse over HTTP: a database of its own on the server that tests share."""

    def _url(self) -> str:
        # The same one to whoever opens this folder, in this process or another.
        database = "dynalens_" + hashlib.sha256(str(self._folder).encode()).hexdigest()[:12]
        return server_url(shared_port(), database)


class MetricsTarget(Target, MetricReader, Protocol):
    """What `open_metrics` gives."""


class MetricsSubject:
    """Valkey, started and supervised by Dynalens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.target: Target = self._open()

    def _open(self) -> Target:
        from dynalens.target.metrics import open_metrics

        self._metrics: MetricsTarget = open_metrics("valkey://embedded", folder=self._folder, collections=COLLECTIONS)
        return self._metrics

    def documents(self, collection: str) -> dict[str, object]:
        groups = self._metrics.metric(collection, "by_id").groups
        counted = [group for group in groups if group.values["count"] != "0"]
        assert all(group.values["count"] == "1" for group in counted), f"counted twice: {counted}"
        assert all(group.exact for group in counted)
        for group in counted:
            told = {text for name, text in group.values.items() if name in {"n_sum", "n_avg", "n_min", "n_max"}}
            assert told == {group.values["n_sum"]}
            assert group.values.get("n_distinct", "1") == "1"
        ids = [document_id({"id": {"S": json.loads(group.group["id"])}}, KEYS) for group in counted]
        return {id_: int(group.values["n_sum"]) for id_, group in zip(ids, counted, strict=True)}

    def seen(self, document: Document) -> object:
        return int(document.fragments["n"])

    def settle(self) -> None:
        """Readers see what was applied at once."""

    def reopen(self) -> None:
        self.target.close()
        self.target = self._open()


class SearchTarget(Target, DocumentReader, SearchReader, Protocol):
    """What `open_search` gives."""


class SearchSubject:
    """Tantivy in this process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.target: Target = self._open()

    def _open(self) -> Target:
        from dynalens.target.search import open_search

        self._search: SearchTarget = open_search("tantivy://./search", folder=self._folder)
        return self._search

    def documents(self, collection: str) -> dict[str, object]:
        answer = self._search.search(collection, SearchRequest(size=10_000))
        assert answer.total == len(answer.hits) == len({hit.id for hit in answer.hits}), "a document is shown twice"
        return {hit.id: hit.document for hit in answer.hits}

    def seen(self, document: Document) -> object:
        return document.json

    def settle(self) -> None:
        """Readers see what was applied at once."""

    def reopen(self) -> None:
        self.target.close()
        self.target = self._open()


class ClusterSubject:
    """A real OpenSearch, whose address stands in the folder."""

    def __init__(self, folder: Path) -> None:
        self._url = (folder / ADDRESS_NAME).read_text()
        self._folder = folder
        self.target: Target = self._open()

    def _open(self) -> Target:
        from dynalens.target.search.cluster.connection import Connection, read_address
        from dynalens.target.search.cluster.target import ClusterTarget

        self._connection = Connection(read_address(self._url, folder=self._folder))
        self._cluster: SearchTarget = ClusterTarget(self._connection)
        return self._cluster

    def documents(self, collection: str) -> dict[str, object]:
        self.settle()
        answer = self._cluster.search(collection, SearchRequest(size=10_000))
        assert len({hit.id for hit in answer.hits}) == len(answer.hits) == answer.total
        return {hit.id: hit.document for hit in answer.hits}

    def settle(self) -> None:
        self._connection.request("POST", "/*/_refresh")

    def seen(self, document: Document) -> object:
        return document.json

    def reopen(self) -> None:
        self.target.close()
        self.target = self._open()


ADDRESS_NAME = "opensearch.url"


def open_subject(name: str, folder: Path, request: pytest.FixtureRequest) -> Subject:
    """Open an implementation in a folder, with the server that it needs."""
    if name == "cluster":
        server: OpenSearchServer = request.getfixturevalue("opensearch")
        (folder / ADDRESS_NAME).write_text(server.url)
    return IMPLEMENTATIONS[name](folder)


IMPLEMENTATIONS: Mapping[str, Callable[[Path], Subject]] = {
    "memory": MemorySubject,
    "sql": SqlSubject,
    "clickhouse": ClickHouseSubject,
    "metrics": MetricsSubject,
    "search": SearchSubject,
    "cluster": ClusterSubject,
}
DURABLE = ("sql", "clickhouse", "metrics", "search", "cluster")
"""Those that outlive the process that wrote to them."""


def open_generation(target: Target, generation: Generation) -> None:
    """Create a generation and let readers see it."""
    target.create(generation, COLLECTIONS[generation.collection])
    target.serve(generation)


def assert_holds(subject: Subject, writes: Iterable[Write], collection: str = "donations") -> None:
    """Readers see exactly the documents of these writes."""
    expected = {write.id: subject.seen(write.document) for write in writes if write.document is not None}
    assert subject.documents(collection) == expected
