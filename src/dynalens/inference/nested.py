"""What lies within maps: paths of text worth naming, and pairs of numbers that are a place on Earth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from dynalens.change import Typed
from dynalens.inference.attributes import MOSTLY, Attribute, Item, nameable, words
from dynalens.inference.description import GeoPair
from dynalens.inference.vocabulary import LATITUDES, LONGITUDES

MOST_FIELDS = 10
MOST_PLACES = 10
DEEPEST = 4
"""Names of a path; what lies deeper is found by words, and seldom asked for by name."""

_OFTEN = 0.2
"""Share of items that have a path that is worth naming."""

_POLE, _DATE_LINE = 90, 180


def paths_of(items: Sequence[Item]) -> list[Attribute]:
    """Collect the values below maps and lists by path, names joined by dots, and those at the top by name.

    A path that reads like another one, because a name has a dot in it, is left out, and so is one too long to be named.
    """
    values: dict[str, list[Typed]] = {}
    for item in items:
        # In a list a path comes several times: an item counts once.
        for path, value in dict(_leaves(item, "", DEEPEST)).items():
            values.setdefault(path, []).append(value)
    return [Attribute(path, seen, len(items)) for path, seen in values.items() if nameable(path)]


def search_fields(paths: Sequence[Attribute]) -> tuple[str, ...]:
    """Give the paths of nested text, the most frequent first."""
    named = [path for path in paths if "." in path.name and len(path.texts) >= max(1, _OFTEN * path.items)]
    return tuple(path.name for path in sorted(named, key=lambda path: (-len(path.texts), path.name))[:MOST_FIELDS])


def geo_pairs(paths: Sequence[Attribute]) -> tuple[GeoPair, ...]:
    """Give the pairs of latitude and longitude that stand side by side, each under a name of its own."""
    latitudes = {_place(path): path.name for path in paths if _is_degree(path, LATITUDES, _POLE)}
    longitudes = {_place(path): path.name for path in paths if _is_degree(path, LONGITUDES, _DATE_LINE)}
    found: dict[str, GeoPair] = {}
    for place, latitude in sorted(latitudes.items()):
        if place in longitudes:
            called = ".".join(filter(None, place)) or "location"
            name = latitude if called in found else called
            found[name] = GeoPair(name, latitude, longitudes[place])
    return tuple(found.values())[:MOST_PLACES]


def _leaves(members: Mapping[str, Typed], above: str, deeper: int) -> Iterator[tuple[str, Typed]]:
    for name, value in members.items():
        if "." not in name and deeper:
            for leaf in _parts(value):
                if "M" in leaf:
                    yield from _leaves(leaf["M"], f"{above}{name}.", deeper - 1)
                else:
                    yield f"{above}{name}", leaf


def _parts(value: Typed) -> Sequence[Typed]:
    """Look into a list, as a search does; everything else is itself."""
    members: Sequence[Typed] = value.get("L", (value,))
    return members


def _is_degree(path: Attribute, names: frozenset[str], most: int) -> bool:
    numbers = path.numbers
    return (
        not names.isdisjoint(words(path.name.rpartition(".")[2])[-1:])
        and len(numbers) > MOSTLY * len(path.values)
        and all(abs(number) <= most for number in numbers)
    )


def _place(path: Attribute) -> tuple[str, ...]:
    """Tell what the degree is of: the path without its last word, so that `homeLat` and `homeLng` are one place."""
    above, _, name = path.name.rpartition(".")
    return (above, *words(name)[:-1])
