"""The emulator in this process: what is written is in the tables and in their streams."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import dynalens.demo.emulator
from dynalens.config import SourceConfig
from dynalens.demo.emulator import Emulator, emulator
from dynalens.demo.images import FIRST, TABLE, Images
from dynalens.demo.scenario import Delete, Put
from dynalens.source.aws import Aws


@pytest.fixture(scope="module")
def emulated() -> Iterator[Emulator]:
    with emulator() as running:
        running.create(TABLE)
        running.write(Images().fill(datetime.now(UTC)))
        running.turn_stream_on(TABLE)
        yield running


@pytest.fixture
def aws(emulated: Emulator) -> Iterator[Aws]:
    """What Dynalens asks it with."""
    client = Aws(SourceConfig(region="eu-west-1", endpoint_url=emulated.endpoint_url))
    yield client
    client.close()


def item(aws: Aws, name: str) -> dict[str, Any] | None:
    return aws.item("Images", {"id": {"S": name}})


def test_the_tables_are_filled(aws: Aws) -> None:
    assert aws.describe_table("Images")["ItemCount"] == FIRST
    assert item(aws, "image-0001")


def test_writes_reach_the_table_and_its_stream(emulated: Emulator, aws: Aws) -> None:
    emulated.write([Put(TABLE, {"id": "new", "size": Decimal("1.50")}), Delete(TABLE, {"id": "image-0002"})])
    assert item(aws, "new") == {"id": {"S": "new"}, "size": {"N": "1.50"}}
    assert item(aws, "image-0002") is None
    stream = aws.describe_table("Images")["LatestStreamArn"]
    [shard] = aws.describe_stream(stream)["Shards"]
    records = aws.records(stream, aws.shard_iterator(stream, shard["ShardId"], after=""), limit=1000)
    assert b'"1.50"' in records
    assert b"image-0002" in records
    assert b"image-0001" not in records, "what was there before is not in the stream"


def test_old_iterators_are_forgotten_and_new_ones_hold(
    emulated: Emulator, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = aws.describe_table("Images")["LatestStreamArn"]
    [shard] = aws.describe_stream(stream)["Shards"]
    old, *_, new = (aws.shard_iterator(stream, shard["ShardId"], after="") for _ in range(5))
    monkeypatch.setattr(dynalens.demo.emulator, "KEPT_ITERATORS", 3)
    emulated.forget_old_iterators()
    assert aws.records(stream, new, limit=1)
    with pytest.raises(Exception, match="GetRecords"):
        aws.records(stream, old, limit=1)
