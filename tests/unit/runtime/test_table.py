"""What the worker of a table makes of its configuration."""

from __future__ import annotations

from dynalens.config import CollectionConfig, MetricConfig, SourceConfig
from dynalens.pipeline import Background
from dynalens.runtime.table import background

COLLECTIONS = {
    "donations": CollectionConfig(table="T", metrics={"all": MetricConfig(count=True)}),
    "users": CollectionConfig(table="T"),
}


def test_a_collection_without_metrics_is_not_compared_in_the_metrics_target() -> None:
    source = SourceConfig.model_validate({"verify": {"every": "2h", "rate": 5, "repair": True}})
    assert background(source, COLLECTIONS, ["sql", "metrics"]) == Background(
        every_seconds=7200.0,
        rate=5.0,
        repair=True,
        collections={"sql": ["donations", "users"], "metrics": ["donations"]},
    )


def test_nothing_is_compared_unless_the_file_says_so() -> None:
    assert background(SourceConfig(), COLLECTIONS, ["sql", "metrics"]) is None
