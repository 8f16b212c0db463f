"""`dynalens init` against a real source: what it reads, what it says, and what it writes."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from dynalens.cli import main
from dynalens.config import load
from dynalens.errors import EXIT_ATTENTION, EXIT_FAILED, EXIT_OK, EXIT_USAGE
from dynalens.testing import ScriptedStreams
from tests.conftest import KeyType, TableFactory, ViewType
from tests.inferred import typed
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal

ID: dict[str, KeyType] = {"id": "S"}


class Init:
    """Runs `dynalens init` in an empty folder."""

    def __init__(self, endpoint_url: str, capsys: pytest.CaptureFixture[str]) -> None:
        self._endpoint_url = endpoint_url
        self._capsys = capsys
        self.file = Path("dynalens.yaml")

    def __call__(self, *tables: str, options: Sequence[str] = ()) -> tuple[int, str, str]:
        """Give exit code, stdout and stderr."""
        named = [part for table in tables for part in ("--table", table)]
        code = main(["init", *named, "--endpoint-url", self._endpoint_url, *options])
        return code, *self._capsys.readouterr()

    def found(self, *tables: str, options: Sequence[str] = ()) -> Any:  # noqa: ANN401 - JSON
        """Give the findings, after the file has loaded."""
        code, out, err = self(*tables, options=("--json", *options))
        assert (code, err) == (EXIT_OK, "")
        load(self.file)
        return json.loads(out)


@pytest.fixture
def init(
    tmp_path: Path,
    dynamodb_local: DynamoDBLocal,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Init:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DYNALENS_CONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    return Init(dynamodb_local.endpoint_url, capsys)


@pytest.fixture
def filled(table_factory: TableFactory, dynamodb_local: DynamoDBLocal) -> Filled:
    return Filled(table_factory, dynamodb_local)


class Filled:
    """Creates tables with items in them."""

    def __init__(self, table_factory: TableFactory, dynamodb_local: DynamoDBLocal) -> None:
        self._table_factory = table_factory
        self._client = dynamodb_local.client("dynamodb")

    def __call__(
        self,
        *items: Mapping[str, Any],
        keys: Mapping[str, KeyType] = ID,
        view_type: ViewType | None = "NEW_AND_OLD_IMAGES",
    ) -> str:
        table = self._table_factory(keys, name="Gifts", view_type=view_type)
        for item in typed(*items):
            self._client.put_item(TableName=table, Item=item)
        return table


def gifts(number: int) -> list[dict[str, Any]]:
    return [{"id": f"gift-{each}", "platform": "ab"[each % 2], "amount": each} for each in range(number)]


def test_what_was_found_is_printed_and_written(init: Init, filled: Filled) -> None:
    table = filled(*gifts(20), {"id": "place", "home": {"lat": 1, "lon": 2}})
    code, out, err = init(table)
    assert code == EXIT_OK
    assert [line.split()[-1] for line in out.splitlines() if line.startswith(table)] == ["ok"]
    assert '"dynamodb:GetRecords"' in out
    assert f":table/{table}/stream/*" in out
    assert f"{table}: read 21 items for 4.0 read units" in err
    assert f"{table}: home.lat and home.lon look like a place: the file declares it as home." in err
    assert err.endswith("dynalens.yaml is written. Next: dynalens check, then: dynalens up\n")
    [collection] = load(init.file).collections.values()
    assert collection.table == table
    assert list(collection.metrics) == ["by_platform"]
    assert f"# Table {table}: 21 items; key id. All of them were looked at." in init.file.read_text()


def test_the_findings_are_for_machines_too(init: Init, filled: Filled) -> None:
    first, second = filled(*gifts(3)), filled(*gifts(5))
    found = init.found(first, second, first)
    assert (found["file"], found["ok"]) == ("dynalens.yaml", True)
    assert [(each["check"]["name"], each["sampled"], each["whole"]) for each in found["tables"]] == [
        (first, 3, True),
        (second, 5, True),
    ]
    assert [each["description"]["collections"][0]["metrics"][0]["name"] for each in found["tables"]] == [
        "everything",
        "by_platform",
    ]
    assert len(found["policy"]["Statement"][0]["Resource"]) == 2


@pytest.mark.parametrize(
    ("view_type", "message"), [(None, "has no stream."), ("KEYS_ONLY", "carries KEYS_ONLY, and targets need")]
)
def test_what_has_to_be_turned_on_is_told_with_the_command(
    init: Init, filled: Filled, dynamodb_local: DynamoDBLocal, view_type: ViewType | None, message: str
) -> None:
    table = filled(*gifts(3), view_type=view_type)
    code, out, err = init(table)
    assert code == EXIT_ATTENTION
    assert "to do" in out
    assert message in err
    assert (
        f"aws dynamodb update-table --table-name {table} --stream-specification "
        "StreamEnabled=true,StreamViewType=NEW_AND_OLD_IMAGES "
        f"--region eu-west-1 --endpoint-url {dynamodb_local.endpoint_url}\n"
    ) in err
    assert load(init.file).collections


def test_the_file_alone_goes_to_stdout(init: Init, filled: Filled, tmp_path: Path) -> None:
    code, out, err = init(filled(*gifts(3)), options=("--output", "-"))
    assert code == EXIT_OK
    (tmp_path / "kept.yaml").write_text(out)
    assert load(tmp_path / "kept.yaml").collections
    assert "The IAM policy that Dynalens needs:" in err
    assert not init.file.exists()


def test_a_file_that_is_there_is_kept_unless_forced(init: Init, filled: Filled) -> None:
    table = filled(*gifts(3))
    init.file.write_text("mine")
    # Told before anything is asked: there is no such table.
    code, out, err = init("Nowhere")
    assert (code, out) == (EXIT_USAGE, "")
    assert err == (
        "Error: dynalens.yaml is there already.\n"
        "  Write --output FILE for another one, or --force to overwrite.\n"
    )  # fmt: skip
    assert init.file.read_text() == "mine"
    assert init(table, options=("--force",))[0] == EXIT_OK
    assert load(init.file).collections


def test_the_file_named_for_all_commands_is_the_one_written(
    init: Init, filled: Filled, dynamodb_local: DynamoDBLocal
) -> None:
    del init
    table = filled(*gifts(3))
    arguments = ["init", "--table", table, "--endpoint-url", dynamodb_local.endpoint_url]
    assert main(["-c", "other.yaml", *arguments]) == EXIT_OK
    assert load(Path("other.yaml")).collections


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--table", "x"], "--table x is no table name."),
        (["--table", "arn:aws:dynamodb:eu-west-1:1:table/Gifts"], "is an ARN. Write the table's name, Gifts"),
        (["--table", "Gifts", "--sample", "0"], "Invalid value for '--sample'"),
        (["--table", "Gifts", "--output", "-", "--json"], "Only one of the file and the findings fits on stdout."),
        (["--table", "Gifts", "--endpoint-url", "nowhere"], "AWS cannot be reached as configured"),
        ([], "Missing option '--table'"),
    ],
)
def test_a_call_that_cannot_work_is_refused(
    init: Init, capsys: pytest.CaptureFixture[str], options: list[str], said: str
) -> None:
    assert main(["init", *options]) == EXIT_USAGE
    assert said in capsys.readouterr().err
    assert not init.file.exists()


def test_a_profile_that_is_not_there_is_named_with_where_it_comes_from(
    init: Init, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody-has-this-one")
    code, _, err = init("Gifts")
    assert code == EXIT_USAGE
    assert "The config profile (nobody-has-this-one) could not be found." in err
    assert "AWS_PROFILE" in err


def test_a_folder_where_the_file_should_be_is_not_to_be_overwritten(init: Init) -> None:
    Path("folder").mkdir()
    code, _, err = init("Gifts", options=("--output", "folder"))
    assert (code, err) == (EXIT_USAGE, "Error: folder is a folder.\n  Write --output FILE\n")


def test_a_folder_that_is_not_there_is_named(init: Init, filled: Filled) -> None:
    code, _, err = init(filled(*gifts(1)), options=("--output", "no/folder.yaml"))
    assert code == EXIT_USAGE
    assert "no/folder.yaml cannot be written: No such file or directory." in err


def test_a_table_that_is_not_there_fails_with_a_name_that_is_close(init: Init, filled: Filled) -> None:
    table = filled()
    code, _, err = init(table.replace("Gifts", "Gift"))
    assert code == EXIT_FAILED
    assert f"There is no table {table.replace('Gifts', 'Gift')} in eu-west-1" in err
    assert "Did you mean " in err
    assert table in err
    assert not init.file.exists()


def test_nobody_has_to_be_allowed_to_list_tables(init: Init, capsys: pytest.CaptureFixture[str]) -> None:
    del init
    # It answers ListTables with an error.
    with ScriptedStreams("Gifts") as streams:
        assert main(["init", "--table", "Gift", "--endpoint-url", streams.endpoint_url]) == EXIT_FAILED
    assert "Check the name" in capsys.readouterr().err


def test_a_sample_is_as_large_as_asked_and_from_all_over_the_table(
    init: Init, capsys: pytest.CaptureFixture[str]
) -> None:
    del init
    with ScriptedStreams("Gifts") as streams:
        streams.load(*typed(*gifts(400)))
        options = ["--endpoint-url", streams.endpoint_url, "--sample", "80", "--json"]
        assert main(["init", "--table", "Gifts", *options]) == EXIT_OK
        scans = [call.request for call in streams.calls if call.operation == "Scan"]
    assert {scan["Segment"] for scan in scans} == set(range(8))
    assert {(scan["TotalSegments"], scan["Limit"], scan["ConsistentRead"]) for scan in scans} == {(8, 10, False)}
    [found] = json.loads(capsys.readouterr().out)["tables"]
    assert (found["sampled"], found["whole"]) == (80, False)


def test_a_sample_of_large_items_ends_where_it_would_cost_too_much(
    init: Init, filled: Filled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dynalens.cli.sampling.MOST_READ_UNITS", 100)
    table = filled(*({"id": str(each), "text": "x" * 399_000, "n": each} for each in range(8)))
    [found] = init.found(table)["tables"]
    # 48.8 read units an item.
    assert 100 <= found["sample_read_units"] < 200
    assert 2 < found["sampled"] < 8
    assert not found["whole"]


DEEP: Any = "bottom"
for _ in range(31):
    DEEP = {"deeper": DEEP}


@pytest.mark.parametrize(
    ("keys", "items"),
    [
        ({"id": "S"}, []),
        ({"id": "S"}, [{"id": "only"}]),
        ({"n": "N", "b": "B"}, [{"n": each, "b": b"\x00" * (each + 1)} for each in range(5)]),
        ({"id": "S"}, [{"id": "a", "deep": DEEP}]),
        (
            {"na.me": "S"},
            [
                {"na.me": str(each), "w s": "ab"[each % 2], "名": each, "'q\"": True, "$": {"a.b": "x"}}
                for each in range(9)
            ],
        ),
        ({"id": "S"}, [{"id": str(each), "entityType": f"t{each}", "huge": 10**37} for each in range(200)]),
    ],
    ids=["empty", "one item", "number and binary keys", "deep", "odd names", "many types"],
)
def test_odd_tables_have_files_that_load(
    init: Init, filled: Filled, keys: Mapping[str, KeyType], items: list[dict[str, Any]]
) -> None:
    [found] = init.found(filled(*items, keys=keys))["tables"]
    assert (found["sampled"], found["whole"]) == (len(items), True)
    assert len(found["description"]["collections"]) == 1
