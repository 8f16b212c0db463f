"""Dynalens as the demo starts it: on another port when one is lost, and never gone unnoticed."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from dynalens.demo.process import ProcessError, dynalens_process
from dynalens.demo.run import Starting
from tests.waiting import observed

NOWHERE = "http://127.0.0.1:1"
"""No emulator: Dynalens answers all the same, and says that it cannot reach its tables."""


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening.getsockname()[1]


def test_a_port_that_is_lost_meanwhile_is_exchanged_for_the_next(taken: int, tmp_path: Path) -> None:
    with ExitStack() as stack:
        process, address = Starting(stack, tmp_path, NOWHERE, iter([taken, 0])).answering()
        assert address.startswith("http://127.0.0.1:")
        assert not address.endswith(f":{taken}")
        process.check()


def test_an_end_that_nobody_asked_for_is_an_error_with_what_was_said_last(tmp_path: Path) -> None:
    with dynalens_process(tmp_path, endpoint_url=NOWHERE, port=0) as process:
        process.address()
        (tmp_path / "log").write_text("a warning\nthe reason")
        os.kill(process._process.pid, signal.SIGKILL)
        with pytest.raises(ProcessError, match=r"exit code -9\. It said last:\na warning\nthe reason"):
            observed(process.check)


def test_an_end_before_it_was_to_begin_is_the_same_error(tmp_path: Path) -> None:
    with dynalens_process(tmp_path, endpoint_url=NOWHERE, port=0) as process:
        process._process.kill()
        process._process.wait()
        with pytest.raises(ProcessError, match="Dynalens did not start"):
            process.address()
