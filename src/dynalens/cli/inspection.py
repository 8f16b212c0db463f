"""What `dynalens check` looks at: each table at the source, each target where it is."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynalens.config import EMBEDDED_METRICS, Config, masked
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

_PATIENCE = RetryPolicy(attempts=3, total_seconds=5.0)
"""A person waits for the answer."""

_ENGINE = ("chdb", "clickhouse_connect")
"""What the embedded SQL engine is imported from."""

_FOUND_OUT = (TableNotFoundError, StreamDisabledError, ViewTypeError, MissingExtraError, TargetError)
"""What the check found out; any other error kept it from finding out."""


@dataclass(frozen=True, slots=True)
class Flaw:
    """What is wrong with a part and what to do about it; `exit_code` says what it means for the whole check."""

    code: str
    message: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: DynalensError) -> Flaw:
        """Make one of an error."""
        return cls(
            error.code, error.message, error.hint, EXIT_ATTENTION if isinstance(error, _FOUND_OUT) else EXIT_FAILED
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCheck:
    """One table. Items and bytes are DynamoDB's estimates, about six hours old.

    Attributes:
        keys: Names of the key attributes.
        view_type: What the stream's records carry, empty without a stream.
        read_units: What a first copy costs: a scan, eventually consistent.
        scan_seconds: How long it takes at `source.scan_read_units`, at least.
    """

    name: str
    keys: Sequence[str] = ()
    items: int = 0
    size_bytes: int = 0
    view_type: str = ""
    read_units: float = 0.0
    scan_seconds: float = 0.0
    flaws: Sequence[Flaw] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetCheck:
    """One target; its URL without a password."""

    name: str
    url: str
    flaws: Sequence[Flaw] = ()


def verdict(parts: Sequence[TableCheck | TargetCheck]) -> int:
    """Give the exit code: 1 if something could not be checked, 3 if something is to be done, 0 if all is well."""
    codes = {flaw.exit_code for part in parts for flaw in part.flaws}
    return EXIT_FAILED if EXIT_FAILED in codes else EXIT_ATTENTION if codes else EXIT_OK


def check_targets(config: Config, *, offline: bool) -> list[TargetCheck]:
    """Check that what the targets need is installed and, unless offline, that servers answer."""
    checks: dict[str, tuple[str | None, Callable[[], None]]] = {
        "sql": (config.targets.sql, _check_engine),
        "metrics": (config.targets.metrics, lambda: _check_metrics(config, offline=offline)),
    }
    return [
        TargetCheck(name=name, url=masked(url), flaws=list(_flaws(check)))
        for name, (url, check) in checks.items()
        if url
    ]


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
    from dynalens.source.scan import UNIT_BYTES
    from dynalens.source.table import require_new_images, require_stream, table_info

    try:
        info = table_info(aws, name, policy=_PATIENCE)
    except DynalensError as error:
        return TableCheck(name=name, flaws=[Flaw.of(error)])

    def check_stream() -> None:
        require_stream(info)
        require_new_images(info)

    # "Read consumption": a unit reads 4 KB strongly consistently, or twice that eventually consistently.
    read_units = math.ceil(info.size_bytes / UNIT_BYTES) / 2
    return TableCheck(
        name=name,
        keys=info.keys.names,
        items=info.item_count,
        size_bytes=info.size_bytes,
        view_type=info.view_type,
        read_units=read_units,
        scan_seconds=read_units / config.source.scan_read_units,
        flaws=list(_flaws(check_stream)),
    )


def _check_engine() -> None:
    if any(importlib.util.find_spec(package) is None for package in _ENGINE):
        raise MissingExtraError("The embedded SQL engine")


def _check_metrics(config: Config, *, offline: bool) -> None:
    from dynalens.target.metrics import open_metrics
    from dynalens.target.metrics.embedded import find_binary

    url = config.targets.metrics
    if url == EMBEDDED_METRICS:
        find_binary()
    elif url and not offline:
        with closing(open_metrics(url, folder=config.path.parent, collections=config.collections)) as target:
            target.ping()


def _flaws(check: Callable[[], None]) -> Iterator[Flaw]:
    try:
        check()
    except DynalensError as error:
        yield Flaw.of(error)
