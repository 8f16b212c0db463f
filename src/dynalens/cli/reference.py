"""The reference of the command line, `docs/cli.md`, made of what `--help` prints.

To write it anew: python -m dynalens.cli.reference > docs/cli.md
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import typer
from typer.main import get_command

from dynalens.cli.app import app

_WIDTH = 100

_HEAD = """\
# Command line

Made of what `dynalens COMMAND --help` prints; `python -m dynalens.cli.reference > docs/cli.md` writes it anew.

- **The file** is `./dynalens.yaml`; another one is named by `-c FILE`, before or behind the command, or by
  `DYNALENS_CONFIG`. Commands that ask a running Dynalens take its address from the file, or from `--url`.
- **Output**: data goes to stdout, everything said about it to stderr. `--json` prints JSON and nothing else.
- **Errors** are two lines on stderr: what is wrong, and what to do. `DYNALENS_DEBUG=1` shows the traceback instead.
- **Exit codes**: 0 all is well; 1 it failed; 2 it was called, or configured, in a way that cannot work; 3 it works, and
  something needs attention.
"""


def reference() -> str:
    """Give the text of the page."""
    return "\n".join([_HEAD, *_sections(get_command(app), "dynalens")])


def _sections(
    command: Any,  # noqa: ANN401 - Typer's own kind of command
    name: str,
    parent: typer.Context | None = None,
) -> Iterator[str]:
    # The width is fixed, so that the page is the same wherever it is made.
    context = command.make_context(name, [], parent=parent, resilient_parsing=True, terminal_width=_WIDTH)
    yield f"## `{context.command_path}`\n\n```text\n{command.get_help(context)}\n```\n"
    for inner_name, inner in getattr(command, "commands", {}).items():
        yield from _sections(inner, inner_name, context)


if __name__ == "__main__":
    sys.stdout.write(reference())
