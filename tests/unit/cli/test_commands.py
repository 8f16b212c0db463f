"""The commands as a person or a script sees them: what they print, where, and how they exit."""

from __future__ import annotations

import io
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dynalens import __version__
from dynalens.cli import INTERRUPTED, main
from dynalens.cli.client import Client, UnreachableError
from dynalens.cli.output import duration, printable
from dynalens.cli.reference import reference
from dynalens.cli.value import cell
from dynalens.errors import EXIT_ATTENTION, EXIT_FAILED, EXIT_OK, EXIT_USAGE
from tests.unit.cli.conftest import ERROR, STATUS, FakeServer, Ran, Run, status_of

DOCS = Path(__file__).parents[3] / "docs"

# The frame: help, version, errors, exit codes.


def test_help_comes_without_arguments_too(run: Run) -> None:
    assert run().out == run("--help").out
    assert run().code == EXIT_OK
    assert "Exit codes:" in run().out


@pytest.mark.parametrize(
    "command",
    [
        [],
        ["up"],
        ["worker"],
        ["serve"],
        ["check"],
        ["status"],
        ["search"],
        ["sql"],
        ["fields"],
        ["verify"],
        ["rebuild"],
        ["dlq", "list"],
        ["dlq", "show"],
        ["dlq", "redrive"],
        ["store", "create"],
        ["store", "policy"],
        ["store", "show"],
    ],
)
def test_every_help_has_an_example(run: Run, command: list[str]) -> None:
    shown = run(*command, "--help")
    assert shown.code == EXIT_OK
    assert f"  Example:\n    {' '.join(['dynalens', *command])}" in shown.out


def test_an_interrupt_is_no_defect_even_while_commands_are_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupted:
        def __getattr__(self, _name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "dynalens.cli.app", Interrupted())
    assert main(["--version"]) == INTERRUPTED


def test_the_version_is_printed(run: Run) -> None:
    assert run("--version") == Ran(EXIT_OK, f"dynalens {__version__}\n", "")


def test_the_reference_in_docs_is_the_printed_one() -> None:
    assert (DOCS / "cli.md").read_text() == reference(), "run: python -m dynalens.cli.reference > docs/cli.md"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["upp"], "Error: No such command 'upp'. Did you mean 'up'?\n  See: dynalens --help\n"),
        (["sql"], "Error: Missing argument 'QUERY'.\n  See: dynalens sql --help\n"),
        (["search", "donations"], "Error: Missing argument 'QUERY'.\n  See: dynalens search --help\n"),
        (
            ["search", "donations", "ada", "--filter", "Phone"],
            "Error: 'Phone' is no filter.\n  Write --filter FIELD:VALUE\n",
        ),
        (
            ["search", "donations", "ada", "--filter", ":Phone"],
            "Error: ':Phone' is no filter.\n  Write --filter FIELD:VALUE\n",
        ),
        (["fields"], "Error: Missing argument 'COLLECTION'.\n  See: dynalens fields --help\n"),
        (["dlq"], "Error: Missing command.\n  See: dynalens dlq --help\n"),
        (["status", "--nope"], "Error: No such option: --nope\n  See: dynalens status --help\n"),
        (
            ["status", "--url", "ftp://host"],
            "Error: ftp://host is no address to ask.\n  Write for example --url http://127.0.0.1:7070\n",
        ),
        (
            ["status", "--url", "http://host:port"],
            "Error: http://host:port is no address to ask.\n  Write for example --url http://127.0.0.1:7070\n",
        ),
        (["sql", "SELECT 1", "--param", "x"], "Error: 'x' is no parameter.\n  Write --param NAME=VALUE\n"),
        (
            ["sql", "SELECT 1", "--param", "x=1", "--param", "x=2"],
            "Error: The parameter x is given twice.\n  Write it once.\n",
        ),
        (
            ["dlq", "redrive"],
            "Error: Say which dead letters.\n  Write dynalens dlq redrive 12 13, or: dynalens dlq redrive --all\n",
        ),
        (
            ["dlq", "redrive", "1", "--all"],
            "Error: Say which dead letters.\n  Write dynalens dlq redrive 12 13, or: dynalens dlq redrive --all\n",
        ),
    ],
)
def test_a_wrong_call_is_two_lines_and_exits_2(run: Run, arguments: list[str], error: str) -> None:
    assert run(*arguments) == Ran(EXIT_USAGE, "", error)


def test_a_defect_is_told_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> bytes:
        raise RuntimeError("oops")

    monkeypatch.setattr(Client, "get", broken)
    ran = run("status", "--url", "http://127.0.0.1:1")
    assert (ran.code, ran.out) == (EXIT_FAILED, "")
    assert ran.err == (
        "Error: This is a defect in Dynalens: RuntimeError: oops\n  DYNALENS_DEBUG=1 shows where. Please report it.\n"
    )
    monkeypatch.setenv("DYNALENS_DEBUG", "1")
    with pytest.raises(RuntimeError, match="oops"):
        main(["status", "--url", "http://127.0.0.1:1"])


def test_errors_of_the_file_are_all_printed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("collections:\n  a: {table: x y}\nserver: {port: x}\n")
    ran = run("-c", str(file), "up")
    assert (ran.code, ran.out) == (EXIT_USAGE, "")
    first, second, hint = ran.err.splitlines()
    assert first.startswith(f"Error: {file}:2: collections.a.table: ")
    assert second.startswith(f"{file}:3: server.port: ")
    assert hint == f"  Correct {file}, then run: dynalens check"


# Which file, which server.


def test_the_file_may_be_named_in_three_ways(
    run: Run, server: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer("GET /api/v1/status", STATUS)
    mine = str(Path("dynalens.yaml").rename("mine.yaml").absolute())
    other = tmp_path / "other.yaml"
    other.write_text("server: {port: 1}\n")
    assert run("-c", mine, "status").code == EXIT_OK
    assert run("status", "-c", mine).code == EXIT_OK
    assert run("-c", str(other), "status", "-c", mine).code == EXIT_OK
    monkeypatch.setenv("DYNALENS_CONFIG", mine)
    assert run("status").code == EXIT_OK
    assert run("-c", str(other), "status").code == EXIT_FAILED


def test_a_client_needs_no_file(run: Run, server: FakeServer) -> None:
    server.answer("GET /api/v1/status", STATUS)
    Path("dynalens.yaml").unlink()
    assert run("status", "--url", server.url + "/").code == EXIT_OK


def test_a_file_that_was_named_has_to_exist(run: Run, tmp_path: Path) -> None:
    ran = run("-c", str(tmp_path / "none.yaml"), "status")
    assert ran.code == EXIT_USAGE
    assert ran.err.startswith(f"Error: There is no file {tmp_path / 'none.yaml'}.\n")


def test_a_loopback_address_is_asked_without_a_proxy(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    server.answer("GET /api/v1/status", STATUS)
    assert run("status").code == EXIT_OK


def test_a_server_that_does_not_run_is_an_error_with_the_command_that_starts_it(run: Run) -> None:
    ran = run("sql", "SELECT 1", "--url", "http://127.0.0.1:1")
    assert ran == Ran(EXIT_FAILED, "", "Error: No Dynalens answers at http://127.0.0.1:1.\n  Start it: dynalens up\n")


def test_another_program_on_the_port_is_recognised(run: Run, server: FakeServer) -> None:
    ran = run("status")
    assert ran.code == EXIT_FAILED
    assert ran.err == (
        f"Error: What answers is no Dynalens ({server.url} gave HTTP status 404).\n"
        "  Name its address: --url http://HOST:PORT\n"
    )
    server.answer("GET /api/v1/status", b"<html>")
    assert run("status").err.startswith("Error: What answers is no Dynalens.\n")


def test_an_error_of_the_server_is_printed_as_it_is(run: Run, server: FakeServer) -> None:
    error = {"code": "query_refused", "message": "file() may not be called.", "hint": "Ask the collections."}
    server.answer("POST /api/v1/sql", {"error": error}, 403)
    ran = run("sql", "SELECT * FROM file('/etc/passwd')")
    assert ran == Ran(EXIT_FAILED, "", "Error: file() may not be called.\n  Ask the collections.\n")


# sql

ROWS = (
    b'{"columns":[{"name":"platform","type":"String"},{"name":"amount","type":"Decimal(38, 2)"}],"rows":'
    b'[["Phone",12345678901234567890123456789012345678.10],["",null],["NULL",-0.10],["a\\u001b[31m\\nb",1e2]],'
    b'"statistics":{"elapsed":0.0125}}'
)


def test_sql_prints_a_table_with_every_digit(run: Run, server: FakeServer) -> None:
    server.answer("POST /api/v1/sql", ROWS)
    ran = run("sql", "SELECT platform, amount FROM donations")
    heads, _, *rows = ran.out.splitlines()
    assert heads.split() == ["platform", "amount"]
    assert [row.split() for row in rows] == [
        ["Phone", "12345678901234567890123456789012345678.10"],
        ["''", "NULL"],
        ["'NULL'", "-0.10"],
        ["a\\x1b[31m\\nb", "1e2"],
    ]
    assert ran.err == "4 rows in 12 ms\n"
    [(_, body)] = server.asked
    assert json.loads(body) == {"query": "SELECT platform, amount FROM donations", "parameters": {}, "format": "json"}


def test_numbers_stand_to_the_right(run: Run, server: FakeServer) -> None:
    answer = {"columns": [{"name": "n", "type": "Int64"}], "rows": [[1], [100]], "statistics": {}}
    server.answer("POST /api/v1/sql", answer)
    ran = run("sql", "SELECT 1")
    assert [line.rstrip() for line in ran.out.splitlines()[2:]] == ["  1", "100"]
    assert ran.err == "2 rows\n"


def test_a_wide_row_is_not_cut_on_its_way_into_a_file(run: Run, server: FakeServer) -> None:
    value = "long " * 1000 + "end"
    server.answer("POST /api/v1/sql", {"columns": [{"name": "a", "type": ""}], "rows": [[value]], "statistics": {}})
    assert value in run("sql", "SELECT 1").out


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "NULL"),
        ("NULL", "'NULL'"),
        ("", "''"),
        ("null", "null"),
        (True, "true"),
        (["a", None, {"b": False}], '["a", null, {"b": false}]'),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\u202egnp", "\\u202egnp"),
        ("\ud800", "\\ud800"),
        ("Ä 日本 €", "Ä 日本 €"),
        ("[red]no markup[/red]", "[red]no markup[/red]"),
    ],
)
def test_a_cell_shows_what_is_there(value: object, shown: str) -> None:
    assert cell(value).plain == shown


def test_null_looks_different_from_a_text_even_in_colour() -> None:
    assert cell(None).style != cell("NULL").style


@pytest.mark.parametrize(("arguments", "asked"), [(["--format", "csv"], "csv"), (["--format", "ndjson"], "ndjson")])
def test_sql_passes_other_formats_through(run: Run, server: FakeServer, arguments: list[str], asked: str) -> None:
    server.answer("POST /api/v1/sql", b"platform,amount\nPhone,\xe2\x82\xac\n")
    ran = run("sql", "SELECT 1", "--param", "least=5", "--param", "name=a=b", *arguments)
    assert ran == Ran(EXIT_OK, "platform,amount\nPhone,€\n", "")
    body = json.loads(server.asked[0][1])
    assert (body["format"], body["parameters"]) == (asked, {"least": "5", "name": "a=b"})


@pytest.mark.parametrize("arguments", [["--json"], ["--format", "json"]])
def test_sql_as_json_is_the_answer_itself(run: Run, server: FakeServer, arguments: list[str]) -> None:
    server.answer("POST /api/v1/sql", ROWS)
    assert run("sql", "SELECT 1", *arguments) == Ran(EXIT_OK, ROWS.decode() + "\n", "")


# status


def test_status_is_a_table(run: Run, server: FakeServer) -> None:
    server.answer("GET /api/v1/status", STATUS)
    ran = run("status")
    assert ran.code == EXIT_OK
    assert [line.split() for line in ran.out.splitlines()[2:]] == [
        ["donations", "sql", "streaming", "12,345", "250", "ms", "0", "0"],
        ["donations", "metrics", "streaming", "250", "ms", "0", "0"],
    ]


def test_status_lists_positions_where_asked(run: Run, server: FakeServer) -> None:
    position = {"table": "Donations", "target": "sql", "partition": "shardId-1", "kind": "shard", "position": "111"}
    server.answer("GET /api/v1/status", {**STATUS, "positions": [position]})
    ran = run("status", "--positions")
    assert ran.out.splitlines()[-1].split() == ["Donations", "sql", "shardId-1", "111"]
    assert "shardId-1" not in run("status").out


def test_status_as_json_is_the_answer_itself(run: Run, server: FakeServer) -> None:
    server.answer("GET /api/v1/status", STATUS)
    assert run("status", "--json") == Ran(EXIT_OK, json.dumps(STATUS) + "\n", "")


GAP = {"partition": "s1", "since": 0.0, "until": 1.0, "reason": "24 hours passed", "found_at": 2.0}


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (status_of({"phase": "backfilling", "progress": 0.4, "error": None}), EXIT_OK, "backfilling 40%"),
        (status_of({"phase": "rebuilding", "progress": 0.4, "error": None}), EXIT_OK, "rebuilding 40%"),
        (
            status_of({"phase": "backfilling", "scanned": 400, "scan_total": 1000}),
            EXIT_OK,
            "donations in sql: 400 of about 1,000 rows are copied",
        ),
        (
            status_of({"phase": "stalled", "error": ERROR}),
            EXIT_ATTENTION,
            "donations in sql: The metrics server does not answer. Check that it runs. [target]",
        ),
        (
            status_of({"phase": "gap", "gaps": [GAP]}),
            EXIT_ATTENTION,
            "donations in sql: changes from an unknown time to 19",
        ),
        (
            status_of({"differences": 3, "verified_at": 1_754_546_400.0}),
            EXIT_ATTENTION,
            "donations in sql: 3 documents differ from the table, found 2025-08-07 ",
        ),
        (
            status_of({"differences": 1, "verified_at": 1_754_546_400.0}),
            EXIT_ATTENTION,
            "donations in sql: 1 document differs from the table, found ",
        ),
        (status_of({"differences": 1}), EXIT_ATTENTION, "dynalens verify donations --target sql --repair"),
        (status_of({"differences": 0, "verified_at": 1_754_546_400.0}), EXIT_OK, "streaming"),
        (status_of({"dead_letters": 2}, dead_letters=3), EXIT_ATTENTION, "3 dead letters wait. See: dynalens dlq list"),
        (status_of({"dead_letters": 1}, dead_letters=1), EXIT_ATTENTION, "1 dead letter waits. See: dynalens dlq list"),
    ],
)
def test_status_exits_3_when_somebody_has_to_look(
    run: Run, server: FakeServer, status: dict[str, Any], code: int, said: str
) -> None:
    server.answer("GET /api/v1/status", status)
    ran = run("status")
    assert ran.code == code
    assert said in ran.out
    assert run("status", "--json").code == code


def test_watching_shows_one_status_after_another_until_ctrl_c(
    run: Run, server: FakeServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer("GET /api/v1/status", STATUS)
    interrupt_after(monkeypatch, looks=3)
    ran = run("status", "--watch", "--json")
    assert ran.code == EXIT_OK
    assert [json.loads(line) for line in ran.out.splitlines()] == [STATUS] * 3


def test_what_was_seen_stays_while_the_server_is_away(server: FakeServer, monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120, legacy_windows=False)
    monkeypatch.setattr("dynalens.cli.status.stdout", lambda: terminal)
    answers: list[bytes | Exception] = [
        json.dumps(STATUS).encode(),
        UnreachableError("No Dynalens answers.", hint="Start it."),
    ]
    interrupt_after(monkeypatch, looks=2)

    def answer(*_: object) -> bytes:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(Client, "get", answer)
    assert main(["status", "--watch", "--url", server.url]) == EXIT_OK
    last = screen.getvalue().rpartition("No Dynalens answers. Start it.")[2]
    assert "12,345" in last


def interrupt_after(monkeypatch: pytest.MonkeyPatch, *, looks: int) -> None:
    """Press Ctrl-C instead of waiting for the last of so many looks."""
    left = iter(range(looks - 1))

    def wait(_: float) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt

    monkeypatch.setattr("dynalens.cli.status.time.sleep", wait)


# dlq

LETTER = {
    "number": 12,
    "table": "Donations",
    "target": "metrics",
    "collection": "donations",
    "generation": 1,
    "document_id": "S:a@test.com|S:[red]:x:\u001b[2J",
    "version": "4503599627370497",
    "partition": "s1",
    "sequence_number": "111",
    "created_at": 1754550000.0,
    "stored_at": 1754550001.0,
    "code": "out_of_scale",
    "message": "amount has 3 digits after the point, and 2 are kept",
    "state": "waiting",
}


def test_dlq_list_is_a_table(run: Run, server: FakeServer) -> None:
    server.answer("GET /api/v1/dead-letters", {"dead_letters": [LETTER, {**LETTER, "number": 13, "collection": ""}]})
    ran = run("dlq", "list", "--collection", "donations", "--state", "waiting", "--limit", "5")
    assert ran.code == EXIT_OK
    assert server.asked == [("GET /api/v1/dead-letters?collection=donations&state=waiting&limit=5", b"")]
    first, second = (re.split(r" {2,}", line.strip()) for line in ran.out.splitlines()[2:])
    assert first[:5] == ["12", "waiting", "metrics", "donations", "S:a@test.com|S:[red]:x:\\x1b[2J"]
    assert first[5] == "out_of_scale: amount has 3 digits after the point, and 2 are kept"
    assert second[3] == "(unreadable)"


def test_dlq_list_says_when_there_are_none(run: Run, server: FakeServer) -> None:
    server.answer("GET /api/v1/dead-letters", {"dead_letters": []})
    assert run("dlq", "list") == Ran(EXIT_OK, "", "No dead letters.\n")
    assert run("dlq", "list", "--json") == Ran(EXIT_OK, '{"dead_letters": []}\n', "")


def test_dlq_show_gives_the_record(run: Run, server: FakeServer) -> None:
    whole = {**LETTER, "record": {"eventName": "INSERT", "dynamodb": {"NewImage": {"amount": {"N": "1.005"}}}}}
    server.answer("GET /api/v1/dead-letters/12", whole)
    shown = run("dlq", "show", "12")
    assert shown.code == EXIT_OK
    assert "out_of_scale" in shown.out
    assert '"N": "1.005"' in shown.out
    assert json.loads(run("dlq", "show", "12", "--json").out) == whole


@pytest.mark.parametrize(
    ("arguments", "sent", "requested", "said"),
    [
        (["12", "13"], {"numbers": [12, 13]}, 2, "2 are applied again. See: dynalens dlq list\n"),
        (["--all"], {"numbers": None}, 1, "1 is applied again. See: dynalens dlq list\n"),
    ],
)
def test_dlq_redrive_asks_for_it(  # noqa: PLR0913 - one row of a table
    run: Run, server: FakeServer, *, arguments: list[str], sent: object, requested: int, said: str
) -> None:
    server.answer("POST /api/v1/dead-letters/redrive", {"requested": requested})
    assert run("dlq", "redrive", *arguments) == Ran(EXIT_OK, "", said)
    assert json.loads(server.asked[0][1]) == sent
    assert run("dlq", "redrive", *arguments, "--json").out == f'{{"requested": {requested}}}\n'


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 ms"), (0.35, "350 ms"), (4.21, "4.2 s"), (59.9, "59.9 s"), (180, "3 min"), (7200, "2 h"), (18000, "5 h")],
)
def test_durations_have_the_unit_that_a_person_would_use(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_lines_of_an_error_stay_lines() -> None:
    assert printable("a\nb\r", lines=True) == "a\nb\\r"
    assert printable("a\nb") == "a\\nb"
