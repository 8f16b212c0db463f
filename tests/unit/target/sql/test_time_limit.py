"""What stops a query that takes too long. A limit that a test reaches quickly, so it stands apart from the others."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dynalens.errors import QueryLimitError
from dynalens.target import version
from dynalens.target.sql import Limits, SqlTarget, open_sql
from tests.contract.implementations import COLLECTIONS
from tests.contract.writing import FIRST, put


@pytest.fixture(scope="module")
def hurried(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlTarget]:
    """A target whose queries have half a second."""
    limits = Limits(seconds=0.5)
    target = open_sql("chdb://./sql", folder=tmp_path_factory.mktemp("hurried"), limits=limits)
    target.create(FIRST, COLLECTIONS["donations"])
    target.serve(FIRST)
    target.apply([put(f"k{n}", version(1, n), n) for n in range(200)])
    yield target
    target.close()


@pytest.mark.parametrize(
    "query",
    [
        "SELECT max(SHA512(toString(number))) FROM (SELECT number FROM system.numbers LIMIT 90000000)",
        "SELECT count() FROM donations a, donations b, donations c, donations d WHERE a.n + b.n + c.n > d.n",
    ],
    ids=["hashes", "joins"],
)
def test_a_query_that_takes_too_long_is_stopped_and_told_so(hurried: SqlTarget, query: str) -> None:
    with pytest.raises(QueryLimitError) as stopped:
        hurried.query(query, {})
    assert "0.5 seconds" in stopped.value.message
    assert stopped.value.hint
