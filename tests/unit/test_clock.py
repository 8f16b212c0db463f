"""The clock that the package reads, and moving it."""

from __future__ import annotations

import time

import pytest

from dynalens import clock
from dynalens.errors import UsageError
from dynalens.testing.clock import ENVIRONMENT_VARIABLE, shift, shift_from_environment, shifted


def test_it_is_the_time_of_day() -> None:
    assert time.time() <= clock.now() <= time.time()


@pytest.mark.parametrize("seconds", [90_000.0, -3600.0])
def test_it_is_shifted_while_a_test_wants_it(seconds: float) -> None:
    with shifted(seconds):
        assert time.time() + seconds <= clock.now() <= time.time() + seconds
    assert time.time() <= clock.now() <= time.time()


def test_it_is_shifted_by_the_environment() -> None:
    try:
        shift_from_environment({ENVIRONMENT_VARIABLE: "-90000"})
        assert clock.now() < time.time() - 80_000
    finally:
        shift(0.0)


def test_without_the_variable_nothing_is_shifted() -> None:
    shift_from_environment({})
    assert clock.source is time.time


@pytest.mark.parametrize("text", ["tomorrow", "nan", "inf", "1h"])
def test_what_is_no_number_of_seconds_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="not a number of seconds"):
        shift_from_environment({ENVIRONMENT_VARIABLE: text})
    assert clock.source is time.time
