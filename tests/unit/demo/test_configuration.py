"""The demo's own file and dashboards, and the scenarios that they speak of."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.resources import as_file, files

import pytest

from dynalens.config import Config, DashboardConfig, load, load_dashboards
from dynalens.demo.crm import Crm
from dynalens.demo.donations import Donations
from dynalens.demo.images import Images
from dynalens.demo.scenario import Item, Scenario
from dynalens.demo.shop import Shop
from dynalens.demo.transactions import Transactions

ENVIRONMENT = {"DYNALENS_DEMO_ENDPOINT": "http://127.0.0.1:8000", "DYNALENS_DEMO_PORT": "7071"}


@pytest.fixture(scope="module")
def config() -> Config:
    with as_file(files("dynalens.demo")) as package:
        return load(package / "dynalens.yaml", ENVIRONMENT)


@pytest.fixture(scope="module")
def dashboards(config: Config) -> dict[str, DashboardConfig]:
    return load_dashboards(config, ENVIRONMENT)


@pytest.fixture(scope="module")
def items() -> dict[str, list[Item]]:
    """What is filled into each table."""
    scenarios: list[Scenario] = [Donations(), Transactions(), Images(), Crm(), Shop()]
    found: dict[str, list[Item]] = {table.name: [] for scenario in scenarios for table in scenario.tables}
    for scenario in scenarios:
        for put in scenario.fill(datetime.now(UTC)):
            found[put.table.name].append(put.item)
    return found


def test_the_environment_says_where_the_emulator_is_and_where_to_answer(config: Config) -> None:
    assert config.source.endpoint_url == "http://127.0.0.1:8000"
    assert (config.server.host, config.server.port) == ("127.0.0.1", 7071)


def test_every_target_keeps_every_table(config: Config, items: dict[str, list[Item]]) -> None:
    assert all((config.targets.search, config.targets.sql, config.targets.metrics))
    assert {collection.table for collection in config.collections.values()} == items.keys()


def test_metrics_and_dashboards_speak_of_attributes_that_there_are(
    config: Config, dashboards: dict[str, DashboardConfig], items: dict[str, list[Item]]
) -> None:
    asked: set[tuple[str, str]] = set()
    for name, collection in config.collections.items():
        for metric in collection.metrics.values():
            read = (*metric.group_by, *metric.sum, *metric.avg, *metric.min, *metric.max, *metric.distinct, metric.time)
            asked |= {(name, attribute) for attribute in filter(None, read)}
    for panel in (panel for dashboard in dashboards.values() for panel in dashboard.panels):
        if panel.collection:
            asked |= {(panel.collection, attribute) for attribute in filter(None, (panel.sort, *panel.fields))}
    there = {
        (name, attribute)
        for name, collection in config.collections.items()
        for item in items[collection.table]
        if collection.item_type in {None, str(item.get("TYPE")).lower()}
        for attribute in item
    }
    assert asked - there == set()
    assert {("donations", "amount"), ("donations", "donatedAt"), ("orders", "placedAt")} <= asked


def test_the_fundraiser_has_most_of_what_it_wants_but_not_all(
    dashboards: dict[str, DashboardConfig], items: dict[str, list[Item]]
) -> None:
    [goal] = [panel.goal for panel in dashboards["fundraiser"].panels if panel.goal]
    raised = float(sum(donation["amount"] for donation in items["Donations"]))
    assert 0.6 < raised / goal < 0.8
