"""The file: what it means, what it refuses, and how it says so."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from dynalens.config import (
    CollectionConfig,
    Config,
    ConfigFileError,
    Duration,
    MetricConfig,
    PublishConfig,
    SearchConfig,
    SourceConfig,
    StoreLocation,
    SumConfig,
    TargetsConfig,
    differences,
    fingerprint,
    json_schema,
    load,
    load_server,
    masked,
    store_location,
)
from dynalens.errors import EXIT_USAGE, ConfigError

DOCS = Path(__file__).parents[2] / "docs"

MINIMAL = "collections:\n  donations:\n    table: Donations\n"

SCENARIO = """\
source: {region: eu-west-1, endpoint_url: "http://127.0.0.1:8000"}
collections:
  donations:
    table: Donations
    metrics:
      by_platform:
        group_by: platform
        count: true
        sum: {amount: {decimals: 2}}
        total: true
        publish: {key: "{platform}", total_key: ALL, channel: aggregates, fields: {amount_sum: amount}}
"""


def read(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> Config:
    (folder / "dynalens.yaml").write_text(text, encoding="utf-8")
    return load(folder / "dynalens.yaml", environment or {})


def errors_of(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> list[str]:
    """Give the error lines of a file, without the folder."""
    with pytest.raises(ConfigFileError) as caught:
        read(folder, text, environment)
    assert caught.value.exit_code == EXIT_USAGE
    return [line.removeprefix(f"{folder}/") for line in caught.value.message.splitlines()]


def error_of(folder: Path, text: str, environment: Mapping[str, str] | None = None) -> str:
    [error] = errors_of(folder, text, environment)
    return error


def metric(settings: str) -> str:
    """Give a file with one metric, whose settings stand in line 5."""
    return f"collections:\n  donations:\n    table: Donations\n    metrics:\n      by_platform: {{{settings}}}\n"


def two_of_a_table(one: str, other: str) -> str:
    """Give a file with two collections of one table, in lines 2 and 3."""
    return f"collections:\n  a: {{table: Shop, {one}}}\n  b: {{table: Shop, {other}}}\n"


def test_three_lines_are_a_working_file(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL)
    assert config.collections == {"donations": CollectionConfig(table="Donations")}
    assert config.targets == TargetsConfig(
        search="tantivy://./data/search", sql="chdb://./data/sql", metrics="valkey://embedded"
    )
    assert (config.server.host, config.server.port) == ("127.0.0.1", 7070)
    assert config.data_folder == tmp_path / "data"


def test_the_path_is_absolute_so_that_data_stays_beside_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dynalens.yaml").write_text(MINIMAL)
    monkeypatch.chdir(tmp_path)
    assert load(Path("dynalens.yaml"), {}).data_folder == tmp_path / "data"


def test_scenario_1_reads_as_it_is_written(tmp_path: Path) -> None:
    config = read(tmp_path, SCENARIO)
    assert config.source == SourceConfig(region="eu-west-1", endpoint_url="http://127.0.0.1:8000")
    assert config.collections["donations"].metrics["by_platform"] == MetricConfig(
        group_by=("platform",),
        count=True,
        sum={"amount": SumConfig(decimals=2)},
        total=True,
        publish=PublishConfig(key="{platform}", total_key="ALL", channel="aggregates", fields={"amount_sum": "amount"}),
    )


def test_named_targets_are_the_only_ones(tmp_path: Path) -> None:
    assert read(tmp_path, MINIMAL + "targets: {sql: 'chdb:///srv/sql'}").targets == TargetsConfig(sql="chdb:///srv/sql")


@pytest.mark.parametrize(
    ("written", "fields"),
    [("{}", ()), ("{fields: title}", ("title",)), ("{fields: [address.city, title]}", ("address.city", "title"))],
)
def test_paths_of_a_collection_are_declared_for_search(tmp_path: Path, written: str, fields: tuple[str, ...]) -> None:
    config = read(tmp_path, MINIMAL + f"    search: {written}\n")
    assert config.collections["donations"].search == SearchConfig(fields=fields)


def test_a_store_is_where_the_source_is_unless_it_says_otherwise(tmp_path: Path) -> None:
    assert read(tmp_path, MINIMAL).store is None
    source = SourceConfig(region="eu-west-1", endpoint_url="http://127.0.0.1:8000")
    written = {
        "dynamodb://Dyna.Lens_1": StoreLocation("Dyna.Lens_1", "eu-west-1", "http://127.0.0.1:8000"),
        "dynamodb://dynalens?region=eu-north-1": StoreLocation("dynalens", "eu-north-1", "http://127.0.0.1:8000"),
        "dynamodb://dynalens?endpoint_url=http://127.0.0.1:9": StoreLocation(
            "dynalens", "eu-west-1", "http://127.0.0.1:9"
        ),
    }
    for url, location in written.items():
        store = read(tmp_path, MINIMAL + f"store: {url}\n").store
        assert store == url
        assert store_location(store, source) == location
    assert store_location("dynamodb://dynalens", SourceConfig()) == StoreLocation("dynalens", None, None)


def test_search_alone_keeps_a_collection(tmp_path: Path) -> None:
    targets = read(tmp_path, MINIMAL + "targets: {search: 'tantivy:///srv/search'}").targets
    assert targets == TargetsConfig(search="tantivy:///srv/search")


def test_group_by_takes_one_name_or_a_list(tmp_path: Path) -> None:
    one = read(tmp_path, metric("count: true, group_by: platform"))
    two = read(tmp_path, metric("count: true, group_by: [platform, country]"))
    assert one.collections["donations"].metrics["by_platform"].group_by == ("platform",)
    assert two.collections["donations"].metrics["by_platform"].group_by == ("platform", "country")


def test_values_have_the_types_that_they_look_like(tmp_path: Path) -> None:
    where = (
        "{country: NO, day: 2019-08-07, code: 010, at: 1:30, n: 5, x: 1.5, on: true, gone: null, quoted: '5', y: yes}"
    )
    config = read(tmp_path, MINIMAL + f"    where: {where}\n")
    assert config.collections["donations"].where == {
        "country": "NO",
        "day": "2019-08-07",
        "code": "010",
        "at": "1:30",
        "n": 5,
        "x": 1.5,
        "on": True,
        "gone": None,
        "quoted": "5",
        "y": "yes",
    }


def test_an_integer_keeps_all_of_its_38_digits(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL + f"    where: {{n: {'9' * 38}}}\n")
    assert config.collections["donations"].where == {"n": int("9" * 38)}


def test_values_of_a_metric_have_the_names_of_the_api() -> None:
    assert MetricConfig(count=True, sum={"amount": SumConfig(), "tip": SumConfig()}).values == (
        "count",
        "amount_sum",
        "tip_sum",
    )


# Variables of the environment.


def test_a_variable_is_filled_in(tmp_path: Path) -> None:
    text = 'collections: {donations: {table: "${STAGE}-Donations"}}\nserver: {port: "${PORT}"}\n'
    config = read(tmp_path, text, {"STAGE": "test", "PORT": "7171"})
    assert config.collections["donations"].table == "test-Donations"
    assert config.server.port == 7171


def test_two_dollars_stand_for_the_signs_themselves(tmp_path: Path) -> None:
    config = read(tmp_path, MINIMAL + '    where: {a: "$${NAME}", b: "$5", c: "{x}"}\n', {"NAME": "no"})
    assert config.collections["donations"].where == {"a": "${NAME}", "b": "$5", "c": "{x}"}


def test_a_variable_that_is_not_set_is_named(tmp_path: Path) -> None:
    error = error_of(tmp_path, "collections:\n  donations:\n    table: ${TABLE}\n")
    assert error == (
        "dynalens.yaml:3: collections.donations.table: the environment variable TABLE is not set. "
        "Set it: export TABLE=…"
    )


@pytest.mark.parametrize("text", ["${}", "${A-B}", "${A", "${1}"])
def test_a_malformed_variable_is_an_error(tmp_path: Path, text: str) -> None:
    error = error_of(tmp_path, f"collections:\n  donations:\n    table: '{text}'\n", {"A": "x"})
    assert error.startswith(f"dynalens.yaml:3: collections.donations.table: '{text}' names no environment variable.")


# Secrets.

SECRET = "hunter2"


@pytest.mark.parametrize(
    "text",
    [
        MINIMAL + 'targets: {metrics: "valkey://me:${SECRET}@host:6379", sql: "${SECRET}"}',
        MINIMAL + 'targets: {metrics: "foo://me:${SECRET}@host:6379"}',
        MINIMAL + f"targets: {{metrics: 'foo://me:{SECRET}@host:6379'}}",
        MINIMAL + f"targets: {{metrics: ['valkey://me:{SECRET}@host']}}",
        MINIMAL + f"targets: {{metrics: 'valkey://me:{SECRET}@host:port'}}",
        MINIMAL + f"source: {{endpoint_url: 'ftp://me:{SECRET}@host'}}",
        MINIMAL + 'server: {port: "${SECRET}"}',
        "collections: {donations: {table: '${SECRET}!'}}",
        metric('count: true, group_by: a, publish: {key: "${SECRET}", channel: "{${SECRET}}"}'),
        metric('count: "${SECRET}", sum: "${SECRET}", group_by: 5'),
    ],
)
def test_no_error_shows_a_secret(tmp_path: Path, text: str) -> None:
    with pytest.raises(ConfigFileError) as caught:
        read(tmp_path, text, {"SECRET": SECRET})
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.__cause__ is None  # pydantic's own error holds the values


def test_a_configuration_prints_without_passwords(tmp_path: Path) -> None:
    text = metric("count: true") + 'targets: {metrics: "valkeys://me:${SECRET}@host:6379"}'
    config = read(tmp_path, text, {"SECRET": SECRET})
    assert config.targets.metrics == f"valkeys://me:{SECRET}@host:6379"
    for shown in (repr(config), str(config), f"{config.targets}"):
        assert SECRET not in shown
        assert "valkeys://me:***@host:6379" in shown


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("valkey://host:6379", "valkey://host:6379"),
        ("valkey://me@host", "valkey://me@host"),
        ("valkey://me:secret@host:6379/0", "valkey://me:***@host:6379/0"),
        ("valkey://:secret@host", "valkey://:***@host"),
        ("valkey://me:se@cr/e?t@host", "valkey://me:***@host"),
        ("https://host/x?password=secret&a=1", "https://host/x?password=***&a=1"),
        ("cannot reach valkey://me:secret@host today", "cannot reach valkey://me:***@host today"),
    ],
)
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


# Errors of shape: each with its line, its place and what to write.


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "collections: {a: {table: Donations}}\nserver:\n  prot: 7070\n",
            "3: server.prot: is no setting. Did you mean port?",
        ),
        (
            MINIMAL + "extras: 1\n",
            "4: extras: is no setting. Write one of: source, targets, collections, store, server, dashboards.",
        ),
        (
            MINIMAL + "path: elsewhere.yaml\n",
            "4: path: is no setting. Write one of: source, targets, collections, store, server, dashboards.",
        ),
        (
            metric("count: true, sum: {amount: {decimals: 30}}"),
            (
                "5: collections.donations.metrics.by_platform.sum.amount.decimals: 30 is too large. "
                "Write a number from 0 to 18."
            ),
        ),
        (
            metric("sum: {amount: {decimals: 1.5}}"),
            (
                "5: collections.donations.metrics.by_platform.sum.amount.decimals: 1.5 is not a whole number. "
                "Write a number from 0 to 18."
            ),
        ),
        (
            metric("sum: {amount: }"),
            (
                "5: collections.donations.metrics.by_platform.sum.amount: is empty. "
                "Write settings under it, for example sum: {amount: {decimals: 2}}."
            ),
        ),
        (
            metric("sum: amount"),
            (
                "5: collections.donations.metrics.by_platform.sum: amount is text. "
                "Write settings under it, for example sum: {amount: {decimals: 2}}."
            ),
        ),
        (
            metric("count: maybe"),
            (
                "5: collections.donations.metrics.by_platform.count: maybe is text. "
                "Write true or false, for example count: true."
            ),
        ),
        (
            metric("count: true, group_by: 5"),
            (
                "5: collections.donations.metrics.by_platform.group_by: 5 is a number. "
                "Write a name or a list of names, for example group_by: platform."
            ),
        ),
        (
            metric("count: true, group_by: [a, 5]"),
            '5: collections.donations.metrics.by_platform.group_by[1]: 5 is a number. Write it in quotes: "5".',
        ),
        (
            metric("count: true, group_by: ['']"),
            (
                "5: collections.donations.metrics.by_platform.group_by[0]: is empty. "
                "Write text, for example group_by: platform."
            ),
        ),
        (
            metric("count: true, group_by: platform, publish: {key: {platform}}"),
            (
                "5: collections.donations.metrics.by_platform.publish.key: {platform} is a mapping. "
                'Write it in quotes: "{platform}".'
            ),
        ),
        (
            metric("count: true, publish: {}"),
            (
                "5: collections.donations.metrics.by_platform.publish.key: is missing. "
                "Write it, for example key: '{platform}'."
            ),
        ),
        (
            MINIMAL + "    where: {TYPE: [user]}\n",
            (
                "4: collections.donations.where.TYPE: [user] is a list. "
                "Write one value: text, a number, true, false or null, for example where: {TYPE: user}."
            ),
        ),
        (
            MINIMAL + "    where: {'': user}\n",
            "4: collections.donations.where.'': is an empty name. Write the name of an attribute.",
        ),
        (
            MINIMAL + "    where: {n: 0.12345678901234567890}\n",
            (
                "4: collections.donations.where.n: is a number too long to be kept. "
                "Write at most 15 digits, or text in quotes."
            ),
        ),
        (
            MINIMAL + f"    where: {{n: 1e{'9' * 30}}}\n",
            (
                "4: collections.donations.where.n: is a number too long to be kept. "
                "Write at most 15 digits, or text in quotes."
            ),
        ),
        (
            "collections:\n  my-donations:\n    table: Donations\n",
            (
                "2: collections.my-donations: cannot be a name here. Write letters, digits and _, a letter first, "
                "at most 63, for example my_donations."
            ),
        ),
        (
            "collections:\n  donations:\n",
            (
                "2: collections.donations: is empty. "
                "Write settings under it, for example collections: {donations: {table: Donations}}."
            ),
        ),
        (
            "collections:\n  donations: {}\n",
            "2: collections.donations.table: is missing. Write it, for example table: Donations.",
        ),
        (
            "source: {region: eu-west-1}\n",
            "1: collections: is missing. Write it, for example collections: {donations: {table: Donations}}.",
        ),
        (
            "\ncollections: {}\n",
            (
                "2: collections: is empty. "
                "Write settings under it, for example collections: {donations: {table: Donations}}."
            ),
        ),
        (
            MINIMAL + "    search: [title]\n",
            (
                "4: collections.donations.search: [title] is a list. "
                "Write settings under it, for example search: {fields: [address.city, title]}."
            ),
        ),
        (
            MINIMAL + "    search: {fields: {title: true}}\n",
            (
                "4: collections.donations.search.fields: {title: true} is a mapping. "
                "Write a name or a list of names, for example fields: [address.city, title]."
            ),
        ),
        (
            MINIMAL + "    item_type: 5\n",
            '4: collections.donations.item_type: 5 is a number. Write it in quotes: "5".',
        ),
        (
            MINIMAL + "    item_type: ''\n    type_attribute: kind\n",
            "4: collections.donations.item_type: is empty. Write text, for example item_type: order.",
        ),
        (
            MINIMAL + "source:\n  scan_read_units: 0\n",
            "5: source.scan_read_units: 0 is too small. Write a number above 0.",
        ),
        (
            MINIMAL + "source: {scan_read_units: .inf}\n",
            "4: source.scan_read_units: .inf is text. Write a number above 0, for example scan_read_units: 500.",
        ),
        (
            MINIMAL + "source: {verify: {rate: 0}}\n",
            "4: source.verify.rate: 0 is too small. Write a number above 0.",
        ),
        (
            MINIMAL + "source: {verify: {every: 60}}\n",
            "4: source.verify.every: 60 is a number. Write a whole number and s, m, h or d, for example every: 24h.",
        ),
        (
            MINIMAL + "source: {region: 5}\n",
            '4: source.region: 5 is a number. Write it in quotes: "5".',
        ),
        (
            MINIMAL + "server: 7070\n",
            "4: server: 7070 is a number. Write settings under it, for example server: {port: 7070}.",
        ),
    ],
)
def test_an_error_of_shape_says_what_to_write(tmp_path: Path, text: str, error: str) -> None:
    assert errors_of(tmp_path, text) == [f"dynalens.yaml:{error}"]


def test_what_a_later_version_brings_is_refused_by_name(tmp_path: Path) -> None:
    text, error = MINIMAL + "queries: queries/*.sql\n", "4: queries"
    assert f"dynalens.yaml:{error}: is not in this version of Dynalens. Remove it." in errors_of(tmp_path, text)


# Errors of sense.


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            metric("group_by: platform"),
            (
                "5: collections.donations.metrics.by_platform: computes nothing. "
                "Write count: true, or sum: {ATTRIBUTE: {decimals: 2}}."
            ),
        ),
        (
            metric("count: true, group_by: [a, b, a]"),
            "5: collections.donations.metrics.by_platform.group_by[2]: a stands there twice. Remove one of them.",
        ),
        (
            metric("count: true, group_by: platform, publish: {key: 'x{plattform}{platform}'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.key: 'x{plattform}{platform}' names 'plattform', "
                "which is not in group_by (platform). Write one of those."
            ),
        ),
        (
            metric("count: true, group_by: [platform, country], publish: {key: '{platform}'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.key: '{platform}' leaves out 'country', "
                "so that groups share a key. Write {country} into it."
            ),
        ),
        (
            metric("count: true, group_by: [a, b], publish: {key: '{a}{b}'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.key: '{a}{b}' can name two groups alike. "
                'Part its attributes by signs such as : or /, as in "{a}:{b}".'
            ),
        ),
        (
            metric("count: true, group_by: platform, total: true, publish: {key: '{platform}'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.total_key: is missing, and the metric keeps "
                "a total. Write its key, for example ALL."
            ),
        ),
        (
            metric("count: true, group_by: platform, publish: {key: '{platform}', total_key: ALL}"),
            (
                "5: collections.donations.metrics.by_platform.publish.total_key: ALL needs a total. "
                "Write total: true beside publish, or remove total_key."
            ),
        ),
        (
            metric("count: true, total: true, publish: {key: ALL, total_key: ALL}"),
            (
                "5: collections.donations.metrics.by_platform.publish.total_key: ALL can be the key of a group. "
                "Write another one."
            ),
        ),
        (
            metric("count: true, group_by: a, total: true, publish: {key: 'x{a}', total_key: 'x~'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.total_key: 'x~' can be the key of a group. "
                "Write another one."
            ),
        ),
        (
            metric("count: true, group_by: [a, b], publish: {key: '{a}-{b}'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.key: '{a}-{b}' can name two groups alike. "
                'Part its attributes by signs such as : or /, as in "{a}:{b}".'
            ),
        ),
        (
            metric("count: true, group_by: a, publish: {key: '{a}:{a}'}"),
            "5: collections.donations.metrics.by_platform.publish.key: '{a}:{a}' names 'a' twice. Write it once.",
        ),
        (
            metric("count: true, group_by: a, publish: {key: 'dynalens:{a}'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.key: 'dynalens:{a}' begins with dynalens:, "
                "as Dynalens' own names do. Begin it with a name of yours."
            ),
        ),
        (
            metric("count: true, group_by: platform, publish: {key: '{platform}', channel: 'on {platform}'}"),
            (
                "5: collections.donations.metrics.by_platform.publish.channel: 'on {platform}' takes no {attribute}: "
                "it is one name for all groups. Write it without braces."
            ),
        ),
        (
            metric("count: true, publish: {key: all, fields: {amount: money}}"),
            (
                "5: collections.donations.metrics.by_platform.publish.fields.amount: money is no value of this metric. "
                "Write one of: count."
            ),
        ),
        (
            metric("count: true, sum: {a: {}}, publish: {key: all, fields: {a_sum: count}}"),
            (
                "5: collections.donations.metrics.by_platform.publish.fields.a_sum: count names two values. "
                "Write a name of its own."
            ),
        ),
        (
            "collections:\n  donations: {table: Donations}\n  Donations: {table: Donations}\n",
            "3: collections.Donations: differs from donations in case alone. Write another name.",
        ),
        (
            "collections:\n  a:\n    table: arn:aws:dynamodb:eu-west-1:123456789012:table/Donations\n",
            (
                "3: collections.a.table: arn:aws:dynamodb:eu-west-1:123456789012:table/Donations is an ARN. "
                "Write the table's name, Donations, and source.region: eu-west-1."
            ),
        ),
        (
            "collections:\n  a:\n    table: My Donations\n",
            "3: collections.a.table: My Donations is no table name. Write 3 to 255 letters, digits, _, - and dots.",
        ),
        (
            "collections:\n  a:\n    table: ab\n",
            "3: collections.a.table: ab is no table name. Write 3 to 255 letters, digits, _, - and dots.",
        ),
        (
            MINIMAL + "targets: {}\n    \n",
            "4: targets: names no target. Write search, sql or metrics, or remove it for the embedded ones.",
        ),
        (
            MINIMAL + "targets:\n  search: ftp://host:9200\n",
            (
                "5: targets.search: ftp://host:9200 is no URL of this kind of target. "
                "Write for example tantivy://./data/search."
            ),
        ),
        (
            MINIMAL + "targets:\n  sql: ./data/sql\n",
            "5: targets.sql: ./data/sql is no URL of this kind of target. Write for example chdb://./data/sql.",
        ),
        (
            MINIMAL + "targets:\n  sql: chdb://\n",
            "5: targets.sql: chdb:// lacks what comes after ://. Write for example chdb://./data/sql.",
        ),
        (
            MINIMAL + "targets: {sql: 'chdb://./data/sql', metrics: 'valkey://host:port'}\n",
            "4: targets.metrics: 'valkey://host:port' is no URL. Write for example valkey://embedded.",
        ),
        (
            metric("count: true") + "targets: {sql: 'chdb://./data/sql'}\n",
            (
                "4: collections.donations.metrics: needs a target that is not there. "
                "Write targets.metrics, for example valkey://embedded."
            ),
        ),
        (
            MINIMAL + "targets: {metrics: 'valkey://embedded'}\n",
            (
                "2: collections.donations: is kept nowhere. "
                "Write metrics for it, or targets.sql, for example chdb://./data/sql."
            ),
        ),
        (
            MINIMAL + "    search: {fields: title}\ntargets: {sql: 'chdb://./data/sql'}\n",
            (
                "4: collections.donations.search: needs a target that is not there. "
                "Write targets.search, for example tantivy://./data/search."
            ),
        ),
        (
            MINIMAL + "    search: {fields: [title, address.city, title]}\n",
            "4: collections.donations.search.fields[2]: title stands there twice. Remove one of them.",
        ),
        (
            MINIMAL + f"    search: {{fields: [{', '.join(f'f{number}' for number in range(501))}]}}\n",
            "4: collections.donations.search.fields: holds 501 paths. Write at most 500.",
        ),
        (
            MINIMAL + "    item_type: Order\n",
            (
                "4: collections.donations.item_type: Order has upper-case letters. "
                "Types are compared in lower case: write it so."
            ),
        ),
        (
            MINIMAL + "    item_type:\n",
            "4: collections.donations.item_type: is empty. Write text, for example item_type: order.",
        ),
        (
            MINIMAL + "    type_attribute: kind\n",
            (
                "4: collections.donations.type_attribute: kind says where a type stands, not which one to take. "
                "Write item_type too."
            ),
        ),
        (
            two_of_a_table("item_type: order", "item_type: default, type_attribute: kind"),
            (
                "3: collections.b.type_attribute: kind is another one than that of a, of the same table. "
                "Write the same attribute in both."
            ),
        ),
        (
            two_of_a_table("item_type: order, type_attribute: kind", "item_type: default"),
            (
                "3: collections.b.type_attribute: is another one than that of a, of the same table. "
                "Write the same attribute in both."
            ),
        ),
        (
            MINIMAL + "store: redis://host\n",
            (
                "4: store: redis://host is no URL of a store. "
                "Write for example dynamodb://dynalens, or remove it for a local file."
            ),
        ),
        (
            MINIMAL + "store: dynamodb://[x\n",
            "4: store: dynamodb://[x is no URL. Write for example dynamodb://dynalens.",
        ),
        *(
            (
                MINIMAL + f"store: 'dynamodb://{name}'\n",
                (
                    f"4: store: 'dynamodb://{name}' names no table. "
                    "Write its name, 3 to 255 letters, digits, _, - and dots: dynamodb://dynalens."
                ),
            )
            for name in ("", "ab", "two words", "me@dynalens", "dynalens/sub", "dynalens#x")
        ),
        (
            MINIMAL + "store: dynamodb://dynalens?profile=x\n",
            (
                "4: store: dynamodb://dynalens?profile=x has an unknown parameter. "
                "Write region or endpoint_url, for example dynamodb://dynalens?region=eu-west-1."
            ),
        ),
        (
            MINIMAL + "store: dynamodb://dynalens?region=\n",
            (
                "4: store: dynamodb://dynalens?region= leaves region empty. "
                "Write its value, or remove it for that of source."
            ),
        ),
        (
            MINIMAL + "store: dynamodb://dynalens?endpoint_url=ftp://host\n",
            (
                "4: store: dynamodb://dynalens?endpoint_url=ftp://host has an endpoint_url that is no http address. "
                "Write dynamodb://dynalens?endpoint_url=http://127.0.0.1:8000."
            ),
        ),
        (
            MINIMAL + "source: {endpoint_url: '127.0.0.1:8000'}\n",
            (
                "4: source.endpoint_url: '127.0.0.1:8000' is no http address. "
                "Write one, for example http://127.0.0.1:8000."
            ),
        ),
    ],
)
def test_an_error_of_sense_says_what_to_write(tmp_path: Path, text: str, error: str) -> None:
    assert f"dynalens.yaml:{error}" in errors_of(tmp_path, text)


@pytest.mark.parametrize(
    ("first", "second", "clash"),
    [
        ("'{a}'", "'{a}'", True),
        ("'{a}'", "'x:{a}'", True),
        ("'y:{a}'", "'x:{a}'", False),
        ("'{a}:y'", "'{a}:x'", False),
        ("'x:{a}'", "'x:{a}:y'", True),
        ("'x:{a}'", "'{a}:y'", True),
        ("'a.b:{a}'", "'aXb:{a}'", False),
    ],
)
def test_two_metrics_may_not_publish_one_key(tmp_path: Path, first: str, second: str, *, clash: bool) -> None:
    text = metric(f"count: true, group_by: a, publish: {{key: {first}}}")
    text += f"      other: {{count: true, group_by: a, publish: {{key: {second}}}}}\n"
    if not clash:
        assert len(read(tmp_path, text).collections["donations"].metrics) == 2
        return
    assert error_of(tmp_path, text) == (
        f"dynalens.yaml:6: collections.donations.metrics.other.publish.key: {second} can name the same key as "
        "collections.donations.metrics.by_platform publishes. Start it with a text of its own, for example other:"
    )


def test_the_total_of_one_metric_may_not_be_a_group_of_another(tmp_path: Path) -> None:
    text = metric("count: true, group_by: a, publish: {key: 'a:{a}'}")
    text += "  other:\n    table: Others\n    metrics:\n"
    text += "      m: {count: true, group_by: b, total: true, publish: {key: 'b:{b}', total_key: 'a:ALL'}}\n"
    assert error_of(tmp_path, text) == (
        "dynalens.yaml:9: collections.other.metrics.m.publish.total_key: 'a:ALL' can name the same key as "
        "collections.donations.metrics.by_platform publishes. Start it with a text of its own, for example m:"
    )


# All of them at once.


def test_all_errors_are_listed_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
source: {scan_segments: 0}
collections:
  donations:
    table: ${NOPE}
    metrics:
      a: {count: true, group_by: p, total: true, colour: red, publish: {key: "{q}"}}
      b: {}
  donations:
    table: Donations
server: {port: 70000}
"""
    assert [line.split(": ")[0] + " " + line.split(": ")[1] for line in errors_of(tmp_path, text)] == [
        "dynalens.yaml:1 source.scan_segments",
        "dynalens.yaml:4 collections.donations.table",
        "dynalens.yaml:6 collections.donations.metrics.a.colour",
        "dynalens.yaml:6 collections.donations.metrics.a.publish.key",
        "dynalens.yaml:6 collections.donations.metrics.a.publish.key",
        "dynalens.yaml:6 collections.donations.metrics.a.publish.total_key",
        "dynalens.yaml:7 collections.donations.metrics.b",
        "dynalens.yaml:8 collections.donations",
        "dynalens.yaml:10 server.port",
    ]


def test_the_hint_names_the_command_that_checks_again(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError) as caught:
        read(tmp_path, "")
    assert caught.value.hint == f"Correct {tmp_path / 'dynalens.yaml'}, then run: dynalens check"


# Errors of YAML itself.


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("collections:\n\tdonations:\n", "2: is indented with a tab. Use spaces."),
        (
            "collections:\n    donations:\n      table: ABC\n  other:\n",
            "4: is not indented like the other lines of the section that starts in line 1. Indent them alike.",
        ),
        (
            "collections: donations: 5\n",
            "1: has a second `:`, or is indented unlike its neighbours. Indent it like them, or use quotes.",
        ),
        ("a: [1, 2\nb: 3\n", "2: lacks the closing bracket of what starts in line 1. Write it."),
        ("a:\nb: 'x\n", "3: lacks the closing quote of what starts in line 2. Write it."),
        (
            "key: {platform}:x\n",
            "1: has a { that is not closed, or one inside a value. Write a value that holds { in quotes.",
        ),
        (
            "server: {port: ${PORT}}\n",
            "1: has a { that is not closed, or one inside a value. Write a value that holds { in quotes.",
        ),
        (
            "a: @home\n",
            "1: starts a value with a sign that YAML keeps for itself. Write the value in 'single quotes'.",
        ),
        (
            'a: "\\q"\n',
            "1: has an escape (\\) that YAML does not know. Write the value in 'single quotes'.",
        ),
        ("a: 1\n---\nb: 2\n", "2: starts a second document. Remove the line `---`."),
        ("a: &x 1\nb: *x\n", "2: uses an alias (*name). Write the settings out."),
        ("a: !!python/object:os.system 1\n", "1: uses a tag (!name). Write the value without it."),
        ("a: 1\nb: \x07\n", "2: holds a character that text files do not. Remove it."),
        ("[" * 5000, "1: is nested too deeply. Write the sections of docs/configuration.md."),
        ("", "1: is empty. Write for example: collections: {donations: {table: Donations}}"),
        ("- a\n", "1: is no mapping. Write for example: collections: {donations: {table: Donations}}"),
    ],
)
def test_an_error_of_yaml_says_what_to_do(tmp_path: Path, text: str, error: str) -> None:
    assert errors_of(tmp_path, text) == [f"dynalens.yaml:{error}"]


def test_a_name_that_stands_twice_is_an_error(tmp_path: Path) -> None:
    assert error_of(tmp_path, MINIMAL + "    table: Others\n") == (
        "dynalens.yaml:4: collections.donations.table: stands here again, after line 3. Remove one of them."
    )


def test_a_name_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    assert error_of(tmp_path, MINIMAL + "    where: {[a, b]: 1}\n") == (
        "dynalens.yaml:4: collections.donations.where: has a name that is no text. Write a plain name."
    )


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"There is no file .*nowhere\.yaml\.") as caught:
        load(tmp_path / "nowhere.yaml", {})
    assert "dynalens -c FILE" in caught.value.hint


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    (tmp_path / "dynalens.yaml").write_bytes(b"# one\n# \xe9t\xe9\n")
    with pytest.raises(ConfigError, match=r"dynalens\.yaml:2: is not UTF-8"):
        load(tmp_path / "dynalens.yaml", {})


# The server alone, for commands that only talk to it.


def test_a_client_needs_no_secret_of_the_worker(tmp_path: Path) -> None:
    (tmp_path / "dynalens.yaml").write_text("server: {port: 7171}\ncollections: {a: {table: '${NOPE}'}}\nother: 1\n")
    assert load_server(tmp_path / "dynalens.yaml", {}).port == 7171


def test_a_file_without_a_server_has_the_default_one(tmp_path: Path) -> None:
    (tmp_path / "dynalens.yaml").write_text(MINIMAL)
    assert load_server(tmp_path / "dynalens.yaml", {}).port == 7070


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (
            "a: 1\nserver: {port: x}\n",
            "2: server.port: x is text. Write a number from 0 to 65535, for example port: 7070.",
        ),
        (
            "server: {port: '${PORT}'}\n",
            "1: server.port: the environment variable PORT is not set. Set it: export PORT=…",
        ),
        ("server: {port: 1\nother: 2\n", "2: lacks the closing bracket of what starts in line 1. Write it."),
    ],
)
def test_an_error_of_the_server_is_told_to_clients(tmp_path: Path, text: str, error: str) -> None:
    (tmp_path / "dynalens.yaml").write_text(text)
    with pytest.raises(ConfigFileError) as caught:
        load_server(tmp_path / "dynalens.yaml", {})
    assert caught.value.message == f"{tmp_path}/dynalens.yaml:{error}"


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("tantivy://./data/search", "tantivy://./data/search"),
        ("valkey://embedded", "valkey://embedded"),
        ("http://host:9200", "http://host:9200"),
        ("https://me:p@ss/word@host:9200/path?verify=yes", "https://host:9200/path?verify=yes"),
        ("https://me@host:9200?api_key=secret&replicas=1", "https://host:9200?api_key=***&replicas=1"),
    ],
)
def test_the_place_of_a_target_does_not_tell_who_asks(url: str, place: str) -> None:
    assert TargetsConfig(search=url, sql=None).places() == {"search": place}


# Fingerprints, and what differs.

DONATIONS = CollectionConfig(table="Donations", metrics={"by_platform": MetricConfig(group_by=("a",), count=True)})


def with_metric(**settings: object) -> CollectionConfig:
    changed = DONATIONS.metrics["by_platform"].model_copy(update=settings)
    return DONATIONS.model_copy(update={"metrics": {"by_platform": changed}})


def test_a_fingerprint_never_changes_by_itself() -> None:
    """Kept in position stores: another digest for the same settings would rebuild everybody's collections."""
    assert fingerprint(DONATIONS, "sql") == "8a19b4570f0815de19825efd7752181b"
    assert fingerprint(DONATIONS, "metrics") == "96542be207c5f7812433caaf416fad29"
    assert fingerprint(DONATIONS, "search") == "fda3cb3abc0377d883f43646e7276f92"


EVERYWHERE = {"search", "sql", "metrics"}
DECIMALS = '{"decimals": 2}'


@pytest.mark.parametrize(
    ("changed", "rebuilt"),
    [
        (DONATIONS.model_copy(), set()),
        (DONATIONS.model_copy(update={"table": "Others"}), EVERYWHERE),
        (DONATIONS.model_copy(update={"where": {"TYPE": "user"}}), EVERYWHERE),
        (DONATIONS.model_copy(update={"item_type": "user"}), EVERYWHERE),
        (DONATIONS.model_copy(update={"item_type": "default"}), EVERYWHERE),
        (DONATIONS.model_copy(update={"search": SearchConfig(fields=("a.b",))}), {"search"}),
        (with_metric(count=False), {"metrics"}),
        (with_metric(group_by=("b",)), {"metrics"}),
        (with_metric(where={"a": 1}), {"metrics"}),
        (with_metric(publish=PublishConfig(key="{a}")), {"metrics"}),
        (with_metric(every=Duration("1m")), {"metrics"}),
        (with_metric(distinct=("a",)), {"metrics"}),
        (with_metric(approximate_distinct=("a",)), {"metrics"}),
    ],
)
def test_a_fingerprint_follows_what_a_target_holds(changed: CollectionConfig, rebuilt: set[str]) -> None:
    different = {target for target in EVERYWHERE if fingerprint(changed, target) != fingerprint(DONATIONS, target)}
    assert different == rebuilt
    assert {target for target in EVERYWHERE if differences(DONATIONS, changed, target)} == rebuilt


@pytest.mark.parametrize(
    ("changed", "target", "different"),
    [
        (with_metric(count=False), "metrics", [("metrics.by_platform.count", "true", "false")]),
        (with_metric(group_by=("b",)), "metrics", [("metrics.by_platform.group_by", '["a"]', '["b"]')]),
        (with_metric(sum={"é": SumConfig(decimals=2)}), "metrics", [("metrics.by_platform.sum.é", None, DECIMALS)]),
        (with_metric(where={"a": None}), "metrics", [("metrics.by_platform.where.a", None, "null")]),
        (
            DONATIONS.model_copy(update={"table": "Others", "item_type": "user"}),
            "sql",
            [("item_type", "null", '"user"'), ("table", '"Donations"', '"Others"')],
        ),
        (
            DONATIONS.model_copy(update={"search": SearchConfig(fields=("b", "a.b"))}),
            "search",
            [("search.fields", "[]", '["a.b", "b"]')],
        ),
    ],
)
def test_what_differs_is_told_with_its_place_and_its_values(
    changed: CollectionConfig, target: str, different: list[tuple[str, str | None, str | None]]
) -> None:
    told = [(each.setting, each.old, each.new) for each in differences(DONATIONS, changed, target)]
    back = [(each.setting, each.old, each.new) for each in differences(changed, DONATIONS, target)]
    assert told == different
    assert back == [(setting, new, old) for setting, old, new in different]


def of_type(item_type: str | None, table: str = "Shop", **settings: object) -> CollectionConfig:
    return CollectionConfig(table=table, item_type=item_type).model_copy(update=settings)


REST = of_type("default")


@pytest.mark.parametrize(
    ("others", "rebuilt"),
    [
        ({"orders": of_type("order")}, False),
        ({"paid": of_type("order", where={"paid": True}), "open": of_type("order", where={"paid": False})}, False),
        ({"orders": of_type("order"), "all": of_type(None), "more": of_type("default")}, False),
        ({"orders": of_type("order"), "elsewhere": of_type("user", "Users")}, False),
        ({"orders": of_type("order"), "users": of_type("user")}, True),
        ({"users": of_type("user")}, True),
        ({}, True),
    ],
)
def test_the_default_collection_is_rebuilt_when_another_item_type_comes_or_goes(
    others: Mapping[str, CollectionConfig], *, rebuilt: bool
) -> None:
    before = Config(collections={"rest": REST, "orders": of_type("order")}).collections
    after = Config(collections={"rest": REST, **others}).collections
    assert (fingerprint(after["rest"], "sql") != fingerprint(before["rest"], "sql")) is rebuilt
    assert all(fingerprint(after[name], "sql") == fingerprint(others[name], "sql") for name in others if name != "more")
    different = [each.setting for each in differences(before["rest"], after["rest"], "sql")]
    assert different == ["named_types"] * rebuilt


def test_a_collection_among_others_knows_the_types_that_they_name(tmp_path: Path) -> None:
    text = """\
collections:
  orders: {table: Shop, item_type: order}
  rest: {table: Shop, item_type: default}
  users: {table: Users, item_type: user}
"""
    collections = read(tmp_path, text).collections
    assert collections["rest"].named_types == {"order"}
    assert collections["orders"].named_types == set()
    assert REST.named_types == set(), "what was given stays as it is"


def test_the_attribute_of_a_type_counts() -> None:
    assert fingerprint(of_type("user", type_attribute="kind"), "sql") != fingerprint(of_type("user"), "sql")


def test_the_order_of_settings_does_not_count() -> None:
    one = CollectionConfig(table="Donations", where={"a": 1, "b": 2})
    other = CollectionConfig(table="Donations", where={"b": 2, "a": 1})
    assert fingerprint(one, "sql") == fingerprint(other, "sql")
    paths = [SearchConfig(fields=("a", "b.c")), SearchConfig(fields=("b.c", "a"))]
    assert len({fingerprint(one.model_copy(update={"search": search}), "search") for search in paths}) == 1


def test_the_type_of_a_value_counts() -> None:
    values: list[Any] = ["1", 1, True]
    collections = [CollectionConfig(table="Donations", where={"a": value}) for value in values]
    assert len({fingerprint(collection, "sql") for collection in collections}) == 3
    assert all(
        [each.setting for each in differences(one, other, "sql")] == ["where.a"]
        for one, other in itertools.combinations(collections, 2)
    )


# Metrics.


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ("min: [a, a]", ".min[1]: a stands there twice. Remove one of them."),
        ("max: [a, b, a]", ".max[2]: a stands there twice. Remove one of them."),
        ("distinct: [a, a]", ".distinct[1]: a stands there twice. Remove one of them."),
        ("approximate_distinct: [a, a]", ".approximate_distinct[1]: a stands there twice. Remove one of them."),
        (
            "distinct: a, approximate_distinct: [b, a]",
            ".approximate_distinct[1]: a is counted exactly by distinct already. Remove one of them.",
        ),
        (
            "distinct: a_approximate, approximate_distinct: [a]",
            ".approximate_distinct[0]: a and a_approximate in distinct name one value. Write two metrics.",
        ),
        (
            "approximate_distinct: 5",
            (
                ".approximate_distinct: 5 is a number. Write a name or a list of names, "
                "for example approximate_distinct: visitor."
            ),
        ),
        (
            "count: true, time: donatedAt",
            ".time: donatedAt needs time buckets. Write their length beside it, for example every: 1m.",
        ),
        (
            "count: true, keep: 1h",
            ".keep: 1h needs time buckets. Write their length beside it, for example every: 1m.",
        ),
        (
            "count: true, every: 7m",
            ".every: 7m does not part a day evenly. Write for example 1m, 5m, 15m, 1h or 1d.",
        ),
        (
            "count: true, every: 2d",
            ".every: 2d does not part a day evenly. Write for example 1m, 5m, 15m, 1h or 1d.",
        ),
        ("count: true, every: 1h, keep: 59m", ".keep: 59m is shorter than one bucket. Write 1h or more."),
        (
            "count: true, every: 1s, keep: 10001s",
            ".keep: 10001s is more than 10000 buckets. Write a shorter time, or longer buckets in every.",
        ),
        (
            "count: true, every: 1m, group_by: [a, time]",
            ".group_by: names time, as the bucket is called in a group. Group by another attribute.",
        ),
        (
            "count: true, every: 1m, group_by: a, publish: {key: '{a}'}",
            ".publish.key: '{a}' leaves out 'time', so that groups share a key. Write {time} into it.",
        ),
        (
            "count: true, group_by: a, publish: {key: '{time}/{a}'}",
            (".publish.key: '{time}/{a}' names 'time', which is not in group_by (a). Write one of those."),
        ),
        (
            "min: a, publish: {key: x, fields: {a_max: m}}",
            ".publish.fields.a_max: m is no value of this metric. Write one of: a_min.",
        ),
        (
            "count: true, every: 90x",
            ".every: 90x is text. Write a whole number and s, m, h or d, for example every: 1m.",
        ),
        (
            "count: true, every: 60",
            ".every: 60 is a number. Write a whole number and s, m, h or d, for example every: 1m.",
        ),
        (
            "count: true, every: 1m, keep: 0h",
            ".keep: 0h is text. Write a whole number and s, m, h or d, for example keep: 24h.",
        ),
        ("min: 5", ".min: 5 is a number. Write a name or a list of names, for example min: amount."),
        ("avg: {a: {decimals: 19}}", ".avg.a.decimals: 19 is too large. Write a number from 0 to 18."),
    ],
)
def test_a_metric_that_cannot_work_says_why(tmp_path: Path, settings: str, message: str) -> None:
    expected = f"dynalens.yaml:5: collections.donations.metrics.by_platform{message}"
    assert errors_of(tmp_path, metric(settings)) == [expected]


def test_a_metric_may_compute_all_that_there_is(tmp_path: Path) -> None:
    written = (
        "every: 1m, time: donatedAt, keep: 24h, group_by: platform, count: true, sum: {amount: {decimals: 2}}, "
        "avg: {amount: {decimals: 2}}, min: amount, max: [amount, age], distinct: email, "
        "approximate_distinct: visitor, "
        "publish: {key: '{time}/{platform}', fields: {email_distinct: donors}}"
    )
    found = read(tmp_path, metric(written)).collections["donations"].metrics["by_platform"]
    assert found.values == (
        *("count", "amount_sum", "amount_avg", "amount_min", "amount_max", "age_max", "email_distinct"),
        "visitor_approximate_distinct",
    )
    assert found.members == ("time", "platform")
    assert MetricConfig.model_validate_json(found.model_dump_json()) == found, "as it is kept with a generation"


@pytest.mark.parametrize(
    ("every", "keep", "seconds"),
    [("1m", None, 86_400), ("1h", None, 1440 * 3600), ("1d", None, 1440 * 86_400), ("30s", "90s", 90), (None, None, 0)],
)
def test_a_day_of_minutes_is_kept_or_as_many_buckets(every: str | None, keep: str | None, seconds: int) -> None:
    assert MetricConfig.model_validate({"every": every, "keep": keep, "count": True}).keep_seconds == seconds


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("", None),
        ("source: {verify: {}}\n", (86_400, 20.0, False)),
        ("source: {verify: {every: 90m, rate: 0.5, repair: true}}\n", (5_400, 0.5, True)),
    ],
)
def test_collections_are_compared_all_the_time_where_the_file_says_so(
    tmp_path: Path, written: str, found: tuple[int, float, bool] | None
) -> None:
    verify = read(tmp_path, MINIMAL + written).source.verify
    assert (verify and (verify.every.seconds, verify.rate, verify.repair)) == found


# The schema and the documentation.


def test_the_schema_in_docs_is_the_generated_one() -> None:
    copy = json.loads((DOCS / "dynalens.schema.json").read_text())
    assert copy == json_schema(), "write json_schema() to docs/dynalens.schema.json"


def test_the_schema_says_what_the_models_say() -> None:
    schema = json_schema()
    assert schema["properties"].keys() == {"source", "targets", "collections", "store", "server", "dashboards"}
    assert schema["additionalProperties"] is False
    decimals = schema["$defs"]["SumConfig"]["properties"]["decimals"]
    number, variable = decimals["anyOf"]
    assert (number["minimum"], number["maximum"]) == (0, 18)
    assert re.search(variable["pattern"], "${DECIMALS}")
    assert "kept exactly" in decimals["description"]


def test_every_setting_has_a_description_and_an_example() -> None:
    for place, model, name in settings(Config):
        field = model.model_fields[name]
        assert field.description, place
        assert field.examples, place


def test_every_setting_is_documented() -> None:
    page = (DOCS / "configuration.md").read_text()
    undocumented = [place for place, _, _ in settings(Config) if not documented(place, page)]
    assert undocumented == []


def test_every_example_of_the_page_is_a_working_file(tmp_path: Path) -> None:
    page = (DOCS / "configuration.md").read_text().partition("## `dashboards`")[0]
    examples = re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
    tables = [{collection.table for collection in read(tmp_path, text).collections.values()} for text in examples]
    assert tables == [{"Donations"}, {"Donations"}, {"Donations"}, {"Shop"}, {"Donations"}]


def test_the_errors_of_the_page_are_those_that_are_printed(tmp_path: Path) -> None:
    page = (DOCS / "configuration.md").read_text()
    shown = re.findall(r"^dynalens\.yaml:\d+: (.*)$", page, re.MULTILINE)
    printed = errors_of(tmp_path, metric("count: true, sum: {amount: {decimals: 30}}, cuont: 1"))
    assert {line.split(": ", 1)[1] for line in printed} == set(shown)


def documented(place: str, page: str) -> bool:
    """Whether a row of a table, or a heading, names the setting."""
    short = place.removeprefix("collections.NAME.metrics.NAME.")
    return (
        re.search(
            rf"^(?:\| `{re.escape(short)}` \||## `{re.escape(short)}`|### `{re.escape(short)}`)", page, re.MULTILINE
        )
        is not None
    )


def settings(model: type[BaseModel], place: str = "") -> Iterator[tuple[str, type[BaseModel], str]]:
    """Walk all settings of the file with their places: `collections.NAME.table`."""
    for name, field in model.model_fields.items():
        if field.exclude:
            continue
        here = f"{place}.{name}" if place else name
        yield here, model, name
        for section, step in sections(field.annotation):
            yield from settings(section, here + step)


def sections(annotation: object) -> Iterator[tuple[type[BaseModel], str]]:
    """Find the sections inside a type, and what stands between: `.NAME` for a mapping of names."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, ""
    for argument in get_args(annotation):
        step = "" if type(None) in get_args(annotation) else ".ATTRIBUTE" if argument is SumConfig else ".NAME"
        if isinstance(argument, type) and issubclass(argument, BaseModel):
            yield argument, step
