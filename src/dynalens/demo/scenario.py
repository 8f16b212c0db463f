"""What a scenario of the demo is: tables, what they hold at first, and how that goes on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

Item = dict[str, Any]
"""An item in Python's own types: text, whole numbers, `Decimal`, maps and lists."""

DEFAULT_RATE = 3.0
"""Changes a second over all scenarios when each of them keeps its own pace."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table to create: its name, its key attributes with their types, the partition key first, and its stream."""

    name: str
    key: Mapping[str, Literal["S", "N"]]
    view_type: Literal["NEW_AND_OLD_IMAGES", "NEW_IMAGE"] = "NEW_AND_OLD_IMAGES"


@dataclass(frozen=True, slots=True)
class Put:
    """An item to put into a table."""

    table: Table
    item: Item

    @property
    def key(self) -> Item:
        """The item's key."""
        return {name: self.item[name] for name in self.table.key}


@dataclass(frozen=True, slots=True)
class Delete:
    """An item to delete from a table, by its key."""

    table: Table
    key: Item


Write = Put | Delete


@dataclass(frozen=True, slots=True)
class Step:
    """What happens at one moment, each item at most once, and the seconds until the next moment."""

    writes: Sequence[Write]
    seconds: float


class Scenario(Protocol):
    """Made-up data, the same for the same seed and the same times. Writes nothing by itself."""

    @property
    def tables(self) -> Sequence[Table]:
        """The tables that it writes to."""

    def fill(self, now: datetime) -> Iterator[Put]:
        """Give what stands in the tables at `now` (UTC), every item once. Called once, before the first `step`."""

    def step(self, now: datetime) -> Step:
        """Give what happens at `now` (UTC)."""


def moment(at: datetime) -> str:
    """Give a time as the items have it: `2026-11-21T15:49:07.123`, in UTC without saying so."""
    return at.replace(tzinfo=None).isoformat(timespec="milliseconds")
