"""`dynalens up`: worker and server in one process, and a quiet view of how they do."""

from __future__ import annotations

import typer

from dynalens.cli.options import ConfigFile, configuration, examples
from dynalens.cli.output import stderr
from dynalens.cli.plan import described, replacing

EXAMPLES = examples("dynalens up", "dynalens -c staging.yaml up")


def command(context: typer.Context, *, config: ConfigFile = None) -> int:
    """Keep the collections and serve them, until Ctrl-C or SIGTERM.

    Makes the first copy of each table, then follows its stream. Prints the address on stdout once it answers, and on
    stderr what a changed file makes it build anew (see dynalens plan), and how it goes.
    """
    settings = configuration(context, config)
    # Here, so that --help and the client commands start without the engines.
    from dynalens.cli.view import View
    from dynalens.runtime.up import up
    from dynalens.testing.clock import shift_from_environment
    from dynalens.testing.failpoints import arm_from_environment

    if settings.store is not None:
        stderr().print("`store` is for dynalens worker and serve: `up` keeps its positions in a local file.")
    arm_from_environment()
    shift_from_environment()
    # Asked before it is applied, told once nothing stands in its way.
    replaced = replacing(settings)
    with View(settings) as view:

        def ready(address: str) -> None:
            for step in replaced:
                stderr().print(described(step), soft_wrap=True)
            # From here on the view draws on the same terminal.
            view.ready(address)

        return up(settings, on_ready=ready)
