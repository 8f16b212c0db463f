"""Dashboards: panels as YAML, one file each, beside the file that names them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from pydantic import Field, WithJsonSchema

from dynalens.config.model import AttributeName, CollectionConfig, MetricConfig, Section
from dynalens.config.rules import Finding

PANELS: Mapping[str, frozenset[str]] = {
    "number": frozenset({"metric", "value", "unit", "goal"}),
    "bars": frozenset({"metric", "value", "unit"}),
    "line": frozenset({"metric", "value", "unit"}),
    "latest": frozenset({"collection", "sort", "fields", "size"}),
}
"""The kinds of panel, each with the settings that it takes beside `show` and `title`."""

MOST_PANELS = 24
"""Panels of one dashboard: a viewer may watch 32 metrics and collections."""

_FILE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")


class PanelConfig(Section):
    """One panel."""

    show: Annotated[str, WithJsonSchema({"enum": sorted(PANELS)})] = Field(examples=["number"])
    """What it shows: `number`, a metric's total or only group; `bars`, a bar for each group; `line`, a metric over
    time; `latest`, the newest documents of a collection."""

    title: str | None = Field(default=None, min_length=1, examples=["Raised tonight"])
    """What stands above it; without it the metric's or the collection's name."""

    metric: str | None = Field(default=None, examples=["donations.by_platform"])
    """The metric, as collection and name."""

    value: str | None = Field(default=None, examples=["amount_sum"])
    """Which of the metric's values; its first one by default."""

    unit: str | None = Field(default=None, min_length=1, max_length=12, examples=["EUR"])
    """Unit of the value: a currency's three letters, or any short text."""

    goal: float | None = Field(default=None, gt=0, allow_inf_nan=False, examples=[150000])
    """What the number is to reach."""

    collection: str | None = Field(default=None, examples=["donations"])
    """The collection whose documents are shown."""

    sort: AttributeName | None = Field(default=None, examples=["donatedAt"])
    """The attribute that is highest in the newest document."""

    fields: tuple[AttributeName, ...] = Field(default=(), max_length=8, examples=[["name", "platform", "amount"]])
    """Attributes to show; the first few of a document by default."""

    size: int = Field(default=10, ge=1, le=100, examples=[10])
    """How many documents."""


class DashboardConfig(Section):
    """One dashboard."""

    title: str = Field(min_length=1, examples=["Charity fundraiser"])
    """The page's title."""

    panels: tuple[PanelConfig, ...] = Field(
        min_length=1, max_length=MOST_PANELS, examples=[[{"show": "number", "metric": "donations.by_platform"}]]
    )
    """What it shows, the most important first."""


@dataclass(frozen=True, slots=True)
class Found:
    """The files that patterns lead to, by the dashboard's name, and what is wrong with the patterns."""

    files: dict[str, Path] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def find(folder: Path, patterns: Sequence[str]) -> Found:
    """Look for dashboards' files.

    Args:
        folder: Where the configuration stands; patterns are relative to it.
        patterns: Paths, in which `*` and `**` stand for any names, as in `pathlib.Path.glob`.
    """
    found = Found()
    for index, pattern in enumerate(patterns):
        paths = _glob(folder, pattern)
        if not paths:
            found.findings.append(((index,), "names no file. Write one, or a pattern such as dashboards/*.yaml."))
        for path in paths:
            if message := _name_message(path, found.files):
                found.findings.append(((index,), message))
            else:
                found.files[path.stem] = path
    return found


def _glob(folder: Path, pattern: str) -> list[Path]:
    if Path(pattern).is_absolute():
        return [Path(pattern)] if Path(pattern).is_file() else []
    try:
        return sorted(path for path in folder.glob(pattern) if path.is_file())
    except ValueError:  # an empty pattern, or `**` within a name
        return []


def _name_message(path: Path, known: Mapping[str, Path]) -> str:
    if not _FILE_NAME.fullmatch(path.stem):
        return f"leads to {path.name}, whose name stands in an address. Write letters, digits, _ and -, a letter first."
    for name, other in known.items():
        if name.lower() == path.stem.lower() and other != path:
            return f"leads to {path.name} and {other.name}, which have one name. Rename one of them."
    return ""


def dashboard_findings(dashboard: DashboardConfig, collections: Mapping[str, CollectionConfig]) -> Iterator[Finding]:
    """Check that each panel shows something that is there, and has no setting of another kind of panel."""
    for index, panel in enumerate(dashboard.panels):
        for place, message in _panel_findings(panel, collections):
            yield ("panels", index, *place), message


def _panel_findings(panel: PanelConfig, collections: Mapping[str, CollectionConfig]) -> Iterator[Finding]:
    settings = PANELS.get(panel.show)
    if settings is None:
        yield ("show",), f"is no kind of panel. Write one of: {', '.join(PANELS)}."
        return
    for name in sorted(panel.model_fields_set - settings - {"show", "title"}):
        yield (name,), f"is no setting of a panel that shows {panel.show}. Remove it."
    yield from _latest_findings(panel, collections) if panel.show == "latest" else _value_findings(panel, collections)


def _latest_findings(panel: PanelConfig, collections: Mapping[str, CollectionConfig]) -> Iterator[Finding]:
    if panel.collection is None:
        yield ("collection",), f"is missing. Write one of: {_listed(collections)}."
    elif panel.collection not in collections:
        yield ("collection",), f"is no collection. Write one of: {_listed(collections)}."


def _value_findings(panel: PanelConfig, collections: Mapping[str, CollectionConfig]) -> Iterator[Finding]:
    known = {f"{name}.{metric}" for name, collection in collections.items() for metric in collection.metrics}
    if panel.metric is None:
        yield ("metric",), f"is missing. Write one of: {_listed(known)}."
        return
    if panel.metric not in known:
        yield ("metric",), f"is no metric. Write one of: {_listed(known)}."
        return
    collection, _, name = panel.metric.partition(".")
    metric = collections[collection].metrics[name]
    if panel.value is not None and panel.value not in metric.values:
        yield ("value",), f"is no value of {panel.metric}. Write one of: {', '.join(metric.values)}."
    if message := _fit(panel, metric):
        yield ("metric",), message


def _fit(panel: PanelConfig, metric: MetricConfig) -> str:
    """Say what keeps a metric from being shown as the panel asks; nothing where it can be."""
    if panel.show == "number" and metric.members and not metric.total:
        return "has groups and no total, so there is no one number. Write total: true in the metric."
    if panel.show == "bars" and not metric.group_by:
        return "has one group only. Write group_by in the metric, or show: number."
    if panel.show == "bars" and metric.every:
        return "has groups for each time bucket. Write show: line, or a metric without every."
    if panel.show == "line" and not metric.every:
        return "has no time buckets. Write every: 1m in the metric."
    return ""


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none is configured"
