"""`dynalens check` against a real source: what it finds out about tables and targets, and how it exits."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from dynalens.cli import main
from dynalens.errors import EXIT_ATTENTION, EXIT_FAILED, EXIT_OK
from tests.conftest import KeyType, TableFactory, ViewType
from tests.services.clickhouse.server import ClickHouseServer
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal

KEY: dict[str, KeyType] = {"email": "S", "donatedAt": "S"}


class Check:
    """Runs `dynalens check` over tables of DynamoDB Local."""

    def __init__(self, folder: Path, endpoint_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._file = folder / "dynalens.yaml"
        self._endpoint_url = endpoint_url
        self._capsys = capsys

    def __call__(self, *tables: str, options: tuple[str, ...] = (), **more: object) -> tuple[int, str, str]:
        """Give exit code, stdout and stderr."""
        settings = {
            "source": {"region": "eu-west-1", "endpoint_url": self._endpoint_url, "scan_read_units": 1},
            "collections": {f"c{number}": {"table": table} for number, table in enumerate(tables)},
            **more,
        }
        self._file.write_text(yaml.safe_dump(settings))
        code = main(["-c", str(self._file), "check", *options])
        return code, *self._capsys.readouterr()


@pytest.fixture
def check(
    tmp_path: Path,
    dynamodb_local: DynamoDBLocal,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Check:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    return Check(tmp_path, dynamodb_local.endpoint_url, capsys)


def test_a_table_that_can_serve_is_told_with_what_a_first_copy_costs(
    check: Check, table_factory: TableFactory, dynamodb_local: DynamoDBLocal
) -> None:
    table = table_factory(KEY)
    item = {"email": {"S": "a"}, "donatedAt": {"S": "b"}, "text": {"S": "x" * 10_000}}
    dynamodb_local.client("dynamodb").put_item(TableName=table, Item=item)
    code, out, err = check(table)
    assert code == EXIT_OK
    [row] = [re.split(" {2,}", line.strip()) for line in out.splitlines() if line.startswith(table)]
    assert row == [table, "email, donatedAt", "about 1", "9.8 KiB", "NEW_AND_OLD_IMAGES", "2 read units, 1.5 s", "ok"]
    assert err.endswith("is right. Start it: dynalens up\n")
    code, out, err = check(table, options=("--json",))
    [found] = json.loads(out)["tables"]
    assert (code, err) == (EXIT_OK, "")
    assert (found["items"], found["read_units"], found["scan_seconds"]) == (1, 1.5, 1.5)


@pytest.mark.parametrize(
    ("view_type", "message", "hint"),
    [
        (None, "has no stream.", "Turn it on: aws dynamodb update-table --table-name"),
        ("KEYS_ONLY", "carries KEYS_ONLY", "turn the stream off and on: aws dynamodb update-table"),
        ("OLD_IMAGE", "carries OLD_IMAGE", "turn the stream off and on: aws dynamodb update-table"),
    ],
)
def test_a_stream_that_cannot_serve_needs_attention(
    check: Check, table_factory: TableFactory, view_type: ViewType | None, message: str, hint: str
) -> None:
    table = table_factory(KEY, view_type=view_type)
    code, out, err = check(table)
    assert code == EXIT_ATTENTION
    assert "to do" in out
    assert message in err
    assert hint in err


def test_a_table_that_is_not_there_needs_attention(check: Check, table_factory: TableFactory) -> None:
    there = table_factory(KEY)
    code, out, err = check(there, "Nowhere")
    assert code == EXIT_ATTENTION
    assert [line.split()[-1] for line in out.splitlines() if line.startswith((there, "Nowhere"))] == ["ok", "do"]
    assert "There is no table Nowhere in eu-west-1" in err


def test_a_metrics_server_that_does_not_answer_needs_attention(check: Check, table_factory: TableFactory) -> None:
    targets = {"sql": "chdb://./data/sql", "metrics": "valkey://me:secret@127.0.0.1:1"}
    code, out, err = check(table_factory(KEY), targets=targets)
    assert code == EXIT_ATTENTION
    assert "valkey://me:***@127.0.0.1:1   to do" in out
    assert "The metrics server 127.0.0.1:1 does not answer" in err
    assert "secret" not in out + err


def test_a_clickhouse_server_that_refuses_the_login_needs_attention(
    check: Check, table_factory: TableFactory, tmp_path: Path
) -> None:
    table = table_factory(KEY)
    with ClickHouseServer(tmp_path / "clickhouse") as server:
        code, out, err = check(table, targets={"sql": server.url()})
        assert (code, err.splitlines()[-1].endswith("dynalens up")) == (EXIT_OK, True)
        url = server.url(password="not-the-password")
        code, out, err = check(table, targets={"sql": url})
        assert code == EXIT_ATTENTION
        assert "Authentication failed" in err
        assert "not-the-password" not in out + err
        assert check(table, targets={"sql": url}, options=("--offline",))[0] == EXIT_OK


def test_what_could_not_be_asked_is_no_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], check: Check
) -> None:
    del check  # for its environment
    code, out, err = Check(tmp_path, "http://127.0.0.1:1", capsys)("Donations")
    assert code == EXIT_FAILED
    assert "unknown" in out
    assert "DescribeTable of Donations failed" in err
    code, out, _ = Check(tmp_path, "http://127.0.0.1:1", capsys)("Donations", options=("--json",))
    [found] = json.loads(out)["tables"]
    assert code == EXIT_FAILED
    assert [flaw["found_out"] for flaw in found["flaws"]] == [False]


def test_a_missing_extra_needs_attention(
    check: Check, table_factory: TableFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynalens.cli.inspection.importlib.util.find_spec", lambda _: None)
    code, _, err = check(table_factory(KEY))
    assert code == EXIT_ATTENTION
    assert 'sql: The embedded SQL engine is not installed.\n  Run: pip install "dynalens[embedded]"\n' in err
