"""What a verification finds: differences, and how much was compared to find them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

from dynalens.change import Typed

Key: TypeAlias = Mapping[str, Typed]
Kind = Literal["lost", "extra", "stale"]


class Difference(NamedTuple):
    """One document that is not what its item says; `key` is that of the item."""

    kind: Kind
    id: str
    key: Key


@dataclass(frozen=True, slots=True)
class Finding:
    """Differences of one kind: how many, and the ids of the first of them."""

    count: int = 0
    examples: tuple[str, ...] = ()

    def with_one_more(self, id_: str, examples: int) -> Finding:
        """Give the finding with one document more, and at most so many examples."""
        return Finding(self.count + 1, (*self.examples, id_)[:examples])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a verification has found so far.

    Attributes:
        scanned: Items of the scan that were compared.
        walked: Documents of the target that were asked whether the scan saw them.
        looked_up: Documents whose items were then read by key.
        lost: Items that the target does not have.
        extra: Documents without an item in the collection.
        stale: Documents that are not what their items hold.
        in_flight: Items that changed for as long as they were judged.
        unchecked: Documents that the scan may not have seen, and whose ids are hashes, which tell no key to look up.
        bytes_read: JSON of the items read.
        read_units: Read units consumed.
        complete: Whether everything was compared; else it was stopped, or ended after `MOST_DIFFERENCES`.
    """

    scanned: int = 0
    walked: int = 0
    looked_up: int = 0
    lost: Finding = Finding()
    extra: Finding = Finding()
    stale: Finding = Finding()
    in_flight: int = 0
    unchecked: int = 0
    bytes_read: int = 0
    read_units: float = 0.0
    complete: bool = False

    @property
    def differences(self) -> int:
        """How many documents differ."""
        return self.lost.count + self.extra.count + self.stale.count

    def with_difference(self, found: Difference, examples: int) -> Outcome:
        """Give the outcome with one difference more, and at most so many examples of its kind."""
        match found.kind:
            case "lost":
                return replace(self, lost=self.lost.with_one_more(found.id, examples))
            case "extra":
                return replace(self, extra=self.extra.with_one_more(found.id, examples))
            case "stale":
                return replace(self, stale=self.stale.with_one_more(found.id, examples))

    def as_json(self, *, generation: int, repaired: int, items: int) -> str:
        """Give what a request keeps of it as its outcome, with its progress.

        Args:
            generation: Number of the generation that was compared.
            repaired: How many of the differences were mended.
            items: How many items the table has by DynamoDB's estimate; 0 where there is none.
        """
        done = self.scanned + self.walked
        progress = {"done": done, "total": max(2 * items, done) if items else None}
        return json.dumps({**asdict(self), "generation": generation, "repaired": repaired, "progress": progress})
