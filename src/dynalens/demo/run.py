"""The whole demo, from an empty emulator to data that moves, until it is told to stop."""

from __future__ import annotations

import heapq
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from types import FrameType

from dynalens.demo.crm import Crm
from dynalens.demo.donations import Donations
from dynalens.demo.emulator import Emulator, emulator
from dynalens.demo.folder import demo_folder
from dynalens.demo.images import Images
from dynalens.demo.port import free_ports
from dynalens.demo.process import DynalensProcess, PortLostError, dynalens_process, unready
from dynalens.demo.scenario import DEFAULT_RATE, Scenario
from dynalens.demo.shop import Shop
from dynalens.demo.transactions import Transactions
from dynalens.errors import MissingExtraError
from dynalens.target.metrics.embedded import find_binary

STALLED_SECONDS = 15.0
"""How long nothing is said while a copy does not go on."""
_LOOK_SECONDS = 0.2
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run(*, port: int | None, rate: float, say: Callable[[str], None], ready: Callable[[str], None]) -> None:
    """Run the demo until SIGINT, SIGTERM or SIGHUP, or until Dynalens ends by itself. Call it from the main thread.

    Args:
        port: Where to answer; without it the first free one of a few, 0 leaves the choice to the system.
        rate: Changes a second, on average.
        say: Told what is going on, in a few words.
        ready: Called with the address, such as `http://127.0.0.1:7070`, once every table is copied; then data moves.

    Raises:
        MissingExtraError: A package is not installed.
        UsageError: The port is taken.
        ProcessError: Dynalens did not start, or ended by itself.
    """
    _require_engines()
    # Before anything is started, and again when it is needed: another demo may have been faster.
    next(free_ports(port))
    with suppress(KeyboardInterrupt), _interrupted_by_signals(), ExitStack() as stack:
        folder = stack.enter_context(demo_folder())
        say("Starting an emulated DynamoDB in this process")
        emulated = stack.enter_context(emulator())
        scenarios: list[Scenario] = [Donations(), Transactions(), Images(), Crm(), Shop()]
        say("Starting Dynalens, and filling the tables meanwhile")
        starting = Starting(stack, folder, emulated.endpoint_url, free_ports(port))
        _fill(emulated, scenarios)
        process, address = starting.answering()
        say("Copying the tables")
        _await_copies(process, address, say)
        ready(address)
        _keep_moving(emulated, scenarios, process, rate / DEFAULT_RATE)


def _require_engines() -> None:
    """Say what is missing before anything is started."""
    for module, part in (("moto", "The emulated DynamoDB (moto)"), ("tantivy", "Tantivy"), ("chdb", "chDB")):
        if find_spec(module) is None:
            raise MissingExtraError(part)
    find_binary()


@contextmanager
def _interrupted_by_signals() -> Iterator[None]:
    """Raise `KeyboardInterrupt` at the first signal; further ones do not disturb the end that it begins."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        for number in _SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    previous = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def _fill(emulated: Emulator, scenarios: Sequence[Scenario]) -> None:
    now = datetime.now(UTC)
    for scenario in scenarios:
        for table in scenario.tables:
            emulated.create(table)
        emulated.write(scenario.fill(now))
        # Only now, as it is with tables of old: what they held before is copied by a scan, and not read a second time.
        for table in scenario.tables:
            emulated.turn_stream_on(table)


class Starting:
    """Dynalens on the first of the ports that it gets.

    Args:
        stack: What ends the process.
        folder: Where its file and its data are to be.
        endpoint_url: The emulator's address.
        ports: Ports to try, each when the one before was taken; without end, or with an error there.
    """

    def __init__(self, stack: ExitStack, folder: Path, endpoint_url: str, ports: Iterator[int]) -> None:
        self._attempts = (
            stack.enter_context(dynalens_process(folder, endpoint_url=endpoint_url, port=port)) for port in ports
        )
        self._process = next(self._attempts)

    def answering(self) -> tuple[DynalensProcess, str]:
        """Wait until it answers; give the process and its address.

        Raises:
            ProcessError: It did not start.
        """
        while True:
            try:
                return self._process, self._process.address()
            except PortLostError:
                self._process = next(self._attempts)


def _await_copies(process: DynalensProcess, address: str, say: Callable[[str], None]) -> None:
    """Wait until every table is copied; say at times what it waits for, such as for room on the disk."""
    told_at = time.monotonic()
    while reasons := unready(address):
        process.check()
        stalled = [reason["reason"] for reason in reasons if reason["phase"] == "stalled"]
        if stalled and time.monotonic() - told_at > STALLED_SECONDS:
            say(f"Still waiting: {stalled[0]}")
            told_at = time.monotonic()
        time.sleep(_LOOK_SECONDS)


@dataclass(order=True, slots=True)
class _Due:
    """When a scenario goes on, by the monotonic clock."""

    at: float
    scenario: Scenario = field(compare=False)


def _keep_moving(emulated: Emulator, scenarios: Sequence[Scenario], process: DynalensProcess, pace: float) -> None:
    """Let each scenario go on at its own pace, times `pace`, without end."""
    due = [_Due(time.monotonic(), scenario) for scenario in scenarios]
    while True:
        first = due[0]
        time.sleep(max(0.0, first.at - time.monotonic()))
        process.check()
        step = first.scenario.step(datetime.now(UTC))
        emulated.write(step.writes)
        emulated.forget_old_iterators()
        heapq.heapreplace(due, _Due(time.monotonic() + step.seconds / pace, first.scenario))
