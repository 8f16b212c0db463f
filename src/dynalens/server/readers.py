"""Threads for calls that block: few, with a short line before them, so that a slow target cannot take them all."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from queue import SimpleQueue
from typing import ParamSpec, TypeVar

from dynalens.errors import BusyError, DynalensError, TargetError

Asked = ParamSpec("Asked")
Given = TypeVar("Given")


class Readers:
    """A few threads that make blocking calls for the event loop.

    They are daemon threads of our own: those of the standard library and of anyio are waited for when the process
    exits, so that one call hanging on a dead target would keep the process from ending.

    Args:
        name: What they read, for errors and for the names of the threads.
        threads: Calls at once.
        waiting: Calls that may wait for a thread; one more is refused.
        seconds: How long one call may take, waiting included.
        too_slow: What a call that takes longer is answered with: the fault of whoever is read, or of the question.
    """

    def __init__(
        self, name: str, *, threads: int, waiting: int, seconds: float, too_slow: type[DynalensError] = TargetError
    ) -> None:
        self._name = name
        self._threads = threads
        self._limit = threads + waiting
        self._seconds = seconds
        self._too_slow = too_slow
        self._places = threading.Semaphore(self._limit)
        self._started = 0
        self._calls: SimpleQueue[Callable[[], None]] = SimpleQueue()

    async def run(self, call: Callable[Asked, Given], *args: Asked.args, **kwargs: Asked.kwargs) -> Given:
        """Make one blocking call in a thread and give its answer.

        Raises:
            BusyError: All threads are taken and the line before them is full.
            DynalensError: The call took longer than it may, `too_slow`. It keeps its thread until it ends; its answer
                is dropped.
        """
        if not self._places.acquire(blocking=False):
            raise BusyError(
                f"Too many requests for {self._name} are running (limit: {self._limit} at once).",
                hint="Try again in a second.",
            )
        answer: Future[Given] = Future()
        self._calls.put(lambda: self._answer(answer, lambda: call(*args, **kwargs)))
        if self._started < self._threads:
            self._start()
        limit = asyncio.timeout(self._seconds)
        try:
            async with limit:
                return await asyncio.wrap_future(answer)
        except TimeoutError as error:
            if not limit.expired():
                raise  # the call's own
            raise self._too_slow(
                f"Reading {self._name} took longer than the limit of {self._seconds:g} s.",
                hint="Ask for less; GET /api/v1/status shows what is slow.",
            ) from error

    def _start(self) -> None:
        self._started += 1
        threading.Thread(target=self._serve, name=f"dynalens reads {self._name}", daemon=True).start()

    def _serve(self) -> None:
        while True:
            self._calls.get()()

    def _answer(self, answer: Future[Given], call: Callable[[], Given]) -> None:
        try:
            if not answer.set_running_or_notify_cancel():
                return
            settle: Callable[[], None] = partial(answer.set_result, call())
        except BaseException as error:  # noqa: BLE001 - raised again where the answer is awaited
            settle = partial(answer.set_exception, error)
        finally:
            # Before the answer is known: whoever awaits it may ask again at once.
            self._places.release()
        settle()
