"""`source.verify` from the configuration to the copy: over the wire, into a target in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from dynalens.change import Change
from dynalens.config import CollectionConfig, SourceConfig
from dynalens.pipeline import background
from dynalens.position.sqlite import SqliteStore
from dynalens.runtime.table import TableWorker
from dynalens.server.verified import Compared, newest_verified
from dynalens.source.aws import Aws
from dynalens.target import Generation, Write, version
from dynalens.testing import ScriptedStreams
from dynalens.testing.memory import MemoryTarget
from tests.pipelines import parts
from tests.waiting import observed

FIRST = Compared("donations", "search", 1)


@pytest.fixture
def streams() -> Iterator[ScriptedStreams]:
    with ScriptedStreams("Donations") as serving:
        serving.add_shard()
        serving.load(*({"id": {"S": f"item-{number}"}} for number in range(10)))
        yield serving


def lose(target: MemoryTarget, id_: str) -> None:
    """Let the target lose a document; no version tells."""
    change = Change(table="Donations", id=id_, key={"id": {"S": id_}}, kind="remove", new=None, size=0)
    target.apply([Write(Generation("donations", 1), id_, version(5, 0), None, change)])


@pytest.mark.parametrize("repair", [True, False])
def test_a_difference_is_found_by_itself_and_mended_where_that_is_wanted(
    streams: ScriptedStreams, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, repair: bool
) -> None:
    monkeypatch.setattr(background, "LOOK_SECONDS", 0.0)
    config = SourceConfig.model_validate(
        {"endpoint_url": streams.endpoint_url, "verify": {"every": "1s", "rate": 1000, "repair": repair}}
    )
    target = MemoryTarget("search")
    with closing(SqliteStore(tmp_path / "state.db")) as store, closing(Aws(config)) as aws:
        worker = TableWorker("Donations", {"donations": CollectionConfig(table="Donations")}, parts(aws, target, store))
        worker.start()
        try:
            observed(lambda: FIRST in newest_verified(store.requests("Donations")))
            lose(target, "item-1")
            if repair:
                observed(lambda: "item-1" in target.documents("donations"))
            else:
                observed(lambda: newest_verified(store.requests("Donations"))[FIRST].differences == 1)
        finally:
            worker.stop(1.0)
            assert worker.join(10.0)
    assert ("item-1" in target.documents("donations")) == repair
