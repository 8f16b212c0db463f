"""`dynalens worker`: one of several processes that keep the collections together."""

from __future__ import annotations

import typer

from dynalens.cli.options import ConfigFile, configuration, examples
from dynalens.cli.output import stderr

EXAMPLES = examples("dynalens worker", "dynalens -c production.yaml worker")


def command(context: typer.Context, *, config: ConfigFile = None) -> int:
    """Keep a fair share of the tables' shards, together with other workers, until Ctrl-C or SIGTERM.

    Run one on each of several machines, all with the same file: it names servers alone as targets, and a store that
    they share (dynalens store create). A worker that leaves hands its shards over at once; those of one that dies are
    taken within seconds. Queries are answered by dynalens serve.
    """
    settings = configuration(context, config)
    # Here, so that --help and the client commands start without the engines.
    from dynalens.runtime.worker import work
    from dynalens.testing.clock import shift_from_environment
    from dynalens.testing.failpoints import arm_from_environment

    arm_from_environment()
    shift_from_environment()
    return work(settings, on_ready=lambda name: stderr().print(f"Working as {name}. Ctrl-C ends it."))
