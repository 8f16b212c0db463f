"""The table itself: made on demand, and what is allowed on it.

Sources: "CreateTable" and "UpdateTimeToLive" in the Amazon DynamoDB API reference; "Actions, resources, and condition
keys for Amazon DynamoDB" in the service authorization reference.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import Any

from dynalens.errors import StoreError
from dynalens.position.dynamodb.items import Items, TransientStoreError, transient, translated
from dynalens.position.dynamodb.layout import EXPIRES
from dynalens.retry import STANDARD, RetryPolicy

WORK_ACTIONS = (
    "dynamodb:ConditionCheckItem",
    "dynamodb:DeleteItem",
    "dynamodb:GetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
)
"""What workers do with the table. Transactions need what is in them, and no action of their own."""

CREATE_ACTIONS = (
    "dynamodb:CreateTable",
    "dynamodb:DescribeTable",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:UpdateTimeToLive",
)

_KEYS = (("pk", "HASH"), ("sk", "RANGE"))

_CREATION = RetryPolicy(base_seconds=0.2, cap_seconds=2.0, attempts=600, total_seconds=300.0)
"""A new table is active within seconds, as a rule."""


class OtherTableError(StoreError):
    """A table of the store's name is something else."""

    code = "store_other_table"


def create_table(items: Items) -> bool:
    """Make the store's table, paid by request, and wait until it is active; say whether it was made.

    A table that exists already is left as it is, but for the removal of what has expired, if that is not turned on.

    Raises:
        OtherTableError: A table of that name exists and is no store.
        StoreError: AWS refused.
    """
    described = _described(items)
    if made := described is None:
        _create(items)
    elif not _is_store(described):
        raise OtherTableError(
            f"The table {items.table} exists and is no store: its key is another one.",
            hint="Write another name in store:. Nothing was changed.",
        )
    _until_active(items)
    _expire(items)
    return made


def table_arn(items: Items) -> str:
    """Give the table's ARN; empty where there is no table, or nobody may ask."""
    try:
        described = _described(items)
    except StoreError:
        return ""
    return str(described["TableArn"]) if described else ""


def store_policy(arn: str, *, creating: bool = False) -> dict[str, Any]:
    """Give the least-privilege IAM policy of a worker for the store.

    Args:
        arn: The table's ARN.
        creating: Whether it is to allow `dynalens store create`, too.
    """
    statements = [_allow("DynalensStore", WORK_ACTIONS, arn)]
    if creating:
        statements.append(_allow("DynalensStoreCreate", CREATE_ACTIONS, arn))
    return {"Version": "2012-10-17", "Statement": statements}


def _allow(name: str, actions: tuple[str, ...], arn: str) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": arn}


def _described(items: Items) -> Mapping[str, Any] | None:
    def once() -> Mapping[str, Any] | None:
        with translated("DescribeTable", items.table):
            try:
                return items.client.describe_table(TableName=items.table)["Table"]
            except items.client.exceptions.ResourceNotFoundException:
                return None

    return STANDARD.run(once, retryable=transient, stop=threading.Event())


def _is_store(described: Mapping[str, Any]) -> bool:
    keys = [(key["AttributeName"], key["KeyType"]) for key in described["KeySchema"]]
    kinds = {each["AttributeName"]: each["AttributeType"] for each in described["AttributeDefinitions"]}
    return sorted(keys) == sorted(_KEYS) and all(kinds[name] == "S" for name, _ in keys)


def _create(items: Items) -> None:
    with translated("CreateTable", items.table):
        try:
            items.client.create_table(
                TableName=items.table,
                AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name, _ in _KEYS],
                KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind in _KEYS],  # type: ignore[typeddict-item]
                BillingMode="PAY_PER_REQUEST",
            )
        except items.client.exceptions.ResourceInUseException:
            # Somebody else makes it at the same time.
            return


def _until_active(items: Items) -> None:
    def once() -> None:
        described = _described(items)
        if described is None or described["TableStatus"] not in {"ACTIVE", "UPDATING"}:
            raise TransientStoreError(f"The table {items.table} is still being made.", hint="Try again in a minute.")

    _CREATION.run(once, retryable=transient, stop=threading.Event())


def _expire(items: Items) -> None:
    """Let DynamoDB remove the beats and the last reports of workers that are gone."""
    if _expires(items):
        return
    try:
        with translated("UpdateTimeToLive", items.table):
            items.client.update_time_to_live(
                TableName=items.table, TimeToLiveSpecification={"Enabled": True, "AttributeName": EXPIRES}
            )
    except StoreError:
        # Refused too where somebody else has done it since.
        if not _expires(items):
            raise


def _expires(items: Items) -> bool:
    with translated("DescribeTimeToLive", items.table):
        told = items.client.describe_time_to_live(TableName=items.table)["TimeToLiveDescription"]
    return told.get("TimeToLiveStatus") in {"ENABLED", "ENABLING"}
