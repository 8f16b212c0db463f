"""Whatever a client sends, the server answers it or says what is wrong: never with a 5xx, never in another shape."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.fakes import copy, world
from tests.serving import Running, running

EXAMPLES = 150

METHODS = st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"])
ANYTHING = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
PART = st.one_of(
    ANYTHING.map(lambda text: quote(text, safe="")),
    st.sampled_from(
        ["donations", "by_platform", "everything", "users", "1", "true", "%00", "%ff%fe", "..", "%2e%2e", "%", "%zz"]
    ),
)
PATH = st.one_of(
    st.sampled_from(["/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/api/v1/status", "/api/v1/sql"]),
    st.sampled_from(["/api/v1/live", "/api/v1/dead-letters", "/api/v1/dead-letters/redrive", "*", "//", "/api//v1"]),
    PART.map("/api/v1/collections/{}".format),
    PART.map("/api/v1/dead-letters/{}".format),
    st.builds("/api/v1/collections/{}/documents/{}".format, PART, PART),
    st.builds("/api/v1/collections/{}/metrics/{}".format, PART, PART),
    st.builds("/api/v1/collections/{}/search".format, PART),
    st.builds("/{}/{}".format, PART, st.sampled_from(["_search", "_count", "_doc/1", "_search/scroll"])),
    st.builds("/donations/_doc/{}".format, PART),
    st.builds("/_search/scroll/{}".format, PART),
    st.sampled_from(["/_search", "/_search/scroll", "/donations/_search", "/api/v1/collections/donations/search"]),
    PART.map("/{}".format),
)
SEARCH_PARAMETERS = ["q", "fields", "filter", "facet", "sort", "from", "size", "highlight", "scroll", "scroll_id"]
WAITING = ["wait_for", "expect", "target"]
QUERY = st.lists(
    st.builds(
        "{}={}".format,
        st.sampled_from(
            [
                "metrics",
                "collections",
                "caught_up",
                "limit",
                "state",
                "collection",
                "format",
                "x",
                *SEARCH_PARAMETERS,
                *WAITING,
            ]
        ),
        PART,
    ),
    max_size=3,
).map("&".join)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), ANYTHING),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(ANYTHING, inner, max_size=4)),
    max_leaves=10,
)
FIELDS = st.fixed_dictionaries({}, optional=dict.fromkeys(("query", "parameters", "format", "numbers", "more"), JSON))
CLAUSES = st.recursive(
    st.builds(
        lambda kind, name, value: {kind: {name: value}},
        st.sampled_from(["match", "term", "terms", "range", "prefix", "fuzzy", "multi_match", "query_string", "ids"]),
        st.one_of(st.sampled_from(["query", "values", "fields", "email", "_id"]), ANYTHING),
        st.one_of(JSON, st.dictionaries(st.sampled_from(["query", "value", "gte", "lt", "fuzziness", "boost"]), JSON)),
    ),
    lambda inner: st.fixed_dictionaries(
        {"bool": st.dictionaries(st.sampled_from(["must", "should", "filter"]), st.lists(inner, max_size=3))}
    ),
    max_leaves=5,
)
SEARCH = st.fixed_dictionaries(
    {},
    optional={
        "query": st.one_of(CLAUSES, JSON),
        **dict.fromkeys(("from", "size", "sort", "search_after", "highlight", "_source", "track_total_hits"), JSON),
        "scroll_id": JSON,
        "min_score": JSON,
    },
)
BODY = st.one_of(
    SEARCH.map(lambda value: json.dumps(value).encode()),
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    FIELDS.map(lambda value: json.dumps(value).encode()),
    st.integers(1, 3000).map(lambda depth: b"[" * depth),
)
HEADERS = st.lists(
    st.tuples(
        st.sampled_from(["Content-Type", "Accept", "Origin", "Last-Event-ID", "Upgrade", "Connection", "Expect", "X"]),
        st.one_of(
            st.sampled_from(
                [
                    "application/json",
                    "application/json; charset=utf-16",
                    "application/vnd.elasticsearch+json",
                    "text/plain",
                    "websocket",
                    "close",
                ]
            ),
            st.text(st.characters(min_codepoint=33, max_codepoint=255), max_size=20),
        ),
    ),
    max_size=3,
)


@pytest.fixture(scope="module")
def served() -> Iterator[Running]:
    fakes = world(time.time() + 3600)  # everything well, for as long as the test takes
    fakes.stores.saved_copies[-1] = ("CrmMaster", copy("users", "sql", state="live"))
    fakes.stores.saved_reports = [replace(report, caught_up=True) for report in fakes.stores.saved_reports]
    with running(fakes.backend()) as run:
        yield run


def answer_to(served: Running, request: bytes) -> tuple[int, bytes]:
    """Send bytes and give status and body of the answer; the body of a good one is not read, it may be endless."""
    with served.connect() as connection:
        connection.sendall(request)
        file = connection.makefile("rb")
        status = int(file.readline().split()[1])
        while status == 100:
            file.readline()
            status = int(file.readline().split()[1])
        if status < 400:
            return status, b""
        answer = file.read().partition(b"\r\n\r\n")[2]
        # In chunks where the server gave no length, which it does for what is not HTTP.
        return status, answer if answer.startswith(b"{") else answer.split(b"\r\n")[1]


@settings(max_examples=EXAMPLES)
@given(asked=st.tuples(METHODS, PATH, QUERY), headers=HEADERS, body=BODY)
def test_no_request_makes_the_server_fail(
    served: Running, asked: tuple[str, str, str], headers: list[tuple[str, str]], body: bytes
) -> None:
    method, path, query = asked
    lines = [f"{method} {path}?{query} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers] + ["Connection: close", "", ""]
    status, answer = answer_to(served, "\r\n".join(lines).encode("latin-1") + body)
    assert status < 500, answer
    if status >= 400:
        assert set(json.loads(answer)["error"]) == {"code", "message", "hint"}


@settings(max_examples=EXAMPLES)
@given(
    path=st.sampled_from(
        [
            "/api/v1/sql",
            "/api/v1/dead-letters/redrive",
            "/api/v1/collections/donations/search",
            "/donations/_search",
            "/donations/_search?scroll=1ms",
            "/donations/_count",
            "/_search/scroll",
        ]
    ),
    body=BODY,
)
def test_no_body_makes_the_server_fail(served: Running, path: str, body: bytes) -> None:
    answer = served.client.post(path, content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"]["hint"]


@settings(max_examples=EXAMPLES)
@given(garbage=st.binary(min_size=1, max_size=300))
def test_no_garbage_makes_the_server_fail(served: Running, garbage: bytes) -> None:
    with served.connect() as connection:
        # Ends whatever head the garbage began.
        connection.sendall(garbage + b"\r\n\r\n\r\n\r\n")
        answer = connection.makefile("rb").read()
    assert answer.startswith(b"HTTP/1.1 4")
    assert served.client.get("/healthz").status_code == 200
