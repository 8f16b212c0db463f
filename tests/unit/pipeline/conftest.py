"""A table with one target: over a running pipeline, and over workers that are moved by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dynalens.pipeline import progress
from dynalens.position.sqlite import SqliteStore
from dynalens.testing.memory import MemorySource, MemoryTarget
from tests.pipelines import Bench
from tests.stepped import Shared


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path / "state.db")) as opened:
        yield opened


@pytest.fixture
def source() -> MemorySource:
    made = MemorySource(page_size=10)
    made.add_shard("s1")
    return made


@pytest.fixture
def target() -> MemoryTarget:
    return MemoryTarget("sql")


@pytest.fixture
def bench(source: MemorySource, target: MemoryTarget, store: SqliteStore) -> Bench:
    return Bench(source, [target], store)


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
