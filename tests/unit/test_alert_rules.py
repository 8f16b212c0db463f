"""The alert rules: each fires on what it is about and on nothing else, judged over what `GET /metrics` really says.

Prometheus itself cannot be installed from a package registry, so expressions are read here; the rules keep to the few
forms that this understands.
"""

from __future__ import annotations

import json
import operator
import re
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from dynalens.errors import SourceError
from dynalens.position import Gap
from dynalens.server.exposition import exposition
from dynalens.source import aws, streams
from tests.fakes import Fakes, copy, world

ROOT = Path(__file__).parents[2]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy" / "prometheus" / "dynalens.rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]

NOW = time.time()
HOUR = 3600.0

Series = tuple[str, Mapping[str, str], float]

LABEL = r'(\w+)(=~|!~|!=|=)"([^"]*)"'
SELECTOR = re.compile(rf"(dynalens_\w+)(?:\{{((?:{LABEL},?)+)\}})?")
COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {"==": operator.eq, ">": operator.gt, "<": operator.lt}


def scraped(fakes: Fakes) -> list[Series]:
    """Read the exposition as Prometheus does: name, labels and value of each series."""
    text = exposition(fakes.backend(), requests=Counter(), viewers=0, now=NOW).decode()
    found = [re.fullmatch(r"(\w+)(?:\{(.*)\})? (\S+)", line) for line in text.splitlines() if not line.startswith("#")]
    return [
        (match[1], {label[0]: label[2] for label in re.findall(LABEL, match[2] or "")}, float(match[3]))
        for match in found
        if match
    ]


def fires(expression: str, series: Sequence[Series]) -> list[Mapping[str, str]]:
    """Give the labels of what an expression finds: `absent(NAME)`, or a selector, or its highest value in
    a minute, compared with a number.
    """
    if absent := re.fullmatch(r"absent\((\w+)\)", expression):
        return [] if any(name == absent[1] for name, _, _ in series) else [{}]
    # There is one scrape here, so that a minute holds no other value.
    expression = re.sub(r"^max_over_time\((.*)\[1m\]\)", r"\1", expression)
    selector, sign, number = expression.rsplit(" ", 2)
    return [
        labels
        for name, labels, value in series
        if selects(selector, name, labels) and COMPARISONS[sign](value, float(number))
    ]


def selects(selector: str, name: str, labels: Mapping[str, str]) -> bool:
    parsed = SELECTOR.fullmatch(selector)
    assert parsed, selector
    return name == parsed[1] and all(
        # A label that a series does not have is empty to Prometheus, whose patterns match whole values.
        bool(re.fullmatch(pattern if "~" in how else re.escape(pattern), labels.get(label, ""))) == ("!" not in how)
        for label, how, pattern in re.findall(LABEL, parsed[2] or "")
    )


def healthy() -> Fakes:
    """Give a world in which all is well."""
    fakes = world(NOW)
    fakes.stores.saved_copies[-1] = ("CrmMaster", copy("users", "sql", state="live"))
    fakes.stores.saved_letters.clear()
    return fakes


def failed(code: str) -> Callable[[Fakes], None]:
    def change(fakes: Fakes) -> None:
        change_reports(fakes, error_code=code, error_message="It failed.", error_hint="Mend it.")

    return change


def change_reports(fakes: Fakes, **changes: Any) -> None:  # noqa: ANN401 - fields of a report
    fakes.stores.saved_reports = [replace(report, **changes) for report in fakes.stores.saved_reports]


def lose_changes(fakes: Fakes) -> None:
    fakes.stores.open_gaps.append(Gap("Donations", "sql", "shardId-1", 0.0, NOW, "trimmed", NOW))


def leave_letters(fakes: Fakes) -> None:
    fakes.stores.saved_letters = world(NOW).stores.saved_letters


def find_differences(fakes: Fakes) -> None:
    [known] = fakes.requests.requests("Donations")
    outcome = {**json.loads(known.outcome), "repaired": 0}
    fakes.requests.save_request(replace(known, outcome=json.dumps(outcome)))


def copy_still(fakes: Fakes) -> None:
    fakes.stores.saved_copies = world(NOW).stores.saved_copies


CAUSES: Mapping[str, Callable[[Fakes], None]] = {
    "DynalensGap": lose_changes,
    "DynalensLossNear": lambda fakes: change_reports(fakes, behind_seconds=19 * HOUR),
    "DynalensWorkerSilent": lambda fakes: change_reports(fakes, written_at=NOW - 60),
    "DynalensStalled": lambda fakes: change_reports(fakes, polled_at=NOW - 60),
    "DynalensTargetDown": failed("target"),
    "DynalensSourceDown": failed("access"),
    "DynalensFailing": failed("store"),
    "DynalensLagHigh": lambda fakes: change_reports(fakes, behind_seconds=600),
    "DynalensDeadLetters": leave_letters,
    "DynalensDrift": find_differences,
    "DynalensNotReady": copy_still,
}
COMPANIONS = {
    "DynalensLossNear": {"DynalensLagHigh"},
    "DynalensWorkerSilent": {"DynalensStalled"},
}
"""What cannot but fire too."""


def codes_of_sources(of: type[SourceError] = SourceError) -> set[str]:
    """Give the codes of all errors of sources: importing them is what makes them known."""
    assert {aws, streams}
    return {of.code}.union(*map(codes_of_sources, of.__subclasses__()))


def firing(series: Sequence[Series]) -> set[str]:
    return {rule["alert"] for rule in RULES if fires(rule["expr"], series)}


def test_nothing_fires_while_all_is_well() -> None:
    assert firing(scraped(healthy())) == set()


def test_every_alert_but_the_one_on_silence_has_a_cause_here() -> None:
    assert {rule["alert"] for rule in RULES} == {"DynalensDown", *CAUSES}


@pytest.mark.parametrize("alert", CAUSES)
def test_an_alert_fires_on_its_cause_alone(alert: str) -> None:
    fakes = healthy()
    CAUSES[alert](fakes)
    assert firing(scraped(fakes)) == {alert, *COMPANIONS.get(alert, ())}


@pytest.mark.parametrize("code", ["error", "stale_lease", "target", "worker_silent", *sorted(codes_of_sources())])
def test_every_code_fires_one_alert_on_errors(code: str) -> None:
    series: list[Series] = [("dynalens_last_error_info", {"code": code}, 1.0), ("dynalens_build_info", {}, 1.0)]
    by_code = {"target": "DynalensTargetDown", "worker_silent": "DynalensWorkerSilent"}
    other = "DynalensSourceDown" if code in codes_of_sources() else "DynalensFailing"
    assert firing(series) == {by_code.get(code, other)}


def test_nobody_to_scrape_is_down() -> None:
    assert firing([]) == {"DynalensDown"}


def test_a_worker_that_never_reported_is_silent() -> None:
    fakes = healthy()
    fakes.stores.saved_reports.clear()
    assert firing(scraped(fakes)) == {"DynalensWorkerSilent", "DynalensStalled"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_summary_names_only_labels_that_its_series_have(rule: Mapping[str, Any]) -> None:
    fakes = healthy()
    if cause := CAUSES.get(rule["alert"]):
        cause(fakes)
    [found, *_] = fires(rule["expr"], scraped(fakes) if cause else [])
    assert set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"])) <= set(found)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_a_rule_says_how_bad_it_is_and_where_to_read_on(rule: Mapping[str, Any]) -> None:
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert re.fullmatch("[1-9][0-9]?[mh]", rule.get("for", "1m"))
    assert rule["annotations"]["runbook_url"] == f"docs/runbook.md#{rule['alert'].lower()}"
