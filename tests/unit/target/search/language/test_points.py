"""Points of documents, their tokens, and shapes as cells."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.change import load_exact
from dynalens.search.geo import Point, Shape, grid_place
from dynalens.target.search.language.points import cover, place_of, point_token, points_of
from tests.unit.search.test_geo import points, shapes


@pytest.mark.parametrize(
    ("document", "paths", "expected"),
    [
        ('{"lat":1.5,"lon":2}', ("lat", "lon"), [(1.5, 2)]),
        ('{"at":{"lat":"1.5","lon":"-2"}}', ("at.lat", "at.lon"), [(1.5, -2)]),
        ('{"lat":{"deg":1},"lon":{"deg":2}}', ("lat.deg", "lon.deg"), [(1, 2)]),
        ('{"lats":[1,2],"lons":[3,4]}', ("lats", "lons"), [(1, 3), (2, 4)]),
        ('{"lats":[1,2],"lons":[3]}', ("lats", "lons"), []),
        ('{"at":[{"lat":1,"lon":2},{"lat":3},{"lon":4},{"lat":5,"lon":6}]}', ("at.lat", "at.lon"), [(1, 2), (5, 6)]),
        ('{"a.b":{"lat":1,"lon":2}}', ("a.b.lat", "a.b.lon"), [(1, 2)]),
        ('{"at":{"lat":1,"lon":2}}', ("at",), [(1, 2)]),
        ('{"at":"1, 2"}', ("at",), [(1, 2)]),
        ('{"at":[2,1]}', ("at",), [(1, 2)]),
        ('{"at":{"type":"Point","coordinates":[2,1]}}', ("at.coordinates",), [(1, 2)]),
        ('{"at":[[2,1],"3,4",{"lat":5,"lon":6}]}', ("at",), [(1, 2), (3, 4), (5, 6)]),
        ('{"at":"u2edk"}', ("at",), []),
        ('{"at":"1,2,3"}', ("at",), []),
        ('{"at":[1,2,3]}', ("at",), []),
        ('{"at":12}', ("at",), []),
        ('{"at":null}', ("at",), []),
        ('{"at":{"lat":true,"lon":2}}', ("at",), []),
        ('{"lat":91,"lon":2}', ("lat", "lon"), []),
        ('{"lat":"nan","lon":2}', ("lat", "lon"), []),
        ('{"lat":1e999,"lon":2}', ("lat", "lon"), []),
        ("{}", ("lat", "lon"), []),
    ],
)
def test_points_are_read_in_each_form(document: str, paths: tuple[str, ...], expected: list[Any]) -> None:
    assert [(point.latitude, point.longitude) for point in points_of(load_exact(document.encode()), paths)] == expected


@given(points)
def test_a_token_gives_its_place_back(point: Point) -> None:
    assert place_of(point_token(point)) == grid_place(point)


@given(points, shapes, st.sampled_from((16, 64, 256)))
def test_a_cover_holds_all_of_a_shape_and_nothing_else_but_on_its_edge(point: Point, shape: Shape, most: int) -> None:
    token = point_token(point)
    found = cover(shape, most)
    assert len(found.within) + len(found.edge) <= most
    if token.startswith(found.within):
        assert shape.has(*place_of(token))
    elif not token.startswith(found.edge):
        assert not shape.has(*place_of(token))
