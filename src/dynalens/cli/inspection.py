"""What `dynalens check` looks at: each table at the source, each target where it is."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from dynalens.config import EMBEDDED_METRICS, Config, SourceConfig, masked
from dynalens.errors import (
    EXIT_ATTENTION,
    EXIT_FAILED,
    EXIT_OK,
    DynalensError,
    MissingExtraError,
    StreamDisabledError,
    TableNotFoundError,
    TargetError,
    ViewTypeError,
)
from dynalens.retry import RetryPolicy

if TYPE_CHECKING:
    from dynalens.source.aws import Aws
    from dynalens.source.table import TableInfo

PATIENCE = RetryPolicy(attempts=3, total_seconds=5.0)
"""A person waits for the answer."""

_SQL_ENGINE = ("chdb", "clickhouse_connect")
_SEARCH_ENGINE = ("rapidfuzz", "regex", "tantivy")
"""What the embedded engines are imported from."""

_FOUND_OUT = (TableNotFoundError, StreamDisabledError, ViewTypeError, MissingExtraError, TargetError)
"""What the check found out; any other error kept it from finding out."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a part, and what to do; `found_out` is false where the check itself could not be made."""

    code: str
    message: str
    hint: str
    found_out: bool

    @classmethod
    def of(cls, error: DynalensError) -> Flaw:
        """Make one of an error."""
        return cls(error.code, error.message, error.hint, isinstance(error, _FOUND_OUT))


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCheck:
    """One table. Items and bytes are DynamoDB's estimates, about six hours old.

    Attributes:
        keys: Names of the key attributes.
        stream_arn: The enabled stream; empty without one.
        view_type: What its records carry; empty without a stream.
        read_units: What a first copy costs: a scan, eventually consistent.
        scan_seconds: How long it takes at `source.scan_read_units`, at least.
    """

    name: str
    keys: Sequence[str] = ()
    items: int = 0
    size_bytes: int = 0
    stream_arn: str = ""
    view_type: str = ""
    read_units: float = 0.0
    scan_seconds: float = 0.0
    flaws: Sequence[Flaw] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCheck:
    """One target; its URL without a password. A server is asked only online."""

    name: str
    url: str
    asked: bool
    flaws: Sequence[Flaw] = ()


def verdict(parts: Sequence[TableCheck | TargetCheck]) -> int:
    """Give the exit code: 1 if something could not be checked, 3 if something is to be done, 0 if all is well."""
    flaws = [flaw for part in parts for flaw in part.flaws]
    if any(not flaw.found_out for flaw in flaws):
        return EXIT_FAILED
    return EXIT_ATTENTION if flaws else EXIT_OK


def check_targets(config: Config, *, offline: bool) -> list[TargetCheck]:
    """Check that what the targets need is installed and, unless offline, that servers answer."""
    checks: list[TargetCheck] = []
    if url := config.targets.search:
        check_engine = partial(_check_engine, "search", _SEARCH_ENGINE)
        checks.append(TargetCheck(name="search", url=masked(url), asked=True, flaws=_flaws(check_engine)))
    if url := config.targets.sql:
        checks.append(_checked_sql(url, offline=offline))
    if url := config.targets.metrics:
        check = _check_embedded if url == EMBEDDED_METRICS else partial(_check_server, config, url)
        asked = url == EMBEDDED_METRICS or not offline
        checks.append(TargetCheck(name="metrics", url=masked(url), asked=asked, flaws=_flaws(check) if asked else ()))
    return checks


def _checked_sql(url: str, *, offline: bool) -> TargetCheck:
    from dynalens.target.sql import check_sql_server, is_sql_server

    if not is_sql_server(url):
        flaws = _flaws(partial(_check_engine, "SQL", _SQL_ENGINE))
        return TargetCheck(name="sql", url=masked(url), asked=True, flaws=flaws)
    flaws = [] if offline else _flaws(partial(check_sql_server, url))
    return TargetCheck(name="sql", url=masked(url), asked=not offline, flaws=flaws)


def check_tables(config: Config) -> list[TableCheck]:
    """Ask the source for each table.

    Raises:
        SourceError: The source cannot be asked at all: no region, no such profile.
    """
    from dynalens.source.aws import Aws

    names = dict.fromkeys(collection.table for collection in config.collections.values())
    with closing(Aws(config.source)) as aws:
        return [_check_table(aws, name, config) for name in names]


def _check_table(aws: Aws, name: str, config: Config) -> TableCheck:
    from dynalens.source.table import table_info

    try:
        info = table_info(aws, name, policy=PATIENCE)
    except DynalensError as error:
        return TableCheck(name=name, flaws=[Flaw.of(error)])
    return check_info(info, config.source)


def check_info(info: TableInfo, source: SourceConfig) -> TableCheck:
    """Check whether a table that was described can serve, and what its first copy costs. Asks nobody."""
    from dynalens.source.scan import UNIT_BYTES
    from dynalens.source.table import require_new_images, require_stream

    def check_stream() -> None:
        require_stream(info)
        require_new_images(info)

    # "Read consumption": a unit reads 4 KB strongly consistently, or twice that eventually consistently.
    read_units = math.ceil(info.size_bytes / UNIT_BYTES) / 2
    return TableCheck(
        name=info.name,
        keys=info.keys.names,
        items=info.item_count,
        size_bytes=info.size_bytes,
        stream_arn=info.stream_arn,
        view_type=info.view_type,
        read_units=read_units,
        scan_seconds=read_units / source.scan_read_units,
        flaws=_flaws(check_stream),
    )


def _check_engine(name: str, packages: Sequence[str]) -> None:
    if any(importlib.util.find_spec(package) is None for package in packages):
        raise MissingExtraError(f"The embedded {name} engine")


def _check_embedded() -> None:
    from dynalens.target.metrics.embedded import find_binary

    find_binary()


def _check_server(config: Config, url: str) -> None:
    from dynalens.target.metrics import open_metrics

    with closing(open_metrics(url, folder=config.path.parent, collections=config.collections)) as target:
        target.ping()


def _flaws(check: Callable[[], object]) -> list[Flaw]:
    try:
        check()
    except DynalensError as error:
        return [Flaw.of(error)]
    return []
