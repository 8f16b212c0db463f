"""Where a ClickHouse server is, as its URL says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote, urlsplit

EXAMPLE = "clickhouse://USER@HOST:8443/dynalens?secure=true"

TLS_PORT, PLAIN_PORT = 8443, 8123

_PARAMETERS = ("secure", "cluster", "ca", "role")
_SWITCH = {"true": True, "false": False}
_DATABASE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,62}")
_CLUSTER = re.compile(r"[A-Za-z0-9_.{}-]{1,63}")
_ROLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_OWN_DATABASES = {"system", "information_schema"}


@dataclass(frozen=True, slots=True)
class ClickHouseLocation:
    """A server, or a node of a cluster, that is spoken to over HTTP.

    Attributes:
        host: Its name or address.
        port: Its port for HTTP or HTTPS.
        secure: Whether it speaks TLS.
        user: Who Dynalens is there.
        password: The password that the URL holds; None when it holds none.
        database: The database of the views; the physical tables stand in one of its name behind an underscore.
        cluster: The cluster that tables are made on; empty for one server.
        ca: A file of certificates that the server's is checked against; empty for those of this machine.
        role: The role under which queries run, which may read the views alone.
    """

    host: str
    port: int
    secure: bool
    user: str
    password: str | None = field(repr=False)
    database: str
    cluster: str
    ca: str
    role: str


def clickhouse_location(url: str) -> ClickHouseLocation:
    """Read `clickhouse://USER:PASSWORD@HOST:PORT/DATABASE?secure=…&cluster=…&ca=…&role=…`.

    Args:
        url: The URL, as `clickhouse_flaw` found it to be right.
    """
    parts = urlsplit(url)
    given = dict(parse_qsl(parts.query))
    secure = _SWITCH[given["secure"]] if "secure" in given else parts.port == TLS_PORT
    database = _database(parts.path) or "dynalens"
    return ClickHouseLocation(
        host=parts.hostname or "",
        port=parts.port or (TLS_PORT if secure else PLAIN_PORT),
        secure=secure,
        user=unquote(parts.username or "default"),
        password=None if parts.password is None else unquote(parts.password),
        database=database,
        cluster=given.get("cluster", ""),
        ca=given.get("ca", ""),
        role=given.get("role", f"{database}_reader"),
    )


def clickhouse_flaw(url: str) -> str:
    """Say what is wrong with the URL of a ClickHouse server, and what to write; nothing when it is right."""
    try:
        parts = urlsplit(url)
        parameters = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
        port_is_usable = parts.port != 0
    except ValueError:
        return f"is no URL. Write for example {EXAMPLE}."
    if not parts.hostname or not port_is_usable:
        return f"names no server. Write for example {EXAMPLE}."
    database = _database(parts.path)
    if parts.fragment or (database and not _DATABASE.fullmatch(database)) or database.lower() in _OWN_DATABASES:
        return "names no database of yours. Write letters, digits and _ behind the host, for example /dynalens."
    return next(filter(None, (_parameter_flaw(name, value) for name, value in parameters)), "") or _ca_flaw(url)


def _database(path: str) -> str:
    return path.removeprefix("/")


def _parameter_flaw(name: str, value: str) -> str:
    match name:
        case "secure" if value not in _SWITCH:
            return "has a secure that is neither true nor false. Write secure=true for TLS."
        case "cluster" if not _CLUSTER.fullmatch(value):
            return "has a cluster that is no name. Write one of the server's system.clusters, or remove it."
        case "role" if not _ROLE.fullmatch(value):
            return "has a role that is no name. Write letters, digits and _, or remove it."
        case "ca" if not value:
            return "leaves ca empty. Write a file of certificates, or remove it for those of this machine."
        case _ if name not in _PARAMETERS:
            return f"has an unknown parameter. Write {', '.join(_PARAMETERS[:-1])} or {_PARAMETERS[-1]}."
    return ""


def _ca_flaw(url: str) -> str:
    location = clickhouse_location(url)
    if location.ca and not location.secure:
        return "has a ca and no TLS. Write secure=true beside it, or remove ca."
    return ""
