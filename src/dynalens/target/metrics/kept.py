"""What a metric keeps of each group, so that its values can be told: columns that are added up, and tokens of values.

A sum is one column, an average two: the sum of its numbers and how many there are. Least and greatest numbers and
numbers of different values need to know each value that is there: its tokens are counted one by one. Estimated numbers
of different values take tokens too, but keep none of them.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from dynalens.config import MetricConfig

Kind = Literal["count", "sum", "avg", "min", "max", "distinct", "approximate_distinct"]


class Column(NamedTuple):
    """Something that is added up over the items of a group: an attribute's numbers, or how many there are of them."""

    attribute: str
    decimals: int
    counts: bool = False


class Value(NamedTuple):
    """One value of a metric, and where what it is told from is kept.

    Attributes:
        name: Its name, as in `MetricConfig.values`.
        kind: How it is computed.
        place: From 1: the column of its sum, or of its attribute among those that have tokens; 0 of a count.
        decimals: Of its sum.
        numbers: Of an average, the column that says how many numbers there are.
    """

    name: str
    kind: Kind
    place: int = 0
    decimals: int = 0
    numbers: int = 0

    @property
    def stored(self) -> str:
        """Name the part of a group's state that holds the value ready to show; empty where it is computed."""
        return "" if self.kind in {"count", "sum", "avg"} else f"{self.kind}{self.place}"

    @property
    def nothing(self) -> str:
        """Give the value of a group that has nothing to tell it from, as JSON."""
        return "null" if self.kind in {"avg", "min", "max"} else "0"


def columns(metric: MetricConfig) -> tuple[Column, ...]:
    """List what a metric adds up; an average and a sum alike in attribute and decimals share a column."""
    summed = [Column(attribute, how.decimals) for attribute, how in metric.sum.items()]
    averaged = [
        Column(attribute, how.decimals, counts) for attribute, how in metric.avg.items() for counts in (False, True)
    ]
    return tuple(dict.fromkeys([*summed, *averaged]))


def ordered(metric: MetricConfig) -> tuple[str, ...]:
    """List the attributes whose numbers are kept in their order, for the least and the greatest."""
    return tuple(dict.fromkeys([*metric.min, *metric.max]))


def values(metric: MetricConfig) -> tuple[Value, ...]:
    """List a metric's values in the order of their names (`MetricConfig.values`)."""
    column = {column: place for place, column in enumerate(columns(metric), 1)}
    order = {attribute: place for place, attribute in enumerate(ordered(metric), 1)}
    return (
        *([Value("count", "count")] if metric.count else []),
        *[
            Value(f"{attribute}_sum", "sum", column[Column(attribute, how.decimals)], how.decimals)
            for attribute, how in metric.sum.items()
        ],
        *[
            Value(
                f"{attribute}_avg",
                "avg",
                column[Column(attribute, how.decimals)],
                how.decimals,
                column[Column(attribute, how.decimals, counts=True)],
            )
            for attribute, how in metric.avg.items()
        ],
        *[Value(f"{attribute}_min", "min", order[attribute]) for attribute in metric.min],
        *[Value(f"{attribute}_max", "max", order[attribute]) for attribute in metric.max],
        *[
            Value(f"{attribute}_distinct", "distinct", place)
            for place, attribute in enumerate(metric.distinct, len(order) + 1)
        ],
        *[
            Value(f"{attribute}_approximate_distinct", "approximate_distinct", place)
            for place, attribute in enumerate(metric.approximate_distinct, len(order) + len(metric.distinct) + 1)
        ],
    )
