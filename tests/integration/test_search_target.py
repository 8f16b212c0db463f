"""The search target over lost, broken and old files, full disks and too many fields."""

from __future__ import annotations

import resource
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest
from tantivy import Searcher

from dynalens.change import Typed
from dynalens.config import CollectionConfig
from dynalens.errors import ConfigError, MissingExtraError, NotFoundError, RequestError, TargetError
from dynalens.partition import Position
from dynalens.search import Anywhere, Everything, Exists, SearchRequest, Term
from dynalens.target import Generation, Mark, version
from dynalens.target.search import open_search
from dynalens.target.search.embedded.index import GenerationIndex
from dynalens.target.search.embedded.target import EmbeddedTarget
from dynalens.target.search.language.paths import MOST_PATHS
from dynalens.target.search.language.tokens import number_token, string_token
from tests.contract.implementations import COLLECTIONS, OTHER_TABLE, TABLE, open_generation
from tests.contract.writing import FIRST, SECOND, delete, put

MARKS = {"p": Mark(1, Position(rank=7, token="7"))}


def open_target(folder: Path) -> EmbeddedTarget:
    return EmbeddedTarget(folder / "search")


@pytest.fixture
def target(tmp_path: Path) -> Iterator[EmbeddedTarget]:
    opened = open_target(tmp_path)
    open_generation(opened, FIRST)
    yield opened
    opened.close()


def index_folder(folder: Path) -> Path:
    return folder / "search" / str(FIRST)


# Files that are not what the marks speak of: a gap, and seen.


def test_an_index_that_is_gone_takes_the_marks_of_its_table_along(target: EmbeddedTarget, tmp_path: Path) -> None:
    target.apply([put("a", 1)])
    target.mark(TABLE, MARKS)
    target.mark(OTHER_TABLE, MARKS)
    target.close()
    shutil.rmtree(index_folder(tmp_path))
    again = open_target(tmp_path)
    assert again.recall(TABLE).marks == {}
    assert again.recall(OTHER_TABLE).marks == MARKS
    assert again.count("donations") == 0
    again.close()


def test_an_index_that_went_back_takes_the_marks_along(target: EmbeddedTarget, tmp_path: Path) -> None:
    target.apply([put("a", 1)])
    target.close()
    shutil.copytree(index_folder(tmp_path), tmp_path / "backup")
    later = open_target(tmp_path)
    later.apply([put("b", 2)])
    later.mark(TABLE, MARKS)
    later.close()
    shutil.rmtree(index_folder(tmp_path))
    shutil.copytree(tmp_path / "backup", index_folder(tmp_path))
    again = open_target(tmp_path)
    assert again.recall(TABLE).marks == {}
    again.close()


def test_marks_stay_where_every_commit_is_there(target: EmbeddedTarget, tmp_path: Path) -> None:
    for n in range(1, 5):
        target.apply([put("a", n), delete("b", n)])
    target.mark(TABLE, MARKS)
    target.sweep(2_000_000_000_000.0)
    target.apply([put("c", 9)])
    target.close()
    again = open_target(tmp_path)
    assert again.recall(TABLE).marks == MARKS
    again.close()


def test_a_broken_index_is_named_with_what_to_do(target: EmbeddedTarget, tmp_path: Path) -> None:
    target.apply([put("a", 1)])
    target.mark(TABLE, MARKS)
    target.close()
    (index_folder(tmp_path) / "meta.json").write_text("{")
    with pytest.raises(TargetError, match="donations@1") as broken:
        open_target(tmp_path)
    assert "delete this folder" in broken.value.hint
    shutil.rmtree(index_folder(tmp_path))
    # Nothing is held of the attempt that failed, not even while its error is kept.
    open_target(tmp_path).close()


def test_what_a_killed_process_left_of_a_generation_is_removed(target: EmbeddedTarget, tmp_path: Path) -> None:
    target.apply([put("a", 1)])
    target.close()
    leftover = tmp_path / "search" / "donations@7"
    shutil.copytree(index_folder(tmp_path), leftover)
    again = open_target(tmp_path)
    assert not leftover.exists()
    assert again.count("donations") == 1
    again.close()


# Disks.


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let writes past this size fail, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_a_killed_commit_left_is_not_in_the_way_of_the_next_one(target: EmbeddedTarget, tmp_path: Path) -> None:
    """A commit writes its deletes to a file named by its number, then says so in `meta.json`."""
    meta = index_folder(tmp_path) / "meta.json"
    target.apply([put("a", 1), put("b", 1)])
    target.close()
    before = meta.read_bytes()
    for _ in ("killed before it said so", "replayed"):
        meta.write_bytes(before)
        again = open_target(tmp_path)
        assert again.apply([put("a", 2)]) == []
        again.close()


def test_a_write_that_the_disk_cut_off_counts_for_nothing_and_the_next_one_goes_on(target: EmbeddedTarget) -> None:
    target.apply([put("small", 1, attributes={"text": {"S": "small"}})])
    large = [put(f"key-{n}", version(1, n), attributes={"text": {"S": f"{n} " * 2000}}) for n in range(40)]
    with largest_file(20_000), pytest.raises(TargetError, match="could not write") as full:
        target.apply(large)
    assert "disk space" in full.value.hint
    assert target.count("donations") == 1
    assert target.apply(large) == []
    assert target.count("donations") == 41


def test_a_batch_that_fails_halfway_leaves_nothing(target: EmbeddedTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = [put(f"key-{n}", version(1, n), n) for n in range(250)]
    batch.append(put("last", version(1, 250), attributes={"new": {"S": "path"}}))
    with monkeypatch.context() as broken:
        broken.setattr(target._state, "add_paths", Mock(side_effect=[None, TargetError("The disk is full.")]))
        with pytest.raises(TargetError, match="disk is full"):
            target.apply(batch)
    assert target.count("donations") == 0
    assert target.apply(batch) == []
    assert target.count("donations") == 251


# More fields than are indexed by name.


def many(names: range) -> dict[str, Typed]:
    return {f"field{n}": {"S": f"value{n}"} for n in names}


def test_fields_past_the_limit_are_found_by_all_fields_together(target: EmbeddedTarget) -> None:
    target.apply([put("a", 1, attributes=many(range(MOST_PATHS - 2)))])
    target.apply([put("b", 2, attributes={"late": {"S": "straggler"}, "n": {"N": "1"}})])
    found = target.search("donations", SearchRequest(Anywhere("straggler")))
    assert [hit.id for hit in found.hits] == ["b"]
    for query in (Term("late", "straggler"), Exists("late"), Anywhere("straggler", ("late",))):
        with pytest.raises(RequestError, match="'late' is not among the 1000 fields of donations") as refused:
            target.matches("donations", query)
        assert refused.value.hint == "Add to dynalens.yaml: collections: {donations: {search: {fields: [late]}}}"
    # A path is a column in every segment: the index itself must not hold it.
    searcher = target._view("donations").searcher
    assert searcher.doc_freq("text.late", "straggler") == 0
    assert searcher.doc_freq("exact.late", string_token("straggler")) == 0
    assert searcher.doc_freq("exact.n", number_token("1")) == 2
    drift = {field.name: field.drift for field in target.fields("donations") if field.drift}
    assert drift == {"late": 1}


def test_a_declared_field_has_its_place_however_late_it_comes(tmp_path: Path) -> None:
    collection = CollectionConfig.model_validate({"table": TABLE, "search": {"fields": ["late", "deep.er"]}})
    target = open_target(tmp_path)
    target.create(FIRST, collection)
    target.serve(FIRST)
    target.apply([put("a", 1, attributes=many(range(MOST_PATHS)))])
    target.close()
    again = open_target(tmp_path)
    again.apply([put("b", 2, attributes={"late": {"S": "x"}, "deep": {"M": {"er": {"S": "y"}}}})])
    assert again.matches("donations", Term("late", "x")) == 1
    assert again.matches("donations", Term("deep.er", "y")) == 1
    again.close()


def test_a_field_that_no_document_has_is_asked_for_in_vain(target: EmbeddedTarget) -> None:
    target.apply([put("a", 1)])
    assert target.matches("donations", Term("nowhere", "x")) == 0


# Readers.


def test_a_snapshot_stays_as_it_was(target: EmbeddedTarget) -> None:
    target.apply([put("a", 1), put("b", 2)])
    snapshot = target.snapshot("donations")
    target.apply([delete("a", 3), put("c", 4)])
    assert sorted(hit.id for hit in snapshot.search(SearchRequest()).hits) == ["a", "b"]
    snapshot.close()
    with pytest.raises(NotFoundError, match="closed"):
        snapshot.search(SearchRequest())


def test_a_collection_that_is_not_served_is_not_found(target: EmbeddedTarget) -> None:
    with pytest.raises(NotFoundError, match="no collection refunds"):
        target.search("refunds", SearchRequest())


def test_a_search_goes_on_when_its_generation_is_replaced_meanwhile(
    target: EmbeddedTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    target.apply([put("a", 1)])
    target.create(SECOND, COLLECTIONS["donations"])
    original = GenerationIndex.searcher

    def replacing(index: GenerationIndex) -> Searcher:
        monkeypatch.undo()
        target.serve(SECOND)
        target.drop(FIRST)
        return original(index)

    monkeypatch.setattr(GenerationIndex, "searcher", replacing)
    assert target.matches("donations", Everything()) == 1
    assert target.matches("donations", Everything()) == 0


# Several tables at once.


def test_marks_of_one_table_while_another_drops_a_generation(
    target: EmbeddedTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = Generation("people", 1)
    target.create(people, COLLECTIONS["people"])

    def dropping(_index: GenerationIndex) -> int:
        target.drop(people)
        return 0

    monkeypatch.setattr(GenerationIndex, "stamp", property(dropping))
    target.mark(TABLE, MARKS)
    assert target.recall(TABLE).marks == MARKS


def test_a_sweep_of_all_tables_while_one_drops_a_generation(target: EmbeddedTarget) -> None:
    people = Generation("people", 1)
    target.create(people, COLLECTIONS["people"])
    target.apply([delete("a", 1), delete("a", 1, generation=people)])
    dropped = threading.Thread(target=target.drop, args=(people,))
    original = GenerationIndex.sweep

    def sweeping(index: GenerationIndex, older_than: float) -> int:
        if not dropped.ident:
            dropped.start()
            dropped.join(0.2)
        return original(index, older_than)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(GenerationIndex, "sweep", sweeping)
        target.sweep(2_000_000_000_000.0)
    dropped.join()
    assert target.recall(OTHER_TABLE).generations == frozenset()


def test_a_closed_target_takes_nothing_and_holds_no_lock(target: EmbeddedTarget, tmp_path: Path) -> None:
    target.apply([put("a", 1)])
    target.close()
    with pytest.raises(TargetError, match="closed"):
        target.apply([put("late", 2)])
    again = open_target(tmp_path)
    assert again.count("donations") == 1
    again.close()


def test_a_folder_that_another_process_works_on_is_left_alone(target: EmbeddedTarget, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="in use") as refused:
        open_target(tmp_path)
    assert "another folder" in refused.value.hint
    target.apply([put("a", 1)])
    assert target.count("donations") == 1


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "search").write_text("a file")
    with pytest.raises(TargetError, match="search cannot be used"):
        open_target(tmp_path)


# Addresses.


@pytest.mark.parametrize("url", ["ftp://search.example", "tantivy:", "tantivy://"])
def test_an_address_that_names_no_folder_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"targets\.search") as refused:
        open_search(url, folder=tmp_path)
    assert "tantivy://./data/search" in refused.value.hint


@pytest.mark.parametrize("package", ["tantivy", "regex", "rapidfuzz"])
def test_without_its_packages_the_hint_is_the_line_to_run(
    package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.startswith((f"{package}.", "dynalens.target.search."))]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as missing:
        open_search("tantivy://./search", folder=tmp_path)
    assert missing.value.hint == 'Run: pip install "dynalens[embedded]"'


def test_an_absolute_folder_and_one_with_a_space_are_opened(tmp_path: Path) -> None:
    target = open_search(f"tantivy://{tmp_path}/my%20search", folder=Path("/nowhere"))
    assert (tmp_path / "my search" / "state.db").exists()
    target.close()
