"""What workers share that are moved by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynalens.pipeline import progress
from tests.stepped import Shared


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
    """Two shards with a change each, beside an item from before."""
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.0)
    made = Shared(tmp_path)
    made.source.preload({"id": {"S": "old"}})
    for shard in ("s1", "s2"):
        made.source.add_shard(shard)
        made.put(shard, f"of-{shard}")
    return made
