"""The embedded Valkey killed or flushed under load: metrics are exact again, by replay or by a new generation."""

from __future__ import annotations

import json
import os
import signal

import redis

from tests.crash.donors import Donors, assert_equal_in_the_end
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up
from tests.waiting import observed


def valkey_of(up: Up) -> int:
    """Give the pid of the Valkey that the process looks after."""
    return int(json.loads((up.folder / "data" / "metrics" / "server.lock").read_text())["pid"])


def is_another(up: Up, *, than: int) -> bool:
    return valkey_of(up) != than


def test_a_killed_valkey_comes_back_and_is_exact(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=3, donors=80)
    donors.fill(40)
    up.start()
    observed(up.is_ready)
    for _ in range(3):
        donors.act(60)
        killed = valkey_of(up)
        os.kill(killed, signal.SIGKILL)
        donors.act(60)
        observed(lambda: is_another(up, than=killed), ignoring=(KeyError, ValueError))  # noqa: B023 - waited for here
    assert_equal_in_the_end(client, up)


def test_a_flushed_valkey_is_built_anew(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=4, donors=80)
    donors.fill(40)
    up.start()
    observed(up.is_ready)
    donors.act(60)
    with redis.Redis(unix_socket_path=str(up.valkey_socket)) as valkey:
        valkey.flushall()
    donors.act(60)
    observed(lambda: any(status["generation"] > 1 for status in up.get("/api/v1/status")["collections"]))
    assert_equal_in_the_end(client, up)
