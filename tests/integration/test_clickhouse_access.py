"""The rights that docs/clickhouse.md gives are enough, and no more than that is in its statements."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from dynalens.partition import Position
from dynalens.target import Mark, Memory, version
from dynalens.target.sql import SqlTarget, open_sql
from tests.contract.implementations import COLLECTIONS, TABLE
from tests.contract.writing import FIRST, SECOND, delete, put
from tests.integration.sql_reading import rows
from tests.services.clickhouse.server import ClickHouseServer

PAGE = (Path(__file__).parents[2] / "docs" / "clickhouse.md").read_text()


def statements(block: str) -> list[str]:
    """Give the statements of a block of the page."""
    [text] = re.findall(rf"^```sql {block}\n(.*?)```$", PAGE, re.MULTILINE | re.DOTALL)
    return [statement.strip() for statement in text.split(";") if statement.strip()]


def granted() -> list[str]:
    """Give what the page grants the owner's role, as a role of a configuration takes it."""
    to_owner = " TO dynalens_owner"
    return [text.removesuffix(to_owner) for text in statements("users") if text.endswith(to_owner)]


@pytest.mark.parametrize("more", ["", "&cluster=own"])
def test_the_rights_on_the_page_are_enough(tmp_path: Path, more: str) -> None:
    """On the cluster of one shard, whose statements keep nothing of replicas."""
    with ClickHouseServer(tmp_path) as server:
        # Makes the databases.
        open_sql(server.url(), folder=Path()).close()
    rights = [*granted(), *(["GRANT REMOTE ON *.*"] if more else [])]
    with ClickHouseServer(tmp_path, grants=rights) as restricted:
        target = open_sql(restricted.url(more=more), folder=Path())
        live(target)
        target.close()


def live(target: SqlTarget) -> None:
    """Do all that a worker and a reader ever ask of a target."""
    target.raise_epoch(TABLE, 3)
    target.create(FIRST, COLLECTIONS["donations"])
    target.serve(FIRST)
    assert target.begin(TABLE, {"p": 3, "q": 3}) == {"p": Position(), "q": Position()}
    target.apply([put("a", version(3, 1), attributes={"amount": {"N": "1"}}), put("b", version(3, 2))])
    target.apply(
        [put("a", version(3, 3), attributes={"amount": {"N": "0.12345678901234"}}), delete("b", version(3, 4))]
    )
    target.mark(TABLE, {"p": Mark(3, Position(rank=4))})
    target.forget_marks(TABLE, {"q": Mark(3, Position())})
    assert sum(target.sweep(time.time() + 60) for _ in range(3)) == 1
    assert {field.name: field.drift for field in target.fields("donations")} == {"id": 0, "n": 0, "amount": 0}
    assert rows(target, "SELECT id, toString(amount) FROM donations") == [["a", "0.12345678901234"]]
    assert rows(target, "SELECT count() FROM donations AS x JOIN donations AS y ON x.id = y.id") == [[1]]
    assert target.document("donations", "a") is not None
    target.create(SECOND, COLLECTIONS["donations"])
    target.apply([put("c", version(3, 5), generation=SECOND)])
    target.serve(SECOND)
    target.drop(FIRST)
    assert rows(target, "SELECT id FROM donations") == [["c"]]
    assert target.recall(TABLE) == Memory(3, {"p": Mark(3, Position(rank=4))}, frozenset({SECOND}))


def test_a_policy_on_a_view_hides_rows(tmp_path: Path) -> None:
    with ClickHouseServer(tmp_path, filters={"dynalens.donations": "n = 2"}) as server:
        target = open_sql(server.url(), folder=Path())
        target.create(FIRST, COLLECTIONS["donations"])
        target.serve(FIRST)
        target.apply([put("a", version(1, 1), n=2), put("b", version(1, 2), n=2), put("b", version(1, 3), n=3)])
        assert rows(target, "SELECT id FROM donations") == [["a"]]
        assert target.count("donations") == 2, "the tables have no policy"
        target.close()


@pytest.mark.parametrize("block", ["users", "rows", "cluster"])
def test_the_engine_can_read_the_statements_of_the_page(tmp_path: Path, block: str) -> None:
    with ClickHouseServer(tmp_path) as server:
        target = open_sql(server.url(), folder=Path())
        for statement in statements(block):
            target._client.command("SELECT formatQuery({text:String})", {"text": statement})
        target.close()
