"""Which indices of a cluster are taken for generations, whoever made, deleted or restored them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dynalens.errors import TargetError
from dynalens.target import version
from dynalens.target.search.cluster.state import INDEX as STATE
from tests.contract.implementations import COLLECTIONS, TABLE, ClusterSubject, assert_holds
from tests.contract.writing import FIRST, delete, put
from tests.integration.cluster_indices import INDEX, opened
from tests.services.opensearch.server import OpenSearchServer

PARTITION = "shard-1"


@pytest.fixture
def subject(opensearch: OpenSearchServer, tmp_path: Path) -> Iterator[ClusterSubject]:
    with opened(opensearch, tmp_path) as subject:
        yield subject


def call(server: OpenSearchServer, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401 - any JSON value
    return server.client().request(method, path, json=body).raise_for_status().json()


def index_made_again(server: OpenSearchServer) -> None:
    """Put an empty index with the same mapping in the place of the one that there is, as a restore would."""
    told = call(server, "GET", f"/{INDEX}")[INDEX]
    analysis = told["settings"]["index"]["analysis"]
    call(server, "DELETE", f"/{INDEX}")
    body = {"settings": {"index": {"analysis": analysis}}, "mappings": told["mappings"], "aliases": told["aliases"]}
    call(server, "PUT", f"/{INDEX}", body)


def test_an_index_that_is_not_the_one_that_was_made_counts_as_gone(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    assert subject.target.recall(TABLE).generations == {FIRST}
    index_made_again(opensearch)
    assert subject.target.recall(TABLE).generations == frozenset()


def test_documents_of_which_nobody_knows_whether_they_are_whole_are_not_taken_over(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    subject.target.apply([put("a", version(9, 1)), delete("b", version(9, 2))])
    call(opensearch, "DELETE", f"/{STATE}")
    subject.target.create(FIRST, COLLECTIONS["donations"])
    fresh = put("b", version(1, 1))
    subject.target.apply([fresh])
    subject.target.serve(FIRST)
    assert_holds(subject, [fresh])


def test_an_index_whose_maker_was_interrupted_is_made_ready(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    call(opensearch, "DELETE", f"/{STATE}")
    subject.target.create(FIRST, COLLECTIONS["donations"])
    assert subject.target.recall(TABLE).generations == {FIRST}


def test_an_index_that_is_somebody_elses_is_left_alone(subject: ClusterSubject, opensearch: OpenSearchServer) -> None:
    subject.target.drop(FIRST)
    call(opensearch, "PUT", f"/{INDEX}")
    with pytest.raises(TargetError, match="donations@1, which Dynalens did not make") as refused:
        subject.target.create(FIRST, COLLECTIONS["donations"])
    assert "name" in refused.value.hint
    assert subject.target.recall(TABLE).generations == frozenset()


def test_sweeping_makes_no_index_anew(subject: ClusterSubject, opensearch: OpenSearchServer) -> None:
    target = subject.target
    target.apply([delete(f"key-{n}", version(1, n)) for n in range(20)])
    call(opensearch, "POST", "/_aliases", {"actions": [{"remove": {"index": INDEX, "alias": f"{INDEX}.write"}}]})
    assert target.sweep(time.time() + 3600) == 0
    call(opensearch, "DELETE", f"/{INDEX}")
    assert target.sweep(time.time() + 3600) == 0
    assert opensearch.client().get(f"/{INDEX}").status_code == 404
