"""JSON values on a terminal: every digit kept, and different values look different."""

from __future__ import annotations

import json
from typing import Any

from rich.text import Text

from dynalens.change import NumberText
from dynalens.cli.client import parsed
from dynalens.cli.output import printable


def exact(answer: bytes) -> Any:  # noqa: ANN401 - any JSON value
    """Read an answer as JSON in which each number is a `NumberText`.

    Raises:
        AnswerError: It is no JSON.
    """
    return parsed(answer, parse_int=NumberText, parse_float=NumberText)


def cell(value: Any) -> Text:  # noqa: ANN401 - any JSON value
    """Render a value so that NULL, an empty text and the text `NULL` are three different things."""
    match value:
        case None:
            return Text("NULL", style="dim italic")
        case NumberText() | bool():
            return Text(json.dumps(value) if isinstance(value, bool) else value)
        case str():
            return Text(repr(value) if value in {"", "NULL"} else printable(value))
    return Text(printable(plain(value)))


def plain(value: Any) -> str:  # noqa: ANN401 - any JSON value
    """Write a value as JSON, with every digit of its numbers."""
    match value:
        case NumberText():
            return value
        case list():
            return f"[{', '.join(map(plain, value))}]"
        case dict():
            members = (f"{json.dumps(name, ensure_ascii=False)}: {plain(member)}" for name, member in value.items())
            return f"{{{', '.join(members)}}}"
    return json.dumps(value, ensure_ascii=False)
