"""What a cluster remembers beside the documents: changed by several workers at once, lost, and taken back."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from functools import partial
from pathlib import Path
from typing import TypeVar

import httpx2
import pytest

from dynalens.errors import TargetError
from dynalens.partition import Position
from dynalens.target import Generation, Mark
from dynalens.target.search.cluster.connection import Connection, read_address
from dynalens.target.search.cluster.state import State
from dynalens.target.search.language.paths import MOST_PATHS, admissible
from tests.contract.implementations import COLLECTIONS, TABLE, ClusterSubject
from tests.contract.writing import FIRST, SECOND, put
from tests.integration.cluster_indices import INDEX, opened
from tests.services.missing import skip_or_fail
from tests.services.opensearch.server import OpenSearchServer
from tests.waiting import observed

STATE, NEXT = "dynalens-state", "donations@2"
REFUNDS = Generation("refunds", 1)
UNREADY = (httpx2.TransportError, KeyError)

Done = TypeVar("Done")


@pytest.fixture
def subject(opensearch: OpenSearchServer, tmp_path: Path) -> Iterator[ClusterSubject]:
    with opened(opensearch, tmp_path) as subject:
        yield subject


def at(rank: int) -> Position:
    return Position(ended=False, rank=rank, token=str(rank))


# Several workers at once.


@pytest.fixture
def states(opensearch: OpenSearchServer, tmp_path: Path) -> Iterator[list[State]]:
    """What four processes hold of one state."""
    address = read_address(opensearch.url, folder=tmp_path)
    with ExitStack() as connections:
        states = [State(connections.enter_context(closing(Connection(address)))) for _ in range(4)]
        # Whoever finds an index that another one is just making is told to ask again.
        states[0].raise_epoch(TABLE, 1)
        yield states


def test_marks_that_several_set_at_once_are_all_kept(states: list[State]) -> None:
    def mark(worker: int) -> None:
        for rank in range(1, 11):
            states[worker].mark(TABLE, {f"shard-{worker}": Mark(worker, at(rank)), "shared": Mark(rank, at(rank))})

    together(mark)
    marks = states[0].marks(TABLE)
    assert marks == {f"shard-{worker}": Mark(worker, at(10)) for worker in range(4)} | {"shared": Mark(10, at(10))}


def test_of_several_epochs_the_highest_is_remembered(states: list[State]) -> None:
    def raise_epochs(worker: int) -> None:
        for epoch in range(worker, 40, 4):
            states[worker].raise_epoch(TABLE, epoch)

    together(raise_epochs)
    assert states[0].epoch(TABLE) == 39


def test_of_several_sessions_of_a_partition_the_one_of_the_highest_epoch_stays(states: list[State]) -> None:
    states[0].mark(TABLE, {"shard": Mark(1, at(7))})
    begun = together(lambda worker: states[worker].begin(TABLE, {"shard": 2 + worker}))
    assert begun[3] == {"shard": at(7)}
    assert states[0].marks(TABLE) == {"shard": Mark(5, at(7))}
    states[0].mark(TABLE, {"shard": Mark(4, at(100))})
    assert states[0].marks(TABLE) == {"shard": Mark(5, at(7))}


def test_paths_that_several_admit_at_once_are_all_kept_and_not_too_many(states: list[State]) -> None:
    states[0].remember(INDEX, {"0": "history"}, ["declared"])

    def admit(worker: int) -> list[frozenset[str]]:
        found = [{f"{worker}-{part}-{number}" for number in range(60)} for part in range(5)]
        return [states[worker].admit(INDEX, partial(admissible, some)) for some in found]

    seen = [paths for part in together(admit) for paths in part]
    kept = states[0].paths(INDEX)
    assert "declared" in kept
    assert len(kept) == MOST_PATHS
    assert all(paths <= kept for paths in seen)


# What is lost.


def test_a_state_that_somebody_deleted_is_one_that_remembers_nothing(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    subject.target.raise_epoch(TABLE, 5)
    subject.target.apply([put("a", 5 << 32)])
    subject.target.mark(TABLE, {"shard": Mark(5, at(7))})
    opensearch.client().delete(f"/{STATE}").raise_for_status()
    memory = subject.target.recall(TABLE)
    assert (memory.marks, memory.generations) == ({}, frozenset())
    # What documents have is as good.
    assert memory.epoch == 5
    subject.target.create(FIRST, COLLECTIONS["donations"])
    assert subject.target.recall(TABLE).generations == {FIRST}
    assert opensearch.client().get(f"/{INDEX}/_count").json()["count"] == 0


def test_an_alias_that_is_somebody_elses_is_left_alone(subject: ClusterSubject, opensearch: OpenSearchServer) -> None:
    client = opensearch.client()
    client.put("/theirs", json={"aliases": {"refunds": {}}}).raise_for_status()
    subject.target.create(REFUNDS, COLLECTIONS["refunds"])
    with pytest.raises(TargetError, match="theirs"):
        subject.target.serve(REFUNDS)
    assert list(client.get("/_alias/refunds").json()) == ["theirs"]


def test_an_index_that_is_called_as_a_collection_is_left_alone(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    opensearch.client().put("/refunds").raise_for_status()
    subject.target.create(REFUNDS, COLLECTIONS["refunds"])
    with pytest.raises(TargetError):
        subject.target.serve(REFUNDS)
    assert opensearch.client().head("/refunds").is_success


# What is taken back.


@pytest.fixture
def own(tmp_path: Path) -> Iterator[OpenSearchServer]:
    """A node of the test's own, with a folder for snapshots."""
    with skip_or_fail():
        server = OpenSearchServer(tmp_path / "node", settings={"path.repo": str(tmp_path / "snapshots")})
    with server:
        yield server


def test_an_index_that_may_have_lost_what_it_acknowledged_counts_as_gone(own: OpenSearchServer, tmp_path: Path) -> None:
    """Restored from a snapshot; and forced upon a node that has no copy of it."""
    client = own.client()
    with opened(own, tmp_path) as subject:
        subject.target.apply([put("a", 1)])
        repository = {"type": "fs", "settings": {"location": str(tmp_path / "snapshots")}}
        client.put("/_snapshot/here", json=repository).raise_for_status()
        waiting = {"wait_for_completion": "true"}
        client.put("/_snapshot/here/before", params=waiting, json={"indices": INDEX}).raise_for_status()
        subject.target.apply([put("b", 2)])
        assert subject.target.recall(TABLE).generations == {FIRST}
        client.delete(f"/{INDEX}").raise_for_status()
        client.post("/_snapshot/here/before/_restore", params=waiting).raise_for_status()
        assert set(subject.documents("donations")) == {"a"}
        assert subject.target.recall(TABLE).generations == frozenset()

        subject.target.create(SECOND, COLLECTIONS["donations"])
        subject.target.serve(SECOND)
        subject.target.apply([put("c", 3, generation=SECOND)])
        assert subject.target.recall(TABLE).generations == {SECOND}
        uuid = client.get(f"/{NEXT}/_settings").json()[NEXT]["settings"]["index"]["uuid"]
        own.kill()
        [shards] = (tmp_path / "node").glob(f"**/indices/{uuid}/0")
        shutil.rmtree(shards)
        own.launch()
        observed(lambda: client.get("/_cluster/health").json()["status"] == "red", ignoring=UNREADY, timeout=120)
        with pytest.raises(TargetError):
            subject.target.recall(TABLE)
        command = {"allocate_empty_primary": {"index": NEXT, "shard": 0, "node": "node", "accept_data_loss": True}}
        client.post("/_cluster/reroute", json={"commands": [command]}).raise_for_status()
        own.wait_until_healthy()
        assert subject.target.recall(TABLE).generations == frozenset()


def together(work: Callable[[int], Done]) -> list[Done]:
    """Do this for each of the four processes at once."""
    with ThreadPoolExecutor(4) as workers:
        return [*workers.map(work, range(4))]
