from __future__ import annotations

import re
import time
from collections import Counter

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
    assert len(described) == 16


def test_gaps_and_phases_are_told_per_collection_and_target() -> None:
    fakes = world(time.time())
    fakes.stores.open_gaps.append(Gap("Donations", "sql", "shardId-1", 1.0, 2.0, "trimmed", 3.0))
    place = 'table="Donations",collection="donations",target="sql"'
    said = lines(fakes)
    assert f"dynalens_gap{{{place}}} 1" in said
    assert f'dynalens_phase{{{place},phase="gap"}} 1' in said
    assert f'dynalens_phase{{{place},phase="streaming"}} 0' in said


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
