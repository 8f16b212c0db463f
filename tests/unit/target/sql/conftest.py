"""One engine for the tests of a module, embedded and on a server: both must answer alike, and refuse alike.

A process holds one embedded engine at a time, and starting it takes a second.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dynalens.change import Typed
from dynalens.target import Generation, version
from dynalens.target.sql import SqlTarget, open_sql
from tests.contract.implementations import COLLECTIONS
from tests.contract.writing import FIRST, delete, put
from tests.services.clickhouse.server import server_url, shared_port

PEOPLE = Generation("people", 1)
PLATFORMS = ("Facebook", "Phone", "Web")


def donation(number: int) -> dict[str, Typed]:
    """Give the attributes of one donation."""
    city = "Wien" if number % 2 else "Graz"
    return {
        "platform": {"S": PLATFORMS[number % 3]},
        "amount": {"N": f"{number}.25"},
        "paid": {"BOOL": bool(number % 2)},
        "donatedAt": {"S": f"2019-08-07T07:{number:02}:56"},
        "tags": {"SS": ["a", "b"]},
        "scores": {"NS": ["1", "2.5"]},
        "address": {"M": {"city": {"S": city}, "lat": {"N": "48.2"}, "since": {"S": "2019-08-07"}}},
        "a.b": {"N": "1"},
        "line\nbreak": {"S": "x"},
        "system": {"M": {"tables": {"S": "x"}}},
    }


@pytest.fixture(scope="module", params=["embedded", "server"])
def sql(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SqlTarget]:
    """Thirty donations and ten people, and one donation that was deleted."""
    url = "chdb://./sql" if request.param == "embedded" else server_url(shared_port(), "dynalens")
    target = open_sql(url, folder=tmp_path_factory.mktemp("sql"))
    for generation in (FIRST, PEOPLE):
        target.create(generation, COLLECTIONS[generation.collection])
        target.serve(generation)
    target.apply([put(f"k{n}", version(1, n), n, attributes=donation(n)) for n in range(30)])
    target.apply([put("gone", version(1, 90), 999), delete("gone", version(1, 91))])
    target.apply(
        [put(f"k{n}", version(1, n), n, generation=PEOPLE, attributes={"name": {"S": f"n{n}"}}) for n in range(10)]
    )
    yield target
    target.close()
