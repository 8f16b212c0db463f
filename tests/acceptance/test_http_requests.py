"""Asking the worker over HTTP: a test plays the worker, over the store that both know."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from dynalens.request import Request
from dynalens.server.limits import REQUESTS_OPEN
from dynalens.server.routes.requests import router
from dynalens.verification import Outcome
from tests.fakes import Fakes, world
from tests.serving import Running, refused, running

REQUESTS = "/api/v1/collections/donations/requests"


@pytest.fixture
def fakes() -> Fakes:
    made = world(1_754_550_000.0)
    made.requests = Fakes().requests
    return made


@pytest.fixture
def served(fakes: Fakes) -> Iterator[Running]:
    with running(fakes.backend()) as run:
        yield run


def ask(served: Running, **body: object) -> dict[str, Any]:
    answer = served.client.post(REQUESTS, json=body)
    assert answer.status_code == 202, answer.text
    asked: dict[str, Any] = answer.json()
    return asked


def test_what_is_asked_is_kept_for_the_worker_with_every_default(served: Running, fakes: Fakes) -> None:
    asked = ask(served, kind="verify", target="sql")
    [kept] = fakes.requests.requests("Donations")
    assert (kept.number, kept.collection, kept.target, kept.kind) == (asked["number"], "donations", "sql", "verify")
    assert json.loads(kept.options) == asked["options"] == {"sample": 1.0, "rate": 1000.0, "repair": False}
    assert kept.asked_at == asked["asked_at"] > 0
    assert (asked["state"], asked["progress"], asked["outcome"], asked["failure"]) == ("waiting", None, {}, "")


@pytest.mark.parametrize("kind", ["rebuild", "back", "release"])
def test_a_generation_is_asked_for_without_options(served: Running, fakes: Fakes, kind: str) -> None:
    ask(served, kind=kind, target="metrics")
    [kept] = fakes.requests.requests("Donations")
    assert (kept.kind, kept.target, kept.options) == (kind, "metrics", "{}")


def test_what_the_worker_says_is_told(served: Running, fakes: Fakes) -> None:
    number = ask(served, kind="verify", target="sql", options={"sample": 0.5, "repair": True})["number"]
    kept = fakes.requests.request(number)
    assert kept is not None
    outcome = Outcome(scanned=30, walked=10, read_units=4.5)
    running_now = replace(
        kept, state="running", outcome=outcome.as_json(generation=1, repaired=2, items=50), changed_at=kept.asked_at + 1
    )
    fakes.requests.save_request(running_now)
    told = served.client.get(f"{REQUESTS}/{number}").json()
    assert (told["state"], told["progress"]) == ("running", {"done": 40, "total": 100})
    assert (told["outcome"]["scanned"], told["outcome"]["repaired"]) == (30, 2)
    assert told["changed_at"] == running_now.changed_at
    fakes.requests.save_request(replace(running_now, state="failed", error="The table is gone."))
    told = served.client.get(f"{REQUESTS}/{number}").json()
    assert (told["state"], told["failure"]) == ("failed", "The table is gone.")


def test_the_documented_outcome_is_that_of_a_verification() -> None:
    [documented] = [route for route in router.routes if getattr(route, "path", "").endswith("{number}")]
    example = getattr(documented, "responses", {})[200]["content"]["application/json"]["example"]["outcome"]
    told = json.loads(Outcome().as_json(generation=1, repaired=0, items=0))
    assert told.pop("progress") == {"done": 0, "total": None}
    assert set(example) == set(told)


def test_requests_are_listed_by_collection_oldest_first(served: Running, fakes: Fakes) -> None:
    first = ask(served, kind="rebuild", target="sql")
    fakes.requests.ask(Request(table="Donations", collection="refunds", target="sql", kind="rebuild"))
    second = ask(served, kind="verify", target="search")
    assert served.client.get(REQUESTS).json() == {"requests": [first, second]}


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"kind": "rebuild"}, 400, "bad_request"),
        ({"kind": "destroy", "target": "sql"}, 400, "bad_request"),
        ({"kind": "rebuild", "target": "sql", "options": {"repair": True}}, 400, "bad_request"),
        ({"kind": "verify", "target": "sql", "options": {"sample": 0}}, 400, "bad_request"),
        ({"kind": "verify", "target": "sql", "options": {"sample": 1.01}}, 400, "bad_request"),
        ({"kind": "verify", "target": "sql", "options": {"rate": 0}}, 400, "bad_request"),
        ({"kind": "verify", "target": "sql", "options": {"repair": "yes"}}, 400, "bad_request"),
        ({"kind": "verify", "target": "sql", "options": {"force": True}}, 400, "bad_request"),
        ({"kind": "verify", "target": "kafka"}, 400, "bad_request"),
    ],
)
def test_asked_wrongly(served: Running, fakes: Fakes, body: object, status: int, code: str) -> None:
    refused(served.client.post(REQUESTS, json=body), status, code)
    assert fakes.requests.requests("Donations") == []


def test_a_collection_that_is_not_kept_there_cannot_be_rebuilt_there(served: Running, fakes: Fakes) -> None:
    answer = served.client.post("/api/v1/collections/users/requests", json={"kind": "rebuild", "target": "metrics"})
    assert refused(answer, 404, "not_found")["hint"] == "Its targets: sql, search."
    assert fakes.requests.requests("CrmMaster") == []


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/collections/nobody/requests", 404),
        ("/api/v1/collections/nobody/requests/1", 404),
        ("/api/v1/collections/users/requests/1", 404),
        (f"{REQUESTS}/99", 404),
        (f"{REQUESTS}/0", 400),
        (f"{REQUESTS}/x", 400),
    ],
)
def test_requests_that_are_not_there(served: Running, path: str, status: int) -> None:
    ask(served, kind="rebuild", target="sql")
    refused(served.client.get(path), status, "not_found" if status == 404 else "bad_request")


def test_the_worker_is_not_asked_for_more_than_it_can_get_done(served: Running, fakes: Fakes) -> None:
    numbers = [ask(served, kind="verify", target="sql")["number"] for _ in range(REQUESTS_OPEN)]
    refused(served.client.post(REQUESTS, json={"kind": "verify", "target": "sql"}), 422, "limit")
    last = fakes.requests.request(numbers[-1])
    assert last is not None
    fakes.requests.save_request(replace(last, state="done"))
    ask(served, kind="verify", target="sql")


def test_a_page_of_another_origin_cannot_ask(served: Running, fakes: Fakes) -> None:
    answer = served.client.post(
        REQUESTS, content=b'{"kind":"release","target":"sql"}', headers={"Content-Type": "text/plain"}
    )
    refused(answer, 415, "media_type")
    assert fakes.requests.requests("Donations") == []


def test_a_server_without_a_worker_says_so(fakes: Fakes) -> None:
    with running(replace(fakes.backend(), requests=None)) as run:
        refused(run.client.post(REQUESTS, json={"kind": "rebuild", "target": "sql"}), 404, "not_found")
        refused(run.client.get(REQUESTS), 404, "not_found")
