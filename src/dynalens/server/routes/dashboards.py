"""Dashboards: what pages show, and from which metrics and collections."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from dynalens.server.backend import unknown
from dynalens.server.dashboards import dashboard_answer, shown_dashboards
from dynalens.server.documented import answers
from dynalens.server.models import DashboardAnswer, DashboardName, DashboardsAnswer
from dynalens.server.service import Here

router = APIRouter(prefix="/api/v1/dashboards", tags=["dashboards"])

_NAME = {"name": "fundraiser", "title": "Charity fundraiser"}
_PANEL = {
    "show": "number",
    "title": "Raised tonight",
    "metric": "donations.by_platform",
    "value": "amount_sum",
    "unit": "EUR",
    "goal": 150000.0,
}


@router.get("", summary="All dashboards", responses=answers({"dashboards": [_NAME]}))
async def dashboards(here: Here) -> DashboardsAnswer:
    """List the dashboards of the files; where there are none, one for each collection."""
    shown = shown_dashboards(here.backend.config, here.backend.dashboards)
    return DashboardsAnswer(dashboards=[DashboardName(name=name, title=each.title) for name, each in shown.items()])


@router.get("/{name}", summary="One dashboard", responses=answers({**_NAME, "panels": [_PANEL]}, 404))
async def dashboard(
    here: Here, name: Annotated[str, Path(description="A dashboard's name.", examples=["fundraiser"])]
) -> DashboardAnswer:
    """Describe a dashboard: each panel with the metric or collection that it shows, and every default filled in."""
    shown = shown_dashboards(here.backend.config, here.backend.dashboards)
    found = shown.get(name)
    if found is None:
        raise unknown("dashboard", name, shown)
    return dashboard_answer(name, found, here.backend.config)
