"""Date math: `now-7d/d` and `2026-01-01||+1M` to instants ("Date math", Elasticsearch reference)."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta

_MATH = re.compile(
    r"now(?=[-+/]|\Z)(?P<steps>.*)|(?P<anchor>\d{4}(?:-\d\d.*?)?)\|\|(?P<after>.*)", re.ASCII | re.DOTALL
)
_STEP = re.compile(r"(?P<sign>[-+])(?P<count>\d{0,6})(?P<unit>[yMwdhHms])|/(?P<floor>[yMwdhHms])", re.ASCII)
_ANCHOR = re.compile(
    r"\d{4}(?P<M>-\d\d(?P<d>-\d\d(?P<h>[T ]\d\d(?P<m>:\d\d(?P<s>:\d\d(?:\.\d{1,9})?)?)?(?:Z|[-+]\d\d:?\d\d)?)?)?)?",
    re.ASCII,
)
HINT = "Write for example now-7d, now/d or 2026-01-31||+1M/d with the units y M w d h m s."
"""What to write instead of what `resolve` does not take."""

_LAST = timedelta(microseconds=1)
_LAST_OF_SECOND = 999_999
_FIRST = "0001-01-01"
"""Completes a year or a month to its first day."""

_WIDER = {"M": "y", "d": "M", "h": "d", "m": "h", "s": "m"}


def is_date_math(text: str) -> bool:
    """Tell `now…` and `date||…` from any other text."""
    return _MATH.fullmatch(text) is not None


def resolve(text: str, now: datetime, *, to_end: bool) -> str:
    """Compute date math as ISO 8601 in UTC.

    Args:
        text: What `is_date_math` accepts.
        now: The moment of the search, with its zone.
        to_end: Parts that the anchor lacks and units rounded to (`/d`) stand for their end, as `gt` and `lte` want it,
            not for their beginning, as `gte` and `lt` do. The end is given in whole seconds: a bound covers what it
            lacks, so that no fraction of a document's time falls behind it.

    Raises:
        ValueError: A step or the anchor cannot be read, or the result is no date of the years 1 to 9999.
    """
    found = _MATH.fullmatch(text)
    if found is None:
        raise ValueError("it is no date math")
    try:
        start = now.astimezone(UTC) if found["anchor"] is None else _anchor(found["anchor"], to_end=to_end)
        return _iso(_walk(start, found["steps"] or found["after"] or "", to_end=to_end), to_end=to_end)
    except OverflowError as error:
        raise ValueError("it passes the years that a date can have") from error


def _iso(moment: datetime, *, to_end: bool) -> str:
    whole_seconds = to_end and moment.microsecond == _LAST_OF_SECOND
    return moment.replace(tzinfo=None).isoformat(timespec="seconds" if whole_seconds else "microseconds") + "Z"


def _anchor(text: str, *, to_end: bool) -> datetime:
    found = _ANCHOR.fullmatch(text)
    if found is None:
        raise ValueError("what stands before || is not ISO 8601")
    moment = datetime.fromisoformat(text + _FIRST[len(text) :])
    moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    lacking = next((unit for unit in "Mdhms" if not found[unit]), None)
    return moment if lacking is None or not to_end else _ADD[_WIDER[lacking]](moment, 1) - _LAST


def _walk(moment: datetime, steps: str, *, to_end: bool) -> datetime:
    place = 0
    while place < len(steps):
        step = _STEP.match(steps, place)
        if step is None:
            raise ValueError(f"{steps[place : place + 20]!r} is no step")
        moment = _stepped(moment, step, to_end=to_end)
        place = step.end()
    return moment


def _stepped(moment: datetime, step: re.Match[str], *, to_end: bool) -> datetime:
    unit = step["floor"]
    if unit is None:
        count = int(step["count"] or 1)
        return _ADD[step["unit"]](moment, -count if step["sign"] == "-" else count)
    floor = _FLOOR[unit](moment.replace(microsecond=0))
    return _ADD[unit](floor, 1) - _LAST if to_end else floor


def _add_months(moment: datetime, count: int) -> datetime:
    """Go to the same day of another month, or to its last one where it is shorter."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + count, 12)
    if not 1 <= year <= 9999:  # noqa: PLR2004 - the years that a date can have
        raise ValueError(f"year {year} is out of range")
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))


def _add(**unit: int) -> Callable[[datetime, int], datetime]:
    return lambda moment, count: moment + timedelta(**unit) * count


_ADD: Mapping[str, Callable[[datetime, int], datetime]] = {
    "y": lambda moment, count: _add_months(moment, 12 * count),
    "M": _add_months,
    "w": _add(weeks=1),
    "d": _add(days=1),
    "h": _add(hours=1),
    "H": _add(hours=1),
    "m": _add(minutes=1),
    "s": _add(seconds=1),
}

_FLOOR: Mapping[str, Callable[[datetime], datetime]] = {
    "y": lambda moment: moment.replace(month=1, day=1, hour=0, minute=0, second=0),
    "M": lambda moment: moment.replace(day=1, hour=0, minute=0, second=0),
    "w": lambda moment: moment.replace(hour=0, minute=0, second=0) - timedelta(days=moment.weekday()),
    "d": lambda moment: moment.replace(hour=0, minute=0, second=0),
    "h": lambda moment: moment.replace(minute=0, second=0),
    "H": lambda moment: moment.replace(minute=0, second=0),
    "m": lambda moment: moment.replace(second=0),
    "s": lambda moment: moment,
}
