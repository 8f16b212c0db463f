"""What a worker that starts with a file would do, for every way in which file, store and stream may have changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace

import pytest

from dynalens.backfill import ANOTHER_STREAM, UNREAD, dropped
from dynalens.config import (
    CollectionConfig,
    Config,
    Difference,
    MetricConfig,
    SourceConfig,
    TargetsConfig,
    dump_settings,
    fingerprint,
)
from dynalens.partition import Partition, Position
from dynalens.plan import Action, Step, steps
from dynalens.position import Commit, Copy, Gap
from dynalens.position.sqlite import SqliteStore
from dynalens.report import Report
from dynalens.request import Request

NOW = 1_000_000.0
DAY = 24 * 3600.0
STREAM = "stream/1"
DONATIONS = CollectionConfig(table="Donations", metrics={"all": MetricConfig(count=True)})
USERS = CollectionConfig(table="Crm", where={"TYPE": "user"})
BOTH = TargetsConfig(sql="chdb://./data/sql", metrics="valkey://embedded")


def file(targets: TargetsConfig = BOTH, source: SourceConfig | None = None, **named: CollectionConfig) -> Config:
    return Config(source=source or SourceConfig(), targets=targets, collections=named)


FILE = file(donations=DONATIONS, users=USERS)


@dataclass
class Kept:
    """A store as workers left it that have copied all of a file's collections, and read their streams until now."""

    store: SqliteStore

    def copied(self, config: Config, **how: object) -> None:
        """Record what a worker records that has kept a file."""
        for target, url in config.targets:
            if url is None:
                continue
            for name, collection in config.collections.items():
                self.record(name, collection, target, **how)
                self.read(collection.table, target)

    def record(self, name: str, collection: CollectionConfig, target: str, **how: object) -> Copy:
        copy = Copy(
            collection=name,
            target=target,
            number=1,
            state="live",
            fingerprint=fingerprint(collection, target),
            stream=STREAM,
            scan="scan",
            segments=2,
            consistent=False,
            started_at=1.0,
            finished_at=2.0,
            settings=dump_settings(collection),
            place=BOTH.places()[target],
        )
        copy = replace(copy, **how)  # type: ignore[arg-type]
        self.store.record(collection.table, target, [copy])
        return copy

    def read(self, table: str, target: str, at: float = NOW - 1) -> None:
        shard = Partition("shard")
        self.store.acquire(table, shard, "worker")
        epoch, _ = self.store.draw(table, shard.id, target, owner="worker", remembered=0)
        self.store.commit(table, target, [Commit(shard.id, epoch, Position(rank=7, token="7"))])
        self.store.save_report(Report(table=table, target=target, written_at=at, polled_at=at))

    def steps(self, config: Config, streams: Mapping[str, str] | None = None) -> dict[tuple[str, str], Step]:
        found = steps(config, self.store, streams or {}, now=NOW)
        return {(step.collection, step.target): step for step in found}

    def actions(self, config: Config, streams: Mapping[str, str] | None = None) -> dict[tuple[str, str], Action]:
        return {place: step.action for place, step in self.steps(config, streams).items()}


@pytest.fixture
def empty() -> Iterator[Kept]:
    with closing(SqliteStore(":memory:")) as store:
        yield Kept(store)


@pytest.fixture
def kept(empty: Kept) -> Kept:
    empty.copied(FILE)
    return empty


def test_without_a_store_everything_is_a_first_copy(empty: Kept) -> None:
    found = empty.steps(FILE)
    assert list(found) == [("donations", "sql"), ("donations", "metrics"), ("users", "sql"), ("users", "metrics")]
    told = {(step.action, step.served, step.begun, step.consistent, *step.reasons) for step in found.values()}
    assert told == {("build", 0, 1, False)}


def test_what_did_not_change_goes_on(kept: Kept) -> None:
    assert set(kept.actions(FILE).values()) == {"keep"}
    assert set(kept.actions(FILE, {"Donations": STREAM, "Crm": STREAM}).values()) == {"keep"}


def test_a_changed_setting_rebuilds_where_it_counts_and_is_named(kept: Kept) -> None:
    changed = DONATIONS.model_copy(update={"metrics": {"all": MetricConfig(count=True, total=True)}})
    found = kept.steps(file(donations=changed, users=USERS))
    assert [place for place, step in found.items() if step.action != "keep"] == [("donations", "metrics")]
    assert found["donations", "metrics"] == Step(
        collection="donations",
        target="metrics",
        table="Donations",
        action="rebuild",
        served=1,
        begun=2,
        consistent=True,
        differences=[Difference("metrics.all.total", "false", "true")],
        reasons=[],
    )


def test_a_collection_that_is_added_is_copied_and_one_that_is_taken_out_ends(kept: Kept) -> None:
    orders = CollectionConfig(table="Crm", where={"TYPE": "order"})
    assert kept.actions(file(orders=orders, donations=DONATIONS)) == {
        ("orders", "sql"): "build",
        ("orders", "metrics"): "build",
        ("donations", "sql"): "keep",
        ("donations", "metrics"): "keep",
        ("users", "sql"): "end",
        ("users", "metrics"): "end",
    }


def test_a_collection_that_follows_another_table_is_copied_from_there(kept: Kept) -> None:
    found = steps(file(donations=CollectionConfig(table="Crm"), users=USERS), kept.store, {}, now=NOW)
    told = [(step.collection, step.table, step.action) for step in found if step.target == "sql"]
    assert told == [("donations", "Crm", "build"), ("users", "Crm", "keep"), ("donations", "Donations", "end")]


def test_what_ends_is_told_until_a_worker_has_run_without_it(kept: Kept) -> None:
    without = file(TargetsConfig(metrics="valkey://embedded"), donations=DONATIONS)
    assert kept.actions(without) == {
        ("donations", "metrics"): "keep",
        ("donations", "sql"): "end",
        ("users", "sql"): "end",
        ("users", "metrics"): "end",
    }
    kept.read("Donations", "metrics", NOW + 60)
    assert kept.actions(without) == {("donations", "metrics"): "keep"}


def test_a_target_that_is_added_gets_first_copies(kept: Kept) -> None:
    with_search = BOTH.model_copy(update={"search": "http://127.0.0.1:9200"})
    found = kept.steps(file(with_search, donations=DONATIONS, users=USERS))
    assert {place: step.consistent for place, step in found.items() if step.action == "build"} == {
        ("donations", "search"): False,
        ("users", "search"): False,
    }


def test_a_target_that_is_elsewhere_now_gets_first_copies_there(kept: Kept) -> None:
    elsewhere = TargetsConfig(sql="clickhouse://host:8443/db", metrics="valkey://embedded")
    found = kept.steps(file(elsewhere, donations=DONATIONS, users=USERS.model_copy(update={"where": {}})))
    moved = Difference("targets.sql", '"chdb://./data/sql"', '"clickhouse://host:8443/db"')
    step = found["donations", "sql"]
    assert (step.action, step.served, step.begun, step.consistent) == ("build", 0, 2, True)
    assert (step.differences, step.reasons) == ([moved], [])
    assert found["users", "sql"].differences == [moved, Difference("where.TYPE", '"user"', None)]
    assert found["donations", "metrics"].action == "keep"


def test_where_a_release_before_kept_its_generations_is_no_question(empty: Kept) -> None:
    empty.copied(FILE, place="")
    assert set(empty.actions(FILE).values()) == {"keep"}


@pytest.mark.parametrize(("stream", "reasons"), [("stream/2", [ANOTHER_STREAM]), ("", [ANOTHER_STREAM]), (STREAM, [])])
def test_another_stream_rebuilds_what_was_fed_from_the_one_before(kept: Kept, stream: str, reasons: list[str]) -> None:
    step = kept.steps(FILE, {"Donations": stream})["donations", "sql"]
    assert step.reasons == [f"changes were lost: {reason}" for reason in reasons]
    assert step.action == ("rebuild" if reasons else "keep")


def test_a_worker_that_was_off_for_more_than_a_day_rebuilds(empty: Kept) -> None:
    empty.record("donations", DONATIONS, "sql")
    empty.read("Donations", "sql", NOW - DAY - 1)
    step = empty.steps(file(TargetsConfig(sql="chdb://./data/sql"), donations=DONATIONS))["donations", "sql"]
    assert (step.action, step.reasons) == ("rebuild", [f"changes were lost: {UNREAD}"])


def gap(generation: int) -> Gap:
    return Gap("Donations", "sql", "shard", since=1, until=2, reason="trimmed", found_at=2, generation=generation)


def test_a_gap_is_answered_as_the_file_says(kept: Kept) -> None:
    kept.store.record("Donations", "sql", [], [gap(1)])
    found = kept.steps(FILE)
    assert [place for place, step in found.items() if step.action == "rebuild"] == [("donations", "sql")]
    assert found["donations", "sql"].reasons == ["changes were lost: trimmed"]
    step = kept.steps(file(source=SourceConfig(repair="manual"), donations=DONATIONS, users=USERS))["donations", "sql"]
    assert (step.action, step.reasons) == (
        "keep",
        ["changes were lost: trimmed", "source.repair is manual, so it waits for dynalens rebuild"],
    )


def test_a_gap_that_a_generation_makes_up_for_is_no_reason_for_another_one(kept: Kept) -> None:
    kept.store.record("Donations", "sql", [], [gap(0)])
    step = kept.steps(FILE)["donations", "sql"]
    assert (step.action, step.reasons) == ("keep", [])


def test_a_rebuild_that_was_asked_for_and_waits_is_told(kept: Kept) -> None:
    request = Request(table="Donations", collection="donations", target="sql", kind="rebuild")
    kept.store.ask(request)
    kept.store.ask(replace(request, target="metrics", kind="verify"))
    found = kept.steps(FILE)
    assert [place for place, step in found.items() if step.action == "rebuild"] == [("donations", "sql")]
    assert found["donations", "sql"].reasons == ["dynalens rebuild asked for it"]


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"settings": '{"table": "Donations", "of_a_later_release": 1}'}, "whose settings this one cannot read"),
        ({"settings": ""}, "whose settings this one cannot read"),
        ({}, "this release keeps it in another form"),
    ],
)
def test_what_another_release_built_is_built_anew(empty: Kept, how: dict[str, str], reason: str) -> None:
    empty.record("donations", DONATIONS, "sql", fingerprint="another", **how)
    empty.read("Donations", "sql")
    step = empty.steps(file(TargetsConfig(sql="chdb://./data/sql"), donations=DONATIONS))["donations", "sql"]
    assert (step.action, step.differences) == ("rebuild", [])
    [told] = step.reasons
    assert reason in told


def test_a_copy_that_is_under_way_goes_on(empty: Kept) -> None:
    empty.copied(FILE, state="building", finished_at=0.0)
    found = empty.steps(FILE).values()
    assert {(step.action, *step.reasons) for step in found} == {("keep", "its first copy is under way")}
    changed = USERS.model_copy(update={"where": {"TYPE": "customer"}})
    step = empty.steps(file(donations=DONATIONS, users=changed))["users", "sql"]
    assert (step.action, step.served, step.begun) == ("build", 0, 2)
    assert step.differences == [Difference("where.TYPE", '"user"', '"customer"')]


def test_a_rebuild_that_is_under_way_goes_on(kept: Kept) -> None:
    kept.record("donations", DONATIONS, "sql", number=2, state="building")
    step = kept.steps(FILE)["donations", "sql"]
    assert (step.action, step.served, step.reasons) == ("keep", 1, ["it is being built anew"])


def test_a_collection_that_was_out_of_the_file_for_a_while_is_a_first_copy(kept: Kept) -> None:
    [copy] = kept.store.copies("Donations", "sql")
    kept.store.save_copy("Donations", dropped(copy), was=copy)
    step = kept.steps(FILE)["donations", "sql"]
    assert (step.action, step.begun, step.consistent) == ("build", 2, True)
