"""From a put to its being visible in each target, against a loop that does nothing but poll the stream.

One `dynalens up` over DynamoDB Local; each put waits until the one before is visible everywhere. `poll alone` asks
GetRecords again and again until the record is there: no consumer of the stream can be earlier. Visible in search: a
search for its e-mail address finds it. Visible in sql: the document's route answers with it. Visible in metrics: the
metric's total has counted it.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

from bench.fundraiser import TABLE, emulator, source
from dynalens.source.aws import Aws
from tests.donations import document_id, put
from tests.services.dynamodb_local import DynamoDBLocal
from tests.up import DONATION_METRICS, Up
from tests.waiting import observed

PUTS = 100


def run() -> str:
    """Measure, and give the table as markdown."""
    seconds: dict[str, list[float]] = {"poll alone": [], "search": [], "sql": [], "metrics": []}
    with emulator() as server, tempfile.TemporaryDirectory() as folder:
        up = _up(server, Path(folder))
        client = server.client("dynamodb")
        poll = Polling(server)
        for number in range(PUTS):
            began = time.perf_counter()
            put(client, TABLE, number)
            for name, visible in _visible(up, poll, number).items():
                _until(visible)
                seconds[name].append(time.perf_counter() - began)
        up.stop()
    return "\n".join(
        [
            f"{PUTS} puts, one after the other; milliseconds. The targets are asked in the order of the rows.",
            "",
            "| | p50 | p99 | ratio of p50 to poll alone |",
            "|---|---:|---:|---:|",
            *(_row(name, times, statistics.median(seconds["poll alone"])) for name, times in seconds.items()),
        ]
    )


class Polling:
    """The stream's newest records, and nothing else."""

    def __init__(self, server: DynamoDBLocal) -> None:
        self._aws = Aws(source(server))
        arn = self._aws.describe_table(TABLE)["LatestStreamArn"]
        self._arn = arn
        (shard,) = self._aws.describe_stream(arn)["Shards"]
        self._iterator = self._aws.shard_iterator(arn, shard["ShardId"], after="")

    def has(self, number: int) -> bool:
        """Read on, and say whether the donation of this number came."""
        body = self._aws.records(self._arn, self._iterator, limit=1000)
        self._iterator = body.rpartition(b'"NextShardIterator":"')[2].partition(b'"')[0].decode()
        return f'"donor-{number}@test.com"'.encode() in body


def _up(server: DynamoDBLocal, folder: Path) -> Up:
    up = Up(
        folder,
        {
            "source": {"endpoint_url": server.endpoint_url, "region": "eu-west-1"},
            "collections": {"donations": {"table": TABLE, "metrics": DONATION_METRICS}},
        },
    )
    up.start()
    observed(up.is_ready, timeout=60)
    return up


def _visible(up: Up, poll: Polling, number: int) -> dict[str, Callable[[], bool]]:
    document = f"/api/v1/collections/donations/documents/{quote(document_id(number))}"
    term = {"query": {"term": {"email": f"donor-{number}@test.com"}}}
    metric = "/api/v1/collections/donations/metrics/by_platform"
    return {
        "poll alone": lambda: poll.has(number),
        "search": lambda: up.client.post("/donations/_count", json=term).json().get("count") == 1,
        "sql": lambda: up.client.get(document).is_success,
        "metrics": lambda: (up.get(metric)["total"] or {}).get("count") == number + 1,
    }


def _until(visible: Callable[[], bool]) -> None:
    while not visible():
        pass


def _row(name: str, times: list[float], base: float) -> str:
    median, slow = statistics.median(times), statistics.quantiles(times, n=100)[98]
    return f"| {name} | {median * 1000:.1f} | {slow * 1000:.1f} | {median / base:.1f} |"
