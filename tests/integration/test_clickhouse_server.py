"""What is a server's own: it is killed, refuses, is too old, is cut off; and several processes share it."""

from __future__ import annotations

import itertools
import json
import logging
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError

from dynalens.config import clickhouse_location
from dynalens.errors import DynalensError, QueryLimitError, QueryRefusedError, TargetError
from dynalens.partition import Position
from dynalens.target import Mark, version
from dynalens.target.sql import Limits, SqlTarget, check_sql_server, open_sql
from dynalens.target.sql import engine as engine_module
from dynalens.target.sql.engine import QUERY_LIMITS
from dynalens.target.sql.server import ServerEngine
from dynalens.testing.proxy import FaultProxy
from tests.contract.implementations import COLLECTIONS, TABLE
from tests.contract.together import together
from tests.contract.writing import FIRST, SECOND, put
from tests.integration.sql_reading import rows
from tests.services.certificate import self_signed
from tests.services.clickhouse.server import ClickHouseServer
from tests.services.process import free_port
from tests.waiting import observed

PASSWORD = "secret-of-tests"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    with ClickHouseServer(tmp_path_factory.mktemp("clickhouse")) as started:
        yield started


NUMBERS = itertools.count()


@pytest.fixture
def database() -> str:
    """A name that no other test uses."""
    return f"dynalens_{next(NUMBERS)}"


@pytest.fixture
def url(server: ClickHouseServer, database: str) -> str:
    """A target in a database of the test's own."""
    return server.url(database)


@pytest.fixture
def opened() -> Iterator[Callable[..., SqlTarget]]:
    """Opens targets that are closed after the test."""
    targets: list[SqlTarget] = []

    def open_(url: str, limits: Limits = QUERY_LIMITS) -> SqlTarget:
        targets.append(open_sql(url, folder=Path(), limits=limits))
        return targets[-1]

    yield open_
    for target in targets:
        target.close()


Opener = Callable[..., SqlTarget]


def served(target: SqlTarget) -> SqlTarget:
    target.create(FIRST, COLLECTIONS["donations"])
    target.serve(FIRST)
    return target


# Killed, cut off.


def test_what_was_confirmed_outlives_a_server_that_is_killed_while_it_writes(tmp_path: Path, opened: Opener) -> None:
    with ClickHouseServer(tmp_path) as server:
        target = served(opened(server.url()))
        confirmed: list[int] = []

        def write_on() -> None:
            for step in itertools.count():
                target.apply([put(f"k{step}", version(1, step), step)])
                target.mark(TABLE, {"p": Mark(1, Position(rank=step))})
                confirmed.append(step)

        def write() -> None:
            with pytest.raises(TargetError, match=r"could not (write|remember)"):
                write_on()

        def kill() -> None:
            observed(lambda: len(confirmed) > 20)
            server.kill()

        together(write, kill)
        with pytest.raises(TargetError, match="refused"):
            target.ping()
        server.start()
        found = {key for (key,) in rows(target, "SELECT _id FROM donations")}
        assert found >= {f"k{step}" for step in confirmed}
        assert target.recall(TABLE).marks["p"].position.rank >= confirmed[-1]
        target.apply([put("next", version(2, 1))])
        assert target.count("donations") == len(found) + 1


def test_documents_that_a_server_has_lost_are_owned_up_to_by_whoever_asks_next(tmp_path: Path, opened: Opener) -> None:
    """Also where the one who asks has been running all the time."""
    with ClickHouseServer(tmp_path) as server:
        target = served(opened(server.url()))
        target.apply([put("a", version(1, 1), attributes={"text": {"S": "x" * 5_000}})])
        target.mark(TABLE, {"p": Mark(1, Position(rank=1))})
        part = "SELECT path FROM system.parts WHERE database = '_dynalens' AND table = 'donations@1' AND active"
        path = target._client.command(part)
        server.kill()
        os.truncate(Path(str(path)) / "data.bin", 10)
        server.start()
        assert target.recall(TABLE).generations == set()
        served(target).apply([put("b", version(2, 1))])
        assert target.recall(TABLE).generations == {FIRST}
        assert rows(target, "SELECT id FROM donations") == [["b"]]


def test_readers_go_on_beside_a_server_that_is_away_for_a_while(tmp_path: Path, opened: Opener) -> None:
    with ClickHouseServer(tmp_path) as server:
        target = served(opened(server.url()))
        target.apply([put("a", version(1, 1))])
        server.kill()
        for ask in (
            lambda: target.query("SELECT id FROM donations", {}),
            lambda: target.document("donations", "a"),
            lambda: target.fields("donations"),
            lambda: target.kept(FIRST, ["a"]),
            lambda: target.recall(TABLE),
        ):
            with pytest.raises(TargetError, match="Connection refused"):
                ask()
        server.start()
        assert rows(target, "SELECT id FROM donations") == [["a"]]
        assert target.document("donations", "a") is not None


def test_an_insert_whose_answer_was_lost_may_be_sent_again(server: ClickHouseServer, url: str, opened: Opener) -> None:
    with FaultProxy(("127.0.0.1", server.port)) as proxy:
        target = served(opened(url.replace(str(server.port), str(proxy.port))))
        batch = [put("a", version(1, 1)), put("b", version(1, 2))]
        target.apply(batch)
        proxy.reset_after_request()
        with pytest.raises(TargetError, match="could not write"):
            target.apply([put("a", version(1, 3), n=3)])
        assert rows(target, "SELECT id, n FROM donations ORDER BY id") == [["a", 3], ["b", 1]]
        assert target.apply([*batch, put("a", version(1, 3), n=3)]) == []
        assert rows(target, "SELECT id, n FROM donations ORDER BY id") == [["a", 3], ["b", 1]]


def test_an_insert_that_is_cut_off_on_its_way_is_not_confirmed(
    server: ClickHouseServer, url: str, opened: Opener
) -> None:
    with FaultProxy(("127.0.0.1", server.port)) as proxy:
        target = served(opened(url.replace(str(server.port), str(proxy.port))))
        target.apply([put("a", version(1, 1), attributes={"x": {"S": "x"}})])
        proxy.silence("requests")
        large = [put(f"{n}", version(1, 2 + n), attributes={"x": {"S": "x" * 300_000}}) for n in range(20)]
        ended = threading.Event()

        def write() -> None:
            with pytest.raises(TargetError, match="could not write"):
                target.apply(large)
            ended.set()

        def is_cut() -> bool:
            proxy.reset()
            return ended.is_set()

        together(write, lambda: observed(is_cut))
        proxy.heal()
        assert rows(target, "SELECT id FROM donations") == [["a"]]
        target.apply([put("b", version(2, 1))])
        assert target.count("donations") == 2


# Refused.


@pytest.mark.parametrize("action", [lambda url: open_sql(url, folder=Path()), check_sql_server])
def test_a_wrong_password_is_said_without_it(
    server: ClickHouseServer, action: Callable[[str], object], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(TargetError, match="Authentication failed") as refused:
        action(server.url(password="not-the-password"))
    assert "CLICKHOUSE_PASSWORD" in refused.value.hint
    assert "not-the-password" not in told(refused.value) + caplog.text


def test_the_password_may_come_from_the_environment(
    server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch, opened: Opener
) -> None:
    monkeypatch.setenv("CLICKHOUSE_PASSWORD", PASSWORD)
    target = opened(server.url("dynalens_environment").replace(f":{PASSWORD}@", "@"))
    target.ping()


def test_nobody_answers(caplog: pytest.LogCaptureFixture) -> None:
    url = f"clickhouse://dynalens:{PASSWORD}@127.0.0.1:{free_port()}/dynalens"
    with caplog.at_level(logging.DEBUG), pytest.raises(TargetError, match="Connection refused") as refused:
        open_sql(url, folder=Path())
    assert "targets.sql" in refused.value.hint
    assert PASSWORD not in told(refused.value) + caplog.text


def told(error: BaseException) -> str:
    """Give everything that an error and those behind it would tell."""
    texts = []
    found: BaseException | None = error
    while found is not None:
        texts.append(f"{found!s} {found!r}")
        found = found.__cause__ or found.__context__
    return " ".join(texts)


def test_tls_is_verified(tmp_path: Path, opened: Opener) -> None:
    certificate = self_signed(tmp_path)
    with ClickHouseServer(tmp_path / "data", certificate=certificate) as server:
        with pytest.raises(TargetError, match="certificate verify failed") as refused:
            open_sql(server.url(more="&secure=true"), folder=Path())
        assert "&ca=" in refused.value.hint
        target = served(opened(server.url(more=f"&secure=true&ca={certificate}")))
        target.apply([put("a", version(1, 1))])
        assert target.count("donations") == 1
        with pytest.raises(TargetError, match="could not answer"):
            open_sql(server.url(), folder=Path())


def test_a_database_that_may_not_be_made_is_said(tmp_path: Path) -> None:
    with ClickHouseServer(tmp_path, grants=("GRANT SELECT ON *.*",)) as server:
        with pytest.raises(TargetError, match="CREATE DATABASE") as refused:
            open_sql(server.url("dynalens_other"), folder=Path())
        assert "docs/clickhouse.md" in refused.value.hint


def test_a_role_that_is_not_there_is_said(server: ClickHouseServer) -> None:
    with pytest.raises(TargetError, match="nobody_reader") as refused:
        open_sql(server.url("dynalens_nobody").replace("role=reader", "role=nobody_reader"), folder=Path())
    assert "nobody_reader" in refused.value.hint


@pytest.mark.parametrize("readonly", ["1", "2"])
def test_a_profile_that_forbids_settings_is_said(tmp_path: Path, readonly: str) -> None:
    with ClickHouseServer(tmp_path, profile={"readonly": readonly}) as server:
        with pytest.raises(TargetError) as refused:
            open_sql(server.url(), folder=Path())
        assert "profile without readonly" in refused.value.hint


def test_a_server_that_is_too_old_is_said(server: ClickHouseServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_PARSER", "parseQueryToSomethingElse")
    with pytest.raises(TargetError, match="too old") as refused:
        check_sql_server(server.url())
    assert "install 26.8 or newer" in refused.value.hint


# Readers.


def test_readers_may_read_the_views_alone(url: str, database: str, opened: Opener) -> None:
    """The wall behind the guard: the server's own."""
    target = served(opened(url))
    target.apply([put("a", version(1, 1))])
    engine = ServerEngine(clickhouse_location(url))
    reader = engine.open_reader(QUERY_LIMITS, role="reader")
    assert reader.command("SELECT count() FROM donations") == 1
    for refused in (
        f"SELECT * FROM _{database}.`donations@1`",  # noqa: S608 - own names
        "SELECT * FROM donations SETTINGS max_execution_time = 0",
        f"DROP VIEW {database}.donations",
        "CREATE DATABASE other",
    ):
        with pytest.raises(DatabaseError):
            reader.command(refused)
    engine.close()


def test_limits_hold(url: str, opened: Opener) -> None:
    target = served(opened(url, Limits(read_rows=10_000, result_rows=100)))
    with pytest.raises(QueryLimitError, match="100 rows"):
        target.query("SELECT number FROM system.numbers LIMIT 1000", {})
    with pytest.raises(QueryLimitError, match="10000 rows"):
        target.query("SELECT count() FROM system.numbers", {})
    with pytest.raises(QueryRefusedError):
        target.query("SELECT * FROM donations SETTINGS max_result_rows = 0", {})


def test_queries_are_told_to_end_when_the_target_is_closed(url: str) -> None:
    target = served(open_sql(url, folder=Path(), limits=Limits(seconds=600.0)))
    met: list[DynalensError] = []

    def ask() -> None:
        with pytest.raises(DynalensError) as caught:
            target.query("SELECT count() FROM system.numbers", {})
        met.append(caught.value)

    def close() -> None:
        running = "SELECT count() FROM system.processes WHERE query LIKE '%system.numbers%' AND query NOT LIKE '%LIKE%'"
        observed(lambda: target._client.command(running))
        target.close()

    together(ask, close)
    assert met


# Beside other processes.


def test_columns_that_two_processes_add_at_once_are_all_there(url: str, opened: Opener) -> None:
    one, other = served(opened(url)), opened(url)

    def write(target: SqlTarget, name: str) -> None:
        for n in range(8):
            target.apply([put(f"{name}{n}", version(1, n), attributes={f"{name}{n}": {"S": "x"}})])

    together(lambda: write(one, "a"), lambda: write(other, "b"))
    described = [name for name, _ in rows(one, "DESCRIBE donations")]
    assert sorted(described) == sorted(["_id", "_doc", "id", "n", *(f"{name}{n}" for name in "ab" for n in range(8))])
    for target in (one, other):
        assert [found.drift for found in target.fields("donations")] == [0] * 18
        assert rows(target, "SELECT countIf(a7 = 'x'), countIf(b7 = 'x') FROM donations") == [[1, 1]]


def test_whoever_knows_of_the_generation_before_does_not_switch_readers_back(url: str, opened: Opener) -> None:
    leader, worker = served(opened(url)), opened(url)
    worker.apply([put("a", version(1, 1))])
    leader.create(SECOND, COLLECTIONS["donations"])
    leader.apply([put("a", version(1, 1), n=2, generation=SECOND)])
    leader.serve(SECOND)
    worker.apply([put("a", version(1, 2), attributes={"new": {"S": "x"}})])
    for target in (leader, worker):
        assert rows(target, "SELECT id, n FROM donations") == [["a", 2]]


def test_another_process_reads_on_over_a_switch_and_a_drop(url: str, opened: Opener) -> None:
    leader = served(opened(url))
    leader.apply([put("a", version(1, 1), n=1)])
    reader = opened(url)
    assert document(reader) == {"id": "a", "n": 1}
    leader.create(SECOND, COLLECTIONS["donations"])
    leader.apply([put("a", version(1, 1), n=2, generation=SECOND)])
    leader.serve(SECOND)
    leader.drop(FIRST)
    assert document(reader) == {"id": "a", "n": 2}
    assert reader.count("donations") == 1
    assert reader.recall(TABLE).generations == {SECOND}


def document(target: SqlTarget) -> object:
    found = target.document("donations", "a")
    assert found is not None
    return json.loads(found.json)


def test_views_of_others_are_left_alone(url: str, database: str, opened: Opener) -> None:
    target = served(opened(url))
    target._client.command(f"CREATE VIEW {database}.own AS SELECT 1 AS one")
    again = opened(url)
    assert again._client.command(f"SELECT one FROM {database}.own") == 1  # noqa: S608 - own names
    with pytest.raises(DynalensError, match="no collection own"):
        again.query("SELECT one FROM own", {})
