"""A server that answers as a test says, and commands run in this process against it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from dynalens.cli import main

ROW: dict[str, Any] = {
    "collection": "donations",
    "target": "sql",
    "table": "Donations",
    "phase": "streaming",
    "ready": True,
    "caught_up": True,
    "generation": 1,
    "stalled": False,
    "progress": 1.0,
    "scanned": 0,
    "scan_total": 0,
    "lag_seconds": 0.25,
    "documents": 12345,
    "waiting": 0,
    "dead_letters": 0,
    "gaps": [],
    "verified_at": 0.0,
    "differences": 0,
    "error": None,
}


def status_of(*rows: Mapping[str, Any], dead_letters: int = 0) -> dict[str, Any]:
    return {"version": "1", "collections": [{**ROW, **row} for row in rows], "dead_letters": dead_letters}


STATUS = status_of({}, {"target": "metrics", "documents": None})

ERROR = {"code": "target", "message": "The metrics server does not answer.", "hint": "Check that it runs."}


@dataclass
class FakeServer:
    """Answers each `METHOD path` with what the test says, and remembers what it was asked."""

    answers: dict[str, tuple[int, bytes]] = field(default_factory=dict)
    asked: list[tuple[str, bytes]] = field(default_factory=list)
    url: str = ""

    def answer(self, request: str, body: object, status: int = 200) -> None:
        self.answers[request] = (status, body if isinstance(body, bytes) else json.dumps(body).encode())

    def respond(self, request: str, body: bytes) -> tuple[int, bytes]:
        self.asked.append((request, body))
        return self.answers.get(request.partition("?")[0], (404, b"nothing here"))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FakeServer]:
    """A server that the commands find without being told: its address stands in ./dynalens.yaml."""
    fake = FakeServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            status, answer = fake.respond(f"{self.command} {self.path}", body)
            self.send_response(status)
            self.end_headers()
            self.wfile.write(answer)

        do_GET = do_POST = answer  # noqa: N815 - the names that http.server asks for

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listener:
        thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        fake.url = f"http://127.0.0.1:{listener.server_port}"
        monkeypatch.chdir(tmp_path)
        Path("dynalens.yaml").write_text(f"server: {{port: {listener.server_port}}}\ncollections: ${{UNSET}}\n")
        yield fake
        listener.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DYNALENS_CONFIG", "DYNALENS_DEBUG", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "100")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str


class Run:
    """Runs commands in this process."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str) -> Ran:
        code = main(arguments)
        return Ran(code, *self._capsys.readouterr())


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    return Run(capsys)
