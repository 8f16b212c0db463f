"""What happens to a test whose server is not installed: skipped at a developer's desk, failed on a build server."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class ServiceMissingError(Exception):
    """A server that tests need is not installed; the message names the command that installs it."""

    def __init__(self, service: str, *, install: str) -> None:
        super().__init__(f"{service} is not installed; this installs it: {install}")


@contextmanager
def skip_or_fail() -> Iterator[None]:
    """Turn a `ServiceMissingError` into a skip, or into a failure where CI is set.

    A server that is installed and does not start is an error everywhere: a skip would hide it.
    """
    try:
        yield
    except ServiceMissingError as missing:
        if on_build_server():
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


def on_build_server() -> bool:
    return os.environ.get("CI", "").lower() not in {"", "0", "false"}
