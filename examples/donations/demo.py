"""Watch a fundraiser live in the terminal, with nothing to install or to clean up: what `make demo` runs.

An emulated DynamoDB in this process gets a table with some donations in it; `dynalens up`, in a process of its own,
copies them and follows the table's stream; donors keep giving, correcting and taking back. Everything is kept in a
temporary folder, and Ctrl-C ends it all.
"""

from __future__ import annotations

import argparse
import json
import logging
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

import seed
import yaml
from rich.bar import Bar
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

START_SECONDS = 60.0
END_SECONDS = 15.0
LOOK_SECONDS = 0.2
SNAPSHOT_SECONDS = 2.0
BAR_COLUMNS = 40

LATEST = "SELECT donatedAt, email, platform, amount FROM donations ORDER BY donatedAt DESC LIMIT 8"


class DemoError(Exception):
    """The demo cannot go on; the message says why."""


def main() -> int:
    """Run everything until Ctrl-C, or for as long as asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--donations", type=int, default=2000, metavar="N", help="how many at first (default: 2000)")
    parser.add_argument("--rate", type=float, default=8.0, help="changes a second after that (default: 8)")
    parser.add_argument(
        "--seconds", type=float, default=float("inf"), metavar="S", help="end so long after the first copy"
    )
    options = parser.parse_args()

    # SIGTERM ends it as Ctrl-C does, so that nothing is left behind either way.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console()
    try:
        with ExitStack() as stack:
            fundraiser = start(console, stack, donations=options.donations, rate=options.rate)
            show(console, fundraiser, seconds=options.seconds)
    except KeyboardInterrupt:
        pass
    except DemoError as error:
        console.print(Text(str(error), style="red"))
        return 1
    console.print("Everything has ended, and nothing is left behind.")
    return 0


def start(console: Console, stack: ExitStack, *, donations: int, rate: float) -> Fundraiser:
    """Start emulator, donors and Dynalens; the stack ends them in the opposite order."""
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dynalens-demo-")))
    console.print("Starting an emulated DynamoDB in this process …")
    endpoint_url = stack.enter_context(emulator())
    given = seed.donations()
    table = seed.create_table(seed.connect(endpoint_url))
    seed.fill(table, islice(given, donations))
    console.print(f"The table {seed.TABLE} holds {donations:,} donations. Starting: dynalens up …")
    fundraiser = Fundraiser(*stack.enter_context(dynalens(folder, endpoint_url)))
    stack.enter_context(donors(table, given, rate, fundraiser.given_at))
    console.print(f"Dynalens answers at {fundraiser.address}. Ask it in another terminal, for example:", soft_wrap=True)
    query = "SELECT platform, sum(amount) FROM donations GROUP BY platform"
    console.print(f'  dynalens sql --url {fundraiser.address} "{query}"', soft_wrap=True)
    return fundraiser


@contextmanager
def emulator() -> Iterator[str]:
    """Run moto's DynamoDB in a thread of this process, and give its address."""
    try:
        from moto.server import ThreadedMotoServer  # it takes seconds to import
    except ImportError as error:
        raise DemoError('The emulator is not installed. Run: pip install "dynalens[embedded,demo]"') from error
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
    finally:
        server.stop()


@contextmanager
def dynalens(folder: Path, endpoint_url: str) -> Iterator[tuple[str, subprocess.Popen[str]]]:
    """Run `dynalens up` on the file beside this one, with its data in `folder`; give its address and process."""
    settings = yaml.safe_load(Path(__file__).with_name("dynalens.yaml").read_text())
    settings["source"]["endpoint_url"] = endpoint_url
    settings["server"] = {"port": 0}
    (folder / "dynalens.yaml").write_text(yaml.safe_dump(settings))
    with (folder / "log").open("w+") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dynalens", "-c", str(folder / "dynalens.yaml"), "up"],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            # Ctrl-C is for this process alone: it ends the other one when it is done with it.
            start_new_session=True,
        )
        try:
            yield address_of(process, log.name), process
        finally:
            end(process)


def address_of(process: subprocess.Popen[str], log: str) -> str:
    """Wait for the line that says where it answers."""
    assert process.stdout is not None  # noqa: S101 - a pipe was asked for
    readable, _, _ = select.select([process.stdout], [], [], START_SECONDS)
    line = process.stdout.readline() if readable else ""
    if " at http" not in line:
        raise DemoError(f"dynalens up did not start:\n{Path(log).read_text()}")
    return line.rpartition(" ")[2].strip()


def end(process: subprocess.Popen[str]) -> None:
    """Let it finish what it began; then insist."""
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


@contextmanager
def donors(
    table: Any,  # noqa: ANN401 - boto3 makes its classes at run time
    given: Iterator[seed.Donation],
    rate: float,
    given_at: dict[str, float],
) -> Iterator[None]:
    """Keep donating in a thread, and note when each donation was acknowledged."""
    stop = threading.Event()

    def donate() -> None:
        for donation, _ in seed.follow(table, given):
            given_at.setdefault(donation["donatedAt"], time.monotonic())
            if stop.wait(1 / rate):
                return

    thread = threading.Thread(target=donate, name="donors", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(END_SECONDS)


@dataclass
class Fundraiser:
    """What is seen of the fundraiser, through Dynalens' HTTP API alone.

    Attributes:
        address: Where Dynalens answers.
        process: The process that runs it.
        given_at: When each donation was acknowledged, by its time of donation.
        copied_at: When the first copy was complete; infinite before.
        seconds_to_see: How long after it was acknowledged the newest donation was seen here; None before the first.
    """

    address: str
    process: subprocess.Popen[str]
    given_at: dict[str, float] = field(default_factory=dict)
    copied_at: float = float("inf")
    seconds_to_see: float | None = None

    def look(self) -> RenderableType:
        """Ask for everything, and render it.

        Raises:
            DemoError: Dynalens has ended.
        """
        if self.process.poll() is not None:
            raise DemoError(f"dynalens up has ended with exit code {self.process.returncode}.")
        try:
            self.ask("/readyz")
        except HTTPError as error:
            with error:
                reasons = json.load(error).get("reasons", [])
            return Text("\n".join(f"{reason['target']}: {reason['reason']}" for reason in reasons), style="yellow")
        self.copied_at = min(self.copied_at, time.monotonic())
        latest = self.ask("/api/v1/sql", {"query": LATEST})["rows"]
        self.notice(latest)
        metric = self.ask("/api/v1/collections/donations/metrics/by_platform")
        return Group(raised(metric["total"]), "", platforms(metric["groups"]), "", newest(latest), "", self.freshness())

    def ask(self, path: str, body: Mapping[str, object] | None = None) -> Any:  # noqa: ANN401 - any JSON value
        """Ask one question; every digit of the answer is kept."""
        data = None if body is None else json.dumps(body).encode()
        request = Request(self.address + path, data, {"Content-Type": "application/json"})  # noqa: S310 - our own server
        # A proxy is no way to this machine itself.
        with build_opener(ProxyHandler({})).open(request, timeout=10) as response:
            return json.load(response, parse_float=Decimal)

    def notice(self, latest: list[list[Any]]) -> None:
        """Measure how long the donations that are seen for the first time took to get here."""
        now = time.monotonic()
        for donated_at, *_ in latest:
            given_at = self.given_at.pop(donated_at, None)
            if given_at is not None:
                self.seconds_to_see = now - given_at

    def freshness(self) -> Text:
        """Say how fresh all this is."""
        if self.seconds_to_see is None:
            return Text("● copied; waiting for the next donation", style="yellow")
        return Text(f"● live: seen {self.seconds_to_see * 1000:,.0f} ms after it was given", style="green")


def raised(total: Mapping[str, Decimal]) -> Text:
    """Answer first: how much, and from how many."""
    text = Text(f"{total['amount_sum']:,.2f}", style="bold")
    return text.append(f" raised by {total['count']:,} donations", style="not bold")


def platforms(groups: list[dict[str, Any]]) -> Table:
    """Draw a bar for each platform, the largest first, all from zero."""
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "right", "right"):
        grid.add_column(justify=justify)
    rows = sorted(groups, key=lambda group: group["values"]["amount_sum"], reverse=True)
    largest = float(rows[0]["values"]["amount_sum"]) if rows else 1.0
    for row in rows:
        amount, count = row["values"]["amount_sum"], row["values"]["count"]
        bar = Bar(largest, 0, float(amount), width=BAR_COLUMNS, color="cyan")
        grid.add_row(str(row["group"]["platform"]), bar, f"{amount:,.2f}", f"{count:,}")
    return grid


def newest(latest: list[list[Any]]) -> Table:
    """List the donations that were made last."""
    grid = Table.grid(padding=(0, 2))
    for justify in ("left", "left", "left", "right"):
        grid.add_column(justify=justify)
    for donated_at, email, platform, amount in latest:
        grid.add_row(donated_at.replace("T", " "), email, platform, f"{amount:,.2f}")
    return grid


def show(console: Console, fundraiser: Fundraiser, *, seconds: float) -> None:
    """Show it in place in a terminal, elsewhere as a snapshot now and then, until `seconds` after the first copy."""
    with ExitStack() as stack:
        live = stack.enter_context(Live(console=console, auto_refresh=False)) if console.is_terminal else None
        print_at = 0.0
        while time.monotonic() < fundraiser.copied_at + seconds:
            seen = fundraiser.look()
            if live is not None:
                live.update(Group("", seen, Text("Ctrl-C ends it.", style="dim")), refresh=True)
            elif time.monotonic() >= print_at:
                console.print("", seen, sep="\n")
                print_at = time.monotonic() + SNAPSHOT_SECONDS
            time.sleep(LOOK_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
