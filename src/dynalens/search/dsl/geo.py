"""Queries by place: geo_distance and geo_bounding_box ("Geo queries", Elasticsearch reference)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal

from dynalens.errors import RequestError
from dynalens.search.dsl.clause import boosted, one_member, read_options, require
from dynalens.search.dsl.reading import Part
from dynalens.search.geo import Box, Circle, Point
from dynalens.search.request import Query, Within

_DISTANCE = re.compile(r"(\d{1,12}(?:\.\d{1,20})?)\s*([a-zA-Z]*)", re.ASCII)

_METRES: Mapping[str, float] = {
    "": 1.0,
    "m": 1.0,
    "meters": 1.0,
    "km": 1000.0,
    "kilometers": 1000.0,
    "cm": 0.01,
    "centimeters": 0.01,
    "mm": 0.001,
    "millimeters": 0.001,
    "mi": 1609.344,
    "miles": 1609.344,
    "yd": 0.9144,
    "yards": 0.9144,
    "ft": 0.3048,
    "feet": 0.3048,
    "in": 0.0254,
    "inch": 0.0254,
    "NM": 1852.0,
    "nmi": 1852.0,
    "nauticalmiles": 1852.0,
}
"""Units of distance in metres ("Distance units", Elasticsearch reference)."""

_POINT_HINT = 'Write {"lat": 48.2, "lon": 16.4}, "48.2,16.4", or [16.4, 48.2] with the longitude first.'
_CORNERS = ("top_left", "bottom_right", "top_right", "bottom_left", "top", "left", "bottom", "right")
_BOX_HINT = 'Write {"top_left": {"lat": 49, "lon": 16}, "bottom_right": {"lat": 48, "lon": 17}}.'
_KNOWN = ("boost", "validation_method", "ignore_unmapped")


def read_geo_distance(part: Part) -> Query:
    """Read `{"geo_distance": {"distance": "12km", "location": {"lat": 48.2, "lon": 16.4}}}`."""
    name, place, options = _members(part, "distance", "distance_type", "unit")
    require(options, distance_type=("arc",))
    if "distance" not in options:
        raise part.wrong("lacks distance.", 'Write "distance": "12km".')
    circle = Circle(read_point(place), read_distance(options["distance"], options.get("unit")))
    return boosted(Within(name, circle), options)


def read_geo_bounding_box(part: Part) -> Query:
    """Read `{"geo_bounding_box": {"location": {"top_left": …, "bottom_right": …}}}`, and the other pair of corners."""
    name, inner, options = _members(part, "type")
    require(options, type=("memory", "indexed"))
    return boosted(Within(name, _box(inner)), options)


def _members(part: Part, *known: str) -> tuple[str, Part, Mapping[str, Part]]:
    """Tell the field from the options beside it."""
    members = part.members(_BOX_HINT)
    options = {name: member for name, member in members.items() if name in (*known, *_KNOWN, "_name")}
    read_options(Part(part.path, {name: member.value for name, member in options.items()}), *known, *_KNOWN)
    require(options, validation_method=("STRICT", "strict"), ignore_unmapped=(False,))
    rest = {name: member.value for name, member in members.items() if name not in options}
    name, inner = one_member(Part(part.path, rest), 'Write one field, for example {"location": …}.')
    return Part(inner.path, name).field(), inner, options


def read_distance(part: Part, unit: Part | None = None) -> float:
    """Read a distance in metres: `"12km"`, `"3 mi"`, or a number of metres or of a unit beside it."""
    text = f"{part.scalar():f}" if isinstance(part.value, Decimal) else str(part.scalar())
    found = _DISTANCE.fullmatch(text)
    written = found[2] if found else ""
    if unit is not None and not written:
        written = unit.text()
    metres = _METRES.get(written)
    if found is None or metres is None:
        raise part.wrong(f"is {part.kind()}, which is no distance.", "Write for example 12km, 500m, 3mi or 2nmi.")
    return float(found[1]) * metres


def read_point(part: Part) -> Point:
    """Read `{"lat": 48.2, "lon": 16.4}`, `"48.2,16.4"` or `[16.4, 48.2]`; geohashes and WKT are refused."""
    if isinstance(part.value, Mapping):
        members = part.members(_POINT_HINT)
        if members.keys() != {"lat", "lon"}:
            raise part.wrong("is no point.", _POINT_HINT)
        return _point(part, members["lat"], members["lon"])
    if isinstance(part.value, str):
        latitude, comma, longitude = part.text().partition(",")
        if not comma:
            raise part.wrong(f"is {part.kind()}: geohashes and WKT are not supported.", _POINT_HINT)
        return _point(part, Part(part.path, latitude), Part(part.path, longitude))
    pair = part.items(_POINT_HINT)
    if len(pair) != 2:  # noqa: PLR2004 - longitude and latitude
        raise part.wrong(f"has {len(pair)} members.", _POINT_HINT)
    return _point(part, pair[1], pair[0])


def _point(part: Part, latitude: Part, longitude: Part) -> Point:
    try:
        return Point(_degrees(latitude), _degrees(longitude))
    except ValueError as error:
        raise part.wrong(f"is no point: {error}.", _POINT_HINT) from error


def _degrees(part: Part) -> float:
    value = part.scalar()
    try:
        if not isinstance(value, bool):
            return float(value)
    except ValueError:
        pass
    raise part.wrong(f"is {part.kind()}, not a number of degrees.", _POINT_HINT)


def _box(part: Part) -> Box:
    corners = part.members(_BOX_HINT)
    unknown = next((name for name in corners if name not in _CORNERS), None)
    if unknown is not None:
        raise corners[unknown].wrong("is no corner that is supported.", _BOX_HINT)
    box = _box_of(part, corners)
    if box.bottom > box.top:
        raise part.wrong("has its top below its bottom.", "Exchange the two latitudes.")
    return box


def _box_of(part: Part, corners: Mapping[str, Part]) -> Box:
    """Read the four sides, or two corners that face each other."""
    if corners.keys() == {"top", "left", "bottom", "right"}:
        upper = _point(part, corners["top"], corners["left"])
        lower = _point(part, corners["bottom"], corners["right"])
    elif corners.keys() == {"top_left", "bottom_right"}:
        upper, lower = read_point(corners["top_left"]), read_point(corners["bottom_right"])
    elif corners.keys() == {"top_right", "bottom_left"}:
        right, left = read_point(corners["top_right"]), read_point(corners["bottom_left"])
        return Box(right.latitude, left.longitude, left.latitude, right.longitude)
    else:
        raise _incomplete(part)
    return Box(upper.latitude, upper.longitude, lower.latitude, lower.longitude)


def _incomplete(part: Part) -> RequestError:
    return part.wrong("does not have two corners that face each other, or all four sides.", _BOX_HINT)
