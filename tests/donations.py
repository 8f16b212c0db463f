"""Scenario 1's items: donations at an event."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import AttributeValueTypeDef

PLATFORMS = ("Facebook", "Phone", "Web", "Cash")


def create_table(client: DynamoDBClient, table: str) -> None:
    """Create the table, with a stream that carries both images."""
    client.create_table(
        TableName=table,
        KeySchema=[
            {"AttributeName": "email", "KeyType": "HASH"},
            {"AttributeName": "donatedAt", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "email", "AttributeType": "S"},
            {"AttributeName": "donatedAt", "AttributeType": "S"},
        ],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )


def key(number: int) -> dict[str, AttributeValueTypeDef]:
    """Give the key of the donation of this number."""
    return {"email": {"S": f"donor-{number}@test.com"}, "donatedAt": {"S": f"2019-08-07T07:26:{number % 60:02}"}}


def donation(number: int, *, platform: str = "Phone", amount: str = "10") -> dict[str, AttributeValueTypeDef]:
    """Give the donation of this number."""
    return {**key(number), "platform": {"S": platform}, "amount": {"N": amount}}


def put(client: DynamoDBClient, table: str, number: int, *, platform: str = "Phone", amount: str = "10") -> None:
    """Put the donation of this number."""
    client.put_item(TableName=table, Item=donation(number, platform=platform, amount=amount))


def document_id(number: int) -> str:
    """Give the id of the donation's document."""
    return f"S:donor-{number}@test.com|S:2019-08-07T07:26:{number % 60:02}"
