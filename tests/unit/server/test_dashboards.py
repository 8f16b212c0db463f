"""Dashboards as pages get them."""

from __future__ import annotations

import pytest

from dynalens.config import (
    CollectionConfig,
    Config,
    DashboardConfig,
    Duration,
    MetricConfig,
    PanelConfig,
    SumConfig,
)
from dynalens.config.dashboard import MOST_PANELS
from dynalens.server.dashboards import dashboard_answer, shown_dashboards
from tests.fakes import CONFIG


def described(dashboard: DashboardConfig, config: Config = CONFIG) -> list[dict[str, object]]:
    """Give the panels as a page gets them, without what is null."""
    answer = dashboard_answer("name", dashboard, config)
    return [panel.model_dump(exclude_none=True) for panel in answer.panels]


def test_each_collection_has_a_dashboard_by_itself() -> None:
    shown = shown_dashboards(CONFIG, {})
    assert list(shown) == ["donations", "users"]
    assert described(shown["donations"]) == [
        {
            "show": "number",
            "title": "by_platform: count",
            "metric": "donations.by_platform",
            "value": "count",
        },
        {
            "show": "number",
            "title": "by_platform: amount_sum",
            "metric": "donations.by_platform",
            "value": "amount_sum",
        },
        {"show": "bars", "title": "donations.by_platform", "metric": "donations.by_platform", "value": "count"},
        {"show": "number", "title": "everything: count", "metric": "donations.everything", "value": "count"},
        {"show": "latest", "title": "Latest", "collection": "donations", "fields": [], "size": 10},
    ]
    assert described(shown["users"]) == [
        {"show": "latest", "title": "Latest", "collection": "users", "fields": [], "size": 10}
    ]


def test_those_of_the_files_are_shown_instead() -> None:
    own = DashboardConfig(title="Own", panels=(PanelConfig(show="latest", collection="donations"),))
    assert shown_dashboards(CONFIG, {"own": own}) == {"own": own}


def test_a_metric_with_groups_and_no_total_has_no_number() -> None:
    metrics = {"by_platform": MetricConfig(group_by=("platform",), count=True)}
    config = Config(collections={"donations": CollectionConfig(table="Donations", metrics=metrics)})
    shown = shown_dashboards(config, {})["donations"]
    assert [panel["show"] for panel in described(shown, config)] == ["bars", "latest"]


@pytest.mark.parametrize(("count", "value"), [(True, "count"), (False, "amount_sum")])
def test_defaults_are_filled_in(*, count: bool, value: str) -> None:
    metrics = {"everything": MetricConfig(count=count, sum={"amount": SumConfig()})}
    config = Config(collections={"donations": CollectionConfig(table="Donations", metrics=metrics)})
    dashboard = DashboardConfig(title="x", panels=(PanelConfig(show="number", metric="donations.everything", goal=5),))
    assert described(dashboard, config) == [
        {
            "show": "number",
            "title": "donations.everything",
            "metric": "donations.everything",
            "value": value,
            "goal": 5.0,
        }
    ]


def test_time_buckets_are_a_line() -> None:
    metrics = {"per_minute": MetricConfig(every=Duration("1m"), group_by=("platform",), count=True)}
    config = Config(collections={"donations": CollectionConfig(table="Donations", metrics=metrics)})
    [line, _] = described(shown_dashboards(config, {})["donations"], config)
    assert (line["show"], line["metric"], line["every_seconds"]) == ("line", "donations.per_minute", 60)


def test_a_collection_with_more_metrics_than_a_dashboard_has_room_for_shows_the_first() -> None:
    metrics = {f"m{number}": MetricConfig(group_by=("platform",), count=True, total=True) for number in range(40)}
    config = Config(collections={"donations": CollectionConfig(table="Donations", metrics=metrics)})
    panels = described(shown_dashboards(config, {})["donations"], config)
    assert len(panels) == MOST_PANELS
    assert panels[0]["metric"] == "donations.m0"
    assert panels[-1]["show"] == "latest"
