"""Items as tables hold them, and files that were inferred from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from boto3.dynamodb.types import TypeSerializer

from dynalens.inference import DescribedTable, Names, Sample, TableDescription, describe_table, render_file

NOW = 1_795_000_000.0
"""When the tests infer: 18 November 2026."""

Item = Mapping[str, Mapping[str, Any]]


def typed(*items: Mapping[str, Any]) -> list[Item]:
    """Give items in DynamoDB JSON."""
    serialize = TypeSerializer().serialize
    return [{name: serialize(value) for name, value in item.items()} for item in items]


def described(
    items: Sequence[Item],
    *,
    table: str = "Things",
    keys: tuple[str, ...] = ("id",),
    names: Names | None = None,
    whole: bool = True,
) -> TableDescription:
    """Infer from items."""
    return describe_table(Sample(table, keys, items, whole), names or Names(), now=NOW)


def rendered(*descriptions: TableDescription, keys: tuple[str, ...] = ("id",), endpoint_url: str | None = None) -> str:
    """Write the file."""
    tables = [
        DescribedTable(description=description, keys=keys, size="7 items", sampled=7, whole=True)
        for description in descriptions
    ]
    return render_file(tables, region="eu-west-1", endpoint_url=endpoint_url)
