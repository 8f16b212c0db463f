from __future__ import annotations

import pytest

from dynalens.source.streams import Pace


def test_a_quiet_shard_is_asked_ever_less_up_to_once_a_second() -> None:
    pace = Pace(random=lambda: 1.0)
    waits = [pace.after(0) for _ in range(60)]
    assert waits == sorted(waits)
    assert (waits[0], waits[-1]) == (0.05, 1.0)


def test_a_change_is_found_within_a_tenth_of_the_quiet_before_it() -> None:
    pace = Pace(random=lambda: 1.0)
    quiet = pace.after(0)
    for _ in range(100):
        wait = pace.after(0)
        assert wait <= 0.05 + quiet / 10 + 1e-9
        quiet += wait


def test_a_busy_shard_is_asked_at_once() -> None:
    pace = Pace(random=lambda: 1.0)
    assert [pace.after(records) for records in (1, 1000, 3)] == [0.0, 0.0, 0.0]


def test_one_record_wakes_a_quiet_shard() -> None:
    pace = Pace(random=lambda: 1.0)
    for _ in range(8):
        pace.after(0)
    assert [pace.after(records) for records in (1, 0, 0)] == [0.0, 0.05, pytest.approx(0.055)]


def test_jitter_is_up_to_half_of_a_wait() -> None:
    pace = Pace(random=lambda: 0.0)
    assert [pace.after(0) for _ in range(3)] == [0.025, pytest.approx(0.0275), pytest.approx(0.03025)]


def test_quiet_shards_do_not_ask_in_step() -> None:
    one, other = Pace(), Pace()
    assert [one.after(0) for _ in range(5)] != [other.after(0) for _ in range(5)]


def test_bounds_can_be_set() -> None:
    pace = Pace(shortest=2.0, longest=2.3, random=lambda: 1.0)
    assert [pace.after(0) for _ in range(4)] == [2.0, 2.2, 2.3, 2.3]
