from __future__ import annotations

import pytest

from dynalens.server.guard import is_loopback


@pytest.mark.parametrize("host", ["localhost", "LocalHost", "127.0.0.1", "127.9.9.9", "::1"])
def test_loopback_is_known_by_name_and_address(host: str) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize(
    "host",
    ["", "0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "127.0.0.1.example.com", "127.1", "*"],  # noqa: S104
)
def test_everything_else_is_not(host: str) -> None:
    assert not is_loopback(host)
