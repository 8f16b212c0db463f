"""What a reader of the repository relies on: commands that exist, and nothing that belongs to one machine."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# In backticks, or at the start of a line of a code block.
MAKE_COMMAND = re.compile(r"(?:`|^ *(?:\$ )?)make ([a-z]+)", re.MULTILINE)

# Absolute paths and registries; as a pattern, this line does not match itself.
ONE_MACHINE_ONLY = re.compile(rb"(?<![\w.-])/(work|root)/|\b(pypi|pythonhosted)\.org|registry\.npmjs\.org")


def test_no_file_names_a_registry_or_a_path_of_one_machine() -> None:
    found = {
        str(path.relative_to(ROOT)): match[0]
        for path in repository_files()
        if (match := ONE_MACHINE_ONLY.search(path.read_bytes()))
    }
    assert found == {}


@pytest.mark.parametrize("lock", ["requirements.lock", "tests/services/package-lock.json", "ui/package-lock.json"])
def test_a_lock_file_leaves_the_registry_to_its_user(lock: str) -> None:
    text = (ROOT / lock).read_text()
    # Whom a package's authors ask to fund them is an address too, and nothing comes from there.
    assert ('"resolved"' if lock.endswith(".json") else "://") not in text
    assert "--hash=sha256:" in text or '"integrity": "sha512-' in text


def test_documented_make_commands_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    commands = {command for page in pages() for command in MAKE_COMMAND.findall(page)}
    assert {"demo", "test"} <= targets
    assert commands - targets == set()


def test_the_build_server_runs_the_tests() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert script.read_text().splitlines()[-1] == "make test"


def pages() -> list[str]:
    return [path.read_text() for path in repository_files() if path.suffix == ".md"]


def repository_files() -> list[Path]:
    """Give what is committed or would be: tracked and untracked files, without the ignored ones."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]
