"""The file as plain values, each with the line that it stands on, so that every error can point at its place.

Only the part of YAML that a configuration needs is read: mappings, lists and single values, in the types of YAML 1.2.
YAML 1.1 would turn `country: NO` into false, `day: 2019-08-07` into a date and `code: 010` into 8.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import yaml
from yaml.composer import ComposerError
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from dynalens.config.model import masked

Place = tuple[str | int, ...]
"""Where a setting stands: the names and list indexes that lead to it."""

_LONGEST_SHOWN = 80
_VARIABLE = re.compile(r"\$?\$\{([^}]*)\}?")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One error of the file: its line (from 1), its place, what is wrong and what to write instead."""

    line: int
    place: Place
    message: str


@dataclass(slots=True)
class Document:
    """What was read of a file.

    Attributes:
        values: The settings, with variables of the environment filled in.
        lines: The line of each place, from 1.
        sources: What stands there, as written: errors show this and never a value of the environment.
        scalars: The places of single values, neither mappings nor lists.
        problems: What could not be read.
    """

    values: Any = None
    lines: dict[Place, int] = field(default_factory=dict)
    sources: dict[Place, str] = field(default_factory=dict)
    scalars: set[Place] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)

    def add(self, place: Place, message: str) -> None:
        """Record a problem of a place, or of the section that it is missing from."""
        self.problems.append(Problem(self.line(place), place, message))

    def line(self, place: Place) -> int:
        """Give the line of a place, or of the nearest section around it."""
        return self.lines[self.nearest(place)] if self.lines else 1

    def written(self, place: Place) -> str:
        """Give what stands at a place, as written and without passwords; nothing where it is long or missing."""
        source = self.sources.get(place, "")
        return masked(source) if len(source) <= _LONGEST_SHOWN and "\n" not in source else ""

    def nearest(self, place: Place) -> Place:
        """Give the longest part of a place that stands in the file."""
        return next(part for end in range(len(place), -1, -1) if (part := place[:end]) in self.lines or not part)


def read_document(text: str, environment: Mapping[str, str]) -> Document:
    """Read YAML with `${NAME}` filled in from the environment; `$${NAME}` stands for `${NAME}` itself."""
    document = Document()
    try:
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        written = "".join(text.splitlines()[line - 1 : line])
        document.problems.append(Problem(line, (), _syntax_message(error, written)))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        document.problems.append(Problem(line, (), "holds a character that text files do not. Remove it."))
    except RecursionError:
        document.problems.append(Problem(1, (), "is nested too deeply. Write the sections of docs/configuration.md."))
    else:
        if node is not None:
            document.values = _Reader(text, environment, document).read(node, ())
    return document


class _Loader(yaml.SafeLoader):
    """Composes nodes with the types of YAML 1.2; no tags, and no aliases, for one can stand for a billion values."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - PyYAML's own protocol

    def compose_node(self, parent: Node | None, index: int) -> Node | None:
        event: Any = self.peek_event()  # type: ignore[no-untyped-call]
        refused = "alias" if isinstance(event, yaml.AliasEvent) else "tag" if event.tag else ""
        if refused:
            raise ComposerError(None, None, refused, event.start_mark)
        return super().compose_node(parent, index)


_IMPLICIT: Mapping[str, tuple[str, str]] = {
    "null": (r"~|null|Null|NULL|", "~nN\0"),
    "bool": (r"true|True|TRUE|false|False|FALSE", "tTfF"),
    "int": (r"-?(?:0|[1-9][0-9]*)", "-0123456789"),
    "float": (r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?", "-0123456789"),
}
for _name, (_pattern, _first) in _IMPLICIT.items():
    _starts = ["" if letter == "\0" else letter for letter in _first]
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(f"^(?:{_pattern})$"), _starts)


def _exact(text: str) -> float:
    value = float(text)
    if Decimal(text) != Decimal(repr(value)):
        raise ValueError(text)
    return value


_CONVERT: Mapping[str, Callable[[str], Any]] = {
    "null": lambda _text: None,
    "bool": lambda text: text.lower() == "true",
    "int": int,
    "float": _exact,
}


@dataclass(frozen=True, slots=True)
class _Reader:
    """Turns nodes into values and notes where each of them stands."""

    text: str
    environment: Mapping[str, str]
    document: Document

    def read(self, node: Node, place: Place) -> Any:  # noqa: ANN401 - any YAML value
        self.document.lines.setdefault(place, node.start_mark.line + 1)
        self.document.sources[place] = self.text[node.start_mark.index : node.end_mark.index].strip()
        match node:
            case MappingNode():
                return self._mapping(node, place)
            case SequenceNode():
                return [self.read(member, (*place, index)) for index, member in enumerate(node.value)]
            case ScalarNode():
                self.document.scalars.add(place)
                return self._scalar(node, place)
        raise AssertionError(node)

    def _mapping(self, node: MappingNode, place: Place) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, ScalarNode):
                self.document.problems.append(Problem(line, place, "has a name that is no text. Write a plain name."))
            elif key.value in values:
                first = self.document.lines[(*place, key.value)]
                self._problem(line, (*place, key.value), f"stands here again, after line {first}. Remove one of them.")
            else:
                self.document.lines[(*place, key.value)] = line
                values[key.value] = self.read(value, (*place, key.value))
        return values

    def _scalar(self, node: ScalarNode, place: Place) -> Any:  # noqa: ANN401 - any YAML value
        kind = node.tag.removeprefix(_TAG)
        if kind == "str":
            return self._filled(node.value, place)
        try:
            return _CONVERT[kind](node.value)
        except (ValueError, ArithmeticError):
            self.document.add(place, "is a number too long to be kept. Write at most 15 digits, or text in quotes.")
            return node.value

    def _filled(self, text: str, place: Place) -> str:
        return _VARIABLE.sub(lambda match: self._variable(match, place), text)

    def _variable(self, match: re.Match[str], place: Place) -> str:
        written, name = match[0], match[1]
        if written.startswith("$$"):
            return written[1:]
        if not written.endswith("}") or not _VARIABLE_NAME.fullmatch(name):
            self.document.add(
                place, f"{written!r} names no environment variable. Write ${{NAME}}, or $${{ for the signs themselves."
            )
        elif name not in self.environment:
            self.document.add(place, f"the environment variable {name} is not set. Set it: export {name}=…")
        return self.environment.get(name, "")

    def _problem(self, line: int, place: Place, message: str) -> None:
        self.document.problems.append(Problem(line, place, message))


_SYNTAX: Sequence[tuple[str, str]] = (
    ("alias", "uses an alias (*name). Write the settings out."),
    ("tag", "uses a tag (!name). Write the value without it."),
    ("another document", "starts a second document. Remove the line `---`."),
    ("found character", "starts a value with a sign that YAML keeps for itself. Write the value in 'single quotes'."),
    ("unknown escape", "has an escape (\\) that YAML does not know. Write the value in 'single quotes'."),
    ("mapping values", "has a second `:`, or is indented unlike its neighbours. Indent it like them, or use quotes."),
    ("but got", "lacks the closing bracket of what starts in line {since}. Write it."),
    ("unexpected end", "lacks the closing quote of what starts in line {since}. Write it."),
    ("", "is not indented like the other lines of the section that starts in line {since}. Indent them alike."),
)
"""What PyYAML says, by a part of it, and what it means to whoever wrote the file."""


def _syntax_message(error: yaml.MarkedYAMLError, line: str) -> str:
    problem = error.problem or ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "is indented with a tab. Use spaces."
    if "{" in line and ("but got" in problem or "but found" in problem):
        return "has a { that is not closed, or one inside a value. Write a value that holds { in quotes."
    since = error.context_mark.line + 1 if error.context_mark else 1
    return next(message for part, message in _SYNTAX if part in problem).format(since=since)
