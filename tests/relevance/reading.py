"""Reading the files beside this one: YAML in which numbers keep every digit, and a date is a text."""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent

_NUMBER = r"-?(?:0|[1-9][0-9]*)"


class _Loader(yaml.SafeLoader):
    """YAML with JSON's scalars alone: a date is a text, `no` is Norway, and a decimal is no float."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - as PyYAML has it


def _resolve(tag: str, pattern: str, first: str) -> None:
    _Loader.add_implicit_resolver(tag, re.compile(rf"(?:{pattern})\Z"), list(first))


def _constructed(function: Callable[[str], object]) -> Callable[[_Loader, yaml.ScalarNode], object]:
    return lambda loader, node: function(str(loader.construct_scalar(node)))


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[object, object]:
    pairs = loader.construct_pairs(node, deep=True)
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise yaml.constructor.ConstructorError(None, None, f"written twice: {sorted(twice)}", node.start_mark)
    return dict(pairs)


def _set(loader: _Loader, node: yaml.SequenceNode) -> frozenset[object]:
    return frozenset(loader.construct_sequence(node))


_resolve("tag:yaml.org,2002:bool", "true|false", "tf")
_resolve("tag:yaml.org,2002:null", "null", "n")
_resolve("tag:yaml.org,2002:int", _NUMBER, "-0123456789")
_resolve("tag:yaml.org,2002:float", rf"{_NUMBER}\.[0-9]+", "-0123456789")
_Loader.add_constructor("tag:yaml.org,2002:int", _constructed(int))
_Loader.add_constructor("tag:yaml.org,2002:float", _constructed(Decimal))
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("!set", _set)


def read(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """Read one file. A name that is written twice in one place is an error."""
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
