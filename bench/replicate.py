"""End to end from DynamoDB Local's stream into each target, against a loop that reads the same pages and drops them.

Every round has a fresh emulator process for each contender, filled while nobody reads. `read and drop` asks for the
pages as we do and uses nothing of them: what the emulator can serve. `nothing` is our pipeline into a target that keeps
nothing. Reading begins when the fill is complete; the first copy was made of the empty table.
"""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from bench.fundraiser import COLLECTIONS, emulator, fill, seconds_until, source, worker
from bench.measure import Result, table
from dynalens.source.aws import Aws
from dynalens.source.table import table_info
from dynalens.target import Rejection, Target, Write
from dynalens.target.metrics import open_metrics
from dynalens.target.search import open_search
from dynalens.target.sql import open_sql
from dynalens.testing.memory import MemoryTarget
from tests.services.dynamodb_local import DynamoDBLocal

RECORDS = 10_000
ROUNDS = 3


class Nothing(MemoryTarget):
    """A target that confirms everything and keeps nothing."""

    def apply(self, writes: Sequence[Write]) -> list[Rejection]:
        """Take the writes and let them go."""
        del writes
        return []


Opener = Callable[[Path], Target]
OPENERS: dict[str, tuple[Opener, ...]] = {
    "nothing": (lambda _: Nothing("sql"),),
    "search": (lambda folder: open_search("tantivy://./search", folder=folder),),
    "sql": (lambda folder: open_sql("chdb://./sql", folder=folder),),
    "metrics": (lambda folder: open_metrics("valkey://embedded", folder=folder, collections=COLLECTIONS),),
}
OPENERS["all three"] = OPENERS["search"] + OPENERS["sql"] + OPENERS["metrics"]


def read_and_drop(server: DynamoDBLocal) -> float:
    """Read the whole stream, page by page, and give records per second."""
    with closing(Aws(source(server))) as aws:
        info = table_info(aws, "Donations", stop=threading.Event())
        (shard,) = aws.describe_stream(info.stream_arn)["Shards"]
        iterator = aws.shard_iterator(info.stream_arn, shard["ShardId"], after="")
        read = 0
        began = time.perf_counter()
        while read < RECORDS:
            body = aws.records(info.stream_arn, iterator, limit=1000)
            read += body.count(b'"eventID"')
            # The iterator is the answer's last member.
            iterator = body.rpartition(b'"NextShardIterator":"')[2].partition(b'"')[0].decode()
        return read / (time.perf_counter() - began)


def replicate(server: DynamoDBLocal, openers: Sequence[Opener]) -> float:
    """Copy the empty table, fill it, then replicate its stream into targets: records per second."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        targets = [stack.enter_context(closing(open_(folder))) for open_ in openers]
        with worker(server, folder, targets):
            pass
        fill(server, RECORDS)
        with worker(server, folder, targets) as running:
            return RECORDS / seconds_until(RECORDS, running)


def run() -> str:
    """Measure, and give the table as markdown."""
    figures: dict[str, list[float]] = {name: [] for name in ("read and drop", *OPENERS)}
    for _ in range(ROUNDS):
        for name, openers in OPENERS.items():
            with emulator() as server:
                figures[name].append(replicate(server, openers))
                if name == "nothing":
                    figures["read and drop"].append(read_and_drop(server))
    results = [Result(name, tuple(values)) for name, values in figures.items()]
    head = f"{RECORDS:,} records of 0.75 KB, {ROUNDS} rounds, each contender on a fresh emulator."
    return f"{head}\n\n{table(results, unit='records/s', baseline='read and drop')}"
