"""`dynalens worker` as a user runs it: processes of their own that share a store, killed and stopped at will."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.services.dynamodb_local import ENVIRONMENT
from tests.waiting import observed


class WorkerProcess:
    """One worker over a configuration file.

    Args:
        file: The file.
        log: Takes what it prints.
    """

    def __init__(self, file: Path, log: Path) -> None:
        self._log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dynalens", "--config", str(file), "worker"],
                env={**os.environ, **ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )

    @property
    def name(self) -> str:
        """Its name in the store, once it takes part."""
        return observed(self._name)

    def _name(self) -> str:
        assert self._process.poll() is None, self._log.read_text()
        _, found, rest = self._log.read_text().partition("Working as ")
        return "".join(rest.partition(". Ctrl-C")[0].split()) if found else ""

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        self._process.kill()
        self._process.wait()

    def pause(self) -> None:
        """Stop all its threads, as a suspended machine does."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on as if nothing had been."""
        self._process.send_signal(signal.SIGCONT)

    def end(self) -> int:
        """SIGTERM; wait and give the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(timeout=30)

    def stop(self) -> None:
        """End it however it stands."""
        if self._process.poll() is None:
            self.resume()
            self.kill()
