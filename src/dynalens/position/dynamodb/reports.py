"""Reports and requests in the table."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

from dynalens.position.dynamodb.items import ConditionLostError, InTable, Key, delete, in_steps, put, update
from dynalens.position.dynamodb.layout import padded
from dynalens.position.dynamodb.positions import raise_revision
from dynalens.report import Report
from dynalens.request import Request, forgettable

KEPT_SECONDS = 48 * 3600
"""How long the report of a worker that is gone is kept: twice as long as a stream keeps records, so that whoever comes
next knows whether it missed any."""


class Reports(InTable):
    """`ReportStore` in the table: one write for each report."""

    def save_report(self, report: Report) -> None:
        """See `ReportStore.save_report`."""
        key = Key("report", f"{report.table}#{report.target}#{report.worker}")
        expires = int(report.written_at) + KEPT_SECONDS
        self._items.write(put(key, {"body": json.dumps(asdict(report)), "expires": expires}))

    def reports(self) -> list[Report]:
        """See `ReportStore.reports`."""
        return [Report(**json.loads(item["body"])) for item in self._items.query("report")]


class Requests(InTable):
    """`RequestStore` in the table."""

    def ask(self, request: Request) -> Request:
        """See `RequestStore.ask`. What is forgotten follows in steps of its own; the next one finds what is left."""
        number = self._items.write(update(Key("number", "request"), "ADD #number :one", one=1))["number"]
        asked = replace(request, number=number)
        self._items.write(
            put(_table_key(number), {"table": request.table}),
            put(_key(asked), {"body": json.dumps(asdict(asked))}),
            raise_revision(request.table),
        )
        forgotten = forgettable(self._held(request.table))
        for step in in_steps([delete(key) for old in forgotten for key in (_table_key(old.number), _key(old))]):
            self._items.write(*step)
        return asked

    def requests(self, table: str) -> list[Request]:
        """See `RequestStore.requests`."""
        held = self._held(table)
        left_out = {request.number for request in forgettable(held)}
        return [request for request in held if request.number not in left_out]

    def _held(self, table: str) -> list[Request]:
        return [Request(**json.loads(item["body"])) for item in self._items.query(f"request#{table}")]

    def request(self, number: int) -> Request | None:
        """See `RequestStore.request`."""
        known = self._items.get(_table_key(number))
        if known is None:
            return None
        found = self._items.get(Key(f"request#{known['table']}", padded(number)))
        return Request(**json.loads(found["body"])) if found else None

    def save_request(self, request: Request) -> None:
        """See `RequestStore.save_request`."""
        body = json.dumps(asdict(request))
        try:
            self._items.write(update(_key(request), "SET #body = :body", condition="attribute_exists(#pk)", body=body))
        except ConditionLostError:
            # The protocol lets what is not held stay unknown.
            return


def _table_key(number: int) -> Key:
    return Key("request", padded(number))


def _key(request: Request) -> Key:
    return Key(f"request#{request.table}", padded(request.number))
