"""Which time bucket an item belongs to, and which buckets are kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynalens.config import MetricConfig
from dynalens.target.metrics.bucket import Buckets, buckets

MINUTES = Buckets(60, "at", 300)
NOON = datetime(2026, 11, 21, 12, 0, 30, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("fragment", "start"),
    [
        (b'"2026-11-21T15:49:59.999999999Z"', "2026-11-21T15:49:00Z"),
        (b'"2026-11-21T15:49:59,9"', "2026-11-21T15:49:00Z"),
        (b'"2026-11-21 15:49"', "2026-11-21T15:49:00Z"),
        (b'"2026-11-21T15"', "2026-11-21T15:00:00Z"),
        (b'"2026-11-21"', "2026-11-21T00:00:00Z"),
        (b'"2026-11-21T15:49:10+05:30"', "2026-11-21T10:19:00Z"),
        (b'"0001-01-01"', "0001-01-01T00:00:00Z"),
        (b"0", "1970-01-01T00:00:00Z"),
        (b"-1", "1969-12-31T23:59:00Z"),
        (b"-0.5", "1969-12-31T23:59:00Z"),
        (b"-60", "1969-12-31T23:59:00Z"),
        (b"-60.000000001", "1969-12-31T23:58:00Z"),
        (b"1795276145", "2026-11-21T15:49:00Z"),
        (b"1795276145.999", "2026-11-21T15:49:00Z"),
        (b"1.795276145e9", "2026-11-21T15:49:00Z"),
        (b"99999999999", "5138-11-16T09:46:00Z"),
        (b"99999999999.9", "5138-11-16T09:46:00Z"),
        (b"100000000000", "1973-03-03T09:46:00Z"),
        (b"1795276145678", "2026-11-21T15:49:00Z"),
        (b"99999999999999", "5138-11-16T09:46:00Z"),
        (b"100000000000000", "1973-03-03T09:46:00Z"),
        (b"1795276145678901", "2026-11-21T15:49:00Z"),
        (b"99999999999999999", "5138-11-16T09:46:00Z"),
    ],
)
def test_a_time_belongs_to_the_bucket_that_it_falls_into(fragment: bytes, start: str) -> None:
    assert MINUTES.of_fragment(fragment) == f'"{start}"'.encode()


@pytest.mark.parametrize(
    "fragment",
    [
        *[b"null", b"true", b'"soon"', b'""', b'"2026-11"', b'"2026-02-30"', b'"1795276145"', b"[1]", b'{"a":1}'],
        *[b"1e17", b"-1e17", b"-99999999999", b"1e125"],
        *[b'"0001-01-01T00:00+01:00"', b'"2026-11-21T15:49:00.0000000001Z"'],
    ],
)
def test_what_is_no_time_has_no_bucket(fragment: bytes) -> None:
    assert MINUTES.of_fragment(fragment) == b"null"


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from([1, 30, 60, 300, 3600, 86_400]))
def test_a_bucket_starts_at_a_multiple_and_holds_its_moment(moment: datetime, seconds: int) -> None:
    name = Buckets(seconds, "at", 0).of_fragment(f'"{moment.isoformat()}"'.encode()).decode()
    start = datetime.fromisoformat(name.strip('"'))
    assert timedelta(0) <= moment - start < timedelta(seconds=seconds)
    assert (start - datetime(1970, 1, 1, tzinfo=UTC)) % timedelta(seconds=seconds) == timedelta(0)


@given(st.lists(st.datetimes(timezones=st.just(UTC)), min_size=2))
def test_names_of_buckets_sort_as_times_do(moments: list[datetime]) -> None:
    names = [MINUTES.of_fragment(f'"{moment.isoformat()}"'.encode()) for moment in sorted(moments)]
    assert names == sorted(names)
    assert {len(name) for name in names} == {22}


def test_a_change_belongs_to_the_bucket_of_its_time() -> None:
    assert MINUTES.of_change(NOON + 29.9) == b'"2026-11-21T12:00:00Z"'
    assert MINUTES.of_change(NOON + 30) == b'"2026-11-21T12:01:00Z"'
    assert MINUTES.of_change(0.0) == b"null", "as a scanned row has it"


def test_buckets_are_kept_while_their_start_is_young() -> None:
    assert MINUTES.horizon(NOON) == b'"2026-11-21T11:56:00Z"'
    assert MINUTES.horizon(NOON + 30) == b'"2026-11-21T11:56:00Z"'
    assert MINUTES.horizon(NOON + 30.001) == b'"2026-11-21T11:57:00Z"'


def test_the_buckets_of_a_metric_are_those_of_its_settings() -> None:
    settings = {"every": "1h", "time": "at", "keep": "2d", "count": True}
    assert buckets(MetricConfig.model_validate(settings)) == Buckets(3600, "at", 2 * 86_400)
    assert buckets(MetricConfig(count=True)) is None
