"""What is read of a shared store, where each reading costs: once for all who ask within a moment, and in order."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from dynalens.partition import Position
from dynalens.position import Gap
from dynalens.server.applied import Tables
from dynalens.server.limits import READ_SECONDS, SHARED_STORE_SECONDS
from dynalens.server.position_token import token_of
from dynalens.server.readers import Readers
from tests.fakes import Fakes, state, world
from tests.serving import Running, running

COLLECTION = "/api/v1/collections/donations"
READS = ("reports", "partitions", "copies", "gaps")


@pytest.fixture
def fakes() -> Fakes:
    return world(time.time())


def counted(fakes: Fakes) -> Counter[str]:
    """Count what is read of the stores, by method."""
    reads: Counter[str] = Counter()

    def counting(name: str, read: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: object) -> object:
            reads[name] += 1
            return read(*args)

        return call

    for name in READS:
        setattr(fakes.stores, name, counting(name, getattr(fakes.stores, name)))
    return reads


def wait_in_vain(run: Running) -> None:
    far = token_of("Donations", [state("shardId-2", "sql", Position(rank=10**9))])
    wait = {"wait_for": f"position:{far}", "wait_timeout": "1"}
    assert run.client.get(f"{COLLECTION}/documents/a%40test.com", params=wait).status_code == 504


def watch(run: Running) -> None:
    viewer = run.watch("metrics=donations.by_platform&fresh=true")
    while sum(event.get("event") == "fresh" for event in (viewer.event() for _ in range(2))) < 2:
        pass
    viewer.close()


def ask_often(run: Running) -> None:
    for _ in range(50):
        assert run.client.get(f"{COLLECTION}/metrics/by_platform").status_code == 200
        assert run.client.get(f"{COLLECTION}/documents/a%40test.com").status_code == 200


def test_a_shared_store_is_read_a_few_times_a_second_whoever_asks(fakes: Fakes) -> None:
    reads = counted(fakes)
    with running(replace(fakes.backend(), shared_store=True)) as run, ThreadPoolExecutor() as threads:
        began = time.monotonic()
        for asked in [threads.submit(ask, run) for ask in (*[wait_in_vain] * 10, watch, watch, ask_often)]:
            asked.result()
        most = (time.monotonic() - began) / SHARED_STORE_SECONDS + 1
    assert reads.keys() == set(READS)
    assert max(reads.values()) <= most


def test_whether_anything_is_lacking_is_read_after_how_far_it_is(fakes: Fakes) -> None:
    """A position may pass a gap as soon as it is recorded, so what was known before tells nothing of it."""

    async def scenario() -> str:
        readers = Readers("the stores", threads=2, waiting=64, seconds=READ_SECONDS)
        tables = Tables(replace(fakes.backend(), shared_store=True), readers)
        before = await tables.applied("Donations", 0.0)
        assert not (await tables.whole("Donations", "sql", before.read_at)).lacks("donations")
        fakes.stores.open_gaps.append(Gap("Donations", "sql", "shardId-2", 1.0, 2.0, "records were trimmed", 3.0, 1))
        after = await tables.applied("Donations", 0.0)
        return (await tables.whole("Donations", "sql", after.read_at)).lacks("donations")

    assert "records were trimmed" in asyncio.run(scenario())
