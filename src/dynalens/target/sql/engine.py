"""The embedded engine: ClickHouse in this process, and the handles through which it is spoken to.

One process holds one engine. It is started with a configuration file of our own, kept in its folder, for two reasons:
without one it would read any `config.xml` in the working directory, and only a configuration can define roles. Queries
run under the role `reader`, which may select from the database of the views and nothing else: the engine's own wall
behind the allowlist of `guard`.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from xml.sax.saxutils import escape

from dynalens.errors import BusyError, ConfigError, DynalensError, MissingExtraError, TargetError
from dynalens.target.sql.guard import FunctionEntry, Functions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

log = logging.getLogger(__name__)

TABLES = "_dynalens"
"""The database of the physical tables."""

VIEWS = "dynalens"
"""The database of the views, where queries run. The engine's own `default` would not do: there a name without a table
is looked up as a file, and a view is gone for a moment while another takes its place."""

WAIT_SECONDS = 2.0
"""How long a request waits for a free handle before it is told that the engine is busy."""

CLOSE_SECONDS = 5.0
"""How long closing waits for queries to end after they were told to."""

_MIB = 1 << 20
_MESSAGE_CHARACTERS = 600
_TREE_BYTES_PER_BYTE = 32
_PARSER = "parseQueryToJSON"
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

_OWNER_SETTINGS: Mapping[str, str | int] = {
    # Views over 500 attributes with long names are long statements.
    "max_query_size": 1 << 30,
    "max_ast_elements": 10_000_000,
    "max_expanded_ast_elements": 10_000_000,
    # A row past this is refused by itself (`rows`), long before it could take the process's memory.
    "format_binary_max_string_size": 16 * _MIB,
    # Batches are small: compiling their expressions and handing them from thread to thread costs more than it saves.
    "compile_expressions": 0,
    "max_threads": 1,
}

_ANSWER_SETTINGS: Mapping[str, str | int] = {
    "describe_compact_output": 1,
    "allow_introspection_functions": 0,
    # What begins with no keyword is a slip, not an expression.
    "implicit_select": 0,
    "allow_suspicious_types_in_group_by": 1,
    "allow_suspicious_types_in_order_by": 1,
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_decimals": 0,
    "output_format_json_quote_denormals": 0,
    "output_format_json_validate_utf8": 1,
    "session_timezone": "UTC",
    "max_threads": 2,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one query may use. A query cannot lift them: they are set before the handle turns read-only.

    Attributes:
        seconds: Run time.
        memory_bytes: Memory; beyond half of it large aggregations and sorts go to disk, as much again at most.
        result_rows: Rows of the answer.
        result_bytes: Bytes of the answer before it is rendered.
        read_rows: Rows read from the tables.
        read_bytes: Bytes read from the tables.
        query_bytes: Length of the query's text.
    """

    seconds: float = 10.0
    memory_bytes: int = 1024 * _MIB
    result_rows: int = 100_000
    result_bytes: int = 64 * _MIB
    read_rows: int = 1_000_000_000
    read_bytes: int = 64 * 1024 * _MIB
    query_bytes: int = 256 * 1024

    def settings(self) -> dict[str, str | int]:
        """Give the engine's names for these limits ("Restrictions on query complexity", ClickHouse documentation)."""
        return {
            "max_execution_time": str(self.seconds),
            "timeout_before_checking_execution_speed": 0,
            "max_memory_usage": self.memory_bytes,
            "max_temporary_data_on_disk_size_for_query": self.memory_bytes,
            "max_result_rows": self.result_rows,
            "max_result_bytes": self.result_bytes,
            "result_overflow_mode": "throw",
            "max_rows_to_read": self.read_rows,
            "max_bytes_to_read": self.read_bytes,
            # The text itself is measured before it gets here; its parse tree as JSON is a value in our own queries.
            "max_query_size": self.query_bytes * _TREE_BYTES_PER_BYTE,
            "max_ast_elements": self.query_bytes,
        }


QUERY_LIMITS = Limits()
INTERNAL_LIMITS = Limits(seconds=60.0, memory_bytes=2048 * _MIB, result_rows=0, result_bytes=0)
"""For what Dynalens itself asks of its tables: single documents, counts, fields."""


class Engine:
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
        self._address = _address(folder)
        _remove_empty_definitions(folder)
        # The first handle starts the engine and keeps it running.
        self._keeper = self.open()

    def open(self, settings: Mapping[str, str | int] = _OWNER_SETTINGS) -> Client:
        """Open a handle that may do everything. Each handle has its own session; one thread at a time uses it."""
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

    def open_reader(self, limits: Limits, *, role: str) -> Client:
        """Open a handle that only reads, within limits, under a role of the configuration."""
        client = self.open({**_ANSWER_SETTINGS, **limits.settings()})
        # Read-only last: from there on the session changes no setting any more.
        return _prepared(client, [f"USE {VIEWS}", f"SET ROLE {role}", "SET readonly = 1"])

    def functions(self) -> Functions:
        """Read the engine's functions, as the guard judges them.

        Raises:
            TargetError: The engine lacks the functions that the guard itself stands on.
        """
        listed = rows(
            self._keeper,
            "SELECT name, alias_to, case_insensitive, is_aggregate, categories, deterministic FROM system.functions"
            " WHERE origin = 'System'",
        )
        if _PARSER not in {name for name, *_ in listed}:
            raise TargetError(
                f"The SQL engine is too old: it has no {_PARSER}.", hint='Run: pip install -U "chdb-core>=26.8"'
            )
        combinators = rows(self._keeper, "SELECT name FROM system.aggregate_function_combinators WHERE NOT is_internal")
        entries = [
            FunctionEntry(name, alias, bool(folded), bool(aggregate), category, None if pure is None else bool(pure))
            for name, alias, folded, aggregate, category, pure in listed
        ]
        return Functions(entries, [name for (name,) in combinators])

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


class Handles:
    """A fixed number of reading handles, lent to one thread each.

    Args:
        engine: The engine that they speak to.
        count: How many there are, and so how many queries run at a time.
        limits: What one query may use.
        role: The role that they read under.
    """

    def __init__(self, engine: Engine, count: int, limits: Limits, *, role: str) -> None:
        self._engine = engine
        self._count = count
        self._open = True
        self._turn = threading.Lock()
        self._reopen = partial(engine.open_reader, limits, role=role)
        # None stands for a handle that was thrown away, to be opened again by the next one who needs it.
        self._free: queue.LifoQueue[Client | None] = queue.LifoQueue()
        for _ in range(count):
            self._free.put(self._reopen())

    @contextmanager
    def lend(self) -> Iterator[Client]:
        """Lend a handle; one that an error of the engine went through is not lent again (`rows` says why).

        Raises:
            BusyError: All are lent for longer than `WAIT_SECONDS`, or the engine is being closed.
        """
        lent: Client | None = None
        kept = self._take()
        try:
            lent = kept or self._reopen()
            kept = None
            yield lent
            kept = lent
        except DynalensError:
            kept = lent
            raise
        finally:
            if lent is not None and kept is None:
                lent.close()
            self._free.put(kept)

    def _take(self) -> Client | None:
        """Take a handle; the one who waits for it is before those who come meanwhile."""
        if not self._open:
            raise BusyError("The SQL engine is being closed.", hint="Try again in a moment.")
        give_up_at = time.monotonic() + WAIT_SECONDS
        if self._turn.acquire(timeout=WAIT_SECONDS):
            try:
                return self._free.get(timeout=max(0.0, give_up_at - time.monotonic()))
            except queue.Empty:
                pass
            finally:
                self._turn.release()
        raise BusyError(
            f"{self._count} queries are running already, the most at a time.", hint="Try again in a moment."
        )

    def close(self) -> None:
        """Cancel what runs and close every handle; doing it again changes nothing.

        Raises:
            TargetError: A query does not end; then the engine must not be closed under it.
        """
        if not self._open:
            return
        self._open = False
        give_up_at = time.monotonic() + CLOSE_SECONDS
        for _ in range(self._count):
            client = self._wait_for_one(give_up_at)
            if client is not None:
                client.close()

    def _wait_for_one(self, give_up_at: float) -> Client | None:
        while True:
            with suppress(queue.Empty):
                return self._free.get(timeout=0.05)
            if time.monotonic() > give_up_at:
                raise TargetError("A query does not end, so the SQL engine cannot be closed.", hint="End the process.")
            # Again each time: the query may have been about to start.
            self._engine.cancel_queries()


def literal(text: str) -> str:
    """Write text as an SQL string."""
    return f"'{_escaped(text, chr(39))}'"


def quoted(name: str) -> str:
    """Write a name as an SQL identifier, whatever it holds."""
    return f"`{_escaped(name, '`')}`"


def _escaped(text: str, quote_mark: str) -> str:
    text = text.replace("\\", "\\\\").replace(quote_mark, f"\\{quote_mark}")
    return re.sub(r"[\x00-\x1f\x7f]", lambda found: f"\\x{ord(found.group()):02x}", text)


def rows(client: Client, query: str, parameters: Mapping[str, str] | None = None) -> list[list[Any]]:
    """Run one of our own queries; decimals come as floats.

    When it fails, what the engine had rendered of its answer would stand before the answer of the next query on this
    handle (chDB 26.9): one is run here to take it.
    """
    from clickhouse_connect.driver.exceptions import DatabaseError

    try:
        body = client.raw_query(query, dict(parameters) if parameters else None, fmt="JSONCompactEachRow")
    except DatabaseError:
        with suppress(DatabaseError):
            client.raw_query("SELECT 1", fmt="TSV")
        raise
    return [json.loads(line) for line in body.splitlines()]


def engine_message(error: Exception) -> str:
    """Give the engine's own words: without code, repeated prefixes, stack and version."""
    message = str(error).split("Stack trace", maxsplit=1)[0]
    message = re.sub(r"Code: \d+\. DB::Exception: ", "", message)
    message = re.sub(r"\s*\(version [^)]*\)\.?", "", message)
    # Our own wrapping of a query that is only being parsed.
    message = re.sub(r": In scope SELECT (?:formatQuery|parseQuery).*(\([A-Z_]+\))$", r". \1", message, flags=re.DOTALL)
    message = re.sub(r"\. Expected one of: .*?(\([A-Z_]+\))$", r". \1", message, flags=re.DOTALL)
    return " ".join(message.split())[:_MESSAGE_CHARACTERS]


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
        fresh.write_text(_CONFIGURATION.format(path=escape(str(configuration)), views=VIEWS))
        fresh.replace(configuration)
    except OSError as error:
        raise TargetError(
            f"The SQL folder {folder} cannot be written: {error}", hint="Free space, or allow this user to write there."
        ) from error
    return f"file:{folder}?config-file={quote(str(configuration))}"
