from __future__ import annotations

import os
from pathlib import Path

import pytest

from dynalens.errors import FolderLockedError, UsageError
from dynalens.runtime.folder import LOCK_NAME, locked


def test_the_second_holder_is_told_who_holds_it(tmp_path: Path) -> None:
    with locked(tmp_path / "data") as announce:
        announce("http://127.0.0.1:7070")
        with pytest.raises(FolderLockedError) as refused, locked(tmp_path / "data"):
            pass
    assert f"process {os.getpid()}, which answers at http://127.0.0.1:7070" in refused.value.message
    assert "Stop that process first" in refused.value.hint


def test_a_holder_that_has_not_announced_itself_is_starting(tmp_path: Path) -> None:
    with locked(tmp_path), pytest.raises(FolderLockedError, match="which is starting"), locked(tmp_path):
        pass


def test_an_unreadable_lock_names_another_process(tmp_path: Path) -> None:
    with locked(tmp_path):
        (tmp_path / LOCK_NAME).write_text("{")
        with pytest.raises(FolderLockedError, match="in use by another process"), locked(tmp_path):
            pass


def test_it_is_free_again_afterwards(tmp_path: Path) -> None:
    for _ in range(2):
        with locked(tmp_path):
            pass


def test_a_folder_that_cannot_be_made_is_an_error_that_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be used: Not a directory"), locked(tmp_path / "file" / "data"):
        pass
