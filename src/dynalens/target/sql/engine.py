"""The engine: what the sql target asks of ClickHouse, embedded or on a server, and how it is spoken to.

Queries run under the role `reader`, which may select from the database of the views and nothing else: the engine's own
wall behind the allowlist of `guard`.
"""

from __future__ import annotations

import json
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from dynalens.errors import BusyError, DynalensError, TargetError
from dynalens.target.sql.guard import FunctionEntry, Functions

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

    from dynalens.target.sql.catalog import Catalog
    from dynalens.target.sql.layout import Layout
    from dynalens.target.sql.remembered import Remembered

Role = Literal["owner", "reader"]
"""Who a handle acts as: Dynalens itself, or whoever asks, who may read the views alone."""

WAIT_SECONDS = 2.0
"""How long a request waits for a free handle before it is told that the engine is busy."""

CLOSE_SECONDS = 5.0
"""How long closing waits for queries to end after they were told to."""

_MIB = 1 << 20
_MESSAGE_CHARACTERS = 600
_TREE_BYTES_PER_BYTE = 32
_PARSER = "parseQueryToJSON"

OWNER_SETTINGS: Mapping[str, str | int] = {
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

ANSWER_SETTINGS: Mapping[str, str | int] = {
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


class Inserts(Protocol):
    """Inserts into the physical tables. One thread at a time uses it."""

    def insert(self, table: str, block: bytes, *, columns: Sequence[str], form: str) -> None:
        """Insert rows in one of the engine's formats; return when they are durable.

        Raises:
            TargetError: They could not be written; then none of them counts.
            DatabaseError: The engine refuses them.
        """
        ...

    def check_space(self) -> None:
        """Look whether there is room for a change of definitions.

        Raises:
            TargetError: There is none.
        """
        ...

    def forget(self, table: str) -> None:
        """Forget what is known of a table that is dropped: another of its name starts anew."""
        ...

    def undefined(self) -> list[str]:
        """List the tables whose definition is lost: no column can be added, and no start reads it."""
        ...


class Writing(NamedTuple):
    """What one writer works with."""

    catalog: Catalog
    inserts: Inserts
    remembered: Remembered


class Engine(Protocol):
    """A ClickHouse, embedded in this process or on a server."""

    layout: Layout
    """What things are called in it, and how its tables are made."""

    is_shared: bool
    """Whether several processes write to it, and whether it may start anew while they run."""

    def open(self, *, patient: bool = False) -> Client:
        """Open a handle that may do everything; one thread at a time uses it.

        A patient one waits for what takes minutes, such as a merge of a whole table.
        """
        ...

    def open_reader(self, limits: Limits, *, role: Role) -> Client:
        """Open a handle that only reads, within limits. One thread at a time uses it."""
        ...

    def writing(self, client: Client) -> Writing:
        """Make ready what one writer works with, over a handle that may do everything."""
        ...

    def functions(self) -> Functions:
        """Read the engine's functions, as the guard judges them.

        Raises:
            TargetError: The engine lacks the functions that the guard itself stands on.
        """
        ...

    def failure(self, action: str, error: Exception) -> DynalensError:
        """Say in the user's words what an error of the client, or of the disk, means for an action: `write`."""
        ...

    def cancel_queries(self) -> None:
        """Tell every running query of this process to end; each does at its next block of rows."""
        ...

    def close(self) -> None:
        """End it, once every other handle is closed."""
        ...


def functions_of(client: Client, *, update: str) -> Functions:
    """Read an engine's functions; `update` says what to do about one that is too old.

    Raises:
        TargetError: The engine lacks the functions that the guard itself stands on.
    """
    if not rows(client, f"SELECT 1 FROM system.functions WHERE name = {literal(_PARSER)}"):  # noqa: S608 - own name
        raise TargetError(f"The SQL engine is too old: it has no {_PARSER}.", hint=update)
    listed = rows(
        client,
        "SELECT name, alias_to, case_insensitive, is_aggregate, categories, deterministic FROM system.functions"
        " WHERE origin = 'System'",
    )
    combinators = rows(client, "SELECT name FROM system.aggregate_function_combinators WHERE NOT is_internal")
    entries = [
        FunctionEntry(name, alias, bool(folded), bool(aggregate), category, None if pure is None else bool(pure))
        for name, alias, folded, aggregate, category, pure in listed
    ]
    return Functions(entries, [name for (name,) in combinators])


class Handles:
    """A fixed number of reading handles, lent to one thread each.

    Args:
        engine: The engine that they speak to.
        count: How many there are, and so how many queries run at a time.
        limits: What one query may use.
        role: The role that they read under.
    """

    def __init__(self, engine: Engine, count: int, limits: Limits, *, role: Role) -> None:
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
    from clickhouse_connect.driver.exceptions import DatabaseError, OperationalError

    try:
        body = client.raw_query(query, dict(parameters) if parameters else None, fmt="JSONCompactEachRow")
    except OperationalError:
        # Nobody answered.
        raise
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
