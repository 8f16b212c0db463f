"""The demo's folder: gone at the end, and swept by the next demo where nobody could remove it."""

from __future__ import annotations

import fcntl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dynalens.demo.folder import PREFIX, demo_folder


@pytest.fixture(autouse=True)
def parent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files are."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def left_behind(parent: Path) -> Path:
    """A folder as a killed demo leaves it."""
    folder = parent / f"{PREFIX}killed"
    (folder / "data").mkdir(parents=True)
    (folder / "demo.lock").touch()
    (folder / "data" / "dynalens.lock").touch()
    return folder


def test_the_folder_is_gone_at_the_end_with_all_that_is_in_it(parent: Path) -> None:
    with demo_folder() as folder:
        (folder / "data").mkdir()
        assert folder.parent == parent
    assert list(parent.iterdir()) == []


def test_two_demos_have_folders_of_their_own() -> None:
    with demo_folder() as first, demo_folder() as second:
        assert first != second
        assert first.exists()


def test_what_a_killed_demo_left_is_removed(parent: Path) -> None:
    left = left_behind(parent)
    with demo_folder():
        assert not left.exists()


@pytest.mark.parametrize("lock", ["demo.lock", "data/dynalens.lock"])
def test_what_is_in_use_stays(parent: Path, lock: str) -> None:
    """By the demo, or by a Dynalens that still ends after its demo was killed."""
    left = left_behind(parent)
    with locked(left / lock), demo_folder():
        assert left.exists()
    with demo_folder():
        assert not left.exists()


def test_what_is_no_demo_s_folder_stays(parent: Path) -> None:
    (parent / f"{PREFIX}being-made").mkdir()
    (parent / "elsewhere").mkdir()
    (parent / "elsewhere" / "demo.lock").touch()
    (parent / f"{PREFIX}file").touch()
    (parent / f"{PREFIX}link").symlink_to(parent / "elsewhere")
    before = set(parent.rglob("*"))
    with demo_folder():
        pass
    assert set(parent.rglob("*")) == before
