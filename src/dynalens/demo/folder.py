"""The demo's folder: a temporary one, which no demo leaves behind for longer than until the next one.

A demo that is killed cannot remove its folder. The next one does: a folder whose lock nobody holds is nobody's, for
the kernel lets go of a lock when the process ends, however it ends (flock(2)).
"""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dynalens.runtime.folder import LOCK_NAME

PREFIX = "dynalens-demo-"
_LOCK = "demo.lock"


@contextmanager
def demo_folder() -> Iterator[Path]:
    """Make a folder for this demo, and remove it at the end; remove what killed demos of this user left before."""
    _sweep(Path(tempfile.gettempdir()))
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    # Locked before it has its name: under that name nobody ever finds it free.
    with (folder / "new.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        (folder / "new.lock").rename(folder / _LOCK)
        try:
            yield folder
        finally:
            shutil.rmtree(folder)


def _sweep(parent: Path) -> None:
    for folder in filter(_is_ours, parent.glob(f"{PREFIX}*")):
        with _held(folder / _LOCK) as demo:
            if demo is False:
                _remove_unless_in_use(folder)


def _remove_unless_in_use(folder: Path) -> None:
    # Dynalens itself ends a little later than a demo that was killed: its data is in use until then.
    with _held(folder / "data" / LOCK_NAME) as data:
        if not data:
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    try:
        return folder.lstat().st_uid == os.getuid()
    except FileNotFoundError:
        return False


@contextmanager
def _held(path: Path) -> Iterator[bool | None]:
    """Tell whether somebody holds a lock, None where there is no such lock; if nobody does, hold it meanwhile."""
    try:
        lock = path.open("r+")
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield True
        else:
            yield False
