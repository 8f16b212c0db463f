"""A table and a target that are compared while both change, one step of the world at each call."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dynalens.change import Change, Document, KeySchema, Typed, document_id, render
from dynalens.config import CollectionConfig
from dynalens.source.scan import ReadBudget
from dynalens.target import Generation, Walked, Write, version
from dynalens.testing.memory import MemoryTarget
from dynalens.transform import Route
from dynalens.verification import Comparison

GENERATION = Generation("donations", 1)
KEYS = KeySchema(("id",))
ROUTE = Route("donations", where={"kind": "donation"})
PAGE = 7


def _change(key: str, document: Document | None) -> Change:
    return Change(
        table="Donations",
        id=id_of(key),
        key={"id": {"S": key}},
        kind="scan" if document is not None else "remove",
        new=document,
        size=100,
    )


def item(key: str, value: int, kind: str = "donation") -> dict[str, Typed]:
    return {"id": {"S": key}, "value": {"N": str(value)}, "kind": {"S": kind}}


def id_of(key: str) -> str:
    return document_id({"id": {"S": key}}, KEYS)


@dataclass
class World:
    """A table of which a stream tells the target, later.

    Attributes:
        steps: What happens to the world, one at a time, while it is compared.
        under_way: What the target has not heard of yet, each with how many barriers it passes before the stream has it.
        read: The ids of the items that were read by key.
    """

    steps: Iterator[Callable[[], None]] = field(default_factory=lambda: iter(()))
    table: dict[str, dict[str, Typed]] = field(default_factory=dict)
    memory: MemoryTarget = field(default_factory=MemoryTarget)
    under_way: list[tuple[int, Write]] = field(default_factory=list)
    scanned: int = 0
    read: list[str] = field(default_factory=list)
    barriers: int = 0
    walks: int = 0
    ordinal: int = 0

    def __post_init__(self) -> None:
        self.memory.create(GENERATION, CollectionConfig(table="Donations"))

    # What happens.

    def write(self, key: str, new: dict[str, Typed] | None, *, passes: int = 0) -> None:
        """Change an item; the target hears of it later."""
        if new is None:
            self.table.pop(key, None)
        else:
            self.table[key] = new
        self.ordinal += 1
        self.under_way.append((passes, self._write(key, new, version(2, self.ordinal))))

    def hold(self, key: str, new: dict[str, Typed] | None) -> None:
        """Let the target hold something of an item, whatever the table says."""
        self.ordinal += 1
        self.memory.apply([self._write(key, new, version(1, self.ordinal))])

    def put(self, key: str, value: int = 1) -> None:
        """Let both hold an item."""
        self.table[key] = item(key, value)
        self.hold(key, item(key, value))

    def apply_some(self, number: int) -> None:
        """Let the target apply some of what is under way, in the order of the stream."""
        self.memory.apply([write for _, write in self.under_way[:number]])
        del self.under_way[:number]

    def _write(self, key: str, new: dict[str, Typed] | None, at_version: int) -> Write:
        document = render(new) if new is not None else None
        kept = document if document is not None and ROUTE.takes(document) else None
        return Write(GENERATION, id_of(key), at_version, kept, _change(key, document))

    def _step(self) -> None:
        step = next(self.steps, None)
        if step is not None:
            step()

    # TableReader.

    @property
    def read_units(self) -> float:
        return float(self.scanned + len(self.read))

    def pages(self) -> Iterator[Sequence[Change]]:
        """Scan the keys that the table has when it is begun, each as it is when its page is read."""
        keys = sorted(self.table)
        for first in range(0, len(keys), PAGE):
            self._step()
            found = [(key, self.table[key]) for key in keys[first : first + PAGE] if key in self.table]
            self.scanned += len(found)
            yield [_change(key, render(new)) for key, new in found]

    def items(self, keys: Mapping[str, Mapping[str, Typed]]) -> dict[str, Document]:
        self._step()
        self.read += keys
        names = {id_: key["id"]["S"] for id_, key in keys.items()}
        assert {id_of(name) for name in names.values()} == set(keys)
        return {id_: render(self.table[name]) for id_, name in names.items() if name in self.table}

    def applied(self) -> None:
        """Apply what stands in the stream; what is too late for it passes one barrier more."""
        self._step()
        self.barriers += 1
        late = next((n for n, (passes, _) in enumerate(self.under_way) if passes), len(self.under_way))
        self.apply_some(late)
        self.under_way = [(max(0, passes - 1), write) for passes, write in self.under_way]
        self._step()

    # Comparable.

    def digest(self, generation: Generation, new: Document, /) -> bytes | None:
        return self.memory.digest(generation, new)

    def kept(self, generation: Generation, ids: Sequence[str]) -> dict[str, bytes]:
        self._step()
        return self.memory.kept(generation, ids)

    def walk(self, generation: Generation, cursor: str, limit: int) -> Walked:
        self._step()
        self.walks += not cursor
        return self.memory.walk(generation, cursor, min(limit, PAGE))

    def comparison(self, **how: Any) -> Comparison:  # noqa: ANN401 - the fields of a Comparison
        given: dict[str, Any] = {
            "pace": ReadBudget(1e9),
            "stop": threading.Event(),
            "settling_seconds": 0.0,
            "examples": 1000,
            **how,
        }
        return Comparison(
            target=self, generation=GENERATION, route=ROUTE, keys=KEYS, table=self, applied=self.applied, **given
        )
