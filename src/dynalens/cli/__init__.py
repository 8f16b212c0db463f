"""The command line: `dynalens`."""

from __future__ import annotations

from collections.abc import Sequence

INTERRUPTED = 130
"""The exit code of what Ctrl-C has ended, as shells count it: 128 and the signal's number."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and give its exit code, as `dynalens.cli.app.main` does; Ctrl-C never shows a traceback."""
    try:
        # Here, so that it is caught while the commands are imported too, which takes a moment.
        from dynalens.cli.app import main as run

        return run(arguments)
    except KeyboardInterrupt:
        return INTERRUPTED
