"""`worker` and `serve` share their targets and positions with other processes, and say so where they cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynalens.errors import EXIT_USAGE
from tests.unit.cli.conftest import Run


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "dynalens.yaml"


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_embedded_targets_are_refused_by_name(run: Run, file: Path, command: str) -> None:
    file.write_text("store: dynamodb://dynalens\ncollections: {donations: {table: Donations}}\n")
    ran = run("--config", str(file), command)
    assert ran.code == EXIT_USAGE
    assert f"`dynalens {command}` shares targets" in ran.err
    assert "search, sql, metrics are embedded" in ran.err
    assert "dynalens up" in ran.err


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_one_embedded_target_among_servers_is_refused_too(run: Run, file: Path, command: str) -> None:
    targets = "{sql: 'chdb://./data/sql', metrics: 'valkey://127.0.0.1:6379'}"
    file.write_text(
        f"store: dynamodb://dynalens\ntargets: {targets}\ncollections: {{donations: {{table: Donations}}}}\n"
    )
    ran = run("--config", str(file), command)
    assert ran.code == EXIT_USAGE
    assert "targets.sql is embedded" in ran.err
    assert "(sql is embedded)" in ran.err


@pytest.mark.parametrize("command", ["worker", "serve"])
def test_without_a_store_there_is_nothing_to_share_positions_in(run: Run, file: Path, command: str) -> None:
    counted = "{donations: {table: Donations, metrics: {all: {count: true, total: true}}}}"
    file.write_text(f"targets: {{metrics: 'valkey://127.0.0.1:6379'}}\ncollections: {counted}\n")
    ran = run("--config", str(file), command)
    assert ran.code == EXIT_USAGE
    assert "no store" in ran.err
    assert "dynalens store create" in ran.err
