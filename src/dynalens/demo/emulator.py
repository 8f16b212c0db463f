"""The emulated DynamoDB: moto's server in this process, on loopback, and what is written into it.

moto keeps every shard iterator that it ever gave, two kilobytes each, and a reader asks for dozens a second; so old
ones are forgotten here ("moto/dynamodbstreams/models.py": each GetRecords adds one to `shard_iterators`).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any

import boto3
from boto3.dynamodb.types import TypeSerializer
from botocore.config import Config

from dynalens.demo.environment import REGION, apart_from_aws
from dynalens.demo.scenario import Put, Table, Write
from dynalens.errors import MissingExtraError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import WriteRequestTypeDef

BATCH_ITEMS = 25
"""Most items in one request ("BatchWriteItem" in the Amazon DynamoDB API reference)."""

KEPT_ITERATORS = 20_000
"""Shard iterators that are kept: those of several minutes, while a reader uses its newest."""


@dataclass(frozen=True, slots=True)
class Emulator:
    """A running emulator.

    Attributes:
        endpoint_url: Where it answers.
    """

    endpoint_url: str
    _client: DynamoDBClient

    def create(self, table: Table) -> None:
        """Create a table, without a stream."""
        self._client.create_table(
            TableName=table.name,
            KeySchema=[
                # The partition key first.
                {"AttributeName": name, "KeyType": "RANGE" if place else "HASH"}
                for place, name in enumerate(table.key)
            ],
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in table.key.items()],
            BillingMode="PAY_PER_REQUEST",
        )

    def turn_stream_on(self, table: Table) -> None:
        """Turn the table's stream on: it carries what is written from now on."""
        self._client.update_table(
            TableName=table.name, StreamSpecification={"StreamEnabled": True, "StreamViewType": table.view_type}
        )

    def write(self, writes: Iterable[Write]) -> None:
        """Put and delete; an item may occur once in 25 writes."""
        remaining = iter(writes)
        while batch := list(islice(remaining, BATCH_ITEMS)):
            self._client.batch_write_item(RequestItems=_requests(batch))

    def forget_old_iterators(self) -> None:
        """Forget the oldest shard iterators, once there are too many."""
        from moto.core.models import DEFAULT_ACCOUNT_ID
        from moto.dynamodbstreams.models import dynamodbstreams_backends

        iterators: dict[str, Any] = dynamodbstreams_backends[DEFAULT_ACCOUNT_ID][REGION].shard_iterators
        for iterator in list(iterators)[:-KEPT_ITERATORS]:
            del iterators[iterator]


@contextmanager
def emulator() -> Iterator[Emulator]:
    """Run an empty emulator in threads of this process, on a free port of loopback, `apart_from_aws`.

    Raises:
        MissingExtraError: moto is not installed.
    """
    try:
        from moto.server import ThreadedMotoServer  # it takes a second to import
    except ImportError as error:
        raise MissingExtraError("The emulated DynamoDB (moto)") from error
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    with apart_from_aws():
        server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        server.start()
        try:
            host, port = server.get_host_and_port()
            endpoint_url = f"http://{host}:{port}"
            with closing(_client(endpoint_url)) as client:
                yield Emulator(endpoint_url, client)
        finally:
            server.stop()


def _client(endpoint_url: str) -> DynamoDBClient:
    # A proxy is no way to this machine itself.
    return boto3.Session().client("dynamodb", endpoint_url=endpoint_url, config=Config(proxies={}))


def _requests(writes: Sequence[Write]) -> dict[str, list[WriteRequestTypeDef]]:
    by_table = groupby(sorted(writes, key=_table), key=_table)
    return {table: [_request(write) for write in group] for table, group in by_table}


def _table(write: Write) -> str:
    return write.table.name


def _request(write: Write) -> WriteRequestTypeDef:
    if isinstance(write, Put):
        return {"PutRequest": {"Item": _typed(write.item)}}
    return {"DeleteRequest": {"Key": _typed(write.key)}}


def _typed(item: dict[str, Any]) -> dict[str, Any]:
    serializer = TypeSerializer()
    return {name: serializer.serialize(value) for name, value in item.items()}
