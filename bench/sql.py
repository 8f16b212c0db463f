"""SQL through us, against chDB alone on a plain table with the same columns.

100,000 donations of 0.75 KB. Ours goes through the guard, the view with FINAL and the rendering of the answer, over
columns derived from whatever the items held; `chdb alone` has a typed MergeTree table that knows its columns beforehand
and keeps no versions. Both give the answer as JSON bytes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import clickhouse_connect
from clickhouse_connect.driver import Client

from bench.donations import GENERATION, donation, write
from bench.fundraiser import COLLECTIONS
from bench.measure import Contender, interleaved, rate, table
from dynalens.target.sql import SqlTarget, open_sql

ROWS = 100_000
BATCH = 5_000
QUERIES = (
    "SELECT platform, count(), sum(amount) FROM {donations} GROUP BY platform ORDER BY platform",
    "SELECT email, amount FROM {donations} WHERE campaign = 7 AND platform = 'Web' ORDER BY email",
    "SELECT count() FROM {donations} WHERE recurring",
)
_PLAIN = (
    "CREATE TABLE _bench.donations (email String, donatedAt String, platform String, amount Decimal(38, 9),"
    " currency String, recurring Bool, campaign Decimal(38, 9), note String) ENGINE = MergeTree ORDER BY email"
)


def run() -> str:
    """Measure, and give the tables as markdown."""
    with tempfile.TemporaryDirectory() as folder, closing(open_sql("chdb://./sql", folder=Path(folder))) as target:
        _fill(target)
        alone = clickhouse_connect.get_client(interface="chdb", path=str(Path(folder) / "sql"))
        _plain(alone)
        tables = [f"`{query.format(donations='donations')}`\n\n{_compared(target, alone, query)}" for query in QUERIES]
        alone.close()
    return f"{ROWS:,} documents.\n\n" + "\n\n".join(tables)


def _compared(target: SqlTarget, alone: Client, query: str) -> str:
    ours = query.format(donations="donations")
    theirs = query.format(donations="_bench.donations")
    runs: dict[str, Callable[[], object]] = {
        "chdb alone": lambda: alone.raw_query(theirs, fmt="JSONCompact"),
        "dynalens": lambda: target.query(ours, {}),
    }
    results = interleaved([Contender(name, rate(work, 1)) for name, work in runs.items()])
    return table(results, unit="queries/s", baseline="chdb alone")


def _fill(target: SqlTarget) -> None:
    target.create(GENERATION, COLLECTIONS["donations"])
    target.serve(GENERATION)
    for first in range(0, ROWS, BATCH):
        target.apply([write(number) for number in range(first, first + BATCH)])


def _plain(alone: Client) -> None:
    alone.command("CREATE DATABASE _bench")
    alone.command(_PLAIN)
    rows = [_row(number) for number in range(ROWS)]
    alone.insert("donations", [list(row.values()) for row in rows], column_names=list(rows[0]), database="_bench")


def _row(number: int) -> dict[str, object]:
    typed = donation(number)
    return {
        **{name: typed[name]["S"] for name in ("email", "donatedAt", "platform", "currency", "note")},
        **{name: Decimal(typed[name]["N"]) for name in ("amount", "campaign")},
        "recurring": typed["recurring"]["BOOL"],
    }
