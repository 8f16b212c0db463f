"""Rebuilds and verifications as a user asks for them, of a running `dynalens up`, while its table is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from typing import Any, Self

import redis

from dynalens.target import Generation
from dynalens.target.metrics.layout import contributions_key
from tests.crash.donors import Donors, assert_equal_in_the_end
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

TARGETS = ("sql", "search", "metrics")
ITEMS = 100


class Counting:
    """Counts in every target again and again: whoever asks while generations are switched sees each item once."""

    def __init__(self, up: Up) -> None:
        self._up = up
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.times = 0
        self.odd: list[object] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            counted = (
                self._up.sql("SELECT count() FROM donations")[0][0],
                self._up.get("/donations/_count")["count"],
                self._up.get("/api/v1/collections/donations/metrics/by_platform")["total"]["count"],
            )
            self.times += 1
            if counted != (ITEMS, ITEMS, ITEMS):
                self.odd.append(counted)


def dynalens(up: Up, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command against the running process."""
    return subprocess.run(
        [sys.executable, "-m", "dynalens", "--config", str(up.file), *arguments, "--url", str(up.client.base_url)],
        env={**os.environ, **ENVIRONMENT, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def generations(up: Up) -> dict[str, int]:
    return {row["target"]: row["generation"] for row in up.get("/api/v1/status")["collections"]}


def test_a_rebuild_under_load_that_nobody_notices_and_the_way_back(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=7, donors=ITEMS)
    donors.fill(ITEMS)
    up.start()
    observed(up.is_ready, timeout=60)
    with Counting(up) as counting:
        donors.change(40)
        rebuilt = dynalens(up, "rebuild", "donations")
        assert rebuilt.returncode == 0, rebuilt.stderr
        assert generations(up) == dict.fromkeys(TARGETS, 2)
        donors.change(40)
        went_back = dynalens(up, "rebuild", "donations", "--back")
        assert went_back.returncode == 0, went_back.stderr
        assert generations(up) == dict.fromkeys(TARGETS, 1)
    assert counting.odd == []
    assert counting.times > 3
    assert_equal_in_the_end(client, up)
    released = dynalens(up, "rebuild", "donations", "--release")
    assert released.returncode == 0, released.stderr
    donors.act(40)
    assert_equal_in_the_end(client, up)
    nothing_left = dynalens(up, "rebuild", "donations", "--release", "--target", "sql")
    assert nothing_left.returncode == 1
    assert "No generation" in nothing_left.stderr


def test_what_a_target_lost_is_found_and_repaired(emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=8, donors=ITEMS)
    donors.fill(ITEMS)
    up.start()
    observed(up.is_ready, timeout=60)
    well = verified(up, 0)
    assert {(one["target"], one["outcome"]["complete"]) for one in well} == {(target, True) for target in TARGETS}
    with redis.Redis(unix_socket_path=str(up.valkey_socket)) as valkey:
        contributions = contributions_key(Generation("donations", 1))
        lost, *_ = valkey.hkeys(contributions)
        valkey.hdel(contributions, lost)
    [found] = verified(up, 3, "--target", "metrics")
    assert found["outcome"]["lost"] == {"count": 1, "examples": [lost.decode()]}
    [repaired] = verified(up, 0, "--target", "metrics", "--repair")
    assert repaired["outcome"]["repaired"] == 1
    [again] = verified(up, 0, "--target", "metrics")
    assert again["outcome"]["lost"]["count"] == 0


def verified(up: Up, exit_code: int, *arguments: str) -> list[dict[str, Any]]:
    """Verify the donations, and give the requests as they ended."""
    done = dynalens(up, "verify", "donations", "--json", *arguments)
    assert done.returncode == exit_code, (done.stdout, done.stderr)
    answer = json.loads(done.stdout)
    found: list[dict[str, Any]] = answer if isinstance(answer, list) else answer.get("requests", [answer])
    return found
