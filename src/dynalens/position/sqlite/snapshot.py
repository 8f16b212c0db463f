"""A copy of the file as it stands at one moment, for whoever only looks: the file itself is never written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from dynalens.errors import StoreError
from dynalens.position.sqlite import SqliteStore


@contextmanager
def snapshot(path: Path) -> Iterator[SqliteStore]:
    """Give a copy of a store, also while a process works with it; an empty store where there is no file.

    A copy, because opening a store brings a file of an earlier release up to this one's schema.

    Raises:
        StoreError: The file cannot be read, or is not a store.
    """
    with TemporaryDirectory(prefix="dynalens-") as folder:
        copied = Path(folder) / path.name
        if path.exists():
            _copy(path, copied)
        with closing(SqliteStore(copied)) as store:
            yield store


def _copy(path: Path, to: Path) -> None:
    try:
        # "Uniform Resource Identifiers" in SQLite's documentation: opened so, nothing is made that is not there.
        file = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        with closing(file), closing(sqlite3.connect(to)) as copied:
            file.backup(copied)
    except sqlite3.Error as error:
        raise StoreError(
            f"The position store {path} cannot be read: {error}.",
            hint="Check that it is readable, and that it is the store of this file.",
        ) from error
