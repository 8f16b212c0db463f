"""Search, SQL and metrics stopped and started one by one, under writes and SIGKILLs: each goes on where it stood."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.crash.donors import METRICS, TABLE, Donors, assert_equal_in_the_end
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

TARGETS = {"search": "tantivy://./data/search", "sql": "chdb://./data/sql", "metrics": "valkey://embedded"}


def keep(up: Up, targets: dict[str, str]) -> None:
    """Write into the file which targets are kept from the next start on."""
    settings: dict[str, Any] = yaml.safe_load(up.file.read_text())
    # Metrics that no target keeps are an error of the file.
    donations = {"table": TABLE, **({"metrics": METRICS} if "metrics" in targets else {})}
    up.file.write_text(yaml.safe_dump({**settings, "targets": targets, "collections": {"donations": donations}}))


def confirmed(up: Up, target: str) -> float:
    """Give how many changes a target has confirmed since the process started."""
    return sum(
        float(line.rpartition(" ")[2])
        for line in up.client.get("/metrics").text.splitlines()
        if line.startswith("dynalens_confirmed_changes_total{") and f'target="{target}"' in line
    )


@pytest.mark.parametrize("stopped", TARGETS)
def test_a_target_that_was_stopped_for_a_while(stopped: str, emulator: DynamoDBLocal, up: Up) -> None:
    client = emulator.client("dynamodb")
    donors = Donors(client, seed=len(stopped), donors=900)
    donors.fill(800)
    keep(up, TARGETS)
    up.start()
    donors.act(150)
    observed(lambda: confirmed(up, stopped) > 100)
    up.kill()
    others = {name: url for name, url in TARGETS.items() if name != stopped}
    keep(up, others)
    donors.act(100)
    up.start()
    donors.act(150)
    observed(up.is_ready)
    assert {entry["target"] for entry in up.get("/api/v1/status")["collections"]} == set(others)
    up.kill()
    keep(up, TARGETS)
    donors.act(100)
    up.start()
    observed(lambda: confirmed(up, stopped) > 0)
    up.kill()
    donors.act(50)
    up.start()
    assert_equal_in_the_end(client, up)
    assert all(entry["gaps"] == [] for entry in up.get("/api/v1/status")["collections"])
    # Caught up from its own position, without a new copy.
    assert {entry["generation"] for entry in up.get("/api/v1/status")["collections"]} == {1}
