"""Contributions: what one version of an item adds to the metrics of its collection. Pure: no server is asked.

A contribution is text that the scripts take apart (`lua/apply.lua`): the version in 19 digits, then a line for each
metric. A line is `-` when the metric does not count the item, else each summed value and a tab, then the group. Sums
are integers scaled by the metric's decimals; `!` stands for a number that cannot be summed exactly. A group is the JSON
text of its attributes' values, parted by `FRAGMENT_END`: JSON text holds no control characters, so nothing is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from dynalens.change import DecodeError, Document
from dynalens.change.value import canonical_number, dump
from dynalens.config import MetricConfig
from dynalens.target.metrics.publication import KeyTemplate, key_template

FRAGMENT_END = b"\x1f"
VERSION_DIGITS = 19
"""Decimal digits of the highest 63-bit version; equally long texts compare as the numbers do."""

OUT_OF_SCALE = "out_of_scale"
"""A number has more decimals than its sum keeps."""
OVERFLOW = "overflow"
"""A number, scaled by its sum's decimals, does not fit 64 bits."""
MOST_DECIMALS = 18
"""More would leave no digit before the point of a 64-bit sum (`dynalens.config.SumConfig`)."""

_INT64_MIN, _INT64_MAX = -(1 << 63), (1 << 63) - 1
_UNCOUNTABLE = b"!"
_NOT_COUNTED = b"-"
_MISSING = b"null"
_NUMBER_STARTS = frozenset(b"-0123456789")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Problem:
    """A number that a sum cannot hold exactly."""

    metric: str
    attribute: str
    value: str
    decimals: int
    code: str

    @property
    def message(self) -> str:
        """Say which value of which metric it is, and what to change."""
        return f"{self.metric}: {self.attribute} is {self.value[:_SHOWN]}, {self._reason()}"

    def _reason(self) -> str:
        if self.code == OVERFLOW:
            return (
                f"which with {self.decimals} decimals does not fit 64 bits. Correct the item, or lower "
                f"`sum: {{{self.attribute}: {{decimals: {self.decimals}}}}}`."
            )
        needed = len(canonical(self.value.encode()).partition(b".")[2])
        fits = 0 < needed <= MOST_DECIMALS
        change = f", or write `sum: {{{self.attribute}: {{decimals: {needed}}}}}`" if fits else ""
        return f"and its sum keeps {self.decimals} decimals. Correct the item{change}."


class Contribution(NamedTuple):
    """What one version of an item adds, and what of it could not be summed."""

    text: bytes
    keys: tuple[bytes, ...]
    """For each metric that publishes, the key of the item's group; empty when the metric does not count it."""
    problems: tuple[Problem, ...]


class Summed(NamedTuple):
    """A number as a sum takes it: the scaled integer as text, or `!` with the code of what is wrong with it."""

    text: bytes
    code: str


_NOTHING = Summed(b"0", "")


@dataclass(frozen=True, slots=True)
class Tally:
    """One metric, ready to count documents: `where` holds the values as canonical JSON."""

    name: str
    group_by: tuple[str, ...]
    sums: tuple[tuple[str, int], ...]
    where: tuple[tuple[str, bytes], ...]
    template: KeyTemplate | None


class Line(NamedTuple):
    """The part of a contribution that one metric makes of a document."""

    text: bytes
    key: bytes
    problems: Sequence[Problem]


_UNCOUNTED = Line(_NOT_COUNTED, b"", ())


def tallies(collection: str, metrics: Mapping[str, MetricConfig]) -> tuple[Tally, ...]:
    """Make a collection's metrics ready to count."""
    return tuple(
        Tally(
            name=f"{collection}.{name}",
            group_by=metric.group_by,
            sums=tuple((attribute, summed.decimals) for attribute, summed in metric.sum.items()),
            where=tuple((attribute, canonical(dump(value))) for attribute, value in metric.where.items()),
            template=key_template(metric),
        )
        for name, metric in metrics.items()
    )


def contribution(counted_by: Sequence[Tally], version: int, document: Document | None) -> Contribution:
    """Give what a version of an item adds to each metric; a delete (None) adds nothing and keeps the version."""
    digits = b"%019d" % version
    if document is None:
        return Contribution(digits, tuple(b"" for tally in counted_by if tally.template), ())
    lines = [_line(tally, document) for tally in counted_by]
    return Contribution(
        b"\n".join([digits, *[line.text for line in lines]]),
        tuple(line.key for tally, line in zip(counted_by, lines, strict=True) if tally.template),
        tuple(problem for line in lines for problem in line.problems),
    )


def _line(tally: Tally, document: Document) -> Line:
    fragments = document.fragments
    if tally.where and not _meets(document, tally.where):
        return _UNCOUNTED
    problems = []
    parts = []
    for attribute, decimals in tally.sums:
        fragment = fragments.get(attribute, _MISSING)
        summed = scaled(fragment, decimals)
        parts.append(summed.text)
        if summed.code:
            problems.append(Problem(tally.name, attribute, fragment.decode(), decimals, summed.code))
    group = tuple(canonical(fragments.get(attribute, _MISSING)) for attribute in tally.group_by)
    parts.append(FRAGMENT_END.join(group))
    key = tally.template.key(group) if tally.template else b""
    return Line(b"\t".join(parts), key, problems)


def _meets(document: Document, where: Sequence[tuple[str, bytes]]) -> bool:
    """Tell whether a document has all these values, as a collection's `where` does (`dynalens.transform.Route`)."""
    for attribute, wanted in where:
        found = document.fragments.get(attribute)
        if found is None or canonical(found) != wanted:
            return False
    # Binary reads like a string, its base64 text; only the hints, empty for most items, tell them apart.
    hints = json.loads(document.types) if document.types else {}
    return not any(hints.get(attribute) == "B" for attribute, _ in where)


def canonical(fragment: bytes) -> bytes:
    """Give one spelling to equal scalars: `1.0`, `1` and `1e0` are one group. Other JSON keeps its text."""
    if fragment[0] not in _NUMBER_STARTS:
        return fragment
    try:
        return canonical_number(fragment.decode()).encode()
    except DecodeError:
        return fragment


def scaled(fragment: bytes, decimals: int) -> Summed:
    """Give a number times 10^decimals, exactly; what is no number counts as 0."""
    return _scaled_number(fragment, decimals) if fragment[0] in _NUMBER_STARTS else _NOTHING


@lru_cache(maxsize=8192)
def _scaled_number(fragment: bytes, decimals: int) -> Summed:
    try:
        whole, _, fraction = canonical_number(fragment.decode()).partition(".")
    except DecodeError:
        return Summed(_UNCOUNTABLE, OVERFLOW)
    if len(fraction) > decimals:
        return Summed(_UNCOUNTABLE, OUT_OF_SCALE)
    value = int(whole + fraction.ljust(decimals, "0"))
    if not _INT64_MIN <= value <= _INT64_MAX:
        return Summed(_UNCOUNTABLE, OVERFLOW)
    return Summed(b"%d" % value, "")
