"""Requests to the worker: asked for in each target, and followed until they have ended."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal
from urllib.parse import quote

import typer
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from dynalens.cli.client import Client, parsed
from dynalens.cli.output import print_error, printable, stderr, write
from dynalens.errors import DynalensError, UsageError

Asked = dict[str, Any]
"""A request as `GET /api/v1/collections/{collection}/requests/{number}` gives it."""

LOOK_SECONDS = 0.5
_ENDED = frozenset({"done", "failed"})

Collection = Annotated[str, typer.Argument(metavar="COLLECTION", help="The collection's name.")]
TargetName = Annotated[
    Literal["sql", "search", "metrics"] | None,
    typer.Option("--target", help="In this target alone; in all by default."),
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Only ask; the worker goes on by itself.")]


class FailedRequestError(DynalensError):
    """The worker could not do what was asked."""

    code = "request_failed"


def ask(server: Client, collection: str, body: Mapping[str, object], target: str | None) -> list[Asked]:
    """Ask for something in one target, or in each that keeps the collection.

    Raises:
        UsageError: No target keeps a collection of that name.
    """
    targets = [target] if target else _targets(server, collection)
    return [parsed(server.post(_path(collection), {**body, "target": each})) for each in targets]


def follow(server: Client, asked: Sequence[Asked]) -> list[Asked]:
    """Show how requests go until all have ended; give them as they are then. Ctrl-C ends the showing alone."""
    requests = list(asked)
    bars = Progress(
        TextColumn("{task.description}"), BarColumn(), _Documents(), TimeRemainingColumn(compact=True),
        console=stderr(), transient=True,
    )  # fmt: skip
    with bars:
        tasks = [bars.add_task("", total=None) for _ in requests]
        while True:
            for task, request in zip(tasks, requests, strict=True):
                progress = request["progress"] or {"done": 0, "total": None}
                bars.update(task, description=_described(request), completed=progress["done"], total=progress["total"])
            if all(request["state"] in _ENDED for request in requests):
                return requests
            time.sleep(LOOK_SECONDS)
            requests = [_again(server, request) for request in requests]


def tell(requests: Sequence[Asked], *, as_json: bool) -> None:
    """Print requests as JSON, or what of them could not be done.

    Raises:
        FailedRequestError: One failed; it is told last, after all others.
    """
    if as_json:
        write(json.dumps({"requests": requests}).encode())
    failed = [
        FailedRequestError(f"{place(one)}: {one['kind']} failed: {one['failure']}", hint="See: dynalens status")
        for one in requests
        if one["state"] == "failed"
    ]
    for error in failed[:-1]:
        print_error(error)
    if failed:
        raise failed[-1]


def tell_numbers(requests: Sequence[Asked]) -> None:
    """Say under which numbers requests that nobody follows are found."""
    for one in requests:
        stderr().print(Text(printable(f"{place(one)}: {one['kind']} is request {one['number']}.")))


def place(request: Asked) -> str:
    """Name what a request is about."""
    return f"{request['collection']} in {request['target']}"


def _targets(server: Client, collection: str) -> list[str]:
    rows = parsed(server.get("/api/v1/status"))["collections"]
    targets = [row["target"] for row in rows if row["collection"] == collection]
    if not targets:
        known = ", ".join(dict.fromkeys(row["collection"] for row in rows)) or "none"
        raise UsageError(f"No target keeps a collection {collection}.", hint=f"Collections: {known}")
    return targets


def _again(server: Client, request: Asked) -> Asked:
    if request["state"] in _ENDED:
        return request
    answer: Asked = parsed(server.get(f"{_path(request['collection'])}/{request['number']}"))
    return answer


def _path(collection: str) -> str:
    return f"/api/v1/collections/{quote(collection, safe='')}/requests"


def _described(request: Asked) -> str:
    return printable(f"{request['kind']} {request['collection']} → {request['target']}: {request['state']}")


class _Documents(ProgressColumn):
    def render(self, task: Task) -> Text:
        of = f" of about {task.total:,.0f}" if task.total else ""
        rate = f", {task.speed:,.0f}/s" if task.speed else ""
        return Text(f"{task.completed:,.0f}{of}{rate}")
