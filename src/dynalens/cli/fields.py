"""`dynalens fields`: what a collection's documents look like, and which values do not fit their SQL column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any
from urllib.parse import quote

import typer
from rich.table import Table
from rich.text import Text

from dynalens.cli.client import parsed
from dynalens.cli.options import AsJson, ConfigFile, Url, client, examples
from dynalens.cli.output import printable, stderr, stdout, table, write
from dynalens.errors import EXIT_ATTENTION, EXIT_OK

Answer = Mapping[str, Any]
"""The answer of `GET /api/v1/collections/{collection}`, or one of its fields."""


EXAMPLES = examples("dynalens fields donations", "dynalens fields donations --json")


def command(
    context: typer.Context,
    *,
    collection: Annotated[str, typer.Argument(metavar="COLLECTION", help="Name of the collection.")],
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """List a collection's fields: types seen with the number of documents, SQL column, drift.

    Drift counts values that do not fit the field's column: each is NULL there, and whole in _doc. The exit code is 3
    when any field has drift.
    """
    answer = client(context, config, url).get(f"/api/v1/collections/{quote(collection, safe='')}")
    found = parsed(answer)
    drifting = [field for field in found["fields"] if field["drift"]]
    if as_json:
        write(answer)
    else:
        _print(found, drifting)
    return EXIT_ATTENTION if drifting else EXIT_OK


def _print(found: Answer, drifting: Sequence[Answer]) -> None:
    if found["fields"]:
        stdout().print(_grid(found["fields"]))
    console = stderr()
    console.print(Text(f"{found['documents']:,} {'document' if found['documents'] == 1 else 'documents'}", style="dim"))
    for field in drifting:
        console.print(Text(_remark(field), style="red"), soft_wrap=True)


def _grid(fields: Sequence[Answer]) -> Table:
    grid = table("field", "types", "column", "drift", right=("drift",))
    for field in fields:
        grid.add_row(
            printable(field["name"]),
            ", ".join(f"{kind} {count:,}" for kind, count in field["types"].items()),
            printable(field["column"]),
            Text(f"{field['drift']:,}", style="red" if field["drift"] else ""),
        )
    return grid


def _remark(field: Answer) -> str:
    one = field["drift"] == 1
    values, it_is = ("value does", "it is") if one else ("values do", "they are")
    return printable(
        f"{field['name']}: {field['drift']:,} {values} not fit the column {field['column']}; "
        f"{it_is} NULL there, and whole in _doc."
    )
