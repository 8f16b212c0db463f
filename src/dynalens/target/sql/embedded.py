"""The embedded engine: ClickHouse in this process.

One process holds one engine. It is started with a configuration file of our own, kept in its folder, for two reasons:
without one it would read any `config.xml` in the working directory, and only a configuration can define roles.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote
from xml.sax.saxutils import escape

from dynalens.errors import ConfigError, DynalensError, MissingExtraError, TargetError
from dynalens.target.sql.catalog import Catalog
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
from dynalens.target.sql.inserts import FileInserts
from dynalens.target.sql.layout import Layout
from dynalens.target.sql.remembered import Remembered

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger(__name__)

LAYOUT = Layout(views="dynalens", definer="default")
"""The engine's own `default` would not do for the views: there a name without a table is looked up as a file, and a
view is gone for a moment while another takes its place."""

_PACKAGES = "SQL in this process (chdb, clickhouse-connect)"

# Strings in maps stay strings: the engine would make dates of what looks like one. As the profile's settings they hold
# wherever a column is computed: in an insert, in a merge in the background, in a query over parts from before it.
_CONFIGURATION = """\
<clickhouse>
  <users_config>{path}</users_config>
  <profiles><default>
    <input_format_try_infer_dates>0</input_format_try_infer_dates>
    <input_format_try_infer_datetimes>0</input_format_try_infer_datetimes>
  </default></profiles>
  <quotas><default/></quotas>
  <roles>
    <owner><grants><query>GRANT ALL ON *.*</query></grants></owner>
    <reader><grants><query>GRANT SELECT ON {views}.*</query></grants></reader>
  </roles>
  <users><default>
    <no_password/><profile>default</profile><networks><ip>::/0</ip></networks>
    <grants><query>GRANT owner, reader</query></grants>
  </default></users>
</clickhouse>
"""


class EmbeddedEngine:
    """ClickHouse embedded in this process, over one folder.

    Args:
        folder: Where it keeps its data; made when missing.

    Raises:
        MissingExtraError: chDB or clickhouse-connect is not installed.
        ConfigError: The folder's path holds a character that the engine's connection string cannot carry.
        TargetError: The engine does not start, or another folder is open in this process already.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.layout = LAYOUT
        self.is_shared = False
        self._address = _address(folder)
        _remove_empty_definitions(folder)
        # The first handle starts the engine and keeps it running.
        self._keeper = self.open()

    def open(self, *, patient: bool = False) -> Client:  # noqa: ARG002 - every handle of it is patient
        """Open a handle that may do everything. Each handle has its own session; one thread at a time uses it."""
        return self._open(OWNER_SETTINGS)

    def _open(self, settings: Mapping[str, str | int]) -> Client:
        try:
            import clickhouse_connect
            from clickhouse_connect.driver.exceptions import ClickHouseError
        except ImportError as error:
            raise MissingExtraError(_PACKAGES) from error
        try:
            client = clickhouse_connect.get_client(interface="chdb", path=self._address)
        except ImportError as error:
            # It imports chdb itself only now.
            raise MissingExtraError(_PACKAGES) from error
        except ClickHouseError as error:
            raise TargetError(
                f"The SQL engine does not start in {self.folder}: {engine_message(error)}",
                hint="One process uses a data folder at a time, and one folder is open in a process.",
            ) from error
        return _prepared(client, [f"SET {name} = {literal(str(value))}" for name, value in settings.items()])

    def open_reader(self, limits: Limits, *, role: Role) -> Client:
        """Open a handle that only reads, within limits, under a role of the configuration."""
        client = self._open({**ANSWER_SETTINGS, **limits.settings()})
        # Read-only last: from there on the session changes no setting any more.
        return _prepared(client, [f"USE {self.layout.views}", f"SET ROLE {role}", "SET readonly = 1"])

    def writing(self, client: Client) -> Writing:
        """Make ready what one writer works with."""
        catalog = Catalog(client, self.layout)
        inserts = FileInserts(client, self.layout, self.folder)
        return Writing(catalog, inserts, Remembered(client, self.layout, inserts))

    def functions(self) -> Functions:
        """Read the engine's functions, as the guard judges them."""
        return functions_of(self._keeper, update='Run: pip install -U "chdb-core>=26.8"')

    def failure(self, action: str, error: Exception) -> DynalensError:
        """Say what an error means: the engine and the disk are this machine's own."""
        if isinstance(error, OSError):
            return TargetError(
                f"The SQL engine could not {action}: {error}", hint="Look at disk space and permissions."
            )
        return TargetError(
            f"The SQL engine could not {action}: {engine_message(error)}",
            hint="Look at disk space and memory of this machine.",
        )

    def cancel_queries(self) -> None:
        """Tell every running query to end; each does at its next block of rows."""
        self._keeper.command("KILL QUERY WHERE query_id != queryID() ASYNC")

    def close(self) -> None:
        """End the engine, once every other handle is closed."""
        self._keeper.close()


def _prepared(client: Client, statements: Iterable[str]) -> Client:
    """Run statements on a new handle, and close it when one fails: an open handle keeps the engine running."""
    try:
        for statement in statements:
            client.command(statement)
    except BaseException:
        client.close()
        raise
    return client


def _remove_empty_definitions(folder: Path) -> None:
    """Remove what a full disk left of definitions of tables: the engine takes it for written, and never starts again.

    A table is lost with its definition. That is seen: a generation, or the marks, are no longer there.
    """
    # Of databases and of what is in them; parts of tables, of which there may be many, have none.
    for definition in [*folder.glob("metadata/*.sql"), *folder.glob("store/*/*/*.sql")]:
        if not definition.stat().st_size:
            log.error("%s is empty: what it defined is lost, and built anew", definition)
            definition.unlink()


def _address(folder: Path) -> str:
    """Write the connection string.

    Its parser splits at `?` and `&` even where they are encoded, and the engine takes `*`, `?` and braces in the name
    of a file for a pattern.
    """
    folder = folder.resolve()
    if found := set("?&\\*{}") & set(str(folder)):
        raise ConfigError(
            f"targets.sql: the folder {folder} holds {sorted(found)}, which the engine cannot open.",
            hint="Choose a folder without ? & * { } and backslash in its path.",
        )
    configuration = folder / "engine.xml"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        fresh = configuration.with_suffix(".new")
        fresh.write_text(_CONFIGURATION.format(path=escape(str(configuration)), views=LAYOUT.views))
        fresh.replace(configuration)
    except OSError as error:
        raise TargetError(
            f"The SQL folder {folder} cannot be written: {error}", hint="Free space, or allow this user to write there."
        ) from error
    return f"file:{folder}?config-file={quote(str(configuration))}"
