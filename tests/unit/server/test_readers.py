from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest

from dynalens.errors import BusyError, NotFoundError, QueryLimitError, TargetError
from dynalens.server.readers import Readers


def readers(*, threads: int = 1, waiting: int = 0, seconds: float = 30) -> Readers:
    return Readers("things", threads=threads, waiting=waiting, seconds=seconds)


def test_an_answer_comes_back_from_another_thread() -> None:
    ours = threading.get_ident()
    theirs = asyncio.run(readers().run(threading.get_ident))
    assert theirs != ours


def test_an_error_is_raised_where_the_answer_is_awaited() -> None:
    def fail() -> None:
        raise NotFoundError("gone")

    with pytest.raises(NotFoundError, match="gone"):
        asyncio.run(readers().run(fail))


def test_a_timeout_of_the_call_itself_is_not_taken_for_ours() -> None:
    def fail() -> None:
        raise TimeoutError("the engine's own")

    with pytest.raises(TimeoutError, match="the engine's own"):
        asyncio.run(readers().run(fail))


def test_one_call_more_than_may_wait_is_refused_with_the_limit() -> None:
    gate = threading.Event()

    async def scenario() -> None:
        pool = readers(threads=2, waiting=1)
        calls = [asyncio.create_task(pool.run(gate.wait, 30)) for _ in range(3)]
        await asyncio.sleep(0)
        with pytest.raises(BusyError, match=r"things are running \(limit: 3 at once\)"):
            await pool.run(gate.wait, 30)
        gate.set()
        assert await asyncio.gather(*calls) == [True, True, True]
        assert await pool.run(gate.wait, 30)

    asyncio.run(scenario())


def test_a_call_that_takes_too_long_keeps_its_place_until_it_ends() -> None:
    gate, entered, left = threading.Event(), threading.Event(), threading.Event()

    def hang() -> None:
        entered.set()
        gate.wait(30)
        left.set()

    async def scenario() -> None:
        pool = readers(seconds=0.2)
        with pytest.raises(TargetError, match=r"Reading things took longer than the limit of 0\.2 s"):
            await pool.run(hang)
        assert entered.is_set()
        with pytest.raises(BusyError):
            await pool.run(threading.get_ident)
        gate.set()
        while True:
            try:
                assert await pool.run(threading.get_ident)
                break
            except BusyError:
                await asyncio.sleep(0.01)
        assert left.is_set()

    asyncio.run(scenario())


def test_what_takes_too_long_may_be_the_fault_of_the_question() -> None:
    gate = threading.Event()
    pool = Readers("things", threads=1, waiting=0, seconds=0.1, too_slow=QueryLimitError)
    with pytest.raises(QueryLimitError, match=r"limit of 0\.1 s"):
        asyncio.run(pool.run(gate.wait, 30))
    gate.set()


def test_a_call_that_nobody_waits_for_any_more_is_not_begun() -> None:
    gate, begun = threading.Event(), threading.Event()

    async def scenario() -> None:
        pool = readers(waiting=1)
        first = asyncio.create_task(pool.run(gate.wait, 30))
        second = asyncio.create_task(pool.run(begun.set))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait([second])
        gate.set()
        assert await first
        await pool.run(threading.get_ident)
        assert not begun.is_set()

    asyncio.run(scenario())


HANGING = """
import asyncio, threading
from dynalens.errors import TargetError
from dynalens.server.readers import Readers

try:
    asyncio.run(Readers("things", threads=1, waiting=0, seconds=0.1).run(threading.Event().wait))
except TargetError:
    print("given up")
"""


def test_a_call_that_hangs_does_not_keep_the_process_from_ending() -> None:
    ended = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "given up\n"
