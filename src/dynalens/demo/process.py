"""Dynalens as the demo runs it: in a process of its own, on the file beside this module."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from dynalens.errors import EXIT_USAGE, DynalensError

START_SECONDS = 120.0
"""How long it may take until it answers, on the slowest of machines."""
END_SECONDS = 15.0
"""How long it may take to end; it ends by itself within ten."""
_LOG_LINES = 20


class ProcessError(DynalensError):
    """Dynalens did not start, or ended by itself."""

    code = "demo_process"


class PortLostError(ProcessError):
    """Somebody else took the port meanwhile."""

    code = "port_lost"


@dataclass(frozen=True, slots=True)
class DynalensProcess:
    """Dynalens in a process of its own; `dynalens_process` starts and ends it."""

    _process: subprocess.Popen[str]
    _log: Path

    def address(self) -> str:
        """Let it begin, wait until it answers, and give its address, such as `http://127.0.0.1:7070`.

        Raises:
            PortLostError: Its port is taken.
            ProcessError: It ended, or does not answer in time.
        """
        assert self._process.stdin is not None  # noqa: S101 - pipes were asked for
        assert self._process.stdout is not None  # noqa: S101 - pipes were asked for
        with suppress(BrokenPipeError):  # it has ended: that is told below
            # Past the buffer, which would be tried again when the pipe is closed.
            os.write(self._process.stdin.fileno(), b"\n")
        # Not select(), which fails in a process with many open files.
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            readable = selector.select(START_SECONDS)
        line = self._process.stdout.readline() if readable else ""
        if line:
            return line.strip()
        if readable and self._process.wait(END_SECONDS) == EXIT_USAGE:
            # The file is the demo's own and right: what is left to be wrong is the port.
            raise PortLostError(self._last_lines())
        raise ProcessError(f"Dynalens did not start. It said last:\n{self._last_lines()}")

    def check(self) -> None:
        """Raise `ProcessError` if it has ended."""
        if self._process.poll() is not None:
            code = self._process.returncode
            raise ProcessError(f"Dynalens has ended with exit code {code}. It said last:\n{self._last_lines()}")

    def _last_lines(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-_LOG_LINES:])


@contextmanager
def dynalens_process(folder: Path, *, endpoint_url: str, port: int) -> Iterator[DynalensProcess]:
    """Start Dynalens with its file and its data in `folder`, and end it at the end.

    It imports what it needs, and then waits for `address` to be asked: the tables can be filled meanwhile.
    """
    file = _configuration(folder)
    log = folder / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            # -P: what lies in the user's working directory is nothing to import.
            [sys.executable, "-P", "-m", "dynalens.demo.child", str(file)],
            env=_environment(endpoint_url, port),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
            text=True,
            # Ctrl-C is for the demo alone: it ends this process when it is done with it.
            start_new_session=True,
        )
    with process:
        try:
            yield DynalensProcess(process, log)
        finally:
            _end(process)


def unready(address: str) -> list[Mapping[str, Any]]:
    """Ask which collections are not ready in which targets, and why; none once all first copies are complete.

    That nobody answers is a reason too: the process may just have ended.
    """
    try:
        # A proxy is no way to this machine itself.
        with build_opener(ProxyHandler({})).open(f"{address}/readyz", timeout=END_SECONDS):
            return []
    except HTTPError as error:
        with error:
            reasons: list[Mapping[str, Any]] = json.load(error)["reasons"]
            return reasons
    except (OSError, HTTPException) as error:
        return [{"phase": "stalled", "reason": f"{address} does not answer: {error}."}]


def _configuration(folder: Path) -> Path:
    """Copy the demo's file and its dashboards into the folder, and give the file."""
    with as_file(files("dynalens.demo")) as package:
        shutil.copytree(package / "dashboards", folder / "dashboards", dirs_exist_ok=True)
        return Path(shutil.copy(package / "dynalens.yaml", folder))


def _environment(endpoint_url: str, port: int) -> dict[str, str]:
    """Give this process's environment with what the file asks for, and without the way through a proxy."""
    own = {"DYNALENS_DEMO_ENDPOINT": endpoint_url, "DYNALENS_DEMO_PORT": str(port), "NO_PROXY": "*"}
    # In lower case it would count before the other.
    return {name: value for name, value in os.environ.items() if name != "no_proxy"} | own


def _end(process: subprocess.Popen[str]) -> None:
    """Let it finish what it began; then insist."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
