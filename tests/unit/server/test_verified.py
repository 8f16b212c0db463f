"""What status is told of verifications."""

from __future__ import annotations

from dataclasses import replace

from dynalens.request import Request
from dynalens.server.verified import Compared, newest_verified
from dynalens.status import Verified
from dynalens.verification import Finding, Outcome
from tests.fakes import verified, world

FIRST = Compared("donations", "sql", 1)
RIGHT = Outcome(complete=True)
DIFFERING = Outcome(lost=Finding(2), extra=Finding(1), stale=Finding(3), complete=True)


def ended(outcome: Outcome, at: float, *, generation: int = 1, repaired: int = 0, options: str = "{}") -> Request:
    """Make a verification that ended at a moment."""
    told = outcome.as_json(generation=generation, repaired=repaired, items=0)
    return replace(verified(), outcome=told, options=options, changed_at=at)


def test_differences_are_all_that_were_found_and_not_repaired() -> None:
    assert newest_verified([ended(DIFFERING, 5.0, repaired=2)]) == {FIRST: Verified(5.0, 4)}


def test_the_one_that_ended_last_counts_whichever_was_asked_for_first() -> None:
    assert newest_verified([ended(DIFFERING, 5.0), ended(RIGHT, 6.0)]) == {FIRST: Verified(6.0, 0)}
    assert newest_verified([ended(RIGHT, 6.0), ended(DIFFERING, 5.0)]) == {FIRST: Verified(6.0, 0)}


def test_each_generation_has_its_own() -> None:
    found = newest_verified([ended(DIFFERING, 5.0), ended(RIGHT, 6.0, generation=2)])
    assert found == {FIRST: Verified(5.0, 6), Compared("donations", "sql", 2): Verified(6.0, 0)}


def test_what_runs_or_failed_tells_nothing() -> None:
    failed, running = replace(ended(DIFFERING, 5.0), state="failed"), replace(ended(DIFFERING, 6.0), state="running")
    assert newest_verified([failed, running, Request(table="T", collection="c", target="sql", kind="rebuild")]) == {}


def test_a_sample_and_one_that_ended_early_tell_of_differences_and_never_that_there_are_none() -> None:
    before = ended(DIFFERING, 5.0)
    sample = ended(RIGHT, 6.0, options='{"sample": 0.5}')
    assert newest_verified([before, sample]) == {FIRST: Verified(5.0, 6)}
    assert newest_verified([before, ended(Outcome(), 6.0)]) == {FIRST: Verified(5.0, 6)}
    assert newest_verified([ended(RIGHT, 5.0), ended(Outcome(lost=Finding(1)), 6.0)]) == {FIRST: Verified(6.0, 1)}


def test_a_server_that_nobody_can_ask_anything_has_a_status_too() -> None:
    fakes = world(0.0)
    asked = fakes.backend()
    assert [status.verified_at for status in asked.statuses(0.0) if status.target == "sql"] == [1_754_550_120.0, 0.0]
    assert {status.verified_at for status in replace(asked, requests=None).statuses(0.0)} == {0.0}
