"""Running one cell from a seed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.faults.child import Kind
from tests.faults.matrix import Cell, cell_name, cells
from tests.faults.rig import Outcome, Rig, Size

BRIEF = Size(seconds=10.0)
"""How much a cell does in `make test`."""


def run(cell: Cell, kind: Kind, seed: int, size: Size = Size()) -> Outcome:  # noqa: B008 - frozen
    """Run a cell once, and give what came of it.

    Raises:
        DiffersError: What is served is not what it must be.
        AssertionError: The outcome is not the expected one.
    """
    with tempfile.TemporaryDirectory(prefix="fault-") as folder, Rig(kind, seed, Path(folder), size) as rig:
        cell(rig)
        assert rig.outcome is not None, "the cell never settled"
        return rig.outcome


def cells_of(kind: Kind) -> Mapping[str, Cell]:
    """Give the cells that show what reaches a target, by name."""
    return {cell_name(fault, kind, cell): cell for fault, of, cell in cells() if of == kind}
