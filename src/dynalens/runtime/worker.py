"""`dynalens worker`: one of several processes that share the tables of a configuration, over server targets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager

from dynalens.config import Config
from dynalens.errors import EXIT_OK
from dynalens.runtime.fleet import Membership, SharedLeases
from dynalens.runtime.memory import share_freed_memory
from dynalens.runtime.process import leaving, running, stopped_by_signals
from dynalens.runtime.table import Parts, TableWorker, collections_by_table, worker_name
from dynalens.runtime.targets import open_shared_store, open_targets, require_shared
from dynalens.source.aws import Aws

REPORT_SECONDS = 2.0


def work(config: Config, *, on_ready: Callable[[str], None]) -> int:
    """Keep a fair share of the tables' shards until SIGTERM or SIGINT; return the exit code.

    Args:
        config: What to keep, and where; the same file for every worker.
        on_ready: Called once with this worker's name, when it takes part.

    Raises:
        UsageError: A target is embedded, or no store is named.
        DynalensError: A part could not be started; nothing runs.
    """
    require_shared(config, "worker")
    share_freed_memory()
    ended = threading.Event()
    with ExitStack() as stack:
        timer = stack.enter_context(leaving())
        store = stack.enter_context(closing(open_shared_store(config, "worker")))
        targets = open_targets(config, stack).all()
        membership = Membership(store, worker_name())
        # Left at last, when nothing is read any more: the others go on at once.
        stack.enter_context(_taking_part(membership))
        parts = Parts(
            source=config.source,
            aws=stack.enter_context(closing(Aws(config.source))),
            targets=targets,
            places=config.targets.places(),
            store=store,
            requests=store,
            dead_letters=store,
            reports=store,
            leases=lambda table: SharedLeases(table, store, store, membership, [target.name for target in targets]),
        )
        workers = [TableWorker(table, named, parts) for table, named in collections_by_table(config).items()]
        membership.start()
        stack.enter_context(running(workers, store, timer, report_seconds=REPORT_SECONDS))
        with stopped_by_signals(ended.set):
            on_ready(membership.worker)
            ended.wait()
    return EXIT_OK


@contextmanager
def _taking_part(membership: Membership) -> Iterator[None]:
    try:
        yield
    finally:
        membership.stop()
