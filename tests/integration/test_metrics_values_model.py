"""Averages, extremes, distinct values and time buckets against a model: whatever was written, however time went by.

The model knows the surviving documents, the times at which anything was written, and Python's exact numbers.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import count
from typing import NamedTuple

import pytest
import redis
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from dynalens.config import CollectionConfig
from dynalens.target import Generation, MetricGroup
from dynalens.target.metrics import MetricsTarget, script
from dynalens.target.metrics.layout import live_channel
from tests.integration.metrics_writes import TABLE, Value, server_of, write
from tests.services.missing import skip_or_fail
from tests.services.valkey import ValkeyServer

EVERYTHING: Mapping[str, object] = {
    "count": True,
    "sum": {"amount": {"decimals": 2}},
    "avg": {"amount": {"decimals": 2}, "other": {"decimals": 1}},
    "min": ["amount", "other"],
    "max": "amount",
    "distinct": ["email", "amount"],
    "total": True,
}
METRICS: Mapping[str, Mapping[str, object]] = {
    "by_platform": {
        **EVERYTHING,
        "group_by": "platform",
        "publish": {"key": "{platform}", "total_key": "ALL", "channel": "values"},
    },
    "per_minute": {
        **EVERYTHING,
        "every": "1m",
        "time": "at",
        "keep": "5m",
        "group_by": "platform",
        "publish": {"key": "at/{platform}/{time}", "total_key": "at", "channel": "values"},
    },
    "per_hour": {"every": "1h", "time": "at", "keep": "2h", "distinct": "email", "max": "other"},
}
CONFIG = CollectionConfig.model_validate({"table": TABLE, "metrics": METRICS})
SECONDS = {"per_minute": (60, 300), "per_hour": (3600, 7200)}
"""Length of the buckets, and how long they are kept."""
DECIMALS = {"amount": 2, "other": 1}

START = 1_795_273_200
"""2026-11-21T15:00:00Z."""
TIMES: Mapping[Value, int | None] = {
    **{f"2026-11-21T15:0{minute}:59.999999999Z": START + minute * 60 + 59 for minute in range(10)},
    "2026-11-21T16:03:00+01:00": START + 180,
    "2026-11-21 15:05": START + 300,
    "2026-11-21": START - 15 * 3600,
    START + 61: START + 61,
    Decimal(f"{START + 119}.9"): START + 119,
    (START + 121) * 1000: START + 121,
    (START + 400) * 10**6 + 999_999: START + 400,
    "9999-12-31T23:59:59Z": 253_402_300_799,
    "soon": None,
    10**17: None,
    True: None,
    None: None,
}
"""Values of an attribute, and the second that each stands for."""

platforms: st.SearchStrategy[Value] = st.sampled_from(["a", "b", "1:2", "ALL", None])
amounts: st.SearchStrategy[Value] = st.sampled_from(
    [
        *[Decimal(number) for number in ("1.5", "1.50", "-1.5", "0", "-0.0", "10", "1e1", "92233720368547758.07")],
        *[Decimal(f"1234567890123456789012345678901234567{digit}") for digit in (7, 8)],
        *[Decimal(f"-0.0000012345678901234567890123456789012345678{digit}") for digit in (7, 8)],
        *["12", None, True],
    ]
) | st.decimals(-1000, 1000, places=2)
emails: st.SearchStrategy[Value] = st.sampled_from(
    ["a@b.org", "", "!\t", "#", "x" * 42, "x" * 43, "x" * 4000, "x" * 3999 + "y", 1, Decimal("1.0"), "1", True, None]
)
documents = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "platform": platforms,
        "amount": amounts,
        "other": amounts,
        "email": emails,
        "at": st.sampled_from(list(TIMES)),
    },
)

Document = Mapping[str, Value]


class Step(NamedTuple):
    """A batch of (id, version), written when so many seconds have gone by since the one before."""

    batch: Sequence[tuple[str, int]]
    later: int


class Story(NamedTuple):
    written: Mapping[tuple[str, int], Document | None]
    steps: Sequence[Step]


@st.composite
def stories(draw: st.DrawFn) -> Story:
    keys = st.tuples(st.sampled_from("abcde"), st.integers(0, 9))
    written = draw(st.dictionaries(keys, documents, min_size=1, max_size=14))
    arrivals = draw(st.lists(st.sampled_from(sorted(written)), max_size=14))
    # Whatever was lost on the way arrives in the end, as a replay brings it.
    rest = draw(st.permutations([key for key in written if key not in arrivals]))
    steps: list[Step] = []
    for arrival in [*arrivals, *rest]:
        is_behind = steps and any(id_ == arrival[0] and version > arrival[1] for id_, version in steps[-1].batch)
        if steps and not is_behind and draw(st.booleans()):
            steps[-1] = steps[-1]._replace(batch=[*steps[-1].batch, arrival])
        else:
            steps.append(Step([arrival], draw(st.sampled_from([0, 0, 1, 59, 61, 200, 301, -90]))))
    return Story(written, steps)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """One server for all examples; each takes a generation of its own."""
    with skip_or_fail():
        server = ValkeyServer(tmp_path_factory.mktemp("valkey"))
    with server:
        yield server


numbers = count(1)


@dataclass
class Clock:
    now: float = START + 30

    def __call__(self) -> float:
        return self.now


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(stories(), st.booleans())
def test_values_and_buckets_equal_recomputation(server: ValkeyServer, story: Story, serve_late: bool) -> None:  # noqa: FBT001 - drawn
    server.client().flushall()
    clock = Clock()
    target = MetricsTarget(server_of(server), {"donations": CONFIG}, clock=clock)
    generation = Generation("donations", next(numbers))
    subscriber = _subscribed(server)
    latest = clock.now
    try:
        target.create(generation, CONFIG)
        if not serve_late:
            target.serve(generation)
        for step in story.steps:
            clock.now += step.later
            latest = max(latest, clock.now)
            target.apply([write(generation, *key, story.written[key]) for key in step.batch])
        target.serve(generation)
        expected = {name: recomputed(name, _survivors(story), latest) for name in METRICS}
        assert {name: _shown(target, name) for name in METRICS} == expected
        clock.now = latest = latest + 100
        expected = {name: recomputed(name, _survivors(story), latest) for name in METRICS}
        assert {name: _shown(target, name) for name in METRICS} == expected, "the reader hides what is past"
        target.sweep(0)
        assert {name: _shown(target, name) for name in METRICS} == expected
        heard = _heard(server, subscriber)
        if not serve_late:
            assert heard.live == {name: _texts(target, name) for name in METRICS}
        assert heard.published == _published(server)
        assert set(heard.published) == _keys(target)
        target.drop(generation)
        assert not [key for key in server.client().scan_iter() if f"}}:{generation.number}:" in key]
        assert _published(server) == {}
    finally:
        subscriber.close()
        target.close()


def _survivors(story: Story) -> list[Document]:
    """Give the document of the highest version of each id, deletes left out."""
    highest = dict(sorted(story.written))
    return [item for key in highest.items() if (item := story.written[key]) is not None]


# The model.

Group = tuple[object, ...]
TOTAL: Group = ("the total",)
Row = Mapping[str, object]


def recomputed(name: str, items: Iterable[Document], now: float) -> dict[Group, Row]:
    """Compute a metric from documents, in the plainest way."""
    metric = CONFIG.metrics[name]
    members: dict[Group, list[Document]] = defaultdict(list)
    if metric.total:
        members[TOTAL] = []
    for item in items:
        members[TOTAL].append(item)
        group = tuple(_identity(item.get(attribute)) for attribute in metric.group_by)
        if name not in SECONDS:
            members[group].append(item)
            continue
        length, kept = SECONDS[name]
        second = TIMES[item.get("at")]
        if second is None:
            members[(_identity(None), *group)].append(item)
        elif second - second % length >= now - kept:
            members[(second - second % length, *group)].append(item)
    if not metric.total:
        members.pop(TOTAL, None)
    return {group: _row(name, counted) for group, counted in members.items()}


def _row(name: str, items: Sequence[Document]) -> Row:
    metric = CONFIG.metrics[name]
    row: dict[str, object] = {"count": Fraction(len(items))} if metric.count else {}
    row |= {f"{attribute}_sum": sum(_summable(items, attribute), Fraction()) for attribute in metric.sum}
    for attribute in metric.avg:
        summable = _summable(items, attribute)
        row[f"{attribute}_avg"] = _approximately(sum(summable, Fraction()) / len(summable)) if summable else None
    row |= {f"{attribute}_min": min(_numbers(items, attribute), default=None) for attribute in metric.min}
    row |= {f"{attribute}_max": max(_numbers(items, attribute), default=None) for attribute in metric.max}
    for attribute in metric.distinct:
        found = {_identity(item[attribute]) for item in items if item.get(attribute) is not None}
        row[f"{attribute}_distinct"] = Fraction(len(found))
    return row


def _numbers(items: Iterable[Document], attribute: str) -> list[Fraction]:
    values = [item.get(attribute) for item in items]
    return [Fraction(value) for value in values if isinstance(value, (int, Decimal)) and not isinstance(value, bool)]


def _summable(items: Iterable[Document], attribute: str) -> list[Fraction]:
    scaled = [(number, number * 10 ** DECIMALS[attribute]) for number in _numbers(items, attribute)]
    return [number for number, whole in scaled if whole.denominator == 1 and -(1 << 63) <= whole < 1 << 63]


def _identity(value: object) -> object:
    """Give equal numbers one identity, and values of different types different ones."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return "number", Fraction(value)
    return type(value).__name__, value


def _approximately(number: Fraction) -> object:
    return pytest.approx(float(number), rel=1e-14)


# What is seen.


def _shown(target: MetricsTarget, name: str) -> dict[Group, Row]:
    """Give what a target shows, in the model's terms."""
    snapshot = target.metric("donations", name)
    rows = {_group(name, group.group): _read_row(group) for group in snapshot.groups}
    assert len(rows) == len(snapshot.groups)
    return {**rows, TOTAL: _read_row(snapshot.total)} if snapshot.total else rows


def _group(name: str, group: Mapping[str, bytes]) -> Group:
    values = {member: json.loads(text, parse_int=Decimal, parse_float=Decimal) for member, text in group.items()}
    bucket = [_bucket(values.pop("time"))] if name in SECONDS else []
    return (*bucket, *map(_identity, values.values()))


def _bucket(text: str | None) -> object:
    if text is None:
        return _identity(None)
    seconds = [second for second in TIMES.values() if second is not None]
    starts = {second - second % length for second in seconds for length, _ in SECONDS.values()}
    return {_spelled(start): start for start in starts}[text]


def _spelled(second: int) -> str:
    days, rest = divmod(second - START, 86_400)
    assert days in {-1, 0} or second > START
    if days > 0:
        return {253_402_300_740: "9999-12-31T23:59:00Z", 253_402_297_200: "9999-12-31T23:00:00Z"}[second]
    day, clock = divmod(15 * 3600 + (days * 86_400 + rest), 86_400)
    assert day == 0
    return f"2026-11-21T{clock // 3600:02}:{clock // 60 % 60:02}:00Z"


def _read_row(group: MetricGroup) -> Row:
    row: dict[str, object] = {}
    for name, text in group.values.items():
        assert text == "null" or Decimal(json.dumps(json.loads(text, parse_float=str)).strip('"')) == Decimal(text)
        row[name] = None if text == "null" else Fraction(text)
    return row


def _texts(target: MetricsTarget, name: str) -> dict[str, dict[str, str]]:
    """Give every group's values as they stand in JSON, by the group's JSON."""
    snapshot = target.metric("donations", name)
    return {
        "{" + ",".join(f'"{member}":{text.decode()}' for member, text in group.group.items()) + "}": dict(group.values)
        for group in snapshot.groups
    }


class Heard(NamedTuple):
    live: Mapping[str, Mapping[str, Mapping[str, str]]]
    published: Mapping[str, Mapping[str, str]]


def _subscribed(server: ValkeyServer) -> redis.client.PubSub:
    subscriber: redis.client.PubSub = server.client().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
    subscriber.subscribe("values", *[live_channel(f"metric:donations.{name}") for name in METRICS])
    for _ in range(len(METRICS) + 1):
        subscriber.get_message(timeout=10)
    return subscriber


def _heard(server: ValkeyServer, subscriber: redis.client.PubSub) -> Heard:
    """Apply every message to nothing: what viewers and other applications hold in the end."""
    server.client().publish("values", "the end")
    live: dict[str, dict[str, dict[str, str]]] = {name: {} for name in METRICS}
    said: dict[str, str] = {}
    while (message := subscriber.get_message(timeout=10))["data"] != "the end":
        if message["channel"] == "values":
            change = json.loads(message["data"], parse_int=str, parse_float=str)
            assert change["value"] != said.get(change["key"]), "nothing changed"
            said[change["key"]] = change["value"]
            continue
        payload = message["data"].partition(" ")[2]
        if not payload:
            continue
        change = json.loads(payload, parse_int=str, parse_float=str)
        group = payload[payload.index('"group":') + len('"group":') : payload.index(',"values"')]
        shown = live[change["metric"].partition(".")[2]]
        if change["values"] is None:
            shown.pop(group, None)
        else:
            shown[group] = {name: value or "null" for name, value in change["values"].items()}
    return Heard(live, _as_hashes(said))


def _as_hashes(said: Mapping[str, str | None]) -> dict[str, dict[str, str]]:
    """Give the hashes that messages speak of; one with a count of 0 is gone, unless it is a total's."""
    hashes: dict[str, dict[str, str]] = defaultdict(dict)
    for name, value in said.items():
        key, _, field = name.rpartition(":")
        hashes[key][field] = value or ""
    for key in ("ALL", "at"):
        hashes[key] = {**_NOTHING, **hashes[key]}
    return {
        key: {**_NOTHING, **fields}
        for key, fields in hashes.items()
        if fields.get("count", "0") != "0" or key in {"ALL", "at"}
    }


_NOTHING = {
    name: "" if name.endswith(("_avg", "_min", "_max")) else "0" for name in CONFIG.metrics["by_platform"].values
}


def _published(server: ValkeyServer) -> dict[str, dict[str, str]]:
    """Give every hash that is not Dynalens' own."""
    client = server.client()
    keys = [key for key in client.scan_iter() if not key.startswith("dynalens:")]
    return {key: {str(name): str(text) for name, text in client.hgetall(key).items()} for key in keys}


def _keys(target: MetricsTarget) -> set[str]:
    """Give the keys that should be published, from what is shown."""
    keys = {"ALL", "at"}
    for name, form in (("by_platform", "{platform}"), ("per_minute", "at/{platform}/{time}")):
        for group in target.metric("donations", name).groups:
            values = {member: json.loads(text) for member, text in group.group.items()}
            shown = {member: "~null" if value is None else value for member, value in values.items()}
            key = form.format(**shown)
            keys.add('~"ALL"' if key == "ALL" else key)
    return keys


# The numbers of the scripts.

any_numbers = st.decimals(allow_nan=False, allow_infinity=False, min_value=Decimal("-1e38"), max_value=Decimal("1e38"))


@given(any_numbers)
@example(Decimal("-0.00"))
@example(Decimal("1E-130"))
@example(Decimal("9.9999999999999999999999999999999999999E+125"))
def test_scripts_spell_every_digit_of_an_ordered_number(server: ValkeyServer, number: Decimal) -> None:
    from dynalens.change import ordered_number
    from dynalens.change.value import canonical_number

    plain = canonical_number(str(number)) if -130 <= number.adjusted() <= 125 else "0"
    assert evaluated(server, "return plain_number(ARGV[1])", ordered_number(plain)) == plain


@given(st.integers(-(10**26), 10**26), st.integers(1, 10**7), st.integers(0, 18))
def test_scripts_and_readers_average_alike(server: ValkeyServer, total: int, numbers: int, decimals: int) -> None:
    from dynalens.target.metrics.reader import average_text

    text = f"return average({{sums = {{ARGV[1], ARGV[2]}}}}, {{sum = 1, numbers = 2, decimals = {decimals}}})"
    average = evaluated(server, text, str(total), str(numbers))
    assert average == average_text(str(total), str(numbers), decimals)
    assert float(average) == pytest.approx(float(Fraction(total, numbers * 10**decimals)), rel=1e-14)
    json.loads(average)


def evaluated(server: ValkeyServer, text: str, *arguments: str) -> str:
    library = (script._FOLDER / "library.lua").read_text()
    return str(server.client().eval(library + text, 1, "any", *arguments))
