"""What reaches metrics, from one seed; what the source does in turn with the other targets (`make soak`: all)."""

from __future__ import annotations

import pytest

from tests.faults.matrix import Cell
from tests.faults.running import BRIEF, cells_of, run

CELLS = cells_of("metrics")


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_fault(cell: Cell) -> None:
    run(cell, "metrics", seed=1, size=BRIEF)
