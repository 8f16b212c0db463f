from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from dynalens.search.dsl.dates import is_date_math, resolve

NOW = datetime(2026, 3, 31, 13, 45, 10, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("math", "beginning"),
    [
        ("now", "2026-03-31T13:45:10.250000Z"),
        ("now-7d", "2026-03-24T13:45:10.250000Z"),
        ("now+1M", "2026-04-30T13:45:10.250000Z"),
        ("now-1M", "2026-02-28T13:45:10.250000Z"),
        ("now-3M", "2025-12-31T13:45:10.250000Z"),
        ("now-y", "2025-03-31T13:45:10.250000Z"),
        ("now-1w-2H-3m-4s", "2026-03-24T11:42:06.250000Z"),
        ("now/y", "2026-01-01T00:00:00.000000Z"),
        ("now/M", "2026-03-01T00:00:00.000000Z"),
        ("now/w", "2026-03-30T00:00:00.000000Z"),
        ("now-1d/d", "2026-03-30T00:00:00.000000Z"),
        ("now/h", "2026-03-31T13:00:00.000000Z"),
        ("now/m+1s", "2026-03-31T13:45:01.000000Z"),
        ("now/s", "2026-03-31T13:45:10.000000Z"),
        ("2026-01-31||+1M/d", "2026-02-28T00:00:00.000000Z"),
        ("2024-02-29||+1y", "2025-02-28T00:00:00.000000Z"),
        ("2026-02||", "2026-02-01T00:00:00.000000Z"),
        ("2026||+1d", "2026-01-02T00:00:00.000000Z"),
        ("2026-01-01T10:30:00+01:00||", "2026-01-01T09:30:00.000000Z"),
        ("2026-01-01T10Z||+1h", "2026-01-01T11:00:00.000000Z"),
    ],
)
def test_date_math_gives_an_instant_in_utc(math: str, beginning: str) -> None:
    assert is_date_math(math)
    assert resolve(math, NOW, to_end=False) == beginning


@pytest.mark.parametrize(
    ("math", "end"),
    [
        ("now", "2026-03-31T13:45:10.250000Z"),
        ("now/d", "2026-03-31T23:59:59Z"),
        ("now/M", "2026-03-31T23:59:59Z"),
        ("now/w", "2026-04-05T23:59:59Z"),
        ("now/d+1h", "2026-04-01T00:59:59Z"),
        ("2026-02||", "2026-02-28T23:59:59Z"),
        ("2026||+1y", "2027-12-31T23:59:59Z"),
        ("2026-02-01T10:30||", "2026-02-01T10:30:59Z"),
    ],
)
def test_what_is_rounded_or_lacking_goes_to_its_end_for_gt_and_lte(math: str, end: str) -> None:
    assert resolve(math, NOW, to_end=True) == end


def test_another_zone_counts() -> None:
    assert (
        resolve("now/d", NOW.astimezone(timezone(timedelta(hours=14))), to_end=False) == "2026-03-31T00:00:00.000000Z"
    )


@pytest.mark.parametrize("text", ["nowhere", "now then", "2026-01-01", "a||b", "", "know"])
def test_other_texts_are_no_date_math(text: str) -> None:
    assert not is_date_math(text)


@pytest.mark.parametrize(
    "math",
    [
        "now-1x",
        "now-",
        "now/",
        "now-7d ",
        "now-9999y",
        "now+999999w",
        "2026-13||",
        "2026-02-30||/d",
        "2026-01-1||",
        "now+9999999d",
    ],
)
def test_what_is_no_date_is_an_error(math: str) -> None:
    with pytest.raises(ValueError, match=r"is no step|ISO 8601|range|month|years"):
        resolve(math, NOW, to_end=False)
