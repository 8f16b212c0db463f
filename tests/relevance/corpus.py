"""The documents that are searched: a file for each collection, each document under a label that the queries use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from dynalens.change import Change, KeySchema, Typed, document_id, render
from dynalens.config import CollectionConfig
from dynalens.target import Generation, Write
from tests.relevance.reading import FOLDER, read


@dataclass(frozen=True)
class Collection:
    """One collection of the corpus."""

    name: str
    table: str
    keys: KeySchema
    items: Mapping[str, Mapping[str, Typed]]
    """Items in DynamoDB JSON, by label."""

    @property
    def config(self) -> CollectionConfig:
        return CollectionConfig(table=self.table)

    @property
    def generation(self) -> Generation:
        return Generation(self.name, 1)

    def ids(self) -> dict[str, str]:
        """Give each document's id, by label."""
        return {label: document_id(self._key(item), self.keys) for label, item in self.items.items()}

    def writes(self) -> list[Write]:
        """Give the writes that a first scan of the table would make."""
        return [self._write(item) for item in self.items.values()]

    def _key(self, item: Mapping[str, Typed]) -> dict[str, Typed]:
        return {name: item[name] for name in self.keys.names}

    def _write(self, item: Mapping[str, Typed]) -> Write:
        key, document = self._key(item), render(item)
        change = Change(
            table=self.table,
            id=document_id(key, self.keys),
            key=key,
            kind="scan",
            new=document,
            size=len(document.json),
        )
        return Write(self.generation, change.id, 0, document, change)


@cache
def corpus() -> Mapping[str, Collection]:
    """Read all collections, by name."""
    return {path.stem: _collection(path) for path in sorted((FOLDER / "corpus").glob("*.yaml"))}


def _collection(path: Path) -> Collection:
    content = read(path)
    items = {label: _item(document) for label, document in content["documents"].items()}
    return Collection(path.stem, content["table"], KeySchema(tuple(content["key"])), items)


def _item(document: Mapping[str, Any]) -> dict[str, Typed]:
    return {name: _typed(value) for name, value in document.items()}


def _typed(value: object) -> Typed:
    match value:
        case list():
            return {"L": [_typed(member) for member in value]}
        case dict():
            return {"M": _item(value)}
        case frozenset():
            return {"SS": sorted(value)}
    return _scalar(value)


def _scalar(value: object) -> Typed:
    match value:
        case None:
            return {"NULL": True}
        case bool():
            return {"BOOL": value}
        case int() | Decimal():
            return {"N": str(value)}
        case str():
            return {"S": value}
    raise TypeError(f"no DynamoDB type for {value!r}")
