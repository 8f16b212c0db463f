"""The folder of the indexes, which belongs to one process at a time."""

from __future__ import annotations

import fcntl
from contextlib import ExitStack
from pathlib import Path
from typing import IO

from dynalens.errors import TargetError

LOCK_NAME = "search.lock"


def lock(folder: Path) -> IO[str]:
    """Make the folder if need be and take it, until what is returned is closed or the process ends (flock(2)).

    Raises:
        TargetError: It cannot be made or written, or another process works on it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as opened:
            held = opened.enter_context((folder / LOCK_NAME).open("a", encoding="utf-8"))
            # The engine locks each index by itself, but not what is around them: leftovers are removed on opening.
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            opened.pop_all()
            return held
    except BlockingIOError as error:
        raise TargetError(
            f"The search folder {folder} is in use by another process.",
            hint="Stop that process first, or write another folder under targets.search.",
        ) from error
    except OSError as error:
        raise TargetError(
            f"The search folder {folder} cannot be used: {error}", hint="Free space, or allow this user to write."
        ) from error
