"""What a search looks at: one generation as it was at one commit."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from tantivy import Index, Query, Schema, Searcher

from dynalens.errors import TargetError
from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.state import Layout
from dynalens.target.search.language.clause import Clause, Live
from dynalens.target.search.language.clauses import restricted
from dynalens.target.search.language.paths import NamedPaths


@dataclass(frozen=True, slots=True)
class View:
    """One generation at one commit; nothing in it changes.

    Attributes:
        collection: Its collection, for errors.
        index: The index, which reads ranges in the engine's query language.
        searcher: The documents at that commit.
        paths: Names (`tokens.path_name`) of the paths that are indexed by name.
        layout: What else is kept of each document.
    """

    collection: str
    index: Index
    searcher: Searcher
    paths: AbstractSet[str]
    layout: Layout

    @property
    def schema(self) -> Schema:
        """The index's fields."""
        return self.index.schema

    def name_of(self, path: str) -> str:
        """Give the name that a path is indexed under (`NamedPaths.name_of`)."""
        return self._named.name_of(path)

    def has_points(self, name: str) -> bool:
        """Tell whether the generation was built with points of this name."""
        return self._named.has_points(name)

    def point_name(self, name: str) -> str:
        """Give the name that points are indexed under (`NamedPaths.point_name`).

        Raises:
            TargetError: The generation was built before there were points.
        """
        self.require_columns()
        return self._named.point_name(name)

    def require_columns(self) -> None:
        """Raise `TargetError` where the generation was built before numbers, instants and points were kept."""
        if not self.layout.has_columns:
            raise TargetError(
                f"{self.collection} was built by an older version, which kept no numbers to compute with.",
                hint="It is being built anew: ask again when dynalens status shows that it is streaming.",
            )

    @property
    def _named(self) -> NamedPaths:
        return NamedPaths(self.collection, self.paths, self.layout.points.keys())


def live(view: View, clause: Clause) -> Clause:
    """Narrow a clause to documents: without tombstones in the view, every row is one."""
    return restricted(clause, [Live()]) if view.searcher.doc_freq(schema.LIVE, field_value=False) else clause


def total(searcher: Searcher, query: Query) -> int:
    """Count the rows that match."""
    # The package's types leave the count of a result out.
    result: Any = searcher.search(query, 1)
    return int(result.count)
