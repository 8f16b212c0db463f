"""What the target durably knows beside the documents, in an index of its own: epochs, marks, paths, and histories.

The index is made when something is first looked for in it.

Each entry is one document, changed only from what it was read as (`if_seq_no`, "Optimistic concurrency control",
OpenSearch documentation), so that several workers never overwrite one another, and read in real time by its id.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import partial
from typing import Any

import orjson

from dynalens.errors import TargetError
from dynalens.partition import START, Position
from dynalens.target import Mark
from dynalens.target.search.cluster.bulk import PASSING, PATIENCE
from dynalens.target.search.cluster.connection import NO_INDEX, ClusterError, Connection, quoted

INDEX = "dynalens-state"
WRITE_ALIAS = f"{INDEX}.write"
"""Entries are written through it: where the index is gone, it is not made anew without its mapping."""

_NOT_FOUND, _CONFLICT, _UNAVAILABLE = 404, 409, 503
_FIRST_REFUSAL = 300
_ATTEMPTS = 100
"""Changes of one entry that may come in between: all of a table's workers write their own."""
_PAGE = 5_000
_LONGEST_ID = 512

_BODY = {
    "settings": {
        "index": {
            "number_of_shards": 1,
            "auto_expand_replicas": "0-1",
            "hidden": True,
            "translog.durability": "request",
        }
    },
    "mappings": {
        "dynamic": False,
        "properties": {"kind": {"type": "keyword"}, "table": {"type": "keyword"}, "id": {"type": "keyword"}},
    },
    "aliases": {WRITE_ALIAS: {"is_hidden": True}},
}

_Entry = Mapping[str, Any]
_Change = Callable[[_Entry | None], _Entry | None]
"""From what an entry is to what it is to be; None leaves it as it is."""


class State:
    """Entries of one cluster; safe to use from several threads and processes.

    Args:
        connection: The cluster.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._closing = threading.Event()

    def close(self) -> None:
        """End what waits to be written again."""
        self._closing.set()

    # Epochs.

    def epoch(self, table: str) -> int:
        """Give the highest epoch remembered for a table; 0 when there is none."""
        entry = self._read([_id("epoch", table)])[0]
        return int(entry["epoch"]) if entry else 0

    def raise_epoch(self, table: str, epoch: int) -> None:
        """Remember an epoch; a lower one changes nothing."""

        def raised(entry: _Entry | None) -> _Entry | None:
            if entry is not None and int(entry["epoch"]) >= epoch:
                return None
            return {"kind": "epoch", "table": table, "epoch": epoch}

        self._change({_id("epoch", table): raised})

    # Marks.

    def marks(self, table: str) -> dict[str, Mark]:
        """Give the position applied last, by partition."""
        return {entry["partition"]: _mark(entry) for entry in self._listed("mark", table)}

    def begin(self, table: str, epochs: Mapping[str, int]) -> dict[str, Position]:
        """Let marks take the epochs of new sessions; give their positions, but those held under a higher epoch.

        Each mark is taken over in one step of its own.
        """
        begun: dict[str, Position] = {}

        def beginning(partition: str, epoch: int) -> _Change:
            def begin(entry: _Entry | None) -> _Entry | None:
                begun.pop(partition, None)
                mark = _mark(entry) if entry else Mark(epoch, START)
                if mark.epoch > epoch:
                    return None
                begun[partition] = mark.position
                return _entry(table, partition, Mark(epoch, mark.position))

            return begin

        self._change(
            {_id("mark", table, partition): beginning(partition, epoch) for partition, epoch in epochs.items()}
        )
        return begun

    def mark(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Remember positions; a mark of a lower epoch than the one that is held changes nothing."""

        def marking(partition: str, mark: Mark) -> _Change:
            return lambda entry: None if entry and int(entry["epoch"]) > mark.epoch else _entry(table, partition, mark)

        self._change({_id("mark", table, partition): marking(partition, mark) for partition, mark in marks.items()})

    def forget_marks(self, table: str, marks: Mapping[str, Mark]) -> None:
        """Forget positions, each unless a higher epoch has marked it since."""

        def forgetting(mark: Mark) -> _Change:
            return lambda entry: {} if entry and int(entry["epoch"]) <= mark.epoch else None

        self._change({_id("mark", table, partition): forgetting(mark) for partition, mark in marks.items()})

    # Generations, by the name of their index.

    def histories(self, indices: Sequence[str]) -> dict[str, Mapping[str, str]]:
        """Give the histories of shards that indices were made with, by index; one that is not complete is left out."""
        entries = self._read([_id("generation", index) for index in indices])
        return {index: entry["histories"] for index, entry in zip(indices, entries, strict=True) if entry}

    def remember(self, index: str, histories: Mapping[str, str], paths: Iterable[str]) -> None:
        """Remember that an index is complete; one that is remembered stays as it is."""
        made = {"kind": "generation", "id": index, "histories": dict(histories), "paths": sorted(set(paths))}
        self._change({_id("generation", index): lambda entry: None if entry else made})

    def forget(self, index: str) -> None:
        """Forget an index."""
        self._change({_id("generation", index): lambda entry: {} if entry else None})

    def paths(self, index: str) -> frozenset[str]:
        """Give the names of the paths that are indexed by name; none of an index that is not remembered."""
        entry = self._read([_id("generation", index)])[0]
        return frozenset(entry["paths"] if entry else ())

    def admit(self, index: str, choose: Callable[[AbstractSet[str]], Collection[str]]) -> frozenset[str]:
        """Remember further paths, before the first document that has them is written; give all of them.

        Args:
            index: The index.
            choose: Gives those to add to the ones that there are.

        Raises:
            TargetError: The index is not remembered.
        """
        admitted: frozenset[str] = frozenset()

        def admitting(entry: _Entry | None) -> _Entry | None:
            nonlocal admitted
            if entry is None:
                raise TargetError(
                    f"The search cluster has forgotten the paths of {index}.", hint="Start dynalens again to build it."
                )
            known = frozenset(entry["paths"])
            admitted = known | frozenset(choose(known))
            return None if admitted == known else {**entry, "paths": sorted(admitted)}

        self._change({_id("generation", index): admitting})
        return admitted

    # Entries.

    def _read(self, ids: Sequence[str]) -> list[_Entry | None]:
        return [found.get("_source") for found in self._found(ids)]

    def _found(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Read entries as they are this very moment, with what tells one state of them from the next."""
        if not ids:
            return []
        found = self._asked(ids)
        if any(one.get("error", {}).get("type") == NO_INDEX for one in found):
            self._connection.create_index(INDEX, _BODY)
            found = self._asked(ids)
        for one in found:
            if "error" in one:
                raise ClusterError(
                    f"The search cluster's state cannot be read: {one['error'].get('reason')}.",
                    hint="Look at the cluster's health.",
                    # A shard that is not there yet: another worker may just be making the index.
                    status=_UNAVAILABLE,
                    type_=str(one["error"].get("type", "")),
                )
        return found

    def _asked(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        answer = self._connection.send("POST", quoted(INDEX) + "/_mget", orjson.dumps({"ids": list(ids)}))
        return list(orjson.loads(answer)["docs"])

    def _change(self, changes: Mapping[str, _Change]) -> None:
        """Change entries, each in one atomic step; others may do the same meanwhile."""
        due = dict(changes)
        for _ in range(_ATTEMPTS):
            if not due:
                return
            due = PATIENCE.run(partial(self._change_once, due), retryable=_passes, stop=self._closing)
        raise TargetError(
            f"Entries of the search cluster's state keep changing: {', '.join(due)[:200]}.",
            hint="Look for a worker that begins again and again.",
        )

    def _change_once(self, due: Mapping[str, _Change]) -> dict[str, _Change]:
        """Change entries as they are now; give the changes before which something came in between."""
        written = list(self._planned(due))
        lost = self._write([line for _, line in written])
        return {id_: due[id_] for (id_, _), is_lost in zip(written, lost, strict=True) if is_lost}

    def _planned(self, changes: Mapping[str, _Change]) -> Iterator[tuple[str, bytes]]:
        """Give the entries to write, each as lines of a bulk request that hold only if it is as it was read."""
        ids = list(changes)
        for id_, found in zip(ids, self._found(ids), strict=True):
            entry = changes[id_](found.get("_source"))
            if entry is None:
                continue
            action: dict[str, Any] = {"_id": id_}
            if found.get("found"):
                action |= {"if_seq_no": found["_seq_no"], "if_primary_term": found["_primary_term"]}
            if not entry:
                yield id_, orjson.dumps({"delete": action}) + b"\n"
            else:
                kind = "index" if found.get("found") else "create"
                yield id_, orjson.dumps({kind: action}) + b"\n" + orjson.dumps(entry) + b"\n"

    def _write(self, lines: Sequence[bytes]) -> list[bool]:
        """Write lines; say of each whether something came in between."""
        if not lines:
            return []
        answer = self._connection.send(
            "POST", quoted(WRITE_ALIAS) + "/_bulk", b"".join(lines), {"require_alias": "true"}
        )
        return [_is_lost(item) for item in orjson.loads(answer)["items"]]

    def _listed(self, kind: str, table: str) -> Iterator[_Entry]:
        """List all entries of a kind of a table, as of now."""
        try:
            self._connection.send("POST", quoted(INDEX) + "/_refresh")
        except ClusterError as error:
            if error.type == NO_INDEX:
                return
            raise
        terms = [{"term": {"kind": kind}}, {"term": {"table": table}}]
        body: dict[str, Any] = {"size": _PAGE, "query": {"bool": {"filter": terms}}, "sort": ["id"]}
        while True:
            answer = orjson.loads(self._connection.send("POST", quoted(INDEX) + "/_search", orjson.dumps(body)))
            hits = answer["hits"]["hits"]
            yield from (hit["_source"] for hit in hits)
            if len(hits) < _PAGE:
                return
            body["search_after"] = hits[-1]["sort"]


def _is_lost(item: Mapping[str, Any]) -> bool:
    [(action, told)] = item.items()
    status = told["status"]
    if status < _FIRST_REFUSAL or (action == "delete" and status == _NOT_FOUND and "error" not in told):
        return False
    if status == _CONFLICT:
        return True
    error = told.get("error", {})
    raise ClusterError(
        f"The search cluster's state cannot be written: {error.get('reason')} (HTTP {status}).",
        hint="Look at its disk and the blocks of its indices; start dynalens again to build what is gone.",
        status=status,
        type_=str(error.get("type", "")),
    )


def _passes(error: Exception) -> bool:
    """Tell what is turned away for a while; what of it was written is written again as it is."""
    return isinstance(error, ClusterError) and error.status in PASSING


def _id(kind: str, *names: str) -> str:
    text = "/".join([kind, *names])
    if len(text.encode()) <= _LONGEST_ID:
        return text
    return f"{kind}/~{hashlib.sha256(text.encode()).hexdigest()}"


def _entry(table: str, partition: str, mark: Mark) -> _Entry:
    position = mark.position
    return {
        "kind": "mark",
        "table": table,
        "id": _id("mark", table, partition),
        "partition": partition,
        "epoch": mark.epoch,
        "ended": position.ended,
        # Ranks have up to 40 digits; a token as JSON may hold what has no UTF-8.
        "rank": str(position.rank),
        "token": json.dumps(position.token),
    }


def _mark(entry: _Entry) -> Mark:
    position = Position(bool(entry["ended"]), int(entry["rank"]), json.loads(entry["token"]))
    return Mark(int(entry["epoch"]), position)
