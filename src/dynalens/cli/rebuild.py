"""`dynalens rebuild`: a collection built anew beside the one that is served, and the way back."""

from __future__ import annotations

from typing import Annotated

import typer

from dynalens.cli.following import Collection, NoWait, TargetName, ask, follow, place, tell, tell_numbers
from dynalens.cli.options import AsJson, ConfigFile, Url, client, examples
from dynalens.cli.output import printable, stderr
from dynalens.errors import EXIT_OK, UsageError

EXAMPLES = examples(
    "dynalens rebuild donations",
    "dynalens rebuild donations --target sql --back",
    "dynalens rebuild donations --release",
)

_DONE = {
    "rebuild": "built anew and served; the generation before is kept until: dynalens rebuild {collection} --release",
    "back": "the generation before is served again",
    "release": "the generation before is dropped",
}


def command(  # noqa: PLR0913 - the options of a command
    context: typer.Context,
    *,
    collection: Collection,
    target: TargetName = None,
    back: Annotated[bool, typer.Option("--back", help="Serve the generation before again.")] = False,
    release: Annotated[bool, typer.Option("--release", help="Drop the generation before.")] = False,
    no_wait: NoWait = False,
    as_json: AsJson = False,
    config: ConfigFile = None,
    url: Url = None,
) -> int:
    """Build a collection anew from its table, while the old one is served, and switch when it has caught up."""
    if back and release:
        raise UsageError("Going back and dropping what one would go back to exclude each other.", hint="Choose one.")
    kind = "back" if back else "release" if release else "rebuild"
    server = client(context, config, url)
    requests = ask(server, collection, {"kind": kind}, target)
    if not no_wait:
        requests = follow(server, requests)
    tell(requests, as_json=as_json)
    if not as_json:
        if no_wait:
            tell_numbers(requests)
        else:
            for one in requests:
                stderr().print(printable(f"{place(one)}: {_DONE[kind].format(collection=collection)}"))
    return EXIT_OK
