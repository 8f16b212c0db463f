"""`dynalens init`: looks at tables and writes the file that a person would have written, with its reasons."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dynalens.cli.check import print_flaws, table_grid
from dynalens.cli.inspection import PATIENCE, TableCheck, check_info, verdict
from dynalens.cli.options import DEFAULT_FILE, AsJson, config_file, examples
from dynalens.cli.output import byte_size, printable, stderr, stdout, table, write
from dynalens.config import SourceConfig
from dynalens.config.rules import table_findings
from dynalens.errors import EXIT_OK, SourceError, TableNotFoundError, UsageError
from dynalens.inference import (
    DescribedTable,
    Names,
    Sample,
    TableDescription,
    count_of,
    describe_table,
    iam_policy,
    render_file,
)

if TYPE_CHECKING:
    from dynalens.source.aws import Aws
    from dynalens.source.table import TableInfo

EXAMPLES = examples(
    "dynalens init --table Donations",
    "dynalens init --table Customers --table Orders --region eu-west-1 --output shop.yaml",
    "dynalens init --table Donations --endpoint-url http://127.0.0.1:8000 --output -",
)

STDOUT = Path("-")
MOST_ITEMS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was found of one table.

    Attributes:
        arn: The table's ARN.
        check: Whether it can serve, and what its first copy costs.
        description: What was inferred of its items.
        sampled: How many items were read for that.
        whole: Whether those are all that it holds.
        sample_read_units: What reading them cost.
    """

    arn: str
    check: TableCheck
    description: TableDescription
    sampled: int
    whole: bool
    sample_read_units: float


def command(  # noqa: PLR0913 - the options of a command line
    context: typer.Context,
    *,
    tables: Annotated[list[str], typer.Option("--table", metavar="TABLE", help="A table's name; may be repeated.")],
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The file to write; - is stdout. ./dynalens.yaml by default.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite the file if it is there.")] = False,
    region: Annotated[str | None, typer.Option(metavar="REGION", help="AWS region, if not the environment's.")] = None,
    endpoint_url: Annotated[
        str | None, typer.Option(metavar="URL", help="Address of DynamoDB Local or another emulator.")
    ] = None,
    sample: Annotated[
        int, typer.Option(metavar="N", min=1, max=MOST_ITEMS, help="Most items to read of each table.")
    ] = 1000,
    as_json: AsJson = False,
) -> int:
    """Look at tables, and write a commented file for them.

    Samples items and proposes collections, search fields and metrics, each with its reason. Prints the IAM policy that
    Dynalens needs, what the first copy costs, and the command for what has to be turned on. Reads only: it never
    changes a table.

    The exit code is 3 when something has to be done first, such as turning a table's stream on; the file is written
    all the same.
    """
    file = config_file(context, output)
    _check_usage(tables, file, force=force, as_json=as_json)
    source = SourceConfig(region=region, endpoint_url=endpoint_url)
    with closing(_connected(source)) as aws:
        findings = list(_findings(aws, list(dict.fromkeys(tables)), sample))
        text = render_file([_described(found) for found in findings], region=aws.region, endpoint_url=endpoint_url)
    _write_file(file, text, force=force)
    if as_json:
        write(json.dumps(_as_json(file, findings), indent=2).encode())
    else:
        _print(file, findings)
    return verdict([found.check for found in findings])


def _check_usage(tables: Sequence[str], file: Path, *, force: bool, as_json: bool) -> None:
    for name in tables:
        for _, message in table_findings(name):
            raise UsageError(f"--table {name} {message}")
    if file == STDOUT:
        if as_json:
            raise UsageError("Only one of the file and the findings fits on stdout.", hint="Write --output FILE --json")
    elif file.is_dir():
        raise UsageError(f"{file} is a folder.", hint="Write --output FILE")
    elif file.exists() and not force:
        raise _there_already(file)


def _there_already(file: Path) -> UsageError:
    return UsageError(f"{file} is there already.", hint="Write --output FILE for another one, or --force to overwrite.")


def _connected(source: SourceConfig) -> Aws:
    from dynalens.source.aws import Aws

    try:
        return Aws(source)
    except SourceError as error:
        hint = "Look at --region, --endpoint-url and AWS_PROFILE. An emulator: --endpoint-url http://127.0.0.1:8000"
        raise UsageError(error.message, hint=hint) from error


# Finding out.


def _findings(aws: Aws, tables: Sequence[str], most: int) -> Iterator[Finding]:
    # All are described first: a name that is wrong is told before anything is read.
    infos = [_info(aws, name) for name in tables]
    names, now = Names(), time.time()
    for info in infos:
        yield _finding(aws, info, names, now, most)


def _info(aws: Aws, name: str) -> TableInfo:
    from dynalens.source.table import table_info

    try:
        return table_info(aws, name, policy=PATIENCE)
    except TableNotFoundError as error:
        close = _close_names(aws, name)
        if not close:
            raise
        raise TableNotFoundError(error.message, hint=f"Did you mean {' or '.join(close)}?") from error


def _close_names(aws: Aws, name: str) -> list[str]:
    """Look for names like this one; nobody has to be allowed to list tables."""
    try:
        names = {known.lower(): known for known in aws.table_names()}
    except SourceError:
        return []
    return [names[close] for close in get_close_matches(name.lower(), names)]


def _finding(aws: Aws, info: TableInfo, names: Names, now: float, most: int) -> Finding:
    from dynalens.cli.sampling import sample_table

    read = sample_table(aws, info, most=most)
    check = check_info(info, aws.config)
    if read.whole:
        # DynamoDB's own figures are hours old, and 0 for a young table.
        check = replace(check, items=len(read.items), read_units=check.read_units or read.read_units)
    return Finding(
        arn=info.arn,
        check=check,
        description=describe_table(Sample(info.name, info.keys.names, read.items, read.whole), names, now=now),
        sampled=len(read.items),
        whole=read.whole,
        sample_read_units=read.read_units,
    )


def _described(found: Finding) -> DescribedTable:
    return DescribedTable(
        description=found.description,
        keys=tuple(found.check.keys),
        size=_size(found),
        sampled=found.sampled,
        whole=found.whole,
    )


def _size(found: Finding) -> str:
    items = count_of(found.check.items, "item")
    if found.whole:
        return items
    return f"about {items}, {byte_size(found.check.size_bytes)} by DynamoDB's estimate"


# Telling.


def _write_file(file: Path, text: str, *, force: bool) -> None:
    if file == STDOUT:
        write(text.encode())
        return
    try:
        with file.open("w" if force else "x", encoding="utf-8") as opened:
            opened.write(text)
    except FileExistsError:
        raise _there_already(file) from None
    except OSError as error:
        raise UsageError(f"{file} cannot be written: {error.strerror}.", hint="Write --output FILE") from error


def _as_json(file: Path, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "file": str(file),
        "ok": verdict([found.check for found in findings]) == EXIT_OK,
        "tables": [asdict(found) for found in findings],
        "policy": _policy(findings),
    }


def _policy(findings: Sequence[Finding]) -> dict[str, Any]:
    return iam_policy([found.arn for found in findings])


def _print(file: Path, findings: Sequence[Finding]) -> None:
    checks = [found.check for found in findings]
    # Where the file itself goes to stdout, nothing else may.
    console = stderr() if file == STDOUT else stdout()
    console.print(table_grid(checks), "", _collections(findings), "", sep="\n")
    console.print(Text("The IAM policy that Dynalens needs:"))
    console.print(Text(json.dumps(_policy(findings), indent=2)), soft_wrap=True)
    said = stderr()
    for found in findings:
        _say(said, f"{found.check.name}: {_read(found)}")
        for remark in _remarks(found.description):
            _say(said, f"{found.check.name}: {remark}")
    print_flaws(checks)
    _say(said, _next(file))


def _collections(findings: Sequence[Finding]) -> Table:
    grid = table("collection", "table", "item type", "items seen", "metrics", "search fields", right=("items seen",))
    for found in findings:
        for collection in found.description.collections:
            grid.add_row(
                collection.name,
                found.check.name,
                printable(collection.item_type or ""),
                f"{collection.items:,}",
                ", ".join(metric.name for metric in collection.metrics),
                ", ".join(map(printable, collection.search_fields)),
            )
    return grid


def _read(found: Finding) -> str:
    items = count_of(found.sampled, "item")
    return f"read {items} for {found.sample_read_units:,.1f} read units (as many request units on demand)."


def _remarks(description: TableDescription) -> Iterator[str]:
    yield from description.remarks
    for collection in description.collections:
        for pair in collection.geo:
            yield f"{pair.latitude} and {pair.longitude} look like a place: the file declares it as {pair.name}."


def _next(file: Path) -> str:
    if file == STDOUT:
        return "Next: save it as dynalens.yaml, then run: dynalens check"
    option = "" if file == DEFAULT_FILE else f"-c {shlex.quote(str(file))} "
    return f"{file} is written. Next: dynalens {option}check, then: dynalens {option}up"


def _say(console: Console, text: str) -> None:
    console.print(Text(printable(text)), soft_wrap=True)
