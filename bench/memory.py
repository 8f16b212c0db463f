"""Resident memory of each part: one `dynalens up`, before and after a copy, and its Valkey.

Limits to hold it against: a Python process with boto3 and nothing else, and the bytes of the documents themselves.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.decode import item
from bench.fundraiser import TABLE, emulator, fill
from dynalens.change import render
from tests.up import DONATION_METRICS, Up
from tests.waiting import observed

ITEMS = 10_000
_BARE = "import boto3; print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmRSS')))"


def run() -> str:
    """Measure, and give the table as markdown."""
    with emulator() as server, tempfile.TemporaryDirectory() as folder:
        up = Up(
            Path(folder),
            {
                "source": {"endpoint_url": server.endpoint_url, "region": "eu-west-1"},
                "collections": {"donations": {"table": TABLE, "metrics": DONATION_METRICS}},
            },
        )
        up.start()
        observed(up.is_ready, timeout=60)
        rows = [("a Python process with boto3", _bare()), ("up, empty", _resident(up.process.pid))]
        rows += [(f"its {name}, empty", size) for name, size in _children(up)]
        fill(server, ITEMS)
        observed(lambda: up.sql("SELECT count() FROM donations") == [[ITEMS]], timeout=300)
        observed(up.is_ready, timeout=60)
        rows.append((f"up, {ITEMS:,} documents applied", _resident(up.process.pid)))
        rows += [(f"its {name}, {ITEMS:,} items", size) for name, size in _children(up)]
        up.stop()
    documents = sum(len(render(item(number, "12.25")).json) for number in range(ITEMS))
    rows.append((f"{ITEMS:,} documents as JSON", documents / 1024))
    lines = [f"| {name} | {kilobytes / 1024:,.0f} |" for name, kilobytes in rows]
    return "\n".join(["| | MiB |", "|---|---:|", *lines])


def _bare() -> float:
    answer = subprocess.run([sys.executable, "-c", _BARE], check=True, capture_output=True, text=True)
    return float(answer.stdout)


def _children(up: Up) -> list[tuple[str, float]]:
    # Any of its threads may have started a child (proc(5), task/TID/children).
    tasks = Path(f"/proc/{up.process.pid}/task").iterdir()
    listed = [pid for task in tasks for pid in (task / "children").read_text().split()]
    return [(Path(f"/proc/{pid}/comm").read_text().strip(), _resident(int(pid))) for pid in listed]


def _resident(pid: int) -> float:
    """Give a process's resident memory in KiB (proc(5), VmRSS)."""
    status = Path(f"/proc/{pid}/status").read_text()
    return float(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
