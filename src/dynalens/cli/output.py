"""What the commands print: data on stdout, everything said to a person about it on stderr.

In a terminal a table fits its width; elsewhere it is as wide as its widest row, so that nothing is cut off on its way
into a file or another program.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dynalens.errors import DynalensError

_UNLIMITED = 100_000
"""Columns of an output that is no terminal."""

PHASE_STYLES = {"streaming": "green", "backfilling": "cyan", "rebuilding": "cyan", "stalled": "red", "gap": "red"}

_MINUTE = 60
_HOURS_FROM = 120 * _MINUTE
_KIB = 1024


def stdout() -> Console:
    """Give a console for data."""
    return _console(stderr=False)


def stderr() -> Console:
    """Give a console for what is said about the data."""
    return _console(stderr=True)


def _console(*, stderr: bool) -> Console:
    # What looks like rich's markup, or like an emoji's name, is data: `[red]` in an id is the id's.
    console = Console(stderr=stderr, highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = _UNLIMITED
    return console


def debugging() -> bool:
    """Tell whether tracebacks are wanted: `DYNALENS_DEBUG=1` in the environment."""
    return os.environ.get("DYNALENS_DEBUG") == "1"


def write(data: bytes) -> None:
    """Write data on stdout as it is, with a line end behind it."""
    sys.stdout.flush()
    sys.stdout.buffer.write(data if data.endswith(b"\n") else data + b"\n")
    sys.stdout.buffer.flush()


def print_error(error: DynalensError) -> None:
    """Print an error as its message and, on a line of its own, what to do."""
    console = stderr()
    console.print(Text(f"Error: {printable(error.message, lines=True)}", style="red"), soft_wrap=True)
    if error.hint:
        console.print(Text(f"  {printable(error.hint, lines=True)}"), soft_wrap=True)


def table(*columns: str, right: Sequence[str] = ()) -> Table:
    """Give an empty table; the columns in `right` hold numbers."""
    grid = Table(box=SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in columns:
        grid.add_column(printable(name), justify="right" if name in right else "left", overflow="fold")
    return grid


def printable(text: str, *, lines: bool = False) -> str:
    """Show control characters as escapes: what stands in a table must not steer the terminal."""
    return "".join(
        character if character.isprintable() or (lines and character == "\n") else ascii(character)[1:-1]
        for character in text
    )


def duration(seconds: float) -> str:
    """Give a duration in the unit that a person would use: `350 ms`, `4.2 s`, `3 min`, `5 h`."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    return f"{seconds / _MINUTE:.0f} min" if seconds < _HOURS_FROM else f"{seconds / _MINUTE / _MINUTE:.0f} h"


def byte_size(size: float) -> str:
    """Give a number of bytes in the unit that a person would use: `9.8 KiB`."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if size < _KIB:
            return f"{size:,.0f} {unit}" if unit == "B" else f"{size:,.1f} {unit}"
        size /= _KIB
    return f"{size:,.1f} TiB"


def moment(seconds: float) -> str:
    """Give a moment of the epoch in local time."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
