"""`dynalens verify` and `dynalens rebuild` against a real server; between two looks the test plays the worker."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace

import pytest

from dynalens.cli import following
from dynalens.errors import EXIT_ATTENTION, EXIT_FAILED, EXIT_OK, EXIT_USAGE
from dynalens.request import Request, RequestState
from dynalens.verification import Finding, Outcome
from tests.contract.memory_store import MemoryPositionStore
from tests.fakes import world
from tests.serving import Running, running
from tests.unit.cli.conftest import Run

EQUAL = Outcome(scanned=1200, walked=1200, complete=True)
STALE = replace(EQUAL, stale=Finding(2, ("a", "b\x1b[31m")), lost=Finding(1, ("c",)))


class Worker:
    """Does what was asked: at its first look it begins, at its second one it ends."""

    def __init__(self, store: MemoryPositionStore) -> None:
        self.store = store
        self.outcomes = {"sql": EQUAL, "search": EQUAL, "metrics": EQUAL}
        self.repaired = 0
        self.failure = ""
        self.asleep = False
        self.looks = 0

    def step(self, _seconds: float = 0.0) -> None:
        assert not self.asleep, "nobody should wait for it"
        self.looks += 1
        for request in self.requests():
            if request.state == "waiting":
                self._save(request, "running", Outcome(scanned=100))
            elif request.state == "running":
                self._save(request, "failed" if self.failure else "done", self.outcomes[request.target])

    def requests(self) -> list[Request]:
        return self.store.requests("Donations")

    def _save(self, request: Request, state: RequestState, outcome: Outcome) -> None:
        told = outcome.as_json(generation=1, repaired=self.repaired, items=1200) if request.kind == "verify" else "{}"
        failure = self.failure if state == "failed" else ""
        self.store.save_request(replace(request, state=state, outcome=told, error=failure))


@pytest.fixture
def worker(monkeypatch: pytest.MonkeyPatch) -> Worker:
    made = Worker(MemoryPositionStore())
    monkeypatch.setattr(following, "time", SimpleNamespace(sleep=made.step))
    return made


@pytest.fixture
def served(worker: Worker) -> Iterator[Running]:
    with running(replace(world(0.0).backend(), requests=worker.store)) as run:
        yield run


def asked(worker: Worker) -> list[tuple[str, str]]:
    return [(request.kind, request.target) for request in worker.requests()]


def test_verify_compares_every_target_and_waits_for_the_outcome(run: Run, served: Running, worker: Worker) -> None:
    ran = run("verify", "donations", "--url", served.url)
    assert (ran.code, worker.looks) == (EXIT_OK, 2)
    assert asked(worker) == [("verify", "sql"), ("verify", "search"), ("verify", "metrics")]
    rows = [line.split() for line in ran.out.splitlines() if "1,200" in line]
    assert rows == [[target, "1,200", "0", "0", "0", "0", "0", "0"] for target in ("sql", "search", "metrics")]


def test_verify_hands_its_options_on(run: Run, served: Running, worker: Worker) -> None:
    options = ["--target", "sql", "--sample", "5%", "--repair", "--rate", "50"]
    assert run("verify", "donations", *options, "--url", served.url).code == EXIT_OK
    [request] = worker.requests()
    assert json.loads(request.options) == {"sample": 0.05, "rate": 50.0, "repair": True}


def test_verify_shows_what_differs_and_exits_3(run: Run, served: Running, worker: Worker) -> None:
    worker.outcomes["search"] = STALE
    ran = run("verify", "donations", "--url", served.url)
    assert ran.code == EXIT_ATTENTION
    assert "donations in search: lost, for example c\n" in ran.out
    assert "donations in search: stale, for example a, b\\x1b[31m\n" in ran.out


@pytest.mark.parametrize(("repaired", "code"), [(3, EXIT_OK), (2, EXIT_ATTENTION)])
def test_what_was_repaired_needs_no_attention(
    run: Run, served: Running, worker: Worker, repaired: int, code: int
) -> None:
    worker.outcomes["sql"], worker.repaired = STALE, repaired
    assert run("verify", "donations", "--target", "sql", "--repair", "--url", served.url).code == code


def test_a_comparison_that_did_not_get_to_its_end_needs_attention(run: Run, served: Running, worker: Worker) -> None:
    worker.outcomes["sql"] = replace(EQUAL, complete=False)
    ran = run("verify", "donations", "--target", "sql", "--url", served.url)
    assert ran.code == EXIT_ATTENTION
    assert "dynalens rebuild donations --target sql" in ran.out


def test_verify_as_json(run: Run, served: Running, worker: Worker) -> None:
    worker.outcomes["sql"] = STALE
    ran = run("verify", "donations", "--target", "sql", "--json", "--url", served.url)
    assert ran.code == EXIT_ATTENTION
    [request] = json.loads(ran.out)["requests"]
    assert (request["state"], request["outcome"]["stale"]["count"]) == ("done", 2)


@pytest.mark.parametrize("sample", ["0", "0%", "101%", "1.5", "five", "-1", "nan", ""])
def test_a_sample_that_is_no_share(run: Run, served: Running, worker: Worker, sample: str) -> None:
    ran = run("verify", "donations", "--sample", sample, "--url", served.url)
    assert (ran.code, worker.requests()) == (EXIT_USAGE, [])
    assert "--sample 5%" in ran.err


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        (
            [],
            "rebuild",
            "built anew and served; the generation before is kept until: dynalens rebuild donations --release",
        ),
        (["--back"], "back", "the generation before is served again"),
        (["--release"], "release", "the generation before is dropped"),
    ],
)
def test_rebuild_asks_and_waits(  # noqa: PLR0913 - one row of a table
    run: Run, served: Running, worker: Worker, *, options: list[str], kind: str, said: str
) -> None:
    ran = run("rebuild", "donations", "--target", "sql", *options, "--url", served.url)
    assert (ran.code, ran.out, ran.err.splitlines()[-1]) == (EXIT_OK, "", f"donations in sql: {said}")
    assert asked(worker) == [(kind, "sql")]


def test_back_and_release_exclude_each_other(run: Run, served: Running, worker: Worker) -> None:
    assert run("rebuild", "donations", "--back", "--release", "--url", served.url).code == EXIT_USAGE
    assert worker.requests() == []


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_nobody_waits_who_does_not_want_to(run: Run, served: Running, worker: Worker, command: str) -> None:
    worker.asleep = True
    ran = run(command, "donations", "--target", "sql", "--no-wait", "--url", served.url)
    assert (ran.code, ran.out) == (EXIT_OK, "")
    assert ran.err == f"donations in sql: {command} is request 1.\n"
    [request] = json.loads(
        run(command, "donations", "--target", "sql", "--no-wait", "--json", "--url", served.url).out
    )["requests"]
    assert (request["number"], request["state"]) == (2, "waiting")


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_each_failure_is_told(run: Run, served: Running, worker: Worker, command: str) -> None:
    worker.failure = "The table is gone."
    ran = run(command, "donations", "--url", served.url)
    assert (ran.code, ran.out) == (EXIT_FAILED, "")
    for target in ("sql", "search", "metrics"):
        assert f"Error: donations in {target}: {command} failed: The table is gone.\n" in ran.err


@pytest.mark.parametrize("command", ["verify", "rebuild"])
def test_a_collection_that_nothing_keeps(run: Run, served: Running, worker: Worker, command: str) -> None:
    ran = run(command, "nobody", "--url", served.url)
    assert (ran.code, worker.requests()) == (EXIT_USAGE, [])
    assert ran.err == "Error: No target keeps a collection nobody.\n  Collections: donations, users\n"
