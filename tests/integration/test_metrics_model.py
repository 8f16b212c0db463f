"""The metrics target against a model: after any writes, in any order and repeated, it equals recomputation."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynalens.config import CollectionConfig
from dynalens.target import Generation, MetricGroup
from dynalens.target.metrics import MetricsTarget, script
from dynalens.target.metrics.publication import key_template
from tests.integration.metrics_writes import TABLE, Value, server_of, write
from tests.services.missing import skip_or_fail
from tests.services.valkey import ValkeyServer

METRICS: Mapping[str, Mapping[str, object]] = {
    "by_platform": {
        "group_by": ["platform"],
        "count": True,
        "sum": {"amount": {"decimals": 2}},
        "total": True,
        "publish": {"key": "{platform}", "total_key": "ALL", "channel": "aggregates"},
    },
    "by_two": {"group_by": ["platform", "kind"], "sum": {"amount": {"decimals": 18}, "kind": {}}, "total": True},
    "kind_one": {"count": True, "where": {"kind": 1}, "total": True},
}
CONFIG = CollectionConfig.model_validate({"table": TABLE, "metrics": METRICS})

platforms: st.SearchStrategy[Value] = st.sampled_from(
    ["a", "ALL", "", "dynalens:x", "~", '"', "a\nb", "\ud800", "1", 1, Decimal("1.0"), None, True]
)
amounts: st.SearchStrategy[Value] = (
    st.sampled_from(
        [
            *[Decimal(number) for number in ("92233720368547758.07", "-92233720368547758.08", "92233720368547758.08")],
            *[Decimal(number) for number in ("0.005", "9.223372036854775807", "-9.223372036854775808", "1e30", "0.0")],
            *["12", None, True],
        ]
    )
    | st.integers(-1000, 1000)
    | st.decimals(-1000, 1000, places=2)
)
documents = st.none() | st.fixed_dictionaries(
    {}, optional={"platform": platforms, "amount": amounts, "kind": st.sampled_from([1, 2, "1", None])}
)
versions = st.integers(0, 12) | st.integers((1 << 53) - 2, (1 << 53) + 2) | st.integers((1 << 63) - 3, (1 << 63) - 1)


class Story(NamedTuple):
    """Documents by id and version, and the batches of (id, version) in which they arrive."""

    written: Mapping[tuple[str, int], Mapping[str, Value] | None]
    batches: Sequence[Sequence[tuple[str, int]]]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    written = draw(st.dictionaries(st.tuples(st.sampled_from("abcd"), versions), documents, min_size=1, max_size=12))
    arrivals = draw(st.lists(st.sampled_from(sorted(written)), max_size=20))
    # Whatever was lost on the way arrives in the end, as a replay brings it.
    rest = draw(st.permutations([key for key in written if key not in arrivals]))
    return Story(written, _cut(draw, [*arrivals, *rest]))


def _cut(draw: st.DrawFn, arrivals: Sequence[tuple[str, int]]) -> list[list[tuple[str, int]]]:
    """Cut arrivals into batches; within one, writes of one id stand in rising order."""
    batches: list[list[tuple[str, int]]] = [[]]
    for arrival in arrivals:
        if draw(st.booleans()) or any(id_ == arrival[0] and version > arrival[1] for id_, version in batches[-1]):
            batches.append([])
        batches[-1].append(arrival)
    return batches


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One server for all examples; each takes a generation of its own."""
    folder: Path = tmp_path_factory.mktemp("valkey")
    with skip_or_fail():
        server = ValkeyServer(folder)
    with server:
        yield server


numbers = count(1)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(stories(), st.booleans())
def test_metrics_equal_recomputation(server: ValkeyServer, story: Story, serve_late: bool) -> None:  # noqa: FBT001 - drawn
    server.client().flushall()
    target = MetricsTarget(server_of(server), {"donations": CONFIG})
    generation = Generation("donations", next(numbers))
    subscriber = server.client().pubsub()  # type: ignore[no-untyped-call]
    subscriber.subscribe("aggregates")
    subscriber.get_message(timeout=10)
    try:
        target.create(generation, CONFIG)
        if not serve_late:
            target.serve(generation)
        rejected = [
            target.apply([write(generation, *key, story.written[key]) for key in batch]) for batch in story.batches
        ]
        target.serve(generation)
        survivors = _survivors(story)
        expected = {name: recomputed(name, survivors.values()) for name in METRICS}
        assert {name: counted(target, name) for name in METRICS} == expected
        published = _published(server)
        assert published == _named(target)
        assert _last_heard(server, subscriber) == {
            f"{key}:{field}": value for key, fields in published.items() for field, value in fields.items() if value
        }
        keys = {(rejection.write.id, rejection.write.version) for batch in rejected for rejection in batch}
        assert {key for key, item in survivors.items() if not _is_exact(item)} <= keys
    finally:
        subscriber.close()
        target.close()


def _survivors(story: Story) -> dict[tuple[str, int], Mapping[str, Value]]:
    """Give the document of the highest version of each id, deletes left out."""
    highest = dict(sorted(story.written))
    return {key: item for key in highest.items() if (item := story.written[key]) is not None}


class Row(NamedTuple):
    """One group, or the total, of a metric."""

    values: Mapping[str, Decimal]
    exact: bool


Group = tuple[object, ...]
TOTAL: Group = ("the total",)


def recomputed(name: str, items: Iterable[Mapping[str, Value]]) -> dict[Group, Row]:
    """Compute a metric from documents, in the plainest way."""
    metric = CONFIG.metrics[name]
    members: dict[Group, list[Mapping[str, Value]]] = defaultdict(list)
    if metric.total:
        members[TOTAL] = []
    for item in items:
        if all(name in item and _identity(item[name]) == _identity(value) for name, value in metric.where.items()):
            members[tuple(_identity(item.get(attribute)) for attribute in metric.group_by)].append(item)
            members[TOTAL].append(item)
    return {group: _row(name, counted) for group, counted in members.items()}


def _row(name: str, items: Sequence[Mapping[str, Value]]) -> Row:
    metric = CONFIG.metrics[name]
    values = {"count": Decimal(len(items))} if metric.count else {}
    exact = True
    for attribute, summed in metric.sum.items():
        numbers = [number for item in items if (number := _number(item.get(attribute))) is not None]
        fitting = [number for number in numbers if _fits(number, summed.decimals)]
        with localcontext(prec=100):
            values[f"{attribute}_sum"] = sum(fitting, Decimal())
        exact = exact and len(fitting) == len(numbers)
    return Row(values, exact)


def _number(value: Value) -> Decimal | None:
    return None if value is None or isinstance(value, (str, bool)) else Decimal(value)


def _fits(number: Decimal, decimals: int) -> bool:
    with localcontext(prec=100):
        scaled = number * 10**decimals
        return bool(scaled == scaled.to_integral_value() and -(1 << 63) <= scaled < 1 << 63)


def _is_exact(item: Mapping[str, Value]) -> bool:
    return all(_row(name, [item]).exact for name in METRICS)


def _identity(value: object) -> object:
    """Give equal numbers one identity, and values of different types different ones."""
    number = isinstance(value, (int, float, Decimal)) and not isinstance(value, bool)
    return ("number", Decimal(str(value))) if number else (type(value).__name__, value)


def counted(target: MetricsTarget, name: str) -> dict[Group, Row]:
    """Give what a target has counted, in the model's terms."""
    snapshot = target.metric("donations", name)
    rows = {tuple(map(_read, group.group.values())): _as_row(group) for group in snapshot.groups}
    assert len(rows) == len(snapshot.groups)
    return {**rows, TOTAL: _as_row(snapshot.total)} if snapshot.total else rows


def _read(fragment: bytes) -> object:
    return _identity(json.loads(fragment, parse_int=Decimal, parse_float=Decimal))


def _as_row(group: MetricGroup) -> Row:
    return Row({name: Decimal(text) for name, text in group.values.items()}, group.exact)


def _published(server: ValkeyServer) -> dict[str, dict[str, Decimal]]:
    """Give every hash that is not Dynalens' own."""
    client = server.client()
    keys = [key for key in client.scan_iter() if not key.startswith("dynalens:")]
    return {key: {str(name): Decimal(str(text)) for name, text in client.hgetall(key).items()} for key in keys}


def _named(target: MetricsTarget) -> dict[str, dict[str, Decimal]]:
    """Give what should be published of a target, from what it has counted."""
    template = key_template(CONFIG.metrics["by_platform"])
    assert template
    snapshot = target.metric("donations", "by_platform")
    assert snapshot.total
    groups = {template.key(tuple(group.group.values())).decode(): group for group in snapshot.groups}
    assert len(groups) == len(snapshot.groups)
    return {key: dict(_as_row(group).values) for key, group in {**groups, "ALL": snapshot.total}.items()}


def _last_heard(server: ValkeyServer, subscriber: redis.client.PubSub) -> dict[str, Decimal]:
    """Add up the deltas of all messages; each message's value is the sum so far."""
    server.client().publish("aggregates", "the end")
    sums: dict[str, Decimal] = defaultdict(Decimal)
    while (text := subscriber.get_message(timeout=10)["data"]) != "the end":
        said = json.loads(text, parse_int=Decimal, parse_float=Decimal)
        with localcontext(prec=100):
            sums[said["key"]] += said["delta"]
        assert said["delta"]
        assert said["value"] == sums[said["key"]]
    return {name: value for name, value in sums.items() if value}


# The arithmetic of the scripts.

integers = st.integers(-(10**26), 10**26) | st.integers(-(10**13), 10**13) | st.integers(-(1 << 64), 1 << 64)


@given(integers, integers)
@example(10**12, -1)
@example(-(10**12), 1)
@example(10**24, -(10**24) + 1)
@example(-(10**12) - 1, 10**12)
@example(999_999_999_999, 1)
@example(0, 0)
def test_scripts_add_exactly(server: ValkeyServer, one: int, other: int) -> None:
    library = Path(script.__file__).with_name("lua").joinpath("library.lua").read_text()
    text = library + "return {add(ARGV[1], ARGV[2]), add(ARGV[1], negated(ARGV[2])), decimal(ARGV[1], 2)}"
    added, subtracted, hundredths = server.client().eval(text, 1, "any", str(one), str(other))
    assert (added, subtracted) == (str(one + other), str(one - other))
    with localcontext(prec=100):
        assert Decimal(hundredths) == Decimal(one) / 100
    assert "." not in hundredths or not hundredths.endswith("0")
