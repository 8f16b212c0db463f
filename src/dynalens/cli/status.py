"""`dynalens status`: what is kept, how fresh it is, and what needs attention."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.styled import Styled
from rich.text import Text

from dynalens.cli.client import Client, UnreachableError, parsed
from dynalens.cli.options import AsJson, ConfigFile, Url, client, examples
from dynalens.cli.output import PHASE_STYLES, duration, moment, printable, stdout, table, write
from dynalens.errors import EXIT_ATTENTION, EXIT_OK

Answer = dict[str, Any]
"""The answer of `GET /api/v1/status`."""

WATCH_SECONDS = 1.0
_ALARMING = {"stalled", "gap"}


EXAMPLES = examples(
    "dynalens status", "dynalens status --watch", "dynalens status --positions", "dynalens status --json"
)


def command(  # noqa: PLR0913 - one for each option
    context: typer.Context,
    *,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again every second, until Ctrl-C.")] = False,
    positions: Annotated[
        bool, typer.Option("--positions", help="List how far each open shard and scan segment is applied too.")
    ] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """Show how each collection does in each target: phase, lag, gaps, dead letters, errors.

    What an error's code or an alert means, and what to do: docs/runbook.md.

    The exit code is 3 when something is stalled, has a gap, differs from its table or left dead letters.
    """
    server = client(context, config, url)
    if watch:
        return _watch(server, as_json=as_json, positions=positions)
    answer = server.get("/api/v1/status")
    status = parsed(answer)
    if as_json:
        write(answer)
    else:
        stdout().print(rendered(status, positions=positions))
    return EXIT_ATTENTION if needs_attention(status) else EXIT_OK


def needs_attention(status: Answer) -> bool:
    """Tell whether a person has to look: a gap, a stalled target, documents that differ, or dead letters."""
    return bool(status["dead_letters"]) or any(
        row["phase"] in _ALARMING or row["differences"] for row in status["collections"]
    )


def rendered(status: Answer, *, positions: bool = False) -> RenderableType:
    """Render a status: a row for each collection and target, and below it what needs attention, and positions."""
    grid = table(
        "collection", "target", "phase", "documents", "lag", "waiting", "dead letters",
        right=("documents", "lag", "waiting", "dead letters"),
    )  # fmt: skip
    for row in status["collections"]:
        grid.add_row(
            printable(row["collection"]),
            row["target"],
            Text(_phase(row), style=PHASE_STYLES[row["phase"]]),
            "" if row["documents"] is None else f"{row['documents']:,}",
            duration(row["lag_seconds"]),
            f"{row['waiting']:,}",
            Text(f"{row['dead_letters']:,}", style="red" if row["dead_letters"] else ""),
        )
    return Group(grid, *_remarks(status), *([Text(), _positions(status)] if positions else []))


def _positions(status: Answer) -> RenderableType:
    grid = table("table", "target", "partition", "position")
    for row in status["positions"]:
        grid.add_row(*(printable(row[name]) for name in ("table", "target", "partition", "position")))
    return grid


def _phase(row: Answer) -> str:
    progress = row["progress"]
    return f"{row['phase']} {progress:.0%}" if row["phase"] in {"backfilling", "rebuilding"} else row["phase"]


def _remarks(status: Answer) -> Iterator[Text]:
    for row in status["collections"]:
        where = f"{row['collection']} in {row['target']}"
        for gap in row["gaps"]:
            yield Text(printable(f"{where}: changes {_between(gap)} were lost: {gap['reason']}"), style="red")
        if count := row["differences"]:
            differ = "document differs" if count == 1 else "documents differ"
            repair = f"dynalens verify {row['collection']} --target {row['target']} --repair"
            found = f"{count:,} {differ} from the table, found {moment(row['verified_at'])}"
            yield Text(printable(f"{where}: {found}: {repair}"), style="red")
        if row["scan_total"]:
            yield Text(f"{where}: {row['scanned']:,} of about {row['scan_total']:,} rows are copied")
        if error := row["error"]:
            said = f"{where}: {error['message']} {error['hint']}".rstrip()
            yield Text(printable(f"{said} [{error['code']}]"), style="yellow")
    if letters := status["dead_letters"]:
        wait = "dead letter waits" if letters == 1 else "dead letters wait"
        yield Text(f"{letters:,} {wait}. See: dynalens dlq list", style="red")


def _between(gap: Answer) -> str:
    since, until = (moment(gap[name]) if gap[name] else "an unknown time" for name in ("since", "until"))
    return f"from {since} to {until}"


def _watch(server: Client, *, as_json: bool, positions: bool) -> int:
    console = stdout()
    with suppress(KeyboardInterrupt):
        if console.is_terminal and not as_json:
            _show_live(server, console, positions=positions)
        while True:
            answer = server.get("/api/v1/status")
            if as_json:
                write(answer)
            else:
                console.print(rendered(parsed(answer), positions=positions))
            time.sleep(WATCH_SECONDS)
    return EXIT_OK


def _show_live(server: Client, console: Console, *, positions: bool) -> None:
    """Show the newest status in place. One that is old stays, greyed, below the reason: old figures beat none."""
    last: RenderableType = ""
    with Live(console=console, auto_refresh=False) as live:
        while True:
            try:
                last = frame = rendered(parsed(server.get("/api/v1/status")), positions=positions)
            except UnreachableError as error:
                frame = Group(Text(f"{error.message} {error.hint}", style="red"), Styled(last, "dim"))
            live.update(frame, refresh=True)
            time.sleep(WATCH_SECONDS)
