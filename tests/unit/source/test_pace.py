from __future__ import annotations

from dynalens.source.streams import Pace


def test_a_quiet_shard_is_asked_ever_less_up_to_once_a_second() -> None:
    pace = Pace(random=lambda: 1.0)
    assert [pace.after(0) for _ in range(8)] == [0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]


def test_a_busy_shard_is_asked_at_once() -> None:
    pace = Pace(random=lambda: 1.0)
    assert [pace.after(records) for records in (1, 1000, 3)] == [0.0, 0.0, 0.0]


def test_one_record_wakes_a_quiet_shard() -> None:
    pace = Pace(random=lambda: 1.0)
    for _ in range(8):
        pace.after(0)
    assert [pace.after(records) for records in (1, 0, 0)] == [0.0, 0.05, 0.1]


def test_jitter_is_up_to_half_of_a_wait() -> None:
    pace = Pace(random=lambda: 0.0)
    assert [pace.after(0) for _ in range(3)] == [0.025, 0.05, 0.1]


def test_quiet_shards_do_not_ask_in_step() -> None:
    one, other = Pace(), Pace()
    assert [one.after(0) for _ in range(5)] != [other.after(0) for _ in range(5)]


def test_bounds_can_be_set() -> None:
    pace = Pace(shortest=1.0, longest=3.0, random=lambda: 1.0)
    assert [pace.after(0) for _ in range(4)] == [1.0, 2.0, 3.0, 3.0]
