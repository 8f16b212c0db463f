"""Contributions: what one version of an item adds to the metrics of its collection. Pure: no server is asked.

A contribution is text that the scripts take apart (`lua/apply.lua`): the version in 19 digits, then a line for each
metric. A line is `-` when the metric does not count the item, else what the item adds to each column and its token for
each attribute whose values are counted one by one or estimated (`kept.py`), a tab after each, then the group. Sums are
integers scaled by the metric's decimals; `!` stands for a number that cannot be summed exactly, an empty token for no
value. A group is the JSON text of its members, the time bucket first, parted by `FRAGMENT_END`: JSON text holds no
control characters, so nothing is escaped.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from typing import Any, NamedTuple

from dynalens.change import DecodeError, Document, NumberText, load_exact, ordered_number
from dynalens.change.value import canonical_number, dump
from dynalens.config import MetricConfig
from dynalens.target.metrics.bucket import Buckets, buckets
from dynalens.target.metrics.kept import Column, columns, ordered
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

LONGEST_TOKEN = 44
"""Bytes of a value that is kept as it is where different values are counted; a longer one is told by its digest."""

_ESTIMATED_BYTES = 8
"""Of a value's digest, where different values are estimated: a HyperLogLog hashes to 64 bits itself."""

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
        """Say which value of which metric it is, and what to change, be it in its `sum` or its `avg`."""
        return f"{self.metric}: {self.attribute} is {self.value[:_SHOWN]}, {self._reason()}"

    def _reason(self) -> str:
        if self.code == OVERFLOW:
            return (
                f"which with {self.decimals} decimals does not fit 64 bits. Correct the item, or lower "
                f"`{self.attribute}: {{decimals: {self.decimals}}}`."
            )
        needed = len(canonical(self.value.encode()).partition(b".")[2])
        fits = 0 < needed <= MOST_DECIMALS
        change = f", or write `{self.attribute}: {{decimals: {needed}}}`" if fits else ""
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
_NO_TOKEN = b""


@dataclass(frozen=True, slots=True)
class Tally:
    """One metric, ready to count documents.

    Attributes:
        name: The metric's name with its collection's.
        buckets: Its time buckets, the first member of a group; None where it has none.
        group_by: The attributes that are the other members.
        columns: What is added up.
        ordered: Attributes whose numbers are kept in their order.
        distinct: Attributes whose different values are counted.
        approximate_distinct: Attributes whose different values are estimated.
        where: Attributes, and as canonical JSON the values that they must have.
        template: Names its groups for other applications; None when it is not published.
    """

    name: str
    buckets: Buckets | None
    group_by: tuple[str, ...]
    columns: tuple[Column, ...]
    ordered: tuple[str, ...]
    distinct: tuple[str, ...]
    approximate_distinct: tuple[str, ...]
    where: tuple[tuple[str, bytes], ...]
    template: KeyTemplate | None

    @property
    def work(self) -> int:
        """Say how many times as long as a count and a few sums it takes the server to count an item."""
        return 1 + len(self.ordered) + len(self.distinct) + len(self.approximate_distinct)


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
            buckets=buckets(metric),
            group_by=metric.group_by,
            columns=columns(metric),
            ordered=ordered(metric),
            distinct=metric.distinct,
            approximate_distinct=metric.approximate_distinct,
            where=tuple((attribute, canonical(dump(value))) for attribute, value in metric.where.items()),
            template=key_template(metric),
        )
        for name, metric in metrics.items()
    )


def contribution(
    counted_by: Sequence[Tally], version: int, document: Document | None, created_at: float
) -> Contribution:
    """Give what a version of an item adds to each metric; a delete (None) adds nothing and keeps the version.

    Args:
        counted_by: The metrics.
        version: The item's version.
        document: The item.
        created_at: When it was written, in epoch seconds; 0.0 where nobody knows (`Change.created_at`).
    """
    digits = b"%019d" % version
    if document is None:
        return Contribution(digits, tuple(b"" for tally in counted_by if tally.template), ())
    lines = [_line(tally, document, created_at) for tally in counted_by]
    return Contribution(
        b"\n".join([digits, *[line.text for line in lines]]),
        tuple(line.key for tally, line in zip(counted_by, lines, strict=True) if tally.template),
        tuple(problem for line in lines for problem in line.problems),
    )


def _line(tally: Tally, document: Document, created_at: float) -> Line:
    fragments = document.fragments
    if tally.where and not _meets(document, tally.where):
        return _UNCOUNTED
    problems = []
    parts = []
    for attribute, decimals, counts in tally.columns:
        fragment = fragments.get(attribute, _MISSING)
        summed = scaled(fragment, decimals)
        if counts:
            parts.append(b"1" if fragment[0] in _NUMBER_STARTS and not summed.code else b"0")
            continue
        parts.append(summed.text)
        if summed.code:
            problems.append(Problem(tally.name, attribute, fragment.decode(), decimals, summed.code))
    parts += [order_token(fragments.get(attribute, _MISSING)) for attribute in tally.ordered]
    parts += [value_token(fragments.get(attribute, _MISSING)) for attribute in tally.distinct]
    parts += [estimated_token(fragments.get(attribute, _MISSING)) for attribute in tally.approximate_distinct]
    group = _group(tally, fragments, created_at)
    parts.append(FRAGMENT_END.join(group))
    key = tally.template.key(group) if tally.template else b""
    return Line(b"\t".join(parts), key, problems)


def _group(tally: Tally, fragments: Mapping[str, bytes], created_at: float) -> tuple[bytes, ...]:
    group = tuple(canonical(fragments.get(attribute, _MISSING)) for attribute in tally.group_by)
    if tally.buckets is None:
        return group
    if tally.buckets.attribute is None:
        return (tally.buckets.of_change(created_at), *group)
    return (tally.buckets.of_fragment(fragments.get(tally.buckets.attribute, _MISSING)), *group)


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


def comparable(counted_by: Sequence[Tally], text: bytes) -> bytes:
    """Give what of a contribution's text follows from its item alone: no version, no bucket of a change's own time."""
    _, *lines = text.split(b"\n")
    return b"\n".join([_anywhen(tally, line) for tally, line in zip(counted_by, lines, strict=True)])


def _anywhen(tally: Tally, line: bytes) -> bytes:
    if line == _NOT_COUNTED or tally.buckets is None or tally.buckets.attribute is not None:
        return line
    parts, tab, group = line.rpartition(b"\t")
    _, end, others = group.partition(FRAGMENT_END)
    return parts + tab + end + others


# Tokens: short texts that are equal where values are, without tabs and newlines.


def order_token(fragment: bytes) -> bytes:
    """Give the token of a number, whose bytes sort as numbers do; an empty one of what is no number."""
    if fragment[0] not in _NUMBER_STARTS:
        return _NO_TOKEN
    try:
        return ordered_number(canonical_number(fragment.decode())).encode()
    except DecodeError:
        return _NO_TOKEN


def value_token(fragment: bytes) -> bytes:
    """Give the token of any JSON value; an empty one of null. A long value's is a SHA-256 digest."""
    value = _value(fragment)
    # No JSON text begins with a number sign.
    return value if len(value) <= LONGEST_TOKEN else b"#" + b64encode(sha256(value).digest()).rstrip(b"=")


def estimated_token(fragment: bytes) -> bytes:
    """Give the token of any JSON value that is only estimated, 11 bytes of a SHA-256 digest; an empty one of null."""
    value = _value(fragment)
    return value and b64encode(sha256(value).digest()[:_ESTIMATED_BYTES]).rstrip(b"=")


def _value(fragment: bytes) -> bytes:
    """Give one text to equal values; an empty one to null."""
    if fragment == _MISSING:
        return _NO_TOKEN
    return _plain_json(load_exact(fragment)) if fragment[:1] in {b"{", b"["} else canonical(fragment)


def _plain_json(value: Any) -> bytes:  # noqa: ANN401 - any JSON value
    """Give one text to equal maps and lists, whatever the order of members and the spelling of numbers."""
    match value:
        case dict():
            return b"{" + b",".join([dump(name) + b":" + _plain_json(value[name]) for name in sorted(value)]) + b"}"
        case list():
            return b"[" + b",".join(map(_plain_json, value)) + b"]"
        case NumberText():
            return canonical(value.encode())
    return dump(value)
