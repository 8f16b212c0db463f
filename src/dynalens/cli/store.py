"""`dynalens store`: the table that several workers share, made, allowed and looked at."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dynalens.cli.options import AsJson, ConfigFile, configuration, examples
from dynalens.cli.output import printable, stderr, stdout, table, write
from dynalens.config import Config, StoreLocation, store_location
from dynalens.errors import EXIT_OK, UsageError

if TYPE_CHECKING:
    from dynalens.position import Fleet
    from dynalens.position.dynamodb.items import Items

LOOK_SECONDS = 3.0
"""For so long it is watched who beats: whoever lives does so more often."""
_LOOK_AGAIN_SECONDS = 0.2

app = typer.Typer(
    help="Make, allow and show the store that several workers share.\n\n"
    "A store is a DynamoDB table, named by store: in the file, such as dynamodb://dynalens. Without it positions are "
    "kept in a local file, for one machine, and there is nothing to make."
)


@app.command("create", epilog=examples("dynalens store create", "dynalens -c staging.yaml store create"))
def create(context: typer.Context, *, config: ConfigFile = None) -> int:
    """Make the table, paid by request, and wait until it can be used. One that exists is left as it is."""
    from dynalens.position.dynamodb.table import create_table

    with _items(configuration(context, config)) as items:
        made = create_table(items)
        stderr().print(f"The table {items.table} {'is made' if made else 'exists already'}.")
    return EXIT_OK


@app.command("policy", epilog=examples("dynalens store policy", "dynalens store policy --create > policy.json"))
def policy(
    context: typer.Context,
    *,
    creating: Annotated[bool, typer.Option("--create", help="Allow dynalens store create, too.")] = False,
    config: ConfigFile = None,
) -> int:
    """Print the IAM policy that a worker needs for the store, and nothing more."""
    from dynalens.position.dynamodb.table import store_policy, table_arn

    with _items(configuration(context, config)) as items:
        arn = table_arn(items)
        if not arn:
            arn = _arn_of_any_account(items)
            stderr().print(f"The table {items.table} was not found, so the account is left open: write it for the *.")
    write(json.dumps(store_policy(arn, creating=creating), indent=2).encode())
    return EXIT_OK


@app.command("show", epilog=examples("dynalens store show", "dynalens store show --json"))
def show(context: typer.Context, *, as_json: AsJson = False, config: ConfigFile = None) -> int:
    """Show who works with the store: the workers that live, the shards that each of them holds, and the positions."""
    from dynalens.position.dynamodb import DynamoStore

    settings = configuration(context, config)
    tables = list(dict.fromkeys(collection.table for collection in settings.collections.values()))
    with closing(DynamoStore(_location(settings))) as store:
        held = {name: Counter(store.leases(name).values()) for name in tables}
        positions = {name: len(store.partitions(name)) for name in tables}
        workers = _workers(store, held)
    if as_json:
        write(json.dumps(_findings(workers, held, positions), indent=2).encode())
    else:
        _print(workers, held, positions)
    return EXIT_OK


def _location(settings: Config) -> StoreLocation:
    if settings.store is None:
        raise UsageError(
            "The file names no store, so positions are kept in a local file.", hint="Write: store: dynamodb://dynalens"
        )
    return store_location(settings.store, settings.source)


@contextmanager
def _items(settings: Config) -> Iterator[Items]:
    from dynalens.position.dynamodb.items import Items

    with closing(Items(_location(settings))) as items:
        yield items


def _arn_of_any_account(items: Items) -> str:
    region = items.client.meta.region_name
    return f"arn:{items.client.meta.partition}:dynamodb:{region}:*:table/{items.table}"


def _workers(store: Fleet, held: Mapping[str, Counter[str]]) -> dict[str, bool]:
    """Tell for each worker, in the order of names, whether it was seen to live."""
    first = store.pulse().beats
    alive: set[str] = set()
    deadline = time.monotonic() + LOOK_SECONDS
    while alive != first.keys() and time.monotonic() < deadline:
        time.sleep(_LOOK_AGAIN_SECONDS)
        now = store.pulse().beats
        alive |= {worker for worker, beats in first.items() if now.get(worker, beats) != beats}
    owners = {owner for owners in held.values() for owner in owners if owner}
    return {worker: worker in alive for worker in sorted(owners.union(first))}


def _findings(
    workers: Mapping[str, bool], held: Mapping[str, Counter[str]], positions: Mapping[str, int]
) -> dict[str, Any]:
    return {
        "workers": [
            {"worker": worker, "alive": alive, "leases": {name: owners[worker] for name, owners in held.items()}}
            for worker, alive in workers.items()
        ],
        "tables": [
            {"table": name, "positions": positions[name], "free_leases": owners[""]} for name, owners in held.items()
        ],
    }


def _print(workers: Mapping[str, bool], held: Mapping[str, Counter[str]], positions: Mapping[str, int]) -> None:
    grid = table("table", "positions", "leases held", "leases free", right=("positions", "leases held", "leases free"))
    for name, owners in held.items():
        grid.add_row(name, f"{positions[name]:,}", f"{owners.total() - owners['']:,}", f"{owners['']:,}")
    stdout().print(grid, "", _worker_grid(workers, held) if workers else "No workers.", sep="\n")


def _worker_grid(workers: Mapping[str, bool], held: Mapping[str, Counter[str]]) -> object:
    tables: Sequence[str] = list(held)
    grid = table("worker", "alive", *tables, right=tables)
    for worker, alive in workers.items():
        leases = (f"{held[name][worker]:,}" for name in tables)
        grid.add_row(printable(worker), "yes" if alive else "no", *leases)
    return grid
