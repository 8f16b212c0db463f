"""Dashboards' files: what they mean, what is refused in them, and how it is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dynalens.config import ConfigFileError, DashboardConfig, PanelConfig, load, load_dashboards
from dynalens.config.dashboard import PANELS

DOCS = Path(__file__).parents[2] / "docs"

CONFIG = """\
collections:
  donations:
    table: Donations
    metrics:
      by_platform: {group_by: platform, count: true, sum: {amount: {decimals: 2}}, total: true}
      no_total: {group_by: platform, count: true}
      everything: {count: true}
      per_minute: {every: 1m, group_by: platform, count: true, sum: {amount: {decimals: 2}}}
"""

METRICS = "donations.by_platform, donations.everything, donations.no_total, donations.per_minute"
ONE_GROUP = "has one group only. Write group_by in the metric, or show: number."
BUCKETS = "has groups for each time bucket. Write show: line, or a metric without every."
NO_TOTAL = "has groups and no total, so there is no one number. Write total: true in the metric."

FUNDRAISER = """\
title: Charity fundraiser
panels:
  - {show: number, title: Raised tonight, metric: donations.by_platform, value: amount_sum, unit: EUR, goal: 150000}
  - {show: bars, metric: donations.by_platform}
  - {show: line, metric: donations.per_minute}
  - {show: latest, collection: donations, sort: donatedAt, fields: [email, amount], size: 5}
"""


def read(folder: Path, patterns: str = "dashboards/*.yaml", **files: str) -> dict[str, DashboardConfig]:
    (folder / "dashboards").mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / "dashboards" / f"{name}.yaml").write_text(text)
    (folder / "dynalens.yaml").write_text(f"{CONFIG}dashboards: {patterns}\n")
    return load_dashboards(load(folder / "dynalens.yaml", {}), {})


def errors_of(folder: Path, patterns: str = "dashboards/*.yaml", **files: str) -> list[str]:
    """Give the lines of the error, without the folder."""
    with pytest.raises(ConfigFileError) as caught:
        read(folder, patterns, **files)
    return [line.removeprefix(f"{folder}/") for line in caught.value.message.splitlines()]


def test_a_dashboard_is_named_after_its_file(tmp_path: Path) -> None:
    assert read(tmp_path, fundraiser=FUNDRAISER) == {
        "fundraiser": DashboardConfig(
            title="Charity fundraiser",
            panels=(
                PanelConfig(
                    show="number",
                    title="Raised tonight",
                    metric="donations.by_platform",
                    value="amount_sum",
                    unit="EUR",
                    goal=150_000,
                ),
                PanelConfig(show="bars", metric="donations.by_platform"),
                PanelConfig(show="line", metric="donations.per_minute"),
                PanelConfig(
                    show="latest", collection="donations", sort="donatedAt", fields=("email", "amount"), size=5
                ),
            ),
        )
    }


def test_without_the_setting_there_are_none(tmp_path: Path) -> None:
    (tmp_path / "dynalens.yaml").write_text(CONFIG)
    assert load_dashboards(load(tmp_path / "dynalens.yaml", {})) == {}


def test_several_patterns_and_whole_paths_are_taken(tmp_path: Path) -> None:
    read(tmp_path, one=FUNDRAISER, two=FUNDRAISER)
    found = read(tmp_path, f"[dashboards/one.yaml, '{tmp_path}/dashboards/two.yaml', 'dashboards/o*.yaml']")
    assert list(found) == ["one", "two"]


@pytest.mark.parametrize("pattern", ["dashboards/*.yml", "/nowhere/at.yaml", "dashboards", "a**b"])
def test_a_pattern_that_leads_nowhere_is_an_error(tmp_path: Path, pattern: str) -> None:
    [line] = errors_of(tmp_path, f"[{pattern!r}]", one=FUNDRAISER)
    advice = "Write one, or a pattern such as dashboards/*.yaml."
    assert line == f"dynalens.yaml:9: dashboards[0]: '{pattern}' names no file. {advice}"


def test_names_stand_in_addresses_and_are_told_apart(tmp_path: Path) -> None:
    read(tmp_path, fine=FUNDRAISER)
    (tmp_path / "dashboards" / "fun draiser.yaml").write_text(FUNDRAISER)
    [line] = errors_of(tmp_path)
    assert "leads to fun draiser.yaml, whose name stands in an address" in line
    (tmp_path / "dashboards" / "fun draiser.yaml").rename(tmp_path / "dashboards" / "FINE.yml")
    [line] = errors_of(tmp_path, "'dashboards/*'")
    assert "which have one name. Rename one of them." in line


@pytest.mark.parametrize(
    ("panel", "error"),
    [
        ("{show: pie}", "3: panels[0].show: pie is no kind of panel. Write one of: number, bars, line, latest."),
        ("{shoe: bars}", "3: panels[0].shoe: is no setting. Did you mean show?"),
        ("{title: x}", "3: panels[0].show: is missing. Write it, for example show: number."),
        (
            "{show: bars}",
            f"3: panels[0].metric: is missing. Write one of: {METRICS}.",
        ),
        (
            "{show: bars, metric: donations.nothing}",
            f"3: panels[0].metric: donations.nothing is no metric. Write one of: {METRICS}.",
        ),
        (
            "{show: bars, metric: donations.everything}",
            f"3: panels[0].metric: donations.everything {ONE_GROUP}",
        ),
        (
            "{show: number, metric: donations.no_total}",
            f"3: panels[0].metric: donations.no_total {NO_TOTAL}",
        ),
        (
            "{show: line, metric: donations.everything}",
            "3: panels[0].metric: donations.everything has no time buckets. Write every: 1m in the metric.",
        ),
        (
            "{show: bars, metric: donations.per_minute}",
            f"3: panels[0].metric: donations.per_minute {BUCKETS}",
        ),
        (
            "{show: number, metric: donations.per_minute}",
            f"3: panels[0].metric: donations.per_minute {NO_TOTAL}",
        ),
        (
            "{show: number, metric: donations.everything, value: amount_sum}",
            "3: panels[0].value: amount_sum is no value of donations.everything. Write one of: count.",
        ),
        (
            "{show: number, metric: donations.everything, goal: 0}",
            "3: panels[0].goal: 0 is too small. Write a number above 0.",
        ),
        (
            "{show: number, metric: donations.everything, fields: [a]}",
            "3: panels[0].fields: is no setting of a panel that shows number. Remove it.",
        ),
        ("{show: latest}", "3: panels[0].collection: is missing. Write one of: donations."),
        (
            "{show: latest, collection: users}",
            "3: panels[0].collection: users is no collection. Write one of: donations.",
        ),
        (
            "{show: latest, collection: donations, size: 1000}",
            "3: panels[0].size: 1000 is too large. Write a number from 1 to 100.",
        ),
    ],
)
def test_an_error_says_what_to_write(tmp_path: Path, panel: str, error: str) -> None:
    lines = errors_of(tmp_path, one=f"title: One\npanels:\n  - {panel}\n")
    assert f"dashboards/one.yaml:{error}" in lines


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("", "1: holds no dashboard. Write for example: "),
        ("- a\n", "1: holds no dashboard. Write for example: "),
        ("title: 5\npanels: []\n", '1: title: 5 is a number. Write it in quotes: "5".'),
        ("title: x\n", "1: panels: is missing. Write it, for example panels: "),
        ("title: x\npanels: []\n", "2: panels: is empty. Write "),
        ("title: x\npanels: {}\n", "2: panels: {} is a mapping. Write "),
        ("title: {x: 1\n", "2: lacks the closing bracket"),
    ],
)
def test_a_file_that_is_no_dashboard_says_so(tmp_path: Path, text: str, error: str) -> None:
    lines = errors_of(tmp_path, one=text)
    assert any(line.startswith(f"dashboards/one.yaml:{error}") for line in lines), lines


def test_the_example_of_an_error_is_a_dashboard(tmp_path: Path) -> None:
    [line] = errors_of(tmp_path, one="")
    assert read(tmp_path, one=line.partition("for example: ")[2])["one"].title == "Donations"


def test_every_setting_of_a_panel_is_documented() -> None:
    page = (DOCS / "configuration.md").read_text()
    for name in PanelConfig.model_fields:
        assert re.search(rf"^\| `{name}` \|", page, re.MULTILINE), name
    assert all(f"`{kind}`" in page for kind in PANELS)


def test_the_dashboard_of_the_page_is_one(tmp_path: Path) -> None:
    page = (DOCS / "configuration.md").read_text().partition("## `dashboards`")[2]
    [text] = re.findall(r"```yaml\n(.*?)```", page.partition("\n## ")[0], re.DOTALL)
    assert read(tmp_path, one=text)["one"].panels
