"""A rebuild on a cluster while its table is written, as those see it who search through the alias all the time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import httpx2

from dynalens.position.sqlite import SqliteStore
from dynalens.request import Request, RequestKind
from dynalens.testing.memory import MemorySource
from tests.contract.implementations import ADDRESS_NAME, ClusterSubject
from tests.contract.writing import FIRST, put
from tests.integration.cluster_indices import configured, opened
from tests.pipelines import Bench
from tests.services.opensearch.server import OpenSearchServer
from tests.waiting import observed

SHARD = "shard-1"
IDS = [f"id-{number:03}" for number in range(300)]
"""Items that exist all the time; others are deleted before and meanwhile."""
GONE = [f"gone-{number:03}" for number in range(50)]
STEPS: Sequence[tuple[RequestKind, int]] = (("rebuild", 2), ("back", 1))
"""What is asked for, and the generation that is served then."""
EVERYTHING = {"query": {"match_all": {}}, "size": 1_000, "track_total_hits": True, "_source": False}


class Searching:
    """Searches again and again, and keeps each answer that is not every item once."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.times = 0
        self.odd: list[object] = []

    def run(self, stop: threading.Event) -> None:
        with httpx2.Client(base_url=self._url, timeout=60, trust_env=False) as client:
            while not stop.is_set():
                self._look(client)
                self.times += 1

    def _look(self, client: httpx2.Client) -> None:
        answer = client.post("/donations/_search", json=EVERYTHING)
        if not answer.is_success:
            self.odd.append(answer.text)
            return
        found = answer.json()["hits"]
        ids = sorted(hit["_id"] for hit in found["hits"])
        if ids != IDS or found["total"]["value"] != len(IDS):
            missing, double = set(IDS) - {*ids}, len(ids) - len({*ids})
            self.odd.append((found["total"], f"{len(missing)} missing", f"{double} double", sorted({*ids} - {*IDS})))


@contextmanager
def beside(*works: Callable[[threading.Event], None]) -> Iterator[None]:
    """Do this in threads of its own, until the end of the block."""
    stop = threading.Event()
    with ExitStack() as threads:
        threads.callback(stop.set)
        for work in works:
            thread = threading.Thread(target=work, args=(stop,), daemon=True)
            thread.start()
            threads.callback(thread.join)
            threads.callback(stop.set)
        yield


def item(id_: str, n: int) -> dict[str, dict[str, str]]:
    return {"id": {"S": id_}, "n": {"N": str(n)}}


def test_a_rebuild_under_load_shows_every_document_once_at_any_time(
    opensearch: OpenSearchServer, tmp_path: Path
) -> None:
    source, random = MemorySource(page_size=50), Random(7)  # noqa: S311 - a run that can be repeated
    for id_ in (*IDS, *GONE):
        source.preload(item(id_, 0))
    source.add_shard(SHARD)
    for id_ in GONE[:25]:
        source.delete(SHARD, {"id": {"S": id_}})
    (tmp_path / ADDRESS_NAME).write_text(opensearch.url)
    subject, store = ClusterSubject(tmp_path), SqliteStore(tmp_path / "state.db")
    bench = Bench(source, [subject.target], store)
    searching = Searching(opensearch.url)

    def write(stop: threading.Event) -> None:
        number = 0
        while not stop.wait(0.02):
            number += 1
            source.put(SHARD, item(random.choice(IDS), number))

    def is_done() -> bool:
        states = {request.state for request in store.requests(source.table)}
        assert "failed" not in states
        return states == {"done"}

    with bench.running():
        for id_ in GONE[25:]:
            source.delete(SHARD, {"id": {"S": id_}})
        # A rebuild that is asked for before would take the place of the first copy.
        observed(lambda: [copy.state for copy in store.copies(source.table, "search")] == ["live"], timeout=120)
        observed(lambda: subject.documents("donations").keys() == {*IDS}, timeout=120)
        with beside(write, searching.run):
            for kind, number in STEPS:
                store.ask(Request(table=source.table, collection="donations", target="search", kind=kind))
                observed(is_done, timeout=120)
                assert served(opensearch) == f"donations@{number}"
                enough = searching.times + 10
                observed(lambda enough=enough: searching.times > enough, timeout=120)  # type: ignore[misc]
        observed(lambda: subject.documents("donations") == source.documents(), timeout=120)
    assert searching.odd == []
    store.close()
    subject.target.close()


def test_what_was_written_is_found_from_the_moment_it_is_served(opensearch: OpenSearchServer, tmp_path: Path) -> None:
    with opened(opensearch, tmp_path, refresh_interval="-1") as subject:
        subject.target.apply([put("a", 1)])
        second = replace(FIRST, number=2)
        subject.target.create(second, configured(refresh_interval="-1"))
        subject.target.apply([put("a", 1, generation=second)])
        subject.target.serve(second)
        found = opensearch.client().post("/donations/_search", json=EVERYTHING).json()["hits"]["hits"]
        assert [(hit["_index"], hit["_id"]) for hit in found] == [("donations@2", "a")]


def served(server: OpenSearchServer) -> str:
    [index] = server.client().get("/_alias/donations").json()
    return str(index)
