"""A process that writes to a store until it is killed: it says on stdout what was stored.

`python -m tests.contract.store_writer URL FOLDER`, where the URL is empty for the local store in the folder.
"""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from dynalens.config import SourceConfig, store_location
from dynalens.dead_letter import DeadLetter
from dynalens.partition import Partition, Position
from dynalens.position import Commit
from dynalens.position.dynamodb import DynamoStore
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report

TABLE = "Donations"
PARTITIONS = ("shardId-1", "shardId-2", "shardId-3")
ROOT = Path(__file__).parents[2]


class Step(NamedTuple):
    """The last step that the process said was stored."""

    rank: int
    epoch: int


def letter(rank: int) -> DeadLetter:
    """Make the dead letter of a step."""
    return DeadLetter(
        table=TABLE,
        target="sql",
        collection="donations",
        generation=1,
        document_id=f"key-{rank}",
        version=rank,
        partition=PARTITIONS[0],
        sequence_number=str(10**20 + rank),
        created_at=1.5,
        code="refused",
        message="told to",
        record=b"{}",
    )


def open_store(url: str, folder: Path) -> DynamoStore | SqliteStore:
    """Open the store of a URL, or the local one of a folder."""
    return DynamoStore(store_location(url, SourceConfig())) if url else SqliteStore(folder / "state.db")


def main() -> None:
    """Draw for every partition, store a letter and a report, commit all, say so; and again."""
    store = open_store(sys.argv[1], Path(sys.argv[2]))
    for rank in itertools.count(1):
        commits = []
        for partition in PARTITIONS:
            store.acquire(TABLE, Partition(partition), "w1")
            epoch = store.draw(TABLE, partition, "sql", owner="w1", remembered=0).epoch
            commits.append(Commit(partition, epoch, Position(rank=rank, token=str(rank))))
        store.add([letter(rank)])
        store.save_report(Report(table=TABLE, target="sql", written_at=float(rank), confirmed=rank))
        store.commit(TABLE, "sql", commits)
        print(rank, commits[-1].epoch, flush=True)  # noqa: T201 - the parent reads it


def killed_after(steps: int, url: str, folder: Path) -> Step:
    """Run this module until it has said a number of steps, kill it, and give the last one that it said."""
    command = [sys.executable, "-m", "tests.contract.store_writer", url, str(folder)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        try:
            lines = [writer.stdout.readline() for _ in range(steps)]
        finally:
            writer.send_signal(signal.SIGKILL)
        lines += writer.stdout.readlines()
    rank, epoch = [line for line in lines if line.endswith("\n")][-1].split()
    return Step(int(rank), int(epoch))


if __name__ == "__main__":
    main()
