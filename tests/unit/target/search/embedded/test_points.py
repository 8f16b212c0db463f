"""Searches by place over random points give what each point's distance and place give."""

from __future__ import annotations

from random import Random
from typing import Any
from unittest.mock import Mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynalens.errors import QueryLimitError, RequestError, TargetError
from dynalens.search import Bool, Exists, Facet, SortKey, Within
from dynalens.search.geo import Box, Circle, Point, Shape, grid_place
from dynalens.target.search.embedded import points as module
from dynalens.target.search.embedded.state import Layout
from dynalens.target.search.embedded.view import View
from dynalens.target.search.language.points import cover
from tests.unit.search.test_geo import points, shapes
from tests.unit.target.search.embedded.views import ask, ids, view_of

DECLARED = {"at": ("lat", "lon"), "odd name/:": ("places",)}


def near(shape: Shape, random: Random) -> Point:
    """Give a point close to the edge of a shape, or anywhere."""
    middle = shape.centre if isinstance(shape, Circle) else Point(shape.top, shape.left)
    reach = shape.metres / 111_000 if isinstance(shape, Circle) else 10 ** random.uniform(-8, 1)
    latitude = middle.latitude + random.uniform(-1.1, 1.1) * reach
    longitude = middle.longitude + random.uniform(-1.1, 1.1) * reach
    return Point(max(-90.0, min(90.0, latitude)), max(-180.0, min(180.0, longitude)))


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(shapes, st.lists(points, max_size=20), st.randoms(use_true_random=False), st.integers(1, 3))
def test_a_shape_holds_what_its_points_say(shape: Shape, far: list[Point], random: Random, segments: int) -> None:
    several = [*far, *(near(shape, random) for _ in range(30))]
    documents = {str(number): {"lat": one.latitude, "lon": one.longitude} for number, one in enumerate(several)}
    view = view_of({**documents, "none": {}}, deleted=["gone"], segments=segments, points=DECLARED)
    expected = {str(number) for number, one in enumerate(several) if shape.has(*grid_place(one))}
    assert set(ids(view, Within("at", shape))) == expected
    without = Bool(must_not=(Within("at", shape),))
    assert set(ids(view, without)) == {*documents, "none"} - expected


def square(middle: Point, degrees: float) -> Box:
    latitude, longitude = middle.latitude, middle.longitude
    return Box(latitude + degrees, longitude - degrees, latitude - degrees, longitude + degrees)


def test_a_document_with_several_points_is_found_by_each() -> None:
    places = [[16.4, 48.2], {"lat": 47.1, "lon": 15.4}]
    view = view_of({"a": {"places": places}, "b": {"places": "48.2,16.4"}}, points=DECLARED)
    assert sorted(ids(view, Within("odd name/:", square(Point(48.2, 16.4), 0.1)))) == ["a", "b"]
    assert ids(view, Within("odd name/:", Circle(Point(47.1, 15.4), 1000))) == ["a"]


def test_a_point_exists_where_a_document_has_one() -> None:
    documents: dict[str, dict[str, Any]] = {
        "a": {"lat": 1, "lon": 2},
        "b": {"lat": 1},
        "c": {"lat": -90, "lon": 180},
        "d": {"at": "x"},
    }
    found = ask(view_of(documents, points=DECLARED), Exists("at"))
    assert {hit.id: hit.score for hit in found.hits} == {"a": 1.0, "c": 1.0, "d": 1.0}


@pytest.fixture
def crowd() -> View:
    random = Random(7)  # noqa: S311 - no secret
    return view_of(
        {str(n): {"lat": 48 + random.random(), "lon": 16 + random.random()} for n in range(500)}, points=DECLARED
    )


CROWDED = Circle(Point(48.5, 16.5), 40_000)


def test_smaller_cells_are_taken_where_too_many_points_lie_on_the_edge(
    crowd: View, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = sorted(ids(crowd, Within("at", CROWDED), size=500))
    monkeypatch.setattr(module, "_MOST_ON_EDGE", 60)
    asked = Mock(wraps=cover)
    monkeypatch.setattr(module, "cover", asked)
    assert sorted(ids(crowd, Within("at", CROWDED), size=500)) == expected
    assert asked.call_count > 1


def test_an_edge_is_looked_at_once_for_an_answer(crowd: View, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = Mock(wraps=cover)
    monkeypatch.setattr(module, "cover", asked)
    ids(crowd, Within("at", CROWDED), sort=(SortKey("lat"),), facets=(Facet("lon"),))
    assert asked.call_count == 1


def test_too_many_points_on_an_edge_are_refused(crowd: View, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_ON_EDGE", 1)
    with pytest.raises(QueryLimitError, match="close to the edge"):
        ids(crowd, Within("at", CROWDED))


def test_points_that_are_not_declared_are_refused() -> None:
    with pytest.raises(RequestError, match="none of the points that things declares \\(at, odd name/:\\)"):
        ids(view_of({"a": {"lat": 1}}, points=DECLARED), Within("lat", CROWDED))


def test_a_generation_of_an_older_version_is_refused_and_not_searched_in_vain(crowd: View) -> None:
    old = View(crowd.collection, crowd.index, crowd.searcher, crowd.paths, Layout(has_columns=False))
    with pytest.raises(TargetError, match="built by an older version"):
        ids(old, Within("at", CROWDED))
