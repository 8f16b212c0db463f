"""Any order by any paths, without a field made for it: tokens are walked in order, and documents read as needed.

Groups of equal documents are never read whole: they are walked by the next key, and at last by id.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate, groupby, pairwise
from typing import NamedTuple

from dynalens.search import SCORE, SortKey
from dynalens.target.search.embedded.engine import Counted, Engine, Scored, Stored
from dynalens.target.search.language.clause import Clause
from dynalens.target.search.language.clauses import Clauses, restricted
from dynalens.target.search.language.limits import MOST_HITS
from dynalens.target.search.language.order import own_token
from dynalens.target.search.language.tokens import DATE_STRING

_MOST_TOKENS = 10_000
"""Tokens of one step; the engine gives at most 65,000."""


@dataclass(frozen=True, slots=True)
class Found:
    """A match, read."""

    score: float
    stored: Stored


class _Group(NamedTuple):
    """Documents that sort as one of these neighbouring tokens, and where they begin in the order."""

    tokens: Sequence[str]
    begin: int
    size: int


@dataclass(frozen=True, slots=True)
class Sorter:
    """Pages of matches in an order."""

    engine: Engine
    clauses: Clauses

    def page(self, query: Clause, keys: Sequence[SortKey], skip: int, take: int) -> list[Found]:
        """Give the matches from `skip` on, at most `take`.

        Args:
            query: What matches.
            keys: A complete order (`complete`).
            skip: Matches to leave out.
            take: Most matches to give.
        """
        if take <= 0:
            return []
        if keys[0].field == SCORE:
            return self._by_score(query, keys[1:], skip, take)
        return self._by_field(query, keys, skip, take)

    # By a field: first the documents that have it, in the order of their tokens, then the others, or the other way.

    def _by_field(self, query: Clause, keys: Sequence[SortKey], skip: int, take: int) -> list[Found]:
        has = self.clauses.has(self.clauses.name(keys[0].field))
        with_value, without = restricted(query, having=[has]), restricted(query, lacking=[has])
        if keys[0].missing_first:
            first = self.page(without, keys[1:], skip, take) if len(keys) > 1 else []
            missing = self.engine.count(without) if len(first) < take else 0
            return first + self._by_tokens(with_value, keys, max(0, skip - missing), take - len(first))
        first = self._by_tokens(with_value, keys, skip, take)
        if len(first) == take or len(keys) == 1:
            return first
        present = self.engine.count(with_value)
        return first + self.page(without, keys[1:], max(0, skip - present), take - len(first))

    def _by_tokens(self, query: Clause, keys: Sequence[SortKey], skip: int, take: int) -> list[Found]:
        found: list[Found] = []
        wanted = range(skip, skip + take)
        for batch, rest in self._batches(query, keys[0], wanted):
            overlapping = [group for group in batch if group.begin < wanted.stop and group.begin + group.size > skip]
            for whole, groups in groupby(overlapping, lambda group: _lies_in(group, wanted)):
                if whole:
                    found += self._whole(rest, keys, list(groups))
                else:
                    found += [hit for group in groups for hit in self._part(rest, keys, group, wanted)]
        return found

    def _batches(self, query: Clause, key: SortKey, wanted: range) -> Iterator[tuple[list[_Group], Clause]]:
        """Give groups in order, up to the end, with the query that their documents are left in.

        What a batch covers is left out of the next one: so each document counts once, at its first token.
        """
        name = self.clauses.name(key.field)
        rest, begin = query, 0
        while begin < wanted.stop:
            size = min(wanted.stop - begin, _MOST_TOKENS)
            tokens = self.engine.first_tokens(rest, name, size, descending=key.descending)
            if not tokens:
                return
            groups = _groups([token for token, _ in tokens], begin, self._counter(rest, key, tokens, begin), wanted)
            yield groups, rest
            begin = groups[-1].begin + groups[-1].size
            rest = restricted(query, lacking=[self._up_to(key, tokens[-1].token)])

    def _counter(self, query: Clause, key: SortKey, tokens: Sequence[Counted], begin: int) -> Callable[[int], int]:
        """Give what counts the documents up to a token, by its place. Each counts once, at the first of its tokens."""

        def counted(place: int) -> int:
            return begin + self.engine.count(restricted(query, having=[self._up_to(key, tokens[place].token)]))

        sums = list(accumulate((count for _, count in tokens), initial=begin))[1:]
        return sums.__getitem__ if counted(len(tokens) - 1) == sums[-1] else lru_cache(counted)

    def _whole(self, query: Clause, keys: Sequence[SortKey], groups: Sequence[_Group]) -> list[Found]:
        """Read groups that are wanted whole, and sort them here."""
        name = self.clauses.name(keys[0].field)
        tokens = self.clauses.tokens(name, [token for group in groups for token in group.tokens])
        before = self._before(keys[0], groups[0].tokens[0])
        best = self.engine.best(restricted(query, [tokens], [before]), sum(group.size for group in groups))
        return in_order(self._read(best.found), keys)

    def _part(self, query: Clause, keys: Sequence[SortKey], group: _Group, wanted: range) -> list[Found]:
        skip = max(0, wanted.start - group.begin)
        take = min(group.size, wanted.stop - group.begin) - skip
        return self.page(self.equal(query, keys[0], group.tokens[0]), keys[1:], skip, take)

    # Places in an order, as queries. `_before` and `_up_to` say it of any value, so of the one that counts.

    def equal(self, query: Clause, key: SortKey, token: str) -> Clause:
        """Narrow a query to documents that sort as this token."""
        name = self.clauses.name(key.field)
        return restricted(query, [self.clauses.tokens(name, [token])], [self._before(key, token)])

    def behind(self, query: Clause, key: SortKey, token: str | None) -> Clause | None:
        """Narrow a query to documents that sort behind a token, or (None) behind those without a value."""
        has = self.clauses.has(self.clauses.name(key.field))
        if token is None:
            return restricted(query, having=[has]) if key.missing_first else None
        passed = [self._up_to(key, token)]
        return restricted(query, having=[has], lacking=passed) if key.missing_first else restricted(query, (), passed)

    def without(self, query: Clause, key: SortKey) -> Clause:
        """Narrow a query to documents that do not have the field."""
        return restricted(query, lacking=[self.clauses.has(self.clauses.name(key.field))])

    def _before(self, key: SortKey, token: str) -> Clause:
        return self._side(key, token, included=False)

    def _up_to(self, key: SortKey, token: str) -> Clause:
        return self._side(key, token, included=True)

    def _side(self, key: SortKey, token: str, *, included: bool) -> Clause:
        name = self.clauses.name(key.field)
        if key.descending:
            return self.clauses.between(name, token, DATE_STRING, inclusive=(included, False))
        return self.clauses.between(name, None, token, inclusive=(True, included))

    # By score: the engine's own order. Equal scores at the ends of the page are read to be put in order.

    def _by_score(self, query: Clause, keys: Sequence[SortKey], skip: int, take: int) -> list[Found]:
        """Order by score, and equal scores by the other keys, as far as `MOST_HITS` documents beyond the page."""
        end = skip + take
        limit = end + 1
        best = self.engine.best(query, limit)
        while _ends_within_equals(best.found, end) and len(best.found) == limit < end + MOST_HITS:
            limit = min(2 * limit, end + MOST_HITS)
            best = self.engine.best(query, limit)
        return self._equals_in_order(best.found, keys, skip, end)

    def _equals_in_order(self, scored: Sequence[Scored], keys: Sequence[SortKey], skip: int, end: int) -> list[Found]:
        found: list[Found] = []
        begin = 0
        for _, equals in groupby(scored, lambda match: match.score):
            group = list(equals)
            if begin < end and begin + len(group) > skip:
                ordered = in_order(self._read(group), keys)
                found += ordered[max(0, skip - begin) : end - begin]
            begin += len(group)
        return found

    def _read(self, scored: Sequence[Scored]) -> list[Found]:
        return [Found(score, self.engine.stored(address)) for score, address in scored]


def _groups(tokens: Sequence[str], begin: int, up_to: Callable[[int], int], wanted: range) -> list[_Group]:
    """Cut neighbouring tokens around those that the wanted places begin and end within; the latter stand alone.

    Found by halving: counting each of the tokens, of which there may be thousands, would take seconds.
    """
    places = range(len(tokens))
    first, last = bisect_right(places, wanted.start, key=up_to), bisect_left(places, wanted.stop, key=up_to)
    cuts = sorted({0, first, first + 1, last, last + 1, len(tokens)} & {*places, len(tokens)})
    ends = [begin, *(up_to(cut - 1) for cut in cuts[1:])]
    return [
        _Group(tokens[cut:next_cut], end, next_end - end)
        for (cut, end), (next_cut, next_end) in pairwise(zip(cuts, ends, strict=True))
    ]


def _lies_in(group: _Group, wanted: range) -> bool:
    return group.begin >= wanted.start and group.begin + group.size <= wanted.stop


def _ends_within_equals(scored: Sequence[Scored], end: int) -> bool:
    """Tell whether the last match read has the score of the last one wanted."""
    return len(scored) > end and scored[-1].score == scored[end - 1].score


def in_order(found: Sequence[Found], keys: Sequence[SortKey]) -> list[Found]:
    """Sort documents that were read by a complete order."""
    ordered = list(found)
    for key in reversed(keys):
        ordered = _sorted_by(ordered, key)
    return ordered


def _sorted_by(found: Sequence[Found], key: SortKey) -> list[Found]:
    if key.field == SCORE:
        return sorted(found, key=lambda one: -one.score)
    tokens = [(own_token(one.stored.id, one.stored.document, key), one) for one in found]
    present = sorted(
        (pair for pair in tokens if pair[0] is not None), key=lambda pair: pair[0] or "", reverse=key.descending
    )
    missing = [one for token, one in tokens if token is None]
    having = [one for _, one in present]
    return missing + having if key.missing_first else having + missing
