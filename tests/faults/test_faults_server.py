"""Every fault that reaches `dynalens up`, from one seed; `make soak` runs many."""

from __future__ import annotations

import pytest

from tests.faults.matrix import Cell
from tests.faults.running import BRIEF, cells_of, run

CELLS = cells_of("server")


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_fault(cell: Cell) -> None:
    run(cell, "server", seed=1, size=BRIEF)
