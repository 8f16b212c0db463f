"""The emulator in this process: what is written is in the tables and in their streams."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

import dynalens.demo.emulator
from dynalens.config import SourceConfig
from dynalens.demo.emulator import Emulator, emulator
from dynalens.demo.images import FIRST, TABLE, Images
from dynalens.demo.scenario import Delete, Put, Table
from dynalens.source.aws import Aws

MEANT_FOR_AWS = {
    "AWS_PROFILE": "nobody-has-this-one",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_SESSION_TOKEN": "theirs",
    "AWS_CONFIG_FILE": "/dev/null/nothing",
    "http_proxy": "http://127.0.0.1:9",
    "no_proxy": "example.com",
}


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


def test_what_the_user_set_for_aws_itself_is_nothing_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Moto makes clients of its own, which would ask the user's profile and stumble."""
    for name, value in MEANT_FOR_AWS.items():
        monkeypatch.setenv(name, value)
    before = dict(os.environ)
    with emulator() as running:
        # Tables are kept for the whole process.
        running.create(Table("Others", {"id": "S"}))
        assert not {"AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_SESSION_TOKEN"} & os.environ.keys()
    assert dict(os.environ) == before


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
