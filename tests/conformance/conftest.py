"""Opens each engine once, and fills it with the corpus once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance.engines import ENGINES, Collection, Engine
from tests.conformance.topics import DOCUMENTS
from tests.conformance.typed import typed_item


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """One engine after the other."""
    with ENGINES[request.param](request) as opened:
        yield opened


@pytest.fixture(scope="session")
def corpus(engine: Engine) -> Collection:
    """The documents of all topics in one collection, which no test changes."""
    collection = Collection(engine, "things")
    collection.write({key: typed_item(item) for key, item in DOCUMENTS.items()})
    return collection
