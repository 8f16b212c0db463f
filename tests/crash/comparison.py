"""Whether a running `dynalens up` holds exactly what the table holds: documents, SQL and metrics."""

from __future__ import annotations

import json
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dynalens.change import KeySchema, document_id, render
from tests.up import Up

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

KEYS = KeySchema(("email", "donatedAt"))


def differences(client: DynamoDBClient, table: str, up: Up) -> dict[str, Any]:
    """Give what differs between the table and the donations that are served; empty when nothing does."""
    items = _items(client, table)
    documents = {row[0]: row[1] for row in up.sql("SELECT _id, _doc FROM donations")}
    found: dict[str, Any] = {
        "lost": sorted(items.keys() - documents.keys())[:5],
        "extra": sorted(documents.keys() - items.keys())[:5],
        "stale": sorted(id_ for id_ in items.keys() & documents.keys() if not _same(items[id_], documents[id_]))[:5],
        "metrics": _wrong_metrics(items, up),
    }
    return {kind: some for kind, some in found.items() if some}


def _items(client: DynamoDBClient, table: str) -> dict[str, bytes]:
    pages = client.get_paginator("scan").paginate(TableName=table, ConsistentRead=True)
    return {document_id(item, KEYS): render(item).json for page in pages for item in page["Items"]}


def _same(item: bytes, document: str) -> bool:
    return bool(json.loads(item, parse_float=Decimal) == json.loads(document, parse_float=Decimal))


def _wrong_metrics(items: dict[str, bytes], up: Up) -> object:
    expected: Counter[str] = Counter()
    sums: dict[str, Decimal] = {}
    for item in items.values():
        fields = json.loads(item, parse_float=Decimal, parse_int=Decimal)
        expected[fields["platform"]] += 1
        sums[fields["platform"]] = sums.get(fields["platform"], Decimal(0)) + fields["amount"]
    answer = json.loads(
        up.client.get("/api/v1/collections/donations/metrics/by_platform").text, parse_float=Decimal, parse_int=Decimal
    )
    groups = {group["group"]["platform"]: group["values"] for group in answer["groups"]}
    wanted = {name: {"count": count, "amount_sum": sums[name]} for name, count in expected.items()}
    total = {"count": sum(expected.values()), "amount_sum": sum(sums.values(), Decimal(0))}
    return None if groups == wanted and answer["total"] == total else {"groups": groups, "expected": wanted}
