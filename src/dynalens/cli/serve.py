"""`dynalens serve`: answers queries, beside workers that keep the collections."""

from __future__ import annotations

import typer

from dynalens.cli.options import ConfigFile, configuration, examples

EXAMPLES = examples("dynalens serve", "dynalens -c production.yaml serve")


def command(context: typer.Context, *, config: ConfigFile = None) -> int:
    """Serve search, SQL, metrics, live events and the console, until Ctrl-C or SIGTERM.

    The collections are kept by workers of their own (dynalens worker) with the same file, which names servers alone as
    targets. Prints the address on stdout once it answers.
    """
    settings = configuration(context, config)
    # Here, so that --help and the client commands start without the engines.
    from dynalens.runtime.serve import serve

    return serve(settings, on_ready=lambda address: typer.echo(f"Dynalens answers at {address}"))
