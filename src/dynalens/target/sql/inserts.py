"""Inserts that count only once what they wrote is on the disk, because the engine does not look itself.

Measured on chDB 26.9: when a file cannot be written to its end (an I/O error, a limit on file sizes, a disk that fills
up meanwhile), the insert succeeds all the same; at the next start the part is found broken and moved aside in silence.
So an insert counts when the files are as long as the engine says, nothing is written to a disk that is nearly full,
and what was moved aside at a start is found (`lost_parts`), so that the target can own up to it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dynalens.errors import TargetError
from dynalens.target.sql.engine import literal, rows
from dynalens.target.sql.layout import Layout

if TYPE_CHECKING:
    from clickhouse_connect.driver.client import Client

FREE_BYTES = 16 << 20
"""Space that is left on the disk, over what an insert itself takes."""

_TIMES_WRITTEN = 4
"""Times an insert is on the disk at its peak: as sent, as fragments, as columns, and being merged."""


class FileInserts:
    """Inserts into the physical tables of an embedded engine. One thread at a time uses it.

    Args:
        client: A handle that may write.
        layout: What things are called.
        folder: The engine's folder.
    """

    def __init__(self, client: Client, layout: Layout, folder: Path) -> None:
        self._client = client
        self._layout = layout
        self._folder = folder
        # Beside the data, so that a killed process leaves nothing elsewhere; the next insert writes over it.
        self._file = folder.resolve() / "insert.bin"
        found = rows(client, f"SELECT table, max(max_block_number) {_parts(layout)} GROUP BY table")
        # Up to which block the parts of a table were looked at; each insert makes blocks of higher numbers.
        self._checked: dict[str, int] = {table: int(block) for table, block in found}

    def insert(self, table: str, block: bytes, *, columns: Sequence[str], form: str) -> None:
        """Insert rows in one of the engine's formats; return when they are on the disk, whole.

        Raises:
            TargetError: The disk has too little space, or what was written is incomplete; then none of it is there.
            DatabaseError: The engine refuses it.
        """
        self.check_space(len(block))
        self._file.write_bytes(block)
        try:
            self._client.command(
                f"INSERT INTO {self._layout.table(table)} ({', '.join(columns)})"
                f" FROM INFILE {literal(str(self._file))} COMPRESSION 'none' FORMAT {form}"
            )
        finally:
            self._file.unlink(missing_ok=True)
        self._check_parts(table)

    def check_space(self, size: int = 0) -> None:
        """Look whether the disk has room for `size` bytes, or for a change of definitions.

        Raises:
            TargetError: It has not.
        """
        free, needed = shutil.disk_usage(self._folder).free, FREE_BYTES + _TIMES_WRITTEN * size
        if free < needed:
            raise TargetError(
                f"The disk of {self._folder} has {free} bytes free; writing needs {needed}.",
                hint="Free space on that disk.",
            )

    def _check_parts(self, table: str) -> None:
        checked = self._checked.get(table, 0)
        found = rows(
            self._client,
            f"SELECT name, path, bytes_on_disk, max_block_number {_parts(self._layout)}"
            f" AND active AND table = {literal(table)} AND min_block_number > {checked}",
        )
        for name, path, size, block in found:
            if _size(path) < int(size):
                self._client.command(f"ALTER TABLE {self._layout.table(table)} DROP PART {literal(name)}")
                raise TargetError(
                    f"The SQL engine could not write {path} to its end.", hint="Look at that disk: space and health."
                )
            self._checked[table] = max(int(block), self._checked.get(table, 0))

    def forget(self, table: str) -> None:
        """Forget what was looked at of a table that is dropped: another of its name starts anew."""
        self._checked.pop(table, None)

    def undefined(self) -> list[str]:
        """List the tables whose definition a full disk has cut off: the engine calls it written when it is not."""
        found = rows(
            self._client,
            f"SELECT name, metadata_path FROM system.tables WHERE database = {literal(self._layout.tables)}",  # noqa: S608
        )
        return [name for name, path in found if not (self._folder / path).stat().st_size]


def _parts(layout: Layout) -> str:
    return f"FROM system.parts WHERE database = {literal(layout.tables)}"


def _size(folder: str) -> int:
    with os.scandir(folder) as files:
        return sum(file.stat().st_size for file in files)
