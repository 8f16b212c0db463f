"""Search over HTTP as its callers meet it: a real server on loopback, asked by plain requests and by opensearch-py."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import opensearchpy
import pytest
from opensearchpy import OpenSearch, helpers

from dynalens.change import Change, render, typed_item
from dynalens.config import CollectionConfig, Config
from dynalens.errors import DynalensError, QueryLimitError, RequestError, TargetError
from dynalens.search import Anywhere
from dynalens.server import app, limits, service
from dynalens.target import Generation, SearchReader, Write
from dynalens.target.search import open_search
from tests.fakes import Fakes, copy, report
from tests.serving import Running, refused, running
from tests.waiting import observed

CONFIG = Config(collections={name: CollectionConfig(table=name.title()) for name in ("images", "sketches", "empty")})

IMAGES: Mapping[str, bytes] = {
    "img/1": b'{"id":"img/1","title":"Sunset over the harbour","album":"sea","size":12345678901234567890123456789.25}',
    "img/2": b'{"id":"img/2","title":"Harbour in winter","album":"sea","size":2}',
    "img/3": b'{"id":"img/3","title":"Mountain sunset","album":"land","size":1.0}',
    "img/4": b'{"id":"img/4","title":"Lone \\ud800 surrogate","album":"odd","size":4}',
}
MANY = 250
DOCUMENTS: Mapping[str, Mapping[str, bytes]] = {
    "images": IMAGES,
    "sketches": {f"s{number:03}": b'{"title":"Sketch %d","number":%d}' % (number, number) for number in range(MANY)},
    "empty": {},
}
SEARCH = "/api/v1/collections/images/search"


@pytest.fixture
def fakes() -> Fakes:
    """Everything behind the server."""
    fakes = Fakes()
    fakes.search.documents = {collection: dict(documents) for collection, documents in DOCUMENTS.items()}
    for document_id, body in IMAGES.items():
        fakes.documents.put("images", document_id, body)
    return fakes


@pytest.fixture(params=["fake", "tantivy"])
def reader(request: pytest.FixtureRequest, fakes: Fakes, tmp_path: Path) -> Iterator[SearchReader]:
    """What answers searches of `DOCUMENTS`, in all tests that ask no more of it than its contract."""
    if request.param == "fake":
        yield fakes.search
        return
    with closing(open_search("tantivy://./search", folder=tmp_path)) as target:
        for collection, documents in DOCUMENTS.items():
            generation = Generation(collection, 1)
            target.create(generation, CONFIG.collections[collection])
            target.serve(generation)
            assert target.apply([write(generation, id_, body) for id_, body in documents.items()]) == []
        yield target


def write(generation: Generation, document_id: str, body: bytes) -> Write:
    """Make the write of a document given in plain JSON."""
    document = render(typed_item(body))
    change = Change(
        table=generation.collection.title(),
        id=document_id,
        key={},
        kind="insert",
        new=document,
        old=None,
        old_known=True,
        sequence_number="1",
        created_at=0.0,
        user_identity="",
        size=len(body),
    )
    return Write(generation, document_id, 1, document, change)


@pytest.fixture
def served(fakes: Fakes, reader: SearchReader) -> Iterator[Running]:
    with running(replace(fakes.backend(config=CONFIG), search=reader)) as run:
        yield run


@pytest.fixture
def faked(fakes: Fakes) -> Iterator[Running]:
    """A server whose searches hang, fail and are counted on command."""
    with running(fakes.backend(config=CONFIG)) as run:
        yield run


@pytest.fixture
def client(served: Running) -> Iterator[OpenSearch]:
    client = OpenSearch([served.url], max_retries=0)
    yield client
    client.close()


def exactly(answer: httpx2.Response) -> Any:  # noqa: ANN401 - any JSON value
    assert answer.status_code == 200, answer.text
    return json.loads(answer.content, parse_float=Decimal)


def scan(client: OpenSearch, **asked: Any) -> Iterator[Any]:  # noqa: ANN401 - as the client has it
    """Scan as far as any of these collections reaches, and no further should a scan not end."""
    scanning = helpers.scan(client, **asked)
    yield from islice(scanning, 2 * MANY)
    scanning.close()


# Our own dialect.


def test_a_search_answers_in_the_documented_shape_with_every_digit(served: Running) -> None:
    answer = exactly(served.client.get(SEARCH, params={"q": "sunset", "highlight": "true", "facet": "album"}))
    assert list(answer) == ["total", "took_ms", "hits", "facets"]
    assert (answer["total"], type(answer["took_ms"])) == (2, int)
    hits = {hit["id"]: hit for hit in answer["hits"]}
    assert set(hits) == {"img/1", "img/3"}
    assert set(hits["img/1"]) == {"id", "score", "document", "highlight"}
    assert hits["img/1"]["document"] == json.loads(IMAGES["img/1"], parse_float=Decimal)
    assert str(hits["img/1"]["document"]["size"]) == "12345678901234567890123456789.25"
    assert hits["img/1"]["highlight"]["title"] == ["<em>Sunset</em> over the harbour"]
    assert answer["facets"] == {"album": [{"value": "land", "count": 1}, {"value": "sea", "count": 1}]}


def test_documents_go_out_as_they_are_stored(served: Running) -> None:
    for answer in (served.client.get(SEARCH), served.client.post(SEARCH)):
        assert all(body in answer.content for body in IMAGES.values())
        assert answer.headers["content-type"] == "application/json"


def test_what_was_not_asked_for_is_not_there(served: Running) -> None:
    answer = exactly(served.client.get(SEARCH, params={"q": "sunset"}))
    assert answer["facets"] == {}
    assert all(set(hit) == {"id", "score", "document"} for hit in answer["hits"])
    marked = exactly(served.client.get(SEARCH, params={"highlight": "true"}))
    assert all(hit["highlight"] == {} for hit in marked["hits"])


def test_parameters_reach_the_target(faked: Running, fakes: Fakes) -> None:
    exactly(faked.client.get(SEARCH, params={"q": "winter", "fields": "title", "size": "3", "from": "1"}))
    [request] = fakes.search.asked
    assert (request.query, request.size, request.offset) == (Anywhere("winter", ("title",)), 3, 1)


def test_facets_keep_every_digit_of_numbers(served: Running) -> None:
    answer = served.client.get(SEARCH, params={"q": "harbour", "facet": "size"})
    assert b'{"value":12345678901234567890123456789.25,"count":1}' in answer.content


def test_a_collection_that_holds_nothing(served: Running) -> None:
    answer = exactly(served.client.get("/api/v1/collections/empty/search"))
    assert (answer["total"], answer["hits"]) == (0, [])


@pytest.mark.parametrize(
    ("path", "status", "code", "named"),
    [
        ("/api/v1/collections/image/search", 404, "not_found", "'image'"),
        (f"{SEARCH}?qq=sunset", 400, "bad_request", "qq"),
        (f"{SEARCH}?size=many", 400, "bad_request", "size"),
    ],
)
def test_a_search_asked_for_wrongly(path: str, status: int, code: str, named: str, served: Running) -> None:
    assert named in refused(served.client.get(path), status, code)["message"]


@pytest.mark.parametrize("path", [SEARCH, "/images/_search"])
@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"query": {"regexp": {"title": "s.*"}}}, "regexp"),
        ({"querry": {"match_all": {}}}, "querry"),
        ({"query": {"bool": {"must": [{"match": {"title": {"query": "x", "slop": 1}}}]}}}, "slop"),
        ([], "body"),
    ],
)
def test_what_a_query_cannot_say_is_refused_by_name(body: object, named: str, path: str, served: Running) -> None:
    assert named in refused(served.client.post(path, json=body), 400, "bad_request")["message"].lower()


def test_a_name_that_stands_twice_is_refused_not_half_ignored(served: Running) -> None:
    body = b'{"query": {"match": {"title": "a"}, "match": {"title": "b"}}}'
    answer = served.client.post(SEARCH, content=body, headers={"Content-Type": "application/json"})
    assert "'match' stands twice" in refused(answer, 400, "bad_request")["message"]


def test_bodies_too_large_too_deep_or_not_declared_are_refused_here_too(served: Running) -> None:
    json_type = {"Content-Type": "application/json"}
    large = served.client.post(SEARCH, content=b" " * (limits.BODY_BYTES + 1), headers=json_type)
    assert str(limits.BODY_BYTES) in refused(large, 413, "limit")["message"]
    refused(served.client.post(SEARCH, content=b"[" * 5000, headers=json_type), 422, "limit")
    for path in (SEARCH, "/images/_search", "/images/_count", "/_search/scroll"):
        plain = served.client.post(path, content=b"{}", headers={"Content-Type": "text/plain"})
        refused(plain, 415, "media_type")


@pytest.mark.parametrize(
    "failure",
    [
        RequestError("a.b is not indexed.", hint="search: {fields: [a.b]}"),
        QueryLimitError("Too many words (limit: 100).", hint="Ask for less."),
        TargetError("The index is closed.", hint="Wait."),
    ],
    ids=["request", "limit", "target"],
)
@pytest.mark.parametrize("path", [SEARCH, "/images/_search", "/images/_search?scroll=1m", "/images/_count"])
def test_what_the_target_refuses(path: str, failure: DynalensError, faked: Running, fakes: Fakes) -> None:
    fakes.search.failure = failure
    answer = faked.client.get(path)
    assert refused(answer, failure.http_status, failure.code)["message"] == failure.message


def test_a_search_that_takes_too_long_is_given_up_with_the_limit(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SEARCH_SECONDS", 0.05)
    fakes.search.gate.clear()
    with running(fakes.backend(config=CONFIG)) as run:
        for path in (SEARCH, "/images/_search", "/images/_count"):
            assert "limit of 0.05 s" in refused(run.client.get(path), 422, "limit")["message"]
        fakes.search.gate.set()


def test_an_answer_too_large_is_refused_with_the_limit(served: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dynalens.server.hits.SEARCH_ANSWER_BYTES", 200)
    for path in (SEARCH, "/images/_search"):
        assert "limit: 200" in refused(served.client.get(path), 422, "limit")["message"]
        assert served.client.get(f"{path}?size=1").status_code == 200


def test_a_search_that_hangs_holds_up_nothing_else(faked: Running, fakes: Fakes) -> None:
    fakes.search.gate.clear()
    hanging = threading.Thread(target=lambda: httpx2.get(f"{faked.url}{SEARCH}", timeout=30, trust_env=False))
    hanging.start()
    observed(lambda: fakes.search.asked)
    assert faked.client.get("/api/v1/collections/images/documents/img%2F1").status_code == 200
    fakes.search.gate.set()
    hanging.join(30)


def test_without_a_search_target_it_says_what_to_configure(fakes: Fakes) -> None:
    with running(fakes.backend(targets=False, config=CONFIG)) as run:
        for path in (SEARCH, "/images/_search", "/images/_search?scroll=1m", "/images/_count", "/_search/scroll/x"):
            assert "targets: {search: 'tantivy:" in refused(run.client.get(path), 404, "not_found")["hint"]


# Elasticsearch's dialect, asked by its client.


def test_the_client_searches(client: OpenSearch) -> None:
    body = {"query": {"match": {"title": "sunset"}}, "highlight": {"fields": {"title": {}}}, "_source": ["album"]}
    answer = client.search(index="images", body=body)
    assert (answer["timed_out"], answer["_shards"]["failed"]) == (False, 0)
    assert answer["hits"]["total"] == {"value": 2, "relation": "eq"}
    assert answer["hits"]["max_score"] == answer["hits"]["hits"][0]["_score"] > 0
    [harbour] = [hit for hit in answer["hits"]["hits"] if hit["_id"] == "img/1"]
    assert (harbour["_index"], harbour["_source"]) == ("images", {"album": "sea"})
    assert harbour["highlight"] == {"title": ["<em>Sunset</em> over the harbour"]}
    assert "sort" not in harbour


def test_the_client_searches_by_parameters_and_without_a_body(client: OpenSearch) -> None:
    assert client.search(index="images")["hits"]["total"]["value"] == len(IMAGES)
    assert len(client.search(index="images", size=2)["hits"]["hits"]) == 2
    whole = client.search(index="images", size=1, body={"size": 3, "sort": [{"album": "asc"}]})["hits"]["hits"]
    assert [(hit["sort"], hit["_score"]) for hit in whole] == [(["land"], None)]


def test_totals_are_as_exact_as_asked(client: OpenSearch) -> None:
    def total(wanted: bool | int) -> Any:  # noqa: ANN401, FBT001 - as the API has it
        return client.search(index="images", body={"track_total_hits": wanted})["hits"].get("total")

    assert total(wanted=True) == {"value": len(IMAGES), "relation": "eq"}
    assert total(wanted=3) == {"value": 3, "relation": "gte"}
    assert total(wanted=len(IMAGES)) == {"value": len(IMAGES), "relation": "eq"}
    assert total(wanted=False) is None


def test_totals_come_as_numbers_for_clients_that_want_that(served: Running) -> None:
    page = exactly(served.client.get("/images/_search?rest_total_hits_as_int=true&size=1&scroll=1m"))
    assert page["hits"]["total"] == len(IMAGES)
    following = served.client.get(f"/_search/scroll/{page['_scroll_id']}?rest_total_hits_as_int")
    assert exactly(following)["hits"]["total"] == len(IMAGES)
    assert (
        "total"
        not in exactly(served.client.get("/images/_search?rest_total_hits_as_int&track_total_hits=false"))["hits"]
    )


def test_sources_can_be_left_out(client: OpenSearch) -> None:
    [first, *_] = client.search(index="images", body={"_source": False})["hits"]["hits"]
    assert set(first) == {"_index", "_id", "_score"}


def test_the_client_counts(client: OpenSearch) -> None:
    assert client.count(index="images")["count"] == len(IMAGES)
    counted = client.count(index="images", body={"query": {"match": {"title": "sunset"}}})
    assert (counted["count"], counted["_shards"]["failed"]) == (2, 0)


@pytest.mark.parametrize("size", [1, 7, 50, 1000])
@pytest.mark.parametrize("preserve_order", [True, False])
def test_the_client_scans_everything_once(size: int, *, preserve_order: bool, client: OpenSearch) -> None:
    index = "images" if size == 1 else "sketches"
    scanned = [hit["_id"] for hit in scan(client, index=index, size=size, preserve_order=preserve_order)]
    assert len(scanned) == len(set(scanned)) == (len(IMAGES) if size == 1 else MANY)


def test_a_scan_keeps_its_order(client: OpenSearch) -> None:
    body = {"sort": [{"number": "desc"}], "query": {"match_all": {}}, "_source": False}
    hits = scan(client, query=body, index="sketches", size=20, preserve_order=True, scroll="30s")
    assert [hit["sort"] for hit in hits] == [[number] for number in reversed(range(MANY))]


def test_a_scan_of_nothing(client: OpenSearch) -> None:
    assert list(scan(client, index="empty")) == []


def test_a_scan_sees_one_moment_and_lets_go_of_it(faked: Running, fakes: Fakes) -> None:
    with OpenSearch([faked.url], max_retries=0) as client:
        hits = scan(client, index="sketches", size=20)
        ids = [next(hits)["_id"]]
        fakes.search.put("sketches", "s999", b'{"number":999}')
        assert fakes.search.held() == 1
        ids += [hit["_id"] for hit in hits]
    assert ids == list(DOCUMENTS["sketches"])
    assert fakes.search.held() == 0


def test_scrolls_are_asked_for_wherever_clients_put_the_id(served: Running) -> None:
    def open_scroll() -> str:
        scroll_id: str = exactly(served.client.post("/sketches/_search?scroll=1m&size=2"))["_scroll_id"]
        return scroll_id

    scroll_id = open_scroll()
    answers = [
        served.client.get("/_search/scroll", params={"scroll_id": scroll_id, "scroll": "1m"}),
        served.client.post("/_search/scroll", json={"scroll_id": scroll_id, "scroll": "1m"}),
        served.client.post("/_search/scroll?scroll=1m", json={"scroll_id": scroll_id}),
        served.client.get(f"/_search/scroll/{scroll_id}"),
        served.client.post(f"/_search/scroll/{scroll_id}?scroll=1m"),
    ]
    ids = [hit["_id"] for answer in answers for hit in exactly(answer)["hits"]["hits"]]
    assert len(ids) == len(set(ids)) == 10
    assert all(exactly(answer)["_scroll_id"] == scroll_id for answer in answers)
    freed = {"succeeded": True, "num_freed": 1}
    assert served.client.delete(f"/_search/scroll/{scroll_id}").json() == freed
    assert served.client.request("DELETE", "/_search/scroll", json={"scroll_id": open_scroll()}).json() == freed
    both = {"scroll_id": [open_scroll(), open_scroll()]}
    assert served.client.request("DELETE", "/_search/scroll", json=both).json()["num_freed"] == 2


@pytest.mark.parametrize(
    ("method", "path", "status", "named"),
    [
        ("GET", "/_search/scroll/nothing", 404, "no such scroll"),
        ("DELETE", "/_search/scroll/nothing", 404, "no such scroll"),
        ("DELETE", "/_search/scroll/_all", 404, "no such scroll"),
        ("GET", "/_search/scroll", 400, "scroll_id"),
        ("DELETE", "/_search/scroll", 400, "scroll_id"),
        ("GET", "/_search/scroll/nothing?scroll=soon", 400, "'soon'"),
        ("GET", "/_search/scroll/nothing?size=3", 400, "size"),
        ("GET", "/images/_search?scroll=2h", 422, "3600 s"),
        ("GET", "/images/_search?scroll=5m&from=3", 400, "from"),
        ("POST", f"{SEARCH}?scroll=5m", 400, "scroll"),
    ],
)
def test_scrolls_asked_for_wrongly(method: str, path: str, status: int, named: str, served: Running) -> None:
    answer = served.client.request(method, path)
    code = {404: "not_found", 400: "bad_request", 422: "limit"}[status]
    assert named in refused(answer, status, code)["message"]


def test_scrolls_beyond_the_limit_are_refused_until_some_are_closed(faked: Running, fakes: Fakes) -> None:
    def open_scroll() -> httpx2.Response:
        return faked.client.get("/sketches/_search?scroll=1m&size=1")

    ids = [exactly(open_scroll())["_scroll_id"] for _ in range(limits.SCROLLS)]
    answer = open_scroll()
    assert f"limit: {limits.SCROLLS}" in refused(answer, 503, "busy")["message"]
    assert answer.headers["retry-after"] == "1"
    assert faked.client.request("DELETE", "/_search/scroll", json={"scroll_id": ids}).status_code == 200
    assert fakes.search.held() == 0
    exactly(open_scroll())


def test_a_scroll_whose_time_is_over_is_closed_even_if_nobody_comes(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "SWEEP_SECONDS", 0.05)
    with running(fakes.backend(config=CONFIG)) as run:
        exactly(run.client.get("/sketches/_search?scroll=1ms"))
        observed(lambda: not fakes.search.held())


def test_a_server_that_ends_lets_go_of_every_scroll(fakes: Fakes) -> None:
    with running(fakes.backend(config=CONFIG)) as run:
        exactly(run.client.get("/sketches/_search?scroll=1m"))
        assert fakes.search.held() == 1
    assert fakes.search.held() == 0


def test_a_page_that_took_too_long_is_given_again(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SEARCH_SECONDS", 1.0)
    with running(fakes.backend(config=CONFIG)) as run:
        scroll_id = exactly(run.client.get("/sketches/_search?scroll=1m&size=2&sort=_doc"))["_scroll_id"]
        fakes.search.gate.clear()
        assert "limit of 1 s" in refused(run.client.get(f"/_search/scroll/{scroll_id}"), 422, "limit")["message"]
        refused(run.client.get(f"/_search/scroll/{scroll_id}"), 503, "busy")
        fakes.search.gate.set()
        page = observed(lambda: _page(run.client.get(f"/_search/scroll/{scroll_id}")))
        assert [hit["_id"] for hit in page["hits"]["hits"]] == ["s002", "s003"]


def _page(answer: httpx2.Response) -> Any:  # noqa: ANN401 - any JSON value
    """Give a page once the search that took too long has ended."""
    return exactly(answer) if answer.status_code != 503 else None


# Documents and errors at Elasticsearch's paths.


def test_the_client_gets_documents_by_id(client: OpenSearch) -> None:
    found: Any = client.get(index="images", id="img/1")
    assert (found["_index"], found["_id"], found["found"]) == ("images", "img/1", True)
    assert found["_source"]["title"] == "Sunset over the harbour"
    assert client.exists(index="images", id="img/1") is True
    assert client.exists(index="images", id="img/99") is False
    assert client.exists(index="nowhere", id="1") is False
    with pytest.raises(opensearchpy.NotFoundError) as missing:
        client.get(index="images", id="img/99")
    info: Any = missing.value.info
    assert (info["found"], info["error"]["code"]) == (False, "not_found")


def test_the_client_may_compress_what_it_sends(served: Running) -> None:
    with OpenSearch([served.url], max_retries=0, http_compress=True) as client:
        counted = client.count(index="images", body={"query": {"match": {"title": "sunset"}}})
    assert counted["count"] == 2


def test_the_client_pings(client: OpenSearch) -> None:
    assert client.ping() is True


def test_errors_reach_the_client_with_message_and_hint(client: OpenSearch) -> None:
    with pytest.raises(opensearchpy.NotFoundError) as missing:
        client.search(index="image")
    info: Any = missing.value.info
    assert (missing.value.status_code, info["error"]["code"]) == (404, "not_found")
    assert "Did you mean 'images'?" in str(missing.value)
    with pytest.raises(opensearchpy.RequestError, match="regexp"):
        client.search(index="images", body={"query": {"regexp": {"title": "s.*"}}})


@pytest.mark.parametrize(
    "path",
    [
        *(f"/{named}/_search" for named in ("_all", "*", "images,sketches", "im*")),
        *(f"/{named}/_count" for named in ("_all", "images,sketches")),
        "/_search",
        "/_count",
        "/_all/_doc/1",
    ],
)
def test_several_collections_at_once_are_refused_with_one_to_ask(path: str, served: Running) -> None:
    error = refused(served.client.get(path), 400, "bad_request")
    assert "/images/_search" in error["hint"]


def test_json_as_newer_clients_declare_it_is_taken(served: Running) -> None:
    declared = {"Content-Type": "application/vnd.elasticsearch+json;compatible-with=8"}
    answer = served.client.post("/images/_search", content=b'{"size": 1}', headers=declared)
    assert len(exactly(answer)["hits"]["hits"]) == 1
    refused(served.client.post("/api/v1/sql", content=b"{}", headers=declared), 415, "media_type")


def test_parameters_that_only_change_the_layout_are_taken(served: Running) -> None:
    for path in ("/images/_search", "/images/_count", "/images/_doc/img%2F1"):
        assert served.client.get(f"{path}?pretty&human=true").status_code == 200
        assert "nonsense" in refused(served.client.get(f"{path}?nonsense=1"), 400, "bad_request")["message"]


# Status.


def test_the_search_target_stands_in_the_status_like_the_others(faked: Running, fakes: Fakes) -> None:
    now = time.time()
    fakes.stores.saved_copies.append(("Images", copy("images", "search", state="live")))
    fakes.stores.saved_reports.append(report("Images", "search", now, confirmed=4))

    def entry() -> dict[str, Any]:
        listed = faked.client.get("/api/v1/status").json()["collections"]
        [found] = [each for each in listed if (each["collection"], each["target"]) == ("images", "search")]
        return dict(found)

    assert (entry()["phase"], entry()["ready"], entry()["documents"]) == ("streaming", True, len(IMAGES))
    fakes.search.failure = TargetError("gone")
    assert (entry()["phase"], entry()["documents"]) == ("streaming", None)
