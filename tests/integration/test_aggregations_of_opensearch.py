"""Aggregations and places mean what they mean in a real OpenSearch: the same bodies give the same answers."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from decimal import Decimal
from random import Random
from typing import Any

import httpx2
import orjson
import pytest

from dynalens.search.dsl import read_body
from dynalens.search.geo import EARTH_RADIUS, Box, Circle, Point, distance
from dynalens.server.aggregations import elasticsearch_aggregations
from dynalens.target.search.embedded.answer import answer
from dynalens.target.search.embedded.view import View
from tests.services.opensearch.server import OpenSearchServer
from tests.unit.target.search.embedded.views import view_of

MAPPING = {
    "properties": {
        "city": {"type": "keyword"},
        "tags": {"type": "keyword"},
        "open": {"type": "boolean"},
        "amount": {"type": "double"},
        "at": {"type": "date"},
        "place": {"type": "geo_point"},
    }
}

_random = Random(11)  # noqa: S311 - no secret


def _day() -> str:
    return f"{_random.randint(2019, 2021)}-{_random.randint(1, 12):02}-{_random.randint(1, 28):02}"


def _document() -> dict[str, Any]:
    document: dict[str, Any] = {
        "city": _random.choice(("Graz", "Linz", "Wien", "Zürich", "a", "B")),
        "tags": _random.choices(("new", "old", "sale", "x y"), k=_random.randint(0, 3)),
        "open": _random.random() < 0.5,
        "amount": [_random.randint(-400, 400) / 8 for _ in range(_random.randint(1, 3))],
        "at": f"{_day()}T{_random.randint(0, 23):02}:30:00.{_random.randint(0, 999):03}Z",
        "place": {"lat": _random.uniform(-90, 90), "lon": _random.uniform(-180, 180)},
    }
    return {name: value for name, value in document.items() if _random.random() < 0.9}


DOCUMENTS = {f"d{number:03}": _document() for number in range(300)}
NUMBERS = {"numbers": {"stats": {"field": "amount"}}}


@pytest.fixture(scope="module")
def view() -> View:
    return view_of(DOCUMENTS, segments=3, points={"place": ("place.lat", "place.lon")})


@pytest.fixture(scope="module")
def client(opensearch_server: OpenSearchServer) -> Iterator[httpx2.Client]:
    opensearch_server.restore()
    client = opensearch_server.client()
    fill(client, "sales", DOCUMENTS)
    yield client
    opensearch_server.restore()


def fill(client: httpx2.Client, index: str, documents: dict[str, Any]) -> None:
    settings = {"number_of_shards": 1, "number_of_replicas": 0}
    client.put(f"/{index}", json={"settings": settings, "mappings": MAPPING}).raise_for_status()
    lines = [line for id_, document in documents.items() for line in ({"index": {"_id": id_}}, document)]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    headers = {"content-type": "application/x-ndjson"}
    done = client.post(f"/{index}/_bulk?refresh=true", content=body, headers=headers).raise_for_status().json()
    assert done["errors"] is False


@pytest.mark.parametrize(
    "aggregation",
    [
        {"terms": {"field": "city"}},
        {"terms": {"field": "city", "size": 2}, "aggs": NUMBERS},
        {"terms": {"field": "tags", "order": {"_key": "desc"}}},
        {"terms": {"field": "tags", "order": {"_count": "asc"}, "min_doc_count": 2}},
        {"terms": {"field": "open"}, "aggs": {"cities": {"terms": {"field": "city", "size": 3}}}},
        {"range": {"field": "amount", "ranges": [{"to": 0}, {"from": -10, "to": 10.5}, {"from": 10.5, "key": "many"}]}},
        {"range": {"field": "amount", "ranges": [{"from": 20}, {"from": 0}]}, "aggs": NUMBERS},
        {"histogram": {"field": "amount", "interval": 10}},
        {"histogram": {"field": "amount", "interval": 7.5, "offset": 3, "min_doc_count": 1}, "aggs": NUMBERS},
        {"histogram": {"field": "amount", "interval": 0.5, "offset": -20.25}},
        *(
            {"date_histogram": {"field": "at", "calendar_interval": unit}}
            for unit in ("day", "week", "month", "quarter", "year", "1M", "1q")
        ),
        {"date_histogram": {"field": "at", "fixed_interval": "90d"}, "aggs": NUMBERS},
        {"date_histogram": {"field": "at", "fixed_interval": "7h", "min_doc_count": 2}},
        {"date_histogram": {"field": "at", "calendar_interval": "year"}, "aggs": {"t": {"terms": {"field": "tags"}}}},
        {"stats": {"field": "amount"}},
        {"stats": {"field": "at"}},
        *({kind: {"field": "amount"}} for kind in ("min", "max", "avg", "sum")),
        {"max": {"field": "at"}},
        {"cardinality": {"field": "city"}},
        {"cardinality": {"field": "amount"}},
        {"terms": {"field": "none"}, "aggs": NUMBERS},
        {"stats": {"field": "none"}},
        {"histogram": {"field": "none", "interval": 5}},
        {"date_histogram": {"field": "none", "calendar_interval": "month"}},
    ],
    ids=json.dumps,
)
@pytest.mark.parametrize("query", [{"match_all": {}}, {"term": {"city": "Wien"}}, {"match_none": {}}], ids=json.dumps)
def test_an_aggregation_gives_what_opensearch_gives(
    view: View, client: httpx2.Client, aggregation: dict[str, Any], query: dict[str, Any]
) -> None:
    body = {"size": 0, "query": query, "aggs": {"one": aggregation}}
    expected = client.post("/sales/_search", json=body).raise_for_status().json()["aggregations"]
    request = read_body(json.loads(json.dumps(body), parse_float=Decimal)).request
    found = orjson.loads(orjson.dumps(elasticsearch_aggregations(answer(view, request).aggregations)))
    assert found == near(expected)


def near(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: near(member) for name, member in value.items()}
    if isinstance(value, list):
        return [near(member) for member in value]
    return pytest.approx(value, rel=1e-12, abs=1e-9) if isinstance(value, float) else value


SLOPPY = 0.4
"""Metres that Lucene's distances may be off."""


def on_edge(circle: Circle, random: Random) -> Iterator[Point]:
    """Give points at about the radius of a circle, some of them within a metre of it."""
    for _ in range(40):
        metres = circle.metres + random.choice((1, 100, circle.metres / 2)) * random.uniform(-1, 1)
        yield from _clipped(*_towards(circle.centre, max(metres, 0), random.uniform(0, 2 * math.pi)))


def _towards(start: Point, metres: float, bearing: float) -> tuple[float, float]:
    """Go along a great circle."""
    angle, latitude = metres / EARTH_RADIUS, math.radians(start.latitude)
    found = math.asin(math.sin(latitude) * math.cos(angle) + math.cos(latitude) * math.sin(angle) * math.cos(bearing))
    across = math.atan2(
        math.sin(bearing) * math.sin(angle) * math.cos(latitude),
        math.cos(angle) - math.sin(latitude) * math.sin(found),
    )
    return math.degrees(found), start.longitude + math.degrees(across)


def on_sides(box: Box, random: Random) -> Iterator[Point]:
    """Give points on the sides of a box, and a few steps of the grid beside them."""
    for _ in range(40):
        latitude = random.choice((box.top, box.bottom, 0.0)) + random.choice((0.0, 1e-7, 30.0)) * random.uniform(-1, 1)
        longitude = random.choice((box.left, box.right, 180.0, -180.0)) + random.choice((0.0, 2e-7)) * random.uniform(
            -1, 1
        )
        yield from _clipped(latitude, longitude)


def _clipped(latitude: float, longitude: float) -> Iterator[Point]:
    longitude = (longitude + 180) % 360 - 180 if abs(longitude) > 180 else longitude
    if abs(latitude) <= 90:
        yield Point(latitude, longitude)


@pytest.mark.parametrize("seed", range(8))
def test_circles_and_boxes_hold_the_points_that_they_hold_in_opensearch(client: httpx2.Client, seed: int) -> None:
    random = Random(seed)  # noqa: S311 - no secret
    middle = Point(random.uniform(-89, 89), random.uniform(-180, 180))
    circle = Circle(middle, 10 ** random.uniform(1, 6.8))
    bottom, top = sorted(random.uniform(-90, 90) for _ in range(2))
    box = Box(top, random.uniform(-180, 180), bottom, random.uniform(-180, 180))
    points = {str(n): point for n, point in enumerate([*on_edge(circle, random), *on_sides(box, random)])}
    documents = {id_: {"place": {"lat": one.latitude, "lon": one.longitude}} for id_, one in points.items()}
    fill(client, f"places{seed}", documents)
    view = view_of(documents, points={"place": ("place",)})

    corners = {"top_left": [box.left, box.top], "bottom_right": [box.right, box.bottom]}
    square = {"geo_bounding_box": {"place": corners}}
    assert ours(view, square) == theirs(client, square, seed)

    round_ = {"geo_distance": {"distance": circle.metres, "place": [middle.longitude, middle.latitude]}}
    undecided = {id_ for id_, one in points.items() if abs(apart(middle, one) - circle.metres) <= SLOPPY}
    assert ours(view, round_) - undecided == theirs(client, round_, seed) - undecided
    assert len(undecided) < len(points) / 2


def apart(one: Point, other: Point) -> float:
    return distance(one.latitude, one.longitude, other.latitude, other.longitude)


def ours(view: View, query: dict[str, Any]) -> set[str]:
    asked = read_body(json.loads(json.dumps({"query": query, "size": 200}), parse_float=Decimal)).request
    return {hit.id for hit in answer(view, asked).hits}


def theirs(client: httpx2.Client, query: dict[str, Any], seed: int) -> set[str]:
    answered = client.post(f"/places{seed}/_search", json={"query": query, "size": 200}).raise_for_status().json()
    return {hit["_id"] for hit in answered["hits"]["hits"]}
