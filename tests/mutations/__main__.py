"""`make mutations`: breaks one invariant after the other in a copy of the tree, and expects its tests to turn red.

Prints a table. Ends with 1 when a patch no longer applies, when the tests stay green under it, or when they are not
green without any.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.mutations import ROOT, Mutation, applies, mutations

PASSED, FAILED = 0, 1
"""What pytest ends with (its documentation, "Exit codes")."""
COPIED = ("src", "tests", "docs", "pyproject.toml")


def main() -> int:
    """Run every mutation, or those that are named; give the exit code."""
    known = {mutation.name: mutation for mutation in mutations()}
    if unknown := [name for name in sys.argv[1:] if name not in known]:
        show(f"there is no mutation {unknown[0]}; there are: {', '.join(known)}")
        return 2
    chosen = [known[name] for name in sys.argv[1:] or known]
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        copy_to(tree)
        if run(tree, {test for mutation in chosen for test in mutation.tests}) != PASSED:
            show("the tests are not green without a mutation")
            return 1
        noticed = 0
        for mutation in chosen:
            result = outcome(mutation, tree)
            noticed += result == "noticed"
            show(f"{result:<15} {mutation.name:<40} {mutation.invariant}")
    show(f"{noticed} of {len(chosen)} mutations are noticed")
    return int(noticed < len(chosen))


def outcome(mutation: Mutation, tree: Path) -> str:
    """Apply a mutation, run its tests, and take it back."""
    if not applies(mutation, tree):
        return "does not apply"
    ended = run(tree, mutation.tests)
    if not applies(mutation, tree, "--reverse"):
        raise RuntimeError(f"{mutation.name} cannot be taken back")
    return {FAILED: "noticed", PASSED: "not noticed"}.get(ended, "tests broken")


def copy_to(tree: Path) -> None:
    """Copy what tests need."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, tree / name)


def run(tree: Path, tests: Iterable[str]) -> int:
    """Run tests over a tree; give what pytest ends with."""
    command = [sys.executable, "-m", "pytest", "-q", "-x", "--no-header", "--timeout", "120", *sorted(tests)]
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=tree, env=environment, check=False, capture_output=True).returncode


def show(line: str) -> None:
    """Print a line of the table at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
