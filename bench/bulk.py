"""Writing to OpenSearch through us, against the same bytes posted by themselves, and against what others write today.

5,000 donations of 0.75 KB for each run into an empty index with our mapping. `the same bodies` posts what we would
post, rendered before, two bodies at a time: no client can be faster. `dynalens` renders them, too, and reads every item
of the answers. `helpers.bulk` is opensearch-py's, with the documents alone, thus a quarter of the bytes and of the
index's work; `one request each` is what a Lambda does that writes each record by itself, over 500 of them.

Beside it, what rendering a line costs against decoding its record, in CPU time.
"""

from __future__ import annotations

import itertools
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import orjson
from opensearchpy import OpenSearch, helpers

from bench.decode import RECORDS, decode, record
from bench.donations import write
from bench.fundraiser import COLLECTIONS
from bench.measure import Contender, interleaved, rate, table
from dynalens.target import Generation, Write
from dynalens.target.search.cluster.connection import Connection, quoted, read_address
from dynalens.target.search.cluster.indices import write_alias
from dynalens.target.search.cluster.lines import document_line
from dynalens.target.search.cluster.target import ClusterTarget
from dynalens.target.search.language.encode import encode
from tests.services.opensearch.server import OpenSearchServer

DOCUMENTS = 5_000
SINGLE = 500
BODY = 500
BATCH = 2_500
ROUNDS = 3


def run() -> str:
    """Measure, and give the tables as markdown."""
    writes = [write(number) for number in range(DOCUMENTS)]
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
        OpenSearchServer(Path(folder), java_options=()) as server,
        closing(ClusterTarget(Connection(read_address(server.url, folder=Path(folder))))) as target,
        closing(OpenSearch([server.url], http_compress=True)) as client,
    ):
        return "\n\n".join([_written(server, target, client, writes), _rendered(writes)])


def _written(server: OpenSearchServer, target: ClusterTarget, client: OpenSearch, writes: Sequence[Write]) -> str:
    connection = Connection(read_address(server.url, folder=Path()))
    bodies = list(_bodies(writes))
    generations = _generations(target)
    runs: dict[str, tuple[Callable[[Generation], object], int]] = {
        "the same bodies": (lambda generation: _posted(connection, generation, bodies), len(writes)),
        "dynalens": (lambda generation: _applied(target, generation, writes), len(writes)),
        "helpers.bulk": (lambda generation: _by_helpers(client, generation, writes), len(writes)),
        "one request each": (lambda generation: _one_by_one(client, generation, writes[:SINGLE]), SINGLE),
    }
    contenders = [Contender(name, _into_fresh(generations, work, count)) for name, (work, count) in runs.items()]
    return table(interleaved(contenders, rounds=ROUNDS), unit="documents/s", baseline="the same bodies")


def _into_fresh(
    generations: Iterator[Generation], work: Callable[[Generation], object], count: int
) -> Callable[[], float]:
    def run() -> float:
        generation = next(generations)
        return rate(lambda: work(generation), count)()

    return run


def _generations(target: ClusterTarget) -> Iterator[Generation]:
    """Give an empty index for each run; the one before goes."""
    for number in itertools.count(1):
        generation = Generation("donations", number)
        target.create(generation, COLLECTIONS["donations"])
        target.drop(Generation("donations", number - 1))
        yield generation


def _bodies(writes: Sequence[Write]) -> Iterator[bytes]:
    encoded = [(one, one.document, encode(one.document)) for one in writes if one.document is not None]
    names = frozenset[str]().union(*(words.paths() for _, _, words in encoded))
    lines = [document_line(one, document, words, names).body for one, document, words in encoded]
    for first in range(0, len(lines), BODY):
        yield b"".join(lines[first : first + BODY])


def _posted(connection: Connection, generation: Generation, bodies: Sequence[bytes]) -> None:
    path = quoted(write_alias(generation)) + "/_bulk"
    with ThreadPoolExecutor(2) as senders:
        for answer in senders.map(lambda body: connection.send("POST", path, body), bodies):
            assert not orjson.loads(answer)["errors"]


def _applied(target: ClusterTarget, generation: Generation, writes: Sequence[Write]) -> None:
    own = [one._replace(generation=generation) for one in writes]
    for first in range(0, len(own), BATCH):
        assert target.apply(own[first : first + BATCH]) == []


def _by_helpers(client: OpenSearch, generation: Generation, writes: Sequence[Write]) -> None:
    actions = (
        {"_index": write_alias(generation), "_id": one.id, "_source": orjson.loads(one.document.json)}
        for one in writes
        if one.document is not None
    )
    assert helpers.bulk(client, actions, chunk_size=BODY)[0] == len(writes)


def _one_by_one(client: OpenSearch, generation: Generation, writes: Sequence[Write]) -> None:
    for one in writes:
        assert one.document is not None
        client.index(index=write_alias(generation), id=one.id, body=one.document.json)


def _rendered(writes: Sequence[Write]) -> str:
    page = orjson.dumps({"Records": [record(number) for number in range(RECORDS)], "NextShardIterator": "x" * 200})
    contenders = [
        Contender("decoding", rate(lambda: decode(page), RECORDS, clock=time.process_time)),
        Contender("rendering", rate(lambda: list(_bodies(writes[:1000])), 1000, clock=time.process_time)),
    ]
    return table(interleaved(contenders, rounds=5), unit="records/s", baseline="decoding")
