from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from dynalens.demo import port
from dynalens.demo.port import free_ports
from dynalens.errors import EXIT_USAGE, UsageError


@contextmanager
def taken(number: int = 0) -> Iterator[int]:
    with socket.create_server(("127.0.0.1", number)) as listening:
        yield listening.getsockname()[1]


def test_a_port_that_was_asked_for_is_the_only_one() -> None:
    with taken() as number:
        pass
    ports = free_ports(number)
    assert next(ports) == number
    with pytest.raises(UsageError):
        next(ports)


def test_a_taken_port_that_was_asked_for_is_an_error_with_one_to_write() -> None:
    with taken() as number, pytest.raises(UsageError, match=f"Port {number} is taken") as told:
        next(free_ports(number))
    assert told.value.exit_code == EXIT_USAGE
    command, _, other = told.value.hint.rpartition(" ")
    assert command == "Write another one: dynalens demo --port"
    with taken(int(other)):
        pass


def test_without_a_wish_it_is_the_first_free_one_of_a_few(monkeypatch: pytest.MonkeyPatch) -> None:
    with taken() as number:
        monkeypatch.setattr(port, "FIRST", number)
        monkeypatch.setattr(port, "LAST", number + 9)
        assert number < next(free_ports(None)) <= number + 9


def test_when_all_of_them_are_taken_one_has_to_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with taken() as number:
        monkeypatch.setattr(port, "FIRST", number)
        monkeypatch.setattr(port, "LAST", number)
        with pytest.raises(UsageError, match="are taken") as told:
            next(free_ports(None))
    assert told.value.hint == f"Write one: dynalens demo --port {number + 1}"
