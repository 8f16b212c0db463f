"""Every fault of the matrix, on every target that it reaches, from one seed; `make soak` runs many."""

from __future__ import annotations

import pytest

from tests.faults.child import Kind
from tests.faults.matrix import Cell, cell_name, cells
from tests.faults.running import run

CELLS = {cell_name(fault, kind, cell): (cell, kind) for fault, kind, cell in cells()}


@pytest.mark.parametrize(("cell", "kind"), CELLS.values(), ids=CELLS.keys())
def test_fault(cell: Cell, kind: Kind) -> None:
    run(cell, kind, seed=1)
