"""Points and columns of the search target over restarts, and generations that an older version built."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from dynalens.change import Typed
from dynalens.config import CollectionConfig, fingerprint
from dynalens.errors import TargetError
from dynalens.search import SearchRequest, Term, Within
from dynalens.search.aggregation import Metric, MetricAggregation
from dynalens.search.geo import Circle, Point
from dynalens.target.search.embedded.target import STATE_NAME, EmbeddedTarget
from tests.contract.implementations import TABLE
from tests.contract.writing import FIRST, SECOND, put

HERE = Within("here", Circle(Point(48.2, 16.4), 1000))
SUM = SearchRequest(aggregations=(("sum", MetricAggregation("n", "sum")),))
PLACE: dict[str, Typed] = {"lat": {"N": "48.2"}, "lon": {"N": "16.4"}}


def declaring(**points: list[str]) -> CollectionConfig:
    return CollectionConfig.model_validate({"table": TABLE, "search": {"geo": points}})


def open_target(folder: Path) -> EmbeddedTarget:
    return EmbeddedTarget(folder / "search")


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """A folder with one generation of one document."""
    with closing(open_target(tmp_path)) as target:
        target.create(FIRST, declaring(here=["lat", "lon"]))
        target.serve(FIRST)
        target.apply([put("a", 1, 5, attributes=PLACE)])
    return tmp_path


def test_points_are_known_after_a_restart(built: Path) -> None:
    with closing(open_target(built)) as target:
        target.apply([put("b", 2, 6, attributes=PLACE)])
        assert target.matches("donations", HERE) == 2
        assert target.search("donations", SUM).aggregations == {"sum": Metric(11.0)}


def test_a_generation_of_an_older_version_is_written_and_searched_but_not_computed_with(built: Path) -> None:
    with closing(sqlite3.connect(built / "search" / STATE_NAME)) as state, state:
        state.execute("DROP TABLE layouts")
    with closing(open_target(built)) as target:
        target.apply([put("b", 2, 6)])
        assert target.matches("donations", Term("n", 6)) == 1
        for ask in (lambda: target.matches("donations", HERE), lambda: target.search("donations", SUM)):
            with pytest.raises(TargetError, match="older version") as refused:
                ask()
            assert "dynalens status" in refused.value.hint
        target.create(SECOND, declaring(here=["lat", "lon"]))
        target.serve(SECOND)
        target.apply([put("a", 1, 5, attributes=PLACE, generation=SECOND)])
        assert target.matches("donations", HERE) == 1


def test_other_points_are_another_generation() -> None:
    plain = CollectionConfig(table=TABLE)
    one, other = declaring(here=["lat", "lon"]), declaring(here=["lon", "lat"])
    assert len({fingerprint(config, "search") for config in (plain, one, other)}) == len((plain, one, other))
    assert fingerprint(plain, "sql") == fingerprint(one, "sql")
    several = (declaring(here=["a", "b"], there=["c"]), declaring(there=["c"], here=["a", "b"]))
    assert len({fingerprint(config, "search") for config in several}) == 1
