"""The shared store against a real DynamoDB: answers that are lost, steps that are too large, and what it costs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError

from dynalens.config import StoreLocation
from dynalens.errors import StaleLeaseError, StoreError
from dynalens.partition import Partition, Position
from dynalens.position import Commit, Copy, Gap
from dynalens.position.dynamodb import DynamoStore
from dynalens.position.dynamodb.items import Items, TransientStoreError
from dynalens.position.dynamodb.table import WORK_ACTIONS, OtherTableError, create_table
from dynalens.report import Report
from dynalens.request import Request
from dynalens.retry import RetryPolicy
from tests.conftest import TableFactory
from tests.contract.store_writer import letter
from tests.contract.stores import QUICK, StoreTable
from tests.contract.together import together
from tests.services.dynamodb_local import DynamoDBLocal

TABLE = "Donations"
PARENT = Partition("shardId-1")
CHILD = Partition("shardId-2", parents=(PARENT.id,))
COPY = Copy("donations", "sql", 1, "building", "f00d", "stream-1", "s1", 4, consistent=True, started_at=1.5)
REQUEST = Request(table=TABLE, collection="donations", target="sql", kind="verify")


ACTIONS = {
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
    "Delete": "DeleteItem",
    "ConditionCheck": "ConditionCheckItem",
}


@pytest.fixture(scope="module")
def table(dynamodb_local: DynamoDBLocal) -> Iterator[StoreTable]:
    made = StoreTable(dynamodb_local)
    yield made
    made.delete()


@pytest.fixture
def store(table: StoreTable) -> Iterator[DynamoStore]:
    """An empty store."""
    with closing(DynamoStore(table.location, retries=QUICK)) as opened:
        yield opened
    table.empty()


@dataclass
class Wire:
    """What goes to the service and comes back, seen and disturbed at the client."""

    store: DynamoStore
    sent: list[str] = field(default_factory=list)
    units: int = 0
    """As AWS counts those of small items: two for each in a transaction ("Read and write capacity")."""
    actions: set[str] = field(default_factory=set)
    """What the caller has to be allowed for all that was sent."""
    lost: AbstractSet[int] = frozenset()
    garbled: AbstractSet[int] = frozenset()
    refused: Mapping[int, str] = field(default_factory=dict)
    meanwhile: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    """What somebody else does just before an operation is sent."""

    def __post_init__(self) -> None:
        events = self.store._items.client.meta.events
        events.register("before-send.dynamodb", self._send)  # type: ignore[arg-type] # it may give an answer
        events.register("before-parse.dynamodb", self._answer)

    def _send(self, request: Any, event_name: str, **_: object) -> AWSResponse | None:  # noqa: ANN401 - botocore's own
        self.sent.append(event_name.rpartition(".")[2])
        items = json.loads(request.body).get("TransactItems", ())
        self.units += 2 * len(items) or 1
        # A transaction needs what each of its items needs, and no action of its own.
        self.actions |= {ACTIONS[kind] for item in items for kind in item} or {self.sent[-1]}
        self.meanwhile.get(self.sent[-1], lambda: None)()
        if name := self.refused.get(len(self.sent) - 1):
            return refusal(request.url, name)
        return None

    def _answer(self, response_dict: dict[str, Any], **_: object) -> None:
        if len(self.sent) - 1 in self.lost:
            raise ReadTimeoutError(endpoint_url="the store")
        if len(self.sent) - 1 in self.garbled:
            response_dict["body"] = b"<html>moved</html>"


def refusal(url: str, name: str) -> AWSResponse:
    """Make the answer to a request that the service refused."""
    answer = AWSResponse(url, 500 if name == "InternalServerError" else 400, HTTPHeaders(), None)
    body: dict[str, Any] = {"__type": f"com.amazonaws.dynamodb.v20120810#{name}", "message": "told to"}
    if name == "TransactionConflict":
        body["__type"] = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
        body["CancellationReasons"] = [{"Code": "None"}, {"Code": "TransactionConflict"}]
    answer._content = json.dumps(body).encode()  # type: ignore[attr-defined] # what it would read from a connection
    return answer


# Answers that are lost.


def requests(store: DynamoStore) -> None:
    """Ask, change what was asked, report."""
    asked = store.ask(REQUEST)
    store.save_request(replace(asked, state="done"))
    assert store.requests(TABLE) == [replace(asked, state="done")]
    store.save_report(Report(table=TABLE, target="sql", worker="w1", written_at=1_700_000_000.5))
    assert [report.worker for report in store.reports()] == ["w1"]


def leases(store: DynamoStore) -> None:
    """Take leases, draw, move, give back."""
    store.beat("w1")
    store.acquire(TABLE, PARENT, "w1", over="")
    store.acquire(TABLE, PARENT, "w2", over="w1")
    epoch = store.draw(TABLE, PARENT.id, "sql", owner="w2", remembered=0).epoch
    store.commit(TABLE, "sql", [Commit(PARENT.id, epoch, Position(rank=7, token="7"))])
    store.rewind(TABLE, PARENT.id, "sql", Position(rank=5, token="5"), epoch=epoch)
    store.commit(TABLE, "sql", [Commit(PARENT.id, epoch, Position(ended=True, rank=9))])
    store.acquire(TABLE, CHILD, "w2", over="")
    drawn = store.draw(TABLE, CHILD.id, "sql", owner="w2", remembered=epoch + 40)
    assert drawn.epoch > epoch + 40
    both = [Commit(PARENT.id, epoch, Position(ended=True, rank=9)), Commit(CHILD.id, drawn.epoch, Position(rank=3))]
    store.commit(TABLE, "sql", both)
    assert [state.position for state in store.partitions(TABLE)] == [commit.position for commit in both]
    store.release(TABLE, [PARENT.id, CHILD.id], "w2")
    assert store.leases(TABLE) == {PARENT.id: "", CHILD.id: ""}
    assert set(store.pulse().beats) == {"w1"}
    store.leave("w1")


def generations(store: DynamoStore) -> None:
    """Record a generation instead of a position that was lost, and go through its states."""
    store.acquire(TABLE, PARENT, "w1")
    store.draw(TABLE, PARENT.id, "sql", owner="w1", remembered=0)
    gap = Gap(TABLE, "sql", PARENT.id, 1.5, 2.5, "records were trimmed", 3.5)
    store.record(TABLE, "sql", [COPY], [gap], forget=store.partitions(TABLE))
    assert store.partitions(TABLE) == []
    store.save_copy(TABLE, replace(COPY, state="live"), was=COPY)
    assert store.copies(TABLE, "sql") == [replace(COPY, state="live")]
    assert store.gaps(TABLE) == [gap]
    store.close_gaps(TABLE, "sql", below=1)
    assert store.gaps(TABLE) == []


def letters(store: DynamoStore) -> None:
    """Store letters, one of them again, redrive and settle them."""
    store.add([letter(1), letter(2)])
    store.add([replace(letter(1), version=8)])
    assert store.request_redrive(None) == 2
    first, second = store.letters(state="redrive")
    store.settle(first.number)
    store.settle(second.number, code="still", message="refused")
    assert [(each.state, each.version) for each in store.letters()] == [("done", 8), ("waiting", 2)]
    assert store.waiting_counts() == {(TABLE, "sql", "donations"): 1}


@pytest.mark.parametrize("work", [leases, generations, letters, requests], ids=lambda work: work.__name__)
@pytest.mark.parametrize("disturbed", ["lost", "garbled"])
def test_every_step_is_done_once_whichever_answer_does_not_arrive(
    table: StoreTable, store: DynamoStore, work: Callable[[DynamoStore], None], disturbed: str
) -> None:
    wire = Wire(store)
    work(store)
    undisturbed = len(wire.sent)
    for place in range(undisturbed):
        table.empty()
        wire.sent.clear()
        setattr(wire, disturbed, {place})
        work(store)
        assert len(wire.sent) > undisturbed, f"the answer to {wire.sent[place]} was not asked for again"


@pytest.mark.parametrize(
    "name",
    ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError", "TransactionConflict"],
)
def test_what_may_pass_by_itself_is_tried_again(store: DynamoStore, name: str) -> None:
    wire = Wire(store, refused=dict.fromkeys(range(3), name))
    store.acquire(TABLE, PARENT, "w1")
    assert wire.sent == ["TransactWriteItems"] * 4
    assert store.leases(TABLE) == {PARENT.id: "w1"}


def test_what_does_not_pass_is_given_up_in_the_end(table: StoreTable) -> None:
    twice = RetryPolicy(base_seconds=0.001, attempts=2)
    with closing(DynamoStore(table.location, retries=twice)) as store:
        wire = Wire(store, refused=dict.fromkeys(range(9), "ThrottlingException"))
        with pytest.raises(TransientStoreError, match=r"told to \(ThrottlingException\)"):
            store.counter(TABLE)
        assert len(wire.sent) == 2


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("AccessDeniedException", "dynalens store policy"),
        ("UnrecognizedClientException", "credentials"),
        ("ResourceNotFoundException", "dynalens store create"),
    ],
)
def test_what_somebody_has_to_change_is_said_at_once(store: DynamoStore, name: str, hint: str) -> None:
    wire = Wire(store, refused={0: name})
    with pytest.raises(StoreError, match=name) as refused:
        store.counter(TABLE)
    assert len(wire.sent) == 1
    assert hint in refused.value.hint


def test_a_closed_store_tries_nothing_again(store: DynamoStore) -> None:
    wire = Wire(store, refused=dict.fromkeys(range(99), "ThrottlingException"))
    store._items._stop.set()
    with pytest.raises(TransientStoreError):
        store.counter(TABLE)
    assert len(wire.sent) == 1


# What others do between two requests of one step.


@pytest.mark.parametrize("what", ["takes the lease", "drains it", "takes the parent back"])
def test_a_draw_is_decided_by_its_last_step(table: StoreTable, store: DynamoStore, what: str) -> None:
    """Everything was looked at before, and may be otherwise by then."""
    store.acquire(TABLE, PARENT, "w1")
    parent = store.draw(TABLE, PARENT.id, "sql", owner="w1", remembered=0).epoch
    store.commit(TABLE, "sql", [Commit(PARENT.id, parent, Position(ended=True, rank=9))])
    store.acquire(TABLE, CHILD, "w1")
    first = Commit(CHILD.id, parent + 1, Position())
    with closing(DynamoStore(table.location, retries=QUICK)) as other:

        def drain() -> None:
            epoch = other.draw(TABLE, CHILD.id, "sql", owner="w1", remembered=0).epoch
            other.commit(TABLE, "sql", [Commit(CHILD.id, epoch, Position(ended=True, rank=4))])

        others = {
            "takes the lease": lambda: other.acquire(TABLE, CHILD, "w2"),
            "drains it": drain,
            "takes the parent back": lambda: other.rewind(TABLE, PARENT.id, "sql", Position(rank=3), epoch=parent),
        }
        Wire(store, meanwhile={"TransactWriteItems": others[what]})
        with pytest.raises(StaleLeaseError):
            store.draw(TABLE, CHILD.id, "sql", owner="w1", remembered=0)
        with pytest.raises(StaleLeaseError):
            other.commit(TABLE, "sql", [first])


def test_a_rewind_looks_again_when_the_position_has_moved(table: StoreTable, store: DynamoStore) -> None:
    store.acquire(TABLE, PARENT, "w1")
    epoch = store.draw(TABLE, PARENT.id, "sql", owner="w1", remembered=0).epoch
    store.commit(TABLE, "sql", [Commit(PARENT.id, epoch, Position(rank=8))])
    with closing(DynamoStore(table.location, retries=QUICK)) as other:
        moves = iter([Position(rank=9), Position(rank=2)])

        def move() -> None:
            if position := next(moves, None):
                other.commit(TABLE, "sql", [Commit(PARENT.id, epoch, position)])

        Wire(store, meanwhile={"UpdateItem": move})
        store.rewind(TABLE, PARENT.id, "sql", Position(rank=5), epoch=epoch)
        assert [state.position.rank for state in other.partitions(TABLE)] == [2]


# Steps that are too large for one transaction.


def test_positions_of_more_shards_than_a_step_holds(store: DynamoStore) -> None:
    shards = [Partition(f"shardId-{number:03}") for number in range(130)]
    epochs = {}
    for shard in shards:
        store.acquire(TABLE, shard, "w1")
        epochs[shard.id] = store.draw(TABLE, shard.id, "sql", owner="w1", remembered=0).epoch
    store.commit(TABLE, "sql", [Commit(shard.id, epochs[shard.id], Position(rank=4)) for shard in shards])
    states = store.partitions(TABLE)
    assert {state.position for state in states} == {Position(rank=4)}
    assert len(states) == 130
    gaps = [Gap(TABLE, "sql", shard.id, 1.5, 2.5, "records were trimmed", 3.5) for shard in shards]
    store.record(TABLE, "sql", [COPY], gaps, forget=states)
    assert store.partitions(TABLE) == []
    assert store.gaps(TABLE) == gaps
    with pytest.raises(StaleLeaseError):
        store.commit(TABLE, "sql", [Commit(shards[-1].id, epochs[shards[-1].id], Position(rank=5))])


def test_gaps_that_are_found_again_take_the_place_of_those_found_before(table: StoreTable, store: DynamoStore) -> None:
    """Where nobody repairs them, every worker that attaches finds them anew."""
    lost = [Gap(TABLE, "sql", shard, 0.0, 1.0, "lost", 1.0) for shard in ("shardId-1", "shardId-2")]
    for found_at in (1.0, 2.0, 3.0):
        store.record(TABLE, "sql", [], [replace(gap, until=found_at, found_at=found_at) for gap in lost])
    assert store.gaps(TABLE) == [replace(gap, until=3.0, found_at=3.0) for gap in lost]
    assert len([item for item in table.items_held() if item["pk"]["S"].startswith("gap#")]) == 1


def test_more_items_than_a_page_holds(store: DynamoStore) -> None:
    """A page is 1 MB before what is not asked for is left out."""
    wide = [replace(letter(rank), collection=str(rank), message="x" * 200_000) for rank in range(12)]
    store.add(wide)
    assert [each.collection for each in store.letters()] == [each.collection for each in wide]
    assert [each.collection for each in store.letters(collection="11")] == ["11"]
    assert [each.collection for each in store.letters(limit=7)] == [str(rank) for rank in range(7)]


# What it costs (docs/store.md).


def test_quiet_shards_cost_nothing(store: DynamoStore) -> None:
    def cost() -> list[str]:
        wire = Wire(store)
        store.beat("w1")
        store.pulse()
        store.save_report(Report(table=TABLE, target="sql", worker="w1", written_at=1.5))
        return wire.sent[:]

    before = cost()
    for number in range(60):
        store.acquire(TABLE, Partition(f"shardId-{number}"), "w1")
        store.draw(TABLE, f"shardId-{number}", "sql", owner="w1", remembered=0)
    assert cost() == before == ["UpdateItem", "Query", "PutItem"]


def test_each_step_costs_what_the_documentation_says(store: DynamoStore) -> None:
    store.acquire(TABLE, PARENT, "w1")
    epoch = store.draw(TABLE, PARENT.id, "sql", owner="w1", remembered=0).epoch
    store.commit(TABLE, "sql", [Commit(PARENT.id, epoch, Position(ended=True, rank=9))])
    store.acquire(TABLE, CHILD, "w1")
    other = Partition("shardId-3")
    store.acquire(TABLE, other, "w1")
    drawn = {each.id: store.draw(TABLE, each.id, "sql", owner="w1", remembered=0).epoch for each in (CHILD, other)}

    def commit(position: Position) -> None:
        store.commit(TABLE, "sql", [Commit(name, epoch, position) for name, epoch in drawn.items()])

    report = Report(table=TABLE, target="sql", worker="w1", written_at=1.5)
    steps: dict[str, tuple[Callable[[], object], dict[str, int], int]] = {
        "beat": (lambda: store.beat("w1"), {"UpdateItem": 1}, 1),
        "pulse": (store.pulse, {"Query": 1}, 1),
        "report": (lambda: store.save_report(report), {"PutItem": 1}, 1),
        "commit": (
            lambda: store.commit(TABLE, "sql", [Commit(CHILD.id, drawn[CHILD.id], Position(rank=1))]),
            {"UpdateItem": 1},
            1,
        ),
        "commits": (lambda: commit(Position(rank=2)), {"TransactWriteItems": 1}, 4),
        "ends": (lambda: commit(Position(ended=True, rank=9)), {"TransactWriteItems": 1}, 4 + 2),
        "acquire": (lambda: store.acquire(TABLE, CHILD, "w1"), {"TransactWriteItems": 1}, 4),
        "release": (
            lambda: store.release(TABLE, [PARENT.id, CHILD.id], "w1"),
            {"Query": 2, "TransactWriteItems": 1},
            2 * 1 + 2 * 2 + 2,
        ),
        "letter": (lambda: store.add([letter(1)]), {"GetItem": 1, "UpdateItem": 1, "TransactWriteItems": 1}, 1 + 7),
    }
    wire = Wire(store)
    for name, (step, requests, units) in steps.items():
        wire.sent.clear()
        wire.units = 0
        step()
        assert (name, dict(Counter(wire.sent)), wire.units) == (name, requests, units)


def test_a_draw_costs_what_the_documentation_says(store: DynamoStore) -> None:
    store.acquire(TABLE, PARENT, "w1")
    epoch = store.draw(TABLE, PARENT.id, "sql", owner="w1", remembered=0).epoch
    store.commit(TABLE, "sql", [Commit(PARENT.id, epoch, Position(ended=True, rank=9))])
    store.acquire(TABLE, CHILD, "w1")
    wire = Wire(store)
    store.draw(TABLE, CHILD.id, "sql", owner="w1", remembered=0)
    assert wire.sent == ["GetItem", "TransactGetItems", "UpdateItem", "TransactWriteItems", "GetItem"]
    parents = 1
    assert wire.units == 1 + 2 * (1 + parents) + 1 + (1 + 2 * (2 + parents))


def test_the_policy_allows_what_is_done_and_nothing_else(table: StoreTable, store: DynamoStore) -> None:
    wire = Wire(store)
    for work in (leases, generations, letters, requests):
        work(store)
        table.empty()
    assert sorted(f"dynamodb:{action}" for action in wire.actions) == sorted(WORK_ACTIONS)


# The table.


def test_a_table_is_made_on_demand_and_left_as_it_is(dynamodb_local: DynamoDBLocal) -> None:
    location = StoreLocation("store-made", "eu-west-1", dynamodb_local.endpoint_url)
    with closing(Items(location)) as items, closing(DynamoStore(location, retries=QUICK)) as store:
        with pytest.raises(StoreError) as missing:
            store.counter(TABLE)
        assert "dynalens store create" in missing.value.hint
        assert create_table(items)
        store.beat("w1")
        assert not create_table(items)
        assert set(store.pulse().beats) == {"w1"}
        described = items.client.describe_table(TableName="store-made")["Table"]
        assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        expiry = items.client.describe_time_to_live(TableName="store-made")["TimeToLiveDescription"]
        assert (expiry["TimeToLiveStatus"], expiry["AttributeName"]) == ("ENABLED", "expires")
        items.client.delete_table(TableName="store-made")


def test_several_may_make_the_table_at_once(dynamodb_local: DynamoDBLocal) -> None:
    for number in range(5):
        location = StoreLocation(f"store-raced-{number}", "eu-west-1", dynamodb_local.endpoint_url)
        with closing(Items(location)) as one, closing(Items(location)) as other:
            together(partial(create_table, one), partial(create_table, other))
            assert not create_table(one)
            one.client.delete_table(TableName=location.table)


def test_a_table_that_is_no_store_is_not_touched(table_factory: TableFactory, dynamodb_local: DynamoDBLocal) -> None:
    name = table_factory({"id": "S"})
    with closing(Items(StoreLocation(name, "eu-west-1", dynamodb_local.endpoint_url))) as items:
        before = items.client.describe_table(TableName=name)["Table"]
        with pytest.raises(OtherTableError):
            create_table(items)
        assert items.client.describe_table(TableName=name)["Table"] == before
