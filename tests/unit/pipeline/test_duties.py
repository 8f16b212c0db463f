"""What the worker that leads clears away between batches, and what it must not."""

from __future__ import annotations

import math
from dataclasses import replace

from dynalens.target import TOMBSTONE_RETENTION_SECONDS
from tests.stepped import TABLE, Shared, Stepped, begun, settle


def clear_away(worker: Stepped) -> None:
    """Let a worker do what it does once an hour."""
    worker.lane._duties._swept_at = -math.inf
    worker.step()


def test_dropped_generations_are_forgotten_and_their_numbers_not_given_again(shared: Shared) -> None:
    worker = begun(shared)
    for _ in range(3):
        shared.ask("rebuild")
        settle(worker)
    assert shared.copies() == {1: "dropped", 2: "dropped", 3: "kept", 4: "live"}
    clear_away(worker)
    assert len(shared.copies()) == 4
    for copy in shared.store.copies(TABLE, "sql"):
        shared.store.save_copy(TABLE, replace(copy, started_at=copy.started_at - TOMBSTONE_RETENTION_SECONDS))
    clear_away(worker)
    assert shared.copies() == {3: "kept", 4: "live"}
    shared.ask("rebuild")
    settle(worker)
    assert shared.copies() == {3: "dropped", 4: "kept", 5: "live"}
    assert shared.is_equal()
