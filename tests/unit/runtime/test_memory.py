"""Freed memory is shared among threads where the allocator would keep it for each."""

from __future__ import annotations

import ctypes
import platform

import pytest

from dynalens.runtime.memory import share_freed_memory


class Library:
    def __init__(self) -> None:
        self.set: list[tuple[int, int]] = []

    def mallopt(self, name: int, value: int) -> int:
        self.set.append((name, value))
        return 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Library:
    made = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda _: made)
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    return made


def test_threads_share_two_arenas_of_the_gnu_allocator(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    share_freed_memory()
    assert library.set == [(-8, 2)]


def test_the_environment_has_the_last_word(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    monkeypatch.setenv("MALLOC_ARENA_MAX", "8")
    share_freed_memory()
    assert library.set == []


def test_other_allocators_are_left_alone(library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    share_freed_memory()
    assert library.set == []
