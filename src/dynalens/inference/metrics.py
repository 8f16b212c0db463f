"""Metrics: which attributes are groups, which are amounts, and which one says when."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from dynalens.inference.attributes import ALMOST_ALL, MOSTLY, Attribute, count_of
from dynalens.inference.description import Buckets, Metric, Sum
from dynalens.inference.moments import MOST_DAYS, buckets_for
from dynalens.inference.names import LONGEST, Names, snake
from dynalens.inference.vocabulary import (
    AMOUNTS,
    FIRST_MOMENTS,
    LATER_MOMENTS,
    MONEY,
    NO_AMOUNTS,
    NO_GROUPS,
    NO_MOMENTS,
)

MOST_METRICS = 3
MOST_SUMS = 3
MOST_GROUPS = 50
GROUPS_IN_BUCKETS = 20
"""Groups of a metric with time buckets: each bucket holds all of them again."""

MONEY_DECIMALS = 2
_MOST_DECIMALS = 18
_LARGEST = 2**53
"""Largest amount, scaled by its decimals, that is proposed to be summed: a thousandth of what 64 bits hold."""

_DAY = 86_400
REPETITIONS = 2
"""How often each value of a group comes, on average, at least."""

_LONGEST_CATEGORY = 40
_NO_CATEGORY = re.compile(r"@|://|^[0-9a-f]{8}-[0-9a-f]{4}-")
"""Addresses and ids: they repeat in a sample, and yet are no groups."""


def propose_metrics(attributes: Sequence[Attribute], excluded: Collection[str], now: float) -> Iterator[Metric]:
    """Propose the metrics of a collection's items; there is at least one.

    Args:
        attributes: The items' attributes, the most frequent first.
        excluded: Names of key and type attributes, which are neither groups nor amounts.
        now: The time of day, in seconds since the epoch.
    """
    free = [attribute for attribute in attributes if attribute.name not in excluded]
    groups = sorted(filter(_is_group, free), key=_group_order)[:MOST_METRICS]
    amounts = sorted(filter(_is_amount, free), key=_amount_order)[:MOST_SUMS]
    names = Names()
    for group in groups:
        yield _metric(names.take(f"by_{snake(group.name, 'attribute')}"[:LONGEST]), group, amounts)
    if not groups:
        yield _metric("everything", None, amounts)
    times = sorted((attribute for attribute in attributes if _says_when(attribute, now)), key=_time_order)
    if times:
        yield _over_time(times[0], next(filter(_fits_buckets, groups), None), amounts, now)


def _metric(name: str, group: Attribute | None, amounts: Sequence[Attribute]) -> Metric:
    return Metric(
        name=name,
        evidence=(*_group_evidence(group), *map(_amount_evidence, amounts)),
        group_by=group.name if group else None,
        sums=tuple(Sum(amount.name, _kept_decimals(amount)) for amount in amounts),
    )


def _over_time(time: Attribute, group: Attribute | None, amounts: Sequence[Attribute], now: float) -> Metric:
    name, every, keep = buckets_for(min(time.moments), now)
    return replace(
        _metric(name, group, amounts),
        evidence=(
            f"{time.name} says when, in {count_of(len(time.moments), 'item')}; buckets older than {keep} are dropped",
        ),
        buckets=Buckets(every, time.name, keep),
    )


# Groups.


def _is_group(attribute: Attribute) -> bool:
    if len(attribute.categories) < MOSTLY * attribute.items or attribute.is_time or _spells_time(attribute):
        return False
    return NO_GROUPS.isdisjoint(attribute.words[-1:]) and 1 < attribute.groups <= MOST_GROUPS and _repeats(attribute)


def _spells_time(attribute: Attribute) -> bool:
    """Whether it says when, in a spelling that no time buckets take: a few days in it would pass for a category."""
    named = not (FIRST_MOMENTS | LATER_MOMENTS).isdisjoint(attribute.words[-1:])
    return named and any(character.isdigit() for text in attribute.texts for character in text)


def _repeats(attribute: Attribute) -> bool:
    """Whether values come back, and are no texts, addresses or ids."""
    texts = attribute.texts
    return len(attribute.categories) >= REPETITIONS * attribute.groups and not any(
        len(text) > _LONGEST_CATEGORY or _NO_CATEGORY.search(text) for text in texts
    )


def _group_order(attribute: Attribute) -> tuple[bool, int, str]:
    return not attribute.texts, attribute.groups, attribute.name


def _group_evidence(group: Attribute | None) -> Sequence[str]:
    if group is None:
        return ("No attribute has few enough values to be a group",)
    return (f"{group.name}: {count_of(group.groups, 'value')} in {count_of(len(group.categories), 'item')}",)


def _fits_buckets(group: Attribute) -> bool:
    # A group has a member `time` already: the bucket's.
    return group.name != "time" and group.groups <= GROUPS_IN_BUCKETS


# Amounts.


def _is_amount(attribute: Attribute) -> bool:
    numbers = attribute.numbers
    if len(numbers) < MOSTLY * attribute.items or attribute.is_time or not NO_AMOUNTS.isdisjoint(_last(attribute)):
        return False
    decimals = _kept_decimals(attribute)
    return decimals <= _MOST_DECIMALS and all(abs(number) * 10**decimals <= _LARGEST for number in numbers)


def _last(attribute: Attribute) -> Sequence[str]:
    """Give the word that says what it is, without a number behind it: of `line2Total`, `total`; of `line2`, `line`."""
    return [word for word in attribute.words if not word.isdigit()][-1:]


def _amount_order(attribute: Attribute) -> tuple[bool, bool, str]:
    return MONEY.isdisjoint(attribute.words), AMOUNTS.isdisjoint(attribute.words), attribute.name


def _amount_evidence(amount: Attribute) -> str:
    seen, kept = amount.decimals, _kept_decimals(amount)
    found = f"up to {count_of(seen, 'decimal')}" if seen else "whole numbers"
    return f"{amount.name}: {found} in {count_of(len(amount.numbers), 'item')}" + f", {kept} kept" * (kept > seen)


def _kept_decimals(attribute: Attribute) -> int:
    """Keep what was seen; where there are cents, or may be, at least those: a value with more is a dead letter."""
    seen = attribute.decimals
    return max(seen, MONEY_DECIMALS) if seen or not MONEY.isdisjoint(attribute.words) else 0


# Times.


def _says_when(attribute: Attribute, now: float) -> bool:
    if attribute.share < MOSTLY or not attribute.is_time or not NO_MOMENTS.isdisjoint(attribute.words):
        return False
    moments = attribute.moments
    # Times to come are plans and expiries, whatever they are called; buckets of long ago would be dropped at once.
    return sum(-MOST_DAYS * _DAY < when - now <= _DAY for when in moments) >= ALMOST_ALL * len(moments)


def _time_order(attribute: Attribute) -> tuple[bool, bool, float, str]:
    later, first = (words.isdisjoint(attribute.words) for words in (LATER_MOMENTS, FIRST_MOMENTS))
    return not later, first, -attribute.share, attribute.name
