"""`dynalens check`: whether the file, the tables and the targets can work together, before anything is started."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from dynalens.cli.inspection import TableCheck, TargetCheck, check_tables, check_targets, verdict
from dynalens.cli.options import AsJson, ConfigFile, config_file, examples
from dynalens.cli.output import byte_size, duration, printable, stderr, stdout, table, write
from dynalens.config import Config, ConfigFileError, load, load_dashboards, place_text
from dynalens.errors import EXIT_OK

EXAMPLES = examples("dynalens check", "dynalens check --offline", "dynalens -c staging.yaml check --json")


def command(
    context: typer.Context,
    *,
    offline: Annotated[
        bool, typer.Option("--offline", help="Read the file only; ask neither AWS nor servers.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
) -> int:
    """Check file, tables, streams and targets, and what a first copy costs.

    The exit code is 3 when something has to be done first, such as turning a table's stream on, and 2 when the file
    has errors.
    """
    path = config_file(context, config)
    try:
        settings = load(path)
        load_dashboards(settings)
    except ConfigFileError as error:
        if not as_json:
            raise
        _write_problems(error)
        return error.exit_code
    _check_server(settings)
    targets = check_targets(settings, offline=offline)
    tables = [] if offline else check_tables(settings)
    if as_json:
        _write_findings(path, settings, targets, tables)
    else:
        _print_findings(path, settings, targets, tables)
    return verdict([*targets, *tables])


def _check_server(settings: Config) -> None:
    from dynalens.server import check_bind

    check_bind(settings.server.host)


def _write_problems(error: ConfigFileError) -> None:
    problems = [
        {"line": problem.line, "setting": place_text(problem.place), "message": problem.message}
        for problem in error.problems
    ]
    write(json.dumps({"file": str(error.path), "ok": False, "problems": problems}, indent=2).encode())


def _write_findings(path: Path, settings: Config, targets: Sequence[TargetCheck], tables: Sequence[TableCheck]) -> None:
    findings = {
        "file": str(path),
        "ok": verdict([*targets, *tables]) == EXIT_OK,
        "problems": [],
        "collections": [
            {"name": name, "table": collection.table, "metrics": list(collection.metrics)}
            for name, collection in settings.collections.items()
        ],
        "targets": [asdict(target) for target in targets],
        "tables": [asdict(check) for check in tables],
    }
    write(json.dumps(findings, indent=2).encode())


def _print_findings(path: Path, settings: Config, targets: Sequence[TargetCheck], tables: Sequence[TableCheck]) -> None:
    stdout().print(
        _collections(settings), "", _targets(targets), *(["", table_grid(tables)] if tables else []), sep="\n"
    )
    parts: list[TableCheck | TargetCheck] = [*targets, *tables]
    print_flaws(parts)
    if verdict(parts) == EXIT_OK:
        stderr().print(Text(f"{path} is right. Start it: dynalens up"), soft_wrap=True)


def print_flaws(parts: Sequence[TableCheck | TargetCheck]) -> None:
    """Say on stderr what is wrong with each part, and what to do."""
    console = stderr()
    for part in parts:
        for flaw in part.flaws:
            console.print(Text(printable(f"{part.name}: {flaw.message}"), style="red"), soft_wrap=True)
            console.print(Text(printable(f"  {flaw.hint}")), soft_wrap=True)


def _collections(settings: Config) -> Table:
    grid = table("collection", "table", "metrics")
    for name, collection in settings.collections.items():
        grid.add_row(name, collection.table, ", ".join(collection.metrics))
    return grid


def _targets(targets: Sequence[TargetCheck]) -> Table:
    grid = table("target", "where", "state")
    for target in targets:
        grid.add_row(target.name, printable(target.url), _state(target) if target.asked else "not asked")
    return grid


def table_grid(tables: Sequence[TableCheck]) -> Table:
    """Show tables with their streams and what a first copy costs."""
    grid = table("table", "key", "items", "size", "stream", "first copy", "state", right=("items", "size"))
    for check in tables:
        grid.add_row(
            check.name,
            ", ".join(map(printable, check.keys)),
            f"about {check.items:,}" if check.keys else "",
            byte_size(check.size_bytes) if check.keys else "",
            check.view_type or ("none" if check.keys else ""),
            _first_copy(check) if check.keys else "",
            _state(check),
        )
    return grid


def _first_copy(check: TableCheck) -> str:
    units = f"{check.read_units:,.0f}"
    return f"{units} read unit{'' if units == '1' else 's'}, {duration(check.scan_seconds)}"


def _state(part: TableCheck | TargetCheck) -> Text:
    if not part.flaws:
        return Text("ok", style="green")
    return Text("to do" if all(flaw.found_out for flaw in part.flaws) else "unknown", style="red")
