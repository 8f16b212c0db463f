"""What `dynalens up` shows while it runs: the first copies with rate and time left, then one quiet line.

In a terminal both stay in place; elsewhere each change of phase, and every few seconds the progress, is a line of its
own. Everything goes to stderr except the address, which a script may wait for on stdout.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from types import TracebackType
from typing import Any, Protocol, Self

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from dynalens.cli.client import Client, parsed
from dynalens.cli.output import PHASE_STYLES, debugging, duration, printable, stderr
from dynalens.config import Config
from dynalens.errors import DynalensError
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report
from dynalens.runtime.up import STORE_NAME

LOOK_SECONDS = 0.5
ANSWER_SECONDS = 5.0
LINE_SECONDS = 5.0
"""Where every look would be a line of its own, progress is told this often."""

_BUILDING = {"backfilling", "rebuilding"}
_WORST_FIRST = ("gap", "stalled", "backfilling", "rebuilding")

Row = Mapping[str, Any]
"""One collection in one target, as `GET /api/v1/status` gives it."""
Place = tuple[str, str]
"""Names of a collection and a target."""
Reports = Mapping[tuple[str, str], Report]
"""The newest report of each table and target."""


class View:
    """Shows how the worker of this process does, from `ready` until the end of its `with` block."""

    def __init__(self, config: Config) -> None:
        self._store = config.data_folder / STORE_NAME
        self._console = stderr()
        self._handler = _Log(self._console)
        self._ended = threading.Event()
        self._follower: threading.Thread | None = None

    def __enter__(self) -> Self:
        logging.getLogger().addHandler(self._handler)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        if self._follower is not None:
            self._follower.join()
        logging.getLogger().removeHandler(self._handler)

    def ready(self, address: str) -> None:
        """Print the address, and begin to show."""
        typer.echo(f"Dynalens answers at {address}")
        self._follower = threading.Thread(target=self._follow, args=(address,), name="view", daemon=True)
        self._follower.start()

    def _follow(self, address: str) -> None:
        client = Client(address, timeout=ANSWER_SECONDS)
        # What an earlier process reported says nothing about this one.
        began_at = time.time()
        with closing(SqliteStore(self._store)) as store, _shown(self._console) as show:
            while not self._ended.wait(LOOK_SECONDS):
                # What is wrong with the server is told by whoever asks it for more than a progress bar.
                with suppress(DynalensError):
                    reports = {(report.table, report.target): report for report in store.reports()}
                    rows = parsed(client.get("/api/v1/status"))["collections"]
                    if reported := [row for row in rows if _written_at(row, reports) >= began_at]:
                        show(reported, reports)


class _Log(logging.Handler):
    """Prints warnings above what stays in place."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.WARNING)
        self._console = console
        self.setFormatter(_OneLine("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(Text(printable(self.format(record), lines=True)), soft_wrap=True)


class _OneLine(logging.Formatter):
    """Gives an error's name and message instead of its traceback, unless somebody is looking for a defect."""

    def format(self, record: logging.LogRecord) -> str:
        record.exc_text = None  # another handler may have left its own rendering there
        return super().format(record)

    def formatException(self, ei: Any) -> str:  # noqa: ANN401, N802 - the base class's own
        if debugging():
            return super().formatException(ei)
        kind, error, _ = ei
        return f"  {kind.__name__}: {error}"


class _Show(Protocol):
    def __call__(self, rows: list[Row], reports: Reports) -> None: ...


@contextmanager
def _shown(console: Console) -> Iterator[_Show]:
    if console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield _InPlace(live)
    else:
        yield _AsLines(console)


class _InPlace:
    """A bar for each copy that is being built, and below them one line about everything."""

    def __init__(self, live: Live) -> None:
        self._live = live
        self._copies = Copies()

    def __call__(self, rows: list[Row], reports: Reports) -> None:
        self._copies.update(rows, reports)
        bars = [self._copies.bars] if self._copies.tasks else []
        self._live.update(Group(*bars, summary(rows)), refresh=True)


class _AsLines:
    """A line for each change of phase, and now and then one for the progress of a copy."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._copies = Copies()
        self._phases: dict[Place, str] = {}
        self._told_at = time.monotonic()

    def __call__(self, rows: list[Row], reports: Reports) -> None:
        self._copies.update(rows, reports)
        for row in rows:
            if self._phases.get(_place(row)) != row["phase"]:
                self._phases[_place(row)] = row["phase"]
                self._print(row, f"{row['phase']}{_detail(row)}")
        if time.monotonic() - self._told_at >= LINE_SECONDS:
            self._told_at = time.monotonic()
            for row in rows:
                if task := self._copies.task(row):
                    self._print(row, f"{rows_of(task)}{_left(task)}")

    def _print(self, row: Row, text: str) -> None:
        self._console.print(Text(printable(f"{row['collection']} in {row['target']}: {text}")), soft_wrap=True)


class Copies:
    """The copies that are being built, with how far and how fast.

    Attributes:
        bars: Renders them.
        tasks: The task of each in `bars`, by collection and target.
    """

    def __init__(self) -> None:
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            _Rows(),
            TimeRemainingColumn(compact=True),
            auto_refresh=False,
        )
        self.tasks: dict[Place, TaskID] = {}

    def update(self, rows: list[Row], reports: Reports) -> None:
        """Take over what the workers report; what is complete goes."""
        for row in rows:
            report, place = reports.get((row["table"], row["target"])), _place(row)
            if row["phase"] in _BUILDING and report is not None:
                if place not in self.tasks:
                    self.tasks[place] = self.bars.add_task(f"{row['collection']} → {row['target']}", total=None)
                total = max(report.scan_total, report.scanned) or None
                self.bars.update(self.tasks[place], completed=report.scanned, total=total)
            elif place in self.tasks:
                self.bars.remove_task(self.tasks.pop(place))

    def task(self, row: Row) -> Task | None:
        """Give the copy of a row, if one is being built."""
        number = self.tasks.get(_place(row))
        return next((task for task in self.bars.tasks if task.id == number), None)


class _Rows(ProgressColumn):
    def render(self, task: Task) -> Text:
        return Text(rows_of(task))


def rows_of(task: Task) -> str:
    """Say how many rows, of how many by the service's estimate, and how fast."""
    of = f" of about {task.total:,.0f}" if task.total else ""
    rate = f", {task.speed:,.0f}/s" if task.speed else ""
    return f"{task.completed:,.0f}{of} rows{rate}"


def summary(rows: list[Row]) -> Text:
    """Say in one line how everything is."""
    phases = {row["phase"] for row in rows}
    worst = next((phase for phase in _WORST_FIRST if phase in phases), "streaming")
    documents = sum(row["documents"] or 0 for row in rows)
    letters = sum(row["dead_letters"] for row in rows)
    lag = max((row["lag_seconds"] for row in rows), default=0.0)
    line = Text("● ", style=PHASE_STYLES[worst])
    line.append(f"{worst} · {documents:,} documents · lag {duration(lag)}", style="")
    if letters:
        line.append(f" · {letters:,} dead letter{'s' * (letters != 1)}: dynalens dlq list", style="red")
    return line


def _written_at(row: Row, reports: Reports) -> float:
    report = reports.get((row["table"], row["target"]))
    return report.written_at if report else 0.0


def _place(row: Row) -> Place:
    return row["collection"], row["target"]


def _detail(row: Row) -> str:
    """Say why, where something is wrong, and how much there is, where all is well."""
    if row["error"]:
        return f": {row['error']['message']} {row['error']['hint']}".rstrip()
    return f", {row['documents']:,} documents" if row["phase"] == "streaming" and row["documents"] is not None else ""


def _left(task: Task) -> str:
    return f", {duration(task.time_remaining)} left" if task.time_remaining else ""
