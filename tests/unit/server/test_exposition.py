from __future__ import annotations

import re
import time
from collections import Counter
from dataclasses import replace

from dynalens.config import CollectionConfig, Config
from dynalens.position import Gap
from dynalens.server.exposition import exposition
from tests.fakes import CONFIG, Fakes, report, world

# "Text format details" in Prometheus' documentation of exposition formats.
LABELS = r'\{(?:[a-z_]+="(?:[^"\\\n]|\\[\\"n])*",?)*\}'
SAMPLE = re.compile(rf"(dynalens_[a-z_]+)(?:{LABELS})? -?[0-9.]+(?:e[+-]?[0-9]+)?")


def lines(fakes: Fakes, config: Config = CONFIG, requests: Counter[tuple[str, str, int]] | None = None) -> list[str]:
    text = exposition(fakes.backend(config=config), requests=requests or Counter(), viewers=3, now=time.time()).decode()
    assert text.endswith("\n")
    return text.splitlines()


def test_every_sample_follows_the_text_format_and_the_type_of_its_family() -> None:
    requests = Counter({("GET", "/api/v1/collections/{collection}", 200): 3})
    described: set[str] = set()
    for line in lines(world(time.time()), requests=requests):
        if line.startswith("# HELP "):
            described.add(line.split()[2])
        elif not line.startswith("# TYPE "):
            sample = SAMPLE.fullmatch(line)
            assert sample, line
            assert sample[1] in described
    assert len(described) == 26


def test_gaps_and_phases_are_told_per_collection_and_target() -> None:
    fakes = world(time.time())
    fakes.stores.open_gaps.append(Gap("Donations", "sql", "shardId-1", 1.0, 2.0, "trimmed", 3.0))
    place = 'table="Donations",collection="donations",target="sql"'
    said = lines(fakes)
    assert f"dynalens_gap{{{place}}} 1" in said
    assert f'dynalens_phase{{{place},phase="gap"}} 1' in said
    assert f'dynalens_phase{{{place},phase="streaming"}} 0' in said


def test_what_the_newest_verification_found_is_told_per_collection_and_target() -> None:
    fakes = world(time.time())
    [known] = fakes.requests.requests("Donations")
    fakes.requests.save_request(replace(known, outcome=known.outcome.replace('"repaired": 1', '"repaired": 0')))
    said = lines(fakes)
    place = 'table="Donations",collection="donations",target='
    assert f'dynalens_verified_timestamp_seconds{{{place}"sql"}} 1754550120' in said
    assert f'dynalens_verified_differences{{{place}"sql"}} 1' in said
    assert f'dynalens_verified_timestamp_seconds{{{place}"search"}} 0' in said
    assert f'dynalens_verified_differences{{{place}"search"}} 0' in said


def test_gaps_of_a_partition_are_told_as_the_range_that_holds_them_all() -> None:
    fakes = world(time.time())
    fakes.stores.open_gaps += [
        Gap("Donations", "sql", "shardId-1", 100.0, 200.0, "trimmed", 200.0),
        Gap("Donations", "sql", "shardId-1", 50.0, 150.0, "gone", 200.0),
        Gap("Donations", "search", "shardId-2", 0.0, 300.0, "trimmed", 300.0),
    ]
    said = lines(fakes)
    first, second = (
        'table="Donations",target="sql",partition="shardId-1"',
        'table="Donations",target="search",partition="shardId-2"',
    )
    assert f"dynalens_gap_since_seconds{{{first}}} 50" in said
    assert f"dynalens_gap_until_seconds{{{first}}} 200" in said
    assert f"dynalens_gap_since_seconds{{{second}}} 0" in said
    assert f"dynalens_gap_until_seconds{{{second}}} 300" in said


def test_no_series_is_told_twice() -> None:
    fakes = world(time.time())
    gap = Gap("Donations", "sql", "shardId-1", 100.0, 200.0, "trimmed", 200.0)
    fakes.stores.open_gaps += [gap, replace(gap, reason="gone")]
    series = [line.rpartition(" ")[0] for line in lines(fakes) if not line.startswith("#")]
    assert sorted(series) == sorted(set(series))


def test_an_error_is_told_by_its_code_while_it_lasts() -> None:
    now = time.time()
    fakes = world(now)
    place = 'table="Donations",collection="donations",target="sql"'
    assert not [line for line in lines(fakes) if line.startswith(f"dynalens_last_error_info{{{place}")]
    failed = replace(report("Donations", "sql", now), error_code="target", error_message="The disk is full.")
    fakes.stores.saved_reports = [failed]
    said = lines(fakes)
    assert f'dynalens_last_error_info{{{place},code="target"}} 1' in said
    assert 'dynalens_last_error_info{table="CrmMaster",collection="users",target="sql",code="worker_silent"} 1' in said


def test_positions_are_told_by_time_and_number() -> None:
    now = time.time()
    fakes = world(now)
    fakes.stores.saved_reports = [replace(report("Donations", "sql", now), applied_at=1_754_550_000.5)]
    said = lines(fakes)
    assert 'dynalens_open_partitions{table="Donations",target="sql",kind="shard"} 1' in said
    assert 'dynalens_last_change_timestamp_seconds{table="Donations",target="sql"} 1754550000.5' in said


def test_names_cannot_break_out_of_their_label() -> None:
    config = Config(collections={"odd": CollectionConfig(table='a"b\\c\nd')})
    fakes = Fakes()
    fakes.stores.saved_reports.append(report('a"b\\c\nd', "sql", time.time()))
    assert r'dynalens_waiting_changes{table="a\"b\\c\nd",target="sql"} 0' in lines(fakes, config)


def test_large_counts_keep_every_digit() -> None:
    fakes = Fakes()
    fakes.stores.saved_reports.append(report("Donations", "sql", time.time(), confirmed=123_456_789_012_345))
    said = lines(fakes)
    assert 'dynalens_confirmed_changes_total{table="Donations",target="sql"} 123456789012345' in said
    assert "dynalens_live_viewers 3" in said
