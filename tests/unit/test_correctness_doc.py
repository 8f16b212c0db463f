"""The page on correctness: every test that it names exists, and every rule of the model has its place there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from dynalens import failpoint
from tests.property.model_rules import Rules
from tests.property.test_model_schedules import CASES

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "correctness.md"

# In backticks: a file, a name in it, and perhaps a case in brackets.
TEST_ID = re.compile(r"`(tests/[\w/]+\.py)::(\w+)(?:\[([^\]`]+)\])?`")


def test_every_named_test_exists() -> None:
    missing = [f"{file}::{name}" for file, name, _ in named(PAGE.read_text()) if name not in names_in(ROOT / file)]
    assert missing == []


def test_every_named_case_exists() -> None:
    cases = {case for _, _, case in named(PAGE.read_text()) if case}
    assert cases - CASES.keys() - failpoint.NAMES == set()


def test_every_schedule_of_the_model_is_named() -> None:
    assert CASES.keys() - {case for _, _, case in named(PAGE.read_text())} == set()


def test_every_rule_of_the_model_is_explained() -> None:
    headings = re.findall(r"^### .*\((`.*`)\)$", PAGE.read_text(), re.MULTILINE)
    explained = [rule for heading in headings for rule in re.findall(r"`(\w+)`", heading)]
    assert sorted(explained) == sorted(Rules.__dataclass_fields__)


def test_every_section_about_a_rule_names_a_test() -> None:
    sections = re.split(r"^### ", PAGE.read_text(), flags=re.MULTILINE)[1:]
    assert [section.splitlines()[0] for section in sections if not TEST_ID.search(section)] == []


def test_every_mention_of_a_test_is_understood() -> None:
    text = PAGE.read_text()
    assert text.count(".py::") == len(TEST_ID.findall(text))


@pytest.mark.parametrize("name", ["test_function", "TestClass", "TestAssigned"])
def test_names_are_found_however_they_are_defined(tmp_path: Path, name: str) -> None:
    file = tmp_path / "test_x.py"
    file.write_text("def test_function(): ...\nclass TestClass: ...\nTestAssigned = TestClass\n")
    assert name in names_in(file)
    assert "test_other" not in names_in(file)
    assert names_in(tmp_path / "test_missing.py") == set()


def named(text: str) -> list[tuple[str, str, str]]:
    return TEST_ID.findall(text)


def names_in(file: Path) -> set[str]:
    """Give what a file defines at its top; nothing when there is no such file."""
    return set(_names(ast.parse(file.read_text()))) if file.exists() else set()


def _names(module: ast.Module) -> Iterator[str]:
    for node in module.body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                yield node.name
            case ast.Assign(targets=[ast.Name(id=name)]):
                yield name
