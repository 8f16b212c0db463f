"""Failpoints: nothing happens unless armed; what is armed happens once, at the right hit, and not a step later."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dynalens import failpoint
from dynalens.errors import UsageError
from dynalens.testing.failpoints import FailpointError, arm_from_environment, armed, at_hit

PROGRAM = """
from dynalens import failpoint
from dynalens.testing.failpoints import arm_from_environment

arm_from_environment()
for step in range(1, 5):
    failpoint.hit(failpoint.AFTER_APPLY)
    print(step, flush=True)
"""


@pytest.fixture(autouse=True)
def _disarmed() -> None:
    assert failpoint.armed == {}


def program(failpoints: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, "DYNALENS_FAILPOINTS": failpoints},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_a_hit_does_nothing_in_production() -> None:
    for name in failpoint.NAMES:
        failpoint.hit(name)


def test_every_name_is_a_constant() -> None:
    constants = {value for name, value in vars(failpoint).items() if name.isupper() and isinstance(value, str)}
    assert constants == failpoint.NAMES


def test_an_armed_failpoint_runs_its_action_at_every_hit_while_armed() -> None:
    hits: list[str] = []
    with armed(failpoint.AFTER_MARK, lambda: hits.append("hit")):
        failpoint.hit(failpoint.AFTER_MARK)
        failpoint.hit(failpoint.AFTER_APPLY)
        failpoint.hit(failpoint.AFTER_MARK)
    failpoint.hit(failpoint.AFTER_MARK)
    assert hits == ["hit", "hit"]


def test_a_failpoint_is_disarmed_when_its_action_raises() -> None:
    def fail() -> None:
        raise FailpointError

    with pytest.raises(FailpointError), armed(failpoint.AFTER_MARK, fail):
        failpoint.hit(failpoint.AFTER_MARK)
    assert failpoint.armed == {}


def test_an_action_runs_at_the_nth_hit_alone() -> None:
    hits: list[str] = []
    action = at_hit(3, lambda: hits.append("hit"))
    counts = []
    for _ in range(5):
        action()
        counts.append(len(hits))
    assert counts == [0, 0, 1, 1, 1]


def test_killed_at_the_nth_hit_without_a_step_further() -> None:
    with program("after_apply=kill:3") as killed:
        output, _ = killed.communicate(timeout=30)
    assert killed.returncode == -signal.SIGKILL
    assert output.split() == ["1", "2"]


def test_raised_at_the_first_hit() -> None:
    with program("before_apply=pause, after_apply=raise") as raised:
        output, errors = raised.communicate(timeout=30)
    assert raised.returncode == 1
    assert output == ""
    assert "FailpointError" in errors


def test_paused_until_continued() -> None:
    with program("after_apply=pause:2") as paused:
        _, status = os.waitpid(paused.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status)
        assert paused.stdout is not None
        assert paused.stdout.readline() == "1\n"
        paused.send_signal(signal.SIGCONT)
        output, _ = paused.communicate(timeout=30)
    assert output.split() == ["2", "3", "4"]
    assert paused.returncode == 0


def test_nothing_is_armed_without_the_variable() -> None:
    arm_from_environment({})
    arm_from_environment({"DYNALENS_FAILPOINTS": " , "})
    assert failpoint.armed == {}


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("after_aply=kill", "after_apply"),
        ("after_apply", "kill, pause, raise"),
        ("after_apply=explode", "kill, pause, raise"),
        ("after_apply=kill:0", "nth from 1"),
        ("after_apply=kill:soon", "nth from 1"),
        ("before_apply=raise,after_apply=", "kill, pause, raise"),
    ],
)
def test_what_means_nothing_is_refused_with_what_to_write(value: str, hint: str) -> None:
    with pytest.raises(UsageError) as refused:
        arm_from_environment({"DYNALENS_FAILPOINTS": value})
    assert hint in refused.value.hint
    assert failpoint.armed == {}


def test_an_unknown_failpoint_cannot_be_armed() -> None:
    with pytest.raises(UsageError, match="no failpoint 'nowhere'"), armed("nowhere", lambda: None):
        pass


def test_every_failpoint_is_hit_somewhere_in_the_package() -> None:
    package = Path(failpoint.__file__).parent
    hit = {
        node.attr.lower()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "failpoint"
    }
    assert failpoint.NAMES - hit == set()
