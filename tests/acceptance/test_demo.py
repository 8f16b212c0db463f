"""`make demo` without a terminal: snapshots, a clean end, nothing left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[2] / "examples" / "donations" / "demo.py"


def demo(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    """Start it with its temporary files under `folder`."""
    return subprocess.Popen(
        [sys.executable, DEMO, "--donations", "200", "--rate", "50", *arguments],
        env={**os.environ, "TMPDIR": str(folder), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def address_in(said: str) -> str:
    [line] = [line for line in said.splitlines() if line.startswith("Dynalens answers at ")]
    return line.split()[3].removesuffix(".")


def assert_nothing_is_left(folder: Path, said: str) -> None:
    assert said.endswith("Everything has ended, and nothing is left behind.\n"), said
    assert list(folder.iterdir()) == []
    with pytest.raises(urllib.error.URLError):
        urllib.request.build_opener(urllib.request.ProxyHandler({})).open(address_in(said) + "/healthz")


def test_the_demo_shows_the_fundraiser_and_ends_by_itself(tmp_path: Path) -> None:
    with demo(tmp_path, "--seconds", "5") as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said
    assert " raised by " in said
    assert "● live: seen " in said
    assert_nothing_is_left(tmp_path, said)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_ends_cleanly_when_it_is_told_to(tmp_path: Path, number: signal.Signals) -> None:
    with demo(tmp_path) as process:
        assert process.stdout is not None
        said = ""
        while " raised by " not in said:
            line = process.stdout.readline()
            assert line, said
            said += line
        process.send_signal(number)
        rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said + rest
    assert_nothing_is_left(tmp_path, said + rest)
