"""The URL of a ClickHouse server: what it says, and what is said about one that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from dynalens.config import ClickHouseLocation, ConfigFileError, clickhouse_location, load

NO_DATABASE = "names no database of yours. Write letters, digits and _ behind the host, for example /dynalens."
NO_CLUSTER = "has a cluster that is no name. Write one of the server's system.clusters, or remove it."
NO_CA = "leaves ca empty. Write a file of certificates, or remove it for those of this machine."


@pytest.mark.parametrize(
    ("url", "error"),
    [
        ("clickhouse:///db", "names no server. Write for example clickhouse://USER@HOST:8443/dynalens?secure=true."),
        ("clickhouse://host:port/db", "is no URL. Write for example chdb://./data/sql."),
        (
            "clickhouse://host/a/b",
            NO_DATABASE,
        ),
        (
            "clickhouse://host/system",
            NO_DATABASE,
        ),
        ("clickhouse://host/db?secure=yes", "has a secure that is neither true nor false. Write secure=true for TLS."),
        (
            "clickhouse://host/db?cluster=a%20b",
            NO_CLUSTER,
        ),
        ("clickhouse://host/db?role=a-b", "has a role that is no name. Write letters, digits and _, or remove it."),
        (
            "clickhouse://host/db?ca=",
            NO_CA,
        ),
        ("clickhouse://host/db?ca=own.pem", "has a ca and no TLS. Write secure=true beside it, or remove ca."),
        ("clickhouse://host/db?verify=false", "has an unknown parameter. Write secure, cluster, ca or role."),
    ],
)
def test_the_url_of_a_clickhouse_server_is_checked(tmp_path: Path, url: str, error: str) -> None:
    text = f"collections:\n  donations:\n    table: Donations\ntargets:\n  sql: {url}\n"
    (tmp_path / "dynalens.yaml").write_text(text)
    with pytest.raises(ConfigFileError) as caught:
        load(tmp_path / "dynalens.yaml", {})
    assert caught.value.message.endswith(f"dynalens.yaml:5: targets.sql: {url} {error}")


def test_the_url_of_a_clickhouse_server_is_read() -> None:
    short = clickhouse_location("clickhouse://10.0.0.7")
    assert (short.port, short.secure, short.user, short.database) == (8123, False, "default", "dynalens")
    assert (short.password, short.cluster, short.ca, short.role) == (None, "", "", "dynalens_reader")
    assert clickhouse_location("clickhouse://host:8443/db").secure
    whole = clickhouse_location(
        "clickhouse://a%40b:p%2Fw@host/live?secure=true&cluster=%7Bcluster%7D&ca=own.pem&role=asks"
    )
    assert whole == ClickHouseLocation("host", 8443, True, "a@b", "p/w", "live", "{cluster}", "own.pem", "asks")  # noqa: FBT003
    assert "p/w" not in repr(whole)
