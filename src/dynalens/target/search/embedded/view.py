"""What a search looks at: one generation as it was at one commit."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from tantivy import Index, Query, Schema, Searcher

from dynalens.target.search.embedded import schema
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
    """

    collection: str
    index: Index
    searcher: Searcher
    paths: AbstractSet[str]

    @property
    def schema(self) -> Schema:
        """The index's fields."""
        return self.index.schema

    def name_of(self, path: str) -> str:
        """Give the name that a path is indexed under (`NamedPaths.name_of`)."""
        return NamedPaths(self.collection, self.paths).name_of(path)


def live(view: View, clause: Clause) -> Clause:
    """Narrow a clause to documents: without tombstones in the view, every row is one."""
    return restricted(clause, [Live()]) if view.searcher.doc_freq(schema.LIVE, field_value=False) else clause


def total(searcher: Searcher, query: Query) -> int:
    """Count the rows that match."""
    # The package's types leave the count of a result out.
    result: Any = searcher.search(query, 1)
    return int(result.count)
