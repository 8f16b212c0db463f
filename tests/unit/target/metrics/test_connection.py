"""Addresses of metrics servers, and what their errors mean."""

from __future__ import annotations

from pathlib import Path

import pytest
import redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)

from dynalens.errors import ConfigError
from dynalens.target.metrics import open_metrics
from dynalens.target.metrics.connection import Server, parse_url
from dynalens.target.metrics.reader import decimal_text


@pytest.mark.parametrize(
    ("url", "client_url", "name"),
    [
        ("valkey://localhost", "redis://localhost", "localhost:6379"),
        ("valkey://localhost:7000/2", "redis://localhost:7000/2", "localhost:7000/2"),
        ("redis://10.0.0.1:6380/", "redis://10.0.0.1:6380/", "10.0.0.1:6380"),
        ("valkeys://u:p%40ss@db.example.com", "rediss://u:p%40ss@db.example.com", "db.example.com:6379"),
        ("rediss://:secret@db:1/15", "rediss://:secret@db:1/15", "db:1/15"),
    ],
)
def test_an_address_is_read(url: str, client_url: str, name: str) -> None:
    assert parse_url(url) == Server(client_url, name)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("localhost:6379", "unknown scheme 'localhost'"),
        ("http://localhost", "unknown scheme 'http'"),
        ("valkey://", "no host"),
        ("valkey://:secret@", "no host"),
        ("valkey://host:secret", "not a URL"),
        ("valkey://host/secret", "no database number"),
        ("valkey://host/²", "no database number"),
        ("valkey://:secret@host?db=1", "no options"),
        ("valkey://embedded/0x", "no database number"),
    ],
)
def test_any_other_address_is_refused(url: str, complaint: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=complaint) as refused:
        open_metrics(url, folder=tmp_path, collections={})
    assert "valkey://embedded" in refused.value.hint


def test_a_password_is_never_shown() -> None:
    server = parse_url("valkeys://user:hunter2@db.example.com:6379/1")
    shown = server.failure(redis.ConnectionError("refused"))
    assert "hunter2" not in f"{shown}{server.name}"


@pytest.mark.parametrize(
    ("error", "message", "hint"),
    [
        (OutOfMemoryError("command not allowed"), "out of memory", "maxmemory"),
        (ReadOnlyError("You can't write"), "read-only replica", "primary"),
        (BusyLoadingError("loading"), "loading its data", "as soon as"),
        (AuthenticationError("invalid password"), "refused the login", "USER:PASSWORD"),
        (NoPermissionError("no"), "does not allow its user", "+@scripting"),
        (redis.ConnectionError("Error 111"), "does not answer: Error 111", "targets.metrics"),
        (redis.TimeoutError("Timeout reading"), "does not answer", "targets.metrics"),
        (ConnectionResetError(104, "reset"), "does not answer", "targets.metrics"),
        (ResponseError("MISCONF Errors writing to the AOF file"), "refused a request", "free some space"),
        (ResponseError("MOVED 1 2"), "refused a request", "cluster mode disabled"),
        (ResponseError("LOST it has no generation 1 of x"), "has lost data: it has no generation 1", "built anew"),
        (ResponseError("ERR something"), "refused a request: ERR something", "log"),
    ],
)
def test_an_error_says_what_it_means_and_what_to_do(error: Exception, message: str, hint: str) -> None:
    failure = Server("redis://h", "h:6379").failure(error)
    assert message in failure.message
    assert "h:6379" in failure.message
    assert hint in failure.hint


@pytest.mark.parametrize(
    ("digits", "decimals", "text"),
    [
        ("0", 0, "0"),
        ("0", 2, "0"),
        ("5", 2, "0.05"),
        ("-5", 2, "-0.05"),
        ("50", 2, "0.5"),
        ("6000", 2, "60"),
        ("-6050", 2, "-60.5"),
        ("100", 0, "100"),
        ("9223372036854775807", 18, "9.223372036854775807"),
        ("1000000000000000000", 18, "1"),
    ],
)
def test_a_scaled_integer_is_shown_as_a_plain_number(digits: str, decimals: int, text: str) -> None:
    assert decimal_text(digits, decimals) == text
