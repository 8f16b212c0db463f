from __future__ import annotations

import asyncio

import pytest

from dynalens.errors import StoreError
from dynalens.server.latest import Latest
from tests.serving import until


class Source:
    """Gives how often it was read; held up while `gate` is closed."""

    def __init__(self) -> None:
        self.reads = 0
        self.now = 0.0
        self.failure: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.latest = Latest(self.read, clock=lambda: self.now)

    async def read(self) -> int:
        self.reads += 1
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return self.reads


def test_what_was_read_is_given_again_until_it_is_too_old() -> None:
    async def scenario() -> list[int]:
        source = Source()
        given = [await source.latest.get(0.1), await source.latest.get(0.1)]
        source.now = 0.2
        return [*given, await source.latest.get(0.1), await source.latest.get(0.5)]

    assert asyncio.run(scenario()) == [1, 1, 2, 2]


def test_many_who_ask_at_once_are_answered_by_one_read() -> None:
    async def scenario() -> tuple[list[int], int]:
        source = Source()
        return await asyncio.gather(*(source.latest.get(0.0) for _ in range(50))), source.reads

    assert asyncio.run(scenario()) == ([1] * 50, 1)


def test_whoever_goes_away_leaves_the_others_their_answer() -> None:
    async def scenario() -> int:
        source = Source()
        source.gate.clear()
        leaving, staying = (asyncio.create_task(source.latest.get(0.0)) for _ in range(2))
        await asyncio.sleep(0)
        leaving.cancel()
        await asyncio.sleep(0)
        source.gate.set()
        return await staying

    assert asyncio.run(scenario()) == 1


def test_a_read_that_fails_is_told_to_all_and_tried_again() -> None:
    async def scenario() -> int:
        source = Source()
        source.failure = StoreError("locked")
        results = await asyncio.gather(*(source.latest.get(0.0) for _ in range(2)), return_exceptions=True)
        assert [type(result) for result in results] == [StoreError, StoreError]
        with pytest.raises(StoreError):
            await source.latest.get(0.0)
        source.failure = None
        return await source.latest.get(0.0)

    assert asyncio.run(scenario()) == 3


def test_what_was_begun_to_be_read_before_a_moment_is_read_again() -> None:
    async def scenario() -> list[int]:
        source = Source()
        source.gate.clear()
        early = asyncio.create_task(source.latest.get(0.0))
        await until(lambda: source.reads)
        source.now = 1.0
        late = asyncio.create_task(source.latest.since(1.0))
        await asyncio.sleep(0)
        source.gate.set()
        return [await early, await late, await source.latest.since(1.0)]

    assert asyncio.run(scenario()) == [1, 2, 2]
