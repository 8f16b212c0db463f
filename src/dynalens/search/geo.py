"""Places: points on the earth, and the shapes that they lie in.

Points are kept as Lucene keeps them, so that every engine finds the same ones: latitude and longitude as whole numbers
of 32 bits each, steps of less than a centimetre, rounded down ("GeoEncodingUtils", Lucene API). The upper sides of a
box are rounded down, too, and the lower ones up ("Geo-bounding box query", Elasticsearch reference). Distances are
those of a sphere by the haversine formula, with the radius of "SloppyMath.haversinMeters" (Lucene API); that reads
sines from tables, at most 40 cm off: so close to a circle's edge another engine may decide the other way.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

EARTH_RADIUS = 6_371_008.7714
"""Metres."""

MOST_LATITUDE, MOST_LONGITUDE = 90.0, 180.0

_BITS = 32
_HALF = 1 << (_BITS - 1)
_LATITUDE_STEP = 2 * MOST_LATITUDE / (1 << _BITS)
_LONGITUDE_STEP = 2 * MOST_LONGITUDE / (1 << _BITS)


@dataclass(frozen=True, slots=True)
class Point:
    """A point, in degrees: latitude from -90 to 90, longitude from -180 to 180.

    Raises:
        ValueError: It lies outside of these.
    """

    latitude: float
    longitude: float

    def __post_init__(self) -> None:
        if not (-MOST_LATITUDE <= self.latitude <= MOST_LATITUDE):
            msg = f"the latitude {self.latitude:g} is not from -90 to 90"
            raise ValueError(msg)
        if not (-MOST_LONGITUDE <= self.longitude <= MOST_LONGITUDE):
            msg = f"the longitude {self.longitude:g} is not from -180 to 180"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True)
class Cell:
    """A part of the grid that points are kept on: whole numbers from 0 to 2^32 - 1, both ends included."""

    south: int
    north: int
    west: int
    east: int


def grid_place(point: Point) -> tuple[int, int]:
    """Give the place of a point on the grid: its latitude, then its longitude, from 0 to 2^32 - 1."""
    return _place(point.latitude, _LATITUDE_STEP), _place(point.longitude, _LONGITUDE_STEP)


def _place(degrees: float, step: float) -> int:
    return min(math.floor(degrees / step), _HALF - 1) + _HALF


def _first_place(degrees: float, step: float) -> int:
    """Give the first place that is not below; past the grid for its upper end, which no place stands for."""
    return math.ceil(degrees / step) + _HALF


@dataclass(frozen=True, slots=True)
class Box:
    """What lies between two latitudes and two longitudes, ends included; over the date line where `left` is greater."""

    top: float
    left: float
    bottom: float
    right: float

    def has(self, latitude: int, longitude: int) -> bool:
        """Tell whether a place on the grid lies within."""
        return self.covers(Cell(latitude, latitude, longitude, longitude)) is True

    def covers(self, cell: Cell) -> bool | None:
        """Tell whether all of a cell lies within (True), nothing (False), or perhaps a part (None)."""
        south, north = _first_place(self.bottom, _LATITUDE_STEP), _place(self.top, _LATITUDE_STEP)
        west, east = _first_place(self.left, _LONGITUDE_STEP), _place(self.right, _LONGITUDE_STEP)
        by_latitude = _overlap(cell.south, cell.north, south, north)
        if self.left <= self.right:
            return _both(by_latitude, _overlap(cell.west, cell.east, west, east))
        outside = _overlap(cell.west, cell.east, east + 1, west - 1)
        return _both(by_latitude, None if outside is None else not outside)


def _overlap(first: int, last: int, lower: int, upper: int) -> bool | None:
    if first >= lower and last <= upper:
        return True
    return False if last < lower or first > upper or lower > upper else None


def _both(one: bool | None, other: bool | None) -> bool | None:  # noqa: FBT001 - what was found, not what to do
    if one is False or other is False:
        return False
    return True if one and other else None


@dataclass(frozen=True, slots=True)
class Circle:
    """What lies at most so many metres from a point."""

    centre: Point
    metres: float

    def has(self, latitude: int, longitude: int) -> bool:
        """Tell whether a place on the grid lies within."""
        here = (latitude - _HALF) * _LATITUDE_STEP, (longitude - _HALF) * _LONGITUDE_STEP
        return distance(self.centre.latitude, self.centre.longitude, *here) <= self.metres

    def covers(self, cell: Cell) -> bool | None:
        """Tell whether all of a cell lies within (True), nothing (False), or perhaps a part (None)."""
        south, north = ((place - _HALF) * _LATITUDE_STEP for place in (cell.south, cell.north))
        west, east = ((place - _HALF) * _LONGITUDE_STEP for place in (cell.west, cell.east))
        middle = (south + north) / 2, (west + east) / 2
        apart = distance(self.centre.latitude, self.centre.longitude, *middle)
        reach = _reach(north - south, east - west, min(abs(south), abs(north)) if south * north > 0 else 0.0)
        if apart + reach < self.metres:
            return True
        return False if apart - reach > self.metres else None


Shape: TypeAlias = Box | Circle

EARTH = Box(MOST_LATITUDE, -MOST_LONGITUDE, -MOST_LATITUDE, MOST_LONGITUDE)
"""Every point."""


def distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Give the metres between two points on the sphere, by the haversine formula."""
    one, other = math.radians(latitude), math.radians(other_latitude)
    across = math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    share = math.sin((other - one) / 2) ** 2 + math.cos(one) * math.cos(other) * across
    return 2 * EARTH_RADIUS * math.asin(math.sqrt(min(1.0, share)))


def _reach(height: float, width: float, lowest: float) -> float:
    """Give metres that no point of a cell is farther from its middle than: half its height, then half its width.

    The width is taken where the cell is nearest to the equator, and so at its widest.
    """
    along = math.radians(height / 2) + math.radians(width / 2) * math.cos(math.radians(lowest))
    return EARTH_RADIUS * along * (1 + 1e-9) + 1.0
