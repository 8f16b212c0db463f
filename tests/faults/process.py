"""The process under test as its tests hold it: started, asked, stopped, killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from tests.faults import child
from tests.faults.child import Running, Start, State
from tests.waiting import observed

Answer = TypeVar("Answer")

ANSWER_SECONDS = 60.0

_context = multiprocessing.get_context("forkserver")
# All but chDB, which starts threads when it is imported: a fork would lose them.
_context.set_forkserver_preload(
    [
        "dynalens.position.sqlite",
        "dynalens.runtime.up",
        "dynalens.target.metrics.embedded",
        "dynalens.target.search.embedded.target",
        "dynalens.testing.oracle",
        "clickhouse_connect",
        "opensearchpy",
    ]
)


class ProcessGoneError(Exception):
    """The process ended before it answered."""


class Process:
    """One process over one data folder, being started.

    Args:
        start: What it is started with.
        target: What it runs: it sends something as soon as it stands.
    """

    def __init__(self, start: Start, target: Callable[[Start, Connection], None] = child.run) -> None:
        self._connection, theirs = _context.Pipe()
        self._process: BaseProcess = _context.Process(target=target, args=(start, theirs), daemon=True)
        self._process.start()
        theirs.close()

    def await_standing(self) -> None:
        """Wait until it stands.

        Raises:
            ProcessGoneError: It ended instead.
            DynalensError: It could not be started.
        """
        self._stands(self._receive())

    def stands(self) -> bool:
        """Whether it stands by now."""
        return self.alive and self._connection.poll()

    def _stands(self, said: object) -> None:
        """Hear what it said when it stood."""

    @property
    def pid(self) -> int:
        assert self._process.pid is not None
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.is_alive()

    def state(self) -> State:
        """Ask how things stand."""
        return self.ask(child.state)

    def ask(self, question: Callable[[Running], Answer]) -> Answer:
        """Ask in the process, and give the answer.

        Raises:
            ProcessGoneError: It died before it answered.
            DynalensError: The question failed.
        """
        try:
            self._connection.send(question)
        except OSError as error:
            raise ProcessGoneError from error
        answer: Answer = self._receive()
        return answer

    def _receive(self) -> Any:  # noqa: ANN401 - whatever was asked for
        if not self._connection.poll(ANSWER_SECONDS):
            raise TimeoutError(f"the process {self.pid} did not answer within {ANSWER_SECONDS:g} s")
        try:
            answer = self._connection.recv()
        except (EOFError, ConnectionResetError) as error:
            raise ProcessGoneError from error
        if isinstance(answer, Exception):
            raise answer
        return answer

    def pause(self) -> None:
        """Stop it by SIGSTOP."""
        os.kill(self.pid, signal.SIGSTOP)
        observed(self.is_paused)

    def is_paused(self) -> bool:
        """Whether all its threads are stopped."""
        shown = subprocess.run(["ps", "-o", "stat=", "-p", str(self.pid)], capture_output=True, text=True, check=False)
        return shown.stdout.startswith("T")

    def go_on(self) -> None:
        """Let it go on."""
        os.kill(self.pid, signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, whatever it is doing; or nothing, when it was buried before."""
        if not self._connection.closed:
            self._process.kill()
            self.close()

    def end(self, timeout: float) -> int | None:
        """SIGTERM; give its exit code, None when it has not ended in time."""
        os.kill(self.pid, signal.SIGTERM)
        self._process.join(timeout)
        return self._process.exitcode

    def close(self) -> None:
        """Wait until it has ended, and let go of it."""
        self._connection.close()
        self._process.join()
        self._process.close()
