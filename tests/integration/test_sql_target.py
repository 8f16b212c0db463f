"""The sql target on its engine: exactness, columns that follow the data, odd rows, odd surroundings."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal, localcontext
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from dynalens.change import Typed
from dynalens.errors import ConfigError, MissingExtraError, NotFoundError, TargetError
from dynalens.partition import Position
from dynalens.target import Field, Mark, Write, version
from dynalens.target.sql import SqlTarget, open_sql
from dynalens.target.sql import engine as engine_module
from dynalens.target.sql.engine import quoted
from dynalens.target.sql.schema import MOST_COLUMNS
from tests.contract.hostile import HOSTILE_NAMES
from tests.contract.implementations import TABLE
from tests.contract.writing import FIRST, SECOND, delete, put
from tests.integration.sql_reading import open_served, rows
from tests.waiting import observed

ROOT = Path(__file__).parents[2]
LATER = 1e11
"""A time after every write, epoch seconds."""


@pytest.fixture
def target(tmp_path: Path) -> Iterator[SqlTarget]:
    opened = open_served(tmp_path)
    yield opened
    opened.close()


def puts(*values: Typed, name: str = "v", epoch: int = 1) -> list[Write]:
    """One document for each value, which stands in the attribute `name`."""
    return [put(f"k{n}", version(epoch, n), n, attributes={name: value}) for n, value in enumerate(values)]


def field(target: SqlTarget, name: str) -> Field:
    [found] = [found for found in target.fields("donations") if found.name == name]
    return found


# Exactness.


def test_sums_are_exact_to_the_cent(target: SqlTarget) -> None:
    order = random.Random(7)  # noqa: S311 - no secret
    cents = [order.randrange(-10_000_000, 10_000_000) for _ in range(3_000)]
    target.apply(puts(*[{"N": str(Decimal(amount) / 100)} for amount in cents], name="amount"))
    assert rows(target, "SELECT sum(amount), count(amount) FROM donations") == [[Decimal(sum(cents)) / 100, len(cents)]]


@pytest.mark.parametrize(
    "number",
    [
        "12345678901234567890123456789012345678",
        "-0.12345678901234567890123456789012345678",
        "1234567890123456789.0123456789012345678",
        "9007199254740993",
        "0.1",
    ],
)
def test_38_digits_arrive_in_the_column_and_in_the_document(target: SqlTarget, number: str) -> None:
    target.apply(puts({"N": "1"}, {"N": number}))
    with localcontext() as context:
        context.prec = 100
        body = target.query("SELECT v, v * 2 AS twice, _doc FROM donations WHERE id = 'k1'", {}).body
        [[value, twice, document]] = json.loads(body, parse_float=Decimal, parse_int=Decimal)["rows"]
        assert (value, twice) == (Decimal(number), Decimal(number) * 2)
    assert f'"v":{number},' in document
    assert field(target, "v").drift == 0


def test_a_large_batch_is_applied_at_once(target: SqlTarget) -> None:
    writes = [put(f"k{n}", version(1, n), n, attributes={"text": {"S": f"text {n}"}}) for n in range(5_000)]
    assert target.apply(writes) == []
    assert target.count("donations") == 5_000
    assert rows(target, "SELECT sum(n), uniqExact(text) FROM donations") == [[sum(range(5_000)), 5_000]]


# Columns follow the data.


def test_new_attributes_appear_with_the_batch_that_brings_them(target: SqlTarget) -> None:
    target.apply([put("a", 1)])
    target.apply([put("b", 2, attributes={"city": {"S": "Wien"}, "open": {"BOOL": True}})])
    assert rows(target, "SELECT id, city, open FROM donations ORDER BY id") == [["a", None, None], ["b", "Wien", True]]


def test_what_does_not_fit_is_null_whole_in_the_document_and_counted(target: SqlTarget) -> None:
    odd: Sequence[Typed] = [{"S": "ten"}, {"BOOL": True}, {"M": {}}, {"L": []}, {"N": "1E+125"}, {"NULL": True}]
    target.apply(puts({"N": "10"}, {"N": "2.5"}, *odd))
    assert rows(target, "SELECT sum(v), count(v), countIf(v > 0) FROM donations") == [[Decimal("12.5"), 2, 2]]
    assert rows(target, "SELECT _doc FROM donations WHERE id = 'k2'") == [['{"v":"ten","id":"k2","n":2}']]
    assert field(target, "v") == Field(
        "v",
        {"number": 3, "string": 1, "bool": 1, "map": 1, "array": 1, "null": 1},
        column="Nullable(Decimal(38, 9))",
        drift=5,
    )


@pytest.mark.parametrize(
    ("first", "drifting", "fitting", "column"),
    [
        ({"S": "x"}, {"S": "\ud800"}, {"S": ""}, "Nullable(String)"),
        ({"BOOL": True}, {"N": "1"}, {"BOOL": False}, "Nullable(Bool)"),
        ({"M": {"a": {"N": "1"}}}, {"M": {"a.b": {"N": "1"}, "a": {"M": {"b": {"N": "2"}}}}}, {"M": {}}, "JSON"),
        ({"SS": ["x"]}, {"L": [{"S": "\ud800"}]}, {"L": []}, "Array(Nullable(String))"),
        ({"NS": ["1"]}, {"L": [{"N": "1"}, {"S": "x"}]}, {"L": []}, "Array(Decimal(38, 9))"),
        ({"N": "1"}, {"N": "1E-130"}, {"N": "1E-7"}, "Nullable(Decimal(38, 9))"),
    ],
)
def test_drift_is_what_the_column_cannot_hold(
    target: SqlTarget, first: Typed, drifting: Typed, fitting: Typed, column: str
) -> None:
    writes = puts(first, drifting, fitting, drifting, {"NULL": True})
    target.apply(writes)
    found = field(target, "v")
    assert (found.column, found.drift) == (column, 2)
    for write in writes:
        stored = target.document("donations", write.id)
        assert stored is not None
        assert write.document is not None
        assert stored.json == write.document.json


def test_numbers_widen_while_readers_read(target: SqlTarget) -> None:
    numbers = ["1", "0.25", "1E-7", "0.1234567890123", "123456789012345678901234567890123", "0." + "1" * 30]
    failures: list[object] = []
    stopped = threading.Event()

    def read() -> None:
        while not stopped.is_set():
            try:
                failures.extend(row for row in rows(target, "SELECT v FROM donations") if row == [None])
            except Exception as error:  # noqa: BLE001 - whatever a reader meets is what the test judges
                failures.append(error)

    target.apply(puts({"N": "5"}))
    reader = threading.Thread(target=read)
    reader.start()
    try:
        for n, number in enumerate(numbers):
            target.apply([put(f"w{n}", version(2, n), attributes={"v": {"N": number}, f"new {n}": {"S": "x"}})])
        target.sweep(0.0)
    finally:
        stopped.set()
        reader.join()
    assert failures == []
    with localcontext() as context:
        context.prec = 100
        assert rows(target, "SELECT sum(v) FROM donations") == [[sum(map(Decimal, [*numbers, "5"]))]]
    assert field(target, "v").drift == 0
    columns = target._client.command(
        "SELECT count() FROM system.columns WHERE database = '_dynalens' AND table = 'donations@1' AND name LIKE 'c%'"
    )
    assert columns == 3 + len(numbers), "id, n, v and the new ones: what was widened is gone"


def test_every_hostile_name_is_a_column_of_its_own(target: SqlTarget) -> None:
    names = [*HOSTILE_NAMES, "c1", "c2", "k", "kk", "kn", "k.c1", "_deleted", "_written", "_attributes", "_types"]
    item: dict[str, Typed] = {name: {"S": f"value of {name}"} for name in names}
    target.apply([put("a", 1, attributes=item), put("gone", 2, attributes=item), delete("gone", 3)])
    described = dict(rows(target, "DESCRIBE donations"))
    assert len(described) == 2 + 2 + len(names)
    labels = {"_id": "_id__", "_doc": "_doc_", "": "_"}
    for name in names:
        query = f"SELECT {quoted(labels.get(name, name))} FROM donations"  # noqa: S608 - own names
        assert rows(target, query) == [[f"value of {name}"]], name
    assert rows(target, "SELECT _id, count() FROM donations GROUP BY _id") == [["a", 1]]
    assert {found.name for found in target.fields("donations")} == {*names, "id", "n"}
    assert field(target, "_id").column == "_id__ Nullable(String)"


def test_names_of_the_view_are_not_taken_for_those_of_the_table(target: SqlTarget) -> None:
    """Attributes whose paths look like the physical columns behind the prefix that the view uses."""
    trap: dict[str, Typed] = {f"c{n}": {"S": f"trap {n}"} for n in range(1, 9)} | {"_deleted": {"BOOL": True}}
    item: dict[str, Typed] = {"a": {"S": "A"}, "k": {"M": trap}, "kk": {"M": trap}, "b": {"S": "B"}, "k.c4": {"S": "C"}}
    target.apply([put("x", 1, attributes=item), put("gone", 2, attributes=item), delete("gone", 3)])
    assert rows(target, "SELECT _id, a, b, `k.c4`, k.c1, kk.c2, id, n FROM donations") == [
        ["x", "A", "B", "C", "trap 1", "trap 2", "x", 1]
    ]


def test_600_attributes_are_500_columns_and_a_whole_document(target: SqlTarget) -> None:
    item: dict[str, Typed] = {f"attribute {n}": {"N": str(n)} for n in range(600)}
    target.apply([put("a", 1, attributes=item)])
    target.apply([put("b", 2, attributes=item | {"another": {"S": "x"}})])
    assert len(rows(target, "DESCRIBE donations")) == 2 + MOST_COLUMNS
    assert rows(target, "SELECT `attribute 0`, `attribute 499` FROM donations") == [[0, 499]] * 2
    assert rows(target, "SELECT JSONExtractInt(_doc, 'attribute 599') FROM donations WHERE _id = 'b'") == [[599]]
    assert len(target.fields("donations")) == 603
    assert field(target, "another").column == ""


def test_a_name_of_ten_thousand_characters(target: SqlTarget) -> None:
    item: dict[str, Typed] = {f"{n}" + "x" * 10_000: {"S": "y"} for n in range(40)}
    target.apply([put("a", 1, attributes=item)])
    [[found]] = rows(target, "SELECT COLUMNS('^7x') FROM donations")
    assert found == "y"


def test_a_dotted_name_beside_a_map_of_that_path(target: SqlTarget) -> None:
    target.apply([put("a", 1, attributes={"a.b": {"N": "1"}, "a": {"M": {"b": {"N": "2"}, "c": {"N": "3"}}}})])
    assert rows(target, "SELECT `a.b`, a.c FROM donations") == [[1, 3]]
    assert field(target, "a").drift == field(target, "a.b").drift == 0


def test_a_document_of_390_kilobytes(target: SqlTarget) -> None:
    text = '€ü\\"' * 50_000
    target.apply([put("large", 1, attributes={"text": {"S": text}, "b": {"B": "AAEC" * 20_000}})])
    assert rows(target, "SELECT text, length(b) FROM donations") == [[text, 80_000]]
    stored = target.document("donations", "large")
    assert stored is not None
    assert len(stored.json) > 390_000
    assert stored.types == b'{"b":"B"}'


# Sweeping.


def test_a_tombstone_stays_while_an_older_row_lies_under_it(target: SqlTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    # Nothing is merged by itself: the rows of the two batches stay apart.
    merging = "ALTER TABLE _dynalens.`donations@1` MODIFY SETTING max_bytes_to_merge_at_max_space_in_pool = {}"
    target._client.command(merging.format(1))
    target.apply([put("a", 1), put("b", 1), delete("late", 2)])
    target.apply([delete("a", 2), delete("never", 2), put("late", 1)])
    monkeypatch.setattr(target._tidier, "command", lambda _: None)
    assert target.sweep(LATER) == 1, "only the one that nothing lies under"
    assert rows(target, "SELECT id FROM donations") == [["b"]]
    monkeypatch.undo()
    target._client.command(merging.format(1 << 30))
    assert target.sweep(LATER) == 2
    assert rows(target, "SELECT id FROM donations") == [["b"]]
    assert target._client.command("SELECT count() FROM _dynalens.`donations@1`") == 1


# What the engine refuses.


def test_a_row_past_every_limit_is_rejected_alone(target: SqlTarget) -> None:
    writes = [put(f"k{n}", version(1, n), n) for n in range(9)]
    writes[4] = put("k4", version(1, 4), attributes={"text": {"S": "x" * (17 << 20)}})
    [rejection] = target.apply(writes)
    assert rejection.write is writes[4]
    assert rejection.code == "refused_by_engine"
    assert "Too large string" in rejection.message
    assert target.count("donations") == 8


def test_no_row_is_given_up_when_the_engine_is_to_blame(target: SqlTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise DatabaseError("Code: 243. DB::Exception: Cannot reserve 1.00 MiB (NOT_ENOUGH_SPACE)", code=243)

    target._catalog.make_room(FIRST, [document for document in [put("a", 1).document] if document])
    monkeypatch.setattr(target._client, "command", fail)
    with pytest.raises(TargetError, match="Cannot reserve") as failed:
        target.apply([put("a", 1), put("b", 2)])
    assert failed.value.hint


def test_a_generation_that_does_not_exist(target: SqlTarget) -> None:
    with pytest.raises(TargetError, match="donations@2") as missing:
        target.apply([put("a", 1, generation=SECOND)])
    assert missing.value.hint


@pytest.mark.parametrize(
    "read",
    [
        lambda target: target.document("nothing", "a"),
        lambda target: target.count("nothing"),
        lambda target: target.fields("nothing"),
        lambda target: target.query("SELECT * FROM nothing", {}),
    ],
    ids=["document", "count", "fields", "query"],
)
def test_a_collection_that_does_not_exist(target: SqlTarget, read: Callable[[SqlTarget], object]) -> None:
    with pytest.raises(NotFoundError, match="nothing") as missing:
        read(target)
    assert missing.value.hint == "Collections: donations."


# Surroundings.


@pytest.mark.parametrize("name", ["plain", "with space", "per%41cent", "it's", "ünïcode", "a+b=c;d", "#hash"])
def test_a_folder_may_have_any_ordinary_name(tmp_path: Path, name: str) -> None:
    target = open_served(tmp_path / name)
    target.apply([put("a", 1)])
    target.close()
    assert (tmp_path / name / "sql" / "store").is_dir()
    target = open_served(tmp_path / name)
    assert target.count("donations") == 1
    target.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("clickhouse://localhost:8123/a/b", "names no database of yours"),
        ("./data/sql", "is no URL of an SQL engine"),
        ("chdb://", "names no folder"),
        ("chdb://./what?", "holds ['?']"),
        ("chdb://./this&that", "holds ['&']"),
        ("chdb://./{a,b}*", "holds ['*', '{', '}']"),
    ],
)
def test_a_url_that_cannot_be_opened_says_what_to_write(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        open_sql(url, folder=tmp_path)
    assert message in refused.value.message
    assert refused.value.hint


@pytest.mark.parametrize("package", ["clickhouse_connect", "chdb"])
def test_a_missing_package_is_named_with_the_line_that_installs_it(
    tmp_path: Path, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in [name for name in sys.modules if name.split(".")[0] == package or "chdb" in name]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MissingExtraError) as missing:
        open_sql("chdb://./sql", folder=tmp_path)
    assert missing.value.hint == 'Run: pip install "dynalens[embedded]"'


def test_an_engine_that_is_too_old_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_PARSER", "parseQueryToSomethingElse")
    with pytest.raises(TargetError, match="too old") as old:
        open_sql("chdb://./sql", folder=tmp_path)
    assert "pip install" in old.value.hint
    monkeypatch.undo()
    open_sql("chdb://./other", folder=tmp_path).close()


def test_one_folder_is_open_in_a_process(target: SqlTarget, tmp_path: Path) -> None:
    with pytest.raises(TargetError, match="does not start") as refused:
        open_sql("chdb://./other", folder=tmp_path)
    assert "one folder is open in a process" in refused.value.hint
    assert target.count("donations") == 0


def test_another_process_does_not_get_in(target: SqlTarget, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.integration.sql_writer", str(tmp_path), "write_on"]
    other = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert other.returncode != 0
    assert "TargetError" in other.stderr
    assert target.count("donations") == 0


def test_a_configuration_in_the_working_directory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config.xml").write_text("<clickhouse><path>/nowhere</path></clickhouse>")
    monkeypatch.chdir(tmp_path)
    target = open_served(tmp_path)
    target.apply([put("a", 1)])
    assert target.count("donations") == 1
    target.close()


def test_readers_and_a_writer_run_beside_each_other(target: SqlTarget) -> None:
    failures: list[Exception] = []
    reads = [0]
    stopped = threading.Event()

    def read(query: Callable[[], object]) -> None:
        while not stopped.is_set():
            try:
                query()
                reads[0] += 1
            except Exception as error:  # noqa: BLE001 - whatever a reader meets is what the test judges
                failures.append(error)

    target.apply([put("a", 1)])
    queries: Mapping[str, Callable[[], object]] = {
        "query": lambda: target.query("SELECT n, count() FROM donations GROUP BY n", {}),
        "all": lambda: target.query("SELECT * FROM donations LIMIT 5", {}),
        "document": lambda: target.document("donations", "a"),
        "count": lambda: target.count("donations"),
        "fields": lambda: target.fields("donations"),
    }
    readers = [threading.Thread(target=read, args=(query,)) for query in queries.values()]
    for reader in readers:
        reader.start()
    for step in range(12):
        target.apply([put(f"k{n}", version(step, n), n, attributes={f"new {step}": {"N": "1"}}) for n in range(50)])
        target.sweep(0.0)
    observed(lambda: reads[0] > 20 or failures)
    stopped.set()
    for reader in readers:
        reader.join()
    assert failures == []


def test_many_small_batches_do_not_pile_up(target: SqlTarget) -> None:
    for step in range(120):
        target.apply([put(f"k{step % 7}", version(1, step), step)])
        target.mark(TABLE, {"p": Mark(1, Position(rank=step))})
    parts = "SELECT max(parts) FROM (SELECT count() AS parts FROM system.parts WHERE active GROUP BY table)"
    observed(lambda: int(str(target._client.command(parts))) < 50)
    assert target.count("donations") == 7
    assert target.recall(TABLE).marks["p"].position.rank == 119
