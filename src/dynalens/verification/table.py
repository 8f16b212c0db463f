"""The table's side of a comparison: its scan, and single items by their keys."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from dynalens.change import Change, DecodeError, Document, render
from dynalens.errors import SourceError
from dynalens.partition import START
from dynalens.source.aws import transient
from dynalens.source.scan import UNIT_BYTES, ScanSource
from dynalens.verification.outcome import Key


class ScannedTable:
    """A `TableReader` over a scan, whose budget of read units counts for single items too.

    Items are read one by one, by "GetItem" (Amazon DynamoDB API reference): few are, and it takes no permission that a
    worker does not have already. Rows that cannot be decoded are left out: they are dead letters.

    Args:
        scan: The scan; eventually consistent for half the read units, since a difference is looked at again.
    """

    def __init__(self, scan: ScanSource) -> None:
        self._scan = scan

    @property
    def read_units(self) -> float:
        """Read units consumed so far."""
        return self._scan.budget.consumed

    def pages(self) -> Iterator[Sequence[Change]]:
        """Scan one segment after the other; ends early when the scan's `stop` is set.

        Raises:
            SourceError: Reading failed beyond the retries.
        """
        for partition in self._scan.discover():
            reader, ended = self._scan.open(partition, START), False
            while not ended:
                batch = reader.wait_and_read()
                if self._scan.stop.is_set():
                    return
                ended = batch.ended
                yield batch.changes

    def items(self, keys: Mapping[str, Key], /) -> dict[str, Document]:
        """Read items strongly consistently, by their document ids; not all of them when the scan's `stop` is set.

        Raises:
            SourceError: Reading failed beyond the retries, or an item cannot be decoded.
        """
        found = {}
        for id_, key in keys.items():
            if not self._scan.budget.reserve(1, self._scan.stop):
                break
            item = self._item(key)
            self._scan.budget.settle(1, math.ceil(len(item.json) / UNIT_BYTES) if item is not None else 1)
            if item is not None:
                found[id_] = item
        return found

    def _item(self, key: Key) -> Document | None:
        scan = self._scan
        item = scan.policy.run(partial(scan.aws.item, scan.table, key), retryable=transient, stop=scan.stop)
        try:
            return None if item is None else render(item)
        except DecodeError as error:
            raise SourceError(
                f"An item of table {scan.table} cannot be decoded: {error}.", hint="See: dynalens dlq list"
            ) from error
