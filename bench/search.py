"""Searches through the HTTP API while writes go on, against Tantivy alone in this process.

100,000 donations of 0.75 KB; a writer replaces 20 of them again and again, ten times a second. Ours is asked over HTTP
on loopback, one request after the other: parameters read, words folded, typos ranked behind exact words, matches
counted exactly, the answer rendered. `tantivy alone` (`bench/alone.py`) runs the words as fuzzy and exact terms and
fetches the hits, while the same writer writes to it.
"""

from __future__ import annotations

import itertools
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from bench.alone import Alone
from bench.donations import GENERATION, write
from bench.fundraiser import COLLECTIONS
from dynalens.config import Config
from dynalens.position.sqlite import SqliteStore
from dynalens.server import Backend
from dynalens.target.search import SearchTarget, open_search
from tests.serving import running

DOCUMENTS = 100_000
BATCH = 5_000
REQUESTS = 300
CHANGED_AT_ONCE = 20
PAUSE_SECONDS = 0.1
SIZE = 10
QUERIES = ("donor012345", "wroclaw facebook", "genev charty", "naive thank you", "tag49 phone berlin")


def run() -> str:
    """Measure, and give the table as markdown."""
    with tempfile.TemporaryDirectory() as name, closing(open_search("tantivy://./ours", folder=Path(name))) as target:
        alone = Alone(Path(name) / "alone")
        _fill(target, alone)
        seconds: dict[str, list[float]] = {}
        with writing(lambda first: _write_alone(alone, first, CHANGED_AT_ONCE)):
            seconds["tantivy alone"] = _timed(lambda text: alone.search(text.split(), SIZE))
        with _served(target) as ask, writing(lambda first: _write_ours(target, first, CHANGED_AT_ONCE)):
            seconds["dynalens over HTTP"] = _timed(ask)
            seconds["dynalens, highlights too"] = _timed(lambda text: ask(text, highlight="true"))
    base = seconds["tantivy alone"]
    return "\n".join(
        [
            f"{DOCUMENTS:,} documents, {REQUESTS} searches each over {len(QUERIES)} queries; milliseconds.",
            "",
            "| | p50 | p99 | ratio of p50 | ratio of p99 |",
            "|---|---:|---:|---:|---:|",
            *(_row(name, times, base) for name, times in seconds.items()),
        ]
    )


def _fill(target: SearchTarget, alone: Alone) -> None:
    target.create(GENERATION, COLLECTIONS["donations"])
    target.serve(GENERATION)
    for first in range(0, DOCUMENTS, BATCH):
        _write_ours(target, first, BATCH)
        _write_alone(alone, first, BATCH)


def _write_ours(target: SearchTarget, first: int, count: int) -> None:
    target.apply([write(number, time.time_ns()) for number in range(first, first + count)])


def _write_alone(alone: Alone, first: int, count: int) -> None:
    writes = [write(number) for number in range(first, first + count)]
    alone.write([(one.id, one.document.json) for one in writes if one.document is not None])


@contextmanager
def writing(change: Callable[[int], None]) -> Iterator[None]:
    """Replace documents beside the searches, some at a time."""
    stop = threading.Event()

    def loop() -> None:
        for first in itertools.cycle(range(0, DOCUMENTS - CHANGED_AT_ONCE, 997)):
            change(first)
            if stop.wait(PAUSE_SECONDS):
                return

    writer = threading.Thread(target=loop)
    writer.start()
    try:
        yield
    finally:
        stop.set()
        writer.join()


@contextmanager
def _served(target: SearchTarget) -> Iterator[Callable[..., object]]:
    store = SqliteStore(":memory:")
    backend = Backend(
        config=Config.model_validate({"collections": dict(COLLECTIONS)}),
        positions=store,
        dead_letters=store,
        reports=store,
        documents=target,
        search=target,
        sql=None,
        metrics=None,
        dashboards={},
        started_at=time.time(),
        version="bench",
    )
    with running(backend) as server:

        def ask(text: str, **parameters: str) -> object:
            answer = server.client.get(
                "/api/v1/collections/donations/search", params={"q": text, "size": str(SIZE), **parameters}
            )
            return answer.raise_for_status().json()

        yield ask


def _timed(ask: Callable[[str], object]) -> list[float]:
    for text in QUERIES:
        ask(text)
    seconds = []
    for _, text in zip(range(REQUESTS), itertools.cycle(QUERIES), strict=False):
        began = time.perf_counter()
        ask(text)
        seconds.append(time.perf_counter() - began)
    return seconds


def _row(name: str, seconds: Sequence[float], base: Sequence[float]) -> str:
    middle, late = (statistics.quantiles(seconds, n=100)[place] for place in (49, 98))
    base_middle, base_late = (statistics.quantiles(base, n=100)[place] for place in (49, 98))
    return f"| {name} | {middle * 1000:.2f} | {late * 1000:.2f} | {middle / base_middle:.2f} | {late / base_late:.2f} |"
