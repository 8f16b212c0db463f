"""What the workers of a table say together."""

from __future__ import annotations

from dataclasses import replace

from dynalens.report import Report, merged

NOW = 1_700_000_000.0


def report(worker: str, more: int = 0, **others: float) -> Report:
    """Make a report whose numbers are all different; `more` is added to each count and each age."""
    told = Report(
        table="T",
        target="sql",
        worker=worker,
        written_at=NOW - 1,
        started_at=NOW - 100,
        polled_at=NOW - 2 - more,
        confirmed_at=NOW - 3 - more,
        waiting_since=NOW - 4 - more,
        waiting=5 + more,
        applied_at=NOW - 6 - more,
        behind_seconds=7.5,
        caught_up=True,
        scanned=8 + more,
        scan_total=90,
        confirmed=10 + more,
    )
    return replace(told, **others)  # type: ignore[arg-type] # of its own fields


FIRST = report("w1")


def test_one_worker_speaks_for_itself() -> None:
    assert merged([FIRST], NOW) == [FIRST]


def test_those_that_work_now_speak_together() -> None:
    second = report(
        "w2", 10, written_at=NOW - 9.5, started_at=NOW - 50, behind_seconds=1.5, caught_up=False, scan_total=80
    )
    together = replace(
        FIRST,
        worker="",
        polled_at=NOW - 12,
        waiting_since=NOW - 14,
        waiting=20,
        # As of when the other one spoke.
        behind_seconds=1.5 + 8.5,
        caught_up=False,
        scanned=26,
        confirmed=30,
    )
    assert merged([FIRST, second], NOW) == [together]
    assert merged([second, FIRST], NOW) == [together]


def test_whoever_waits_for_nothing_hides_nobody_who_does() -> None:
    idle = replace(FIRST, worker="w2", waiting=0, waiting_since=0.0)
    [together] = merged([FIRST, idle], NOW)
    assert (together.waiting, together.waiting_since) == (5, FIRST.waiting_since)
    [idle_together] = merged([replace(idle, worker="w1"), idle], NOW)
    assert idle_together.waiting_since == 0.0


def test_one_that_has_never_polled_is_told() -> None:
    [together] = merged([FIRST, replace(FIRST, worker="w2", polled_at=0.0)], NOW)
    assert together.polled_at == 0.0


def test_the_first_error_is_told_whole() -> None:
    errors = [
        replace(FIRST, worker=f"w{n}", error_code=f"e{n}", error_message=f"m{n}", error_hint=f"h{n}") for n in (3, 2)
    ]
    [together] = merged([FIRST, *errors], NOW)
    assert (together.error_code, together.error_message, together.error_hint) == ("e2", "m2", "h2")


def test_the_reports_of_workers_that_are_gone_count_only_when_nobody_else_speaks() -> None:
    gone = replace(FIRST, worker="w2", written_at=NOW - 10, waiting=100)
    older = replace(gone, worker="w3", written_at=NOW - 50)
    assert merged([gone, FIRST, older], NOW) == [FIRST]
    assert merged([older, gone], NOW) == [gone]


def test_whoever_holds_shards_and_says_nothing_may_be_behind() -> None:
    """Its clock may be wrong, its reports may be refused, or it was stopped a moment ago."""
    both = replace(FIRST, owners=["w1", "w2"])
    [together] = merged([both], NOW)
    assert not together.caught_up
    [together] = merged([both, replace(FIRST, worker="w2", written_at=NOW - 10)], NOW)
    assert not together.caught_up
    [together] = merged([both, replace(FIRST, worker="w2")], NOW)
    assert together.caught_up


def test_tables_and_targets_stay_apart() -> None:
    others = [replace(FIRST, table="U"), replace(FIRST, target="search")]
    assert sorted(merged([FIRST, *others], NOW), key=str) == sorted([FIRST, *others], key=str)
    assert merged([], NOW) == []
