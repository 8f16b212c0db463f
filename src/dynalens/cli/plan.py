"""`dynalens plan`: what starting with the file as it is would build, rebuild and end, and what reading for it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.table import Table
from rich.text import Text

from dynalens import clock
from dynalens.cli.check import print_flaws
from dynalens.cli.inspection import PATIENCE, Flaw, TableCheck, check_tables, verdict
from dynalens.cli.options import AsJson, ConfigFile, config_file, examples
from dynalens.cli.output import byte_size, duration, printable, stderr, stdout, table, write
from dynalens.config import Config, Difference, load, store_location
from dynalens.errors import EXIT_ATTENTION, EXIT_FAILED, EXIT_OK, SourceError

if TYPE_CHECKING:
    from dynalens.plan import Action, Step, Store

EXAMPLES = examples("dynalens plan", "dynalens -c staging.yaml plan --json")

_SIGNS: dict[Action, tuple[str, str]] = {
    "build": ("+", "green"),
    "rebuild": ("~", "yellow"),
    "end": ("-", "red"),
    "keep": (" ", ""),
}
_MOST_CHARACTERS = 80
"""Of a setting's value; --json gives all of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One scan of a table, which fills all generations that are begun together.

    Attributes:
        table: The table's name.
        consistent: Whether it reads strongly consistently.
        items: How many items it reads, by DynamoDB's estimate; None where the table could not be asked.
        size_bytes: How large they are, by the same.
        read_units: What it costs.
        seconds: How long it takes at `source.scan_read_units`, at least.
    """

    table: str
    consistent: bool
    items: int | None = None
    size_bytes: int | None = None
    read_units: float | None = None
    seconds: float | None = None


def command(context: typer.Context, *, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show what starting with this file would build, rebuild and end, and why.

    Tells what reading the tables for it costs and how long that takes at least. It changes nothing, and may run beside
    a worker. To apply the plan, stop that worker and start it again: dynalens up, or dynalens worker where the file
    names a store.

    The exit code is 3 when there is something to do, 0 when there is nothing, and 1 when a table could not be asked.
    """
    path = config_file(context, config)
    settings = load(path)
    tables = _looked_at(settings)
    found = _steps(settings, tables)
    readings = list(_readings(found, tables))
    if as_json:
        _write(path, found, readings, tables)
    else:
        _print(settings, found, readings)
        print_flaws(tables)
    return _exit_code(found, tables)


def _exit_code(found: Sequence[Step], tables: Sequence[TableCheck]) -> int:
    if verdict(tables) == EXIT_FAILED:
        return EXIT_FAILED
    return EXIT_ATTENTION if any(step.action != "keep" for step in found) else verdict(tables)


def replacing(settings: Config) -> list[Step]:
    """Give what a process over the data folder would rebuild, end or copy elsewhere; a new collection is no news.

    Raises:
        StoreError: The store in the folder cannot be read.
    """
    found = _steps(settings.model_copy(update={"store": None}), ())
    return [step for step in found if step.action in {"rebuild", "end"} or step.differences]


# Finding out.


def _looked_at(settings: Config) -> list[TableCheck]:
    try:
        return check_tables(settings)
    except SourceError as error:
        names = dict.fromkeys(collection.table for collection in settings.collections.values())
        return [TableCheck(name=name, flaws=[Flaw.of(error)]) for name in names]


def _steps(settings: Config, tables: Sequence[TableCheck]) -> list[Step]:
    from dynalens.plan import steps
    from dynalens.position.dynamodb.items import MissingStoreError
    from dynalens.position.sqlite import SqliteStore

    streams = {check.name: check.stream_arn for check in tables if check.keys}
    try:
        with _opened(settings) as store:
            return steps(settings, store, streams, now=clock.now())
    except MissingStoreError as error:
        stderr().print(Text(printable(f"{error.message} {error.hint}"), style="red"), soft_wrap=True)
        with closing(SqliteStore(":memory:")) as nothing:
            return steps(settings, nothing, streams, now=clock.now())


@contextmanager
def _opened(settings: Config) -> Iterator[Store]:
    from dynalens.position.dynamodb import DynamoStore
    from dynalens.position.sqlite.snapshot import snapshot
    from dynalens.runtime.up import STORE_NAME

    if settings.store is None:
        with snapshot(settings.data_folder / STORE_NAME) as store:
            yield store
    else:
        location = store_location(settings.store, settings.source)
        with closing(DynamoStore(location, retries=PATIENCE)) as shared:
            yield shared


def _readings(found: Sequence[Step], tables: Sequence[TableCheck]) -> Iterator[Reading]:
    """Give the scans: what is begun together in several targets is filled by one."""
    for check in tables:
        begun = {step.consistent for step in found if step.table == check.name and step.begun}
        for consistent in sorted(begun):
            if not check.keys:
                yield Reading(table=check.name, consistent=consistent)
                continue
            # "Read consumption" in the developer guide: strongly consistent reads take twice as many.
            times = 2 if consistent else 1
            yield Reading(
                table=check.name,
                consistent=consistent,
                items=check.items,
                size_bytes=check.size_bytes,
                read_units=check.read_units * times,
                seconds=check.scan_seconds * times,
            )


# Telling.


def _write(path: Path, found: Sequence[Step], readings: Sequence[Reading], tables: Sequence[TableCheck]) -> None:
    findings = {
        "file": str(path),
        "ok": _exit_code(found, tables) == EXIT_OK,
        "summary": _counts(found),
        "steps": [asdict(step) for step in found],
        "scans": [asdict(reading) for reading in readings],
        "tables": [asdict(check) for check in tables],
    }
    write(json.dumps(findings, indent=2).encode())


def _counts(found: Sequence[Step]) -> dict[Action, int]:
    counted = Counter(step.action for step in found)
    return {action: counted[action] for action in _SIGNS}


def _print(settings: Config, found: Sequence[Step], readings: Sequence[Reading]) -> None:
    console = stdout()
    for step in found:
        console.print(described(step), soft_wrap=True)
    console.print()
    if readings:
        console.print(_scans(readings), "", sep="\n")
    if any(reading.items is not None for reading in readings):
        stderr().print(
            "Items and sizes are DynamoDB's estimates, about six hours old. A scan takes at most "
            f"{settings.source.scan_read_units:,g} read units a second (source.scan_read_units).",
            soft_wrap=True,
        )
    console.print(_summary(found))


def described(step: Step) -> Text:
    """Say in a line what would come of a collection in a target, and below it why."""
    sign, style = _SIGNS[step.action]
    text = Text(printable(f"{sign} {step.collection} in {step.target}: {_what(step)}"), style)
    for reason in [*map(_change, step.differences), *step.reasons]:
        text.append(f"\n    {printable(reason)}", style="default")
    return text


def _what(step: Step) -> str:
    match step.action:
        case "build":
            return "first copy"
        case "rebuild":
            return f"built anew as generation {step.begun}; generation {step.served} is served until it has caught up"
        case "end":
            return f"follows {step.table} no longer; what was copied stays there as it is"
    return "unchanged"


def _change(different: Difference) -> str:
    return f"{different.setting}: {_value(different.old)} → {_value(different.new)}"


def _value(value: str | None) -> str:
    if value is None:
        return "not set"
    return value if len(value) <= _MOST_CHARACTERS else f"{value[:_MOST_CHARACTERS]}…"


def _scans(readings: Sequence[Reading]) -> Table:
    grid = table(
        "table", "is read", "items", "size", "read units", "takes", right=("items", "size", "read units", "takes")
    )
    for reading in readings:
        grid.add_row(
            printable(reading.table),
            "strongly consistently" if reading.consistent else "eventually consistently",
            "unknown" if reading.items is None else f"about {reading.items:,}",
            "unknown" if reading.size_bytes is None else byte_size(reading.size_bytes),
            "unknown" if reading.read_units is None else f"{reading.read_units:,.1f}",
            "unknown" if reading.seconds is None else duration(reading.seconds),
        )
    return grid


def _summary(found: Sequence[Step]) -> str:
    counts = _counts(found)
    return (
        f"Plan: {counts['build']} to build, {counts['rebuild']} to rebuild, {counts['end']} to end,"
        f" {counts['keep']} unchanged."
    )
