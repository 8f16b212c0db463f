"""One server process: started by a test, logged to a file, and killed by its own pid alone."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.waiting import NotObservedError, observed

LOG_TAIL_LINES = 30

# A killed or timed-out pytest tears nothing down; the kernel then ends the server with it. Part of Linux (util-linux).
_DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()


class ServerStartError(Exception):
    """A server ended or did not answer in time; the message ends with the last lines of its log."""


class ServerProcess:
    """A running server. Start it from a thread that outlives it: on Linux it ends with its starter."""

    def __init__(self, command: Sequence[str | Path], *, cwd: Path, log: Path) -> None:
        self._name = Path(command[0]).name
        self._log = log
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                [*_DIE_WITH_PARENT, *command], cwd=cwd, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait_until(
        self,
        answers: Callable[[], bool],
        *,
        ignoring: type[Exception] | tuple[type[Exception], ...],
        timeout: float = 60.0,
    ) -> None:
        """Wait until the server answers.

        Raises:
            ServerStartError: It ended, or did not answer in time; it is not running any more.
        """
        try:
            observed(lambda: self._exited() or answers(), timeout=timeout, ignoring=ignoring)
        except NotObservedError as error:
            self.kill()
            raise ServerStartError(f"{self._name} did not answer: {error}\n{self._log_tail()}") from error
        if self._exited():
            raise ServerStartError(f"{self._name} ended with status {self._process.returncode}\n{self._log_tail()}")

    def kill(self) -> None:
        """End the process without a warning, as a power cut would."""
        self._process.kill()
        self._process.wait()

    def terminate(self, *, timeout: float = 60.0) -> None:
        """Have the process end itself with SIGTERM.

        Raises:
            subprocess.TimeoutExpired: It is still running.
        """
        self._process.terminate()
        self._process.wait(timeout)

    def pause(self) -> None:
        """Stop the process where it is: its connections stay open."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused process go on; any other one does not notice."""
        self._process.send_signal(signal.SIGCONT)

    def is_running(self) -> bool:
        return not self._exited()

    def _exited(self) -> bool:
        return self._process.poll() is not None

    def _log_tail(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()
        return "\n".join([f"{self._log} ends with:", *lines[-LOG_TAIL_LINES:]])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
