"""Writes to a real cluster that does not take them as they are: what becomes of each, and of the rest of its batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from dynalens.change import Typed
from dynalens.errors import TargetError
from dynalens.retry import RetryPolicy
from dynalens.target import version
from dynalens.target.search.cluster.bulk import Bulk
from dynalens.target.search.cluster.connection import Address, Connection, read_address
from dynalens.target.search.cluster.lines import Line, stub_line
from dynalens.target.search.cluster.target import ClusterTarget
from dynalens.testing import FaultProxy
from tests.contract.hostile import ATTRIBUTES, HOSTILE_NAMES
from tests.contract.implementations import TABLE, ClusterSubject, assert_holds, open_generation
from tests.contract.writing import FIRST, delete, put
from tests.integration.cluster_indices import INDEX, change_settings, kept, opened
from tests.services.missing import skip_or_fail
from tests.services.opensearch.server import OpenSearchServer

READ_ONLY = "blocks.read_only_allow_delete"
IMPATIENT = RetryPolicy(base_seconds=0.0, cap_seconds=0.0, attempts=3, total_seconds=3600.0)
PATIENT = RetryPolicy(base_seconds=0.01, cap_seconds=0.1, attempts=1_000, total_seconds=60.0)

Attributes = Mapping[str, Typed]


@pytest.fixture
def subject(opensearch: OpenSearchServer, tmp_path: Path) -> Iterator[ClusterSubject]:
    with opened(opensearch, tmp_path) as subject:
        yield subject


# Documents that do not fit.


def nested(levels: int) -> Typed:
    value: Typed = {"S": "deep"}
    for _ in range(levels):
        value = {"M": {"m": value}}
    return value


NUMBER: Attributes = {"v": {"N": "1"}}
TEXT: Attributes = {"v": {"S": "text"}}
OBJECT: Attributes = {"v": {"M": {"a": {"N": "1"}}}}
DATE: Attributes = {"v": {"S": "2026-11-22T03:00:00Z"}}
FLAG: Attributes = {"v": {"BOOL": True}}
LIST: Attributes = {"v": {"L": [{"N": "1"}]}}


@pytest.mark.parametrize(
    ("documents", "aside"),
    [
        # The mapping leaves out of the index what it cannot read, and keeps it in its place.
        pytest.param([NUMBER, TEXT, DATE, FLAG], [], id="a number, then text"),
        pytest.param([DATE, TEXT, NUMBER, FLAG], [], id="a date, then text"),
        pytest.param([TEXT, NUMBER, DATE, FLAG], [], id="text, then a number"),
        pytest.param([FLAG, TEXT, NUMBER, LIST], [], id="a flag, then text"),
        pytest.param([NUMBER, OBJECT, {"v": {"L": [OBJECT["v"]]}}], [], id="a number, then an object"),
        pytest.param([TEXT, OBJECT], ["v"], id="text, then an object"),
        pytest.param([OBJECT, NUMBER], ["v"], id="an object, then a value"),
        pytest.param([{"v": {"L": [{"N": "1"}, {"S": "a"}]}}], ["v"], id="a list of several types"),
        pytest.param([{"v": {"L": [{"N": "1"}, {"M": {}}]}}], ["v"], id="a list of values and objects"),
        pytest.param([OBJECT, {"v": {"L": [TEXT["v"]]}}], ["v"], id="an object, then a list of values"),
        pytest.param([{"v": {"S": "x" * 40_000}}], [], id="an immense term"),
        pytest.param([{"v": {"S": "\U0001f701" * 90_000}}], [], id="an immense term of four bytes a character"),
        pytest.param([{"v": nested(25)}], ["v"], id="25 levels"),
        pytest.param([{"v": {"N": "12345678901234567890123456789012345678"}}], ["v"], id="38 digits"),
        pytest.param([{"v": {"N": "1.2345678901234567890123456789012345678"}}], [], id="38 digits and a point"),
        pytest.param([{"v": {"N": "1234567890123456789E+10"}}], [], id="many digits and an exponent"),
        pytest.param([{"v": {"N": "1E+125"}}, {"v": {"N": "1E-130"}}], [], id="1E+125"),
        pytest.param([{"v": {"NS": ["1", "12345678901234567890"]}}], ["v"], id="a set with a large number"),
        pytest.param([{"a.b": {"N": "1"}}], ["a.b"], id="a name with a dot"),
        pytest.param([{"_dynalens": {"S": "x"}, "_id": {"N": "1"}}], ["_dynalens", "_id"], id="names of our own"),
    ],
)
def test_a_document_arrives_whole_whatever_the_mapping_makes_of_it(
    documents: Sequence[Attributes], aside: list[str], subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    writes = [put(f"d{place}", 1, attributes=attributes) for place, attributes in enumerate(documents)]
    batch = [put("before", 1), *writes[:1]], [*writes[1:], put("behind", 1)]
    for part in batch:
        assert subject.target.apply(part) == []
    assert_holds(subject, [write for part in batch for write in part])
    # Where the mapping alone tells, all that the document has is aside.
    found = set(kept(opensearch, writes[-1].id).get("aside", []))
    assert found - {"id", "n"} == set(aside)
    assert "aside" not in kept(opensearch, "behind")


def test_documents_with_names_of_every_kind_arrive_whole(subject: ClusterSubject) -> None:
    writes = [put(f"h{place}", 1, attributes={name: {"S": name}}) for place, name in enumerate(HOSTILE_NAMES) if name]
    writes += [put(f"o{place}", 1, attributes=attributes) for place, attributes in enumerate(ATTRIBUTES.values())]
    assert subject.target.apply(writes) == []
    assert_holds(subject, writes)


def test_ten_thousand_fields(subject: ClusterSubject, opensearch: OpenSearchServer) -> None:
    many = put("many", 1, attributes={f"a{number}": {"N": str(number)} for number in range(10_500)})
    assert subject.target.apply([put("a", 1), many]) == []
    more = put("more", 1, attributes={f"b{number}": {"S": "text"} for number in range(10)})
    assert subject.target.apply([more, put("b", 1)]) == []
    assert_holds(subject, [many, more, put("a", 1), put("b", 1)])
    assert "a10499" in kept(opensearch, "many")["aside"]


def test_fields_that_come_after_the_limit_of_the_index(opensearch: OpenSearchServer, tmp_path: Path) -> None:
    """Names too that have a place, and whose first text is behind the limit."""
    with opened(opensearch, tmp_path, **{"mapping.total_fields.limit": 60}) as subject:
        numbers = [put(f"n{number}", 1, attributes={f"a{number}": {"N": "1"}}) for number in range(40)]
        texts = [put(f"t{number}", 1, attributes={f"a{number}": {"S": "text"}}) for number in range(40)]
        assert subject.target.apply(numbers) == []
        assert subject.target.apply(texts) == []
        assert_holds(subject, numbers + texts)
        assert "a39" in kept(opensearch, "t39")["aside"]
        assert kept(opensearch, "t39")["all"]


# A cluster that takes nothing for a while.


class Watched(Connection):
    """Tells before each bulk request the how manieth it is."""

    def __init__(self, address: Address, told: Callable[[int], object]) -> None:
        super().__init__(address)
        self._told = told
        self._sent = 0

    def send(self, method: str, path: str, body: bytes = b"", params: Mapping[str, str] | None = None) -> str:
        if path.endswith("/_bulk"):
            self._sent += 1
            self._told(self._sent)
        return super().send(method, path, body, params)


def no_other_way(_: Line) -> Line | None:
    return None


@pytest.mark.usefixtures("subject")
def test_an_index_that_was_made_read_only_is_written_once_that_is_lifted(
    opensearch: OpenSearchServer, tmp_path: Path
) -> None:
    change_settings(opensearch, {READ_ONLY: True})

    def lift(sent: int) -> None:
        if sent == 3:
            change_settings(opensearch, {READ_ONLY: None})

    connection = Watched(read_address(opensearch.url, folder=tmp_path), lift)
    bulk = Bulk(connection, PATIENT)
    lines = [stub_line(delete(str(number), 7), 0.0) for number in range(10)]
    assert bulk.send(f"{INDEX}.write", lines, no_other_way) == ([], -1)
    assert count(opensearch) == 10
    bulk.close()
    connection.close()


@pytest.mark.usefixtures("subject")
def test_an_index_that_stays_read_only_says_where_to_look(opensearch: OpenSearchServer, tmp_path: Path) -> None:
    change_settings(opensearch, {READ_ONLY: True})
    with closing(Connection(read_address(opensearch.url, folder=tmp_path))) as connection:
        bulk = Bulk(connection, IMPATIENT)
        with pytest.raises(TargetError) as raised:
            bulk.send(f"{INDEX}.write", [stub_line(delete("a", 7), 0.0)], no_other_way)
        assert READ_ONLY in raised.value.hint
        bulk.close()


@pytest.mark.parametrize("block", ["blocks.write", "blocks.read_only"])
def test_a_block_that_somebody_set_refuses_no_single_write(
    block: str, subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    change_settings(opensearch, {block: True})
    with pytest.raises(TargetError):
        subject.target.apply([put("a", 1)])
    change_settings(opensearch, {block: None})
    assert subject.target.apply([put("a", 1)]) == []


def test_a_closed_index_refuses_no_single_write_and_is_not_taken_for_gone(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    subject.target.apply([put("a", 1)])
    opensearch.client().post(f"/{INDEX}/_close").raise_for_status()
    with pytest.raises(TargetError):
        subject.target.apply([put("b", 1), delete("a", 2)])
    with pytest.raises(TargetError):
        subject.target.recall(TABLE)
    opensearch.client().post(f"/{INDEX}/_open").raise_for_status()
    opensearch.wait_until_healthy()
    assert subject.target.recall(TABLE).generations == {FIRST}
    assert subject.target.apply([put("b", 1), delete("a", 2)]) == []
    assert set(subject.documents("donations")) == {"b"}


def test_an_alias_that_somebody_points_elsewhere_as_well_still_writes_to_its_index(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    opensearch.client().put("/other", json={"aliases": {f"{INDEX}.write": {}}}).raise_for_status()
    assert subject.target.apply([put("a", 1)]) == []
    assert set(subject.documents("donations")) == {"a"}


# A cluster with little room.


@pytest.fixture(scope="module")
def tight_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSearchServer]:
    settings = {"http.max_content_length": "1mb", "thread_pool.write.size": 1, "thread_pool.write.queue_size": 1}
    with skip_or_fail():
        server = OpenSearchServer(tmp_path_factory.mktemp("tight"), settings=settings)
    with server:
        yield server


@pytest.fixture
def tight(tight_server: OpenSearchServer) -> Iterator[OpenSearchServer]:
    yield tight_server
    tight_server.restore()


def test_bodies_over_its_limit_are_halved_and_what_is_too_large_by_itself_stands_apart(
    tight: OpenSearchServer, tmp_path: Path
) -> None:
    with opened(tight, tmp_path) as subject:
        writes = [put(str(number), 1, attributes={"text": {"S": "x" * 90_000}}) for number in range(30)]
        immense = put("immense", 1, attributes={"text": {"S": "x" * 1_100_000}})
        [rejection] = subject.target.apply([*writes[:15], immense, *writes[15:]])
        assert (rejection.write, rejection.code) == (immense, "too_large")
        assert_holds(subject, writes)


def test_what_a_full_queue_turns_away_is_sent_again(tight: OpenSearchServer, tmp_path: Path) -> None:
    with opened(tight, tmp_path) as subject, ThreadPoolExecutor(8) as writers:
        batches = [[put(f"{writer}-{number}", 1) for number in range(300)] for writer in range(8)]
        before = turned_away(tight)
        while turned_away(tight) == before:
            assert [*writers.map(subject.target.apply, batches)] == [[]] * 8
        assert_holds(subject, [write for batch in batches for write in batch])


def turned_away(server: OpenSearchServer) -> int:
    """Count the writes that the queue of the node had no room for."""
    [node] = server.client().get("/_nodes/stats/thread_pool").json()["nodes"].values()
    return int(node["thread_pool"]["write"]["rejected"])


# A network that breaks.


@pytest.mark.parametrize("after", [0, 40])
def test_a_batch_whose_answer_was_lost_may_be_sent_again(
    after: int, opensearch: OpenSearchServer, tmp_path: Path
) -> None:
    host, port = opensearch.url.removeprefix("http://").split(":")
    with FaultProxy((host, int(port))) as proxy, opened(opensearch, tmp_path) as subject:
        address = read_address(f"http://127.0.0.1:{proxy.port}", folder=tmp_path)
        with closing(ClusterTarget(Connection(address))) as target:
            batch = [put("a", 1), put("b", 1), delete("a", 2)]
            assert target.apply([put("z", 1)]) == []
            proxy.cut_answer(after)
            with pytest.raises(TargetError):
                target.apply(batch)
            assert proxy.pending_cuts == 0
            assert set(subject.documents("donations")) == {"b", "z"}
            assert target.apply(batch) == []
            assert_holds(subject, [put("b", 1), put("z", 1)])


# Documents of which the state knows nothing.


def test_a_version_above_every_epoch_is_no_write_that_is_done(subject: ClusterSubject) -> None:
    before = version(9, 1)
    subject.target.apply([put("a", before), put("b", 1)])
    subject.reopen()
    subject.target.raise_epoch(TABLE, 4)
    with pytest.raises(TargetError, match="epoch 9"):
        subject.target.apply([put("a", version(4, 1))])
    assert subject.target.recall(TABLE).epoch == 9
    subject.target.raise_epoch(TABLE, 10)
    assert subject.target.apply([put("a", version(9, 1)), put("b", version(10, 1), n=2)]) == []
    assert_holds(subject, [put("a", before), put("b", version(10, 1), n=2)])


def test_a_version_of_another_worker_is_one(subject: ClusterSubject) -> None:
    subject.target.raise_epoch(TABLE, 9)
    subject.target.apply([put("a", version(9, 1))])
    subject.reopen()
    assert subject.target.apply([put("a", version(4, 1), n=2)]) == []
    assert_holds(subject, [put("a", version(9, 1))])


def count(server: OpenSearchServer) -> int:
    """Count documents and stubs."""
    server.client().post(f"/{INDEX}/_refresh").raise_for_status()
    return int(server.client().get(f"/{INDEX}/_count").json()["count"])


def test_an_index_that_somebody_deleted_is_not_made_anew_by_a_write(
    subject: ClusterSubject, opensearch: OpenSearchServer
) -> None:
    subject.target.apply([put("a", 1)])
    opensearch.client().delete(f"/{INDEX}").raise_for_status()
    with pytest.raises(TargetError):
        subject.target.apply([put("b", 1)])
    assert opensearch.client().get("/_cat/indices").text == ""
    assert subject.target.recall(TABLE).generations == frozenset()
    open_generation(subject.target, FIRST)
    assert subject.target.apply([put("b", 1)]) == []
    assert set(subject.documents("donations")) == {"b"}
