"""`dynalens up`: worker and server in one process, over one locked data folder."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack, closing

from dynalens.config import Config, load_dashboards
from dynalens.errors import EXIT_OK
from dynalens.pipeline import SoleLeases
from dynalens.position.sqlite import SqliteStore
from dynalens.runtime.folder import locked
from dynalens.runtime.memory import share_freed_memory
from dynalens.runtime.process import Workers, leaving, running, stopped_by_signals
from dynalens.runtime.serving import address_of, backend
from dynalens.runtime.table import Parts, TableWorker, collections_by_table, worker_name
from dynalens.runtime.targets import open_targets
from dynalens.server import Server, check_bind, create_app
from dynalens.source.aws import Aws

REPORT_SECONDS = 1.0
STORE_NAME = "state.db"


def up(config: Config, *, on_ready: Callable[[str], None]) -> int:
    """Run worker and server until SIGTERM or SIGINT; return the exit code.

    Args:
        config: What to keep, where, and where to answer.
        on_ready: Called once with the server's address, such as `http://127.0.0.1:7070`, when it answers.

    Raises:
        FolderLockedError: Another process works on the same data folder.
        DynalensError: A part could not be started; nothing runs.
    """
    check_bind(config.server.host)
    dashboards = load_dashboards(config)
    share_freed_memory()
    with ExitStack() as stack:
        timer = stack.enter_context(leaving())
        announce = stack.enter_context(locked(config.data_folder))
        store = stack.enter_context(closing(SqliteStore(config.data_folder / STORE_NAME)))
        targets = open_targets(config, stack)
        owner = worker_name()
        parts = Parts(
            source=config.source,
            aws=stack.enter_context(closing(Aws(config.source))),
            targets=targets.all(),
            places=config.targets.places(),
            store=store,
            requests=store,
            dead_letters=store,
            reports=store,
            leases=lambda table: SoleLeases(table, store, owner),
        )
        workers = [TableWorker(table, named, parts) for table, named in collections_by_table(config).items()]
        served = backend(config, dashboards, store=store, workers=Workers(workers), targets=targets)
        server = Server(create_app(served), config.server.host, config.server.port)
        stack.enter_context(running(workers, store, timer, report_seconds=REPORT_SECONDS))
        address = address_of(server)
        announce(address)
        with stopped_by_signals(server.stop):
            server.run(lambda: on_ready(address))
    return EXIT_OK
