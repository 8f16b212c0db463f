"""Places: the grid, distances, shapes, and the queries that ask for them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.errors import RequestError
from dynalens.search import Boosted, Query, Within
from dynalens.search.dsl import read_query
from dynalens.search.geo import Box, Cell, Circle, Point, Shape, distance, grid_place

VIENNA = Point(48.2, 16.37)
BOX = Box(top=49.0, left=16.0, bottom=48.0, right=17.0)

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)
points = st.builds(Point, latitudes, longitudes)
boxes = st.builds(
    lambda one, other, left, right: Box(max(one, other), left, min(one, other), right),
    latitudes, latitudes, longitudes, longitudes,
)  # fmt: skip
shapes: st.SearchStrategy[Shape] = st.one_of(boxes, st.builds(Circle, points, st.floats(0, 2.1e7)))


def read(query: object) -> Query:
    return read_query({"query": query})


# Shapes.


@given(points, shapes, st.integers(0, 31))
def test_a_cell_within_a_shape_holds_only_points_that_are_and_one_outside_none(
    point: Point, shape: Shape, bits: int
) -> None:
    latitude, longitude = grid_place(point)
    south, west = (place >> bits << bits for place in (latitude, longitude))
    cell = Cell(south, south + (1 << bits) - 1, west, west + (1 << bits) - 1)
    assert shape.covers(cell) in (None, shape.has(latitude, longitude))


@given(boxes, points)
def test_a_box_holds_what_lies_between_its_sides_to_a_step_of_the_grid(box: Box, point: Point) -> None:
    step = 1e-7
    beside = [abs(point.latitude - side) < step for side in (box.top, box.bottom)]
    beside += [abs(abs(point.longitude - side) % 360) < step for side in (box.left, box.right)]
    between = box.left <= point.longitude <= box.right
    if box.left > box.right:
        between = point.longitude >= box.left or point.longitude <= box.right
    expected = box.bottom <= point.latitude <= box.top and between
    assert any(beside) or abs(point.longitude) == 180 or box.has(*grid_place(point)) == expected


@pytest.mark.parametrize(
    ("latitude", "longitude", "within"),
    [(22.5, 11.25, True), (45.0, 22.5, True), (22.4999999, 15, False), (30, 22.5000002, False)],
)
def test_the_sides_of_a_box_belong_to_it(latitude: float, longitude: float, *, within: bool) -> None:
    # These sides are places of the grid; others are rounded to the next one within, as Lucene's are.
    sides = Box(top=45.0, left=11.25, bottom=22.5, right=22.5)
    assert sides.has(*grid_place(Point(latitude, longitude))) is within


def test_a_box_reaches_over_the_date_line() -> None:
    pacific = Box(top=10, left=157.5, bottom=-10, right=-157.5)
    longitudes_asked = (157, 157.5, 180, -180, -157.5, -157, 0)
    found = [longitude for longitude in longitudes_asked if pacific.has(*grid_place(Point(0, longitude)))]
    assert found == [157.5, 180, -180, -157.5]


def test_distances_are_those_of_a_sphere() -> None:
    quarter = 6_371_008.7714 * 3.141592653589793 / 2
    assert distance(0, 0, 0, 90) == pytest.approx(quarter)
    assert distance(0, 0, 90, 17) == pytest.approx(quarter)
    assert distance(0, 179.5, 0, -179.5) == pytest.approx(quarter / 90)
    assert distance(-90, 0, 90, 0) == pytest.approx(2 * quarter)
    # Vienna to Graz, as maps give it.
    assert distance(48.2082, 16.3738, 47.0707, 15.4395) == pytest.approx(144_700, rel=0.005)


def test_a_circle_of_no_radius_holds_its_centre() -> None:
    centre = Point(45.0, 22.5)
    assert Circle(centre, 0).has(*grid_place(centre))
    assert not Circle(centre, 0).has(*grid_place(Point(45.0000001, 22.5)))


# Queries.


@pytest.mark.parametrize(
    "point",
    [
        {"lat": Decimal("48.2"), "lon": Decimal("16.37")},
        {"lat": "48.2", "lon": "16.37"},
        "48.2,16.37",
        "48.2, 16.37",
        [Decimal("16.37"), Decimal("48.2")],
    ],
)
def test_a_point_is_read_in_each_form(point: object) -> None:
    assert read({"geo_distance": {"distance": "5km", "at": point}}) == Within("at", Circle(VIENNA, 5000))


@pytest.mark.parametrize(
    ("distance", "metres"),
    [
        (200, 200), ("201", 201), ("200m", 200), ("1.5km", 1500), ("2 mi", 3218.688), ("1nmi", 1852), ("1NM", 1852),
        ("100cm", 1), ("10ft", 3.048), ("1yd", 0.9144), ("12in", 0.3048), ("1000mm", 1), (Decimal("0.5"), 0.5),
        ("1kilometers", 1000),
    ],
)  # fmt: skip
def test_distances_have_units(distance: object, metres: float) -> None:
    found = read({"geo_distance": {"distance": distance, "at": "48.2,16.37"}})
    assert isinstance(found, Within)
    assert isinstance(found.shape, Circle)
    assert found.shape.metres == pytest.approx(metres)


@pytest.mark.parametrize(
    "corners",
    [
        {"top_left": "49,16", "bottom_right": {"lat": 48, "lon": 17}},
        {"top_right": [17, 49], "bottom_left": [16, 48]},
        {"top": 49, "left": 16, "bottom": 48, "right": 17},
    ],
)
def test_a_box_is_read_by_either_pair_of_corners_or_by_its_sides(corners: object) -> None:
    assert read({"geo_bounding_box": {"at": corners}}) == Within("at", BOX)


def test_a_box_and_a_circle_may_be_boosted() -> None:
    corners = {"top_left": "49,16", "bottom_right": "48,17"}
    assert read({"geo_bounding_box": {"at": corners, "boost": 2}}) == Boosted(Within("at", BOX), 2)
    circle = {"distance": "1m", "distance_type": "arc", "at": "48.2,16.37", "boost": 2}
    assert read({"geo_distance": circle}) == Boosted(Within("at", Circle(VIENNA, 1)), 2)


def far(**options: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"geo_distance": {"distance": "1km", "at": "1,2", **options}}


def box(**corners: Any) -> dict[str, Any]:  # noqa: ANN401 - any JSON
    return {"geo_bounding_box": {"at": corners}}


@pytest.mark.parametrize(
    ("query", "place", "hint"),
    [
        ({"geo_distance": {"at": "1,2"}}, "query.geo_distance lacks distance", "12km"),
        (far(distance="12 parsecs"), "query.geo_distance.distance ", "12km"),
        (far(distance="-1km"), "query.geo_distance.distance ", "12km"),
        (far(at="u2edk"), "query.geo_distance.at ", "48.2,16.4"),
        (far(at="POINT (1 2)"), "query.geo_distance.at ", "48.2,16.4"),
        (far(at="91,2"), "query.geo_distance.at is no point: the latitude 91", "48.2,16.4"),
        (far(at="1,nan"), "query.geo_distance.at is no point: the longitude", "48.2,16.4"),
        (far(at=[1]), "query.geo_distance.at has 1", "48.2,16.4"),
        (far(at={"lat": 1}), "query.geo_distance.at is no point", "48.2,16.4"),
        (far(at={"lat": 1, "lon": True}), "query.geo_distance.at.lon ", "48.2,16.4"),
        (far(distance_type="plane"), "query.geo_distance.distance_type ", "arc"),
        (far(ignore_unmapped=True), "query.geo_distance.ignore_unmapped ", "false"),
        (far(other="3,4"), "query.geo_distance has 2 members", "location"),
        (box(top_left="1,2"), "query.geo_bounding_box.at does not have two corners", "bottom_right"),
        (box(top_left="1,2", bottom_right="2,3"), "query.geo_bounding_box.at has its top below", "Exchange"),
        (box(wkt="BBOX (1, 2, 3, 4)"), "query.geo_bounding_box.at.wkt ", "top_left"),
    ],
)
def test_what_is_no_place_is_refused_with_what_to_write(query: object, place: str, hint: str) -> None:
    with pytest.raises(RequestError) as refused:
        read(query)
    assert str(refused.value).startswith(place)
    assert hint in refused.value.hint
