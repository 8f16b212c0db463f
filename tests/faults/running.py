"""Running one cell from a seed."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.faults.child import Kind
from tests.faults.matrix import Cell
from tests.faults.rig import Outcome, Rig, Size


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
