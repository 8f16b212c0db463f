"""A process that writes to a target until it is killed: it says on stdout what was confirmed.

`python -m tests.contract.writer IMPLEMENTATION FOLDER`
"""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

from dynalens.partition import Position
from dynalens.target import Mark, version
from tests.contract.implementations import COLLECTIONS, IMPLEMENTATIONS, TABLE
from tests.contract.writing import FIRST, put

KEYS_WRITTEN = 20
PARTITION = "shard-1"


def key_of(step: int) -> str:
    """Name the key that a step writes: each comes round again."""
    return f"key-{step % KEYS_WRITTEN}"


def main() -> None:
    """Apply one write, mark it, say so; and again."""
    target = IMPLEMENTATIONS[sys.argv[1]](Path(sys.argv[2])).target
    target.raise_epoch(TABLE, 1)
    target.create(FIRST, COLLECTIONS["donations"])
    target.serve(FIRST)
    for step in itertools.count(1):
        target.apply([put(key_of(step), version(1, step), step)])
        target.mark(TABLE, {PARTITION: Mark(1, Position(rank=step, token=str(step)))})
        print(step, flush=True)  # noqa: T201 - the parent reads it


if __name__ == "__main__":
    main()
