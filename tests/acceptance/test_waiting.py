"""Requests that wait for a write, over a real server with fakes behind it: what is said, refused, counted and ended."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

import httpx2
import pytest

from dynalens.errors import StoreError, TargetError
from dynalens.partition import Partition, Position
from dynalens.position import Gap, PartitionState
from dynalens.report import Report
from dynalens.server import waits
from dynalens.server.limits import POSITION_BYTES
from dynalens.server.position_token import read_token, token_of
from dynalens.target import StoredDocument
from tests.fakes import Fakes, copy, state
from tests.serving import Running, refused, running
from tests.waiting import observed

COLLECTION = "/api/v1/collections/donations"
METRIC = f"{COLLECTION}/metrics/by_platform"
DOCUMENT = f"{COLLECTION}/documents/a%40test.com"
SQL = "/api/v1/sql"
QUERY = {"query": "SELECT count() FROM donations"}
SOON = {"wait_timeout": "0.2"}
HEADER = "dynalens-freshness"


def told(answer: httpx2.Response) -> list[dict[str, str]]:
    """Give the parts of each value of the header."""
    return [dict(part.split("=", 1) for part in value.split("; ")) for value in answer.headers.get_list(HEADER)]


def committed(fakes: Fakes, target: str, rank: int) -> None:
    """Let the one open shard of donations be committed up to a sequence number."""
    others = [(of, one) for of, one in fakes.stores.states if one.target != target]
    fakes.stores.states = [*others, ("Donations", state("shardId-2", target, Position(rank=rank)))]


def position(rank: int) -> str:
    return f"position:{token_of('Donations', [state('shardId-2', 'sql', Position(rank=rank))])}"


def later(action: Callable[[], None], served: Running) -> None:
    """Act once a request waits."""
    service = served.server._uvicorn.config.app.state.service  # type: ignore[union-attr] # a loaded FastAPI

    def act() -> None:
        observed(lambda: service.waits.waiting)
        action()

    threading.Thread(target=act, daemon=True).start()


# How fresh an answer is.


@pytest.mark.parametrize(
    ("path", "target"),
    [
        (COLLECTION, "sql"),
        (DOCUMENT, "sql"),
        (METRIC, "metrics"),
        (f"{COLLECTION}/search?q=x", "search"),
        ("/donations/_search", "search"),
        ("/donations/_count", "search"),
        ("/donations/_doc/a%40test.com", "sql"),
    ],
)
def test_every_answer_that_reads_a_target_says_how_fresh_it_is(served: Running, path: str, target: str) -> None:
    answer = served.client.get(path)
    assert answer.status_code == 200
    [fresh] = told(answer)
    assert (fresh["collection"], fresh["target"]) == ("donations", target)
    assert int(fresh["age_ms"]) >= 0
    assert read_token(fresh["position"]).table == "Donations"


def test_the_position_is_what_is_committed_and_applied_is_when_it_was_made(served: Running, fakes: Fakes) -> None:
    fakes.stores.saved_reports[0] = replace(fakes.stores.saved_reports[0], applied_at=1_754_550_000.25)
    [fresh] = told(served.client.get(DOCUMENT))
    assert fresh["applied"] == "2025-08-07T07:00:00.250Z"
    [shard] = read_token(fresh["position"]).shards[1:]
    assert (shard.id, shard.position.rank) == ("shardId-2", 111)


def test_sql_tells_of_the_collections_that_it_names_and_of_all_where_it_hides_names(served: Running) -> None:
    def named(query: str) -> list[str]:
        return [fresh["collection"] for fresh in told(served.client.post(SQL, json={"query": query}))]

    assert named("SELECT count() FROM donations") == ["donations"]
    assert named("SELECT 1") == []
    assert named("SELECT * FROM donations JOIN users USING (email)") == ["donations", "users"]
    assert named('SELECT * FROM "\\x64onations"') == ["donations", "users"]


def test_an_answer_that_finds_nothing_says_as_of_when(served: Running) -> None:
    answer = served.client.get(f"{COLLECTION}/documents/nobody")
    refused(answer, 404, "not_found")
    assert len(told(answer)) == 1


def test_stores_that_fail_or_hang_hold_up_no_answer(served: Running, fakes: Fakes) -> None:
    gate = threading.Event()

    def fail(table: str) -> list[PartitionState]:
        raise StoreError(f"{table} is locked")

    def hang(table: str) -> list[PartitionState]:
        gate.wait(30)
        return [one for of, one in fakes.stores.states if of == table]

    for broken in (fail, hang):
        fakes.stores.partitions = broken  # type: ignore[method-assign]
        answer = served.client.get(DOCUMENT)
        assert answer.status_code == 200
        assert told(answer) == []
    gate.set()


def test_a_position_too_long_for_a_header_is_given_by_its_own_route(served: Running, fakes: Fakes) -> None:
    shards = [state(f"shardId-{number**9:020}", "sql", Position(rank=number**11)) for number in range(1000)]
    fakes.stores.states = [("Donations", shard) for shard in shards]
    [fresh] = told(served.client.get(DOCUMENT))
    assert "position" not in fresh
    answer = served.client.get(f"{COLLECTION}/position?target=sql").json()
    assert len(answer["position"]) > POSITION_BYTES
    assert read_token(answer["position"]) == token_of("Donations", shards)


def test_the_position_of_a_target_is_told_and_one_that_is_not_configured_is_refused(fakes: Fakes) -> None:
    with running(fakes.backend()) as run:
        answer = run.client.get(f"{COLLECTION}/position?target=metrics").json()
        assert (answer["target"], answer["table"], answer["applied"]) == ("metrics", "Donations", None)
        refused(run.client.get(f"{COLLECTION}/position"), 400, "bad_request")
    with running(fakes.backend(targets=False)) as run:
        for target in ("sql", "search", "metrics"):
            refused(run.client.get(f"{COLLECTION}/position?target={target}"), 404, "not_found")


# What is waited for.


def test_a_position_is_waited_for_and_then_the_query_is_run(served: Running, fakes: Fakes) -> None:
    later(lambda: committed(fakes, "sql", 222), served)
    answer = served.client.post(SQL, json=QUERY, params={"wait_for": position(222)})
    assert answer.status_code == 200
    assert len(fakes.sql.asked) == 1


def test_a_position_that_is_not_reached_says_how_far_it_is_and_the_query_is_not_run(
    served: Running, fakes: Fakes
) -> None:
    error = refused(
        served.client.post(SQL, json=QUERY, params={"wait_for": position(222), **SOON}), 504, "wait_timeout"
    )
    assert error["message"].startswith(
        "donations in sql is not there after 0.2 s: shard shardId-2 stands at sequence number 111, before sequence "
        "number 222; 0 changes wait, "
    )
    assert "up to 30 s" in error["hint"]
    assert fakes.sql.asked == []


def test_a_sequence_number_is_waited_for_in_its_shard_or_in_all(served: Running, fakes: Fakes) -> None:
    def asked(wait_for: str, seconds: str) -> httpx2.Response:
        return served.client.get(f"{COLLECTION}/search", params={"wait_for": wait_for, "wait_timeout": seconds})

    committed(fakes, "search", 111)
    other = ("Donations", state("shardId-3", "search", Position(rank=5)))
    fakes.stores.states.append(other)
    later(lambda: committed(fakes, "search", 222), served)
    assert asked("sequence:222@shardId-2", "30").status_code == 200
    fakes.stores.states.append(other)
    refused(asked("sequence:223", "0.2"), 504, "wait_timeout")
    fakes.stores.states[-1] = ("Donations", state("shardId-3", "search", Position(rank=300)))
    refused(asked("sequence:223", "0.2"), 504, "wait_timeout")
    later(lambda: committed(fakes, "search", 223), served)
    assert asked("sequence:223", "30").status_code == 200


def test_whoever_waits_finds_what_a_cluster_shows_a_moment_later(served: Running, fakes: Fakes) -> None:
    committed(fakes, "search", 111)
    assert served.client.get(f"{COLLECTION}/search").status_code == 200
    assert fakes.search.refreshed == []
    wait = {"wait_for": "sequence:111@shardId-2", "wait_timeout": "30"}
    assert served.client.get(f"{COLLECTION}/search", params=wait).status_code == 200
    assert fakes.search.refreshed == ["donations"]


def test_a_shard_that_was_split_has_all_of_its_numbers_once_a_child_is_read(served: Running, fakes: Fakes) -> None:
    child = PartitionState(Partition("shardId-4", "shard", ("shardId-0",)), "sql", 1, Position())
    fakes.stores.states = [("Donations", child)]
    assert served.client.get(DOCUMENT, params={"wait_for": "sequence:9@shardId-0"}).status_code == 200


@pytest.mark.parametrize(("path", "target"), [(f"{COLLECTION}/search", "search"), (DOCUMENT, "sql")])
def test_a_document_is_waited_for_in_the_target_that_answers(
    served: Running, fakes: Fakes, path: str, target: str
) -> None:
    put = fakes.search.put if target == "search" else fakes.documents.put
    later(lambda: put("donations", "b", b'{"amount":20}'), served)
    wait = {"wait_for": "document:b", "expect": "amount:20"}
    assert served.client.get(path, params=wait).status_code == 200
    error = refused(served.client.get(path, params={**wait, "expect": "gone", **SOON}), 504, "wait_timeout")
    assert f"the document 'b' is not as expected in {target}" in error["message"]


def test_metrics_wait_for_the_document_and_then_for_all_that_was_in_the_stream(served: Running, fakes: Fakes) -> None:
    wait = {"wait_for": "document:a@test.com", "expect": "amount:10.5"}
    error = refused(served.client.get(METRIC, params={**wait, **SOON}), 504, "wait_timeout")
    assert "sql has the document; 10 changes wait" in error["message"]
    [said] = [one for one in fakes.stores.saved_reports if (one.table, one.target) == ("Donations", "metrics")]
    fakes.stores.saved_reports.remove(said)
    others = fakes.stores.reports

    def reading_on() -> list[Report]:
        now = time.time()
        return [*others(), replace(said, waiting=0, behind_seconds=0.0, polled_at=now, written_at=now)]

    fakes.stores.reports = reading_on  # type: ignore[method-assign]
    assert served.client.get(METRIC, params=wait).status_code == 200


def test_metrics_alone_say_to_wait_for_a_position(fakes: Fakes) -> None:
    with running(replace(fakes.backend(), kept_in={}, sql=None, search=None)) as run:
        wait = {"wait_for": "document:a", "expect": "gone"}
        error = refused(run.client.get(METRIC, params=wait), 400, "bad_request")
    assert error["hint"] == f"Wait for a position: GET {COLLECTION}/position?target=metrics"


def test_while_changes_are_lost_no_position_stands_for_what_is_read(served: Running, fakes: Fakes) -> None:
    fakes.stores.open_gaps.append(Gap("Donations", "sql", "shardId-2", 1.0, 2.0, "records were trimmed", 3.0, 1))
    wait = {"wait_for": position(100), **SOON}
    error = refused(served.client.get(DOCUMENT, params=wait), 504, "wait_timeout")
    assert "were lost and are not repaired yet: records were trimmed" in error["message"]
    repaired = replace(copy("donations", "sql", state="live"), number=2)
    fakes.stores.saved_copies[0] = ("Donations", repaired)
    assert served.client.get(DOCUMENT, params=wait).status_code == 200


def test_a_first_copy_that_is_not_complete_is_waited_for(served: Running) -> None:
    wait = {"wait_for": f"position:{token_of('CrmMaster', [])}", **SOON}
    error = refused(served.client.get("/api/v1/collections/users/documents/x", params=wait), 504, "wait_timeout")
    assert "the first copy of users is not complete" in error["message"]


def test_all_of_several_things_must_hold(served: Running) -> None:
    def asked(*wait_for: str) -> int:
        return served.client.get(DOCUMENT, params={"wait_for": list(wait_for), **SOON}).status_code

    assert asked(position(100), "sequence:111@shardId-2") == 200
    assert asked(position(100), "sequence:112@shardId-2") == 504


def test_elasticsearchs_paths_wait_too(served: Running) -> None:
    body: dict[str, dict[str, object]] = {"query": {"match_all": {}}}
    for path in ("_search", "_count"):
        waited = {"wait_for": "document:a@test.com", "expect": "amount:10.5", "wait_timeout": "10"}
        assert served.client.post(f"/donations/{path}", json=body, params=waited).status_code == 200
        refused(
            served.client.get(f"/donations/{path}", params={**waited, "expect": "gone", **SOON}), 504, "wait_timeout"
        )
    assert served.client.head("/donations/_doc/a%40test.com", params={"wait_for": position(100)}).status_code == 200


# What is refused.


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"wait_for": "position:x"}, "is no position"),
        ({"wait_for": "sequence:x"}, "nothing to wait for"),
        ({"wait_for": "sequence:"}, "nothing to wait for"),
        ({"wait_for": "document:"}, "nothing to wait for"),
        ({"wait_for": "everything"}, "nothing to wait for"),
        ({"wait_for": "document:a"}, "lacks what to expect"),
        ({"wait_for": ["document:a", "document:b"], "expect": "gone"}, "several documents"),
        ({"wait_for": "document:a", "expect": "amount"}, "without a colon"),
        ({"expect": "gone"}, "wait_for names none"),
        ({"wait_for": "sequence:1", "wait_timeout": "31"}, "less than or equal to 30"),
        ({"wait_for": "sequence:1", "wait_timeout": "0"}, "greater than 0"),
        ({"wait_for": "sequence:1", "wait_timeout": "nan"}, "finite"),
    ],
)
@pytest.mark.parametrize("path", [METRIC, f"{COLLECTION}/search", "/donations/_search"])
def test_what_is_malformed_is_refused_with_what_to_write(
    served: Running, path: str, parameters: dict[str, str | list[str]], said: str
) -> None:
    error = refused(served.client.get(path, params=parameters), 400, "bad_request")
    assert said in error["message"]


def test_a_position_of_another_table_is_refused(served: Running) -> None:
    wait = {"wait_for": f"position:{token_of('CrmMaster', [])}"}
    error = refused(served.client.get(METRIC, params=wait), 400, "bad_request")
    assert error["hint"] == "Give one of Donations."


def test_sql_over_several_collections_is_told_which_one_is_meant(served: Running) -> None:
    both = {"query": "SELECT 1 FROM donations, users"}
    wait = {"wait_for": "document:a@test.com", "expect": "amount:10.5"}
    error = refused(served.client.post(SQL, json=both, params=wait), 400, "bad_request")
    assert "collection=donations" in error["hint"]
    refused(served.client.post(SQL, json=both, params={"wait_for": "sequence:1"}), 400, "bad_request")
    assert served.client.post(SQL, json=both, params={**wait, "collection": "donations"}).status_code == 200
    refused(served.client.post(SQL, json=both, params={**wait, "collection": "donation"}), 404, "not_found")


def test_a_target_that_cannot_be_read_says_so_at_once(served: Running, fakes: Fakes) -> None:
    fakes.documents.failure = TargetError("chDB is closed.", hint="Start it.")
    refused(served.client.get(DOCUMENT, params={"wait_for": "document:a", "expect": "gone"}), 503, "target")


# Those who wait.


def test_more_than_may_wait_are_refused(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "WAITS", 0)
    error = refused(served.client.get(METRIC, params={"wait_for": position(222)}), 503, "busy")
    assert "(limit: 0 at once)" in error["message"]
    assert served.client.get(METRIC).status_code == 200


def test_a_client_that_goes_away_is_waited_with_no_longer(served: Running, caplog: pytest.LogCaptureFixture) -> None:
    service = served.server._uvicorn.config.app.state.service  # type: ignore[union-attr] # a loaded FastAPI
    with served.connect() as connection:
        path = f"{METRIC}?wait_for={position(222)}&wait_timeout=30"
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        observed(lambda: service.waits.waiting == 1)
    observed(lambda: service.waits.waiting == 0, timeout=10)
    assert caplog.records == []


def test_those_who_wait_take_one_thread_all_together(served: Running, fakes: Fakes) -> None:
    service = served.server._uvicorn.config.app.state.service  # type: ignore[union-attr] # a loaded FastAPI
    gate, known = threading.Event(), fakes.documents.document

    def hanging(collection: str, document_id: str) -> StoredDocument | None:
        if document_id == "nobody":
            gate.wait(30)
        return known(collection, document_id)

    fakes.documents.document = hanging  # type: ignore[method-assign]
    connections = [served.connect() for _ in range(100)]
    try:
        for connection in connections:
            path = f"{DOCUMENT}?wait_for=document:nobody&expect=amount:1&wait_timeout=30"
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        observed(lambda: service.waits.waiting == len(connections))
        assert all(served.client.get(DOCUMENT).status_code == 200 for _ in range(20))
    finally:
        gate.set()
        for connection in connections:
            connection.close()
