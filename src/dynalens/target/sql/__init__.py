"""The sql target: SQL over live collections, on ClickHouse embedded in this process (`docs/sql.md`)."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

from dynalens.errors import ConfigError
from dynalens.target.sql.embedded import EmbeddedEngine
from dynalens.target.sql.engine import QUERY_LIMITS, Limits
from dynalens.target.sql.target import SqlTarget

__all__ = ["QUERY_LIMITS", "Limits", "SqlTarget", "open_sql"]

_SCHEME = "chdb://"


def open_sql(url: str, *, folder: Path, limits: Limits = QUERY_LIMITS) -> SqlTarget:
    """Open the target that `targets.sql` names.

    Args:
        url: `chdb://` and the folder of the data: `chdb://./data/sql` beside `folder`, `chdb:///var/lib/sql` anywhere.
        folder: What a relative path starts from: the folder of the configuration file.
        limits: What one query may use.

    Raises:
        ConfigError: The URL names something else, or a folder that the engine cannot open.
        MissingExtraError: chDB or clickhouse-connect is not installed; the hint is the pip line.
        TargetError: The engine does not start.
    """
    if not url.startswith(_SCHEME):
        raise ConfigError(
            f"targets.sql: {url.partition('://')[0]}:// is not supported yet.",
            hint="Write chdb:// and a folder, such as chdb://./data/sql.",
        )
    path = unquote(url.removeprefix(_SCHEME))
    if not path:
        raise ConfigError("targets.sql: the URL names no folder.", hint="Write chdb://./data/sql.")
    return SqlTarget(EmbeddedEngine(folder / path), limits)
