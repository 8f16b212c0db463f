"""Cells over a ClickHouse server and the network before it: faults 28, 29 and 32."""

from __future__ import annotations

from dynalens.testing.proxy import FaultProxy
from tests.faults.metrics import lose_answers, worsen_network
from tests.faults.rig import Rig


def _proxied(rig: Rig) -> FaultProxy:
    proxy = rig.stack.enter_context(FaultProxy(("127.0.0.1", rig.clickhouse.port)))
    rig.sql_url = rig.clickhouse.url(port=proxy.port)
    return proxy


def answers_are_lost(rig: Rig) -> None:
    """Connections are reset after an insert was done, before its answer came."""
    lose_answers(rig, _proxied(rig))


def network_is_bad(rig: Rig) -> None:
    """Latency, slow drip, half-open connections, and partitions in one direction or both."""
    worsen_network(rig, _proxied(rig))


def server_is_killed(rig: Rig) -> None:
    """The server is killed while it inserts, over and over, and started again over its data."""
    rig.load(1, 20)
    rig.start()
    for _ in rig.rounds(1, 4):
        rig.write(1, 30)
        rig.clickhouse.kill()
        rig.write_unseen(1, 30)
        rig.spend(0.4)
        rig.clickhouse.start()
        rig.write(0, 20)
    rig.settle()
    assert rig.generations() == {1}
