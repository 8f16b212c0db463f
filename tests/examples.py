"""The examples as a reader runs them: their scripts, `dynalens up` on their own file, the commands of their pages."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import yaml
from opensearchpy import OpenSearch

from tests.services.dynamodb_local import ENVIRONMENT
from tests.up import Up

EXAMPLES = Path(__file__).parents[1] / "examples"
ADDRESS = "http://127.0.0.1:7070"
"""Where Dynalens answers a reader of the pages."""


def ran(*command: str | Path, exit_code: int = 0) -> str:
    """Run a command to its end, and give what it printed on stdout."""
    ended = subprocess.run(
        command,
        env={**os.environ, **ENVIRONMENT, "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == exit_code, ended.stdout + ended.stderr
    return ended.stdout


def seed(example: str, *arguments: str) -> str:
    """Run the example's seed.py, and give what it printed."""
    return ran(sys.executable, EXAMPLES / example / "seed.py", *arguments)


def dynalens(up: Up, *arguments: str, exit_code: int = 0) -> str:
    """Run a command that asks the running Dynalens, and give what it printed on stdout."""
    return ran(sys.executable, "-m", "dynalens", *arguments, "--url", address_of(up), exit_code=exit_code)


def address_of(up: Up) -> str:
    return str(up.client.base_url).rstrip("/")


@contextmanager
def up_on(example: str, endpoint_url: str, **changed: Mapping[str, Any]) -> Iterator[Up]:
    """Give `dynalens up`, not yet started, on the example's file but for DynamoDB's address and the sections named."""
    settings = yaml.safe_load((EXAMPLES / example / "dynalens.yaml").read_text()) | changed
    settings["source"]["endpoint_url"] = endpoint_url
    with tempfile.TemporaryDirectory() as folder:
        running = Up(Path(folder), settings)
        try:
            yield running
        finally:
            running.stop()


@contextmanager
def opensearch(up: Up) -> Iterator[OpenSearch]:
    """A client that takes Dynalens for OpenSearch."""
    client = OpenSearch(address_of(up))
    try:
        yield client
    finally:
        client.close()


def blocks(example: str, language: str) -> list[str]:
    """Give the blocks of code of the example's page."""
    page = (EXAMPLES / example / "README.md").read_text()
    return re.findall(rf"^```{language}\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


def commands(example: str, program: str) -> list[str]:
    """Give the lines of the page that call a program."""
    lines = [line for block in blocks(example, "sh") for line in block.splitlines()]
    return [line for line in lines if line.startswith(f"{program} ")]


def curl(up: Up, line: str) -> httpx2.Response:
    """Ask what a `curl` line of a page asks."""
    arguments = shlex.split(line)
    [url] = [argument for argument in arguments if argument.startswith(ADDRESS)]
    path = url.removeprefix(ADDRESS)
    if "-d" not in arguments:
        return up.client.get(path)
    name, _, value = arguments[arguments.index("-H") + 1].partition(": ")
    return up.client.post(path, content=arguments[arguments.index("-d") + 1], headers={name: value})
