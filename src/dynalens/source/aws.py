"""Calls to DynamoDB and DynamoDB Streams: clients, errors by their names, and answers as raw bytes.

Each method is one attempt. Errors arrive translated by one table, so that callers tell "try again" from "take a new
iterator", "records are gone" and "you must change something" by class alone.

Sources: "Common Errors" and the pages of each action in the Amazon DynamoDB and DynamoDB Streams API references;
"Error handling with DynamoDB" in the developer guide.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.exceptions import BotoCoreError, ChecksumError, ClientError, NoRegionError
from botocore.model import OperationModel
from botocore.parsers import ResponseParserError

from dynalens.aws import CREDENTIAL_ERRORS, CREDENTIALS_HINT, NETWORK_ERRORS, client_options, said_by, session_for
from dynalens.change import Typed
from dynalens.config import SourceConfig
from dynalens.errors import SourceError, TrimmedError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import ScanInputTypeDef, TableDescriptionTypeDef
    from types_boto3_dynamodbstreams import DynamoDBStreamsClient
    from types_boto3_dynamodbstreams.type_defs import StreamDescriptionTypeDef

READ_SECONDS = 20.0
"""Longest silence in an answer. A page is at most 1 MB and arrives within a second; what takes longer is broken."""

CONNECTIONS = 32
"""Connections kept open per client: one for each thread that reads, so that none is opened anew for a page."""

_DECODED_HERE = {"GetItem", "GetRecords", "Scan"}
_BODY = "DynalensBody"


class TransientError(SourceError):
    """A call failed in a way that may pass by itself: throttling, an error of the service, a broken connection."""

    code = "source_unavailable"


class ExpiredIteratorError(SourceError):
    """A shard iterator is older than its 15 minutes; the position it came from still holds."""

    code = "iterator_expired"


class MissingError(SourceError):
    """The table, stream or shard that was named does not exist (any more)."""

    code = "missing"


class AccessError(SourceError):
    """AWS does not know the caller, or does not let it do this."""

    code = "access"


class Aws:
    """Clients for one account, region and endpoint. Safe to use from several threads; close it when done.

    Args:
        config: Region and endpoints. What it leaves out comes from where AWS's own tools look: the environment,
            `~/.aws`, the role of the task or instance.
        connections: Connections kept open per service.

    Raises:
        SourceError: No region is configured, the profile does not exist, or an endpoint is no URL.
    """

    def __init__(self, config: SourceConfig, *, connections: int = CONNECTIONS) -> None:
        self.config = config
        options = client_options(connections=connections, read_seconds=READ_SECONDS)
        with _configuration_checked():
            session = session_for(config.region, (config.endpoint_url, config.streams_endpoint_url))
            self._dynamodb: DynamoDBClient = session.client(
                "dynamodb", endpoint_url=config.endpoint_url, config=options
            )
            self._streams: DynamoDBStreamsClient = session.client(
                "dynamodbstreams", endpoint_url=config.streams_endpoint_url or config.endpoint_url, config=options
            )
        self.region: str = self._dynamodb.meta.region_name
        self._dynamodb.meta.events.register("before-parse.dynamodb", _receive)
        self._streams.meta.events.register("before-parse.dynamodb-streams", _receive)

    def close(self) -> None:
        """Close the connections."""
        self._dynamodb.close()
        self._streams.close()

    def describe_table(self, table: str) -> TableDescriptionTypeDef:
        """Describe a table, given by name or ARN."""
        with _translated("DescribeTable", table):
            answer = self._dynamodb.describe_table(TableName=table)
            _require(answer, "Table")
            return answer["Table"]

    def table_names(self) -> list[str]:
        """List the names of tables, the first 100 by name."""
        with _translated("ListTables", "all tables"):
            answer = self._dynamodb.list_tables()
            _require(answer, "TableNames")
            return answer["TableNames"]

    def describe_stream(self, stream_arn: str, *, after: str = "") -> StreamDescriptionTypeDef:
        """Read one page of a stream's shards: at most 100, those behind the shard id `after`."""
        with _translated("DescribeStream", stream_arn):
            if after:
                answer = self._streams.describe_stream(StreamArn=stream_arn, ExclusiveStartShardId=after)
            else:
                answer = self._streams.describe_stream(StreamArn=stream_arn)
            _require(answer, "StreamDescription")
            return answer["StreamDescription"]

    def shard_iterator(self, stream_arn: str, shard: str, *, after: str) -> str:
        """Get an iterator behind the sequence number `after`, or at the oldest record when that is empty.

        Never LATEST: it would skip what was written between the shard's birth and this call.
        """
        with _translated("GetShardIterator", stream_arn, shard):
            if after:
                answer = self._streams.get_shard_iterator(
                    StreamArn=stream_arn,
                    ShardId=shard,
                    ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                    SequenceNumber=after,
                )
            else:
                answer = self._streams.get_shard_iterator(
                    StreamArn=stream_arn, ShardId=shard, ShardIteratorType="TRIM_HORIZON"
                )
            _require(answer, "ShardIterator")
            return answer["ShardIterator"]

    def records(self, stream_arn: str, iterator: str, *, limit: int) -> bytes:
        """Read one page of a shard: the body of the answer to GetRecords, as it was sent."""
        with _translated("GetRecords", stream_arn):
            answer: Mapping[str, Any] = self._streams.get_records(ShardIterator=iterator, Limit=limit)
            _require(answer, _BODY)
            body: bytes = answer[_BODY]
            return body

    def item(self, table: str, key: Mapping[str, Typed]) -> dict[str, Typed] | None:
        """Read one item strongly consistently; None when there is none. Key and item are in DynamoDB JSON."""
        with _translated("GetItem", table):
            answer: Mapping[str, Any] = self._dynamodb.get_item(TableName=table, Key=_key(key), ConsistentRead=True)
            _require(answer, _BODY)
        try:
            item: dict[str, Typed] | None = json.loads(answer[_BODY]).get("Item")
        except ValueError as error:
            raise unreadable("GetItem", table, error) from error
        return item

    def scan(  # noqa: PLR0913 - the parameters of a Scan
        self, table: str, *, segment: int, segments: int, limit: int, consistent: bool, after: str = ""
    ) -> bytes:
        """Read one page of a segment behind the key `after` (DynamoDB JSON): the body of the answer, as it was sent."""
        request: ScanInputTypeDef = {
            "TableName": table,
            "Segment": segment,
            "TotalSegments": segments,
            "Limit": limit,
            "ConsistentRead": consistent,
            "ReturnConsumedCapacity": "TOTAL",
        }
        if after:
            request["ExclusiveStartKey"] = _key(json.loads(after))
        with _translated("Scan", table):
            answer: Mapping[str, Any] = self._dynamodb.scan(**request)
            _require(answer, _BODY)
            body: bytes = answer[_BODY]
            return body


def transient(error: Exception) -> bool:
    """Tell whether an error of `Aws` may pass by itself; what every caller gives its retry policy."""
    return isinstance(error, TransientError)


def unreadable(operation: str, subject: str, error: ValueError) -> TransientError:
    """Give the error for an answer that cannot be decoded as a whole: it was cut off or garbled on its way."""
    return TransientError(f"{operation} of {subject} was answered with a broken body: {error}.", hint=_BROKEN.hint)


# Clients.


def _receive(
    response_dict: dict[str, Any],
    customized_response_dict: dict[str, Any],
    operation_model: OperationModel,
    **_: object,
) -> None:
    """Check the body of a success against its checksum, and keep it away from botocore's parser where we decode it.

    botocore calls this for every answer before it parses it ("before-parse" in botocore's events), errors included.
    """
    if response_dict["status_code"] != HTTPStatus.OK:
        return
    body = response_dict["body"]
    expected = response_dict["headers"].get("x-amz-crc32")
    if expected is not None and expected != (actual := str(zlib.crc32(body))):
        raise ChecksumError(checksum_type="crc32", expected_checksum=expected, actual_checksum=actual)
    if operation_model.name in _DECODED_HERE:
        customized_response_dict[_BODY] = body
        response_dict["body"] = b"{}"


def _key(key: Mapping[str, Typed]) -> dict[str, Any]:
    """Turn a key from the wire's JSON into boto3's request form, where binary is bytes."""
    return {name: {"B": base64.b64decode(typed["B"])} if "B" in typed else typed for name, typed in key.items()}


def _require(answer: Mapping[str, object], member: str) -> None:
    """Check a member that every good answer has: botocore reads a body that is no JSON as an answer without members."""
    if not answer.get(member):
        raise ResponseParserError(f"the answer has no {member}")


# Errors.


class _Meaning(NamedTuple):
    """What an error's name means here. Its hint may speak of {action}, the IAM action, and {resource}."""

    error: type[SourceError]
    hint: str


_BUSY = _Meaning(TransientError, "Dynalens tries again while it runs; if it stays, let fewer processes ask.")
_EXHAUSTED = _Meaning(
    TransientError,
    "Dynalens tries again while it runs; if it stays, lower source.scan_read_units or raise the table's read capacity.",
)
_SHARED = _Meaning(TransientError, "Dynalens tries again while it runs; at most two readers may share a shard.")
_BROKEN = _Meaning(
    TransientError, "Dynalens tries again while it runs; if it stays, look at the network and AWS's health page."
)
_DENIED = _Meaning(AccessError, "Allow {action} on {resource} in the caller's IAM policy.")
_UNKNOWN = _Meaning(AccessError, CREDENTIALS_HINT)
_REFUSED = _Meaning(SourceError, "")

_MEANINGS: dict[str, _Meaning] = {
    "ThrottlingException": _BUSY,
    "Throttling": _BUSY,
    "RequestLimitExceeded": _BUSY,
    "ProvisionedThroughputExceededException": _EXHAUSTED,
    "LimitExceededException": _SHARED,
    "InternalServerError": _BROKEN,
    "InternalFailure": _BROKEN,
    "ServiceUnavailable": _BROKEN,
    "ServiceUnavailableException": _BROKEN,
    "ExpiredIteratorException": _Meaning(ExpiredIteratorError, "A new one is taken from the position."),
    "TrimmedDataAccessException": _Meaning(
        TrimmedError, "A stream keeps records for 24 hours; only a scan of the table brings back what they said."
    ),
    "ResourceNotFoundException": _Meaning(MissingError, "Check the name, the region and the account."),
    "AccessDeniedException": _DENIED,
    "AccessDenied": _DENIED,
    "UnauthorizedOperation": _DENIED,
    "ExpiredTokenException": _UNKNOWN,
    "ExpiredToken": _UNKNOWN,
    "UnrecognizedClientException": _UNKNOWN,
    "InvalidClientTokenId": _UNKNOWN,
    "IncompleteSignatureException": _UNKNOWN,
    "MissingAuthenticationTokenException": _UNKNOWN,
    "InvalidSignatureException": _Meaning(
        AccessError, "Check the secret key, and this machine's clock: a signature holds for five minutes."
    ),
}


@contextmanager
def _translated(operation: str, resource: str, shard: str = "") -> Iterator[None]:
    what = f"{operation} of {resource}{shard and f', {shard},'} failed"
    try:
        yield
    except ClientError as error:
        raise _from_service(what, operation, resource, error) from error
    except NETWORK_ERRORS as error:
        raise TransientError(f"{what}: {said_by(error)}.", hint=_BROKEN.hint) from error
    except CREDENTIAL_ERRORS as error:
        raise AccessError(f"{what}: {said_by(error)}.", hint=_UNKNOWN.hint) from error
    except BotoCoreError as error:
        raise SourceError(f"{what}: {said_by(error)}.") from error


def _from_service(what: str, operation: str, resource: str, error: ClientError) -> SourceError:
    name = error.response["Error"].get("Code", "")
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    # An unknown name of the 500s is still the service's own trouble, such as a load balancer's page of HTML.
    meaning = _MEANINGS.get(name, _BROKEN if status >= HTTPStatus.INTERNAL_SERVER_ERROR else _REFUSED)
    said = error.response["Error"].get("Message") or "no reason given"
    return meaning.error(
        f"{what}: {said.rstrip('.')} ({name}).",
        hint=meaning.hint.format(action=f"dynamodb:{operation}", resource=resource),
    )


@contextmanager
def _configuration_checked() -> Iterator[None]:
    try:
        yield
    except NoRegionError as error:
        raise SourceError("No AWS region is configured.", hint="Write it: source: {region: eu-west-1}") from error
    except (BotoCoreError, ValueError) as error:
        # boto3 refuses an endpoint that is no URL with a bare ValueError.
        raise SourceError(
            f"AWS cannot be reached as configured: {said_by(error)}.", hint="Check source: in the file."
        ) from error
