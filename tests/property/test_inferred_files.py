"""Whatever items a table holds, the file that is written for it loads, and gives each item a collection."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynalens.change import render
from dynalens.config import load
from dynalens.inference import Names
from dynalens.transform import Route
from tests.inferred import described, rendered

# Lone surrogates included; a pair of them is one character, as JSON reads it.
TEXTS = st.text(st.characters(exclude_categories=()), max_size=8).map(lambda text: json.loads(json.dumps(text)))
USUAL = ["TYPE", "type", "kind", "amount", "createdAt", "lat", "lon", "address", "time", "${x}", "yes", "1e5"]
NAMES = st.sampled_from(USUAL) | TEXTS.filter(bool)
NUMBERS = st.sampled_from(["1", "-2.50", "1795000000", "1795000000000", "1E-130", "9.9E+125", "48.1"])
SCALARS = st.one_of(
    st.sampled_from(["order", "Order", "USER", "default", "", "2026-11-18", "2026-11-18T10:00:00Z"]).map(
        lambda text: {"S": text}
    ),
    TEXTS.map(lambda text: {"S": text}),
    NUMBERS.map(lambda number: {"N": number}),
    st.booleans().map(lambda truth: {"BOOL": truth}),
    st.just({"NULL": True}),
    st.just({"B": "AAE="}),
    st.just({"SS": ["a", "b"]}),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda members: {"L": members}),
        st.dictionaries(NAMES, inner, max_size=3).map(lambda members: {"M": members}),
    ),
    max_leaves=5,
)


def items_with(names: list[str]) -> st.SearchStrategy[list[Mapping[str, Any]]]:
    """Items that share names of attributes, as those of one table do."""
    return st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(names, VALUES)), max_size=12)


ITEMS = st.lists(NAMES, min_size=1, max_size=4, unique=True).flatmap(items_with)


@given(ITEMS, ITEMS, st.integers(1, 5))
def test_every_inferred_file_loads(
    tmp_path_factory: Any,  # noqa: ANN401 - given() hides it from pytest's types
    first: list[Mapping[str, Any]],
    second: list[Mapping[str, Any]],
    repetitions: int,
) -> None:
    names = Names()
    tables = [
        described(items * repetitions, table=table, names=names)
        for table, items in (("First", first), ("Second", second))
    ]
    file: Path = tmp_path_factory.getbasetemp() / "dynalens.yaml"
    file.write_bytes(rendered(*tables).encode())
    config = load(file, {})
    assert {collection.table for collection in config.collections.values()} == {"First", "Second"}
    for table, items in (("First", first), ("Second", second)):
        routes = [Route.of(name, each) for name, each in config.collections.items() if each.table == table]
        assert all(any(route.takes(render(item)) for route in routes) for item in items)
