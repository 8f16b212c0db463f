"""A sample of a table's items: a few from each of several segments, so that it is not only the table's head."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass

from dynalens.change import Typed
from dynalens.cli.inspection import PATIENCE
from dynalens.partition import START
from dynalens.source.aws import Aws
from dynalens.source.scan import ScanSource
from dynalens.source.table import TableInfo

SEGMENTS = 8
MOST_READ_UNITS = 1000.0
"""What a sample costs at most, but for its last page: about 8 MB of items."""


@dataclass(frozen=True, slots=True)
class TableSample:
    """What was read of a table.

    Attributes:
        items: The items in DynamoDB JSON.
        whole: Whether the table holds no others.
        read_units: What reading them cost.
    """

    items: list[dict[str, Typed]]
    whole: bool
    read_units: float


def sample_table(aws: Aws, info: TableInfo, *, most: int) -> TableSample:
    """Read up to `most` items, eventually consistently. What cannot be decoded is left out.

    Raises:
        SourceError: The table could not be read; `AccessError` says which permission is missing.
    """
    source = ScanSource(
        aws,
        info,
        copy="sample",
        segments=min(SEGMENTS, most),
        read_units=aws.config.scan_read_units,
        consistent=False,
        stop=threading.Event(),
        policy=PATIENCE,
        page_rows=math.ceil(most / SEGMENTS),
    )
    readers = [source.open(partition, START) for partition in source.discover()]
    items: list[dict[str, Typed]] = []
    while readers and len(items) < most and source.budget.consumed < MOST_READ_UNITS:
        # In turn, a page of each, so that a sample that ends early is still from all over the table.
        reader = readers.pop(0)
        batch = reader.wait_and_read()
        items += [change.new.typed() for change in batch.changes if change.new is not None]
        if not batch.ended:
            readers.append(reader)
    return TableSample(items[:most], not readers and len(items) <= most, source.budget.consumed)
