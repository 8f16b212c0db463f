"""`dynalens fields`: types, columns, and drift that exits 3."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dynalens.errors import EXIT_ATTENTION, EXIT_FAILED, EXIT_OK
from tests.unit.cli.conftest import FakeServer, Ran, Run

DONATIONS = "GET /api/v1/collections/donations"
EMAIL = {"name": "email", "types": {"string": 10000}, "column": "Nullable(String)", "drift": 0}
AMOUNT = {"name": "amount", "types": {"number": 9999, "string": 1}, "column": "Nullable(Decimal(38, 9))", "drift": 1}
ODD = {"name": "[red]\x1b[2J", "types": {"map": 2}, "column": "JSON", "drift": 2}


def answer(*fields: dict[str, Any], documents: int = 10000) -> dict[str, Any]:
    return {"name": "donations", "table": "Donations", "metrics": [], "documents": documents, "fields": fields}


def test_fields_are_a_table(run: Run, server: FakeServer) -> None:
    server.answer(DONATIONS, answer(EMAIL))
    ran = run("fields", "donations")
    heads, _, row = (re.split(" {2,}", line.strip()) for line in ran.out.splitlines())
    assert heads == ["field", "types", "column", "drift"]
    assert row == ["email", "string 10,000", "Nullable(String)", "0"]
    assert (ran.code, ran.err) == (EXIT_OK, "10,000 documents\n")


def test_drift_is_named_counted_explained_and_exits_3(run: Run, server: FakeServer) -> None:
    server.answer(DONATIONS, answer(EMAIL, AMOUNT, ODD))
    ran = run("fields", "donations")
    assert ran.code == EXIT_ATTENTION
    assert "number 9,999, string 1" in ran.out
    assert "[red]\\x1b[2J" in ran.out
    assert ran.err == (
        "10,000 documents\n"
        "amount: 1 value does not fit the column Nullable(Decimal(38, 9)); it is NULL there, and whole in _doc.\n"
        "[red]\\x1b[2J: 2 values do not fit the column JSON; they are NULL there, and whole in _doc.\n"
    )


@pytest.mark.parametrize(("field", "code"), [(EMAIL, EXIT_OK), (AMOUNT, EXIT_ATTENTION)])
def test_fields_as_json_are_the_answer_itself(run: Run, server: FakeServer, field: dict[str, Any], code: int) -> None:
    server.answer(DONATIONS, answer(field))
    assert run("fields", "donations", "--json") == Ran(code, json.dumps(answer(field)) + "\n", "")


def test_an_empty_collection_has_no_table(run: Run, server: FakeServer) -> None:
    server.answer(DONATIONS, answer(documents=0))
    assert run("fields", "donations") == Ran(EXIT_OK, "", "0 documents\n")


def test_a_collection_that_is_not_there_exits_1(run: Run, server: FakeServer) -> None:
    error = {"code": "not_found", "message": "There is no collection donation.", "hint": "There is: donations."}
    server.answer("GET /api/v1/collections/donation", {"error": error}, 404)
    ran = run("fields", "donation")
    assert ran == Ran(EXIT_FAILED, "", "Error: There is no collection donation.\n  There is: donations.\n")
