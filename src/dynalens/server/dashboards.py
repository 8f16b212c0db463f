"""Dashboards as pages get them: those of the files, or one that each collection has by itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice

from dynalens.config import CollectionConfig, Config, DashboardConfig, PanelConfig
from dynalens.config.dashboard import MOST_PANELS
from dynalens.server.models import BarsPanel, DashboardAnswer, LatestPanel, LinePanel, NumberPanel, PanelAnswer


def shown_dashboards(config: Config, dashboards: Mapping[str, DashboardConfig]) -> dict[str, DashboardConfig]:
    """Give the dashboards of the files; where there are none, one for each collection, named after it."""
    if dashboards:
        return dict(dashboards)
    return {name: _own_dashboard(name, collection) for name, collection in config.collections.items()}


def _own_dashboard(name: str, collection: CollectionConfig) -> DashboardConfig:
    latest = PanelConfig(show="latest", title="Latest", collection=name)
    return DashboardConfig(title=name, panels=(*islice(_own_panels(name, collection), MOST_PANELS - 1), latest))


def _own_panels(name: str, collection: CollectionConfig) -> Iterator[PanelConfig]:
    """Show each metric in the way that says most of it: the total first, then its groups."""
    for metric_name, metric in collection.metrics.items():
        named = f"{name}.{metric_name}"
        if metric.total or not metric.members:
            for value in metric.values:
                yield PanelConfig(show="number", title=f"{metric_name}: {value}", metric=named, value=value)
        if metric.members:
            yield PanelConfig(show="line" if metric.every else "bars", metric=named, value=metric.values[0])


def dashboard_answer(name: str, dashboard: DashboardConfig, config: Config) -> DashboardAnswer:
    """Describe a dashboard to a page, with every default filled in."""
    panels = [_panel(panel, config) for panel in dashboard.panels]
    return DashboardAnswer(name=name, title=dashboard.title, panels=panels)


def _panel(panel: PanelConfig, config: Config) -> PanelAnswer:
    match panel:
        case PanelConfig(show="latest", collection=str(collection)):
            return LatestPanel(
                title=panel.title or collection,
                collection=collection,
                sort=panel.sort,
                fields=list(panel.fields),
                size=panel.size,
            )
        case PanelConfig(metric=str(name)):
            return _value_panel(panel, name, config)
    raise AssertionError(panel)  # no panel that was checked


def _value_panel(panel: PanelConfig, name: str, config: Config) -> PanelAnswer:
    collection, _, metric_name = name.partition(".")
    metric = config.collections[collection].metrics[metric_name]
    title, value, unit = panel.title or name, panel.value or metric.values[0], panel.unit
    if panel.show == "line" and metric.every:
        every = metric.every.seconds
        return LinePanel(title=title, metric=name, value=value, unit=unit, every_seconds=every)
    if panel.show == "bars":
        return BarsPanel(title=title, metric=name, value=value, unit=unit)
    return NumberPanel(title=title, metric=name, value=value, unit=unit, goal=panel.goal)
