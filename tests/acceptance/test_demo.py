"""`dynalens demo` as a stranger runs it: a moving fundraiser within a minute, and nothing left of it at the end."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import httpx2
import pytest

from dynalens.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE
from tests.waiting import observed

TABLES = 9
PAGE = "/dashboards/fundraiser"

NOT_INSTALLED = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest, **more: None if name == "moto" else find(name, *rest, **more)
"""
"""Has Python find no moto, as where the extra was not installed."""

MOTO_IS_MISSING = """\
Error: The emulated DynamoDB (moto) is not installed.
  Run: pip install "dynalens[embedded]"
"""


@dataclass
class Demo:
    """One running demo, with its temporary files under a folder of its own.

    Attributes:
        process: The process that a shell would have started.
        folder: Where temporary files are.
        began_at: When it was started, by the monotonic clock.
        address: Where it answers, once `await_address` has seen that.
    """

    process: subprocess.Popen[str]
    folder: Path
    began_at: float
    address: str = ""

    def await_address(self) -> None:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.endswith(f"{PAGE}\n"), self.said()
        self.address = line.strip().removesuffix(PAGE)

    def said(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read()

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        return httpx2.get(self.address + path, trust_env=False, timeout=30).raise_for_status().json()

    def sql(self, query: str) -> list[list[Any]]:
        answer = httpx2.post(f"{self.address}/api/v1/sql", json={"query": query}, trust_env=False, timeout=30)
        rows: list[list[Any]] = answer.raise_for_status().json()["rows"]
        return rows

    def totals(self) -> Iterator[float]:
        """The amount raised, each time that viewers of the fundraiser hear of it."""
        live = f"{self.address}/api/v1/live?metrics=donations.by_platform"
        with httpx2.stream("GET", live, trust_env=False, timeout=30) as events:
            for line in events.iter_lines():
                if line.startswith("data:") and (total := json.loads(line[5:]).get("total")):
                    yield total["amount_sum"]

    @contextmanager
    def ends_wholly(self) -> Iterator[None]:
        """See Dynalens and its Valkey end too: the kernel lets go of a lock when the last process holding it ends."""
        [data] = self.folder.glob("dynalens-demo-*/data")
        with (data / "dynalens.lock").open() as dynalens, (data / "metrics" / "server.lock").open() as valkey:
            assert not is_free(dynalens)
            assert not is_free(valkey)
            yield
            observed(lambda: is_free(dynalens) and is_free(valkey))


def is_free(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    fcntl.flock(lock, fcntl.LOCK_UN)
    return True


@contextmanager
def demo(folder: Path, *arguments: str, **environment: str) -> Iterator[Demo]:
    """Start it as a shell does; whatever the test does, nothing of it is left running."""
    folder.mkdir(exist_ok=True)
    began_at = time.monotonic()
    process = subprocess.Popen(
        [Path(sys.executable).with_name("dynalens"), "demo", "--no-open", *arguments],
        env={**os.environ, "TMPDIR": str(folder), **environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Demo(process, folder, began_at)
        finally:
            process.terminate()


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A demo that can be seen."""
    with demo(tmp_path_factory.mktemp("first")) as running:
        running.await_address()
        yield running


@pytest.fixture(scope="module")
def second(first: Demo, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """Another one beside it."""
    assert first.process.poll() is None
    with demo(tmp_path_factory.mktemp("second")) as running:
        running.await_address()
        yield running


def test_the_fundraiser_moves(first: Demo, record_property: Callable[[str, object], None]) -> None:
    totals = first.totals()
    before = next(totals)
    after = next(total for total in totals if total != before)
    seconds = time.monotonic() - first.began_at
    record_property("measured", f"dynalens demo: {seconds:.1f} s to a moving metric ({before:,} to {after:,} EUR)")


def test_everything_is_on(first: Demo) -> None:
    rows = first.get("/api/v1/status")["collections"]
    assert {row["target"] for row in rows} == {"search", "sql", "metrics"}
    assert {row["phase"] for row in rows} == {"streaming"}
    assert len({row["table"] for row in rows}) == TABLES
    assert {dashboard["name"] for dashboard in first.get("/api/v1/dashboards")["dashboards"]} == {
        "fundraiser",
        "operations",
    }
    hits = first.get("/api/v1/collections/images/search?q=kolner+dom")["hits"]
    assert "Kölner Dom" in hits[0]["document"]["title"]
    [[orders, lines]] = first.sql("SELECT uniq(o.orderId), count() FROM orders o JOIN order_lines l USING (orderId)")
    assert 0 < orders < lines
    assert first.get("/api/v1/dead-letters")["dead_letters"] == []


def test_two_run_side_by_side(first: Demo, second: Demo) -> None:
    assert first.address != second.address
    for running in (first, second):
        totals = running.totals()
        before = next(totals)
        assert any(total != before for total in totals)


def test_a_taken_port_is_an_error_with_what_to_write(first: Demo, tmp_path: Path) -> None:
    port = first.address.rpartition(":")[2]
    with demo(tmp_path, "--port", port) as refused:
        assert refused.said().startswith(f"Error: Port {port} is taken.\n  Write another one: dynalens demo --port ")
        assert refused.process.wait(30) == EXIT_USAGE
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_an_error_with_what_to_run(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(NOT_INSTALLED)
    with demo(tmp_path / "temporary", PYTHONPATH=str(tmp_path)) as refused:
        said = refused.said()
        assert refused.process.wait(30) == EXIT_FAILED, said
    assert said == MOTO_IS_MISSING
    assert list((tmp_path / "temporary").iterdir()) == []


def test_ctrl_c_while_it_starts_leaves_nothing(tmp_path: Path) -> None:
    with demo(tmp_path) as running:
        observed(lambda: list(tmp_path.glob("*/demo.lock")))
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(30) == EXIT_OK, running.said()
    assert list(tmp_path.iterdir()) == []


def test_sigterm_ends_it_all(first: Demo) -> None:
    with first.ends_wholly():
        first.process.terminate()
        assert first.process.wait(30) == EXIT_OK
    assert first.said().endswith("Ended; nothing is left behind.\n")
    assert list(first.folder.iterdir()) == []


def test_nothing_of_a_killed_one_goes_on(second: Demo) -> None:
    """Its folder stays: the next demo removes that."""
    with second.ends_wholly():
        second.process.kill()
    assert [entry.name.startswith("dynalens-demo-") for entry in second.folder.iterdir()] == [True]
