from __future__ import annotations

import pytest

from tests.waiting import NotObservedError, observed


def test_returns_the_first_true_value() -> None:
    values = iter([0, 0, 7])
    assert observed(lambda: next(values)) == 7


def test_fails_with_the_last_value_seen() -> None:
    with pytest.raises(NotObservedError, match=r"last seen: \[\]"):
        observed(list, timeout=0)


def test_an_ignored_exception_means_not_yet() -> None:
    outcomes = iter([False, True])

    def refused_once() -> bool:
        if not next(outcomes):
            raise ConnectionRefusedError
        return True

    assert observed(refused_once, ignoring=ConnectionError)


def test_an_ignored_exception_is_what_was_seen_last() -> None:
    def refused() -> bool:
        raise ConnectionRefusedError("nobody listens")

    with pytest.raises(NotObservedError, match="nobody listens"):
        observed(refused, timeout=0, ignoring=ConnectionError)


def test_any_other_exception_ends_the_wait() -> None:
    with pytest.raises(ZeroDivisionError):
        observed(lambda: 1 / 0, ignoring=ConnectionError)
