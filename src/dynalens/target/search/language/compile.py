"""From the nodes of a query to clauses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import assert_never

from dynalens.errors import RequestError
from dynalens.search import (
    ID,
    Anywhere,
    Bool,
    Boosted,
    Everything,
    Exists,
    Fuzzy,
    Ids,
    Match,
    MultiMatch,
    Nothing,
    Phrase,
    Prefix,
    Query,
    Range,
    Term,
    Terms,
    Value,
    Within,
)
from dynalens.search.minimum import required
from dynalens.target.search.language import matching
from dynalens.target.search.language.clause import ALL, Clause
from dynalens.target.search.language.clauses import (
    Clauses,
    Paths,
    all_of,
    any_of,
    boosted,
    constant,
    everything,
    nothing,
    raised,
    restricted,
)
from dynalens.target.search.language.encode import printable
from dynalens.target.search.language.exact import intervals, tokens_of
from dynalens.target.search.language.limits import DEEPEST, MOST_VALUES, hold
from dynalens.target.search.language.ranking import anywhere


def compiled(paths: Paths, query: Query) -> Clause:
    """Give the clause for the rows that a query asks for, tombstones not left out.

    Args:
        paths: The paths that can be asked by name.
        query: What is asked.

    Raises:
        RequestError: It asks for what cannot be done.
        QueryLimitError: It is too large.
    """
    return _Compiler(Clauses(paths)).compile(query)


def scores_are_equal(query: Query) -> bool:
    """Tell queries that give every match one score, so that an order by score says nothing."""
    match query:
        case Everything() | Nothing() | Term() | Terms() | Range() | Prefix() | Exists() | Ids() | Within():
            return True
        case Boosted(inner, _, constant=is_constant):
            return is_constant or scores_are_equal(inner)
        case Bool(must, should):
            return not should and all(map(scores_are_equal, must))
    return False


@dataclass(slots=True)
class _Compiler:
    clauses: Clauses
    depth: int = field(default=0)

    def compile(self, query: Query) -> Clause:
        self.depth += 1
        hold(self.depth, DEEPEST, "queries within one another", "Write a flatter query.")
        self.clauses.count()
        try:
            return self._compile(query)
        finally:
            self.depth -= 1

    def _compile(self, query: Query) -> Clause:
        match query:
            case Everything():
                return everything()
            case Nothing():
                return nothing()
            case Bool():
                return self._bool(query)
            case Boosted():
                return self._boosted(query)
            case Anywhere() | Match() | MultiMatch() | Phrase() | Fuzzy() | Prefix():
                return self._words(query)
            case Term() | Terms() | Range() | Exists() | Within() | Ids():
                return self._exact(query)
        assert_never(query)

    def _words(self, query: Anywhere | Match | MultiMatch | Phrase | Fuzzy | Prefix) -> Clause:
        match query:
            case Anywhere(text, fields):
                return anywhere(self.clauses, [self.clauses.name(path) for path in fields] or [ALL], text)
            case Match():
                return matching.match(self.clauses, query)
            case MultiMatch():
                return matching.multi_match(self.clauses, query)
            case Phrase():
                return matching.phrase(self.clauses, query)
            case Fuzzy():
                return matching.fuzzy(self.clauses, query)
            case Prefix():
                return matching.prefix(self.clauses, query)

    def _exact(self, query: Term | Terms | Range | Exists | Within | Ids) -> Clause:
        match query:
            case Term(path, value):
                return self._equal(path, (value,))
            case Terms(path, values):
                return self._equal(path, values)
            case Range():
                return self._between(query)
            case Exists(path):
                return self.clauses.exists(path)
            case Within(name, shape):
                return self.clauses.point_in(name, shape)
            case Ids(ids):
                hold(len(ids), MOST_VALUES, "ids in one list", "Ask for them in several requests.")
                return self.clauses.ids([printable(id_) for id_ in ids])

    def _equal(self, path: str, values: Sequence[Value]) -> Clause:
        hold(len(values), MOST_VALUES, "values in one list", "Ask for them in several requests.")
        if path == ID:
            return self.clauses.ids([printable(str(value)) for value in values])
        tokens = [token for value in values for token in tokens_of(value)]
        return self.clauses.tokens(self.clauses.name(path), tokens)

    def _between(self, query: Range) -> Clause:
        name = self.clauses.name(query.field)
        if all(bound is None for bound in (query.gt, query.gte, query.lt, query.lte)):
            return self.clauses.has(name)
        found = [
            self.clauses.between(name, lower, upper, inclusive=inclusive)
            for lower, upper, inclusive in intervals(query)
        ]
        return constant(any_of(found), 1.0)

    def _boosted(self, query: Boosted) -> Clause:
        if not (math.isfinite(query.boost) and query.boost >= 0):
            raise RequestError(f"A boost of {query.boost}.", hint="Write a boost of 0 or more.")
        inner = self.compile(query.query)
        return constant(inner, query.boost) if query.constant else boosted(inner, query.boost)

    def _bool(self, query: Bool) -> Clause:
        must = [self.compile(inner) for inner in query.must]
        should = [self.compile(inner) for inner in query.should]
        having = [self.compile(inner) for inner in query.filter]
        lacking = [self.compile(inner) for inner in query.must_not]
        minimum = _minimum(query)
        if minimum > len(should):
            return nothing()
        if minimum:
            must.append(any_of(should, minimum))
            should = []
        return restricted(raised(_core(query, must), should), having, lacking)


def _core(query: Bool, must: Sequence[Clause]) -> Clause:
    """Give what scores; where nothing does, everything: at 1 if nothing else is said, else at 0."""
    if must:
        return all_of(must)
    said = query.should or query.filter or query.must_not
    return constant(everything(), 0.0 if said else 1.0)


def _minimum(query: Bool) -> int:
    if query.minimum is None:
        return int(bool(query.should) and not query.must and not query.filter)
    return required(query.minimum, len(query.should))
