"""The installed command as a shell runs it, where no AWS and no server are needed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from dynalens import __version__
from dynalens.errors import EXIT_FAILED, EXIT_OK, EXIT_USAGE

COMMAND = Path(sys.executable).with_name("dynalens")

WORKING = """\
collections:
  donations:
    table: Donations
    metrics:
      by_platform: {group_by: platform, count: true, sum: {amount: {decimals: 2}}, total: true}
"""

HEAVY = {"boto3", "botocore", "chdb", "clickhouse_connect", "fastapi", "redis", "tantivy", "uvicorn"}
"""What the help, the version and a query must not wait for."""


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run it in a folder, with a plain environment: no AWS settings, no terminal."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return subprocess.run(
        [COMMAND, *arguments],
        cwd=folder,
        env={**kept, "AWS_EC2_METADATA_DISABLED": "true", **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dynalens.yaml").write_text(WORKING)
    return tmp_path


def test_the_command_is_installed(tmp_path: Path) -> None:
    ran = run(tmp_path, "--version")
    assert (ran.returncode, ran.stdout, ran.stderr) == (EXIT_OK, f"dynalens {__version__}\n", "")


def test_the_package_runs_as_a_module() -> None:
    ran = subprocess.run([sys.executable, "-m", "dynalens", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"dynalens {__version__}\n"


def test_help_loads_no_engine() -> None:
    script = "import sys; from dynalens.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert HEAVY & set(ran.stderr.split()) == set()


def test_a_working_file_is_right(folder: Path) -> None:
    ran = run(folder, "check", "--offline")
    assert ran.returncode == EXIT_OK
    assert "donations    Donations   by_platform" in ran.stdout
    assert ran.stderr == "dynalens.yaml is right. Start it: dynalens up\n"


def test_check_as_json_is_json_alone(folder: Path) -> None:
    ran = run(folder, "check", "--offline", "--json")
    assert (ran.returncode, ran.stderr) == (EXIT_OK, "")
    findings = json.loads(ran.stdout)
    assert findings["ok"] is True
    assert findings["collections"] == [{"name": "donations", "table": "Donations", "metrics": ["by_platform"]}]
    assert [(target["name"], target["flaws"]) for target in findings["targets"]] == [
        ("search", []),
        ("sql", []),
        ("metrics", []),
    ]


def test_a_server_is_not_asked_offline(folder: Path) -> None:
    (folder / "dynalens.yaml").write_text(WORKING + "targets: {metrics: 'valkey://me:secret@127.0.0.1:1'}\n")
    ran = run(folder, "check", "--offline")
    assert ran.returncode == EXIT_OK
    assert "valkey://me:***@127.0.0.1:1   not asked" in ran.stdout
    assert "secret" not in ran.stdout + ran.stderr


def test_errors_of_the_file_have_their_lines(folder: Path) -> None:
    (folder / "dynalens.yaml").write_text(WORKING.replace("decimals: 2", "decimals: 30").replace("total", "totals"))
    ran = run(folder, "check", "--offline")
    assert (ran.returncode, ran.stdout) == (EXIT_USAGE, "")
    assert ran.stderr == (
        "Error: dynalens.yaml:5: collections.donations.metrics.by_platform.sum.amount.decimals: 30 is too large. "
        "Write a number from 0 to 18.\n"
        "dynalens.yaml:5: collections.donations.metrics.by_platform.totals: is no setting. Did you mean total?\n"
        "  Correct dynalens.yaml, then run: dynalens check\n"
    )


def test_errors_of_the_file_come_as_json_too(folder: Path) -> None:
    (folder / "dynalens.yaml").write_text("collections:\n  donations: {}\n")
    ran = run(folder, "check", "--json")
    assert (ran.returncode, ran.stderr) == (EXIT_USAGE, "")
    assert json.loads(ran.stdout) == {
        "file": "dynalens.yaml",
        "ok": False,
        "problems": [
            {
                "line": 2,
                "setting": "collections.donations.table",
                "message": "is missing. Write it, for example table: Donations.",
            }
        ],
    }


def test_a_variable_comes_from_the_environment(folder: Path) -> None:
    (folder / "dynalens.yaml").write_text(WORKING.replace("Donations", "${STAGE}-Donations"))
    assert "test-Donations" in run(folder, "check", "--offline", STAGE="test").stdout
    missing = run(folder, "check", "--offline")
    assert missing.returncode == EXIT_USAGE
    assert "the environment variable STAGE is not set. Set it: export STAGE=…" in missing.stderr


def test_no_file_is_an_error_with_one_to_write(tmp_path: Path) -> None:
    ran = run(tmp_path, "up")
    assert ran.returncode == EXIT_USAGE
    assert ran.stderr == (
        "Error: There is no file dynalens.yaml.\n"
        "  Write it, for example: collections: {donations: {table: Donations}}. "
        "Or name another one: dynalens -c FILE\n"
    )


def test_the_file_may_stand_elsewhere(folder: Path) -> None:
    file = str((folder / "dynalens.yaml").rename(folder / "staging.yaml"))
    assert run(folder, "check", "--offline", DYNALENS_CONFIG=file).returncode == EXIT_OK
    assert run(folder, "-c", file, "check", "--offline").returncode == EXIT_OK


def test_a_server_beyond_loopback_is_refused_before_it_starts(folder: Path) -> None:
    (folder / "dynalens.yaml").write_text(WORKING + "server: {host: 0.0.0.0}\n")
    ran = run(folder, "check", "--offline")
    assert ran.returncode == EXIT_USAGE
    assert ran.stderr.startswith("Error: server.host is '0.0.0.0': ")


def test_without_a_region_nothing_is_asked(folder: Path) -> None:
    ran = run(folder, "check", HOME=str(folder))
    assert ran.returncode == EXIT_FAILED
    assert ran.stderr == "Error: No AWS region is configured.\n  Write it: source: {region: eu-west-1}\n"


@pytest.mark.parametrize(
    "command",
    [["status"], ["sql", "SELECT 1"], ["dlq", "list"], ["status", "--watch"], ["search", "x", "y"], ["fields", "x"]],
)
def test_a_client_without_a_server_says_how_to_start_one(folder: Path, command: list[str]) -> None:
    (folder / "dynalens.yaml").write_text(WORKING + "server: {port: 1}\n")
    ran = run(folder, *command)
    assert (ran.returncode, ran.stdout) == (EXIT_FAILED, "")
    assert ran.stderr == "Error: No Dynalens answers at http://127.0.0.1:1.\n  Start it: dynalens up\n"


def test_output_that_nobody_reads_ends_quietly(folder: Path) -> None:
    """What `dynalens check | true` does: no traceback about a broken pipe."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        ran = subprocess.run(
            [COMMAND, "check", "--offline", "--json"],
            cwd=folder,
            stdout=closed,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert ran.stderr == ""
