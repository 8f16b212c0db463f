"""Opening the store that the file names: a table for several workers, or a local file for one."""

from __future__ import annotations

from pathlib import Path

from dynalens.config import SourceConfig, store_location
from dynalens.position.dynamodb import DynamoStore
from dynalens.position.sqlite import SqliteStore

LOCAL_NAME = "state.db"
"""Name of the local store within the data folder."""


def open_store(url: str | None, source: SourceConfig, folder: Path) -> DynamoStore | SqliteStore:
    """Open a store; close it when done.

    Args:
        url: `store` of the file, such as `dynamodb://TABLE`; None for the local file.
        source: Gives the region and the endpoint that the URL leaves out.
        folder: The data folder, which exists and holds the local file.

    Raises:
        StoreError: It cannot be opened. Whether a table exists shows with the first request.
    """
    if url is None:
        return SqliteStore(folder / LOCAL_NAME)
    return DynamoStore(store_location(url, source))
