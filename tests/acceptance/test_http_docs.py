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
from urllib.parse import parse_qsl, urlsplit

import pytest

from dynalens.search.dsl import limits as dsl_limits
from dynalens.search.dsl import read_body
from dynalens.search.parameters import read_parameters
from dynalens.server import limits
from dynalens.server.routes import all_routes
from tests.fakes import world
from tests.services.missing import ServiceMissingError, skip_or_fail
from tests.serving import Running, running

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "http-api.md").read_text()
SEARCH_PAGE = (DOCS / "search.md").read_text()
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
    answer = json.loads(text, parse_float=Decimal)
    # How long it took is the one thing that another run answers differently.
    return {name: value for name, value in answer.items() if name not in {"took", "took_ms"}}


def test_the_page_has_examples() -> None:
    assert len(EXAMPLES) == PAGE.count("```sh\n") == PAGE.count("\ncurl ") == 19


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
        f"Of one table {limits.REQUESTS_OPEN} requests may wait",
        f"every {limits.HEARTBEAT_SECONDS:g} s",
        f"nothing for {limits.STUCK_SECONDS:g} s",
        f"{limits.VIEWERS:,} viewers",
        f"time of a search ({limits.SEARCH_SECONDS:g} s)",
        f"seconds, {limits.WAIT_SECONDS:g} unless told, at most {limits.MOST_WAIT_SECONDS:g}",
        f"{limits.WAITS} requests wait at once",
        f"longer\nthan {limits.POSITION_BYTES >> 10} KB",
        f"confirmed {limits.FRESHNESS_SECONDS:g} s before it was read",
        f"beside a shared store {limits.SHARED_STORE_SECONDS:g} s",
    ):
        assert phrase in PAGE, phrase


def test_every_limit_on_the_page_of_searches_is_the_one_that_holds() -> None:
    for row in (
        f"time of one search, count or page | {limits.SEARCH_SECONDS:g} s",
        f"documents of one answer | {limits.SEARCH_ANSWER_BYTES >> 20} MiB",
        f"body | {limits.BODY_BYTES >> 20} MiB, {limits.JSON_DEPTH} levels",
        f"`from` and `size` together | {dsl_limits.WINDOW:,}",
        f"queries within each other; in one search | {dsl_limits.QUERY_DEPTH}; {dsl_limits.CLAUSES:,}",
        f"values of one `terms` or `ids` | {dsl_limits.VALUES:,}",
        f"text of one query | {dsl_limits.TEXT_CHARACTERS:,} characters",
        f"values of one facet | {dsl_limits.SORT_KEYS}; {dsl_limits.FACETS}; {dsl_limits.FACET_VALUES:,}",
        f"ranges of one aggregation | {dsl_limits.AGGREGATIONS}; {dsl_limits.BUCKETS:,}; {dsl_limits.RANGES}",
        f"searches at once, waiting ones included | {limits.SEARCHES + limits.SEARCHES_WAITING}",
        f"scrolls at once; how long one is kept | {limits.SCROLLS}; {limits.SCROLL_SECONDS:g} s",
    ):
        assert f"{row} |" in SEARCH_PAGE, row


def test_every_query_on_the_page_of_searches_is_understood() -> None:
    bodies = re.findall(r"```json\n(.*?)\n```", SEARCH_PAGE, re.DOTALL)
    assert bodies
    for body in bodies:
        read_body(json.loads(body, parse_float=Decimal))
    [url] = re.findall(r"```\nGET (\S+ \S+)\n```", SEARCH_PAGE)
    read_parameters(parse_qsl(urlsplit(url).query))
