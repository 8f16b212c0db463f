"""What reaches search on an OpenSearch, from one seed (`make soak`: from many)."""

from __future__ import annotations

import pytest

from tests.faults.matrix import Cell
from tests.faults.running import BRIEF, cells_of, run

CELLS = cells_of("opensearch")


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_fault(cell: Cell) -> None:
    run(cell, "opensearch", seed=1, size=BRIEF)
