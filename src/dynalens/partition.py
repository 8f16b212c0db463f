"""Partitions, the ordered parts that a source is read in, and positions within them.

A shard of a table's stream and a segment of a table scan are both partitions: each is read from a position, page by
page, and ends. Everything that must survive a crash is said in these two words.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Partition:
    """One ordered part of a table's source.

    Attributes:
        id: The shard's id, or `scan-{copy}-{segment}` for a segment of a scan.
        kind: Whether its changes carry fencing versions (`shard`) or version 0 (`segment`).
        parents: Ids of the shards that must be drained before this one starts.
    """

    id: str
    kind: Literal["shard", "segment"] = "shard"
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """How far one partition has been applied to one target. Positions of one partition are ordered.

    Attributes:
        ended: The partition is closed and every change of it is applied.
        rank: Orders positions of one partition: the sequence number as an integer, or the count of rows scanned.
        token: What the source needs to go on from here: a sequence number, or a scan's `LastEvaluatedKey` as JSON.
    """

    ended: bool = False
    rank: int = -1
    token: str = field(default="", compare=False)


START = Position()
"""Nothing applied: a shard is read from TRIM_HORIZON, a segment from its first page."""
