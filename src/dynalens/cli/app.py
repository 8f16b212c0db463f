"""The commands put together, and the one place where an error becomes two lines and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from dynalens import __version__
from dynalens.cli import (
    check,
    demo,
    dlq,
    fields,
    init,
    plan,
    rebuild,
    search,
    serve,
    sql,
    status,
    store,
    up,
    verify,
    worker,
)
from dynalens.cli.options import examples
from dynalens.cli.output import debugging, print_error
from dynalens.errors import EXIT_FAILED, EXIT_OK, DynalensError, UsageError

_EXIT_CODES = """\
\b
Exit codes:
  0  all is well
  1  it failed
  2  it was called, or configured, in a way that cannot work
  3  it works, and something needs attention: a gap, dead letters, a difference, a stream that is off,
     a plan that has something to do
"""
_EXAMPLES = examples(
    "dynalens check",
    "dynalens up",
    'dynalens search donations "ada facebok"',
    'dynalens sql "SELECT platform, sum(amount) FROM donations GROUP BY platform"',
)

app = typer.Typer(
    name="dynalens",
    epilog=f"{_EXAMPLES}\n\n{_EXIT_CODES}",
    # Plain text: the same in a terminal, in a pipe and in docs/cli.md.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
app.command("demo", epilog=demo.EXAMPLES)(demo.command)
app.command("up", epilog=up.EXAMPLES)(up.command)
app.command("worker", epilog=worker.EXAMPLES)(worker.command)
app.command("serve", epilog=serve.EXAMPLES)(serve.command)
app.command("init", epilog=init.EXAMPLES)(init.command)
app.command("check", epilog=check.EXAMPLES)(check.command)
app.command("plan", epilog=plan.EXAMPLES)(plan.command)
app.command("status", epilog=status.EXAMPLES)(status.command)
app.command("search", epilog=search.EXAMPLES)(search.command)
app.command("sql", epilog=sql.EXAMPLES)(sql.command)
app.command("fields", epilog=fields.EXAMPLES)(fields.command)
app.command("verify", epilog=verify.EXAMPLES)(verify.command)
app.command("rebuild", epilog=rebuild.EXAMPLES)(rebuild.command)
app.add_typer(dlq.app, name="dlq")
app.add_typer(store.app, name="store")


def _print_version(asked: bool) -> None:  # noqa: FBT001 - what Typer calls with a flag's value
    if asked:
        typer.echo(f"dynalens {__version__}")
        raise typer.Exit(EXIT_OK)


@app.callback()
def _dynalens(
    *,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", "-c", metavar="FILE", envvar="DYNALENS_CONFIG", help="The file; ./dynalens.yaml by default."
        ),
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep a live copy of DynamoDB tables, with search, SQL and metrics over it."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code. Errors become two lines on stderr, never a traceback.

    With `DYNALENS_DEBUG=1` in the environment the error itself is raised.
    """
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        code = app(arguments or ["--help"], prog_name="dynalens", standalone_mode=False)
    except Exception as error:
        if debugging():
            raise
        told = _told(error)
        print_error(told)
        return told.exit_code
    return code if isinstance(code, int) else EXIT_OK


def _told(error: Exception) -> DynalensError:
    """Give any error as one of ours."""
    match error:
        case DynalensError():
            return error
        case typer.TyperException():
            context: typer.Context | None = getattr(error, "ctx", None)
            command = context.command_path if context else "dynalens"
            return UsageError(error.format_message(), hint=f"See: {command} --help")
    return DefectError(f"{type(error).__name__}: {error}".removesuffix(": "))


class DefectError(DynalensError):
    """An error that nobody foresaw."""

    code = "defect"
    exit_code = EXIT_FAILED

    def __init__(self, message: str) -> None:
        super().__init__(
            f"This is a defect in Dynalens: {message}", hint="DYNALENS_DEBUG=1 shows where. Please report it."
        )
