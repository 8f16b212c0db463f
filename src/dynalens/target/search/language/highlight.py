"""Where a hit matched: marks in the texts of its document, by the words that the query asked for.

Done here rather than by the engine, which marks neither typos nor the beginnings of words nor any path of JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from dynalens.change import NumberText
from dynalens.search import Highlight, Query
from dynalens.search.wildcard import expression
from dynalens.target.search.language.asked import Asked, Beginning, Row, Rule, Whole, Word, asked
from dynalens.target.search.language.fragments import Mark, Marked, fragments_of
from dynalens.target.search.language.leaves import Leaf, LeafValue, leaves
from dynalens.target.search.language.limits import hold
from dynalens.target.search.language.tokens import bool_token, number_token, text_tokens
from dynalens.target.search.language.words import Word as Located
from dynalens.target.search.language.words import located, normalized

MOST_CHARACTERS = 100_000
"""Of one document; texts behind them are not marked, so that hits of 400 KB stay quick."""

MOST_EFFORT = 2_000_000
"""Characters looked through and words compared for the highlights of one answer, which nothing else ends."""

_MOST_KNOWN = 10_000


def highlighter(query: Query, options: Highlight | None) -> Callable[[bytes], Mapping[str, Sequence[str]]]:
    """Give what marks one document, from its JSON: fragments by path, for paths with a match.

    All documents that it is given together may take `MOST_EFFORT`; then it raises `QueryLimitError`.
    """
    if options is None:
        return lambda _: {}
    return _Highlighter(options, list(dict.fromkeys(asked(query)))).mark


@dataclass(slots=True)
class _Effort:
    spent: int = 0

    def spend(self, amount: int) -> None:
        self.spent += amount
        hold(
            self.spent,
            MOST_EFFORT,
            "characters and words to look through for highlights",
            "Ask for fewer hits at once, for fewer words, or without highlights.",
        )


@dataclass(slots=True)
class _Highlighter:
    options: Highlight
    asked: Sequence[Asked]
    effort: _Effort = field(default_factory=_Effort)
    markers: dict[str, _Marker | None] = field(default_factory=dict)

    def mark(self, document: bytes) -> dict[str, Sequence[str]]:
        marked: dict[str, list[Marked]] = {}
        for leaf, marker in self._marked_leaves(document):
            found = marker.mark(leaf.value)
            if found.marks:
                marked.setdefault(leaf.path, []).append(found)
        return {path: fragments_of(texts, self.options) for path, texts in marked.items()}

    def _marked_leaves(self, document: bytes) -> Iterator[tuple[Leaf, _Marker]]:
        left = MOST_CHARACTERS
        for leaf in leaves(document, lambda _: True):
            marker = self._marker(leaf.path)
            if marker is None or left <= 0:
                continue
            yield leaf, marker
            left -= len(leaf.value) if isinstance(leaf.value, str) else 1

    def _marker(self, path: str) -> _Marker | None:
        """Give what marks values at a path; None where nothing does."""
        if path not in self.markers:
            self.effort.spend(len(self.options.fields))
            rules = [one.rule for one in self.asked if self._concerns(one, path)] if self._shows(path) else []
            self.markers[path] = _Marker(rules, self.effort) if rules else None
        return self.markers[path]

    def _concerns(self, one: Asked, path: str) -> bool:
        return not self.options.matched_only or not one.paths or path in one.paths

    def _shows(self, path: str) -> bool:
        return any(re.fullmatch(expression(wanted), path, re.DOTALL) for wanted in self.options.fields)


class _Marker:
    """Marks values by some rules. What is known of a word is kept: words come again."""

    def __init__(self, rules: Sequence[Rule], effort: _Effort) -> None:
        self._words = [(number, rule) for number, rule in enumerate(rules) if isinstance(rule, Word)]
        self._rows = [(number, rule) for number, rule in enumerate(rules) if isinstance(rule, Row) and rule.words]
        self._wholes = [(number, rule) for number, rule in enumerate(rules) if isinstance(rule, Whole)]
        self._beginnings = [(number, rule) for number, rule in enumerate(rules) if isinstance(rule, Beginning)]
        self._known: dict[str, frozenset[int]] = {}
        self._effort = effort

    def mark(self, value: LeafValue) -> Marked:
        self._effort.spend(len(self._wholes) + len(self._beginnings))
        if isinstance(value, bool):
            return Marked(str(value).lower(), self._of_whole(bool_token(value), len(str(value))))
        text = normalized(value[:MOST_CHARACTERS])
        self._effort.spend(len(text))
        token = number_token(value) if isinstance(value, NumberText) else text_tokens(value)[0]
        found = list(located(text)) if self._words or self._rows else []
        marks = [*self._of_whole(token, len(text)), *self._of_words(found), *self._of_rows(found)]
        return Marked(text, marks or self._of_beginning(text))

    def _of_whole(self, token: str, end: int) -> list[Mark]:
        return [Mark(0, end, number) for number, rule in self._wholes if token in rule.tokens]

    def _of_beginning(self, text: str) -> list[Mark]:
        return [
            Mark(0, len(normalized(rule.text)), number)
            for number, rule in self._beginnings
            if rule.text and text.startswith(normalized(rule.text))
        ]

    def _of_words(self, found: Iterable[Located]) -> Iterator[Mark]:
        for word, start, end in found:
            for number in self._rules_of(word):
                yield Mark(start, end, number)

    def _rules_of(self, word: str) -> frozenset[int]:
        if word not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._effort.spend(len(self._words))
            fitting = (number for number, rule in self._words if word == rule.text or (rule.fits and rule.fits(word)))
            self._known[word] = frozenset(fitting)
        return self._known[word]

    def _of_rows(self, found: Sequence[Located]) -> Iterator[Mark]:
        if not self._rows:
            return
        places: dict[str, list[int]] = {}
        for place, word in enumerate(found):
            places.setdefault(word.text, []).append(place)
        for number, row in self._rows:
            beginnings = _beginnings(places, row)
            self._effort.spend(len(beginnings) * (len(row.words) + min(row.slop, len(found))))
            for index in beginnings:
                for place in _row_at(found, index, row):
                    yield Mark(found[place].start, found[place].end, number)


def _beginnings(places: Mapping[str, Sequence[int]], row: Row) -> Sequence[int]:
    """Give the places where a row may begin."""
    first = row.words[0]
    if not row.goes_on or len(row.words) > 1:
        return places.get(first, ())
    return [place for word, found in places.items() if word.startswith(first) for place in found]


def _row_at(found: Sequence[Located], index: int, row: Row) -> list[int]:
    """Give where the words of a row stand from a place on; nothing unless all of them do."""
    places: list[int] = []
    left = row.slop
    for position, wanted in enumerate(row.words):
        goes_on = row.goes_on and position == len(row.words) - 1
        window = range(index, min(index + left + 1, len(found)))
        place = next((at for at in window if _fits(found[at].text, wanted, goes_on=goes_on)), None)
        if place is None:
            return []
        left -= place - index
        places.append(place)
        index = place + 1
    return places


def _fits(word: str, wanted: str, *, goes_on: bool) -> bool:
    return word.startswith(wanted) if goes_on else word == wanted
