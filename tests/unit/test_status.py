"""What status says of a collection: never better than what is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dynalens.position import Copy, Gap
from dynalens.report import Report
from dynalens.status import CollectionStatus, Verified, collection_status

NOW = 1000.0
WELL = Report(table="T", target="sql", written_at=NOW, polled_at=NOW, confirmed_at=NOW - 60, caught_up=True)
LIVE = Copy(
    collection="c",
    target="sql",
    number=1,
    state="live",
    fingerprint="f",
    stream="s",
    scan="x",
    segments=1,
    consistent=False,
    started_at=1.0,
)
GAP = Gap(table="T", target="sql", partition="p", since=0.0, until=NOW, reason="trimmed", found_at=NOW)


def status(
    report: Report | None = WELL, copies: tuple[Copy, ...] = (LIVE,), gaps: tuple[Gap, ...] = ()
) -> CollectionStatus:
    return collection_status("c", "sql", "T", report=report, copies=copies, gaps=gaps, dead_letters=0, now=NOW)


def test_what_was_found_in_another_generation_than_the_served_one_does_not_count() -> None:
    kept, building = replace(LIVE, number=1, state="kept"), replace(LIVE, number=3, state="building")
    served = replace(LIVE, number=2)

    def found(*verified: int) -> tuple[float, int]:
        status = collection_status(
            "c",
            "sql",
            "T",
            report=WELL,
            copies=(kept, served, building),
            gaps=(),
            dead_letters=0,
            now=NOW,
            verified={number: Verified(100.0 + number, number) for number in verified},
        )
        return status.verified_at, status.differences

    assert found(1, 2) == (102.0, 2)
    assert found(1, 3) == (0.0, 0)


def test_a_quiet_collection_that_is_polled_streams() -> None:
    found = status()
    assert (found.phase, found.ready, found.caught_up, found.progress) == ("streaming", True, True, 1.0)


def test_nobody_at_work_is_stalled_and_says_how_to_start() -> None:
    found = status(None)
    assert (found.phase, found.caught_up) == ("stalled", False)
    assert found.error_code == "worker_silent"
    assert "dynalens up" in found.error_hint


def test_a_worker_that_went_silent_outweighs_its_own_last_error() -> None:
    failed = replace(WELL, error_code="target", error_message="It does not answer.", error_hint="Start it.")
    assert status(failed).error_code == "target"
    assert status(replace(failed, written_at=NOW - 10)).error_code == "target"
    silent = status(replace(failed, written_at=NOW - 61))
    assert (silent.error_code, silent.error_message) == ("worker_silent", "The worker last reported 61 s ago.")


@pytest.mark.parametrize(
    "report",
    [
        replace(WELL, written_at=NOW - 11, polled_at=NOW - 11),
        replace(WELL, polled_at=NOW - 11),
        replace(WELL, waiting=5, waiting_since=NOW - 11),
    ],
    ids=["worker gone", "no successful poll", "read and not confirmed"],
)
def test_what_moves_nothing_for_ten_seconds_is_stalled(report: Report) -> None:
    found = status(report)
    assert (found.phase, found.caught_up) == ("stalled", False)


def test_a_worker_that_has_just_started_gets_time_for_its_first_poll() -> None:
    fresh = replace(WELL, started_at=NOW - 1, polled_at=0.0, caught_up=False)
    assert status(fresh).phase == "streaming"
    assert status(replace(fresh, started_at=NOW - 11)).phase == "stalled"


def test_waiting_changes_are_no_stall_while_others_are_confirmed() -> None:
    assert status(replace(WELL, waiting=5, waiting_since=NOW - 60, confirmed_at=NOW - 1)).phase == "streaming"


def test_a_first_copy_is_backfilling_and_not_ready() -> None:
    found = status(replace(WELL, scanned=25, scan_total=100), (replace(LIVE, state="building"),))
    assert (found.phase, found.ready, found.caught_up, found.progress) == ("backfilling", False, False, 0.25)
    assert (found.scanned, found.scan_total) == (25, 100)


def test_without_a_scan_no_rows_are_expected() -> None:
    found = status(replace(WELL, scanned=0, scan_total=100))
    assert (found.scanned, found.scan_total) == (0, 0)


def test_a_copy_beside_a_served_one_is_rebuilding_and_ready() -> None:
    found = status(copies=(LIVE, replace(LIVE, number=2, state="building")))
    assert (found.phase, found.ready, found.caught_up, found.generation) == ("rebuilding", True, False, 1)


def test_a_gap_outweighs_everything() -> None:
    assert status(None, gaps=(GAP,)).phase == "gap"
    assert not status(gaps=(GAP,)).caught_up
    assert status(None, gaps=(GAP,)).stalled
    assert not status(gaps=(GAP,)).stalled


def test_lag_grows_while_nothing_is_heard() -> None:
    assert status(replace(WELL, polled_at=NOW - 5)).lag_seconds == 5.0
    assert status(replace(WELL, behind_seconds=7.0)).lag_seconds == 7.0
    assert status(replace(WELL, behind_seconds=7.0, written_at=NOW - 2)).lag_seconds == 9.0
