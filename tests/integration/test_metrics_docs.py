"""docs/metrics.md: its examples, run as they stand there."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import pytest

from dynalens.config import CollectionConfig, load
from dynalens.server.service import _metric_json
from dynalens.target import MetricGroup
from dynalens.target.metrics import MetricsTarget
from dynalens.target.metrics.publication import key_template
from tests.integration.metrics_writes import FIRST, delete, opened, server_of, write
from tests.integration.test_metrics_live import DOCUMENTS, METRIC, hear
from tests.services.valkey import ValkeyServer

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(PAGE.read_text()) if found == language]


def rows(first_cell: str) -> list[list[str]]:
    """Give the rows of the table whose head begins with a cell."""
    table = PAGE.read_text().split(f"| {first_cell} |", 1)[1].split("\n\n", 1)[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def configured(tmp_path: Path) -> CollectionConfig:
    return loaded(tmp_path, blocks("yaml")[0])


def loaded(tmp_path: Path, yaml: str) -> CollectionConfig:
    file = tmp_path / "dynalens.yaml"
    file.write_text(yaml)
    return load(file, {}).collections["donations"]


def items(block: int = 0) -> list[dict[str, str | Decimal]]:
    return [json.loads(line, parse_int=Decimal, parse_float=Decimal) for line in blocks("json")[block].splitlines()]


def fill(target: MetricsTarget, config: CollectionConfig) -> None:
    target.create(FIRST, config)
    target.serve(FIRST)
    for item in items():
        target.apply([write(FIRST, str(item["id"]), 1, item)])


def test_the_metric_has_the_values_of_the_page(valkey: ValkeyServer, tmp_path: Path) -> None:
    config = configured(tmp_path)
    with opened(valkey, donations=config) as target:
        fill(target, config)
        snapshot = target.metric("donations", "by_platform")
        assert snapshot.total
        shown = [_shown(group) for group in snapshot.groups] + [_shown(snapshot.total)]
        assert shown == rows("group")


def _shown(group: MetricGroup) -> list[str]:
    [name] = [f'`{{"platform":{value.decode()}}}`' for value in group.group.values()] or ["total"]
    return [name, group.values["count"], group.values["amount_sum"]]


def test_any_client_finds_the_hashes_of_the_page(valkey: ValkeyServer, tmp_path: Path) -> None:
    config = configured(tmp_path)
    with opened(valkey, donations=config) as target:
        fill(target, config)
        found: list[str] = []
        for line in blocks("text")[0].splitlines():
            if line.startswith("HGETALL "):
                key = line.removeprefix("HGETALL ")
                found += [line, *(" ".join(map(str, pair)) for pair in valkey.client().hgetall(key).items())]
        assert found == blocks("text")[0].splitlines()


class EnoughError(Exception):
    """The program of the page has printed all that it should."""


def test_the_program_of_the_page_hears_the_messages_of_the_page(
    valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path)
    messages = [json.loads(line, parse_float=Decimal) for line in blocks("text")[1].splitlines()]
    printed: list[str] = []
    with opened(valkey, donations=config) as target:
        fill(target, config)

        def show(*parts: object) -> None:
            printed.append(" ".join(map(str, parts)))
            if len(printed) == 1:
                target.apply([delete(FIRST, "3", 2)])
            if len(printed) > len(messages):
                raise EnoughError

        client = valkey.client()
        monkeypatch.setattr("redis.Redis.from_url", lambda _url, **_options: client)
        [program] = blocks("python")
        with pytest.raises(EnoughError):
            exec(program, {"print": show})  # noqa: S102 - the page's own program
        assert printed[0] == str({"count": "3", "amount": "60.75"})
        assert printed[1:] == [f"{message['key']} is {message['value']}" for message in messages]


def test_the_messages_of_the_page_are_sent_as_they_stand_there(valkey: ValkeyServer, tmp_path: Path) -> None:
    config = configured(tmp_path)
    with opened(valkey, donations=config) as target:
        fill(target, config)
        subscription = valkey.client().pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        subscription.subscribe("aggregates")
        assert subscription.get_message(timeout=10) is None
        target.apply([delete(FIRST, "3", 2)])
        expected = blocks("text")[1].splitlines()
        assert [subscription.get_message(timeout=10)["data"] for _ in expected] == expected
        subscription.close()


def test_viewers_hear_what_the_page_says(valkey: ValkeyServer, tmp_path: Path) -> None:
    config = configured(tmp_path)
    with opened(valkey, donations=config) as target:
        fill(target, config)
        item = items()[1]
        target.apply([delete(FIRST, "2", 2)])
        events = hear(target, [METRIC, DOCUMENTS], lambda: target.apply([write(FIRST, "2", 3, item)]), 2)
        assert [json.loads(event.payload) for event in events] == [json.loads(text) for text in blocks("json")[3:]]


def test_every_value_and_bucket_is_what_the_page_says(valkey: ValkeyServer, tmp_path: Path) -> None:
    config = loaded(tmp_path, blocks("yaml")[1])
    target = MetricsTarget(server_of(valkey), {"donations": config}, clock=lambda: 1_795_276_260.0)
    target.create(FIRST, config)
    target.serve(FIRST)
    target.apply([write(FIRST, str(item["id"]), 1, item) for item in items(1)])
    snapshot = target.metric("donations", "per_minute")
    target.close()
    assert json.loads(_metric_json(snapshot, "streaming")) == json.loads(blocks("json")[2])


@pytest.mark.parametrize("row", rows("value"), ids=lambda row: row[0])
def test_keys_are_written_as_the_page_says(row: Sequence[str], tmp_path: Path) -> None:
    template = key_template(configured(tmp_path).metrics["by_platform"])
    assert template
    if "{x}:{y}" in row[0]:
        pairs = CollectionConfig.model_validate(
            {"table": "T", "metrics": {"m": {"group_by": ["x", "y"], "count": True, "publish": {"key": "{x}:{y}"}}}}
        )
        two = key_template(pairs.metrics["m"])
        assert two
        assert two.key((b'"a:b"', b'"c"')) == b'~"a:b":c'
        return
    values, keys = (re.findall(r"`([^`]+)`", cell) for cell in row[:2])
    assert values
    assert [template.key((value.encode(),)).decode() for value in values] == keys
