"""`dynalens dlq`: what targets could not hold, why, and applying it again."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from dynalens.cli.client import parsed
from dynalens.cli.options import AsJson, ConfigFile, Url, client, examples
from dynalens.cli.output import moment, printable, stderr, stdout, table, write
from dynalens.errors import EXIT_OK, UsageError

State = Literal["waiting", "redrive", "done"]

app = typer.Typer(
    help="List, show and redrive dead letters.\n\n"
    "A dead letter is a change that a target could not hold. It is kept whole, with the reason, until it is redriven."
)


@app.command(
    "list", epilog=examples("dynalens dlq list", "dynalens dlq list --collection donations --state waiting --json")
)
def list_letters(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    collection: Annotated[str | None, typer.Option(metavar="NAME", help="Only those of one collection.")] = None,
    state: Annotated[State | None, typer.Option(help="Only those in one state.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, metavar="N", help="How many, oldest first.")] = 100,
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """List dead letters, oldest first."""
    answer = client(context, config, url).get("/api/v1/dead-letters", collection=collection, state=state, limit=limit)
    letters = parsed(answer)["dead_letters"]
    if as_json:
        write(answer)
    elif letters:
        _print_letters(letters)
    else:
        stderr().print("No dead letters.")
    return EXIT_OK


@app.command("show", epilog=examples("dynalens dlq show 12", "dynalens dlq show 12 --json"))
def show_letter(
    context: typer.Context,
    *,
    number: Annotated[int, typer.Argument(min=1, metavar="NUMBER", help="Its number, as listed.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """Show one dead letter with its whole record."""
    answer = client(context, config, url).get(f"/api/v1/dead-letters/{number}")
    letter = parsed(answer)
    if as_json:
        write(answer)
    else:
        _print_letter(letter)
    return EXIT_OK


@app.command("redrive", epilog=examples("dynalens dlq redrive 12 13", "dynalens dlq redrive --all"))
def redrive(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    numbers: Annotated[list[int] | None, typer.Argument(min=1, metavar="[NUMBER]...", help="Their numbers.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that wait.")] = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """Apply dead letters again, once their cause is mended. `dlq list` then shows them as done, or waiting anew."""
    if bool(numbers) == everything:
        raise UsageError(
            "Say which dead letters.", hint="Write dynalens dlq redrive 12 13, or: dynalens dlq redrive --all"
        )
    answer = client(context, config, url).post("/api/v1/dead-letters/redrive", {"numbers": numbers or None})
    requested = parsed(answer)["requested"]
    if as_json:
        write(answer)
    else:
        stderr().print(f"{requested:,} {'is' if requested == 1 else 'are'} applied again. See: dynalens dlq list")
    return EXIT_OK


def _print_letters(letters: list[dict[str, Any]]) -> None:
    grid = table("number", "state", "target", "collection", "id", "reason", "stored", right=("number",))
    for letter in letters:
        grid.add_row(
            str(letter["number"]),
            Text(letter["state"], style="red" if letter["state"] == "waiting" else ""),
            letter["target"],
            printable(letter["collection"] or "(unreadable)"),
            printable(letter["document_id"]),
            printable(f"{letter['code']}: {letter['message']}"),
            moment(letter["stored_at"]),
        )
    stdout().print(grid)


def _print_letter(letter: dict[str, Any]) -> None:
    grid = table("field", "value")
    for name, value in letter.items():
        if name != "record":
            shown = moment(value) if name in {"created_at", "stored_at"} and value else value
            grid.add_row(name.replace("_", " "), printable(str(shown)))
    console = stdout()
    console.print(grid)
    console.print(Text(json.dumps(letter["record"], indent=2)))
