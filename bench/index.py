"""Indexing through us, against Tantivy alone on the same documents.

20,000 donations of 0.75 KB, each batch one commit. Ours looks up the version held of each id, splits and folds words of
any script, spells every value for exact equality, ranges, sorting and facets by path, and keeps the document as it was;
`tantivy alone` (`bench/alone.py`) hands the parsed document over and replaces by id. Rendering is not measured: all
targets share it.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from bench.alone import Alone
from bench.donations import GENERATION, write
from bench.fundraiser import COLLECTIONS
from bench.measure import Contender, interleaved, rate, table
from dynalens.target import Write
from dynalens.target.search import open_search

DOCUMENTS = 20_000
BATCHES = (1_000, 100)
ROUNDS = 3


def run() -> str:
    """Measure, and give the tables as markdown."""
    writes = [write(number) for number in range(DOCUMENTS)]
    # Merges that began before the end of a run may still write.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        tables = [f"{batch:,} documents a commit\n\n{_compared(writes, batch, Path(folder))}" for batch in BATCHES]
    return "\n\n".join(tables)


def _compared(writes: list[Write], batch: int, folder: Path) -> str:
    fresh = (folder / f"{batch}-{number}" for number in itertools.count())
    runs: dict[str, Callable[[], object]] = {
        "tantivy alone": lambda: _alone(writes, batch, next(fresh)),
        "dynalens": lambda: _ours(writes, batch, next(fresh)),
    }
    contenders = [Contender(name, rate(work, len(writes))) for name, work in runs.items()]
    return table(interleaved(contenders, rounds=ROUNDS), unit="documents/s", baseline="tantivy alone")


def _alone(writes: list[Write], batch: int, folder: Path) -> None:
    index = Alone(folder)
    for some in _batches(writes, batch):
        index.write([(one.id, one.document.json) for one in some if one.document is not None])


def _ours(writes: list[Write], batch: int, folder: Path) -> None:
    with closing(open_search("tantivy://.", folder=folder)) as target:
        target.create(GENERATION, COLLECTIONS["donations"])
        for some in _batches(writes, batch):
            assert target.apply(some) == []


def _batches(writes: list[Write], batch: int) -> list[list[Write]]:
    return [writes[first : first + batch] for first in range(0, len(writes), batch)]
