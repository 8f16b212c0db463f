"""`dynalens serve`: the server alone, beside the workers that keep its targets."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace

from dynalens.config import Config, load_dashboards
from dynalens.errors import EXIT_OK
from dynalens.runtime.memory import share_freed_memory
from dynalens.runtime.process import leaving, stopped_by_signals
from dynalens.runtime.serving import address_of, backend
from dynalens.runtime.targets import open_shared_store, open_targets, require_shared
from dynalens.server import Server, check_bind, create_app


def serve(config: Config, *, on_ready: Callable[[str], None]) -> int:
    """Answer over HTTP until SIGTERM or SIGINT; return the exit code.

    Args:
        config: The configuration that the workers run with.
        on_ready: Called once with the server's address, such as `http://127.0.0.1:7070`, when it answers.

    Raises:
        UsageError: A target is embedded, or no store is named.
        DynalensError: A part could not be opened.
    """
    require_shared(config, "serve")
    check_bind(config.server.host)
    dashboards = load_dashboards(config)
    share_freed_memory()
    with ExitStack() as stack:
        timer = stack.enter_context(leaving())
        store = stack.enter_context(closing(open_shared_store(config, "serve")))
        targets = open_targets(config, stack)
        served = backend(config, dashboards, store=store, workers=store, targets=targets)
        server = Server(create_app(replace(served, shared_store=True)), config.server.host, config.server.port)
        with stopped_by_signals(server.stop):
            server.run(lambda: on_ready(address_of(server)))
        timer.start()
    return EXIT_OK
