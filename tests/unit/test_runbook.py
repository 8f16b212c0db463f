"""docs/runbook.md: whatever a user can meet has its section there, whole, and no section is about nothing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

from dynalens.backfill import GAP_REASONS
from dynalens.pipeline.redrive import UNDECODABLE
from dynalens.status import WORKER_SILENT
from dynalens.target.metrics.contribution import OUT_OF_SCALE, OVERFLOW
from tests.unit.test_alert_rules import RULES

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dynalens"
PAGE = (ROOT / "docs" / "runbook.md").read_text()
SECTIONS = {heading: text for heading, _, text in (part.partition("\n") for part in PAGE.split("\n### ")[1:])}

PARTS = ["Means", "Meanwhile", "Do", "Over when"]


def test_every_alert_error_code_dead_letter_and_gap_has_its_section_and_no_section_is_about_nothing() -> None:
    codes = {f"`{code}`" for code in {*codes_of_errors(), *codes_of_answers(), *codes_of_letters(), WORKER_SILENT}}
    alerts = {rule["alert"] for rule in RULES}
    assert set(SECTIONS) == codes | alerts | set(GAP_REASONS)
    assert PAGE.count("\n### ") == len(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_a_section_says_what_is_promised_meanwhile_what_to_do_and_how_to_see_its_end(name: str) -> None:
    assert re.findall(r"^- \*\*([\w ]+)\*\*: \S", SECTIONS[name], re.MULTILINE) == PARTS


def test_every_link_within_the_page_leads_somewhere() -> None:
    headings = re.findall(r"^##+ (.*)$", PAGE, re.MULTILINE)
    assert set(re.findall(r"\]\(#([^)]+)\)", PAGE)) - set(map(anchor, headings)) == set()


def test_every_series_on_the_page_is_one_that_is_told() -> None:
    told = (SOURCE / "server" / "exposition.py").read_text()
    named = set(re.findall(r"dynalens_([a-z_]+)", PAGE))
    assert {name for name in named if f'"{name}"' not in told} == set()


def test_codes_are_found_however_they_are_written(tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text(
        'class One(Error):\n    code = "one"\nclass Two(Error):\n    code: ClassVar[str] = "two"\n'
        'error_answer(403, "three", "No.")\nRejection(write, "four", "No.")\n'
    )
    assert codes_of_errors(tmp_path) == {"one", "two"}
    assert codes_of_answers(tmp_path) == {"three"}
    assert codes_of_letters(tmp_path) >= {"four"}


def anchor(heading: str) -> str:
    """Give the anchor that GitHub makes of a heading."""
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def codes_of_errors(folder: Path = SOURCE) -> set[str]:
    """Give the `code` of every class: all that have one are errors."""
    bodies = [statement for node in nodes(folder) if isinstance(node, ast.ClassDef) for statement in node.body]
    return set(assigned(bodies, "code"))


def assigned(statements: list[ast.stmt], name: str) -> Iterator[str]:
    for statement in statements:
        match statement:
            case (
                ast.Assign(targets=[ast.Name(id=target)], value=ast.Constant(value=str(text)))
                | ast.AnnAssign(target=ast.Name(id=target), value=ast.Constant(value=str(text)))
            ) if target == name:
                yield text


def codes_of_answers(folder: Path = SOURCE) -> set[str]:
    """Give the codes that the server answers with where it raises no error."""
    return set(second_arguments(folder, "error_answer"))


def codes_of_letters(folder: Path = SOURCE) -> set[str]:
    return {OUT_OF_SCALE, OVERFLOW, UNDECODABLE, *second_arguments(folder, "Rejection")}


def second_arguments(folder: Path, function: str) -> Iterator[str]:
    for node in nodes(folder):
        match node:
            case ast.Call(
                func=ast.Name(id=name) | ast.Attribute(attr=name), args=[_, ast.Constant(value=str(text)), *_]
            ) if name == function:
                yield text


@cache
def nodes(folder: Path) -> Sequence[ast.AST]:
    files = [file for file in sorted(folder.rglob("*.py")) if "testing" not in file.parts]
    return [node for file in files for node in ast.walk(ast.parse(file.read_text()))]
