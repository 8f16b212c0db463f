"""What integration tests of a cluster look at and change behind the target's back, in the index of `FIRST`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from dynalens.config import CollectionConfig, SearchConfig
from tests.contract.implementations import ADDRESS_NAME, COLLECTIONS, ClusterSubject
from tests.contract.writing import FIRST
from tests.services.opensearch.server import OpenSearchServer

INDEX = "donations@1"


@contextmanager
def opened(server: OpenSearchServer, folder: Path, **settings: object) -> Iterator[ClusterSubject]:
    """Open a target with one generation that is served, with settings of its index."""
    (folder / ADDRESS_NAME).write_text(server.url)
    subject = ClusterSubject(folder)
    with closing(subject.target):
        subject.target.create(FIRST, configured(**settings))
        subject.target.serve(FIRST)
        yield subject


def configured(**settings: object) -> CollectionConfig:
    """Give the collection with settings of its index."""
    return COLLECTIONS["donations"].model_copy(update={"search": SearchConfig(settings=settings)})


def change_settings(server: OpenSearchServer, settings: dict[str, object], indices: str = INDEX) -> None:
    """Change settings of indices."""
    server.client().put(f"/{indices}/_settings", json={"index": settings}).raise_for_status()


def kept(server: OpenSearchServer, id_: str) -> dict[str, Any]:
    """Give what is kept of a document beside its attributes."""
    ours: dict[str, Any] = server.client().get(f"/{INDEX}/_source/{id_}").raise_for_status().json()["_dynalens"]
    return ours
