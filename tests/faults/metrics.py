"""Cells over the metrics server and the network before it: faults 28, 29 and 31."""

from __future__ import annotations

import json
import os
import signal

from dynalens.testing.proxy import FaultProxy
from tests.faults.rig import Rig
from tests.services.valkey import ValkeyServer
from tests.waiting import observed


def _server(rig: Rig) -> tuple[ValkeyServer, FaultProxy]:
    """Keep metrics in a server of their own, behind a proxy."""
    folder = rig.folder / "valkey"
    folder.mkdir()
    server = rig.stack.enter_context(ValkeyServer(folder))
    proxy = rig.stack.enter_context(FaultProxy(server.socket))
    rig.metrics_url = f"valkey://127.0.0.1:{proxy.port}"
    return server, proxy


def answers_are_lost(rig: Rig) -> None:
    """Connections are reset after a write was applied, before its answer came."""
    _, proxy = _server(rig)
    lose_answers(rig, proxy)


def lose_answers(rig: Rig, proxy: FaultProxy) -> None:
    """Reset connections to the target behind a proxy after a write was applied."""
    rig.load(1, 20)
    rig.write(1, 20)
    rig.start()
    for _ in rig.rounds(2, 8):
        rig.write(1, 20)
        proxy.cut_answer(rig.random.choice([0, 0, 1, 100]), times=rig.random.randint(1, 4))
        rig.write_unseen(1, 20)
        rig.spend(0.4)
    proxy.heal()
    rig.settle()
    assert rig.generations() == {1}


def network_is_bad(rig: Rig) -> None:
    """Latency, slow drip, half-open connections, and partitions in one direction or both."""
    _, proxy = _server(rig)
    worsen_network(rig, proxy)


def worsen_network(rig: Rig, proxy: FaultProxy) -> None:
    """Let the network to the target behind a proxy do its worst, for a while each time."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(2, 8):
        rig.write(1, 20)
        match rig.random.choice(["late", "drip", "requests", "answers", "half-open", "refused"]):
            case "late":
                proxy.delay(0.05)
            case "drip":
                proxy.drip(50_000)
            case "requests":
                proxy.silence("requests")
            case "answers":
                proxy.silence("answers")
            case "half-open":
                proxy.silence("both")
                rig.spend(0.3)
                proxy.reset()
            case _:
                proxy.refuse()
        rig.write_unseen(1, 20)
        rig.spend(0.5)
        proxy.heal()
    rig.settle()
    assert rig.generations() == {1}


def server_is_killed(rig: Rig) -> None:
    """The embedded server is killed, over and over; what it forgot of what it confirmed is replayed."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 3):
        rig.write(1, 30)
        killed = _embedded(rig)
        os.kill(killed, signal.SIGKILL)
        rig.write_unseen(1, 30)
        observed(lambda: _embedded(rig) != killed, ignoring=(KeyError, ValueError))  # noqa: B023 - waited for here
    rig.settle()


def _embedded(rig: Rig) -> int:
    return int(json.loads((rig.folder / "data" / "metrics" / "server.lock").read_text())["pid"])


def server_is_flushed(rig: Rig) -> None:
    """The server loses everything: metrics are built anew, and status says so."""
    server, _ = _server(rig)
    # What it showed before it was flushed is gone, and nobody can show it again at once.
    rig.watched = False
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 3):
        rig.write(1, 30)
        rig.catch_up()
        server.client().flushall()
        rig.write(1, 30)
    rig.settle()
    assert min(rig.generations()) > 1


def server_is_out_of_memory(rig: Rig) -> None:
    """The server takes no more writes, until it is given more memory."""
    server, _ = _server(rig)
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 4):
        rig.write(1, 30)
        server.client().config_set("maxmemory", "1mb")
        rig.write(1, 30)
        rig.spend(0.4)
        server.client().config_set("maxmemory", "0")
        rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}
