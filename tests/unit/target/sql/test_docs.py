"""Every example of docs/sql.md, run as it stands there."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import pytest

from dynalens.change import render, typed_item
from dynalens.errors import QueryLimitError, QueryRefusedError
from dynalens.target import Generation, version
from dynalens.target.sql import SqlTarget, open_sql
from tests.contract.implementations import COLLECTIONS
from tests.contract.writing import put

PAGE = (Path(__file__).parents[4] / "docs" / "sql.md").read_text()


class Block(NamedTuple):
    """One fenced block: what stands behind its language, its text, and the block after it."""

    language: str
    remark: str
    text: str


BLOCKS = [Block(*found) for found in re.findall(r"^```(\w+) ?(.*)\n((?:.*\n)*?)```$", PAGE, re.MULTILINE)]
QUERIES = [(block, BLOCKS[index + 1]) for index, block in enumerate(BLOCKS[:-1]) if block.language == "sql"]
ANSWERED = [(block, answer) for block, answer in QUERIES if block.remark in {"", *re.findall(r"{.*}", block.remark)}]


@pytest.fixture(scope="module")
def sql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlTarget]:
    target = open_sql("chdb://./sql", folder=tmp_path_factory.mktemp("docs"))
    for block in BLOCKS:
        if block.language == "json" and block.remark:
            generation = Generation(block.remark, 1)
            target.create(generation, COLLECTIONS[block.remark])
            target.serve(generation)
            for number, document in enumerate(items(block.text)):
                item = typed_item(document.encode())
                write = put(item["id"]["S"], version(1, number), generation=generation)
                assert target.apply([write._replace(document=render(item))]) == []
    yield target
    target.close()


def items(text: str) -> list[str]:
    """Give the documents of a block as they are written, one to a line."""
    return [line.strip().rstrip(",") for line in text.splitlines() if line.strip().startswith("{")]


@pytest.mark.parametrize(("query", "answer"), ANSWERED, ids=[query.text for query, _ in ANSWERED])
def test_an_example_gives_the_answer_beside_it(sql: SqlTarget, query: Block, answer: Block) -> None:
    parameters = json.loads(query.remark) if query.remark else {}
    found = json.loads(sql.query(query.text, parameters).body, parse_float=Decimal)["rows"]
    assert found == json.loads(answer.text, parse_float=Decimal)


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.remark == "refused"], ids=lambda block: block.text
)
def test_what_the_page_calls_refused_is_refused(sql: SqlTarget, block: Block) -> None:
    with pytest.raises(QueryRefusedError):
        sql.query(block.text, {})


@pytest.mark.parametrize(
    "block", [block for block in BLOCKS if block.remark == "limited"], ids=lambda block: block.text
)
def test_what_the_page_calls_limited_is_stopped(sql: SqlTarget, block: Block) -> None:
    with pytest.raises(QueryLimitError, match="100000 rows"):
        sql.query(block.text, {})


def test_the_page_names_the_types_that_columns_have(sql: SqlTarget) -> None:
    described = dict(json.loads(sql.query("DESCRIBE donations", {}).body)["rows"])
    assert described == {
        "_id": "String",
        "_doc": "String",
        "id": "Nullable(String)",
        "platform": "Nullable(String)",
        "amount": "Nullable(Decimal(49, 20))",
        "tags": "Array(Nullable(String))",
        "address": "JSON",
        "_id_": "Nullable(String)",
        "ratings": "Array(Decimal(38, 9))",
        "anonymous": "Nullable(Bool)",
        "donatedAt": "Nullable(String)",
    }


def test_every_block_of_the_page_is_looked_at() -> None:
    assert len(ANSWERED) >= 10
    assert {block.remark for block in BLOCKS} == {
        "",
        "donations",
        "people",
        "refused",
        "limited",
        *[block.remark for block in BLOCKS if block.remark.startswith("{")],
    }
    assert PAGE.count("\n```sql") == len(QUERIES) + sum(
        block is BLOCKS[-1] for block in BLOCKS if block.language == "sql"
    )
