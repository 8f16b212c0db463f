"""The servers that other tests stand on: they answer, they end, and they say why when they do not start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import TableFactory, ViewType
from tests.services import valkey as valkey_module
from tests.services.dynamodb_local import DynamoDBLocal
from tests.services.process import ServerProcess, ServerStartError
from tests.services.valkey import ValkeyServer
from tests.waiting import observed

REPOSITORY = Path(__file__).parents[2]

START_AND_DIE = """
import os, pathlib, sys
from tests.services.process import ServerProcess
folder = pathlib.Path(sys.argv[1])
log = folder / "log"
server = ServerProcess(["sh", "-c", "echo up; exec sleep 600"], cwd=folder, log=log)
server.wait_until(lambda: "up" in log.read_text(), ignoring=())
print(server.pid, flush=True)
os._exit(1)
"""


@pytest.mark.parametrize("view_type", ["KEYS_ONLY", "NEW_AND_OLD_IMAGES"])
def test_a_table_streams_with_its_view_type(
    dynamodb_local: DynamoDBLocal, table_factory: TableFactory, view_type: ViewType
) -> None:
    table = table_factory({"email": "S", "donatedAt": "S"}, name="Donations", view_type=view_type)
    client = dynamodb_local.client("dynamodb")
    client.put_item(TableName=table, Item={"email": {"S": "a@test.com"}, "donatedAt": {"S": "2019-08-07"}})

    streams = dynamodb_local.client("dynamodbstreams")
    [stream] = streams.list_streams(TableName=table)["Streams"]
    description = streams.describe_stream(StreamArn=stream["StreamArn"])["StreamDescription"]
    [shard] = description["Shards"]
    iterator = streams.get_shard_iterator(
        StreamArn=stream["StreamArn"], ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    [record] = observed(lambda: streams.get_records(ShardIterator=iterator)["Records"])

    assert description["StreamViewType"] == view_type
    assert record["dynamodb"]["Keys"] == {"email": {"S": "a@test.com"}, "donatedAt": {"S": "2019-08-07"}}


def test_a_table_without_a_stream(dynamodb_local: DynamoDBLocal, table_factory: TableFactory) -> None:
    table = table_factory({"id": "N"}, view_type=None)
    assert dynamodb_local.client("dynamodbstreams").list_streams(TableName=table)["Streams"] == []


def test_valkey_keeps_its_data_over_a_kill(valkey: ValkeyServer) -> None:
    valkey.client().set("key", "value")
    first = valkey.pid
    valkey.kill()
    valkey.start()
    assert valkey.client().get("key") == "value"
    assert valkey.pid != first


def test_the_server_on_path_comes_before_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(mode=0o755)
        assert valkey_module._binary() == tmp_path / name


def test_a_server_that_ends_at_once_shows_its_log(tmp_path: Path) -> None:
    process = ServerProcess(["sh", "-c", "echo port taken; exit 3"], cwd=tmp_path, log=tmp_path / "log")
    with pytest.raises(ServerStartError, match=r"(?s)ended with status 3.*port taken"):
        process.wait_until(lambda: False, ignoring=())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its starter")
def test_a_server_ends_with_a_test_run_that_is_killed(tmp_path: Path) -> None:
    starter = subprocess.run(
        [sys.executable, "-c", START_AND_DIE, tmp_path], cwd=REPOSITORY, stdout=subprocess.PIPE, check=False
    )
    assert starter.returncode == 1
    pid = int(starter.stdout)
    observed(lambda: not _command_of(pid))


def _command_of(pid: int) -> bytes:
    """Give a process's command line: nothing when it has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_a_server_that_never_answers_is_killed(tmp_path: Path) -> None:
    process = ServerProcess(["sleep", "600"], cwd=tmp_path, log=tmp_path / "log")
    with pytest.raises(ServerStartError, match="did not answer"):
        process.wait_until(lambda: False, ignoring=(), timeout=0)
    assert process._process.returncode is not None
