"""Which paths of a generation can be asked by name: the first ones, and those that were declared."""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from dynalens.errors import RequestError
from dynalens.target.search.language.tokens import path_name

MOST_PATHS = 1000
"""Paths of a generation that are indexed by name; later ones are found by all fields together only."""
LONGEST_PATH = 1000
"""Characters of a path's name; a longer one is found by all fields together only."""


@dataclass(frozen=True, slots=True)
class NamedPaths:
    """The names (`tokens.path_name`) of the paths of a collection that are indexed by name, and those of its points."""

    collection: str
    names: AbstractSet[str]
    points: AbstractSet[str] = frozenset()

    def name_of(self, path: str) -> str:
        """Give the name that a path is indexed under; one that no document has is allowed and finds nothing.

        Raises:
            RequestError: Documents may have it, but it came after the first `MOST_PATHS`.
        """
        name = path_name(path)
        if name not in self.names and len(self.names) >= MOST_PATHS:
            raise RequestError(
                f"{path!r:.100} is not among the {MOST_PATHS} fields of {self.collection} that can be asked by name.",
                hint=f"Add to dynalens.yaml: collections: {{{self.collection}: {{search: {{fields: [{path:.100}]}}}}}}",
            )
        return name

    def has_points(self, name: str) -> bool:
        """Tell whether the collection declares points of this name."""
        return name in self.points

    def point_name(self, name: str) -> str:
        """Give the name that points are indexed under (`point_name`).

        Raises:
            RequestError: The collection declares no points of this name.
        """
        if name not in self.points:
            raise RequestError(
                f"{name!r:.100} is none of the points that {self.collection} declares"
                f" ({', '.join(sorted(self.points)) or 'none'}).",
                hint=f"Add to dynalens.yaml: collections: {{{self.collection}: {{search: {{geo: "
                f"{{{name:.100}: [path.of.latitude, path.of.longitude]}}}}}}}}",
            )
        return point_name(name)


def point_name(name: str) -> str:
    """Give the name of points, spelled as that of a path."""
    return path_name(name)


def admissible(found: Iterable[str], named: AbstractSet[str]) -> list[str]:
    """Choose from the names of paths that documents have those that get a place among the ones that are named."""
    wanted = sorted(name for name in set(found) - named if len(name) <= LONGEST_PATH)
    return wanted[: max(0, MOST_PATHS - len(named))]
