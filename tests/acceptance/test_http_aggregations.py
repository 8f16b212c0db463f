"""Aggregations and searches by place over HTTP, as opensearch-py asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import opensearchpy
import pytest
from opensearchpy import OpenSearch, helpers

from dynalens.config import CollectionConfig, Config, SearchConfig
from dynalens.target import Generation
from dynalens.target.search import open_search
from tests.acceptance.test_http_search import write
from tests.fakes import Fakes
from tests.serving import running

CONFIG = Config(
    collections={
        "shops": CollectionConfig(table="Shops", search=SearchConfig(geo={"location": ("at.lat", "at.lon")})),
    }
)

SHOPS = {
    "graz": b'{"city":"Graz","since":"2024-01-31","sold":10.5,"open":true,"at":{"lat":47.0707,"lon":15.4395}}',
    "wien": b'{"city":"Wien","since":"2024-02-29T12:00:00Z","sold":20,"open":true,"at":{"lat":48.2082,"lon":16.3738}}',
    "wien/2": b'{"city":"Wien","since":"2024-04-01","sold":12345678901234567890.5,"at":{"lat":"48.19","lon":"16.34"}}',
    "suva": b'{"city":"Suva","since":"2023-12-31T23:59:59.999Z","sold":-1,"open":false,"at":{"lat":-18.1,"lon":178.4}}',
    "nowhere": b'{"city":"Atlantis","sold":null,"at":{"lat":123,"lon":4}}',
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearch]:
    generation = Generation("shops", 1)
    with closing(open_search("tantivy://./search", folder=Path(tmp_path_factory.mktemp("shops")))) as target:
        target.create(generation, CONFIG.collections["shops"])
        target.serve(generation)
        assert target.apply([write(generation, id_, body) for id_, body in SHOPS.items()]) == []
        backend = replace(Fakes().backend(config=CONFIG), search=target)
        with running(backend) as served, closing(OpenSearch([served.url], max_retries=0)) as client:
            yield client


def ask(client: OpenSearch, **aggregations: Any) -> Any:  # noqa: ANN401 - as the client has it
    return client.search(index="shops", body={"size": 0, "aggs": aggregations})["aggregations"]


def found(client: OpenSearch, query: dict[str, Any]) -> list[str]:
    hits = client.search(index="shops", body={"query": query, "sort": "_id"})["hits"]["hits"]
    return [hit["_id"] for hit in hits]


def test_terms_come_with_what_is_in_each(client: OpenSearch) -> None:
    asked = {"terms": {"field": "city.keyword", "size": 2}, "aggs": {"sold": {"stats": {"field": "sold"}}}}
    answer = ask(client, cities=asked)["cities"]
    assert answer == {
        "doc_count_error_upper_bound": 0,
        "sum_other_doc_count": 2,
        "buckets": [
            {
                "key": "Wien",
                "doc_count": 2,
                "sold": {
                    "count": 2,
                    "min": 20.0,
                    "max": 12345678901234567000.0,
                    "avg": 6172839450617283600.0,
                    "sum": 12345678901234567000.0,
                },
            },
            {
                "key": "Atlantis",
                "doc_count": 1,
                "sold": {"count": 0, "min": None, "max": None, "avg": None, "sum": 0.0},
            },
        ],
    }


def test_booleans_are_keys_as_numbers_and_as_text(client: OpenSearch) -> None:
    buckets = ask(client, open={"terms": {"field": "open"}})["open"]["buckets"]
    assert buckets == [
        {"key": 1, "key_as_string": "true", "doc_count": 2},
        {"key": 0, "key_as_string": "false", "doc_count": 1},
    ]


def test_ranges_and_histograms_are_of_numbers(client: OpenSearch) -> None:
    ranges = {"range": {"field": "sold", "ranges": [{"from": 0, "to": 20}, {"from": 20, "key": "many"}, {"to": 0}]}}
    histogram = {"histogram": {"field": "sold", "interval": 10}}
    body = {"size": 0, "query": {"range": {"sold": {"lt": 100}}}, "aggs": {"ranges": ranges, "histogram": histogram}}
    answer = client.search(index="shops", body=body)["aggregations"]
    assert answer["ranges"]["buckets"] == [
        {"key": "*-0.0", "to": 0.0, "doc_count": 1},
        {"key": "0.0-20.0", "from": 0.0, "to": 20.0, "doc_count": 1},
        {"key": "many", "from": 20.0, "doc_count": 1},
    ]
    assert answer["histogram"]["buckets"] == [
        {"key": -10.0, "doc_count": 1},
        {"key": 0.0, "doc_count": 0},
        {"key": 10.0, "doc_count": 1},
        {"key": 20.0, "doc_count": 1},
    ]


def test_months_have_no_gaps(client: OpenSearch) -> None:
    asked = {"date_histogram": {"field": "since", "calendar_interval": "month"}}
    assert ask(client, months=asked)["months"]["buckets"] == [
        {"key": 1701388800000, "key_as_string": "2023-12-01T00:00:00.000Z", "doc_count": 1},
        {"key": 1704067200000, "key_as_string": "2024-01-01T00:00:00.000Z", "doc_count": 1},
        {"key": 1706745600000, "key_as_string": "2024-02-01T00:00:00.000Z", "doc_count": 1},
        {"key": 1709251200000, "key_as_string": "2024-03-01T00:00:00.000Z", "doc_count": 0},
        {"key": 1711929600000, "key_as_string": "2024-04-01T00:00:00.000Z", "doc_count": 1},
    ]


def test_metrics_of_dates_come_as_text_too(client: OpenSearch) -> None:
    answer = ask(client, last={"max": {"field": "since"}}, cities={"cardinality": {"field": "city"}})
    assert answer["last"] == {"value": 1711929600000.0, "value_as_string": "2024-04-01T00:00:00.000Z"}
    assert answer["cities"] == {"value": 4}


def test_a_scroll_has_aggregations_on_its_first_page(client: OpenSearch) -> None:
    body = {"size": 2, "aggs": {"cities": {"cardinality": {"field": "city"}}}}
    first = client.search(index="shops", body=body, params={"scroll": "1m"})
    second = client.scroll(body={"scroll_id": first["_scroll_id"], "scroll": "1m"})
    client.clear_scroll(scroll_id=first["_scroll_id"])
    assert ("aggregations" in first, "aggregations" in second) == (True, False)
    assert len(list(helpers.scan(client, index="shops", query=body))) == len(SHOPS)


def test_points_are_found_by_distance(client: OpenSearch) -> None:
    vienna = {"lat": 48.2082, "lon": 16.3738}
    assert found(client, {"geo_distance": {"distance": "5km", "location": vienna}}) == ["wien", "wien/2"]
    assert found(client, {"geo_distance": {"distance": "1m", "location": vienna}}) == ["wien"]
    assert found(client, {"geo_distance": {"distance": "150km", "location": vienna}}) == ["graz", "wien", "wien/2"]
    assert found(client, {"geo_distance": {"distance": "20100km", "location": vienna}}) == [
        "graz",
        "suva",
        "wien",
        "wien/2",
    ]


def test_points_are_found_in_a_box_over_the_date_line(client: OpenSearch) -> None:
    box = {"top_left": "0,170", "bottom_right": "-30,-170"}
    assert found(client, {"geo_bounding_box": {"location": box}}) == ["suva"]
    without = {"bool": {"must": {"match": {"city": "wien"}}, "must_not": {"geo_bounding_box": {"location": box}}}}
    assert found(client, without) == ["wien", "wien/2"]


def test_a_point_that_was_not_declared_is_refused_with_the_line_to_add(client: OpenSearch) -> None:
    with pytest.raises(opensearchpy.RequestError) as refused:
        found(client, {"geo_distance": {"distance": "5km", "at": "1,2"}})
    info: Any = refused.value.info
    assert "shops: {search: {geo: {at: [" in info["error"]["hint"]
