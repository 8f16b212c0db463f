"""What reaches SQL on a ClickHouse server, from one seed (`make soak`: from many)."""

from __future__ import annotations

import pytest

from tests.faults.matrix import Cell
from tests.faults.running import BRIEF, cells_of, run

CELLS = cells_of("clickhouse")


@pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS.keys())
def test_fault(cell: Cell) -> None:
    run(cell, "clickhouse", seed=1, size=BRIEF)
