"""`dynalens demo`: Dynalens over an emulated DynamoDB with made-up data that keeps moving."""

from __future__ import annotations

import os
import sys
import time
import webbrowser
from typing import Annotated

import typer

from dynalens.cli.options import examples
from dynalens.cli.output import stderr
from dynalens.demo.scenario import DEFAULT_RATE
from dynalens.errors import EXIT_OK

EXAMPLES = examples("dynalens demo", "dynalens demo --port 8080 --no-open --rate 10")

PAGE = "/dashboards/fundraiser"


def command(
    *,
    port: Annotated[
        int | None,
        typer.Option(
            min=0,
            max=65535,
            metavar="N",
            help="Port to answer on; without it 7070, or the next one that is free. 0 takes any.",
        ),
    ] = None,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in a browser.")] = False,
    rate: Annotated[
        float,
        typer.Option(
            min=0.5,
            max=50,
            metavar="CHANGES_PER_SECOND",
            help="How fast the data moves, on average.",
            show_default=True,
        ),
    ] = DEFAULT_RATE,
) -> int:
    """Show Dynalens at work until Ctrl-C: no AWS account, nothing to set up, nothing left behind.

    An emulated DynamoDB runs in this process: a fundraiser, a bank, an image library, a customer master and a shop, all
    made up and moving. Prints the address of the fundraiser's page on stdout once it can be seen, and opens it.
    """
    # Here, so that --help and other commands start without the AWS client.
    from dynalens.demo.run import run

    story = _Story()

    def ready(address: str) -> None:
        story.say(f"Live. Ctrl-C ends it. Ask it anything meanwhile: dynalens status --url {address}")
        page = address + PAGE
        typer.echo(page)
        if not no_open and _has_display():
            webbrowser.open(page)

    run(port=port, rate=rate, say=story.say, ready=ready)
    story.say("Ended; nothing is left behind.")
    return EXIT_OK


class _Story:
    """Says on stderr what is going on, and how many seconds after the start."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._console = stderr()

    def say(self, what: str) -> None:
        self._console.print(f"{time.monotonic() - self._began:5.1f} s  {what}", soft_wrap=True)


def _has_display() -> bool:
    """Tell whether a browser would have a window of its own: without one it might take the terminal."""
    return sys.platform == "darwin" or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
