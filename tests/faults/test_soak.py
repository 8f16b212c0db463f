"""What `make soak` keeps of a run that is cut short."""

from __future__ import annotations

from pathlib import Path

from tests.faults import soak
from tests.faults.rig import Outcome

NAME = next(iter(soak.CELLS))


def test_a_soak_goes_on_behind_what_its_journal_holds_and_runs_again_what_failed(tmp_path: Path) -> None:
    journal = tmp_path / "soak.jsonl"
    soak._note(journal, soak.Run(NAME, 0, Outcome(recovery_seconds=1.5, peak_bytes=7)))
    soak._note(journal, soak.Run(NAME, 1, Outcome(lost=1), "lost one"))
    request = soak.Request.of({"SEEDS": "1", "ONLY": NAME, "JOURNAL": str(journal)})
    assert soak.soak(request) == [soak.Run(NAME, 0, Outcome(recovery_seconds=1.5, peak_bytes=7))]
    assert [result.seed for result in soak._journaled(journal)] == [0]
