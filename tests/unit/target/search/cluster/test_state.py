"""What becomes of changes to the state where a cluster turns them away; the connection answers by script."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from dynalens.errors import TargetError
from dynalens.target.search.cluster.connection import Address, Connection
from dynalens.target.search.cluster.state import State

MISSING: Mapping[str, Any] = {"docs": [{"found": False}]}
NOT_THERE: Mapping[str, Any] = {
    "docs": [{"error": {"type": "no_shard_available_action_exception", "reason": "no shard"}}]
}


def written(status: int) -> Mapping[str, Any]:
    return {"items": [{"create": {"status": status, "error": {"type": "some_exception", "reason": "it said"}}}]}


class Scripted(Connection):
    """Answers each request by the next word of its script."""

    def __init__(self, *script: Mapping[str, Any]) -> None:
        super().__init__(Address("127.0.0.1", 9200, tls=False))
        self.script = [*script]

    def send(
        self,
        method: str,  # noqa: ARG002 - whatever is asked
        path: str,  # noqa: ARG002
        body: bytes = b"",  # noqa: ARG002
        params: Mapping[str, str] | None = None,  # noqa: ARG002
    ) -> str:
        return orjson.dumps(self.script.pop(0)).decode()


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([MISSING, written(429), MISSING, written(503), MISSING, written(201)], id="writes"),
        pytest.param([NOT_THERE, MISSING, written(201)], id="an index that is just made"),
        pytest.param([MISSING, written(409), MISSING, written(201)], id="changes in between"),
    ],
)
def test_what_is_turned_away_for_a_while_is_changed_as_it_is_then(script: list[Mapping[str, Any]]) -> None:
    connection = Scripted(*script)
    State(connection).raise_epoch("Donations", 7)
    assert connection.script == []


def test_what_is_refused_for_good_is_not_tried_again() -> None:
    connection = Scripted(MISSING, written(403), MISSING)
    with pytest.raises(TargetError, match="it said"):
        State(connection).raise_epoch("Donations", 7)
    assert connection.script == [MISSING]


def test_whoever_is_closed_waits_no_longer() -> None:
    state = State(Scripted(MISSING, written(429)))
    state.close()
    with pytest.raises(TargetError, match="it said"):
        state.raise_epoch("Donations", 7)
