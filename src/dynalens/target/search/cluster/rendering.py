"""From clauses to the Query DSL of OpenSearch and Elasticsearch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, assert_never

from dynalens.search import ID as ID_NAME
from dynalens.target.search.cluster import schema
from dynalens.target.search.cluster.view import not_on_a_cluster
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
from dynalens.target.search.language.tokens import DATE_STRING, STRING, read_spelled

Body: TypeAlias = Mapping[str, Any]
"""A query as JSON."""

_Rows = Every | Never | Live
_Combined = Constant | Times | Best | Joined
_Words = WordIn | CloseWord | WordBeginning | Row | RowBeginning
_Tokens = AnyToken | TokenBeginning | Between | Has

_BM25 = 2.2
"""What Lucene leaves out of BM25: k1 + 1. With it, scores of words are to constant ones as in the embedded engine."""
_GOES_ON = 50
"""Ways in which the last word of a row may go on."""


def render(clause: Clause) -> Body:
    """Give the query of a clause."""
    match clause:
        case Every() | Never() | Live():
            return _rows(clause)
        case Constant() | Times() | Best() | Joined():
            return _combined(clause)
        case WordIn() | CloseWord() | WordBeginning() | Row() | RowBeginning():
            return _words(clause)
        case AnyId(ids):
            return _any_of(schema.ID, ids)
        case PointIn():
            raise not_on_a_cluster("Searches by place")
        case AnyToken() | TokenBeginning() | Between() | Has():
            return _ids(clause) if clause.name == ID_NAME else _values(clause)
    assert_never(clause)


def _rows(clause: _Rows) -> Body:
    match clause:
        case Every():
            return {"match_all": {}}
        case Never():
            return {"match_none": {}}
        case Live():
            return {"term": {schema.LIVE: {"value": True}}}


def _combined(clause: _Combined) -> Body:
    match clause:
        case Constant(inner, score):
            return _constant(render(inner), score)
        case Times(inner, boost):
            return {"bool": {"must": [render(inner)], "boost": boost}}
        case Best(clauses, tie_breaker):
            return {"dis_max": {"queries": [*map(render, clauses)], "tie_breaker": tie_breaker}}
        case Joined(must, may, minimum, having, lacking):
            parts = {"must": must, "should": may, "filter": having, "must_not": lacking}
            rendered = {name: [*map(render, inner)] for name, inner in parts.items() if inner}
            return {"bool": {**rendered, "minimum_should_match": minimum}}


def _words(clause: _Words) -> Body:
    where = schema.ALL if clause.name == ALL else schema.field(schema.TEXT, clause.name)
    match clause:
        case WordIn(_, word):
            return {"term": {where: {"value": word, "boost": _BM25}}}
        case CloseWord(_, word, typos, transpositions, prefix_length):
            options = {"fuzziness": typos, "transpositions": transpositions, "prefix_length": prefix_length}
            # Rewritten so, no word that is close is left out, however many there are.
            return {"fuzzy": {where: {"value": word, **options, "rewrite": "constant_score"}}}
        case WordBeginning(_, text):
            return {"prefix": {where: {"value": text}}}
        case Row(_, words, slop):
            return {"match_phrase": {where: {"query": " ".join(words), "slop": slop, "boost": _BM25}}}
        case RowBeginning(_, words):
            row = {"query": " ".join(words), "max_expansions": _GOES_ON}
            return _constant({"match_phrase_prefix": {where: row}}, 1.0)


def _values(clause: _Tokens) -> Body:
    """Ask for tokens, which stand in two fields: the texts of dates in one, all others in the other."""
    exact, dates = schema.field(schema.EXACT, clause.name), schema.field(schema.DATES, clause.name)
    match clause:
        case AnyToken(_, tokens):
            texts = [token for token in tokens if token[0] == DATE_STRING]
            others = [token for token in tokens if token[0] != DATE_STRING]
            return _either([_any_of(where, found) for where, found in ((exact, others), (dates, texts)) if found])
        case TokenBeginning(_, text):
            return {"prefix": {dates if text[0] == DATE_STRING else exact: {"value": text}}}
        case Between(_, lower, upper, _):
            # The texts of dates come last in the order of tokens.
            fields = [exact] if lower is None or lower < DATE_STRING else []
            fields += [dates] if upper is None or upper > DATE_STRING else []
            return _either([_range(where, lower, upper, clause.inclusive) for where in fields])
        case Has(_, below):
            # Of a date the point in time stands among the others.
            return _either([_exists(exact), _exists(f"{exact}/*")]) if below else _exists(exact)


def _ids(clause: _Tokens) -> Body:
    """Ask for ids, which stand as they are where other values have tokens: as that of a text without its kind."""
    match clause:
        case AnyToken(_, tokens):
            return _any_of(schema.ID, [id_ for token in tokens if (id_ := _id_of(token)) is not None])
        case TokenBeginning(_, text):
            if text[0] != STRING:
                return {"match_none": {}}
            return {"prefix": {schema.ID: {"value": read_spelled(text[1:])}}}
        case Between(_, lower, upper, inclusive):
            return _range(schema.ID, _id_of(lower), _id_of(upper), inclusive)
        case Has():
            return _exists(schema.ID)


def _id_of(token: str | None) -> str | None:
    """Give the id that a token stands for; None for no text, such as the end of all texts, which is a bound."""
    return read_spelled(token[1:]) if token and token[0] == STRING else None


def _constant(query: Body, score: float) -> Body:
    return {"constant_score": {"filter": query, "boost": score}}


def _either(queries: Sequence[Body]) -> Body:
    """Ask what either asks, at a score of 1; without a single one, for nothing: an empty `bool` matches everything."""
    match queries:
        case []:
            return {"match_none": {}}
        case [query]:
            return query
    return _constant({"bool": {"should": queries, "minimum_should_match": 1}}, 1.0)


def _any_of(where: str, values: Iterable[str]) -> Body:
    return {"terms": {where: [*values]}}


def _range(where: str, lower: str | None, upper: str | None, inclusive: tuple[bool, bool]) -> Body:
    bounds = {
        "gte" if inclusive[0] else "gt": lower,
        "lte" if inclusive[1] else "lt": upper,
    }
    return {"range": {where: {name: bound for name, bound in bounds.items() if bound is not None}}}


def _exists(where: str) -> Body:
    return {"exists": {"field": where}}
