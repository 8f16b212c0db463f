"""Metrics in Valkey or Redis: counts and sums by group, exact, published and live."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dynalens.config import EMBEDDED_METRICS, CollectionConfig
from dynalens.target.metrics.connection import parse_url
from dynalens.target.metrics.target import MetricsTarget

__all__ = ["MetricsTarget", "open_metrics"]


def open_metrics(url: str, *, folder: Path, collections: Mapping[str, CollectionConfig]) -> MetricsTarget:
    """Open the metrics target.

    Args:
        url: `valkey://embedded`, or `valkey(s)://` or `redis(s)://` with user and password, host, port and database.
        folder: Folder of the configuration; an embedded server keeps its data in `data/metrics` under it.
        collections: The configured collections, by name.

    Returns:
        The target; a server that does not answer shows at its first call, an embedded one has answered already.

    Raises:
        ConfigError: The address cannot be used.
        MissingExtraError: There is no server to embed.
        FolderLockedError: Another process looks after the embedded server.
        TargetError: The embedded server does not start.
    """
    if url != EMBEDDED_METRICS:
        return MetricsTarget(parse_url(url), collections)
    from dynalens.target.metrics.embedded import EmbeddedServer

    embedded = EmbeddedServer(folder / "data" / "metrics")
    return MetricsTarget(embedded.server, collections, release=embedded.close)
