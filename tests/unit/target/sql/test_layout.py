"""Statements for a cluster, which no test can run whole: as text, and as far as the engine's parser judges."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from clickhouse_connect.driver.client import Client

from dynalens.target import Generation
from dynalens.target.sql.embedded import EmbeddedEngine
from dynalens.target.sql.layout import Layout
from dynalens.target.sql.schema import Column

CLUSTER = Layout("live", cluster="{cluster}")
ALONE = Layout("live")
GENERATION = Generation("donations", 7)
COLUMNS = {"it's": Column(1, "it's", "string"), "amount": Column(2, "amount", "number")}


def all_of(layout: Layout) -> list[str]:
    """Give every statement that a layout has."""
    columns = COLUMNS.values()
    return [
        layout.create_database("live"),
        layout.create_remembered("epochs", "table_name String, epoch UInt64", version="epoch", key="table_name"),
        layout.create_remembered("served", "collection String, number UInt64", key="collection"),
        *layout.create_generation(GENERATION, "Donations"),
        layout.add_columns(GENERATION, columns),
        *layout.show(GENERATION, COLUMNS),
        *layout.drop_columns(GENERATION, columns),
        layout.delete(layout.stored(GENERATION), "_deleted"),
        layout.merge(GENERATION),
        *layout.catch_up(layout.stored(GENERATION), everywhere=True),
        layout.hide("donations"),
        *layout.drop_generation(GENERATION),
    ]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    engine = EmbeddedEngine(tmp_path_factory.mktemp("layout"))
    opened = engine.open()
    yield opened
    opened.close()
    engine.close()


@pytest.mark.parametrize("layout", [ALONE, CLUSTER], ids=["one server", "cluster"])
def test_the_engine_can_read_every_statement(client: Client, layout: Layout) -> None:
    for statement in all_of(layout):
        client.command("SELECT formatQuery({text:String})", {"text": statement})


def test_every_statement_is_for_the_whole_cluster() -> None:
    assert [text for text in all_of(CLUSTER) if " ON CLUSTER `{cluster}`" not in text] == []
    assert not re.search("ON CLUSTER|Replicated|Distributed|SYNC", " ".join(all_of(ALONE)))


def test_a_document_lives_on_the_shard_of_its_id_and_is_replicated_there() -> None:
    stored, distributed = CLUSTER.create_generation(GENERATION, "Donations")
    path = "/clickhouse/dynalens/{shard}/_live/donations@7"
    assert "`_live`.`donations@7` ON CLUSTER `{cluster}` (_id String" in stored
    assert f"ENGINE = ReplicatedReplacingMergeTree('{path}', '{{replica}}', _version) ORDER BY _id" in stored
    assert distributed.startswith("CREATE TABLE IF NOT EXISTS `_live`.`donations@7 distributed`")
    assert distributed.endswith("Distributed('{cluster}', '_live', 'donations@7', cityHash64(_id))")


def test_every_node_keeps_what_is_remembered() -> None:
    statement = CLUSTER.create_remembered("epochs", "epoch UInt64", version="epoch", key="tuple()")
    path = "/clickhouse/dynalens/all/_live/epochs"
    assert f"ReplicatedReplacingMergeTree('{path}', '{{shard}}-{{replica}}', epoch)" in statement


def test_readers_read_every_shard_and_a_column_is_there_before_its_view() -> None:
    extended, view = CLUSTER.show(GENERATION, COLUMNS)
    assert extended.startswith("ALTER TABLE `_live`.`donations@7 distributed`")
    assert extended.count("ADD COLUMN IF NOT EXISTS") == len(COLUMNS)
    assert "FROM `_live`.`donations@7 distributed` AS k FINAL WHERE NOT k._deleted" in view


def test_deletes_are_on_every_replica_before_they_count() -> None:
    assert CLUSTER.delete("t", "x").endswith("mutations_sync = 2")
    assert ALONE.delete("t", "x").endswith("mutations_sync = 1")
