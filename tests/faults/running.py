"""Running one cell from a seed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.faults import calls, stream
from tests.faults.child import Kind
from tests.faults.matrix import EMBEDDED, Cell, cell_name, cells
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
    """Give the cells that `make test` runs over a target, by name: those of the source in turn, all others."""
    return {
        cell_name(fault, of, cell): cell
        for fault, of, cell in cells()
        if of == kind and (not _is_of_source(cell) or _turn_of(cell) == kind)
    }


def _is_of_source(cell: Cell) -> bool:
    return cell.__module__ in {stream.__name__, calls.__name__}


def _turn_of(cell: Cell) -> Kind:
    """Give the one target that meets what the source does: it reaches all alike. The soak runs every cell over all."""
    [*in_order] = dict.fromkeys(cell for _, _, cell in cells() if _is_of_source(cell))
    return EMBEDDED[in_order.index(cell) % len(EMBEDDED)]
