from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from dynalens.retry import STANDARD, RetryPolicy
from tests.unit.source.virtual_time import Clock, Stop


class Flaky:
    """Fails as often as it is told to, then answers."""

    def __init__(self, failures: int, error: Callable[[int], Exception] = lambda call: OSError(f"call {call}")) -> None:
        self.failures = failures
        self.error = error
        self.calls = 0

    def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self.failures:
            raise self.error(self.calls)
        return "answer"


def policy(clock: Clock, *, attempts: int = 12, total_seconds: float = 1000.0, random: float = 1.0) -> RetryPolicy:
    return RetryPolicy(
        base_seconds=0.5,
        cap_seconds=3.0,
        attempts=attempts,
        total_seconds=total_seconds,
        random=lambda: random,
        clock=clock,
    )


def always(_: Exception) -> bool:
    return True


def test_a_call_that_succeeds_is_made_once() -> None:
    stop = Stop(Clock())
    call = Flaky(0)
    assert STANDARD.run(call, retryable=always, stop=stop) == "answer"
    assert (call.calls, stop.waits) == (1, [])


def test_a_call_is_made_again_until_it_succeeds() -> None:
    clock = Clock()
    stop = Stop(clock)
    call = Flaky(3)
    assert policy(clock).run(call, retryable=always, stop=stop) == "answer"
    assert (call.calls, stop.waits) == (4, [0.5, 1.0, 2.0])


def test_delays_double_up_to_the_cap() -> None:
    assert list(policy(Clock(), attempts=7).delays()) == [0.5, 1.0, 2.0, 3.0, 3.0, 3.0]


def test_a_first_delay_above_the_cap_is_capped() -> None:
    assert list(RetryPolicy(base_seconds=9.0, cap_seconds=2.0, attempts=3, random=lambda: 1.0).delays()) == [2.0, 2.0]


def test_jitter_spreads_over_the_whole_delay() -> None:
    assert list(policy(Clock(), attempts=4, random=0.25).delays()) == [0.125, 0.25, 0.5]
    assert list(policy(Clock(), attempts=4, random=0.0).delays()) == [0.0, 0.0, 0.0]


def test_chance_differs_from_run_to_run_by_default() -> None:
    assert list(STANDARD.delays()) != list(STANDARD.delays())


def test_it_gives_up_after_so_many_attempts_with_the_last_error() -> None:
    clock = Clock()
    call = Flaky(99)
    with pytest.raises(OSError, match="call 5"):
        policy(clock, attempts=5).run(call, retryable=always, stop=Stop(clock))
    assert call.calls == 5


def test_one_attempt_means_no_repetition() -> None:
    clock = Clock()
    stop = Stop(clock)
    with pytest.raises(OSError, match="call 1"):
        policy(clock, attempts=1).run(Flaky(99), retryable=always, stop=stop)
    assert stop.waits == []


def test_it_gives_up_when_the_next_attempt_would_start_too_late() -> None:
    clock = Clock()
    stop = Stop(clock)
    with pytest.raises(OSError, match="call 4"):
        policy(clock, total_seconds=6.0).run(Flaky(99), retryable=always, stop=stop)
    assert stop.waits == [0.5, 1.0, 2.0]


def test_time_that_the_call_itself_takes_counts() -> None:
    clock = Clock()

    def slow(call: int) -> Exception:
        clock.now += 4.0
        return TimeoutError(f"call {call}")

    with pytest.raises(TimeoutError, match="call 2"):
        policy(clock, total_seconds=4.0).run(Flaky(99, slow), retryable=always, stop=Stop(clock))


def test_another_error_is_raised_at_once() -> None:
    clock = Clock()
    stop = Stop(clock)
    call = Flaky(99, lambda _: ValueError("wrong"))
    with pytest.raises(ValueError, match="wrong"):
        policy(clock).run(call, retryable=lambda error: isinstance(error, OSError), stop=stop)
    assert (call.calls, stop.waits) == (1, [])


def test_a_stop_ends_the_wait_and_the_repetitions() -> None:
    clock = Clock()
    stop = Stop(clock)
    stop.set()
    call = Flaky(99)
    with pytest.raises(OSError, match="call 1"):
        policy(clock).run(call, retryable=always, stop=stop)
    assert call.calls == 1


def test_a_stop_from_another_thread_ends_a_long_wait() -> None:
    stop = threading.Event()
    waiting = threading.Event()
    errors: list[Exception] = []

    def fail() -> None:
        waiting.set()
        raise OSError("down")

    def run() -> None:
        patient = replace(STANDARD, base_seconds=3600.0, cap_seconds=3600.0, total_seconds=7200.0, random=lambda: 1.0)
        try:
            patient.run(fail, retryable=always, stop=stop)
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert waiting.wait(30)
    stop.set()
    thread.join(30)
    assert [str(error) for error in errors] == ["down"]


def test_an_interrupt_is_never_retried() -> None:
    calls = 0

    def interrupted() -> None:
        nonlocal calls
        calls += 1
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        STANDARD.run(interrupted, retryable=always, stop=threading.Event())
    assert calls == 1
