"""`dynalens up` as a user runs it: a process of its own, over a configuration file, killed and started at will."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import yaml

from tests.services.dynamodb_local import ENVIRONMENT
from tests.waiting import observed

DONATION_METRICS = {
    "by_platform": {"group_by": "platform", "count": True, "sum": {"amount": {"decimals": 2}}, "total": True}
}


class Up:
    """One data folder and the process that works on it.

    Args:
        folder: Where the file and the data are.
        settings: The configuration; its server listens on a free port.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]) -> None:
        self.folder = folder
        self.file = folder / "dynalens.yaml"
        self.file.write_text(yaml.safe_dump({**settings, "server": {"port": 0}}))
        self._process: subprocess.Popen[bytes] | None = None
        # Longer than the longest wait of a request: its own answer says more.
        self.client = httpx2.Client(timeout=60, trust_env=False)

    def start(self, **environment: str) -> None:
        """Start it and wait until it answers, or until a failpoint has killed it."""
        self.launch(**environment)
        observed(lambda: self.exit_code is not None or self.answers())

    def launch(self, **environment: str) -> None:
        """Start it without waiting for anything."""
        self._lock.unlink(missing_ok=True)
        with (self.folder / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "dynalens", "--config", str(self.file), "up"],
                env={**os.environ, **ENVIRONMENT, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def answers(self) -> bool:
        """Whether it answers by now."""
        try:
            self.client.base_url = json.loads(self._lock.read_text())["address"]
            return bool(self.client.base_url.host) and self.client.get("/healthz").status_code == 200
        except (OSError, ValueError, httpx2.TransportError):
            return False

    @property
    def _lock(self) -> Path:
        return self.folder / "data" / "dynalens.lock"

    @property
    def valkey_socket(self) -> Path:
        """Where its embedded Valkey listens: beside its data only while that path is short enough for a socket."""
        return Path(json.loads((self.folder / "data" / "metrics" / "server.lock").read_text())["socket"])

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "not started"
        return self._process

    @property
    def exit_code(self) -> int | None:
        """Its exit code, None while it runs."""
        return self.process.poll()

    def kill(self) -> None:
        """SIGKILL, as the kernel does when memory runs out."""
        self.process.kill()
        self.process.wait()

    def end(self) -> int:
        """SIGTERM; wait and give the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def get(self, path: str) -> Any:  # noqa: ANN401 - JSON
        """Give the JSON that a route answers with."""
        return self.client.get(path).raise_for_status().json()

    def sql(self, query: str) -> list[list[Any]]:
        """Give the rows of a query."""
        answer = self.client.post("/api/v1/sql", json={"query": query})
        assert answer.is_success, answer.text
        return list(answer.json()["rows"])

    def is_ready(self) -> bool:
        """Whether all first copies are complete and the worker has caught up."""
        return self.client.get("/readyz", params={"caught_up": "true"}).status_code == 200

    def stop(self) -> None:
        """End it however it stands, and close the client."""
        if self._process is not None and self.exit_code is None:
            self.kill()
        self.client.close()
