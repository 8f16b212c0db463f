"""Queries of words: match, match_phrase, match_phrase_prefix, multi_match and query_string."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Literal, TypeAlias

from dynalens.errors import RequestError
from dynalens.search.dsl.clause import (
    EXACT,
    Clause,
    boosted,
    read_clause,
    read_minimum,
    read_options,
    read_typos,
    refuse,
    require,
)
from dynalens.search.dsl.limits import BOOST, FIELDS
from dynalens.search.dsl.reading import Part, shown
from dynalens.search.dsl.values import prefix, term
from dynalens.search.request import Anywhere, Everything, Match, MultiMatch, Phrase, Query

Kind: TypeAlias = Literal["best", "most", "cross", "phrase", "phrase_prefix", "bool_prefix"]

_OPERATORS: Mapping[str, Literal["or", "and"]] = {"or": "or", "and": "and"}
_KINDS: Mapping[str, Kind] = {
    "best_fields": "best",
    "most_fields": "most",
    "cross_fields": "cross",
    "phrase": "phrase",
    "phrase_prefix": "phrase_prefix",
    "bool_prefix": "bool_prefix",
}
_HARMLESS = ("lenient", "zero_terms_query", "auto_generate_synonyms_phrase_query")
"""Options about errors of types, words that do not count, and synonyms: there are none of these here."""


def read_match(part: Part) -> Query:
    """Read `{"match": {"a": "words"}}` and `{"match": {"a": {"query": "words", "operator": "and"}}}`."""
    known = ("operator", "minimum_should_match", "fuzziness", "prefix_length", "fuzzy_transpositions", *_HARMLESS)
    clause = read_clause(part, "query", *known)
    _require_harmless(clause.options)
    if clause.exact:
        return _whole_value(clause)
    operator, minimum = _operator(clause.options)
    typos = read_typos(clause.options, 0)
    return clause.boosted(Match(clause.field, clause.main.scalar(), operator, minimum, typos))


def _operator(options: Mapping[str, Part]) -> tuple[Literal["or", "and"], int | str | None]:
    operator = options["operator"].choice(_OPERATORS) if "operator" in options else "or"
    if operator == "and":
        refuse(options, ["minimum_should_match"], "Leave it out: with the operator and, all words must match.")
    return operator, read_minimum(options)


def _require_harmless(options: Mapping[str, Part]) -> None:
    require(
        options,
        lenient=(True, False),
        auto_generate_synonyms_phrase_query=(True, False),
        zero_terms_query=("none", "NONE"),
        fuzzy_transpositions=(True,),
        prefix_length=(0,),
        analyze_wildcard=(True, False),
        allow_leading_wildcard=(True, False),
    )


def _whole_value(clause: Clause) -> Query:
    refuse(clause.options, ["fuzziness"], "Write the field without .keyword: typos are tolerated in words.")
    return clause.boosted(term(clause))


def read_match_phrase(part: Part) -> Query:
    """Read `{"match_phrase": {"a": "these words"}}`; a number, true or false is a phrase of one value."""
    clause = read_clause(part, "query", "slop", "zero_terms_query")
    _require_harmless(clause.options)
    if clause.exact or not isinstance(clause.main.value, str):
        return _whole_value(clause)
    return clause.boosted(Phrase(clause.field, clause.main.text(), _slop(clause.options)))


def read_match_phrase_prefix(part: Part) -> Query:
    """Read `{"match_phrase_prefix": {"a": "these wor"}}`."""
    clause = read_clause(part, "query", "slop", "zero_terms_query")
    _require_harmless(clause.options)
    if clause.exact:
        return clause.boosted(prefix(clause))
    return clause.boosted(Phrase(clause.field, clause.main.text(), _slop(clause.options), prefix=True))


def _slop(options: Mapping[str, Part]) -> int:
    return options["slop"].whole(0, BOOST) if "slop" in options else 0


def read_multi_match(part: Part) -> Query:
    """Read `{"multi_match": {"query": "words", "fields": ["title^2", "text"], "type": "best_fields"}}`."""
    known = ("query", "fields", "type", "operator", "minimum_should_match", "fuzziness", "tie_breaker", "slop")
    options = read_options(part, *known, "prefix_length", "fuzzy_transpositions", "boost", *_HARMLESS)
    _require_harmless(options)
    require(options, slop=(0,))
    kind = options["type"].choice(_KINDS) if "type" in options else "best"
    _refuse_for_kind(options, kind)
    operator, minimum = _operator(options)
    tie_breaker = options["tie_breaker"].number(0, 1) if "tie_breaker" in options else 0.0
    fields, text, typos = _fields(options.get("fields")), _query_text(part, options), read_typos(options, 0)
    return boosted(MultiMatch(text, fields, kind, operator, minimum, typos, tie_breaker), options)


def _refuse_for_kind(options: Mapping[str, Part], kind: Kind) -> None:
    if kind in ("cross", "phrase", "phrase_prefix"):
        refuse(options, ["fuzziness"], "Write the type best_fields or most_fields: the others take words as they are.")
    if kind in ("phrase", "phrase_prefix"):
        refuse(options, ["minimum_should_match"], "Leave it out: all words of a phrase must match.")
    if kind in ("most", "cross", "bool_prefix"):
        refuse(options, ["tie_breaker"], "Write the type best_fields, phrase or phrase_prefix with it.")


def _query_text(part: Part, options: Mapping[str, Part]) -> str:
    if "query" not in options:
        raise part.wrong("lacks query.", 'Write {"query": "red shoes"}.')
    value = options["query"].scalar()
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:f}" if isinstance(value, Decimal) else str(value)


def _fields(part: Part | None) -> tuple[tuple[str, float], ...]:
    """Read fields with their boosts; nothing stands for all fields, as `*` does."""
    entries = part.one_or_more() if part else []
    if part and len(entries) > FIELDS:
        raise part.beyond("fields", FIELDS, 'Write "*" for all fields.')
    if [entry.value for entry in entries] == ["*"]:
        return ()
    return tuple(map(_field, entries))


def _field(part: Part) -> tuple[str, float]:
    path, caret, boost = part.field().rpartition("^")
    if not caret or not re.fullmatch(r"\d{1,9}(\.\d{1,9})?", boost, re.ASCII):
        path, boost = part.field(), "1"
    field = Part(part.path, path).field()
    if "*" in field:
        raise part.wrong("is a pattern.", 'Write the fields one by one, or ["*"] alone for all fields.')
    if field.endswith(EXACT):
        raise part.wrong("asks for words in whole values.", "Write the field without .keyword, or a term query.")
    return field, Part(part.path, Decimal(boost)).number(0, BOOST)


def read_query_string(part: Part) -> Query:
    """Read `{"query_string": {"query": "plain words", "fields": ["a"]}}`: what a search box asks, phrases in quotes.

    Typos are tolerated, as everywhere where people type. Lucene's operators are refused, other than `*` and `*:*`,
    which stand for everything.
    """
    known = ("query", "fields", "default_field", "default_operator", "boost", *_HARMLESS)
    options = read_options(part, *known, "analyze_wildcard", "allow_leading_wildcard", "fuzzy_transpositions")
    _require_harmless(options)
    require(options, default_operator=("or", "OR"))
    text = _query_text(part, options)
    if text.strip() in ("*", "*:*"):
        return boosted(Everything(), options)
    _refuse_operators(options["query"], text)
    return boosted(Anywhere(text, _unboosted_fields(options)), options)


def _unboosted_fields(options: Mapping[str, Part]) -> tuple[str, ...]:
    if "fields" in options:
        refuse(options, ["default_field"], "Write fields alone.")
    place = options.get("fields") or options.get("default_field")
    fields = _fields(place)
    if place and any(boost != 1 for _, boost in fields):
        raise place.wrong("gives fields different weights.", "Write a multi_match query with these fields.")
    return tuple(field for field, _ in fields)


_LUCENE: Sequence[tuple[str, str]] = (
    (r"(?<!\S)(?:AND|OR|NOT)(?!\S)|&&|\|", "AND, OR and NOT"),
    (r":", "field:value"),
    (r"[*?]", "wildcards"),
    (r"~", "~ for typos and nearness"),
    (r"\^", "^ for boosts"),
    (r"[()]", "parentheses"),
    (r"[\[\]{}<>]", "ranges"),
    (r"(?<!\S)[-+!]", "+, - and ! before words"),
    (r"(?<!\S)/", "regular expressions"),
    (r"\\", "\\ for escapes"),
)
"""Operators of "Query string syntax" (Elasticsearch reference), as people write them."""


def _refuse_operators(part: Part, text: str) -> None:
    outside = re.sub(r'"[^"]*"', " ", text)
    if '"' in outside:
        raise part.wrong(f"opens a quote that it does not close: {shown(text)!r}.", "Close the quote, or leave it out.")
    for pattern, name in _LUCENE:
        if re.search(pattern, outside):
            raise _operator_refused(part, name)


def _operator_refused(part: Part, name: str) -> RequestError:
    return part.wrong(
        f"uses an operator of Lucene's query syntax: {name}.",
        'Write plain words and "phrases in quotes"; for more, write a bool query in the body of a POST.',
    )
