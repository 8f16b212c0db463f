"""Losses: parts of tables that the engine found broken when it started, and moved aside in silence."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from dynalens.target.sql.engine import literal, rows
from dynalens.target.sql.layout import Layout

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client


def lost_parts(client: Client, layout: Layout) -> dict[str, list[str]]:
    """List the parts, by table, that were found broken when the engine started and that nothing else holds.

    A broken part that others were merged into is no loss while those are still there. On a cluster none is: another
    replica gives it back.
    """
    if layout.cluster:
        return {}
    tables = f"WHERE database = {literal(layout.tables)}"
    active = f"FROM system.parts {tables} AND active"
    found = rows(
        client,
        f"SELECT table, groupArray(name) FROM system.detached_parts AS broken {tables} AND reason LIKE 'broken%'"  # noqa: S608
        f" AND ((table, min_block_number) NOT IN (SELECT table, min_block_number {active})"
        f" OR (table, max_block_number) NOT IN (SELECT table, max_block_number {active})) GROUP BY table",
    )
    return dict(found)


def drop_lost_parts(client: Client, layout: Layout, table: str, names: Iterable[str]) -> None:
    """Remove parts that were found broken, once the loss is said."""
    for name in names:
        client.command(
            f"ALTER TABLE {layout.table(table)} DROP DETACHED PART {literal(name)} SETTINGS allow_drop_detached = 1"
        )
