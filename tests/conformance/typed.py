"""Items as Python writes them, in DynamoDB JSON."""

from __future__ import annotations

from collections.abc import Mapping

from boto3.dynamodb.types import TypeSerializer

from dynalens.change import Typed

_SERIALIZER = TypeSerializer()


def typed_item(item: Mapping[str, object]) -> dict[str, Typed]:
    """Give an item in DynamoDB JSON: None is NULL, a frozenset a set, bytes are binary.

    Raises:
        TypeError: DynamoDB has no type for a value.
    """
    return {name: _SERIALIZER.serialize(value) for name, value in item.items()}
