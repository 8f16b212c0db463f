"""The targets of a configuration, opened for one process."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass

from dynalens.config import EMBEDDED_METRICS, Config, store_location
from dynalens.errors import UsageError
from dynalens.position.dynamodb import DynamoStore
from dynalens.target import Target
from dynalens.target.metrics import MetricsTarget, open_metrics
from dynalens.target.search import SearchTarget, open_search
from dynalens.target.sql import SqlTarget, open_sql

_EMBEDDED_SCHEMES = ("tantivy://", "chdb://")


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets that are configured."""

    search: SearchTarget | None
    sql: SqlTarget | None
    metrics: MetricsTarget | None

    def all(self) -> list[Target]:
        """List them."""
        return [target for target in (self.search, self.sql, self.metrics) if target is not None]


def open_targets(config: Config, stack: ExitStack) -> Targets:
    """Open what is configured; the stack closes it.

    Raises:
        DynalensError: One cannot be opened.
    """
    folder, urls = config.path.parent, config.targets
    search = sql = metrics = None
    if urls.search is not None:
        search = stack.enter_context(closing(open_search(urls.search, folder=folder)))
    if urls.sql is not None:
        sql = stack.enter_context(closing(open_sql(urls.sql, folder=folder)))
    if urls.metrics is not None:
        metrics = stack.enter_context(
            closing(open_metrics(urls.metrics, folder=folder, collections=config.collections))
        )
    return Targets(search, sql, metrics)


def require_shared(config: Config, command: str) -> None:
    """Refuse what only one process can use, before anything is opened.

    Raises:
        UsageError: A target is embedded.
    """
    embedded = embedded_targets(config)
    if embedded:
        raise UsageError(
            f"`dynalens {command}` shares targets with other processes; targets.{embedded[0]} is embedded in one.",
            hint=(
                f"Run `dynalens up` on one machine, or name servers alone under `targets:` ({', '.join(embedded)} "
                f"{'is' if len(embedded) == 1 else 'are'} embedded), such as metrics: valkey://HOST:6379."
            ),
        )


def open_shared_store(config: Config, command: str) -> DynamoStore:
    """Open the store that workers share.

    Raises:
        UsageError: None is named.
        StoreError: AWS cannot be reached as configured.
    """
    if config.store is None:
        raise UsageError(
            f"`dynalens {command}` shares positions with other processes; no store for them is named.",
            hint="Add to the file, store: dynamodb://dynalens, then run `dynalens store create`.",
        )
    return DynamoStore(store_location(config.store, config.source))


def embedded_targets(config: Config) -> Sequence[str]:
    """Name the kinds of target that run inside one process."""
    urls = {"search": config.targets.search, "sql": config.targets.sql, "metrics": config.targets.metrics}
    return [
        kind for kind, url in urls.items() if url and (url.startswith(_EMBEDDED_SCHEMES) or url == EMBEDDED_METRICS)
    ]
