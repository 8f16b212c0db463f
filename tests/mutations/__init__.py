"""Mutations: patches that break one invariant of `docs/correctness.md` each, and the tests that must notice.

A patch begins with a sentence that says what it breaks, then `Invariant:` with the heading of the page that it is
about, and `Test:` with the id of each test, or file of tests, that is run; at least one test must fail.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Mutation:
    """One patch: the invariant that it breaks, and the tests that must turn red."""

    path: Path
    invariant: str
    tests: tuple[str, ...]

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.path.stem


def mutations() -> list[Mutation]:
    """Read every patch."""
    return [_read(path) for path in sorted(FOLDER.glob("*.patch"))]


def _read(path: Path) -> Mutation:
    text = path.read_text()
    [invariant] = re.findall(r"^Invariant: (.+)$", text, re.MULTILINE)
    return Mutation(path, invariant, tuple(re.findall(r"^Test: (.+)$", text, re.MULTILINE)))


def applies(mutation: Mutation, tree: Path, *arguments: str) -> bool:
    """Apply a patch to a tree, or with `--check` only try it; say whether it fits."""
    command = ["git", "apply", *arguments, str(mutation.path)]
    return subprocess.run(command, cwd=tree, check=False, capture_output=True).returncode == 0
