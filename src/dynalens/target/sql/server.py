"""A ClickHouse server, or a cluster of them, over its HTTP interface."""

from __future__ import annotations

import logging
import os
import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dynalens.config import ClickHouseLocation
from dynalens.errors import MissingExtraError, TargetError
from dynalens.target.sql.engine import (
    ANSWER_SETTINGS,
    OWNER_SETTINGS,
    Limits,
    Role,
    Writing,
    engine_message,
    functions_of,
    literal,
)
from dynalens.target.sql.guard import Functions
from dynalens.target.sql.layout import Layout
from dynalens.target.sql.shared_catalog import SharedCatalog
from dynalens.target.sql.succession import SharedRemembered

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from urllib3 import PoolManager

PASSWORD_VARIABLE = "CLICKHOUSE_PASSWORD"  # noqa: S105 - a name
"""Holds the password where the URL has none, as for ClickHouse's own client."""

_PACKAGE = "The client of ClickHouse (clickhouse-connect)"
_CONNECT_SECONDS = 5
_ANSWER_SECONDS = 60
_PATIENT_SECONDS = 3600
_CONNECTIONS = 16

# Strings in maps stay strings: a server would make dates of what looks like one, wherever it computes a column.
_COLUMN_SETTINGS: Mapping[str, str | int] = {
    "input_format_try_infer_dates": 0,
    "input_format_try_infer_datetimes": 0,
}

_WRITE_SETTINGS: Mapping[str, str | int] = {
    # An insert returns once its rows are in the table, never when they are queued.
    "async_insert": 0,
    # Versions make a repeat harmless. The server's own deduplication would drop a mark that says again what an earlier
    # one said, though another stood in between.
    "insert_deduplicate": 0,
}

_CLUSTER_SETTINGS: Mapping[str, str | int] = {
    # Through a Distributed table: once each shard has its rows, and a majority of its replicas.
    "distributed_foreground_insert": 1,
    "insert_quorum": "auto",
    "insert_quorum_timeout": (_ANSWER_SECONDS - 10) * 1000,
    # Definitions: once every node has changed them.
    "distributed_ddl_task_timeout": _ANSWER_SECONDS - 10,
    "distributed_ddl_output_mode": "throw",
}


class ServerEngine:
    """A ClickHouse server.

    Args:
        location: Where it is.

    Raises:
        MissingExtraError: clickhouse-connect is not installed.
        TargetError: It does not answer, or refuses the login.
    """

    def __init__(self, location: ClickHouseLocation) -> None:
        self.layout = Layout(location.database, cluster=location.cluster)
        self.is_shared = True
        self._location = location
        # Tells our own queries from everybody else's.
        self._comment = f"dynalens {uuid.uuid4()}"
        self._pool = _pool(location)
        self._readers: dict[tuple[Role, Limits], Client] = {}
        try:
            self._keeper = self.open()
        except BaseException:
            self._pool.clear()
            raise

    def open(self, *, patient: bool = False) -> Client:
        """Open a handle that may do everything; one thread at a time uses it."""
        settings = {**OWNER_SETTINGS, **_COLUMN_SETTINGS, **_WRITE_SETTINGS}
        if self.layout.cluster:
            settings |= _CLUSTER_SETTINGS
        return self._open(settings, seconds=_PATIENT_SECONDS if patient else _ANSWER_SECONDS)

    def open_reader(self, limits: Limits, *, role: Role) -> Client:
        """Give the handle that only reads, within limits: the same one to everybody, since it has no session."""
        known = self._readers.get((role, limits))
        if known is not None:
            return known
        # The server judges all settings of a request by what its user's profile allows, read-only included.
        settings = {**ANSWER_SETTINGS, **_COLUMN_SETTINGS, **limits.settings(), "log_comment": self._comment}
        settings |= {"readonly": 1, "database": self.layout.views}
        if role == "reader":
            settings |= {"role": self._location.role}
        return self._readers.setdefault((role, limits), self._open(settings, seconds=limits.seconds + _CONNECT_SECONDS))

    def _open(self, settings: Mapping[str, str | int], *, seconds: float) -> Client:
        import clickhouse_connect
        from clickhouse_connect.driver.exceptions import ClickHouseError

        where = self._location
        password = where.password if where.password is not None else os.environ.get(PASSWORD_VARIABLE, "")
        try:
            client = clickhouse_connect.get_client(
                interface="https" if where.secure else "http",
                host=where.host,
                port=where.port,
                username=where.user,
                password=password,
                settings=dict(settings),
                pool_mgr=self._pool,
                connect_timeout=_CONNECT_SECONDS,
                send_receive_timeout=int(seconds),
                # The worker's one policy tries again (`dynalens.retry`).
                query_retries=0,
                autogenerate_session_id=False,
                # Values of users stand in the body, never in a URL that proxies log.
                form_encode_query_params=True,
                show_clickhouse_errors="scrub",
                client_name="dynalens",
            )
            # The first request under these settings: now is the time to hear that one is forbidden.
            client.command("SELECT 1")
        except ClickHouseError as error:
            raise self.failure("answer", error) from error
        return client

    def writing(self, client: Client) -> Writing:
        """Make ready what one writer works with, beside those of other processes."""
        inserts = ServerInserts(client, self.layout)
        return Writing(
            SharedCatalog(client, self.layout, inserts), inserts, SharedRemembered(client, self.layout, inserts)
        )

    def functions(self) -> Functions:
        """Read the engine's functions, as the guard judges them."""
        update = f"The server {self._name} is {self._keeper.server_version}; install 26.8 or newer."
        return functions_of(self._keeper, update=update)

    @property
    def _name(self) -> str:
        return f"{self._location.host}:{self._location.port}"

    def failure(self, action: str, error: Exception) -> TargetError:
        """Say what an error of the client means."""
        code = getattr(error, "code", None)
        if code is None:
            return self._unanswered(action, error)
        message = engine_message(error)
        hint = _HINTS.get(code, "").format(database=self.layout.views, role=self._location.role)
        return TargetError(f"The ClickHouse server {self._name} could not {action}: {message}", hint=hint)

    def _unanswered(self, action: str, error: Exception) -> TargetError:
        """Say what an error means that is not the server's own: of the network, of TLS, or of a setting it forbids."""
        cause = _innermost(error)
        if "is readonly" in str(error):
            return TargetError(
                f"The ClickHouse server {self._name} forbids its user to change settings: {error}.",
                hint=_PROFILE,
            )
        if "CERTIFICATE_VERIFY_FAILED" in str(cause):
            hint = "Name the file of its certificate authority in targets.sql: &ca=/etc/ssl/own-ca.pem"
        else:
            hint = "Check that it runs, and the address under targets.sql."
        return TargetError(f"The ClickHouse server {self._name} could not {action}: {cause}.", hint=hint)

    def cancel_queries(self) -> None:
        """Tell every running query of this process to end."""
        self._keeper.command(f"KILL QUERY WHERE Settings['log_comment'] = {literal(self._comment)} ASYNC")

    def close(self) -> None:
        """Close every connection."""
        self._pool.clear()


class ServerInserts:
    """Inserts into the physical tables of a server. One thread at a time uses it.

    Args:
        client: A handle that may write.
        layout: What things are called.
    """

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client = client
        self._layout = layout

    def insert(self, table: str, block: bytes, *, columns: Sequence[str], form: str) -> None:
        """Insert rows; return when the server has them on its disk, and on a cluster a majority of replicas.

        One whose answer was lost may have happened: rows are ordered by version, so that it may be sent again.
        """
        into = f"INSERT INTO {self._layout.table(table)} ({', '.join(columns)}) FORMAT {form}"
        self._client.command(into, data=block)

    def check_space(self) -> None:
        """Leave it to the server, which refuses what its disk cannot hold."""

    def forget(self, table: str) -> None:
        """Do nothing: the server knows its tables."""

    def undefined(self) -> list[str]:
        """Give none: a server does not start over a definition that it cannot read."""
        return []


def _pool(location: ClickHouseLocation) -> PoolManager:
    try:
        from clickhouse_connect.driver.httputil import get_pool_manager
    except ImportError as error:
        raise MissingExtraError(_PACKAGE, "clickhouse") from error
    # It logs what it raises.
    logging.getLogger("clickhouse_connect").setLevel(logging.ERROR)
    options: dict[str, Any] = {"ca_cert": location.ca} if location.ca else {}
    pool: PoolManager = get_pool_manager(maxsize=_CONNECTIONS, **options)
    return pool


def _innermost(error: BaseException) -> BaseException:
    """Find what an error began with: the client wraps what the network says several times."""
    while True:
        reason = getattr(error, "reason", None)
        inner = error.__cause__ or (reason if isinstance(reason, BaseException) else None)
        if inner is None:
            return error
        error = inner


# Error codes of the engine (`system.errors`).

_LOGIN = "Put user and password into targets.sql, or the password into CLICKHOUSE_PASSWORD."
_PROFILE = "Limits are set with each request. Give the user a profile without readonly, as in docs/clickhouse.md."
_GRANTS = "docs/clickhouse.md has the statements that make its user and its roles."

_HINTS: Mapping[int, str] = {
    81: "Make it, and one of its name behind an underscore: CREATE DATABASE {database}; CREATE DATABASE _{database}",
    164: _PROFILE,
    192: _LOGIN,
    193: _LOGIN,
    194: _LOGIN,
    497: _GRANTS,
    511: _GRANTS + " Queries run under the role {role}.",
    512: _GRANTS + " Queries run under the role {role}.",
    516: _LOGIN,
}
