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
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver import Client

from bench.decode import item
from bench.fundraiser import COLLECTIONS
from bench.measure import Contender, interleaved, rate, table
from dynalens.change import Change, KeySchema, document_id, render
from dynalens.target import Generation, Write
from dynalens.target.sql import SqlTarget, open_sql

ROWS = 100_000
BATCH = 5_000
GENERATION = Generation("donations", 1)
KEYS = KeySchema(("email", "donatedAt"))
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
        target.apply([_write(number) for number in range(first, first + BATCH)])


def _write(number: int) -> Write:
    typed = _item(number)
    document = render(typed)
    change = Change(
        table="Donations",
        id=document_id(typed, KEYS),
        key={name: typed[name] for name in KEYS.names},
        kind="insert",
        new=document,
        old=None,
        old_known=True,
        sequence_number=str(10**20 + number),
        created_at=0.0,
        user_identity="",
        size=len(document.json),
    )
    return Write(GENERATION, change.id, number + 1, document, change)


def _plain(alone: Client) -> None:
    alone.command("CREATE DATABASE _bench")
    alone.command(_PLAIN)
    rows = [_row(number) for number in range(ROWS)]
    alone.insert("donations", [list(row.values()) for row in rows], column_names=list(rows[0]), database="_bench")


def _row(number: int) -> dict[str, object]:
    typed = _item(number)
    return {
        **{name: typed[name]["S"] for name in ("email", "donatedAt", "platform", "currency", "note")},
        **{name: Decimal(typed[name]["N"]) for name in ("amount", "campaign")},
        "recurring": typed["recurring"]["BOOL"],
    }


def _item(number: int) -> dict[str, Any]:
    return {**item(number, f"{number % 900}.25"), "email": {"S": f"donor{number:06}@example.org"}}
