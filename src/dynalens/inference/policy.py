"""The least-privilege IAM policy: what reading tables and following their streams takes, and nothing that writes.

Sources: "Actions, resources, and condition keys for Amazon DynamoDB" in the service authorization reference. The
actions are those that `dynalens.source.aws` calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

TABLE_ACTIONS = ("dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:Scan")
"""The key and the stream; one item, when a dead letter is redriven; the first copy."""

STREAM_ACTIONS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")


def iam_policy(table_arns: Sequence[str]) -> dict[str, Any]:
    """Give the policy that `dynalens init`, `check` and `up` need for these tables.

    Every stream of a table is allowed: turning one off and on gives another ARN.
    """
    return {
        "Version": "2012-10-17",
        "Statement": [
            _allow("DynalensTables", TABLE_ACTIONS, table_arns),
            _allow("DynalensStreams", STREAM_ACTIONS, [f"{arn}/stream/*" for arn in table_arns]),
        ],
    }


def _allow(name: str, actions: Sequence[str], resources: Sequence[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": list(actions), "Resource": list(resources)}
