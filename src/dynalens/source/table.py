"""What a table is: its key, its stream, its size; and whether the stream can serve."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynalens.change import KeySchema
from dynalens.config import SourceConfig
from dynalens.errors import StreamDisabledError, TableNotFoundError, ViewTypeError
from dynalens.retry import STANDARD, RetryPolicy
from dynalens.source.aws import Aws, MissingError, transient

if TYPE_CHECKING:
    from types_boto3_dynamodb.type_defs import TableDescriptionTypeDef

WITH_NEW_IMAGES = ("NEW_AND_OLD_IMAGES", "NEW_IMAGE")
"""The view types that carry the item after the change, which every target needs. The first is the one advised."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TableInfo:
    """A table as "DescribeTable" in the Amazon DynamoDB API reference gives it.

    Attributes:
        name: The name, or the ARN, under which the table was asked for.
        arn: The table's ARN.
        region: The region that was asked.
        endpoint_url: The endpoint that was asked, empty for AWS itself.
        keys: The key attributes: partition key, then sort key if there is one.
        stream_arn: The enabled stream; empty when there is none. Turning the stream off and on gives another one.
        view_type: What the stream's records carry; empty without a stream.
        item_count: DynamoDB's estimate, about six hours old; 0 for a young table.
        size_bytes: DynamoDB's estimate of the items' size, as old.
        billing: `PAY_PER_REQUEST` or `PROVISIONED`.
    """

    name: str
    arn: str
    region: str
    endpoint_url: str
    keys: KeySchema
    stream_arn: str
    view_type: str
    item_count: int
    size_bytes: int
    billing: str

    @property
    def enabled(self) -> bool:
        """Whether the table has an enabled stream."""
        return bool(self.stream_arn)


def describe(config: SourceConfig, table: str) -> TableInfo:
    """Connect, and describe a table whose stream is to be read.

    Raises:
        TableNotFoundError: There is no such table.
        StreamDisabledError: It has no enabled stream.
        SourceError: It could not be asked; `AccessError` says which permission is missing.
    """
    with closing(Aws(config)) as aws:
        info = table_info(aws, table)
    require_stream(info)
    return info


def table_info(
    aws: Aws, table: str, *, policy: RetryPolicy = STANDARD, stop: threading.Event | None = None
) -> TableInfo:
    """Describe a table, whether it has a stream or not.

    Raises:
        TableNotFoundError: There is no such table.
        SourceError: It could not be asked.
    """
    try:
        description = policy.run(lambda: aws.describe_table(table), retryable=transient, stop=stop or threading.Event())
    except MissingError as error:
        raise TableNotFoundError(
            f"There is no table {table} in {_place(aws)}.", hint=_not_found_hint(aws.config)
        ) from error
    return _info(aws, table, description)


def require_stream(info: TableInfo) -> None:
    """Check that the table has an enabled stream.

    Raises:
        StreamDisabledError: It has none; the hint is the command that turns it on.
    """
    if not info.enabled:
        raise StreamDisabledError(f"Table {info.name} has no stream.", hint=f"Turn it on: {_turn_on(info)}")


def require_new_images(info: TableInfo) -> None:
    """Check that the stream's records carry what targets need: the item after the change.

    Raises:
        ViewTypeError: They carry keys or old images alone; the hint is the commands that change it.
    """
    if info.view_type not in WITH_NEW_IMAGES:
        raise ViewTypeError(
            f"The stream of table {info.name} carries {info.view_type}, and targets need the item after each change: "
            f"{' or '.join(WITH_NEW_IMAGES)}.",
            # "UpdateTable", StreamSpecification: an enabled stream cannot be changed.
            hint=f"A stream's view type cannot be edited; turn the stream off and on: {_turn_off(info)} && "
            f"{_turn_on(info)}",
        )


def _info(aws: Aws, table: str, description: TableDescriptionTypeDef) -> TableInfo:
    stream = description.get("StreamSpecification")
    enabled = stream is not None and stream["StreamEnabled"]
    keys = sorted(description["KeySchema"], key=lambda key: key["KeyType"])  # HASH before RANGE
    return TableInfo(
        name=table,
        arn=description["TableArn"],
        region=aws.region,
        endpoint_url=aws.config.endpoint_url or "",
        keys=KeySchema(tuple(key["AttributeName"] for key in keys)),
        # LatestStreamArn still names a stream that was turned off.
        stream_arn=description.get("LatestStreamArn", "") if enabled else "",
        view_type=stream["StreamViewType"] if stream and enabled else "",
        item_count=description.get("ItemCount", 0),
        size_bytes=description.get("TableSizeBytes", 0),
        # "BillingModeSummary" is absent for a table that was always provisioned.
        billing=description.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED"),
    )


def _turn_on(info: TableInfo) -> str:
    return _update(info, f"StreamEnabled=true,StreamViewType={WITH_NEW_IMAGES[0]}")


def _turn_off(info: TableInfo) -> str:
    return _update(info, "StreamEnabled=false")


def _update(info: TableInfo, stream: str) -> str:
    endpoint = f" --endpoint-url {info.endpoint_url}" if info.endpoint_url else ""
    return (
        f"aws dynamodb update-table --table-name {info.name} --stream-specification {stream}"
        f" --region {info.region}{endpoint}"
    )


def _place(aws: Aws) -> str:
    return f"{aws.region} at {aws.config.endpoint_url}" if aws.config.endpoint_url else aws.region


def _not_found_hint(config: SourceConfig) -> str:
    if config.endpoint_url:
        return "Check the name; DynamoDB Local keeps tables per access key and region unless run with -sharedDb."
    return "Check the name, source.region and the account of the credentials."
