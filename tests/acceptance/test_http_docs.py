"""docs/http-api.md is true: every example is run with curl, and its answer is the one on the page."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dynalens.server import limits
from dynalens.server.routes import all_routes
from tests.fakes import world
from tests.services.missing import ServiceMissingError, skip_or_fail
from tests.serving import Running, running

PAGE = (Path(__file__).parents[2] / "docs" / "http-api.md").read_text()
ADDRESS = "http://127.0.0.1:7070"
EXAMPLES = re.findall(r"```sh\n(curl .*?)\n```\n(?:\n```json\n(.*?)\n```)?", PAGE, re.DOTALL)

ENDLESS = "/api/v1/live"
TIMED_OUT = 28


@pytest.fixture
def served() -> Iterator[Running]:
    with running(world(time.time()).backend()) as run:
        yield run


def curl(command: str, served: Running) -> str:
    with skip_or_fail():
        if shutil.which("curl") is None:
            raise ServiceMissingError("curl", install="apt-get install curl")
    arguments = shlex.split(command.replace("\\\n", " ").replace(ADDRESS, served.url))
    assert arguments[0] == "curl"
    endless = ENDLESS in command
    ran = subprocess.run(
        [
            "curl",
            "--silent",
            "--show-error",
            "--noproxy",
            "*",
            *(["--max-time", "1"] if endless else []),
            *arguments[1:],
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == (TIMED_OUT if endless else 0), ran.stderr
    return ran.stdout


def exactly(text: str) -> Any:  # noqa: ANN401 - any JSON value
    return json.loads(text, parse_float=Decimal)


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == PAGE.count("```sh\n") == PAGE.count("\ncurl ") == 12


@pytest.mark.parametrize(
    ("command", "answer"), EXAMPLES, ids=[command.rpartition("7070")[2] for command, _ in EXAMPLES]
)
def test_each_example_gives_the_answer_on_the_page(command: str, answer: str, served: Running) -> None:
    given = curl(command, served)
    if ENDLESS in command:
        assert given.startswith("retry: 2000\n\nevent: snapshot\n")
    elif answer:
        assert exactly(given) == exactly(answer)
    else:
        assert "error" not in exactly(given)


def test_every_route_is_on_the_page() -> None:
    rows = [f"| `{method} {route.path_format}` |" for route in all_routes() for method in route.methods or ()]
    assert [row for row in rows if row not in PAGE] == []


def test_every_limit_on_the_page_is_the_one_that_holds() -> None:
    for phrase in (
        f"longer than {limits.BODY_SECONDS:g} s",
        f"larger than {limits.BODY_BYTES >> 20} MiB",
        f"depth of a body ({limits.JSON_DEPTH})",
        f"length of a query ({limits.SQL_CHARACTERS:,})",
        f"what one viewer may watch ({limits.TOPICS_PER_VIEWER})",
        f"every {limits.HEARTBEAT_SECONDS:g} s",
        f"nothing for {limits.STUCK_SECONDS:g} s",
        f"{limits.VIEWERS:,} viewers",
    ):
        assert phrase in PAGE, phrase
