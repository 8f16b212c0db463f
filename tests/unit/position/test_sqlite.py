from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from dynalens.position.sqlite import SqliteStore


def test_a_store_may_be_opened_by_several_at_once_while_it_is_made(tmp_path: Path) -> None:
    for attempt in range(40):
        together = threading.Barrier(4)

        def open_one(path: Path = tmp_path / f"{attempt}.db", together: threading.Barrier = together) -> list[object]:
            together.wait()
            with closing(SqliteStore(path)) as store:
                return list(store.reports())

        with ThreadPoolExecutor(4) as pool:
            assert [made.result() for made in [pool.submit(open_one) for _ in range(4)]] == [[]] * 4
