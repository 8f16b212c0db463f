"""`dynalens sql`: one query, answered as a table or in a format for programs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import typer
from rich.text import Text

from dynalens.change import NumberText
from dynalens.cli.options import ConfigFile, Url, client, examples
from dynalens.cli.output import duration, stderr, stdout, table, write
from dynalens.cli.value import cell, exact
from dynalens.errors import EXIT_OK, UsageError

Format = Literal["table", "json", "ndjson", "csv"]


EXAMPLES = examples(
    'dynalens sql "SELECT platform, sum(amount) FROM donations GROUP BY platform"',
    'dynalens sql "SELECT * FROM donations WHERE amount > {least:Int64}" --param least=99 --format csv',
)


def command(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT. Each collection is a view of its name.")],
    param: Annotated[
        list[str] | None, typer.Option(metavar="NAME=VALUE", help="Value of {NAME:Type} in the query; may be repeated.")
    ] = None,
    output: Annotated[Format, typer.Option("--format", help="How to print the rows.")] = "table",
    as_json: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """Ask a running Dynalens in SQL."""
    chosen = "json" if as_json else output
    body = {"query": query, "parameters": _parameters(param or []), "format": "json" if chosen == "table" else chosen}
    answer = client(context, config, url).post("/api/v1/sql", body)
    if chosen == "table":
        _print_table(exact(answer))
    else:
        write(answer)
    return EXIT_OK


def _parameters(given: list[str]) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for parameter in given:
        name, equals, value = parameter.partition("=")
        if not (name and equals):
            raise UsageError(f"{parameter!r} is no parameter.", hint="Write --param NAME=VALUE")
        if name in parameters:
            raise UsageError(f"The parameter {name} is given twice.", hint="Write it once.")
        parameters[name] = value
    return parameters


def _print_table(answer: dict[str, Any]) -> None:
    names = [column["name"] for column in answer["columns"]]
    rows = answer["rows"]
    grid = table(*names)
    for index, column in enumerate(grid.columns):
        if any(isinstance(row[index], NumberText) for row in rows):
            column.justify = "right"
    for row in rows:
        grid.add_row(*map(cell, row))
    stdout().print(grid)
    elapsed = answer["statistics"].get("elapsed")
    after = f" in {duration(float(elapsed))}" if elapsed is not None else ""
    stderr().print(Text(f"{len(rows)} {'row' if len(rows) == 1 else 'rows'}{after}", style="dim"))
