"""What one change costs as a collection grows: batches of 100 changes at 100,000 documents and at a million.

Nine of ten replace a document, one is new; each batch is one commit, with what merging it brings about. The limit is
the same number of documents indexed into an empty collection.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from bench.donations import GENERATION
from bench.fundraiser import COLLECTIONS
from bench.measure import Contender, interleaved, rate, table
from dynalens.change import Change, render
from dynalens.target import Write
from dynalens.target.search import SearchTarget, open_search

SIZES = (100_000, 1_000_000)
BATCH = 100
FILLED_AT_ONCE = 20_000
BATCHES_A_ROUND = 20
ROUNDS = 5


def run() -> str:
    """Measure, and give the table as markdown."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        contenders = [
            Contender("an empty collection", rate(_into_empty(Path(name)), BATCH * BATCHES_A_ROUND)),
            *(
                Contender(
                    f"{size:,} documents", rate(_into(_filled(Path(name), size, stack), size), BATCH * BATCHES_A_ROUND)
                )
                for size in SIZES
            ),
        ]
        results = interleaved(contenders, rounds=ROUNDS)
    return f"{BATCH} changes a commit.\n\n" + table(results, unit="changes/s", baseline=f"{SIZES[0]:,} documents")


def _filled(folder: Path, size: int, stack: ExitStack) -> SearchTarget:
    target = stack.enter_context(closing(open_search(f"tantivy://./{size}", folder=folder)))
    target.create(GENERATION, COLLECTIONS["donations"])
    target.serve(GENERATION)
    for first in range(0, size, FILLED_AT_ONCE):
        target.apply([_write(number, 1) for number in range(first, first + FILLED_AT_ONCE)])
    return target


def _into_empty(folder: Path) -> Callable[[], None]:
    fresh = (folder / f"empty-{number}" for number in itertools.count())

    def work() -> None:
        with closing(open_search("tantivy://.", folder=next(fresh))) as target:
            target.create(GENERATION, COLLECTIONS["donations"])
            for first in range(0, BATCH * BATCHES_A_ROUND, BATCH):
                target.apply([_write(number, 1) for number in range(first, first + BATCH)])

    return work


def _into(target: SearchTarget, size: int) -> Callable[[], None]:
    versions = itertools.count(2)
    numbers = _numbers(size)

    def work() -> None:
        for _ in range(BATCHES_A_ROUND):
            target.apply([_write(next(numbers), next(versions)) for _ in range(BATCH)])

    return work


def _numbers(size: int) -> Iterator[int]:
    """Give documents spread over the collection, every tenth one new."""
    new = itertools.count(size)
    for place in itertools.count():
        yield next(new) if place % 10 == 9 else place * 7_919 % size  # noqa: PLR2004 - every tenth


def _write(number: int, version: int) -> Write:
    """Make a small document: filling a million of them is not what is measured."""
    item = {"id": {"S": f"k{number}"}, "title": {"S": f"the title of number {number}"}, "n": {"N": str(number)}}
    document = render(item)
    change = Change(
        table="Donations",
        id=f"k{number}",
        key={"id": item["id"]},
        kind="insert",
        new=document,
        old=None,
        old_known=True,
        sequence_number=str(10**20 + number),
        created_at=0.0,
        user_identity="",
        size=len(document.json),
    )
    return Write(GENERATION, change.id, version, document, change)
