"""The search target: full-text search over live collections, in this process or on a cluster (`docs/search.md`)."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from dynalens.errors import ConfigError, MissingExtraError
from dynalens.target import Comparable, DocumentReader, SearchReader, Target

__all__ = ["SearchTarget", "open_search"]

_EMBEDDED = "tantivy://"
_CLUSTER = ("http://", "https://", "opensearch+sigv4://")


class SearchTarget(Target, DocumentReader, SearchReader, Comparable, Protocol):
    """What search is kept in and asked of."""


def open_search(url: str, *, folder: Path) -> SearchTarget:
    """Open the target that `targets.search` names.

    Args:
        url: `tantivy://` and the folder of the indexes: `tantivy://./data/search` beside `folder`, or an absolute one;
            or the address of an OpenSearch or Elasticsearch: `https://USER:PASSWORD@HOST:9200`,
            `opensearch+sigv4://HOST`. A cluster is not asked before the first call.
        folder: What a relative path starts from: the folder of the configuration file.

    Raises:
        ConfigError: The URL names something else, or no folder.
        MissingExtraError: The packages of the engine are not installed; the hint is the pip line.
        TargetError: The folder cannot be read or written.
    """
    if url.startswith(_CLUSTER):
        return _open_cluster(url, folder)
    if not url.startswith(_EMBEDDED):
        raise ConfigError(
            f"targets.search: {url.partition('://')[0]}:// is not supported.",
            hint="Write tantivy:// and a folder, such as tantivy://./data/search, or https://HOST:9200.",
        )
    path = unquote(url.removeprefix(_EMBEDDED))
    if not path:
        raise ConfigError("targets.search: the URL names no folder.", hint="Write tantivy://./data/search.")
    try:
        # Everything below imports the engine at its top.
        from dynalens.target.search.embedded.target import EmbeddedTarget
    except ImportError as error:
        raise MissingExtraError("Search in this process (rapidfuzz, regex, tantivy)") from error
    return EmbeddedTarget(folder / path)


def _open_cluster(url: str, folder: Path) -> SearchTarget:
    try:
        from dynalens.target.search.cluster.connection import Connection, read_address
        from dynalens.target.search.cluster.target import ClusterTarget
    except ImportError as error:
        raise MissingExtraError("Search on a cluster (opensearch-py, rapidfuzz, regex)", "opensearch") from error
    return ClusterTarget(Connection(read_address(url, folder=folder)))
