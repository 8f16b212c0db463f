"""Removing the stubs that deletes leave, once they are old."""

from __future__ import annotations

from typing import Any

import orjson

from dynalens.errors import TargetError
from dynalens.target.search.cluster.connection import Connection, quoted
from dynalens.target.search.cluster.indices import Index, write_alias
from dynalens.target.search.cluster.lines import sweep_line
from dynalens.target.search.cluster.schema import DELETED_AT, ID, LIVE, VERSION

_AT_ONCE = 1_000
_FIRST_REFUSAL, _NOT_FOUND, _CONFLICT = 300, 404, 409
_MICROSECONDS = 1_000_000


def sweep(connection: Connection, index: Index, older_than: float) -> int:
    """Remove the stubs of an index that were written before `older_than`, epoch seconds; return how many.

    Each only at exactly the version seen: a delete of that version is refused where a later write has come.
    """
    body: dict[str, Any] = {
        "size": _AT_ONCE,
        "_source": [ID, VERSION],
        "query": {
            "bool": {
                "filter": [
                    {"term": {LIVE: False}},
                    {"range": {DELETED_AT: {"lt": max(0, int(older_than * _MICROSECONDS))}}},
                ]
            }
        },
        "sort": [ID],
    }
    swept = 0
    connection.send("POST", quoted(index.name) + "/_refresh")
    while True:
        found = orjson.loads(connection.send("POST", quoted(index.name) + "/_search", orjson.dumps(body)))
        hits = found["hits"]["hits"]
        if not hits:
            return swept
        stubs = [hit["_source"]["_dynalens"] for hit in hits]
        swept += _remove(connection, index, [sweep_line(stub["id"], stub["version"]) for stub in stubs])
        body["search_after"] = hits[-1]["sort"]


def _remove(connection: Connection, index: Index, lines: list[bytes]) -> int:
    # Through its alias: where the index is gone meanwhile, a delete with a version would make it anew.
    path = quoted(write_alias(index.generation)) + "/_bulk"
    answer = orjson.loads(connection.send("POST", path, b"".join(lines), {"require_alias": "true"}))
    statuses = [item["delete"]["status"] for item in answer["items"]]
    refused = {status for status in statuses if status >= _FIRST_REFUSAL} - {_NOT_FOUND, _CONFLICT}
    if refused:
        raise TargetError(
            f"Deletes that are old cannot be removed from {index.name} (HTTP {min(refused)}).",
            hint="Look at the cluster's disk and the blocks of the index.",
        )
    return sum(status < _FIRST_REFUSAL for status in statuses)
