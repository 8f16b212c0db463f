"""Fragments: the parts of marked texts that show most, with tags around the marks."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from dynalens.search import Highlight
from dynalens.target.search.language.words import is_unspaced


class Mark(NamedTuple):
    """A marked part of a text, from `start` to before `end`, and the number of the rule that it fits."""

    start: int
    end: int
    rule: int


class _Span(NamedTuple):
    """A part within one pair of tags, and the rules that it fits."""

    start: int
    end: int
    rules: frozenset[int]


@dataclass(frozen=True, slots=True)
class Marked:
    """A text and its marks, in any order."""

    text: str
    marks: Sequence[Mark]


class _Fragment(NamedTuple):
    text: str
    start: int
    end: int
    spans: Sequence[_Span]

    @property
    def worth(self) -> tuple[int, int]:
        """How many rules it fits, and how often."""
        return len(frozenset[int]().union(*(span.rules for span in self.spans))), len(self.spans)


def fragments_of(texts: Iterable[Marked], options: Highlight) -> list[str]:
    """Give the fragments that fit most rules first, at most `options.fragments`; or the whole texts."""
    found = [fragment for marked in texts for fragment in _fragments(marked, options)]
    if options.fragments:
        found = sorted(found, key=lambda fragment: fragment.worth, reverse=True)[: options.fragments]
    return [_tagged(fragment, options) for fragment in found]


def _fragments(marked: Marked, options: Highlight) -> Iterator[_Fragment]:
    text, spans, size = marked.text, _merged(marked.marks), max(1, options.fragment_characters)
    if not options.fragments or len(text) <= size:
        yield _Fragment(text, 0, len(text), spans)
        return
    groups = _grouped(spans, size)
    previous = 0
    for index, group in enumerate(groups):
        following = groups[index + 1][0].start if index + 1 < len(groups) else len(text)
        start, end = _window(text, group, size, (previous, following))
        yield _Fragment(text, start, end, group)
        previous = end


def _merged(marks: Iterable[Mark]) -> list[_Span]:
    """Join marks that touch: the characters of one word, in a script without spaces."""
    spans: list[_Span] = []
    for start, end, rule in sorted(marks):
        if spans and start <= spans[-1].end:
            last = spans.pop()
            spans.append(_Span(last.start, max(last.end, end), last.rules | {rule}))
        else:
            spans.append(_Span(start, end, frozenset({rule})))
    return spans


def _grouped(spans: Sequence[_Span], size: int) -> list[list[_Span]]:
    groups: list[list[_Span]] = []
    for span in spans:
        if groups and span.end - groups[-1][0].start <= size:
            groups[-1].append(span)
        else:
            groups.append([span])
    return groups


def _window(text: str, group: Sequence[_Span], size: int, limits: tuple[int, int]) -> tuple[int, int]:
    """Give about `size` characters around a group, cut between words, within the limits."""
    first, last = group[0].start, group[-1].end
    spare = max(0, size - (last - first))
    start = max(limits[0], min(first - spare // 2, limits[1] - size))
    end = min(limits[1], max(last, start + size))
    start = next((at for at in range(min(start, first), first) if _can_begin(text, at)), first)
    end = next((at for at in range(end, last, -1) if _can_end(text, at)), last)
    return start, end


def _can_begin(text: str, at: int) -> bool:
    return not text[at].isspace() and _is_between_words(text, at)


def _can_end(text: str, at: int) -> bool:
    return not text[at - 1].isspace() and _is_between_words(text, at)


def _is_between_words(text: str, at: int) -> bool:
    if at in {0, len(text)}:
        return True
    before, behind = text[at - 1], text[at]
    if unicodedata.category(behind).startswith("M"):
        return False
    return not (before.isalnum() and behind.isalnum()) or is_unspaced(behind)


def _tagged(fragment: _Fragment, options: Highlight) -> str:
    parts = []
    place = fragment.start
    for start, end, _ in fragment.spans:
        parts += [_shown(fragment.text[place:start], options), options.before]
        parts += [_shown(fragment.text[start:end], options), options.after]
        place = end
    return "".join([*parts, _shown(fragment.text[place : fragment.end], options)])


def _shown(text: str, options: Highlight) -> str:
    return html.escape(text) if options.escape else text
