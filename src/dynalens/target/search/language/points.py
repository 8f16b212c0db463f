"""Points: which ones a document has under the names that its collection declares, and the token that stands for each.

A token is the point's place on the grid, the bits of latitude and longitude in turn, latitude first, in digits to the
base 16: places whose tokens begin alike lie in one cell.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dynalens.change import NumberText
from dynalens.search.geo import Cell, Point, Shape, grid_place

GeoPaths = Mapping[str, Sequence[str]]
"""The points of a collection by name (`SearchConfig.geo`): paths of latitude and longitude, or the path of a point."""

NO_POINTS: GeoPaths = {}

_MARK = "g"
_DIGITS = 16
_BITS_OF_DIGIT = 2
"""Bits of each axis in one digit."""

# Of 32, 16, 8, 4, 2 bits and one bit in a row, as many zeros behind each row.
_ROWS = (
    (16, 0x00000000_FFFFFFFF), (8, 0x0000FFFF_0000FFFF), (4, 0x00FF00FF_00FF00FF),
    (2, 0x0F0F0F0F_0F0F0F0F), (1, 0x33333333_33333333), (0, 0x55555555_55555555),
)  # fmt: skip


def points_of(item: Mapping[str, Any], paths: Sequence[str]) -> list[Point]:
    """Read the points that a document (numbers as `NumberText`) has at two paths, or at one; others are passed over."""
    if len(paths) == 1:
        return [point for value in _at(item, paths[0]) for point in _points(value)]
    return list(_pairs(item, *paths))


def _pairs(item: Mapping[str, Any], latitude: str, longitude: str) -> Iterator[Point]:
    """Pair the coordinates of each map that both paths lead into: those of a list of maps do not mix."""
    common = _common(latitude, longitude)
    for place in _members(item, common) if common else (item,):
        latitudes, longitudes = (
            list(_leaves(place, path.removeprefix(common).removeprefix(".") if common else path))
            for path in (latitude, longitude)
        )
        if len(latitudes) == len(longitudes):
            for pair in zip(latitudes, longitudes, strict=True):
                yield from _point(*pair)


def _common(one: str, other: str) -> str:
    """Give the path of what holds both."""
    shared = []
    for part, other_part in zip(one.split(".")[:-1], other.split(".")[:-1], strict=False):
        if part != other_part:
            break
        shared.append(part)
    return ".".join(shared)


def _at(value: Any, path: str) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    """Give the values at a path, lists as they are; a name may hold a dot."""
    if isinstance(value, list):
        for member in value:
            yield from _at(member, path)
    elif isinstance(value, dict):
        for name, member in value.items():
            if name == path:
                yield member
            elif path.startswith(f"{name}."):
                yield from _at(member, path[len(name) + 1 :])


def _members(value: Any, path: str) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    for found in _at(value, path):
        yield from _flat(found)


def _leaves(value: Any, path: str) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    for found in _members(value, path):
        if isinstance(found, str):
            yield found


def _flat(value: Any) -> Iterator[Any]:  # noqa: ANN401 - any JSON value
    if isinstance(value, list):
        for member in value:
            yield from _flat(member)
    else:
        yield value


def _points(value: Any) -> Iterator[Point]:  # noqa: ANN401 - any JSON value
    """Read `{"lat": 1, "lon": 2}`, `"1,2"`, `[2, 1]` (longitude first, as in GeoJSON) and lists of these."""
    match value:
        case {"lat": str(latitude), "lon": str(longitude)}:
            yield from _point(latitude, longitude)
        case [NumberText() as longitude, NumberText() as latitude]:
            yield from _point(latitude, longitude)
        case list():
            for member in value:
                yield from _points(member)
        case str() if not isinstance(value, NumberText) and value.count(",") == 1:
            yield from _point(*value.split(","))


def _point(latitude: str, longitude: str) -> Iterator[Point]:
    with suppress(ValueError):
        yield Point(float(latitude), float(longitude))


# Tokens.


def point_token(point: Point) -> str:
    """Give the token of a point's place."""
    latitude, longitude = grid_place(point)
    return f"{_MARK}{_spread(latitude) << 1 | _spread(longitude):016x}"


def place_of(token: str) -> tuple[int, int]:
    """Give the place that a token stands for: latitude, longitude."""
    bits = int(token[1:], 16)
    return _gathered(bits >> 1), _gathered(bits)


def _spread(number: int) -> int:
    """Put a zero before each bit of a number."""
    for (shift, _), (_, mask) in pairwise(_ROWS):
        number = (number | number << shift) & mask
    return number


def _gathered(bits: int) -> int:
    """Leave out every other bit."""
    bits &= _ROWS[-1][1]
    for shift, mask in _ROWS[-2::-1]:
        bits = (bits | bits >> shift) & mask
    return bits


# Shapes as cells.


@dataclass(frozen=True, slots=True)
class Cover:
    """Beginnings of tokens: of those within a shape, and of those that have to be looked at one by one."""

    within: tuple[str, ...]
    edge: tuple[str, ...]


def cover(shape: Shape, most: int) -> Cover:
    """Cover a shape by cells, the smaller the better, at most `most` of them (16 or more)."""
    within: list[str] = []
    edge = [_MARK]
    while edge and len(edge[0]) <= _DIGITS:
        inside, crossing = _divided(shape, edge)
        if len(within) + len(inside) + len(crossing) > most:
            break
        within += inside
        edge = crossing
    return Cover(tuple(within), tuple(edge))


def _divided(shape: Shape, cells: Sequence[str]) -> tuple[list[str], list[str]]:
    """Divide each cell into 16; give those that lie within a shape, and those that lie on its edge."""
    inside, crossing = [], []
    for prefix in (f"{cell}{digit:x}" for cell in cells for digit in range(16)):
        covered = shape.covers(_cell(prefix))
        if covered:
            inside.append(prefix)
        elif covered is None:
            crossing.append(prefix)
    return inside, crossing


def _cell(prefix: str) -> Cell:
    digits = len(prefix) - 1
    south, west = place_of(prefix.ljust(_DIGITS + 1, "0"))
    last = (1 << _BITS_OF_DIGIT * (_DIGITS - digits)) - 1
    return Cell(south, south + last, west, west + last)
