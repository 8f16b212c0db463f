from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dynalens.server.limits import HEAD_SECONDS
from dynalens.server.patience import Patience


@dataclass(eq=False)
class FakeConnection:
    awaited: tuple[object, ...] | None = ("asking", None)
    patience_seconds: float = HEAD_SECONDS
    aborted: bool = False
    transport: Any = field(init=False)

    def __post_init__(self) -> None:
        self.transport = self

    def abort(self) -> None:
        self.aborted = True


def looked(*connections: FakeConnection) -> Patience:
    patience = Patience()
    patience._connections = connections
    patience.look(0)
    return patience


def test_a_connection_that_lets_the_server_wait_is_aborted() -> None:
    silent = FakeConnection()
    patience = looked(silent)
    patience.look(HEAD_SECONDS)
    assert not silent.aborted
    patience.look(HEAD_SECONDS + 1)
    assert silent.aborted


def test_one_that_the_server_works_for_is_not() -> None:
    working = FakeConnection(awaited=None)
    patience = looked(working)
    patience.look(HEAD_SECONDS + 1)
    assert not working.aborted


def test_one_that_does_something_has_its_time_again() -> None:
    slow = FakeConnection(awaited=("reading", 0, 16384))
    patience = looked(slow)
    slow.awaited = ("reading", 0, 16000)
    patience.look(HEAD_SECONDS)
    patience.look(2 * HEAD_SECONDS)
    assert not slow.aborted
    patience.look(2 * HEAD_SECONDS + 1)
    assert slow.aborted


def test_one_that_worked_in_between_has_its_time_again() -> None:
    kept = FakeConnection()
    patience = looked(kept)
    kept.awaited = None
    patience.look(HEAD_SECONDS - 1)
    kept.awaited = ("asking", None)
    patience.look(HEAD_SECONDS)
    patience.look(HEAD_SECONDS + 1)
    assert not kept.aborted


def test_connections_that_are_gone_are_forgotten() -> None:
    patience = looked(FakeConnection())
    patience._connections = ()
    patience.look(1)
    assert patience._since == {}
