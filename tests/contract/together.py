"""Running work in several threads at once, and failing when any of it does."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor


def together(*works: Callable[[], object]) -> None:
    """Run each piece of work in a thread of its own, wait for all, and raise what the first failed one raised."""
    with ThreadPoolExecutor(len(works)) as threads:
        running = [threads.submit(work) for work in works]
    for each in running:
        each.result()
