"""What becomes of the writes of bulk requests, whatever the cluster answers: the connection answers by script."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from itertools import pairwise
from typing import Any

import orjson
import pytest

from dynalens.errors import TargetError
from dynalens.retry import RetryPolicy
from dynalens.target.search.cluster.bulk import Bulk, Pace
from dynalens.target.search.cluster.connection import Address, ClusterError, Connection
from dynalens.target.search.cluster.lines import Line
from tests.contract.writing import put

ALIAS = "donations@1.write"
PATIENT = RetryPolicy(base_seconds=0.0, cap_seconds=0.0, attempts=50, total_seconds=3600.0)
IMPATIENT = RetryPolicy(base_seconds=0.0, cap_seconds=0.0, attempts=3, total_seconds=3600.0)

Item = Mapping[str, Any]
Answer = Callable[[list[str]], list[Item]]
"""Gives what becomes of each write of a body, by its id; or fails the request as a whole."""

TAKEN: Item = {"status": 201}
ALREADY_NEWER: Item = {
    "status": 409,
    "error": {
        "type": "version_conflict_engine_exception",
        "reason": "[a]: version conflict, current version [42] is higher or equal to the one provided [7]",
    },
}
BUSY: Item = {"status": 429, "error": {"type": "rejected_execution_exception", "reason": "its queue is full"}}
UNAVAILABLE: Item = {"status": 503, "error": {"type": "unavailable_shards_exception", "reason": "no primary"}}
UNFIT: Item = {"status": 400, "error": {"type": "mapper_parsing_exception", "reason": "no number"}}
GONE: Item = {"status": 404, "error": {"type": "index_not_found_exception", "reason": "no such index"}}


class Scripted(Connection):
    """Answers each body by the next word of its script; the last one goes on."""

    def __init__(self, *script: Answer) -> None:
        super().__init__(Address("127.0.0.1", 9200, tls=False))
        self._script = [*script]
        self._lock = threading.Lock()
        self.bodies: list[list[str]] = []
        self.watched: Callable[[], object] = list
        """Called before each answer."""

    def send(self, method: str, path: str, body: bytes = b"", params: Mapping[str, str] | None = None) -> str:
        assert (method, path) == ("POST", "/donations%401.write/_bulk")
        assert params is not None
        assert params["require_alias"] == "true"
        self.watched()
        ids = body.decode().split()
        with self._lock:
            self.bodies.append(ids)
            answer = self._script.pop(0) if len(self._script) > 1 else self._script[0]
        items = answer(ids)
        errors = any("error" in item for item in items)
        return orjson.dumps({"errors": errors, "items": [{"index": item} for item in items]}).decode()


def taken(ids: list[str]) -> list[Item]:
    return [TAKEN for _ in ids]


def answering(**items: Item) -> Answer:
    """Answer some writes so, and take all others."""
    return lambda ids: [items.get(id_, TAKEN) for id_ in ids]


def failing(status: int, type_: str = "", *, when: Callable[[list[str]], bool] = bool) -> Answer:
    """Refuse bodies as a whole."""

    def answer(ids: list[str]) -> list[Item]:
        if when(ids):
            raise ClusterError(f"refused with {status}", status=status, type_=type_)
        return taken(ids)

    return answer


def line(id_: str, *, length: int = 0) -> Line:
    return Line(put(id_, 7), f"{id_}{' ' * length}\n".encode())


def lines(names: str) -> Iterator[Line]:
    return map(line, names)


def no_other_way(_: Line) -> Line | None:
    return None


def sent(connection: Scripted, names: str = "abcd", patience: RetryPolicy = PATIENT) -> tuple[list[str], int]:
    """Send; give the ids of those that the cluster cannot hold, and the highest version that it held."""
    bulk = Bulk(connection, patience)
    try:
        rejections, held = bulk.send(ALIAS, lines(names), no_other_way)
    finally:
        bulk.close()
    return [rejection.write.id for rejection in rejections], held


@pytest.mark.parametrize("item", [BUSY, UNAVAILABLE])
def test_writes_that_are_turned_away_are_sent_again_alone_until_they_are_taken(item: Item) -> None:
    connection = Scripted(answering(b=item, d=item), answering(d=item), taken)
    assert sent(connection) == ([], -1)
    assert connection.bodies == [[*"abcd"], [*"bd"], [*"d"]]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_bodies_that_are_turned_away_are_sent_again(status: int) -> None:
    connection = Scripted(failing(status), failing(status), taken)
    assert sent(connection) == ([], -1)
    assert connection.bodies == [[*"abcd"]] * 3


def test_writes_that_are_turned_away_for_too_long_fail_the_batch_with_what_to_look_at() -> None:
    connection = Scripted(answering(b=BUSY))
    with pytest.raises(TargetError, match="its queue is full") as raised:
        sent(connection, patience=IMPATIENT)
    assert "read_only_allow_delete" in raised.value.hint
    assert connection.bodies == [[*"abcd"], ["b"], ["b"]]


def test_what_is_held_at_a_version_above_is_done() -> None:
    connection = Scripted(answering(a=ALREADY_NEWER))
    assert sent(connection) == ([], 42)
    assert len(connection.bodies) == 1


def test_a_body_that_is_too_large_is_halved_until_it_is_not() -> None:
    connection = Scripted(failing(413, when=lambda ids: len(ids) > 2))
    assert sent(connection, "abcdefg") == ([], -1)
    assert connection.bodies == [[*"abcdefg"], [*"abc"], ["a"], [*"bc"], [*"defg"], [*"de"], [*"fg"]]


def test_a_write_that_is_too_large_by_itself_cannot_be_held_and_all_others_are() -> None:
    assert sent(Scripted(failing(413, when=lambda ids: "c" in ids))) == (["c"], -1)


def test_a_body_that_is_refused_for_one_line_is_halved_until_that_one_stands_alone() -> None:
    connection = Scripted(failing(400, "action_request_validation_exception", when=lambda ids: "f" in ids))
    assert sent(connection, "abcdefg") == (["f"], -1)
    assert {id_ for ids in connection.bodies if "f" not in ids for id_ in ids} == {*"abcdeg"}


def test_what_the_mapping_refuses_is_sent_as_it_is_rendered_anew() -> None:
    connection = Scripted(answering(b=UNFIT))
    bulk = Bulk(connection, PATIENT)
    assert bulk.send(ALIAS, lines("abc"), lambda _: line("aside")) == ([], -1)
    assert connection.bodies == [[*"abc"], ["aside"]]
    bulk.close()


def test_what_the_mapping_refuses_and_nobody_renders_anew_says_why() -> None:
    bulk = Bulk(Scripted(answering(b=UNFIT)), PATIENT)
    [rejection], _ = bulk.send(ALIAS, lines("abc"), no_other_way)
    assert (rejection.write.id, rejection.code) == ("b", "mapper_parsing_exception")
    assert "no number" in rejection.message
    bulk.close()


@pytest.mark.parametrize("answer", [answering(b=GONE), failing(403), failing(500)], ids=["item", "403", "500"])
def test_whatever_else_is_refused_fails_the_batch(answer: Answer) -> None:
    with pytest.raises(TargetError):
        sent(Scripted(answer))


def test_lines_are_divided_into_bodies_by_their_bytes_and_their_number() -> None:
    connection = Scripted(taken)
    bulk = Bulk(connection, PATIENT)
    bulk.send(ALIAS, [line(f"large-{number}", length=600_000) for number in range(3)], no_other_way)
    assert sorted(map(len, connection.bodies)) == [1, 1, 1]
    connection.bodies.clear()
    bulk.send(ALIAS, [line(f"small-{number}") for number in range(4_100)], no_other_way)
    assert sorted(map(len, connection.bodies)) == [100, 2_000, 2_000]
    bulk.close()


def test_each_line_is_sent_once_where_all_are_taken() -> None:
    connection = Scripted(taken)
    bulk = Bulk(connection, PATIENT)
    names = [f"{number}" for number in range(500)]
    bulk.send(ALIAS, [line(name, length=50_000) for name in names], no_other_way)
    assert sorted(id_ for ids in connection.bodies for id_ in ids) == sorted(names)
    bulk.close()


def test_less_is_sent_at_once_while_writes_are_turned_away_and_more_again_afterwards() -> None:
    connection = Scripted(answering(a=BUSY), failing(429), answering(a=BUSY), taken)
    bulk = Bulk(connection, PATIENT)
    first = bulk.pace.size
    seen: list[int] = []
    connection.watched = lambda: seen.append(bulk.pace.size)
    for _ in range(20):
        bulk.send(ALIAS, lines("a"), no_other_way)
    assert seen[:4] == [first, first // 2, first // 4, first // 8]
    assert seen[4:] == sorted(seen[4:])
    assert bulk.pace.size > first
    assert bulk.pace.at_once > 2
    bulk.close()


class TestPace:
    """Additive increase, multiplicative decrease."""

    def test_it_grows_little_by_little_while_bodies_are_taken_quickly(self) -> None:
        pace, steps = Pace(), []
        for _ in range(300):
            steps.append((pace.at_once, pace.size))
            pace.took(0.01)
        grown = pairwise(steps)
        assert all(0 <= after[0] - before[0] < 1 and after[1] >= before[1] for before, after in grown)
        assert (pace.at_once, pace.size) == (8, 8 * 2**20)

    def test_it_halves_when_writes_are_turned_away_and_never_ends(self) -> None:
        pace = Pace(at_once=8.0, size=8 * 2**20)
        pace.refused()
        assert (pace.at_once, pace.size) == (4.0, 4 * 2**20)
        for _ in range(20):
            pace.refused()
        assert (pace.at_once, pace.size) == (1.0, 64 * 2**10)

    def test_slow_answers_count_as_turned_away(self) -> None:
        pace = Pace(at_once=4.0)
        pace.took(3.0)
        assert pace.at_once == 2.0
