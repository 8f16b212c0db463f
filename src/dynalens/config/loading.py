"""From the file to a `Config`, or to all of its errors at once."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from dynalens.config import rules
from dynalens.config.dashboard import DashboardConfig, dashboard_findings, find
from dynalens.config.document import Document, Place, Problem, read_document
from dynalens.config.model import (
    Config,
    MetricConfig,
    SearchConfig,
    Section,
    ServerConfig,
    SourceConfig,
    TargetsConfig,
)
from dynalens.config.shape import shape_problems, unknown_message
from dynalens.errors import ConfigError

_SHORTEST = "collections: {donations: {table: Donations}}"
"""The shortest file that works."""

_SHORTEST_DASHBOARD = "{title: Donations, panels: [{show: latest, collection: donations}]}"
"""The shortest dashboard."""

S = TypeVar("S", bound=Section)


class ConfigFileError(ConfigError):
    """A file has errors: `path` is the file, `problems` lists every one; the message has a line for each."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        """Write a line for each problem: file, line, setting, what is wrong and what to write."""
        super().__init__(
            "\n".join(described(path, problem) for problem in problems),
            hint=f"Correct {path}, then run: dynalens check",
        )
        self.path = path
        self.problems = tuple(problems)


def load(path: Path, environment: Mapping[str, str] | None = None) -> Config:
    """Read the file and check all of it.

    Args:
        path: The file; `Config.path` keeps it, made absolute.
        environment: Where `${NAME}` is looked up; the process's own environment by default.

    Raises:
        ConfigFileError: The file has errors; all of them are listed.
        ConfigError: The file cannot be read at all.
    """
    _, config, problems = _read(path, environment)
    if config is None or problems:
        raise ConfigFileError(path, problems)
    return config.model_copy(update={"path": path.absolute()})


def load_server(path: Path, environment: Mapping[str, str] | None = None) -> ServerConfig:
    """Read where the server listens, whatever the rest of the file holds.

    Commands that only ask the server need not have the secrets that its worker has.

    Raises:
        ConfigFileError: The server's section has errors, or the file is no YAML.
        ConfigError: The file cannot be read at all.
    """
    values, _, problems = _read(path, environment)
    concerning = [problem for problem in problems if problem.place[:1] in {(), ("server",)}]
    if concerning:
        raise ConfigFileError(path, concerning)
    return _sound(ServerConfig, values.get("server")) or ServerConfig()


def load_dashboards(config: Config, environment: Mapping[str, str] | None = None) -> dict[str, DashboardConfig]:
    """Read the dashboards that a configuration names.

    Args:
        config: The configuration; its `path` tells where its patterns begin.
        environment: Where `${NAME}` is looked up; the process's own environment by default.

    Returns:
        The dashboards by name, which is that of the file without its ending; none where the file names none.

    Raises:
        ConfigFileError: A pattern leads nowhere, or a dashboard has errors; all of one file's are listed.
        ConfigError: A dashboard cannot be read at all.
    """
    found = find(config.path.parent, config.dashboards)
    if found.findings:
        document = read_document(_text(config.path), os.environ if environment is None else environment)
        raise ConfigFileError(config.path, list(_problems(document, _below(("dashboards",), iter(found.findings)))))
    return {name: _load_dashboard(path, config, environment) for name, path in found.files.items()}


def _load_dashboard(path: Path, config: Config, environment: Mapping[str, str] | None) -> DashboardConfig:
    document = read_document(_text(path), os.environ if environment is None else environment)
    problems, dashboard = document.problems, None
    if not problems:
        dashboard, problems = _checked_dashboard(document, config)
    if dashboard is None or problems:
        raise ConfigFileError(path, sorted(problems))
    return dashboard


def _checked_dashboard(document: Document, config: Config) -> tuple[DashboardConfig | None, list[Problem]]:
    if not isinstance(document.values, dict):
        return None, [Problem(1, (), f"holds no dashboard. Write for example: {_SHORTEST_DASHBOARD}")]
    try:
        dashboard = DashboardConfig.model_validate(document.values)
    except ValidationError as error:
        return None, list(shape_problems(error, document, DashboardConfig))
    return dashboard, list(_problems(document, dashboard_findings(dashboard, config.collections)))


def described(path: Path, problem: Problem) -> str:
    """Give a problem as one line: file, line, setting, what is wrong and what to write."""
    setting = f"{place_text(problem.place)}: " if problem.place else ""
    return f"{path}:{problem.line}: {setting}{problem.message}"


def place_text(place: Place) -> str:
    """Give a place as it is spoken of: `collections.donations.metrics.by_platform.group_by[0]`."""
    text = ""
    for part in place:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if part and part.isprintable() and "." not in part else repr(part))
    return text


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        hint = f"Write it, for example: {_SHORTEST}. Or name another one: dynalens -c FILE"
        raise ConfigError(f"There is no file {path}.", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.", hint="Name a file: dynalens -c FILE") from error
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}:{line}: is not UTF-8.", hint="Save the file as UTF-8.") from error


def _read(path: Path, environment: Mapping[str, str] | None) -> tuple[Mapping[str, Any], Config | None, list[Problem]]:
    """Give the values, the configuration where its shape is right, and all problems in the order of the file."""
    document = read_document(_text(path), os.environ if environment is None else environment)
    config, found = _checked(document)
    # One error for each place: a value that could not be read is not also of the wrong shape.
    known = {problem.place for problem in document.problems}
    problems = document.problems + [problem for problem in found if problem.place not in known]
    return _mapping(document.values), config, sorted(problems)


def _checked(document: Document) -> tuple[Config | None, list[Problem]]:
    """Give the configuration where its shape is right, and what is wrong in shape or sense."""
    values = document.values
    if not isinstance(values, dict):
        what = "is empty" if values is None else "is no mapping"
        return None, [Problem(1, (), f"{what}. Write for example: {_SHORTEST}")]
    problems: list[Problem] = []
    config: Config | None = None
    if "path" in values:
        problems.append(Problem(document.line(("path",)), ("path",), unknown_message(Config, "path")))
    try:
        config = Config.model_validate({name: value for name, value in values.items() if name != "path"})
    except ValidationError as error:
        problems += shape_problems(error, document)
    return config, problems + list(_problems(document, _findings(values)))


def _problems(document: Document, findings: Iterator[rules.Finding]) -> Iterator[Problem]:
    for place, message in findings:
        shown = document.written(place) if place in document.scalars else ""
        yield Problem(document.line(place), place, f"{shown} {message}".lstrip())


def _findings(values: Mapping[str, Any]) -> Iterator[rules.Finding]:
    """Check the sense of every section whose own shape is right, whatever is wrong elsewhere in the file."""
    if source := _sound(SourceConfig, values.get("source")):
        yield from _below(("source",), rules.source_findings(source))
    yield from rules.store_findings(values.get("store"))
    targets = _sound(TargetsConfig, values.get("targets"))
    if targets:
        yield from _below(("targets",), rules.targets_findings(targets))
    collections = {name: _mapping(section) for name, section in _mapping(values.get("collections")).items()}
    yield from _below(("collections",), rules.name_findings(collections))
    for name, section in collections.items():
        place = ("collections", name)
        yield from _below(place, rules.table_findings(section.get("table")))
        yield from _below(place, rules.type_findings(section))
        if search := _sound(SearchConfig, section.get("search")):
            yield from _below((*place, "search"), rules.search_findings(search))
        if targets and (targets.search or targets.sql or targets.metrics):
            yield from _below(place, rules.kept_findings(targets, section))
    yield from _below(("collections",), rules.type_attribute_findings(collections))
    yield from _metrics_findings(collections)


def _metrics_findings(collections: Mapping[str, Mapping[str, Any]]) -> Iterator[rules.Finding]:
    published: list[rules.Published] = []
    for name, section in collections.items():
        for metric_name, values in _mapping(section.get("metrics")).items():
            place = ("collections", name, "metrics", metric_name)
            if metric := _sound(MetricConfig, values):
                yield from _below(place, rules.metric_findings(metric))
                if metric.publish:
                    published.append(rules.Published((*place, "publish"), metric.publish))
    yield from rules.overlap_findings(published)


def _below(place: Place, findings: Iterator[rules.Finding]) -> Iterator[rules.Finding]:
    return (((*place, *inner), message) for inner, message in findings)


def _sound(section: type[S], values: object) -> S | None:
    """Give a section of the right shape, unknown settings left out; None for any other, and for one that is missing."""
    if not isinstance(values, dict):
        return None
    try:
        return section.model_validate({name: values[name] for name in section.model_fields if name in values})
    except ValidationError:
        return None


def _mapping(values: object) -> Mapping[str, Any]:
    return values if isinstance(values, dict) else {}
