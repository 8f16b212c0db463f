"""The indices of generations: their names, whose they are, and whether they are the ones that were made."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dynalens.config import CollectionConfig
from dynalens.errors import TargetError
from dynalens.target import VERSION_BITS, Generation
from dynalens.target.search.cluster.connection import ClusterError, Connection, quoted
from dynalens.target.search.cluster.schema import LIVE, VERSION, index_body

_META = "dynalens"
_NOT_FOUND = 404
_EVERY = "*@*"


def index_name(generation: Generation) -> str:
    """Give the name of a generation's index: `donations@1`. Indices know no capitals: a digest tells those apart."""
    name = generation.collection.lower()
    if name != generation.collection:
        name = f"{name}~{hashlib.sha256(generation.collection.encode()).hexdigest()[:8]}"
    return f"{name}@{generation.number}"


def write_alias(generation: Generation) -> str:
    """Give the alias that a generation is written through: it goes with the index, and no write makes that anew."""
    return f"{index_name(generation)}.write"


@dataclass(frozen=True, slots=True)
class Index:
    """One index of ours, and what it was made for."""

    name: str
    table: str
    generation: Generation


@dataclass(frozen=True, slots=True)
class Indices:
    """The indices of a cluster that hold generations."""

    connection: Connection

    def all(self) -> list[Index]:
        """List those that Dynalens made, closed ones too; others that are called alike are left alone."""
        found = self.connection.request(
            "GET", quoted(_EVERY) + "/_mapping", expand_wildcards="all", filter_path="*.mappings._meta"
        )
        return [index for name, told in (found or {}).items() if (index := _ours(name, told))]

    def create(self, generation: Generation, collection: CollectionConfig) -> bool:
        """Make an empty index; say whether it was made now, and was not there before."""
        body = index_body(collection.search.settings)
        body["mappings"] |= {
            "_meta": {
                _META: {
                    "table": collection.table,
                    "collection": generation.collection,
                    "number": generation.number,
                }
            }
        }
        # Whatever else somebody adds to the alias, this one is written.
        body["aliases"] = {write_alias(generation): {"is_write_index": True}}
        return self.connection.create_index(index_name(generation), body)

    def delete(self, name: str) -> None:
        """Delete an index; one that is not there is no error."""
        try:
            self.connection.request("DELETE", quoted(name))
        except ClusterError as error:
            if error.status != _NOT_FOUND:
                raise

    def histories(self, names: Sequence[str]) -> dict[str, dict[str, str]]:
        """Give the history of each shard of each index.

        A shard keeps it through restarts, moves and failovers, and gets another one where it may have lost what was
        acknowledged: restored from a snapshot, or forced upon an old or an empty copy (`history_uuid` of a commit).

        Raises:
            TargetError: A shard is not there at the moment, which says nothing about what it holds.
        """
        if not names:
            return {}
        answer = self.connection.request(
            "GET",
            quoted(",".join(names)) + "/_stats/docs",
            level="shards",
            filter_path="_shards,indices.*.shards.*.routing.primary,indices.*.shards.*.commit.user_data.history_uuid",
        )
        found = {name: _primaries(told) for name, told in answer.get("indices", {}).items()}
        wanted = self._shards(names)
        for name in names:
            if len(found.get(name, {})) < wanted[name]:
                raise TargetError(
                    f"Not every shard of {name} is there.", hint="Wait for the cluster, or look at its health."
                )
        return found

    def _shards(self, names: Sequence[str]) -> dict[str, int]:
        told = self.connection.request(
            "GET", quoted(",".join(names)) + "/_settings", filter_path="*.settings.index.number_of_shards"
        )
        return {name: int(one["settings"]["index"]["number_of_shards"]) for name, one in told.items()}

    def refresh(self, names: Iterable[str]) -> None:
        """Let searches see what was written."""
        self.connection.request("POST", quoted(",".join(names)) + "/_refresh")

    def is_empty(self, name: str) -> bool:
        """Tell an index that holds neither document nor stub."""
        self.refresh([name])
        return int(self.connection.request("GET", quoted(name) + "/_count")["count"]) == 0

    def epoch(self, names: Sequence[str]) -> int:
        """Give the highest epoch of the versions in these indices; never too low."""
        if not names:
            return 0
        self.refresh(names)
        body = {"size": 0, "aggs": {"highest": {"max": {"field": VERSION}}}}
        answer = self.connection.request("POST", quoted(",".join(names)) + "/_search", body)
        highest = answer["aggregations"]["highest"]["value"]
        return int(float(highest)) >> VERSION_BITS if highest is not None else 0

    def behind(self, alias: str) -> list[str]:
        """Give the indices behind an alias."""
        try:
            return list(self.connection.request("GET", "/_alias" + quoted(alias)))
        except ClusterError as error:
            if error.status == _NOT_FOUND:
                return []
            raise

    def switch(self, alias: str, before: Iterable[str], to: str) -> None:
        """Point an alias from some indices to another one, in one step; nothing is done where one is not behind it."""
        removed = [{"remove": {"index": name, "alias": alias, "must_exist": True}} for name in before if name != to]
        added = {"add": {"index": to, "alias": alias, "filter": {"term": {LIVE: True}}}}
        self.connection.request("POST", "/_aliases", {"actions": [*removed, added]})


def _ours(name: str, told: Mapping[str, Any]) -> Index | None:
    meta = told.get("mappings", {}).get("_meta", {}).get(_META)
    if not isinstance(meta, dict):
        return None
    generation = Generation(str(meta["collection"]), int(meta["number"]))
    # A copy under another name is somebody else's.
    return Index(name, str(meta["table"]), generation) if index_name(generation) == name else None


def _primaries(told: Mapping[str, Any]) -> dict[str, str]:
    return {
        shard: str(copy["commit"]["user_data"]["history_uuid"])
        for shard, copies in told.get("shards", {}).items()
        for copy in copies
        if copy["routing"]["primary"] and "commit" in copy
    }
