"""`dynalens verify`: whether targets hold what the table holds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from rich.text import Text

from dynalens.cli.following import Asked, Collection, NoWait, TargetName, ask, follow, place, tell, tell_numbers
from dynalens.cli.options import AsJson, ConfigFile, Url, client, examples
from dynalens.cli.output import printable, stdout, table
from dynalens.errors import EXIT_ATTENTION, EXIT_OK, UsageError

EXAMPLES = examples(
    "dynalens verify donations",
    "dynalens verify donations --sample 5%",
    "dynalens verify donations --target sql --repair --rate 200",
)

_KINDS = ("lost", "extra", "stale")


def _share(text: str) -> float:
    """Read a share: `5%` or `0.05`."""
    try:
        share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        share = 0.0
    if not 0 < share <= 1:
        raise UsageError(f"{text!r} is no share of documents.", hint="Write for example --sample 5%")
    return share


def command(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    collection: Collection,
    target: TargetName = None,
    sample: Annotated[str, typer.Option(metavar="SHARE", help="Compare a share of the documents.")] = "100%",
    repair: Annotated[bool, typer.Option("--repair", help="Apply again what differs.")] = False,
    rate: Annotated[float, typer.Option(metavar="N", help="Documents per second, at most.")] = 1000.0,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """Compare a collection with its table, while both change, and say what is lost, extra or stale.

    The exit code is 3 when something differs and was not repaired.
    """
    options = {"sample": _share(sample), "repair": repair, "rate": rate}
    server = client(context, config, url)
    requests = ask(server, collection, {"kind": "verify", "options": options}, target)
    if no_wait:
        tell(requests, as_json=as_json)
        if not as_json:
            tell_numbers(requests)
        return EXIT_OK
    requests = follow(server, requests)
    if not as_json:
        _print(requests)
    tell(requests, as_json=as_json)
    return EXIT_ATTENTION if any(map(_needs_attention, requests)) else EXIT_OK


def _needs_attention(request: Asked) -> bool:
    outcome = request["outcome"]
    differences = sum(outcome[kind]["count"] for kind in _KINDS)
    return bool(differences > outcome["repaired"]) or not outcome["complete"]


def _print(requests: Sequence[Asked]) -> None:
    counts = ("compared", *_KINDS, "repaired", "in flight", "unchecked")
    grid = table("target", *counts, right=counts)
    compared = [one for one in requests if one["state"] == "done"]
    for one in compared:
        outcome = one["outcome"]
        differing = [outcome[kind]["count"] for kind in _KINDS]
        numbers = [outcome["scanned"], *differing, outcome["repaired"], outcome["in_flight"], outcome["unchecked"]]
        grid.add_row(one["target"], *(f"{number:,}" for number in numbers))
    console = stdout()
    if compared:
        console.print(grid)
    for remark in (remark for one in compared for remark in _remarks(one)):
        console.print(remark)


def _remarks(request: Asked) -> Iterator[Text]:
    outcome = request["outcome"]
    for kind in _KINDS:
        if examples_ := outcome[kind]["examples"]:
            yield Text(printable(f"{place(request)}: {kind}, for example {', '.join(examples_)}"), style="red")
    if not outcome["complete"]:
        rebuild = f"dynalens rebuild {request['collection']} --target {request['target']}"
        yield Text(
            printable(f"{place(request)}: not everything was compared. To build it anew: {rebuild}"), style="red"
        )
