"""Every invariant of the page on correctness has a mutation that fits the code; `make mutations` runs them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.mutations import ROOT, Mutation, applies, mutations

HEADING = re.compile(r"^### (.+?)(?: \(`.*\))?$", re.MULTILINE)


def invariants() -> list[str]:
    return HEADING.findall((ROOT / "docs" / "correctness.md").read_text())


def test_every_invariant_has_a_mutation() -> None:
    assert set(invariants()) - {mutation.invariant for mutation in mutations()} == set()


def test_every_mutation_is_about_an_invariant() -> None:
    assert {mutation.invariant for mutation in mutations()} - set(invariants()) == set()


@pytest.mark.parametrize("mutation", mutations(), ids=lambda mutation: mutation.name)
def test_a_mutation_fits_the_code(mutation: Mutation) -> None:
    assert applies(mutation, ROOT, "--check"), "make it anew: the code that it changes has changed"


@pytest.mark.parametrize("mutation", mutations(), ids=lambda mutation: mutation.name)
def test_a_mutation_names_tests_that_exist(mutation: Mutation) -> None:
    assert mutation.tests
    for test in mutation.tests:
        file, _, name = test.partition("::")
        assert name in (ROOT / file).read_text()


def test_a_patch_that_fits_nothing_is_noticed(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    assert not applies(mutations()[0], tmp_path, "--check")
