"""The data folder belongs to one process at a time: locked before anything in it is opened."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO

from dynalens.errors import FolderLockedError, UsageError

LOCK_NAME = "dynalens.lock"


@contextmanager
def locked(folder: Path) -> Iterator[Callable[[str], None]]:
    """Hold the folder, making it if need be; gives a function that writes down where this process answers.

    The kernel lets go of the lock when the process ends, however it ends (flock(2)).

    Raises:
        FolderLockedError: Another process holds it; the message names its pid and address.
        UsageError: The folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / LOCK_NAME).open("a+", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"The data folder {folder} cannot be used: {error.strerror}.", hint="Make it writable, or move the file."
        ) from error
    with lock:
        _take(lock, folder)
        _write(lock, "")
        yield partial(_write, lock)


def _write(lock: IO[str], address: str) -> None:
    lock.seek(0)
    lock.truncate()
    json.dump({"pid": os.getpid(), "address": address}, lock)
    lock.flush()


def _take(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise FolderLockedError(
            f"The data folder {folder} is in use by {_holder(lock)}.",
            hint="Stop that process first, or give this one a configuration file in another folder.",
        ) from error


def _holder(lock: IO[str]) -> str:
    lock.seek(0)
    try:
        holder = json.load(lock)
        where = f", which answers at {holder['address']}" if holder["address"] else ", which is starting"
        return f"process {holder['pid']}{where}"
    except (ValueError, LookupError, TypeError):
        return "another process"
