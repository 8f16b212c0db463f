"""The HTTP API as its callers meet it: a real server on loopback, fakes behind it."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from dynalens.config import CollectionConfig, Config, DashboardConfig, PanelConfig
from dynalens.errors import BusyError, DynalensError, QueryLimitError, QueryRefusedError, RequestError, TargetError
from dynalens.position import Gap
from dynalens.server.limits import BODY_BYTES, JSON_DEPTH, LETTERS_PER_ANSWER, SQL_CHARACTERS
from dynalens.server.routes import console, health
from dynalens.target import MetricGroup, SqlResult
from tests.fakes import CONFIG, Fakes, copy, letter, report, world
from tests.serving import Running, refused, running
from tests.waiting import observed

SQL = "/api/v1/sql"
REDRIVE = "/api/v1/dead-letters/redrive"
BY_PLATFORM = "/api/v1/collections/donations/metrics/by_platform"


@pytest.fixture(scope="module")
def shared() -> Iterator[Running]:
    """One server for all tests that change nothing."""
    with running(world(time.time()).backend()) as run:
        yield run


# Health.


def test_healthz_answers_whatever_the_collections_do(shared: Running) -> None:
    answer = shared.client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok", "version": "1.2.3"})


def test_readyz_names_what_is_not_ready(shared: Running) -> None:
    answer = shared.client.get("/readyz")
    refused(answer, 503, "not_ready")
    assert answer.json()["reasons"] == [
        {
            "collection": "users",
            "target": "sql",
            "phase": "backfilling",
            "reason": "400 of about 1,000 rows of the first copy are done.",
            "hint": "",
        }
    ]


def test_readyz_says_all_that_is_known_of_why(served: Running, fakes: Fakes) -> None:
    fakes.stores.open_gaps.append(Gap("CrmMaster", "sql", "shardId-1", 0.0, 2.0, "records were trimmed", 3.0))
    failed = report("CrmMaster", "sql", time.time(), scanned=400, scan_total=1_000, waiting=7, behind_seconds=90)
    error = {"error_code": "target", "error_message": "The disk is full.", "error_hint": "Free some space."}
    fakes.stores.saved_reports = [replace(failed, **error)]  # type: ignore[arg-type]
    [reason] = [reason for reason in served.client.get("/readyz").json()["reasons"] if reason["collection"] == "users"]
    assert reason["phase"] == "gap"
    assert reason["hint"] == "Free some space."
    assert reason["reason"] == (
        "Changes from an unknown time to 1970-01-01T00:00:02Z were lost: records were trimmed. The disk is full. "
        "400 of about 1,000 rows of the first copy are done. 7 changes wait, 90.0 s behind."
    )


def test_readyz_says_yes_once_every_first_copy_is_complete(served: Running, fakes: Fakes) -> None:
    fakes.stores.saved_copies[-1] = ("CrmMaster", copy("users", "sql", state="live"))
    answer = served.client.get("/readyz")
    assert (answer.status_code, answer.json()) == (200, {"ready": True, "caught_up": False})


def test_readyz_can_be_asked_for_caught_up(served: Running, fakes: Fakes) -> None:
    fakes.stores.saved_copies[-1] = ("CrmMaster", copy("users", "sql", state="live"))
    answer = served.client.get("/readyz?caught_up=true")
    refused(answer, 503, "not_ready")
    assert {(reason["collection"], reason["target"]) for reason in answer.json()["reasons"]} == {
        ("donations", "metrics"),
        ("users", "sql"),
    }
    fakes.stores.saved_reports = [replace(said, caught_up=True) for said in fakes.stores.saved_reports]
    assert served.client.get("/readyz?caught_up=true").json() == {"ready": True, "caught_up": True}


def test_a_process_that_serves_nothing_is_not_ready(fakes: Fakes) -> None:
    with running(fakes.backend(targets=False)) as run:
        refused(run.client.get("/readyz"), 503, "not_ready")


def test_a_worker_that_went_silent_is_stalled(served: Running, fakes: Fakes) -> None:
    fakes.stores.saved_reports = [report("Donations", "sql", time.time() - 60)]
    phases = {
        (entry["collection"], entry["target"]): (entry["phase"], entry["error"])
        for entry in served.client.get("/api/v1/status").json()["collections"]
    }
    phase, error = phases["donations", "sql"]
    assert (phase, error["code"], error["message"]) == (
        "stalled",
        "worker_silent",
        "The worker last reported 60 s ago.",
    )
    assert phases["donations", "metrics"][1]["message"] == "No worker has reported yet."


def test_status_tells_all_of_every_collection_and_target(shared: Running) -> None:
    status = shared.client.get("/api/v1/status").json()
    assert (status["version"], status["started_at"], status["dead_letters"]) == ("1.2.3", 1754550000.0, 2)
    assert status["positions"] == [
        {"table": "Donations", "target": "sql", "partition": "shardId-2", "kind": "shard", "position": "111"}
    ]
    sql, search, metrics, users, users_searched = status["collections"]
    assert (sql["phase"], sql["ready"], sql["documents"], sql["dead_letters"]) == ("streaming", True, 1, 0)
    assert (metrics["target"], metrics["documents"], metrics["dead_letters"]) == ("metrics", None, 1)
    assert (metrics["caught_up"], metrics["waiting"]) == (False, 10)
    assert metrics["lag_seconds"] >= 2.5
    assert (users["phase"], users["progress"], users["ready"]) == ("backfilling", 0.4, False)
    assert (users["scanned"], users["scan_total"], users["stalled"]) == (400, 1_000, False)
    assert (search["target"], search["phase"], search["documents"]) == ("search", "streaming", 1)
    assert (users_searched["target"], users_searched["ready"], users_searched["documents"]) == ("search", True, 0)


def test_status_shows_gaps_and_still_answers_when_a_target_does_not(served: Running, fakes: Fakes) -> None:
    fakes.stores.open_gaps.append(Gap("Donations", "sql", "shardId-1", 1.0, 2.0, "records were trimmed", 3.0))
    fakes.documents.failure = TargetError("chDB is closed.")
    entry = served.client.get("/api/v1/status").json()["collections"][0]
    assert (entry["phase"], entry["documents"]) == ("gap", None)
    assert entry["gaps"] == [
        {"partition": "shardId-1", "since": 1.0, "until": 2.0, "reason": "records were trimmed", "found_at": 3.0}
    ]


def test_a_target_that_hangs_holds_up_neither_status_nor_the_other_target(
    served: Running, fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "COUNT_SECONDS", 0.05)
    fakes.documents.gate.clear()
    for _ in range(80):  # more than may wait for documents
        assert served.client.get("/api/v1/status").json()["collections"][0]["documents"] is None
    refused(served.client.get("/api/v1/collections/donations"), 503, "busy")
    assert served.client.get(BY_PLATFORM).status_code == 200
    fakes.documents.gate.set()


def test_prometheus_reads_the_metrics(shared: Running) -> None:
    shared.client.get("/nowhere")
    answer = shared.client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = answer.text.splitlines()
    place = 'table="Donations",collection="donations",target="metrics"'
    assert f"dynalens_ready{{{place}}} 1" in lines
    assert f"dynalens_caught_up{{{place}}} 0" in lines
    assert f'dynalens_phase{{{place},phase="streaming"}} 1' in lines
    assert f'dynalens_phase{{{place},phase="gap"}} 0' in lines
    assert f"dynalens_dead_letters{{{place}}} 1" in lines
    assert 'dynalens_dead_letters{table="Donations",collection="",target="metrics"} 1' in lines
    assert 'dynalens_waiting_changes{table="Donations",target="metrics"} 10' in lines
    assert 'dynalens_scan_rows{table="CrmMaster",target="sql"} 400' in lines
    assert any(line.startswith('dynalens_http_requests_total{method="GET",route="unmatched"') for line in lines)


# Collections and documents.


def test_collections_are_listed(shared: Running) -> None:
    assert shared.client.get("/api/v1/collections").json() == {
        "collections": [
            {"name": "donations", "table": "Donations", "metrics": ["by_platform", "everything"]},
            {"name": "users", "table": "CrmMaster", "metrics": []},
        ]
    }


def test_a_collection_lists_its_fields_with_types_and_drift(shared: Running) -> None:
    assert shared.client.get("/api/v1/collections/donations").json() == {
        "name": "donations",
        "table": "Donations",
        "metrics": ["by_platform", "everything"],
        "documents": 1,
        "fields": [
            {
                "name": "amount",
                "types": {"number": 1, "string": 1},
                "column": "Nullable(Decimal(38, 10))",
                "drift": 1,
            }
        ],
    }


def test_a_document_comes_as_it_is_stored(shared: Running) -> None:
    answer = shared.client.get("/api/v1/collections/donations/documents/a@test.com")
    assert answer.content == b'{"id":"a@test.com","document":{"email":"a@test.com","amount":10.50,"tags":["x"]}}'
    assert answer.headers["content-type"] == "application/json"


def test_a_document_gives_its_typed_attributes_back(shared: Running) -> None:
    answer = shared.client.get("/api/v1/collections/donations/documents/a@test.com?format=dynamodb")
    assert answer.json() == {
        "id": "a@test.com",
        "document": {"email": {"S": "a@test.com"}, "amount": {"N": "10.50"}, "tags": {"SS": ["x"]}},
    }


@pytest.mark.parametrize(
    ("document_id", "path"),
    [
        ("a/b//c/", "a%2Fb%2F%2Fc%2F"),
        ("a/b//c/", "a/b//c/"),
        ("S:a|S:b\\|c", "S:a%7CS:b%5C%7Cc"),
        ("~%2E%2E", "~%252E%252E"),
        ("Übung?#%", "%C3%9Cbung%3F%23%25"),
        ("metrics/by_platform", "metrics%2Fby_platform"),
    ],
)
def test_any_id_can_stand_in_a_path(document_id: str, path: str, served: Running, fakes: Fakes) -> None:
    fakes.documents.put("donations", document_id, b'{"n":1}')
    with served.connect() as connection:
        # A raw request: clients rewrite paths.
        request = f"GET /api/v1/collections/donations/documents/{path} HTTP/1.1\r\nHost: localhost\r\n"
        connection.sendall(f"{request}Connection: close\r\n\r\n".encode())
        answer = connection.makefile("rb").read()
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == {"id": document_id, "document": {"n": 1}}


def test_lone_surrogates_survive_in_both_formats(served: Running, fakes: Fakes) -> None:
    stored = b'{"text":"\\ud800"}'
    fakes.documents.put("donations", "odd", stored)
    path = "/api/v1/collections/donations/documents/odd"
    assert served.client.get(path).content == b'{"id":"odd","document":%b}' % stored
    assert served.client.get(f"{path}?format=dynamodb").json()["document"] == {"text": {"S": "\ud800"}}


def test_a_document_that_is_not_there(shared: Running) -> None:
    for path in ("nobody", "", "%00", "a" * 2000):
        refused(shared.client.get(f"/api/v1/collections/donations/documents/{path}"), 404, "not_found")


def test_unknown_names_are_answered_with_those_that_exist(shared: Running) -> None:
    error = refused(shared.client.get("/api/v1/collections/donation"), 404, "not_found")
    assert error["message"] == "There is no collection 'donation'."
    assert error["hint"] == "Did you mean 'donations'? collections: donations, users"
    error = refused(shared.client.get("/api/v1/collections/donations/metrics/by_plattform"), 404, "not_found")
    assert error["hint"] == "Did you mean 'by_platform'? metrics: by_platform, everything"
    error = refused(shared.client.get("/api/v1/collections/users/metrics/x"), 404, "not_found")
    assert error["hint"] == "metrics: none"
    for path in ("nowhere/documents/1", "nowhere/metrics/1"):
        refused(shared.client.get(f"/api/v1/collections/{path}"), 404, "not_found")


def test_a_question_for_a_target_that_is_not_configured_says_what_to_configure(fakes: Fakes) -> None:
    with running(fakes.backend(targets=False)) as run:
        for path in ("/api/v1/collections/donations", "/api/v1/collections/donations/documents/1"):
            assert "targets: {sql:" in refused(run.client.get(path), 404, "not_found")["hint"]
        assert "sql" in refused(run.client.post(SQL, json={"query": "SELECT 1"}), 404, "not_found")["hint"]
        for path in (BY_PLATFORM, "/api/v1/live?collections=donations"):
            assert "targets: {metrics:" in refused(run.client.get(path), 404, "not_found")["hint"]
        assert run.client.get("/api/v1/status").json()["collections"] == []


# Metrics.


def test_a_metric_has_the_documented_shape_and_every_digit(shared: Running) -> None:
    assert shared.client.get(BY_PLATFORM).content == (
        b'{"metric":"donations.by_platform","groups":['
        b'{"group":{"platform":"Phone"},"values":{"count":2,"amount_sum":60.10}},'
        b'{"group":{"platform":"Facebook"},"values":{"count":1,"amount_sum":10.00}}],'
        b'"total":{"count":3,"amount_sum":70.10}}'
    )


def test_a_metric_that_misses_something_says_so(served: Running, fakes: Fakes) -> None:
    fakes.metrics.groups["donations.by_platform"].append(
        MetricGroup({"platform": b"1e400"}, {"count": "1"}, exact=False)
    )
    answer = served.client.get(BY_PLATFORM)
    assert b'{"group":{"platform":1e400},"values":{"count":1},"exact":false}' in answer.content
    assert answer.json()["exact"] is False
    assert answer.json()["phase"] == "streaming"


def test_a_metric_over_a_gap_or_an_unfinished_copy_is_not_exact(served: Running, fakes: Fakes) -> None:
    fakes.stores.open_gaps.append(Gap("Donations", "metrics", "shardId-1", 1.0, 2.0, "records were trimmed", 3.0))
    assert (served.client.get(BY_PLATFORM).json()["exact"], served.client.get(BY_PLATFORM).json()["phase"]) == (
        False,
        "gap",
    )
    fakes.stores.open_gaps.clear()
    fakes.stores.saved_copies[1] = ("Donations", copy("donations", "metrics", state="building"))
    answer = served.client.get(BY_PLATFORM).json()
    assert (answer["exact"], answer["phase"]) == (False, "backfilling")


# SQL.


def test_sql_is_answered_with_the_engines_bytes(served: Running, fakes: Fakes) -> None:
    body = b'{"query": "SELECT {x:Decimal(38,20)}", "parameters": {"x": 0.12345678901234567890, "y": [1, null]}}'
    answer = served.client.post(SQL, content=body, headers={"Content-Type": "application/json"})
    assert answer.content == fakes.sql.result.body
    [(query, parameters, output)] = fakes.sql.asked
    assert (query, output) == ("SELECT {x:Decimal(38,20)}", "json")
    assert {name: str(value) for name, value in parameters.items()} == {"x": "0.12345678901234567890", "y": "[1, None]"}


def test_sql_is_answered_in_the_format_asked_for(served: Running, fakes: Fakes) -> None:
    fakes.sql.result = SqlResult("application/vnd.apache.parquet", b"PAR1", 0)
    answer = served.client.post(SQL, json={"query": "SELECT 1", "format": "parquet"})
    assert (answer.headers["content-type"], answer.content) == ("application/vnd.apache.parquet", b"PAR1")
    assert fakes.sql.asked[0][2] == "parquet"


@pytest.mark.parametrize(
    ("failure", "status", "code"),
    [
        (QueryRefusedError("file() reads files.", hint="Read the collections' views."), 403, "query_refused"),
        (RequestError("Unknown column amunt.", hint="Did you mean amount?"), 400, "bad_request"),
        (QueryLimitError("The query ran longer than the limit of 10 s.", hint="Ask for less."), 422, "limit"),
        (TargetError("chDB is closed.", hint="Wait."), 503, "target"),
        (BusyError("Too many queries are running (limit: 4).", hint="Try again."), 503, "busy"),
    ],
)
def test_what_the_engine_refuses(failure: Exception, status: int, code: str, served: Running, fakes: Fakes) -> None:
    fakes.sql.failure = failure
    answer = served.client.post(SQL, json={"query": "SELECT 1"})
    refused(answer, status, code)
    assert answer.headers.get("retry-after") == ("1" if status == 503 else None)


@pytest.mark.parametrize(
    ("body", "place"),
    [
        ({}, "body.query: "),
        ({"query": ""}, "body.query: "),
        ({"query": 1}, "body.query: "),
        ({"query": "SELECT 1", "format": "xml"}, "body.format: "),
        ({"query": "SELECT 1", "parameters": []}, "body.parameters: "),
        ({"query": "SELECT 1", "parameters": {str(n): n for n in range(101)}}, "body.parameters: "),
        ({"query": "SELECT 1", "limit": 1}, "body.limit: "),
        ([], "body: "),
    ],
)
def test_a_body_of_another_shape_is_refused_with_the_place(body: object, place: str, shared: Running) -> None:
    assert refused(shared.client.post(SQL, json=body), 400, "bad_request")["message"].startswith(place)


def test_a_query_too_long_is_refused_with_the_limit(shared: Running) -> None:
    long = shared.client.post(SQL, json={"query": "SELECT '" + "x" * SQL_CHARACTERS + "'"})
    assert str(SQL_CHARACTERS) in refused(long, 422, "limit")["message"]


def test_a_body_too_large_is_refused_with_the_limit(shared: Running) -> None:
    for body in (b"x" * (BODY_BYTES + 1), iter([b"x" * BODY_BYTES, b"x"])):
        answer = shared.client.post(SQL, content=body, headers={"Content-Type": "application/json"})
        assert str(BODY_BYTES) in refused(answer, 413, "limit")["message"]


def test_a_body_too_deep_is_refused_with_the_limit(shared: Running) -> None:
    answer = shared.client.post(SQL, content=b"[" * 100_000, headers={"Content-Type": "application/json"})
    assert f"limit of {JSON_DEPTH} levels" in refused(answer, 422, "limit")["message"]


def test_what_a_browser_could_send_from_another_page_is_refused(shared: Running) -> None:
    for content_type in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        answer = shared.client.post(REDRIVE, content=b'{"numbers":null}', headers={"Content-Type": content_type})
        assert "Content-Type: application/json" in refused(answer, 415, "media_type")["hint"]


def test_queries_beyond_what_may_wait_are_refused_while_documents_are_still_served(
    served: Running, fakes: Fakes
) -> None:
    fakes.sql.gate.clear()
    answers: list[httpx2.Response] = []

    def ask() -> None:
        with httpx2.Client(base_url=served.url, timeout=30, trust_env=False) as client:
            answers.append(client.post(SQL, json={"query": "SELECT 1"}))

    threads = [threading.Thread(target=ask) for _ in range(25)]
    for thread in threads:
        thread.start()
    observed(lambda: len(answers) == 5)
    assert {answer.status_code for answer in answers} == {503}
    assert answers[0].headers["retry-after"] == "1"
    assert "limit: 20" in refused(answers[0], 503, "busy")["message"]
    assert served.client.get("/api/v1/collections/donations/documents/a@test.com").status_code == 200
    fakes.sql.gate.set()
    for thread in threads:
        thread.join(30)
    assert [answer.status_code for answer in answers].count(200) == 20


# Dead letters.


def test_dead_letters_are_listed_and_filtered(shared: Running) -> None:
    first, second = shared.client.get("/api/v1/dead-letters").json()["dead_letters"]
    assert first == {
        "number": 1,
        "table": "Donations",
        "target": "metrics",
        "collection": "donations",
        "generation": 1,
        "document_id": "a@test.com",
        "version": "4503599627370497",
        "partition": "shardId-2",
        "sequence_number": "1" * 21,
        "created_at": 1754550000.0,
        "stored_at": 0.0,
        "code": "out_of_scale",
        "message": "amount 10.005 has more than 2 decimals",
        "state": "waiting",
    }
    assert second["collection"] == ""

    def numbers(query: str) -> list[int]:
        listed = shared.client.get(f"/api/v1/dead-letters?{query}").json()["dead_letters"]
        return [entry["number"] for entry in listed]

    assert numbers("collection=donations") == [1]
    assert numbers("state=done") == []
    assert numbers("limit=1") == [1]


def test_a_dead_letter_is_shown_whole(shared: Running) -> None:
    assert shared.client.get("/api/v1/dead-letters/1").json()["record"] == {"eventName": "INSERT"}
    assert shared.client.get("/api/v1/dead-letters/2").json()["record"] == "whatever it was"


def test_dead_letters_are_redriven(served: Running, fakes: Fakes) -> None:
    for _ in range(3):
        fakes.stores.add(letter(collection="donations", document_id="b", code="out_of_scale"))
    assert served.client.post(REDRIVE, json={"numbers": [1, 3]}).json() == {"requested": 2}
    assert served.client.post(REDRIVE, json={"numbers": None}).json() == {"requested": 3}
    assert served.client.post(REDRIVE, json={"numbers": None}).json() == {"requested": 0}
    refused(served.client.post(REDRIVE, json={"numbers": [1]}), 404, "not_found")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/dead-letters/99", 404, "not_found"),
        ("/api/v1/dead-letters/x", 400, "bad_request"),
        ("/api/v1/dead-letters/0", 400, "bad_request"),
        (f"/api/v1/dead-letters/{2**63}", 400, "bad_request"),
        ("/api/v1/dead-letters?collection=nobody", 404, "not_found"),
        ("/api/v1/dead-letters?state=lost", 400, "bad_request"),
        (f"/api/v1/dead-letters?limit={LETTERS_PER_ANSWER + 1}", 400, "bad_request"),
    ],
)
def test_dead_letters_asked_for_wrongly(path: str, status: int, code: str, shared: Running) -> None:
    refused(shared.client.get(path), status, code)


@pytest.mark.parametrize(
    "body", [{}, {"numbers": []}, {"numbers": ["1"]}, {"numbers": [0]}, {"numbers": [2**63]}, {"numbers": [True]}]
)
def test_a_redrive_asked_for_wrongly(body: dict[str, Any], shared: Running) -> None:
    refused(shared.client.post(REDRIVE, json=body), 400, "bad_request")


# Whatever else may be asked.


def test_a_plain_page_lists_every_route_and_loads_nothing(shared: Running) -> None:
    page = shared.client.get("/api").text
    paths = shared.client.get("/openapi.json").json()["paths"]
    assert len(paths) == 25
    assert all(f"<code>{path}</code>" in page for path in paths)
    assert "src=" not in page
    assert "http" not in page


def test_documentation_pages_that_load_from_elsewhere_are_not_served(shared: Running) -> None:
    for path in ("/docs", "/redoc"):
        refused(shared.client.get(path), 404, "not_found")


def test_an_unknown_route_is_answered_with_the_nearest(shared: Running) -> None:
    error = refused(shared.client.get("/api/v1/statsu"), 404, "not_found")
    assert error["hint"] == "Did you mean /api/v1/status? GET /api lists all routes."
    refused(shared.client.get("/api/v1/status/"), 404, "not_found")
    refused(shared.client.get("/" + "x" * 5000), 404, "not_found")


def test_a_wrong_method_is_answered_with_those_allowed(shared: Running) -> None:
    for method, path, allowed in (
        ("GET", SQL, "POST"),
        ("DELETE", "/healthz", "GET"),
        ("PUT", REDRIVE, "GET, POST"),
        ("POST", "/openapi.json", "GET, HEAD"),
        ("PROPFIND", "/", "GET, HEAD"),
    ):
        answer = shared.client.request(method, path)
        assert refused(answer, 405, "method_not_allowed")["hint"] == f"Allowed: {allowed}"
        assert answer.headers["allow"] == allowed


def test_every_answer_carries_headers_that_keep_browsers_from_guessing(shared: Running) -> None:
    for path in ("/api", "/healthz", "/nowhere", "/api/v1/status"):
        headers = shared.client.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")
        assert headers["cache-control"] == "no-store"
        assert "access-control-allow-origin" not in headers
        assert "server" not in headers


@pytest.mark.parametrize("path", ["/api/v1/status", "/api/v1/live?collections=donations", "/donations/_search", "/"])
def test_what_a_page_of_another_site_asks_for_is_refused(path: str, shared: Running) -> None:
    for mode in ("cors", "no-cors", "websocket"):
        headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": mode}
        refused(shared.client.get(path, headers=headers), 403, "cross_site")


@pytest.mark.parametrize(
    ("site", "mode"), [("cross-site", "navigate"), ("same-site", "cors"), ("same-origin", "cors"), ("none", "navigate")]
)
def test_links_and_pages_of_this_machine_are_answered(site: str, mode: str, shared: Running) -> None:
    headers = {"Sec-Fetch-Site": site, "Sec-Fetch-Mode": mode}
    assert shared.client.get("/api/v1/status", headers=headers).status_code == 200


@pytest.mark.parametrize("host", ["localhost", "localhost:7070", "127.0.0.1:1", "[::1]:7070", "[::1]"])
def test_names_of_loopback_are_answered(host: str, shared: Running) -> None:
    assert shared.client.get("/healthz", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:7070", "10.0.0.1", "[::2]:7070", "", "[", "a" * 999]
)
def test_other_names_are_refused_so_that_no_page_can_rebind_one(host: str, shared: Running) -> None:
    answer = shared.client.get("/healthz", headers={"Host": host})
    assert "localhost" in refused(answer, 403, "host")["hint"]


def test_a_bug_is_logged_and_answered_without_its_insides(
    served: Running, fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.documents.failure = ZeroDivisionError("secret")
    answer = served.client.get("/api/v1/collections/donations/documents/1")
    refused(answer, 500, "internal")
    assert "secret" not in answer.text
    [record] = [record for record in caplog.records if record.name.startswith("dynalens")]
    assert record.exc_info is not None
    assert "secret" in caplog.text


def test_a_store_that_fails_is_logged_and_answered_with_its_own_words(
    served: Running, fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.stores.failure = DynalensError("The position store cannot be used: disk full.", hint="Make room.")
    error = refused(served.client.get("/api/v1/status"), 500, "error")
    assert error["hint"] == "Make room."
    assert "GET /api/v1/status failed: The position store cannot be used" in caplog.text


# Live, before the stream begins.


@pytest.mark.parametrize(
    ("query", "status", "code", "hint"),
    [
        ("", 400, "bad_request", "/api/v1/live?metrics=donations.by_platform&collections=donations"),
        ("metrics=by_platform", 400, "bad_request", "collection.metric"),
        ("metrics=donations.nothing", 404, "not_found", "by_platform, everything"),
        ("metrics=nobody.by_platform", 404, "not_found", "donations, users"),
        ("collections=donatoins", 404, "not_found", "Did you mean 'donations'?"),
        ("collections=" + "donations," * 33, 422, "limit", "second connection"),
    ],
)
def test_live_asked_for_wrongly(query: str, status: int, code: str, hint: str, shared: Running) -> None:
    assert hint in refused(shared.client.get(f"/api/v1/live?{query}"), status, code)["hint"]


def test_configurations_with_nothing_to_suggest_are_served_too(fakes: Fakes) -> None:
    config = Config(collections={"users": CONFIG.collections["users"]})
    with running(fakes.backend(config=config)) as run:
        hint = refused(run.client.get("/api/v1/live"), 400, "bad_request")["hint"]
        assert hint == "Write /api/v1/live?collections=users"


# Dashboards, and how fresh they are.


def test_dashboards_are_listed_and_described(fakes: Fakes) -> None:
    panel = PanelConfig(show="latest", collection="donations", sort="donatedAt", fields=("email",), size=3)
    backend = replace(fakes.backend(), dashboards={"own": DashboardConfig(title="Own <b>", panels=(panel,))})
    with running(backend) as run:
        listed = run.client.get("/api/v1/dashboards").json()
        assert listed == {"dashboards": [{"name": "own", "title": "Own <b>"}]}
        [shown] = run.client.get("/api/v1/dashboards/own").json()["panels"]
        assert (shown["collection"], shown["sort"], shown["fields"], shown["size"]) == (
            "donations",
            "donatedAt",
            ["email"],
            3,
        )
        error = refused(run.client.get("/api/v1/dashboards/owm"), 404, "not_found")
        assert error["hint"] == "Did you mean 'own'? dashboards: own"


def test_viewers_who_ask_are_told_how_old_what_they_see_may_be(served: Running) -> None:
    stream = served.watch("metrics=donations.by_platform&collections=donations&fresh=true")
    words: list[dict[str, Any]] = []
    while len(words) < 2:
        event = stream.event()
        if event.get("event") == "fresh":
            words.append(json.loads(event["data"]))
    stream.close()
    for word in words:
        assert word.pop("age_ms") >= 2_500
        assert word == {"collection": "donations", "phase": "streaming", "caught_up": False}


def test_a_console_that_was_not_built_is_a_plain_page(shared: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "FOLDER", Path("/nowhere"))
    for path in ("/", "/sql", "/search", "/search/donations", "/dashboards/fundraiser"):
        assert "<code>/api/v1/status</code>" in shared.client.get(path).text
    refused(shared.client.get("/assets/index.js"), 404, "not_found")


def test_the_console_is_served_at_each_of_its_addresses(
    shared: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html>the console")
    (tmp_path / "assets" / "mark-3c.svg").write_text("<svg/>")
    (tmp_path / "assets" / "index-1a2b.js").write_text("1")
    monkeypatch.setattr(console, "FOLDER", tmp_path)
    for path in ("/", "/sql?query=SELECT%201", "/search", "/search/donations?q=a", "/dashboards/fundraiser?wall"):
        answer = shared.client.get(path)
        assert answer.text == "<!doctype html>the console"
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self';")
        assert "unsafe" not in policy
    script = shared.client.get("/assets/index-1a2b.js")
    assert (script.text, script.headers["content-type"]) == ("1", "text/javascript; charset=utf-8")
    assert "immutable" in script.headers["cache-control"]
    assert shared.client.get("/assets/mark-3c.svg").headers["content-type"] == "image/svg+xml"


@pytest.mark.parametrize("name", ["..%2findex.html", "%2e%2e", "index.html", "a" * 5000, "%00", "nothing.js"])
def test_no_name_reaches_beyond_the_console(
    name: str, shared: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("secret")
    monkeypatch.setattr(console, "FOLDER", tmp_path)
    answer = shared.client.get(f"/assets/{name}")
    assert answer.status_code == 404
    assert "secret" not in answer.text


def test_a_collection_called_as_a_page_is_can_be_searched(fakes: Fakes) -> None:
    fakes.search.put("search", "1", b'{"a":1}')
    config = Config(collections={"search": CollectionConfig(table="Search")})
    with running(fakes.backend(config=config)) as run:
        assert run.client.get("/search/_search").json()["hits"]["total"]["value"] == 1
