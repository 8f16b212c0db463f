"""`dynalens search`: what is asked, and how hits in any script look on a terminal and in a pipe."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from rich.cells import cell_len

from dynalens.cli.search import DOCUMENT_CHARACTERS, emphasised, excerpt
from dynalens.cli.value import exact
from dynalens.errors import EXIT_FAILED, EXIT_OK
from tests.unit.cli.conftest import FakeServer, Ran, Run

SEARCH = "GET /api/v1/collections/images/search"
BOLD = "\x1b[1;33m"


def hit(document_id: str = "i1", *fragments: str, score: float | None = 2.5, **document: Any) -> dict[str, Any]:  # noqa: ANN401
    highlight = {"title": list(fragments)} if fragments else {}
    return {"id": document_id, "score": score, "document": {"id": document_id, **document}, "highlight": highlight}


def answer(*hits: dict[str, Any], total: int | None = None, facets: object = None) -> dict[str, Any]:
    return {"total": len(hits) if total is None else total, "took_ms": 4, "hits": hits, "facets": facets or {}}


def rows(output: str) -> list[list[str]]:
    return [re.split(" {2,}", line.strip()) for line in output.splitlines() if line.strip(" ─")]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A narrow one that knows colours."""
    for name, value in {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": "30"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)


def test_hits_are_a_table_of_what_matched(run: Run, server: FakeServer) -> None:
    server.answer(
        SEARCH, answer(hit("i1", "<em>Sunset</em> over Prague"), hit("i2", "A <em>sunrise</em>", score=0.125))
    )
    ran = run("search", "images", "sunst")
    assert ran.code == EXIT_OK
    assert rows(ran.out) == [
        ["id", "score", "match"],
        ["i1", "2.50", "title: Sunset over Prague"],
        ["i2", "0.12", "title: A sunrise"],
    ]
    assert ran.err == "2 hits in 4 ms.\n"


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["sunst"], [("q", "sunst")]),
        (["", "--fields", "title"], [("q", ""), ("fields", "title")]),
        (
            ["a&b=ü", "--fields", "title,author.name", "--filter", "year:1999", "--filter", "a:b:c"],
            [("q", "a&b=ü"), ("fields", "title,author.name"), ("filter", "year:1999"), ("filter", "a:b:c")],
        ),
        (
            ["x", "--facet", "year", "--facet", "a.b", "--sort", "-year", "--from", "20", "--size", "5"],
            [("q", "x"), ("facet", "year"), ("facet", "a.b"), ("sort", "-year"), ("from", "20"), ("size", "5")],
        ),
        (["--", "-x"], [("q", "-x")]),
        (["caf\udce9"], [("q", "caf�")]),
    ],
)
def test_each_option_is_a_parameter(
    run: Run, server: FakeServer, arguments: Sequence[str], asked: list[tuple[str, str]]
) -> None:
    server.answer(SEARCH, answer())
    assert run("search", "images", *arguments).code == EXIT_OK
    [(request, _)] = server.asked
    assert parse_qsl(urlsplit(request).query, keep_blank_values=True) == [*asked, ("highlight", "true")]


def test_the_name_of_a_collection_cannot_leave_its_place_in_the_path(run: Run, server: FakeServer) -> None:
    assert run("search", "../status?a=", "x").code == EXIT_FAILED
    assert server.asked[0][0].startswith("GET /api/v1/collections/..%2Fstatus%3Fa%3D/search?q=x")


def test_search_as_json_is_the_answer_itself(run: Run, server: FakeServer) -> None:
    body = b'{"total":1,"took_ms":4,"hits":[{"id":"i1","document":{"n":12345678901234567890.10}}],"facets":{}}'
    server.answer(SEARCH, body)
    assert run("search", "images", "x", "--json") == Ran(EXIT_OK, body.decode() + "\n", "")


def test_no_hits_are_said_plainly_and_are_no_error(run: Run, server: FakeServer) -> None:
    server.answer(SEARCH, answer())
    assert run("search", "images", "xyzzy") == Ran(EXIT_OK, "", "No hits in 4 ms.\n")


@pytest.mark.parametrize(
    ("arguments", "shown", "total", "said"),
    [
        ([], 1, 1, "1 hit in 4 ms."),
        ([], 2, 1234, "1,234 hits, 1 to 2 shown, in 4 ms. Go on: --from 2"),
        (["--from", "1232"], 2, 1234, "1,234 hits, 1,233 to 1,234 shown, in 4 ms."),
        (["--from", "2000"], 0, 1234, "1,234 hits, none shown, in 4 ms."),
        (["--size", "0"], 0, 1234, "1,234 hits, none shown, in 4 ms."),
    ],
)
def test_what_is_not_shown_is_told(  # noqa: PLR0913 - one row of a table
    run: Run, server: FakeServer, *, arguments: list[str], shown: int, total: int, said: str
) -> None:
    server.answer(SEARCH, answer(*[hit("i", "<em>x</em>")] * shown, total=total))
    assert run("search", "images", "x", *arguments).err == f"{said}\n"


def test_facets_are_tables_of_their_own(run: Run, server: FakeServer) -> None:
    facets = {
        "[red]year": [{"value": 12345678901234567890, "count": 1200}, {"value": "", "count": 2}],
        "live": [{"value": True, "count": 1}],
    }
    server.answer(SEARCH, answer(total=1203, facets=facets))
    ran = run("search", "images", "", "--size", "0", "--facet", "[red]year", "--facet", "live")
    assert rows(ran.out) == [
        ["[red]year", "count"],
        ["12345678901234567890", "1,200"],
        ["''", "2"],
        ["live", "count"],
        ["true", "1"],
    ]


def test_without_scores_there_is_no_such_column(run: Run, server: FakeServer) -> None:
    server.answer(SEARCH, answer(hit("i1", "<em>x</em>", score=None)))
    assert rows(run("search", "images", "x", "--sort", "year").out) == [["id", "match"], ["i1", "title: x"]]


def test_a_hit_without_fragments_shows_its_document() -> None:
    found = exact(json.dumps(hit("i1", title="日本\n", price=1)).replace('"price": 1', '"price": 1.10').encode())
    assert excerpt(found).plain == '{"id": "i1", "title": "日本\\n", "price": 1.10}'
    long = excerpt(hit("i1", title="x" * 1000)).plain
    assert (len(long), long[-1]) == (DOCUMENT_CHARACTERS, "…")


def test_the_fragments_with_most_matches_are_shown() -> None:
    found = hit("i1", "<em>a</em> 1", "<em>a</em> <em>b</em>", "<em>a</em> 2", "<em>a</em> 3")
    assert excerpt(found).plain == "title: a b · title: a 1 · title: a 2"


@pytest.mark.parametrize(
    ("fragment", "shown", "matches"),
    [
        ("a <em>b</em> c <em>d</em>", "a b c d", ["b", "d"]),
        ("&lt;em&gt;a&lt;/em&gt; &amp;lt; <em>&quot;b&quot;</em>", '<em>a</em> &lt; "b"', ['"b"']),
        ("[bold]<em>[/bold]</em> :smile:", "[bold][/bold] :smile:", ["[/bold]"]),
        ("a\n\tb\u3000<em>c</em>\xa0d", "a b c d", ["c"]),
        ("\x1b[31m<em>\u202eb&amp;#x1b;\x1b</em>\x07", "\\x1b[31m\\u202eb&#x1b;\\x1b\\x07", ["\\u202eb&#x1b;\\x1b"]),
        ("<em>می\u200cخواهم</em> 👩\u200d🚀", "می\u200cخواهم 👩\u200d🚀", ["می\u200cخواهم"]),
        ("\ud800<em>b</em>", "\\ud800b", ["b"]),
    ],
)
def test_a_fragment_is_text_with_its_matches_emphasised(fragment: str, shown: str, matches: list[str]) -> None:
    text = emphasised(fragment)
    assert text.plain == shown
    assert [text.plain[span.start : span.end] for span in text.spans if span.style] == matches


@pytest.mark.usefixtures("terminal")
def test_a_terminal_shows_matches_in_bold_and_markup_as_text(run: Run, server: FakeServer) -> None:
    server.answer(SEARCH, answer(hit("[red]1", "the <em>cat</em>"), hit(":cat:", "<em>[b]</em>")))
    out = run("search", "images", "cat").out
    assert f"{BOLD}cat\x1b[0m" in out
    assert f"{BOLD}[b]\x1b[0m" in out
    assert "[red]1" in out
    assert ":cat:" in out


@pytest.mark.usefixtures("terminal")
def test_wide_characters_stay_within_a_narrow_terminal(run: Run, server: FakeServer) -> None:
    title = "東京タワーの夜景、雨の中の傘と光る通り"
    server.answer(SEARCH, answer(hit("i1", f"<em>東京</em>{title.removeprefix('東京')}")))
    lines = [re.sub("\x1b\\[[0-9;]*m", "", line) for line in run("search", "images", "東京").out.splitlines()]
    assert all(cell_len(line) <= 30 for line in lines)
    assert title in "".join(line[10:].strip() for line in lines)


def test_a_refusal_of_the_server_exits_1(run: Run, server: FakeServer) -> None:
    error = {"code": "bad_request", "message": "a.b is not indexed.", "hint": "Write search: {fields: [a.b]}."}
    server.answer(SEARCH, {"error": error}, 400)
    ran = run("search", "images", "x", "--sort", "a.b")
    assert ran == Ran(EXIT_FAILED, "", "Error: a.b is not indexed.\n  Write search: {fields: [a.b]}.\n")
