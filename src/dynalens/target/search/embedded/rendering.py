"""From clauses to Tantivy's queries."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import assert_never

from tantivy import Occur, Query

from dynalens.target.search.embedded import schema
from dynalens.target.search.embedded.points import points_in
from dynalens.target.search.embedded.view import View
from dynalens.target.search.language.clause import (
    ALL,
    AnyId,
    AnyToken,
    Best,
    Between,
    Clause,
    CloseWord,
    Constant,
    Every,
    Has,
    Joined,
    Live,
    Never,
    PointIn,
    Row,
    RowBeginning,
    Times,
    TokenBeginning,
    WordBeginning,
    WordIn,
)
from dynalens.target.search.language.limits import MOST_CANDIDATES, hold
from dynalens.target.search.language.matching import is_close

_Rows = Every | Never | Live
_Combined = Constant | Times | Best | Joined
_Words = WordIn | CloseWord | WordBeginning | Row | RowBeginning
_Values = AnyToken | TokenBeginning | Between | Has | PointIn | AnyId


@dataclass(slots=True)
class Renderer:
    """Renders the clauses of one answer over one view.

    Raises:
        QueryLimitError: More words than `MOST_CANDIDATES` begin as the clauses of one answer ask.
    """

    view: View
    _candidates: dict[CloseWord, Query] = field(default_factory=dict)
    _places: dict[PointIn, Query] = field(default_factory=dict)
    _listed: int = 0

    def render(self, clause: Clause) -> Query:
        """Give the engine's query."""
        match clause:
            case Every() | Never() | Live():
                return self._rows(clause)
            case Constant() | Times() | Best() | Joined():
                return self._combined(clause)
            case WordIn() | CloseWord() | WordBeginning() | Row() | RowBeginning():
                return self._words(clause)
            case AnyToken() | TokenBeginning() | Between() | Has() | PointIn() | AnyId():
                return self._values(clause)
        assert_never(clause)

    def _rows(self, clause: _Rows) -> Query:
        match clause:
            case Every():
                return Query.all_query()
            case Never():
                return Query.empty_query()
            case Live():
                return Query.term_query(self.view.schema, schema.LIVE, field_value=True)

    def _combined(self, clause: _Combined) -> Query:
        match clause:
            case Constant(inner, score):
                return Query.const_score_query(self.render(inner), score)
            case Times(inner, boost):
                return Query.boost_query(self.render(inner), boost)
            case Best(clauses, tie_breaker):
                return Query.disjunction_max_query(list(map(self.render, clauses)), tie_breaker)
            case Joined():
                return self._joined(clause)

    def _joined(self, joined: Joined) -> Query:
        parts = [
            *((Occur.Must, self.render(inner)) for inner in joined.must),
            *((Occur.Must, Query.const_score_query(self.render(inner), 0.0)) for inner in joined.having),
            *((Occur.MustNot, self.render(inner)) for inner in joined.lacking),
            *((Occur.Should, self.render(inner)) for inner in joined.may),
        ]
        return Query.boolean_query(parts, joined.minimum) if joined.minimum else Query.boolean_query(parts)

    def _words(self, clause: _Words) -> Query:
        where = schema.ALL if clause.name == ALL else f"{schema.TEXT}.{clause.name}"
        match clause:
            case WordIn(_, word):
                return Query.term_query(self.view.schema, where, word)
            case CloseWord(_, word, typos, transpositions, 0):
                return Query.fuzzy_term_query(self.view.schema, where, word, typos, transpositions)
            case CloseWord():
                return self._candidates.get(clause) or self._listing(clause, where)
            case WordBeginning(_, text):
                return self._beginning(where, text)
            case Row(_, words, slop):
                return Query.phrase_query(self.view.schema, where, list(words), slop)
            case RowBeginning(_, words):
                return Query.phrase_prefix_query(self.view.schema, where, list(words))

    def _listing(self, clause: CloseWord, where: str) -> Query:
        """Match the collection's words that have the same beginning and are close, one by one."""
        beginning = clause.word[: clause.prefix_length]
        known = self.view.searcher.terms_with_prefix(schema.ALL, beginning, limit=MOST_CANDIDATES + 1)
        self._listed += len(known)
        hold(self._listed, MOST_CANDIDATES, "words begin as prefix_length asks", "Write a larger prefix_length.")
        close = [word for word, _ in known if is_close(clause, word)]
        self._candidates[clause] = query = Query.term_set_query(self.view.schema, where, close)
        return query

    def _values(self, clause: _Values) -> Query:
        match clause:
            case AnyToken(name, tokens):
                return Query.term_set_query(self.view.schema, f"{schema.EXACT}.{name}", list(tokens))
            case TokenBeginning(name, text):
                return self._beginning(f"{schema.EXACT}.{name}", text)
            case Between():
                return self.view.index.parse_query(between_text(clause))
            case Has(name, below):
                return Query.exists_query(f"{schema.EXACT}.{name}", json_subpaths=below)
            case PointIn():
                return self._place(clause)
            case AnyId(ids):
                return Query.term_set_query(self.view.schema, schema.ID, list(ids))

    def _place(self, clause: PointIn) -> Query:
        """Look at the points on the edge of a shape once, however often the answer asks."""
        if clause not in self._places:
            self._places[clause] = points_in(self.view, clause.name, clause.shape)
        return self._places[clause]

    def _beginning(self, where: str, text: str) -> Query:
        return Query.fuzzy_term_query(self.view.schema, where, text, 0, prefix=True)


def between_text(clause: Between) -> str:
    """Write a range in the engine's query language."""
    opening, closing = "[" if clause.inclusive[0] else "{", "]" if clause.inclusive[1] else "}"
    return f"{schema.EXACT}.{clause.name}:{opening}{clause.lower or '*'} TO {clause.upper or '*'}{closing}"
