"""Items of the store's table: read and written in the words of the store, tried again where that may help.

Every read is strongly consistent. Every write is conditional or may be repeated, and a transaction carries a token, so
that one whose answer was lost is not done twice.

Sources: the pages of each action and "Common Errors" in the Amazon DynamoDB API reference; "Amazon DynamoDB
transactions: how it works" and "Quotas in Amazon DynamoDB" in the developer guide.
"""

from __future__ import annotations

import re
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from boto3.dynamodb.types import Binary, TypeDeserializer, TypeSerializer
from botocore.exceptions import BotoCoreError, ClientError, NoRegionError
from botocore.parsers import ResponseParserError

from dynalens.aws import CREDENTIAL_ERRORS, CREDENTIALS_HINT, NETWORK_ERRORS, client_options, said_by, session_for
from dynalens.config import StoreLocation
from dynalens.errors import StoreError
from dynalens.retry import STANDARD, RetryPolicy

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

MOST_WRITES = 100
"""Items of one transaction."""

READ_SECONDS = 5.0
"""Longest silence in an answer: items are small, and the next attempt is better than a long wait."""

_CONNECTIONS = 16

Value = str | bool | int | bytes | list[str] | None
_Action = Callable[..., Mapping[str, Any]]


class Key(NamedTuple):
    """An item's key: its collection of items, and its place within it."""

    pk: str
    sk: str


class Item(dict[str, Any]):
    """An item's attributes by name, numbers as `int`, binary as `bytes`."""

    @property
    def sk(self) -> str:
        """Its place within its collection of items."""
        sk: str = self["sk"]
        return sk


@dataclass(frozen=True, slots=True)
class Write:
    """One write, alone or in a transaction. In its expressions `#name` is an attribute, `:name` a value.

    Attributes:
        kind: What it does, as the transaction calls it.
        key: The item.
        expression: What an update sets, adds or removes.
        condition: What must hold of the item as it is; empty: nothing.
        values: The values of both expressions.
        attributes: What a put item holds beside its key.
    """

    kind: Literal["Put", "Update", "Delete", "ConditionCheck"]
    key: Key
    expression: str = ""
    condition: str = ""
    values: Mapping[str, Value] = field(default_factory=dict)
    attributes: Mapping[str, Value] = field(default_factory=dict)

    def parameters(self) -> dict[str, Any]:
        """Give the parameters of the request, the table's name left out."""
        given: dict[str, Any] = {}
        if self.kind == "Put":
            given["Item"] = _serialized({**self.key._asdict(), **self.attributes})
        else:
            given["Key"] = _serialized(self.key._asdict())
        if self.expression:
            given["UpdateExpression"] = self.expression
        if self.condition:
            given["ConditionExpression"] = self.condition
        if names := re.findall(r"#(\w+)", f"{self.expression} {self.condition}"):
            given["ExpressionAttributeNames"] = {f"#{name}": name for name in names}
        if self.values:
            given["ExpressionAttributeValues"] = _serialized({f":{name}": value for name, value in self.values.items()})
        return given


def put(key: Key, attributes: Mapping[str, Value], *, condition: str = "", **values: Value) -> Write:
    """Make or replace an item."""
    return Write("Put", key, condition=condition, values=values, attributes=attributes)


def update(key: Key, expression: str, *, condition: str = "", **values: Value) -> Write:
    """Change an item, or make it."""
    return Write("Update", key, expression, condition, values)


def delete(key: Key, *, condition: str = "", **values: Value) -> Write:
    """Remove an item, if it is there."""
    return Write("Delete", key, condition=condition, values=values)


def check(key: Key, condition: str, **values: Value) -> Write:
    """Hold a transaction to a condition on an item that it does not change."""
    return Write("ConditionCheck", key, condition=condition, values=values)


class ConditionLostError(StoreError):
    """A condition did not hold, so nothing was written. `lost` numbers the writes whose conditions did not."""

    def __init__(self, message: str, lost: Sequence[int]) -> None:
        super().__init__(message)
        self.lost = lost


class MissingStoreError(StoreError):
    """There is no table of the store's name."""


class TransientStoreError(StoreError):
    """A call failed in a way that may pass by itself: a conflict, throttling, a broken connection."""


class Items:
    """The items of one table. Safe to use from several threads; close it when done.

    Args:
        location: The table.
        retries: How a call is tried again that may pass by itself.

    Raises:
        StoreError: No region is configured, the profile does not exist, or the endpoint is no URL.
    """

    def __init__(self, location: StoreLocation, retries: RetryPolicy = STANDARD) -> None:
        self.table = location.table
        self._retries = retries
        self._stop = threading.Event()
        options = client_options(connections=_CONNECTIONS, read_seconds=READ_SECONDS)
        with _configuration_checked():
            session = session_for(location.region, (location.endpoint_url,))
            self.client: DynamoDBClient = session.client("dynamodb", endpoint_url=location.endpoint_url, config=options)

    def close(self) -> None:
        """Close the connections; nothing is tried again any more."""
        self._stop.set()
        self.client.close()

    def get(self, key: Key) -> Item | None:
        """Read one item."""
        answer = self._call_table("GetItem", self.client.get_item, Key=_serialized(key._asdict()), ConsistentRead=True)
        return _item(answer["Item"]) if "Item" in answer else None

    def get_all(self, keys: Sequence[Key]) -> dict[Key, Item]:
        """Read items at one moment; those that are not there are left out. At most `MOST_WRITES` keys."""
        if not keys:
            return {}
        asked = [{"Get": {"TableName": self.table, "Key": _serialized(key._asdict())}} for key in keys]
        answer = self._call("TransactGetItems", self.client.transact_get_items, TransactItems=asked)
        found = [_item(each["Item"]) for each in answer["Responses"] if "Item" in each]
        return {Key(item["pk"], item["sk"]): item for item in found}

    def query(self, pk: str, *, prefix: str = "", condition: str = "", **values: Value) -> Iterator[Item]:
        """Read the items of a collection in the order of their places, page by page.

        Args:
            pk: The collection of items.
            prefix: Only places that begin with it.
            condition: What must hold of an item, with `#name` for attributes and `:name` for values.
            values: The values of the condition.
        """
        keys = "#pk = :pk" + (" AND begins_with(#sk, :prefix)" if prefix else "")
        given: dict[str, Any] = {
            "KeyConditionExpression": keys,
            "ExpressionAttributeNames": {f"#{name}": name for name in re.findall(r"#(\w+)", f"{keys} {condition}")},
            "ExpressionAttributeValues": _serialized(
                {":pk": pk, **({":prefix": prefix} if prefix else {}), **{f":{name}": values[name] for name in values}}
            ),
            "ConsistentRead": True,
        }
        if condition:
            given["FilterExpression"] = condition
        while True:
            answer = self._call_table("Query", self.client.query, **given)
            yield from map(_item, answer["Items"])
            if not answer.get("LastEvaluatedKey"):
                return
            given["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def write(self, *writes: Write) -> Item:
        """Do all writes or none; one alone costs half of what it costs in a transaction.

        Returns:
            What an update that stands alone has made of its item.

        Raises:
            ConditionLostError: A condition did not hold.
        """
        if len(writes) == 1 and writes[0].kind != "ConditionCheck":
            return self._write_one(writes[0])
        of_table = {"TableName": self.table}
        self._call(
            "TransactWriteItems",
            self.client.transact_write_items,
            TransactItems=[{write.kind: {**of_table, **write.parameters()}} for write in writes],
            ClientRequestToken=uuid.uuid4().hex,
        )
        return Item()

    def _write_one(self, write: Write) -> Item:
        given = write.parameters()
        if write.kind == "Put":
            self._call_table("PutItem", self.client.put_item, **given)
        elif write.kind == "Delete":
            self._call_table("DeleteItem", self.client.delete_item, **given)
        else:
            answer = self._call_table("UpdateItem", self.client.update_item, **given, ReturnValues="ALL_NEW")
            return _item(answer["Attributes"])
        return Item()

    def _call_table(self, operation: str, action: _Action, **parameters: object) -> Mapping[str, Any]:
        return self._call(operation, action, TableName=self.table, **parameters)

    def _call(self, operation: str, action: _Action, **parameters: object) -> Mapping[str, Any]:
        def once() -> Mapping[str, Any]:
            with translated(operation, self.table):
                answer = action(**parameters, ReturnConsumedCapacity="TOTAL")
                # botocore reads a body that is no JSON as an answer without members: an item would be missing.
                if "ConsumedCapacity" not in answer:
                    raise ResponseParserError("the answer does not say what it consumed")
                return answer

        return self._retries.run(once, retryable=transient, stop=self._stop)


class InTable:
    """Something that is kept in the items of one table.

    Args:
        items: The table's items; closed with it.
    """

    def __init__(self, items: Items) -> None:
        self._items = items

    def close(self) -> None:
        """Close the connections."""
        self._items.close()


def transient(error: Exception) -> bool:
    """Tell whether an error may pass by itself."""
    return isinstance(error, TransientStoreError)


def in_steps(writes: Sequence[Write]) -> Iterator[Sequence[Write]]:
    """Part writes into as many as one transaction may hold."""
    return (writes[start : start + MOST_WRITES] for start in range(0, len(writes), MOST_WRITES))


_serializer = TypeSerializer()
_deserializer = TypeDeserializer()


def _serialized(values: Mapping[str, Value]) -> dict[str, Any]:
    return {name: _serializer.serialize(value) for name, value in values.items()}


def _item(attributes: Mapping[str, Any]) -> Item:
    return Item({name: _plain(typed) for name, typed in attributes.items()})


def _plain(typed: Mapping[str, Any]) -> Any:  # noqa: ANN401 - a value of whatever type
    value = _deserializer.deserialize(typed)  # type: ignore[arg-type] # one type of several, by name
    if isinstance(value, Binary):
        return bytes(value)  # type: ignore[call-overload] # its stubs leave out how
    return int(value) if "N" in typed else value


# Errors.

_BUSY = frozenset(
    {
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
        "ThrottlingError",
        "ThrottlingException",
        "Throttling",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "LimitExceededException",
        "InternalServerError",
        "InternalFailure",
        "ServiceUnavailable",
        "ServiceUnavailableException",
    }
)
_LOST = frozenset({"ConditionalCheckFailed", "ConditionalCheckFailedException"})
_MISSING = "ResourceNotFoundException"
_DENIED = frozenset({"AccessDeniedException", "AccessDenied", "UnauthorizedOperation"})
_UNKNOWN_CALLER = frozenset(
    {
        "ExpiredTokenException",
        "ExpiredToken",
        "UnrecognizedClientException",
        "InvalidClientTokenId",
        "IncompleteSignatureException",
        "MissingAuthenticationTokenException",
    }
)

_BUSY_HINT = "Dynalens tries again while it runs; if it stays, look at the network, the table's metrics and its limits."


@contextmanager
def translated(operation: str, table: str) -> Iterator[None]:
    """Give what AWS says as errors of the store.

    Raises:
        ConditionLostError: A condition did not hold.
        TransientStoreError: It may pass by itself.
        StoreError: Somebody has to change something.
    """
    what = f"{operation} of the store {table} failed"
    try:
        yield
    except ClientError as error:
        raise _from_service(what, error) from error
    except NETWORK_ERRORS as error:
        raise TransientStoreError(f"{what}: {said_by(error)}.", hint=_BUSY_HINT) from error
    except CREDENTIAL_ERRORS as error:
        raise StoreError(f"{what}: {said_by(error)}.", hint=CREDENTIALS_HINT) from error
    except BotoCoreError as error:
        raise StoreError(f"{what}: {said_by(error)}.") from error


def _from_service(what: str, error: ClientError) -> StoreError:
    name = error.response["Error"].get("Code", "")
    status = error.response["ResponseMetadata"].get("HTTPStatusCode", 0)
    said = f"{what}: {(error.response['Error'].get('Message') or 'no reason given').rstrip('.')} ({name})."
    # Of a transaction that was cancelled, each write has its own reason.
    reasons = [reason.get("Code", "None") for reason in error.response.get("CancellationReasons", [])] or [name]
    if lost := [place for place, reason in enumerate(reasons) if reason in _LOST]:
        return ConditionLostError(said, lost)
    # A number is no name of DynamoDB's: something on the way answered, or the name was garbled.
    strange = name.isdigit() or status >= HTTPStatus.INTERNAL_SERVER_ERROR
    if strange or name in _BUSY or _BUSY.intersection(reasons):
        return TransientStoreError(said, hint=_BUSY_HINT)
    if name == _MISSING:
        return MissingStoreError(said, hint=_hint(name))
    return StoreError(said, hint=_hint(name))


def _hint(name: str) -> str:
    if name == _MISSING:
        return "Create the table: dynalens store create. If it exists, check its name, the region and the account."
    if name in _DENIED:
        return "Allow it in the caller's IAM policy: dynalens store policy prints all that is needed."
    if name in _UNKNOWN_CALLER:
        return CREDENTIALS_HINT
    if name == "InvalidSignatureException":
        return "Check the secret key, and this machine's clock: a signature holds for five minutes."
    return ""


@contextmanager
def _configuration_checked() -> Iterator[None]:
    try:
        yield
    except NoRegionError as error:
        raise StoreError(
            "No AWS region is configured for the store.", hint="Write it: store: dynamodb://TABLE?region=eu-west-1"
        ) from error
    except (BotoCoreError, ValueError) as error:
        # boto3 refuses an endpoint that is no URL with a bare ValueError.
        raise StoreError(
            f"The store cannot be reached as configured: {said_by(error)}.", hint="Check store: in the file."
        ) from error
