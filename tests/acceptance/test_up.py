"""`dynalens up` as a user runs it: a real process over DynamoDB Local, chDB and Valkey, asked over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

from tests.donations import document_id, put
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.up import Up
from tests.waiting import observed

WITHIN_SECONDS = 10.0


def totals(up: Up) -> dict[str, float]:
    """Give the metric's total."""
    total: dict[str, float] = up.get("/api/v1/collections/donations/metrics/by_platform")["total"]
    return total


def dynalens(up: Up, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command against the running process."""
    return subprocess.run(
        [sys.executable, "-m", "dynalens", "--config", str(up.file), *arguments],
        env={**os.environ, **ENVIRONMENT, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def ask(up: Up, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a client command against the running process."""
    return dynalens(up, *arguments, "--url", str(up.client.base_url))


def test_every_route_answers_with_the_table(up: Up, donations: str, dynamodb_local: DynamoDBLocal) -> None:
    client = dynamodb_local.client("dynamodb")
    put(client, donations, 1, platform="Facebook", amount="10.25")
    put(client, donations, 2, platform="Phone", amount="20")
    up.start()
    observed(up.is_ready)
    put(client, donations, 3, platform="Phone", amount="40")
    observed(lambda: totals(up) == {"count": 3, "amount_sum": 70.25})
    observed(lambda: up.sql("SELECT count() FROM donations") == [[3]])

    assert up.get("/healthz")
    assert up.get("/readyz")
    assert up.sql("SELECT platform, sum(amount) FROM donations GROUP BY platform ORDER BY platform") == [
        ["Facebook", 10.25],
        ["Phone", 60],
    ]
    observed(lambda: up.get("/donations/_count")["count"] == 3)
    found = up.get("/api/v1/collections/donations/search?q=facebok&fields=platform&filter=amount:>=10")
    assert [hit["document"]["amount"] for hit in found["hits"]] == [10.25]
    path = f"/api/v1/collections/donations/documents/{quote(document_id(1))}"
    assert up.get(path) == {
        "id": document_id(1),
        "document": {
            "email": "donor-1@test.com",
            "donatedAt": "2019-08-07T07:26:01",
            "platform": "Facebook",
            "amount": 10.25,
        },
    }
    assert up.get(f"{path}?format=dynamodb")["document"]["amount"] == {"N": "10.25"}
    assert [collection["name"] for collection in up.get("/api/v1/collections")["collections"]] == ["donations"]
    fields = {field["name"]: field["types"] for field in up.get("/api/v1/collections/donations")["fields"]}
    assert fields["amount"] == {"number": 3}
    metric = up.get("/api/v1/collections/donations/metrics/by_platform")
    assert {"group": {"platform": "Phone"}, "values": {"count": 2, "amount_sum": 60}} in metric["groups"]
    statuses = up.get("/api/v1/status")["collections"]
    assert {(status["target"], status["phase"]) for status in statuses} == {
        ("search", "streaming"),
        ("sql", "streaming"),
        ("metrics", "streaming"),
    }
    exposition = up.client.get("/metrics").text
    assert "dynalens_lag_seconds" in exposition


def test_a_viewer_gets_a_snapshot_and_then_each_change(up: Up, donations: str, dynamodb_local: DynamoDBLocal) -> None:
    client = dynamodb_local.client("dynamodb")
    put(client, donations, 1)
    up.start()
    observed(up.is_ready)
    with up.client.stream("GET", "/api/v1/live?metrics=donations.by_platform&collections=donations") as stream:
        lines = stream.iter_lines()
        assert next(line for line in lines if line.startswith("event:")) == "event: snapshot"
        put(client, donations, 2, platform="Web", amount="5")
        seen = {next(line for line in lines if line.startswith("event:")) for _ in range(2)}
    assert seen == {"event: change", "event: document"}


def test_a_second_process_on_the_folder_names_the_first(up: Up) -> None:
    up.start()
    refused = dynalens(up, "up")
    assert refused.returncode == 1
    assert f"process {up.process.pid}" in refused.stderr
    assert str(up.client.base_url).rstrip("/") in refused.stderr


def test_sigterm_under_load_drains_and_exits_0(up: Up, donations: str, dynamodb_local: DynamoDBLocal) -> None:
    client = dynamodb_local.client("dynamodb")
    up.start()
    observed(up.is_ready)
    for number in range(300):
        put(client, donations, number)
    began = time.monotonic()
    assert up.end() == 0
    assert time.monotonic() - began < WITHIN_SECONDS
    put(client, donations, 300)
    up.start()
    observed(lambda: totals(up) == {"count": 301, "amount_sum": 3010})
    generations = {status["generation"] for status in up.get("/api/v1/status")["collections"]}
    assert generations == {1}, "what was copied is not copied again"


HANGING_SEARCH = """
import threading
from dynalens.target.search.embedded.index import GenerationIndex

def hang(self, rows, written_at):
    with self._writing:
        print("hangs", flush=True)
        threading.Event().wait()

GenerationIndex.write = hang
"""


def test_sigterm_ends_it_although_a_target_hangs(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal, tmp_path: Path
) -> None:
    put(dynamodb_local.client("dynamodb"), donations, 1)
    (tmp_path / "sitecustomize.py").write_text(HANGING_SEARCH)
    up.start(PYTHONPATH=str(tmp_path))
    observed(lambda: "hangs" in (tmp_path / "up.log").read_text())
    observed(lambda: totals(up) == {"count": 1, "amount_sum": 10})
    began = time.monotonic()
    assert up.end() == 0
    assert time.monotonic() - began < WITHIN_SECONDS


def test_a_value_out_of_scale_is_a_dead_letter_that_can_be_shown_and_redriven(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal
) -> None:
    client = dynamodb_local.client("dynamodb")
    up.start()
    observed(up.is_ready)
    put(client, donations, 1, amount="1.005")
    observed(lambda: up.get("/api/v1/dead-letters")["dead_letters"])
    listed = ask(up, "dlq", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    assert "out_of_scale" in listed.stdout
    assert ask(up, "status").returncode == 3
    shown = ask(up, "dlq", "show", "1", "--json")
    assert "1.005" in shown.stdout
    assert up.sql("SELECT amount FROM donations") == [[1.005]], "only the metric cannot hold it"
    put(client, donations, 1, amount="1")
    observed(lambda: totals(up) == {"count": 1, "amount_sum": 1})
    assert ask(up, "dlq", "redrive", "--all").returncode == 0
    observed(lambda: not up.get("/api/v1/dead-letters?state=redrive")["dead_letters"])
    assert totals(up) == {"count": 1, "amount_sum": 1}, "the newer document stays"


def test_a_stream_turned_off_and_on_again_is_a_gap_that_is_closed(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal
) -> None:
    client = dynamodb_local.client("dynamodb")
    put(client, donations, 1)
    up.start()
    observed(up.is_ready)
    client.update_table(TableName=donations, StreamSpecification={"StreamEnabled": False})
    put(client, donations, 2)
    observed(lambda: any(status["error"] for status in up.get("/api/v1/status")["collections"]))
    assert not up.is_ready()
    client.update_table(TableName=donations, StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"})
    observed(lambda: up.sql("SELECT count() FROM donations") == [[2]], timeout=60)
    observed(lambda: totals(up)["count"] == 2)
    observed(up.is_ready)


def test_a_table_created_anew_replaces_what_the_old_one_held(
    up: Up, donations: str, dynamodb_local: DynamoDBLocal
) -> None:
    client = dynamodb_local.client("dynamodb")
    put(client, donations, 1)
    up.start()
    observed(up.is_ready)
    described = client.describe_table(TableName=donations)["Table"]
    client.delete_table(TableName=donations)
    client.create_table(
        TableName=donations,
        KeySchema=described["KeySchema"],
        AttributeDefinitions=described["AttributeDefinitions"],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    put(client, donations, 2, amount="7")
    observed(lambda: up.sql("SELECT amount FROM donations") == [[7]], timeout=60)
    observed(lambda: totals(up) == {"count": 1, "amount_sum": 7})


def test_nothing_is_answered_beyond_loopback(up: Up) -> None:
    settings = up.file.read_text().replace("port: 0", "port: 0\n  host: 0.0.0.0")
    up.file.write_text(settings)
    refused = dynalens(up, "up")
    assert refused.returncode == 2
    assert "loopback" in refused.stderr


def test_client_commands_say_when_nobody_answers(up: Up) -> None:
    silent = dynalens(up, "status", "--url", "http://127.0.0.1:9")
    assert silent.returncode == 1
    assert "No Dynalens answers at http://127.0.0.1:9" in silent.stderr
    assert "dynalens up" in silent.stderr
