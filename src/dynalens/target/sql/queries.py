"""SQL queries over the views: parsed by the engine, checked, run read-only within limits, rendered whole."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import orjson

from dynalens.errors import BusyError, DynalensError, QueryLimitError, QueryRefusedError, RequestError
from dynalens.target import SqlResult
from dynalens.target.sql.engine import Engine, Handles, Limits, engine_message, rows
from dynalens.target.sql.guard import ONLY_SELECT, Checked, Guard

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client
    from clickhouse_connect.driver.exceptions import Error as EngineError

QUERIES_AT_A_TIME = 4

_DESCRIBE = r"DESCRIBE TABLE (?:`?{views}`?\.)?`?([A-Za-z][A-Za-z0-9_]*)`?"
_PARSE = "SELECT parseQueryToJSON({query:String}) AS tree, formatQuerySingleLine(formatQueryFromJSON(tree))"
_PARAMETER_HINT = 'Send the value of {name:Type} in the query beside it: "parameters": {"name": ...}.'


class Queries:
    """Answers SQL over the views.

    Args:
        engine: The engine.
        limits: What one query may use.
        collections: Gives the names of the views that exist.
    """

    def __init__(self, engine: Engine, limits: Limits, collections: Callable[[], list[str]]) -> None:
        self._limits = limits
        self._collections = collections
        self._engine = engine
        layout = engine.layout
        self._describe = re.compile(_DESCRIBE.format(views=re.escape(layout.views)))
        self._guard = Guard(engine.functions(), views=layout.views, private=layout.tables)
        self._handles = Handles(engine, QUERIES_AT_A_TIME, limits, role="reader")

    def close(self) -> None:
        """Close the handles, each as soon as its query is done."""
        self._handles.close()

    def query(self, query: str, parameters: Mapping[str, object], *, output: str) -> SqlResult:
        """Run one query (`dynalens.target.SqlReader.query`)."""
        rendering = _RENDERINGS.get(output)
        if rendering is None:
            raise RequestError(f"There is no format {output!r}.", hint=f"Use one of: {', '.join(_RENDERINGS)}.")
        self._check_text(query)
        with self._translated(), self._handles.lend() as client:
            checked = self._checked(client, query)
            values = _parameter_values(checked.parameters, parameters)
            started = time.perf_counter()
            body = client.raw_query(checked.text, values or None, fmt=rendering.format)
            elapsed = time.perf_counter() - started
        if len(body) > self._limits.result_bytes:
            # The engine counts a value that repeats in every row once.
            raise QueryLimitError(
                f"The answer has {len(body)} bytes; the limit is {self._limits.result_bytes}.", hint=_LIMIT_HINT
            )
        return rendering.render(body, elapsed)

    def _check_text(self, query: str) -> None:
        try:
            size = len(query.encode())
        except UnicodeEncodeError:
            raise RequestError("The query holds half of a surrogate pair.", hint="Send valid Unicode text.") from None
        if size > self._limits.query_bytes:
            raise QueryLimitError(
                f"The query has {size} bytes; the limit is {self._limits.query_bytes}.",
                hint="Send values as parameters, or join with a collection instead of listing them.",
            )

    def _checked(self, client: Client, query: str) -> Checked:
        """Check a query. What is run afterwards is what the engine writes of the tree that was checked."""
        [[text]] = rows(client, "SELECT formatQuerySingleLine({query:String})", {"query": query})
        described = self._describe.fullmatch(text)
        if described is not None and described[1] in self._collections():
            return Checked(text)
        if text.startswith("DESCRIBE"):
            raise QueryRefusedError(
                "Only collections can be described.", hint=f"Collections: {', '.join(self._collections())}."
            )
        try:
            [[tree, text]] = rows(client, _PARSE, {"query": text})
            return self._guard.check(text, orjson.loads(tree), self._collections())
        except orjson.JSONDecodeError:
            raise QueryLimitError("The query is nested too deeply.", hint="Write it with fewer levels.") from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        from clickhouse_connect.driver.exceptions import Error as EngineError

        try:
            yield
        except EngineError as error:
            if _blames_the_query(error):
                raise self._request_error(error) from error
            raise self._engine.failure("answer", error) from error

    def _request_error(self, error: EngineError) -> DynalensError:
        message, code = engine_message(error), error.code or 0
        limit = _limit_of(code, message, self._limits)
        if limit:
            return QueryLimitError(f"The query passed the limit of {limit}.", hint=_LIMIT_HINT)
        refusal = _refusal_of(code, message)
        if refusal:
            return QueryRefusedError(refusal[0], hint=refusal[1])
        if code in _BUSY:
            return BusyError(_BUSY[code], hint="Try again in a moment.")
        if code == _UNKNOWN_TABLE:
            return RequestError(message, hint=f"Collections: {', '.join(self._collections()) or 'none yet'}.")
        return RequestError(message, hint=_HINTS.get(code, ""))


# Error codes of the engine (`system.errors`).

_UNKNOWN_TABLE = 60
_LOGIN_REFUSED = {192, 193, 194, 511, 512, 516}
"""The login, or a role that is not granted."""

_BUSY: Mapping[int, str] = {
    202: "The server runs too many queries already.",
    394: "The query was cancelled: the engine is closing.",
}

_HINTS: Mapping[int, str] = {
    47: "DESCRIBE and a collection's name lists its columns.",
    50: "Cast the column to a plain type such as String.",
    62: "Correct it at that place. The SQL is ClickHouse's; docs/sql.md says what of it may be used.",
}

_LIMIT_HINT = "Narrow it: fewer columns, a WHERE, a LIMIT, or an aggregate instead of rows."


def _blames_the_query(error: EngineError) -> bool:
    """Tell an error of a query from one of the way to the engine: nobody answered, or refused the login."""
    from clickhouse_connect.driver.exceptions import OperationalError

    is_unanswered = isinstance(error, OperationalError) and error.code is None
    return not is_unanswered and error.code not in _LOGIN_REFUSED


def _refusal_of(code: int, message: str) -> tuple[str, str] | None:
    """Give message and hint where an error means that a query may not do what it does."""
    match code:
        case 62 if "Multi-statements" in message:
            return "Several statements are not allowed.", "Send one statement at a time."
        case 36 if "JSON serialization" in message:
            return "This statement is not allowed.", ONLY_SELECT
        case 164 | 497:
            return message, "Read from collections only."
    return None


def _limit_of(code: int, message: str, limits: Limits) -> str:
    """Name the limit that an error speaks of, with its value; empty when it speaks of none."""
    answer = f"{limits.result_rows} rows or {limits.result_bytes} bytes in the answer"
    reading = f"{limits.read_rows} rows or {limits.read_bytes} bytes to read"
    rows_or_bytes = answer if "result" in message.lower() else reading
    nesting = "nesting and length of a query"
    if "Query tree is too big" in message:
        return nesting
    named = {
        158: rows_or_bytes,
        159: f"{limits.seconds:g} seconds",
        160: f"{limits.seconds:g} seconds",
        167: nesting,
        168: nesting,
        241: f"{limits.memory_bytes} bytes of memory",
        243: f"{limits.memory_bytes} bytes of temporary files",
        306: nesting,
        307: rows_or_bytes,
        396: rows_or_bytes,
    }
    return named.get(code, "")


def _parameter_values(needed: Mapping[str, str], given: Mapping[str, object]) -> dict[str, object]:
    if missing := needed.keys() - given.keys():
        name = min(missing)
        raise RequestError(f"The parameter {name} ({needed[name]}) has no value.", hint=_PARAMETER_HINT)
    if unknown := given.keys() - needed.keys():
        name = min(unknown)
        raise RequestError(f"The query has no parameter {name}.", hint=f"Write {{{name}:String}} where it belongs.")
    return {name: _parameter_value(name, value) for name, value in given.items()}


def _parameter_value(name: str, value: object) -> object:
    match value:
        case None | bool() | int() | float() | Decimal():
            return value
        case str():
            return _checked_text(name, value)
        case list() | tuple():
            return [_parameter_value(name, member) for member in value]
    raise RequestError(
        f"The parameter {name} is a {type(value).__name__}.", hint="Send a string, a number, a boolean, null or a list."
    )


def _checked_text(name: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RequestError(
            f"The parameter {name} holds half of a surrogate pair.", hint="Send valid Unicode."
        ) from None
    return value


# Rendering.


@dataclass(frozen=True, slots=True)
class _Rendering:
    format: str
    """The engine's format."""
    content_type: str
    count: Callable[[bytes], int]

    def render(self, body: bytes, elapsed: float) -> SqlResult:
        if self.format == "JSONCompact":
            return _json_result(self.content_type, body, elapsed)
        return SqlResult(self.content_type, body, self.count(body))


def _json_result(content_type: str, body: bytes, elapsed: float) -> SqlResult:
    """Take the engine's rows over byte by byte, so that numbers keep every digit, and give them our own frame.

    The format writes one row to a line and escapes line breaks in texts ("JSONCompact", ClickHouse documentation).
    """
    head, _, rest = body.partition(b'\n\t"data":\n\t[\n')
    data, _, tail = rest.partition(b"\n\t],\n")
    columns = orjson.loads(head.rstrip().removesuffix(b",") + b"}")["meta"]
    summary: dict[str, Any] = orjson.loads(b"{" + tail)
    statistics = {
        "rows": summary["rows"],
        "elapsed_ms": round(elapsed * 1000, 3),
        "rows_read": summary["statistics"]["rows_read"],
        "bytes_read": summary["statistics"]["bytes_read"],
    }
    lines = data.strip().replace(b",\n\t\t", b",")
    framed = b'{"columns":%b,"rows":[%b],"statistics":%b}' % (orjson.dumps(columns), lines, orjson.dumps(statistics))
    return SqlResult(content_type, framed, summary["rows"])


def _csv_rows(body: bytes) -> int:
    """Count line ends outside of quotes, but for that of the names."""
    return sum(part.count(b"\n") for part in body.split(b'"')[::2]) - 1


def _line_count(body: bytes) -> int:
    return body.count(b"\n")


def _unknown_count(_body: bytes) -> int:
    return -1


_RENDERINGS: Mapping[str, _Rendering] = {
    "json": _Rendering("JSONCompact", "application/json", _unknown_count),
    "ndjson": _Rendering("JSONEachRow", "application/x-ndjson", _line_count),
    "csv": _Rendering("CSVWithNames", "text/csv; charset=utf-8", _csv_rows),
    "parquet": _Rendering("Parquet", "application/vnd.apache.parquet", _unknown_count),
}
