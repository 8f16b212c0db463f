"""The sql target: SQL over live collections, on ClickHouse, embedded in this process or on servers (`docs/sql.md`)."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from urllib.parse import unquote

from dynalens.config import clickhouse_flaw, clickhouse_location
from dynalens.errors import ConfigError
from dynalens.target.sql.embedded import EmbeddedEngine
from dynalens.target.sql.engine import QUERY_LIMITS, Engine, Limits
from dynalens.target.sql.server import ServerEngine
from dynalens.target.sql.target import SqlTarget

__all__ = ["QUERY_LIMITS", "Limits", "SqlTarget", "check_sql_server", "is_sql_server", "open_sql"]

_EMBEDDED, _SERVER = "chdb://", "clickhouse://"


def open_sql(url: str, *, folder: Path, limits: Limits = QUERY_LIMITS) -> SqlTarget:
    """Open the target that `targets.sql` names.

    Args:
        url: `chdb://` and the folder of the data: `chdb://./data/sql` beside `folder`, `chdb:///var/lib/sql` anywhere;
            or `clickhouse://USER@HOST:8443/DATABASE?secure=true` for a server (`docs/configuration.md`).
        folder: What a relative path starts from: the folder of the configuration file.
        limits: What one query may use.

    Raises:
        ConfigError: The URL names something else, or a folder that the engine cannot open.
        MissingExtraError: chDB or clickhouse-connect is not installed; the hint is the pip line.
        TargetError: The engine does not start, or the server does not answer or lacks what is needed.
    """
    return SqlTarget(_engine(url, folder), limits)


def is_sql_server(url: str) -> bool:
    """Say whether a URL names a server, which several processes may share, and not an embedded engine."""
    return url.startswith(_SERVER)


def check_sql_server(url: str) -> None:
    """Log in to the server that a URL names, and look whether it is new enough; change nothing.

    Raises:
        ConfigError: The URL is wrong.
        MissingExtraError: clickhouse-connect is not installed.
        TargetError: The server does not answer, refuses the login, or is too old.
    """
    with closing(_server(url)) as engine:
        engine.functions()


def _server(url: str) -> ServerEngine:
    if flaw := clickhouse_flaw(url):
        message, _, hint = flaw.partition(". ")
        raise ConfigError(f"targets.sql {message}.", hint=hint)
    return ServerEngine(clickhouse_location(url))


def _engine(url: str, folder: Path) -> Engine:
    if is_sql_server(url):
        return _server(url)
    if not url.startswith(_EMBEDDED):
        raise ConfigError(
            f"targets.sql: {url.partition('://')[0]}:// is no URL of an SQL engine.",
            hint="Write chdb:// and a folder, such as chdb://./data/sql, or clickhouse:// and a server.",
        )
    path = unquote(url.removeprefix(_EMBEDDED))
    if not path:
        raise ConfigError("targets.sql: the URL names no folder.", hint="Write chdb://./data/sql.")
    return EmbeddedEngine(folder / path)
